"""Reading against a contract: every fault with its place, and nothing sound refused."""

import csv
import io
import re
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.errors import DataError, Problem
from measurement.reading import faults, files, source
from measurement.reading.columns import Bound, Column, Contract, judged
from measurement.reading.source import Table

MEDIA = Contract(
    "media",
    (
        Column("date", "date"),
        Column("geo", "text", required=False),
        Column("channel", "text"),
        Column("spend", "number", minimum=0.0),
    ),
    key=("date", "geo", "channel"),
)
EVENTS = Contract(
    "events",
    (
        Column("user", "text"),
        Column("at", "timestamp"),
        Column("event", "text", choices=("click", "view")),
        Column("value", "number", blank=True, minimum=0.0),
        Column("new", "flag", required=False),
    ),
)
HEADER = "date,geo,channel,spend\n"
GOOD = HEADER + "2024-01-01,a,tv,1\n2024-01-08,a,tv,2.5\n"


def read(folder: Path, text: str | bytes, contract: Contract = MEDIA, name: str = "m.csv") -> Table:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return source.read(contract, path)


def problems(folder: Path, text: str | bytes, contract: Contract = MEDIA, name: str = "m.csv") -> list[Problem]:
    with pytest.raises(DataError) as caught:
        read(folder, text, contract, name)
    return list(caught.value.problems)


def one(folder: Path, text: str | bytes, contract: Contract = MEDIA) -> Problem:
    found = problems(folder, text, contract)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    "variant",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("tv,1\n", "tv,1\r\n"),
        GOOD.replace("\n", "\n\n"),
        "\n\n" + GOOD,
        GOOD.replace("\n", "\n   \n"),
        GOOD[:-1],
        GOOD + "\n\n\n",
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("date", '"date"').replace("tv", '"tv"'),
        "\ufeff" + GOOD.replace("date", '"date"'),
        HEADER + "2024-01-08,a,tv,2.5\n2024-01-01,a,tv,1.0\n",
        "spend,channel,geo,date\n 2.50 ,tv,a,2024-01-08\n+1e0,tv,a, 2024-01-01\n",
        GOOD.replace("\n", ",x\n").replace("spend,x", "spend,comment"),
    ],
)
def test_same_table_however_it_is_written(tmp_path: Path, variant: str) -> None:
    expected = read(tmp_path, GOOD)
    got = read(tmp_path, variant)
    pd.testing.assert_frame_equal(got.frame, expected.frame)
    assert got.sha256 == expected.sha256
    assert got.problems == ()


def test_types_of_the_frame(tmp_path: Path) -> None:
    frame = read(tmp_path, GOOD).frame
    assert list(frame.dtypes.astype(str)) == ["datetime64[s]", "str", "str", "float64"]
    assert frame["spend"].tolist() == [1.0, 2.5]


def test_other_values_another_fingerprint(tmp_path: Path) -> None:
    prints = {read(tmp_path, text).sha256 for text in (GOOD, GOOD.replace("2.5", "2.6"), GOOD.replace(",tv", ",TV"))}
    assert len(prints) == 3


@pytest.mark.parametrize(
    "name", ["NA", "01", "null", "nan", "None", "北京", "São Paulo", "a'b", '5"', "-", "x;y", "🙂"]
)
def test_any_name_is_a_name(tmp_path: Path, name: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER.strip().split(","), ["2024-01-01", name, name, 1]])
    frame = read(tmp_path, text.getvalue()).frame
    assert frame["geo"].tolist() == frame["channel"].tolist() == [name]


