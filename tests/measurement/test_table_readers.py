"""The media, outcome and platform tables: whole series, one cadence, names that look alike."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from measurement import tables
from measurement.errors import DataError, Problem

DAYS = ("2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22")
ROWS = [(day, geo, channel, 1.5) for day, geo, channel in product(DAYS, ("a", "b"), ("radio", "tv"))]


def media(folder: Path, rows: list[Any], **options: Any) -> tables.Table:
    path = folder / "media.csv"
    path.write_text("date,geo,channel,spend\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return tables.read_media(path, **options)


def refused(folder: Path, rows: list[Any], **options: Any) -> list[Problem]:
    with pytest.raises(DataError) as caught:
        media(folder, rows, **options)
    assert all(problem.file == str(folder / "media.csv") for problem in caught.value.problems)
    return list(caught.value.problems)


def outcome(folder: Path, text: str, *arguments: Any, **options: Any) -> tables.Table:
    (folder / "outcome.csv").write_text(text)
    return tables.read_outcome(folder / "outcome.csv", *arguments, **options)


def test_a_whole_table(tmp_path: Path) -> None:
    table = media(tmp_path, ROWS, period="week")
    assert table.problems == ()
    assert len(table.frame) == 16
    assert table.sha256 == media(tmp_path, ROWS[::-1]).sha256


def test_a_missing_row_is_a_gap(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, [row for i, row in enumerate(ROWS) if i not in (6, 10)])
    assert found.code == "gap"
    assert "geo 'b', channel 'radio' has no row on 2024-01-08, nor on 1 more up to 2024-01-15" in found.message
    assert "0" in found.message


def test_the_last_row_missing_is_a_gap(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, ROWS[:-1])
    assert "geo 'b', channel 'tv' has no row on 2024-01-22;" in found.message


def test_a_late_geo_and_its_first_line(tmp_path: Path) -> None:
    rows = [row for row in ROWS if row[1] != "b" or row[0] >= "2024-01-15"]
    (found,) = refused(tmp_path, rows)
    line = 2 + next(i for i, row in enumerate(rows) if row[1] == "b")
    assert (found.code, found.column, found.line) == ("late-geo", "geo", line)
    assert "2024-01-15" in found.message
    assert "2024-01-01" in found.message


def test_a_late_channel(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, [row for row in ROWS if row[2] != "tv" or row[0] >= "2024-01-08"])
    assert (found.code, found.column) == ("late-channel", "channel")


def test_a_channel_that_one_geo_has_not(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, [row for row in ROWS if row[1:3] != ("b", "tv")])
    assert "geo 'b', channel 'tv' has no row at all" in found.message


def test_a_slip_of_case_is_named(tmp_path: Path) -> None:
    rows = [*ROWS[:-1], (*ROWS[-1][:2], "TV", 1.0)]
    assert any("is it 'tv'?" in problem.message for problem in refused(tmp_path, rows))


def test_gaps_are_not_looked_for_where_dates_are_broken(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, [("2024-01-33", *ROWS[0][1:]), *ROWS[1:]])
    assert found.code == "impossible-date"


def test_values_and_gaps_are_reported_together(tmp_path: Path) -> None:
    found = refused(tmp_path, [(*ROWS[0][:3], -1), *ROWS[1:-1]])
    assert {problem.code for problem in found} == {"negative", "gap"}


def test_a_hostile_grid_is_refused_quickly(tmp_path: Path) -> None:
    rows = [(f"20{i % 50 + 10}-01-{i % 28 + 1:02}", f"g{i}", f"c{i}", 1) for i in range(3000)]
    with pytest.raises(DataError) as caught:
        media(tmp_path, rows)
    assert "8996000 more combinations" in " ".join(problem.message for problem in caught.value.problems)
    assert len(str(caught.value)) < 4000


@pytest.mark.parametrize(
    ("days", "period", "code", "count"),
    [
        (("2024-01-01", "2024-01-15", "2024-01-22"), "week", "gap", 1),
        (("2024-01-01", "2024-01-08", "2024-01-16", "2024-01-22"), "week", "off-cadence", 1),
        (("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"), "week", "off-cadence", 1),
        (DAYS, "day", "off-cadence", 1),
        (("2024-01-01", "2024-02-01", "2024-04-01"), "month", "gap", 1),
        (("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-05"), "day", "gap", 1),
    ],
)
def test_the_cadence(tmp_path: Path, days: tuple[str, ...], period: str, code: str, count: int) -> None:
    found = refused(tmp_path, [(day, "a", "tv", 1) for day in days], period=period)
    assert [problem.code for problem in found] == [code] * count
    media(tmp_path, [(day, "a", "tv", 1) for day in days])


def test_a_national_table_has_no_geo(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("date,channel,spend\n2024-01-01,tv,1\n2024-01-08,tv,2\n")
    assert list(tables.read_media(path, period="week").frame.columns) == ["date", "channel", "spend"]


def test_exposures_are_asked_for_by_name(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("date,channel,spend,grp,note\n2024-01-01,tv,1,5,x\n2024-01-08,tv,2,0,y\n")
    assert tables.read_media(path, ["grp", "grp"]).frame["grp"].tolist() == [5.0, 0.0]
    assert "grp" not in tables.read_media(path).frame
    with pytest.raises(DataError, match="did you mean 'grp'"):
        tables.read_media(path, ["grps"])
    path.write_text("date,channel,spend,grp\n2024-01-01,tv,1,-5\n")
    with pytest.raises(DataError, match="0 or more"):
        tables.read_media(path, ["grp"])


@pytest.mark.parametrize("odd", ["tv\u200b", " tv", "tv ", "t\u00a0v", "tv\u202e"])
def test_invisible_characters_are_warned_of(tmp_path: Path, odd: str) -> None:
    table = media(tmp_path, [(day, "a", odd, 1) for day in DAYS])
    assert [(problem.level, problem.code) for problem in table.problems] == [("warning", "invisible-characters")]
    assert table.problems[0].line == 2
    assert table.frame["channel"].unique().tolist() == [odd]


@pytest.mark.parametrize(("first", "second"), [("tv", "TV"), ("cafe\u0301", "café"), ("a b", "a  b"), ("ﬁ", "fi")])
def test_names_that_look_alike_are_warned_of(tmp_path: Path, first: str, second: str) -> None:
    table = media(tmp_path, [(day, "a", name, 1) for day in DAYS for name in (first, second)])
    assert [problem.code for problem in table.problems] == ["names-alike"]
    assert table.frame["channel"].nunique() == 2


def test_outcome_columns(tmp_path: Path) -> None:
    text = "date,geo,sales,price,people,region\n2024-01-01,a,-1.5,2,10,x\n2024-01-01,b,2,2,20,y\n"
    table = outcome(tmp_path, text, ["sales"], controls=["price"], population="people")
    assert list(table.frame.columns) == ["date", "geo", "sales", "price", "people"]
    assert [(problem.level, problem.column) for problem in table.problems] == [("note", "region")]
    with pytest.raises(DataError, match="above 0"):
        outcome(tmp_path, text.replace("10", "0"), ["sales"], population="people")
    with pytest.raises(DataError, match="did you mean 'sales'"):
        outcome(tmp_path, text, ["slaes"])
    with pytest.raises(DataError, match="needs a column of numbers"):
        outcome(tmp_path, "date,region\n2024-01-01,x\n")


def test_outcome_gaps_and_repeats(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="geo 'b' has no row on 2024-01-08"):
        outcome(tmp_path, "date,geo,sales\n2024-01-01,a,1\n2024-01-01,b,2\n2024-01-08,a,2\n")
    with pytest.raises(DataError, match="date '2024-01-01' stands in line 2 already"):
        outcome(tmp_path, "date,sales\n2024-01-01,1\n2024-01-01,2\n")
    with pytest.raises(DataError, match="is blank"):
        outcome(tmp_path, "date,sales\n2024-01-01,1\n2024-01-08,\n")


def test_columns_may_differ_in_case_only(tmp_path: Path) -> None:
    frame = outcome(tmp_path, "date,sales,Sales\n2024-01-01,1,2\n").frame
    assert frame[["sales", "Sales"]].iloc[0].tolist() == [1.0, 2.0]


def test_a_platform_may_skip_periods(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("date,channel,conversions,value\n2024-01-01,tv,1.5,20\n2024-03-01,tv,0,0\n2024-01-01,radio,1,1\n")
    assert len(tables.read_platform(path).frame) == 3
    path.write_text("date,channel,conversions,value\n2024-01-01,tv,-1,20\n2024-01-01,tv,1,\n")
    with pytest.raises(DataError) as caught:
        tables.read_platform(path)
    assert {problem.code for problem in caught.value.problems} == {"negative", "blank", "duplicate-row"}
