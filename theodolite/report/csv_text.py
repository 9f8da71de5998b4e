"""Tables and chart data as csv that a spreadsheet opens without running anything in it.

A text cell that starts with ``= + - @``, a tab or a carriage return is a formula to a spreadsheet; it gets an
apostrophe in front (https://owasp.org/www-community/attacks/CSV_Injection). Numbers are written as numbers.
"""

import base64
import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from theodolite.report.page import Cell, Column, TableBlock

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def neutral(value: Any) -> str:
    """One cell: numbers as they are (nothing where they are not finite), text that no spreadsheet will execute."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value) if math.isfinite(value) else ""
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180 text with a header row; every cell neutral."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([neutral(name) for name in header])
    writer.writerows([neutral(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def as_link(text: str) -> str:
    """A ``data:`` address that a browser saves as a file; the byte-order mark makes spreadsheets read it as UTF-8."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode("utf-8-sig", "replace")).decode("ascii")


def table_csv(table: TableBlock) -> str:
    """A table as csv; a column with ranges becomes three: the value, its low and its high end."""
    ranged = [any(row[i].range is not None for row in table.rows) for i in range(len(table.columns))]
    header: list[str] = []
    for column, wide in zip(table.columns, ranged, strict=True):
        header += [_heading(column), *([f"{column.title}, low", f"{column.title}, high"] if wide else [])]
    return csv_text(header, (_row(row, ranged) for row in table.rows))


def _heading(column: Column) -> str:
    title = column.key or column.title
    return f"{title} ({column.unit})" if column.unit else title


def _row(row: Sequence[Cell], ranged: Sequence[bool]) -> list[Any]:
    cells: list[Any] = []
    for cell, wide in zip(row, ranged, strict=True):
        text = f"{cell.text} ({cell.detail})" if cell.detail and not wide else cell.text
        cells.append(text if cell.value is None else cell.value)
        if wide:
            cells += [cell.range.low, cell.range.high] if cell.range else [None, None]
    return cells


def records_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Records of a chart as csv: every field that occurs, in the order of its first occurrence."""
    fields = list(dict.fromkeys(key for record in records for key in record))
    return csv_text(fields, ([record.get(name) for name in fields] for record in records))