def test_names_keep_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    frame = read(tmp_path, HEADER + '2024-01-01,"a, ""b""\nc",tv,1\n').frame
    assert frame["geo"].tolist() == ['a, "b"\nc']


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "blank"),
        ('""', "blank"),
        ("   ", "blank"),
        ("NA", "blank"),
        ("nan", "not-finite"),
        ("inf", "not-finite"),
        ("-Infinity", "not-finite"),
        ("1e999", "not-finite"),
        ("-3", "negative"),
        ("-0.01", "negative"),
        ("$5", "currency-sign"),
        ("5 €", "currency-sign"),
        ("EUR 5", "currency-sign"),
        ("1_000", "underscore"),
        ('"1,234,567"', "thousands-separator"),
        ('"1,234.50"', "thousands-separator"),
        ("1 234", "thousands-separator"),
        ("1'234.5", "thousands-separator"),
        ('"1,5"', "decimal-comma"),
        ('"1.234,5"', "decimal-comma"),
        ('"1,234"', "decimal-comma"),
        ("12%", "percent-sign"),
        ("(12)", "brackets"),
        ("0x1F", "not-a-number"),
        ("+-5", "not-a-number"),
        ("1.2.3", "not-a-number"),
        ("١٢", "not-a-number"),
        ("abc", "not-a-number"),
        ("True", "not-a-number"),
    ],
)
def test_refused_numbers(tmp_path: Path, value: str, code: str) -> None:
    found = one(tmp_path, GOOD + f"2024-01-15,a,tv,{value}\n")
    assert (found.code, found.line, found.column) == (code, 4, "spend")
    assert found.file == str(tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "blank"),
        ("2024-02-30", "impossible-date"),
        ("0001-01-01", "impossible-date"),
        ("01/02/2024", "day-or-month-first"),
        ("02/13/2024", "day-or-month-first"),
        ("31.12.2024", "day-or-month-first"),
        ("45292", "serial-date"),
        ("45292.5", "serial-date"),
        ("20240115", "date-format"),
        ("2024-1-15", "date-format"),
        ("2024/01/15", "date-format"),
        ("2024-01-15 00:00:00", "time-of-day"),
        ("2024-01-15T13:00:00+02:00", "time-of-day"),
        ("15 Jan 2024", "not-a-date"),
        ("infinity", "not-a-date"),
        ("today", "not-a-date"),
    ],
)
def test_refused_dates(tmp_path: Path, value: str, code: str) -> None:
    found = one(tmp_path, GOOD + f"{value},a,tv,1\n")
    assert (found.code, found.line, found.column) == (code, 4, "date")


def test_month_first_is_told_from_day_first(tmp_path: Path) -> None:
    said = [p.message for p in problems(tmp_path, HEADER + "02/13/2024,a,tv,1\n13/02/2024,a,tv,1\n02/03/2024,a,tv,1\n")]
    assert "month first" in said[0]
    assert "day first" in said[1]
    assert "nobody can tell" in said[2]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (b"", "empty-file", None),
        (b"\n \n", "empty-file", None),
        (HEADER.encode(), "no-rows", None),
        (GOOD.encode("utf-16"), "binary-file", None),
        (GOOD.encode("utf-16-le"), "nul-byte", 1),
        (GOOD.encode() + b"2024-01-15,\xe4,tv,3\n", "encoding", 4),
        (GOOD.encode() + b"\x002024-01-15,a,tv,3\n", "nul-byte", 4),
        (b"PK\x03\x04" + b"x" * 50, "binary-file", None),
        (b"\x1f\x8b\x08" + b"x" * 50, "binary-file", None),
        (b"PAR1" + b"x" * 50, "unreadable-file", None),
        (GOOD.encode() + b'2024-01-15,"a,tv,3\n2024-01-22,a,tv,3\n', "unclosed-quote", 4),
        (GOOD.encode() + b'2024-01-15,"a"b,tv,3\n', "stray-quote", 4),
        (b'"date,geo,channel,spend\n2024-01-15,a,tv,3\n', "unclosed-quote", 1),
        (GOOD.encode() + b"2024-01-15,a,tv\n", "ragged-row", 4),
        (GOOD.encode() + b"2024-01-15,a,tv,1,\n", "ragged-row", 4),
        (b"date,geo,channel,spend,\n2024-01-15,a,tv,1,\n", "unnamed-column", 1),
        (b"date,geo,channel,spend,spend\n2024-01-15,a,tv,1,1\n", "column-twice", 1),
        (b"date,geo,channel,spend,Spend\n2024-01-15,a,tv,1,1\n", "column-twice", 1),
        (b"date,Geo,channel,spend\n2024-01-15,a,tv,1\n", "misspelt-column", 1),
        (b"date,geo,chanel,spend\n2024-01-15,a,tv,1\n", "missing-column", 1),
        (b"date,geo,channel\n2024-01-15,a,tv\n", "missing-column", 1),
    ],
)
def test_refused_files(tmp_path: Path, text: bytes, code: str, line: int | None) -> None:
    found = one(tmp_path, text)
    assert (found.code, found.line) == (code, line)


def test_a_misspelt_column_is_found_again(tmp_path: Path) -> None:
    found = one(tmp_path, GOOD.replace("channel", "Chanel"))
    assert found.column == "Chanel"
    assert "did you mean 'channel'" in found.message


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    text = "date,geo,chanel,spend\n2024-13-01,a,tv,1\n2024-01-01,a,tv\n2024-01-01,,tv,-1\n"
    found = {(p.code, p.line, p.column) for p in problems(tmp_path, text)}
    assert found == {
        ("missing-column", 1, "chanel"),
        ("impossible-date", 2, "date"),
        ("ragged-row", 3, None),
        ("blank", 4, "geo"),
        ("negative", 4, "spend"),
    }


