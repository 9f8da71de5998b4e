"""Journeys that lie in a table of a DuckDB file: the paths of the same rows as csv, and every fault named."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from attribution import PathSpec, PathStore, read_paths
from measurement import DataError
from measurement.reading.files import apart, find


def log(seed: int, rows: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    event = random.choice(["click", "impression", "conversion"], rows, p=[0.5, 0.3, 0.2])
    sold = event == "conversion"
    channel = np.where(sold, None, random.choice(["a", "b", "c"], rows))
    return pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in random.integers(60, size=rows)],
            "timestamp": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(random.integers(90 * 86_400, size=rows), unit="s"),
            "channel": pd.Series(channel, dtype=object),
            "event": event,
            "value": np.where(sold, random.integers(1, 50, rows), np.nan),
        }
    )


def kept(place: Path, frame: pd.DataFrame) -> Path:
    with duckdb.connect(str(place)) as connection:
        connection.register("frame", frame)
        connection.execute("CREATE TABLE journeys AS SELECT * FROM frame")
    return place


def problem(source: str) -> str:
    with pytest.raises(DataError) as caught:
        read_paths(source)
    (found,) = caught.value.problems
    return f"{found.file}:{found.line}:{found.column}: {found.message}"


def test_the_paths_are_those_of_the_same_rows_elsewhere(tmp_path):
    frame = log(1)
    frame.to_csv(tmp_path / "log.csv", index=False)
    name = f"{kept(tmp_path / 'log.duckdb', frame)}::journeys"
    expected = read_paths(tmp_path / "log.csv")
    for source in (name, name.replace("::", "::main.")):
        found = read_paths(source)
        assert found.sha256 == expected.sha256
        assert found.counts == expected.counts
    one, other = (PathStore(tmp_path / f"{kind}.npz") for kind in ("duckdb", "csv"))
    one.extend(name)
    other.extend(tmp_path / "log.csv")
    assert one.paths().sha256 == other.paths().sha256


def test_aggregated_paths_and_rows_that_were_deleted(tmp_path):
    table = read_paths(log(2)).to_frame()
    name = f"{kept(tmp_path / 'paths.duckdb', table)}::journeys"
    assert read_paths(name).sha256 == read_paths(table).sha256
    frame = log(3)
    place = kept(tmp_path / "log.duckdb", frame)
    with duckdb.connect(str(place)) as connection:
        connection.execute("DELETE FROM journeys WHERE user_id < 'u3'")
    assert read_paths(f"{place}::journeys").sha256 == read_paths(frame[frame["user_id"] >= "u3"]).sha256


def test_a_column_called_rowid_is_the_users(tmp_path):
    frame = log(4)
    place = kept(tmp_path / "log.duckdb", frame.assign(RowID=7))
    assert read_paths(f"{place}::journeys").sha256 == read_paths(frame).sha256


def test_faults_are_named_by_row(tmp_path):
    frame = log(5, 40)
    frame.loc[[11], "event"] = "clik"
    place = kept(tmp_path / "log.duckdb", frame)
    name = f"{place}::journeys"
    assert f"{name}:12:event:" in problem(name)
    assert "did you mean 'click'?" in problem(name)


def test_what_names_no_table_is_refused(tmp_path):
    place = kept(tmp_path / "log.duckdb", log(6, 30))
    with duckdb.connect(str(place)) as connection:
        connection.execute('CREATE SCHEMA "other ""one"; CREATE TABLE "other ""one".journeys AS FROM main.journeys')
        connection.execute("CREATE VIEW seen AS FROM main.journeys")
    assert "'main.journeys', 'other \"one.journeys'; name the schema" in problem(f"{place}::journeys")
    assert read_paths(f'{place}::other "one.journeys').sha256 == read_paths(f"{place}::main.journeys").sha256
    assert "did you mean 'journeys'?" in problem(f"{place}::journey")
    assert "is a view" in problem(f"{place}::seen")
    assert "by the name of its table" in problem(str(place))
    assert "there is no such file" in problem(f"{tmp_path / 'lo.duckdb'}::journeys")
    (tmp_path / "log.csv").write_text("path,conversions,nulls\na,1,1\n")
    assert "is a csv file, which has no tables" in problem(f"{tmp_path / 'log.csv'}::journeys")
    with pytest.raises(DataError, match="no such file"):
        find(f"{place}::journeys")  # other tables of a study are files


def test_a_name_with_the_mark_in_it_may_be_a_file(tmp_path):
    odd = tmp_path / "a::b.csv"
    odd.write_text("path,conversions,nulls\na > b,1,1\n")
    assert read_paths(odd, PathSpec()).conversions.tolist() == [1.0]
    assert apart(odd) == (str(odd), "")


def test_a_damaged_file_is_refused(tmp_path):
    place = kept(tmp_path / "log.duckdb", log(7))
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as DuckDB" in problem(f"{place}::journeys")
