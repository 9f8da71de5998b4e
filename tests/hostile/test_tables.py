"""Damaged tables: whatever happens to a file, it is either read soundly or refused in a few words."""

import json
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments import records
from measurement import tables, wide
from measurement.errors import LONGEST_MESSAGE, DataError
from measurement.panel import Panel

DAYS = [f"2024-0{month}-{day:02}" for month, day in ((1, 1), (1, 8), (1, 15), (1, 22), (1, 29))]
GEOS, CHANNELS = ("NA", "01", "Köln"), ("tv", "search, brand")

MEDIA = "date,geo,channel,spend,grp\n" + "".join(
    f'{day},{geo},"{channel}",{i % 7}.5,{i}\n' for i, (day, geo, channel) in enumerate(product(DAYS, GEOS, CHANNELS))
)
OUTCOME = "date,geo,sales,price\n" + "".join(
    f"{d},{g},{10 + i},{i % 3}\n" for i, (d, g) in enumerate(product(DAYS, GEOS))
)
PLATFORM = "date,channel,conversions,value\n" + "".join(f"{d},tv,{i},{i}.25\n" for i, d in enumerate(DAYS))
WIDE = "week,tv_spend,radio_spend,sales\n" + "".join(f"{d},{i},1.5,{10 + i}\n" for i, d in enumerate(DAYS))
TEST = {
    "experiment_id": "t1",
    "channel": ["tv"],
    "method": "go_dark",
    "treatment_geos": ["NA"],
    "start_date": "2024-01-08",
    "end_date": "2024-01-21",
    "estimand": "iroas",
    "estimate": 1.5,
    "std_error": 0.5,
    "spend_delta": -10,
}
TESTS = json.dumps([TEST, {**TEST, "experiment_id": "t2"}], indent=1)


def media(path: Path) -> None:
    frame = tables.read_media(path, ["grp"], period="week").frame
    assert np.isfinite(frame[["spend", "grp"]]).all(axis=None)
    assert (frame[["spend", "grp"]] >= 0).all(axis=None)
    assert len(frame) == frame["date"].nunique() * frame.groupby(frame.columns[1:-2].tolist()).ngroups
    assert not frame.isna().any(axis=None)


def outcome(path: Path) -> None:
    frame = tables.read_outcome(path, ["sales"], controls=["price"], period="week").frame
    panel = Panel.from_frames(frame, kpi="sales", controls=["price"])
    assert np.isfinite(panel.outcome).all()


def platform(path: Path) -> None:
    frame = tables.read_platform(path).frame
    assert (frame[["conversions", "value"]] >= 0).all(axis=None)
    assert not frame.duplicated([name for name in frame.columns if name not in ("conversions", "value")]).any()


def split(path: Path) -> None:
    made = wide.split(path, wide.plan(path, kpi="sales"))
    assert (made.media["spend"] >= 0).all()


def lift_tests(path: Path) -> None:
    for test in records.read(path):
        assert test.start_date <= test.end_date <= test.read_out_end
        assert (test.standard_error or 0) > 0


READERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "media.csv": (MEDIA, media),
    "outcome.csv": (OUTCOME, outcome),
    "platform.csv": (PLATFORM, platform),
    "wide.csv": (WIDE, split),
    "tests.json": (TESTS, lift_tests),
}

TOKENS = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b";",
    b"\t",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"nan",
    b"-",
    b"1e999",
    b"_",
    b"{",
    b"[",
    b"]",
    b"}",
]
TOKENS += [
    "é".encode(),
    "\u200b".encode(),
    "٣".encode(),
    b"NA",
    b"2024-02-30",
    b"01/02/2024",
    b"1.234,5",
    b"null",
    b"true",
    b"''",
    b"\\ud800",
]

edits = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete", "replace", "repeat", "cut", "move", "blank"]),
        st.floats(0, 1),
        st.floats(0, 0.2),
        st.sampled_from(TOKENS),
    ),
    min_size=1,
    max_size=4,
)