def test_lines_count_blank_lines_and_line_ends_in_quotes(tmp_path: Path) -> None:
    text = HEADER + '\n2024-01-01,"a\nb",tv,1\n\n2024-01-08,a,tv,x\n'
    found = one(tmp_path, text)
    assert found.line == 6
    assert one(tmp_path, text.replace("\n", "\r\n")).line == 6


def test_one_bad_column_does_not_hide_another_fault(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-01,g{i},tv,\n" for i in range(3000)) + "2024-01-01,z,,1\n"
    with pytest.raises(DataError) as caught:
        read(tmp_path, HEADER + rows)
    assert "3002, column 'channel': is blank" in str(caught.value)
    assert len(str(caught.value)) < 4000
    assert any("2000 more values" in p.message for p in caught.value.problems)


def test_repeated_keys_name_the_first(tmp_path: Path) -> None:
    found = one(tmp_path, GOOD + "2024-01-08,b,tv,1\n2024-01-01,a,tv,9\n")
    assert (found.code, found.line) == ("duplicate-row", 5)
    assert "line 2 already" in found.message


def test_a_geo_column_of_another_name_is_asked_for(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-01,g{i},tv,1\n" for i in range(30))
    found = problems(tmp_path, HEADER.replace("geo", "location") + rows)
    assert [p.code for p in found].count("missing-column") == 1
    assert len(found) == 4
    assert next(p for p in found if p.code == "missing-column").column == "geo"


def test_a_column_is_not_found_again_in_any_other(tmp_path: Path) -> None:
    found = one(tmp_path, GOOD.replace("date", "State"))
    assert (found.column, found.code) == ("date", "missing-column")
    assert "it has 'State', 'geo'" in found.message


def test_several_files_are_one_table(tmp_path: Path) -> None:
    whole = read(tmp_path, GOOD, name="whole.txt")
    (tmp_path / "p1.csv").write_text(HEADER + "2024-01-08,a,tv,2.5\n")
    pd.DataFrame({"spend": [1.0], "date": [date(2024, 1, 1)], "channel": ["tv"], "geo": ["a"]}).to_parquet(
        tmp_path / "p2.parquet"
    )
    assert source.read(MEDIA, tmp_path / "p*").sha256 == whole.sha256
    (tmp_path / "p3.csv").write_text(HEADER + "2024-01-08,a,tv,3\n2024-01-15,a,tv,-1\n")
    with pytest.raises(DataError) as caught:
        source.read(MEDIA, tmp_path / "p*")
    negative, repeated = sorted(caught.value.problems, key=lambda p: p.code, reverse=True)
    assert (negative.file, negative.line, negative.code) == (str(tmp_path / "p3.csv"), 3, "negative")
    assert (repeated.file, repeated.line) == (str(tmp_path / "p3.csv"), 2)
    assert "p1.csv:2 already" in repeated.message


def test_files_of_one_table_need_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "p1.csv").write_text(GOOD)
    (tmp_path / "p2.csv").write_text("date,channel,spend\n2024-01-15,tv,1\n")
    with pytest.raises(DataError) as caught:
        source.read(MEDIA, tmp_path / "p?.csv")
    assert [(p.code, p.column, p.file) for p in caught.value.problems] == [
        ("columns-differ", "geo", str(tmp_path / "p2.csv"))
    ]


@pytest.mark.parametrize("name", ["[1].csv", "a*b.csv", "100%.csv", "it's.csv", "a b;.csv", "$1.csv", "date=x/m.csv"])
def test_any_file_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "1.csv").write_text("other")
    assert len(read(tmp_path, GOOD, name=name).frame) == 2
    frame = read(tmp_path, GOOD).frame
    frame.to_parquet(tmp_path / f"{name}.parquet")
    assert len(source.read(MEDIA, tmp_path / f"{name}.parquet").frame) == 2


@pytest.mark.parametrize("name", ["nothere.csv", "*.nothing", "a\0b", "", ".", "/dev/null", "x" * 5000, "m.csv/x"])
def test_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text(GOOD)
    with pytest.raises(DataError) as caught:
        source.read(MEDIA, name)
    assert len(caught.value.problems) == 1


