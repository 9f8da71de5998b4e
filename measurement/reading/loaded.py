"""A table inside DuckDB, and the way back from its rows to the files and lines they stand in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyarrow import parquet

from measurement.errors import Problem
from measurement.reading import files
from measurement.reading.columns import Bound, Contract
from measurement.reading.files import Layout, TableFile
from measurement.typing import Ints

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(slots=True, eq=False)
class Part:
    """One file of a loaded table.

    Attributes:
        file: The file.
        layout: How it is laid out (csv).
        columns: The contract's columns, found in it.
        width: Number of its columns.
        first: ``source_row`` of its first row.
        rows: Number of its rows.
        view: Name of the view on its raw values, columns ``c0, c1, ...`` and ``file_row`` (parquet, DuckDB).
        lines: Line of each row, where the file was walked in Python.
    """

    file: TableFile
    layout: Layout
    columns: list[Bound]
    width: int
    first: int = 0
    rows: int = 0
    view: str = ""
    lines: Ints | None = None


@dataclass(slots=True, eq=False)
class Loaded:
    """A table inside DuckDB.

    Attributes:
        connection: Where it is.
        relation: Its name there: typed columns and ``source_row``. ``<relation>_judged`` has the faults too.
        contract: What it was read against.
        parts: Its files.
        aliases: Column names of the files and their names in the relation.
        problems: Errors, warnings and notes about it.
        rows: Number of rows.
    """

    connection: "DuckDBPyConnection"
    relation: str
    contract: Contract
    parts: list[Part] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rows: int = 0

    def filled(self, column: str) -> bool:
        """Whether the statistics that parquet files keep say that a text column has no null and no blank."""
        return all(part.file.kind == "parquet" and _filled(part, column) for part in self.parts)

    @property
    def complete(self) -> bool:
        """Whether every column that the contract requires is there."""
        wanted = (*self.contract.columns, *self.contract.named)
        return all(column.name in self.aliases for column in wanted if column.required)

    def at(self, rows: Sequence[int], message: str, code: str, column: str | None = None) -> list[Problem]:
        """The same error at each of ``rows`` (values of ``source_row``)."""
        places = self.places(rows)
        return [Problem(message, *places[row], column, "error", code) for row in rows]

    def places(self, rows: Iterable[int]) -> dict[int, tuple[str, int]]:
        """File and line of each of ``rows`` (values of ``source_row``)."""
        return {row: (name, line) for row, (name, line, _) in self.look(rows).items()}

    def look(self, rows: Iterable[int], column: str | None = None) -> dict[int, tuple[str, int, str | None]]:
        """File, line and, where ``column`` is named, the raw text of each of ``rows`` (values of ``source_row``)."""
        wanted = sorted(set(rows))
        seen: dict[int, tuple[str, int, str | None]] = {}
        for part in self.parts:
            own = [row - part.first for row in wanted if part.first <= row < part.first + part.rows]
            if own:
                position = next((b.position for b in part.columns if b.column.name == column), None)
                found = self._in_parquet(part, own, position) if part.view else _in_csv(part, own, position)
                seen |= {part.first + row: (part.file.name, line, text) for row, (line, text) in found.items()}
        return seen

    def _in_parquet(self, part: Part, rows: list[int], position: int | None) -> dict[int, tuple[int, str | None]]:
        raw = "NULL" if position is None else f"CAST(c{position} AS VARCHAR)"
        query = f"SELECT file_row, {raw} FROM {part.view} WHERE file_row IN (SELECT unnest($1::BIGINT[]))"  # noqa: S608
        return {row: (row + 1, text) for row, text in self.connection.execute(query, [rows]).fetchall()}


def _in_csv(part: Part, rows: list[int], position: int | None) -> dict[int, tuple[int, str | None]]:
    if position is None and part.lines is not None:
        return {row: (int(part.lines[row]), None) for row in rows}
    if position is None and part.layout.plain:
        return {row: (part.layout.header_line + 1 + row, None) for row in rows}
    wanted, last = set(rows), max(rows)
    found: dict[int, tuple[int, str | None]] = {}
    row = 0
    for line, record in files.records(part.file, part.layout):
        if isinstance(record, str) or len(record) != part.width:
            continue
        if row in wanted:
            found[row] = (line, None if position is None else record[position])
        if row == last:
            break
        row += 1
    return found


def _filled(part: Part, column: str) -> bool:
    bound = next(each for each in part.columns if each.column.name == column)
    with parquet.ParquetFile(part.file.path) as opened:
        name, found = opened.schema_arrow.names[bound.position], opened.metadata
        place = next((i for i, each in enumerate(opened.schema) if each.path == name), None)
        if place is None:
            return False
        known = [found.row_group(i).column(place).statistics for i in range(found.num_row_groups)]
    return all(
        each is not None
        and each.has_null_count
        and each.null_count == 0
        and each.has_min_max
        and isinstance(each.min, str)
        and each.min >= "!"  # a blank is a space or nothing, both before it
        for each in known
    )