def damaged(data: bytes, changes: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, where, length, token in changes:
        at = int(where * len(data))
        end = at + int(length * len(data)) + 1
        data = {
            "insert": data[:at] + token + data[at:],
            "delete": data[:at] + data[end:],
            "replace": data[:at] + token + data[at + 1 :],
            "repeat": data[:end] + data[at:],
            "cut": data[:at] + (data[at:] if at < len(data) // 2 else b""),
            "move": data[end:] + data[at:end] + data[:at],
            "blank": data[:at] + b"," * 3 + data[at + 3 :],
        }[kind]
    return data


def survives(path: Path, reader: Callable[[Path], None]) -> bool:
    try:
        reader(path)
    except DataError as error:
        said = str(error)
        if not 0 < len(said) <= LONGEST_MESSAGE or not all(c.isprintable() or c == "\n" for c in said):
            pytest.fail(f"unreadable message: {said!r}")
        return False
    return True


@pytest.mark.parametrize("name", READERS)
def test_good_files_are_good(tmp_path: Path, name: str) -> None:
    text, reader = READERS[name]
    (tmp_path / name).write_text(text)
    assert survives(tmp_path / name, reader)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=50, deadline=None)
@given(changes=edits)
def test_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[str, float, float, bytes]]
) -> None:
    text, reader = READERS[name]
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(damaged(text.encode(), changes))
    survives(path, reader)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=12, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    assert not survives(path, READERS[name][1])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_of_rows_and_columns_does_not_change_the_hash(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "shuffled.csv"
    path.write_text(MEDIA)
    expected = tables.read_media(path, ["grp"]).sha256
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    columns = random.Random(seed).sample(list(frame.columns), len(frame.columns))  # noqa: S311
    shuffled = frame.sample(frac=1, random_state=seed)[columns]
    shuffled.to_csv(path, index=False, lineterminator=random.Random(seed).choice(["\n", "\r\n"]))  # noqa: S311
    assert tables.read_media(path, ["grp"]).sha256 == expected


@settings(max_examples=25, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3))
@example(changes=[(0.1953125, 128)])  # a column's name that is no UTF-8
def test_damaged_parquet_is_refused_or_sound(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "media.parquet"
    source = tmp_path_factory.getbasetemp() / "media-source.csv"
    source.write_text(MEDIA)
    tables.read_media(source, ["grp"]).frame.to_parquet(path)
    data = bytearray(path.read_bytes())
    for where, byte in changes:
        data[min(int(where * len(data)), len(data) - 1)] = byte
    path.write_bytes(bytes(data))
    survives(path, media)


@pytest.mark.parametrize("name", ["geo", "channel"])
@settings(max_examples=25, deadline=None)
@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
)
def test_any_name_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, name: str, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "names.csv"
    frame = pd.DataFrame({"date": ["2024-01-01"], "geo": ["g"], "channel": ["c"], "spend": [1]})
    frame.assign(**{name: text}).to_csv(path, index=False, quoting=2)
    if not text.strip():
        survives(path, lambda each: tables.read_media(each) and None)
        return
    table = tables.read_media(path)
    assert table.frame[name].tolist() == [text]
    assert all(problem.code == "invisible-characters" for problem in table.problems)


@pytest.mark.parametrize("quantity", [1, 21, 5000])
def test_a_file_that_is_wrong_throughout(tmp_path: Path, quantity: int) -> None:
    path = tmp_path / "media.csv"
    rows = "".join(f"0{1 + i % 9}/0{1 + i % 7}/2024,g{i},tv,$1\n" for i in range(quantity))
    path.write_text("date,geo,channel,spend\n" + rows)
    with pytest.raises(DataError) as caught:
        tables.read_media(path)
    said = str(caught.value).split("\n")
    assert len(str(caught.value)) <= LONGEST_MESSAGE
    assert "column 'date'" in said[0] or "column 'spend'" in said[0]
    if quantity == 1:
        assert len(said) == 2
    if quantity == 5000:
        assert sum("4000 more values" in problem.message for problem in caught.value.problems) == 2


def test_names_are_never_code(tmp_path: Path) -> None:
    names = ["'; DROP TABLE rows; --", '"x', "$1", "{0}", "%s", "<script>", "a\tb", "rows", "source_row", "x0", "c0"]
    header = ["date", "geo", *names]
    table: list[list[Any]] = [header, ["2024-01-01", names[0], *range(len(names))]]
    path = tmp_path / "outcome.csv"
    pd.DataFrame(table[1:], columns=header).to_csv(path, index=False)
    frame = tables.read_outcome(path, names[:3], controls=names[3:5]).frame
    assert {name: frame[name].item() for name in names} == {name: float(i) for i, name in enumerate(names)}
    assert frame["geo"].tolist() == [names[0]]
    frame.to_parquet(tmp_path / "outcome.parquet")
    again = tables.read_outcome(tmp_path / "outcome.parquet", names[:3], controls=names[3:5]).frame
    pd.testing.assert_frame_equal(again[frame.columns], frame)