def test_near_file_names_are_offered(tmp_path: Path) -> None:
    (tmp_path / "media.csv").write_text(GOOD)
    with pytest.raises(DataError, match=re.escape("did you mean 'media.csv'")):
        source.read(MEDIA, tmp_path / "medai.csv")


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.csv").write_text(GOOD)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(DataError, match="Permission denied"):
        source.read(MEDIA, tmp_path / "m.csv")


def test_parquet_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2024-01-08", "2024-01-01"]),
            "geo": [1, 1],
            "channel": pd.Categorical(["tv", "tv"]),
            "spend": np.array([2.5, 1.0], dtype=np.float32),
        }
    )
    frame.to_parquet(tmp_path / "m.parquet")
    got = source.read(MEDIA, tmp_path / "m.parquet")
    assert got.sha256 == read(tmp_path, GOOD.replace(",a,", ",1,")).sha256


def test_parquet_faults_name_the_row(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "date": [datetime(2024, 1, 1), datetime(2024, 1, 8, 13)],
            "geo": ["a", None],
            "channel": ["tv", " "],
            "spend": [np.inf, -2.5],
        }
    )
    frame.to_parquet(tmp_path / "m.parquet")
    with pytest.raises(DataError) as caught:
        source.read(MEDIA, tmp_path / "m.parquet")
    found = {(p.line, p.column, p.code) for p in caught.value.problems}
    assert found == {
        (1, "spend", "not-finite"),
        (2, "date", "time-of-day"),
        (2, "geo", "blank"),
        (2, "channel", "blank"),
        (2, "spend", "negative"),
    }


def test_parquet_of_the_wrong_type_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pd.DataFrame({"date": [1.5], "geo": [0.5], "channel": [True], "spend": [date(2024, 1, 1)]}).to_parquet(path)
    with pytest.raises(DataError) as caught:
        source.read(MEDIA, path)
    assert {(p.code, p.column) for p in caught.value.problems} == {
        ("column-type", name) for name in ("date", "geo", "channel", "spend")
    }
    read(tmp_path, GOOD).frame.to_parquet(path)
    whole = path.read_bytes()
    for end in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError):
            source.read(MEDIA, path)
    path.write_text(GOOD)
    with pytest.raises(DataError, match="no parquet file"):
        source.read(MEDIA, path)


def test_timestamps_are_utc(tmp_path: Path) -> None:
    text = (
        "user,at,event,value,new\n"
        "u,2024-01-01T12:00:00Z,click,,true\n"
        "u,2024-01-01T12:00:00+02:00,click,5,0\n"
        "u,2024-01-01 12:00:00.25-0530,view,0,FALSE\n"
        "u,2024-01-01T12:00+01,view,1e2,1\n"
    )
    frame = read(tmp_path, text, EVENTS).frame.sort_values("at")
    assert [str(moment) for moment in frame["at"]] == [
        "2024-01-01 10:00:00",
        "2024-01-01 11:00:00",
        "2024-01-01 12:00:00",
        "2024-01-01 17:30:00.250000",
    ]
    assert frame["new"].tolist() == [False, True, True, False]
    assert frame["value"].isna().tolist() == [False, False, True, False]


def test_refused_events(tmp_path: Path) -> None:
    text = (
        "user,at,event,value\n"
        "u,2024-01-01T12:00:00Z,clck,\n"
        "u,2024-01-01T12:00:00Z,click,-1\n"
        "u,2024-01-01T25:00:00Z,click,\n"
        "u,2024-01-01,Click,NaN\n"
        "u,1704110400,click,\n"
        "u,2024-01-01T12:00:00+99:00,click,\n"
    )
    found = {(p.line, p.column, p.code) for p in problems(tmp_path, text, EVENTS)}
    assert found == {
        (2, "event", "unknown-value"),
        (3, "value", "negative"),
        (4, "at", "not-a-timestamp"),
        (5, "at", "not-a-timestamp"),
        (5, "event", "unknown-value"),
        (5, "value", "not-finite"),
        (6, "at", "serial-date"),
        (7, "at", "not-a-timestamp"),
    }


def test_mixed_time_zones_are_refused(tmp_path: Path) -> None:
    rows = [f"u,2024-01-0{i}T12:00:00{'' if i == 3 else 'Z'},click,\n" for i in range(1, 6)]
    found = one(tmp_path, "user,at,event,value\n" + "".join(rows), EVENTS)
    assert (found.code, found.line, found.column) == ("mixed-time-zones", 4, "at")


