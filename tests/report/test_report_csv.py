"""Downloads hold the numbers, and nothing that a spreadsheet would run."""

import base64
import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theodolite.report.csv_text import as_link, csv_text, neutral, records_csv, table_csv
from theodolite.report.page import Cell, Column, Range, TableBlock


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =cmd|' /C calc'!A0"])
def test_formulas_are_neutralised(text: str) -> None:
    assert neutral(text) == f"'{text}"


def test_numbers_stay_numbers() -> None:
    assert neutral(-1.5) == "-1.5"
    assert neutral(3) == "3"
    assert neutral(math.nan) == ""
    assert neutral(None) == ""


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=8))
def test_any_text_survives_the_way_there_and_back(rows: list[list[str]]) -> None:
    text = csv_text(["a", "b"], rows)
    back = list(csv.reader(io.StringIO(text, newline="")))
    assert back[1:] == [[neutral(cell) for cell in row] for row in rows]
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in back[1:] for cell in row)


def test_a_column_with_ranges_becomes_three() -> None:
    table = TableBlock(
        columns=(Column("Channel"), Column("iROAS", "EUR per EUR", numeric=True, scale=(0, 4))),
        rows=(
            (Cell("tv"), Cell("1.24", "0.90 to 1.61", value=1.2412, range=Range(0.9012, 1.2412, 1.6123))),
            (Cell("=radio"), Cell("–", "withheld", tone="caution")),
        ),
    )
    assert list(csv.reader(io.StringIO(table_csv(table)))) == [
        ["Channel", "iROAS (EUR per EUR)", "iROAS, low", "iROAS, high"],
        ["tv", "1.2412", "0.9012", "1.6123"],
        ["'=radio", "–", "", ""],
    ]


def test_a_heading_for_people_gives_way_to_the_id_that_machines_know() -> None:
    table = TableBlock((Column("Channel"), Column("Markov, order 1", "share", True, key="markov:1")), ())
    assert table_csv(table).splitlines() == ["Channel,markov:1 (share)"]


def test_records_of_unequal_fields_line_up() -> None:
    text = records_csv([{"a": 1, "b": "x"}, {"b": "y", "c": 2.5}])
    assert list(csv.reader(io.StringIO(text))) == [["a", "b", "c"], ["1", "x", ""], ["", "y", "2.5"]]


def test_the_link_holds_the_text_for_a_spreadsheet() -> None:
    kind, _, payload = as_link("a\r\né\r\n").partition(",")
    assert kind == "data:text/csv;charset=utf-8;base64"
    assert base64.b64decode(payload).decode("utf-8-sig") == "a\r\né\r\n"