def test_rows_stay_in_duckdb(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user,at,event,value\n" + "u,2024-01-01T12:00:00Z,click,1\n" * 5)
    with source.connect() as connection:
        loaded = source.load(connection, EVENTS, tmp_path / "e.csv", "events")
        assert loaded.problems == []
        rows = connection.execute("SELECT source_row FROM events WHERE value = 1 ORDER BY 1 LIMIT 2").fetchall()
        (found, _) = loaded.at([row for (row,) in rows], "is odd", "odd", "value")
        assert (found.line, found.column, found.message) == (2, "value", "is odd")
        types = connection.execute('SELECT typeof("at"), typeof(value), typeof(source_row) FROM events').fetchone()
        assert types == ("TIMESTAMP", "DOUBLE", "BIGINT")


def test_columns_of_numbers_are_taken_and_others_left_out(tmp_path: Path) -> None:
    text = "date,sales,region,holes\n2024-01-01,1,x,1\n2024-01-08,2,y,\n"
    contract = Contract("outcome", (Column("date", "date"),), key=("date",), extra="sound_numbers")
    table = read(tmp_path, text, contract)
    assert list(table.frame.columns) == ["date", "sales"]
    assert [(p.level, p.column) for p in table.problems] == [("note", "region"), ("note", "holes")]
    strict = Contract("outcome", (Column("date", "date"),), key=("date",), extra="numbers")
    assert one(tmp_path, text, strict).column == "holes"


def test_many_columns(tmp_path: Path) -> None:
    names = [f"k{i}" for i in range(150)]
    contract = Contract("outcome", (Column("date", "date"),), tuple(Column(n, "number") for n in names), ("date",))
    text = ",".join(["date", *names]) + "\n" + ",".join(["2024-01-01", *["1"] * 149, "x"]) + "\n"
    assert one(tmp_path, text, contract).column == "k149"


def test_the_header_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(GOOD)
    assert source.header(tmp_path / "m.csv") == ("date", "geo", "channel", "spend")


number_like = st.text(alphabet="0159eE+-._ ,naif\t", max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(number_like, min_size=1, max_size=40))
def test_the_database_takes_the_numbers_that_the_pattern_takes(texts: list[str]) -> None:
    pattern = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
    value, sound = judged(Bound(Column("x", "number"), "x", 0)) or ("", "")
    with source.connect() as connection:
        connection.execute("CREATE TABLE t (c0 VARCHAR)")
        connection.executemany("INSERT INTO t VALUES ($1)", [[text] for text in texts])
        rows = connection.execute(f"SELECT c0, {value}, {sound} FROM t").fetchall()  # noqa: S608
    for text, number, taken in rows:
        plain = text.strip()
        expected = bool(pattern.fullmatch(plain)) and abs(float(plain)) < float("inf")
        assert taken == expected, text
        if taken:
            assert number == float(plain)


cell = st.text(alphabet=st.sampled_from("ab,;\"'\n\r \té0"), max_size=5)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(cell, min_size=2, max_size=3), min_size=0, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_a_clean_layout_is_what_a_strict_reader_sees(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], end: str
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows([["a", "b"], *rows])
    path = tmp_path_factory.getbasetemp() / "layout.csv"
    path.write_bytes(text.getvalue().encode())
    file = files.find(path)[0]
    layout = files.layout(file, ("a", "b"))
    walked = [record for _, record in files.records(file, layout)]
    if layout.clean:
        assert layout.rows == len(walked)
        assert all(len(record) == 2 for record in walked)
    if layout.plain:
        lines = [line for line, _ in files.records(file, layout)]
        assert lines == [layout.header_line + 1 + i for i in range(len(lines))]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='ab,"\n\r ', max_size=30))
def test_no_csv_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"a,b\n" + body.encode())
    contract = Contract("t", (Column("a", "text", blank=True), Column("b", "text", blank=True)))
    strict = csv.reader(io.StringIO("a,b\n" + body, newline=""), strict=True)
    try:
        expected: list[list[str]] | None = [row for row in strict if len(row) > 1 or "".join(row).strip()][1:]
    except csv.Error:
        expected = None
    try:
        frame = source.read(contract, path).frame
    except DataError:
        assert not expected or any(len(row) != 2 for row in expected)
        return
    assert expected is not None
    got = sorted(map(tuple, frame.fillna("").to_numpy().tolist()))
    assert got == sorted((a, b) for a, b in expected)


def test_words_for_numbers_name_what_was_found() -> None:
    assert faults.number("$5")[0].startswith("found '$5'")
    assert "did you mean 'click'" in faults.choice("clik", ("click", "view"))[0]
