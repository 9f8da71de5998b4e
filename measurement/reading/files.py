"""Find the files of a table and verify how a csv is laid out, before any value is looked at.

DuckDB parses csv fast but leniently (it drops a trailing delimiter, stops at mixed line ends, keeps NUL bytes). So a
csv is first scanned whole with numpy, some hundred megabytes a second: encoding, NUL bytes, quotes, and the number of
fields of every record. A file that passes is read by DuckDB; any other is walked record by record with the strict
reader of the standard library, which knows the line of everything it finds.
"""

import csv
import glob
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.typing import Bools, Ints

CHUNK = 16 << 20
TABLE = "::"
"""Parts the name of a DuckDB file from that of its table."""
DUCKDB = "duckdb-file"
DELIMITERS = (",", ";", "\t")
_MAGIC = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook; save it as csv or parquet",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save it as csv or parquet",
    b"\x1f\x8b": "is a gzip archive; unpack it first",
    b"BZh": "is a bzip2 archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "is a zstd archive; unpack it first",
    b"%PDF": "is a PDF; a table is a csv or parquet file",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file of a table.

    Attributes:
        name: As the user named it; problems say this.
        path: Where it is.
        kind: Told by its first bytes, not by its name.
        table: The table of a DuckDB file.
    """

    name: str
    path: Path
    kind: Literal["csv", "parquet", "duckdb"]
    table: str = ""

    def problem(self, message: str, code: str, line: int | None = None, column: str | None = None) -> Problem:
        """An error at a place in this file."""
        return Problem(message, self.name, line, column, "error", code)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a csv is laid out.

    Attributes:
        header: Column names.
        delimiter: ``,``, ``;`` or a tab.
        skip: Blank lines before the header.
        header_line: Line of the header, from 1.
        rows: Data records, where the scan could count them.
        clean: Whether DuckDB may read it: quoting, line ends and field counts are beyond doubt.
        plain: Whether data record ``i`` (from 0) stands in line ``header_line + 1 + i``.
        problems: What forbids reading on (encoding, NUL, an empty or broken header).
    """

    header: tuple[str, ...] = ()
    delimiter: str = ","
    skip: int = 0
    header_line: int = 1
    rows: int = 0
    clean: bool = False
    plain: bool = False
    problems: tuple[Problem, ...] = ()


def apart(source: str | Path) -> tuple[str, str]:
    """File and table of a name such as ``sales.duckdb::journeys``; no table where it is the name of a file."""
    name = str(source)
    file, mark, table = name.rpartition(TABLE)
    return (file, table) if mark and file and not os.path.lexists(name) else (name, "")


def find(source: str | Path, *, tables: bool = False) -> list[TableFile]:
    """The files that a path or a glob names, sorted by name.

    Args:
        source: Path or glob.
        tables: Whether ``FILE::TABLE`` may name a table of a DuckDB file.

    Raises:
        DataError: Where there is none, or one of them is a folder, empty, unreadable or of another format.
    """
    name = str(source)
    try:
        file, table = apart(name) if tables else (name, "")
        if table:
            return [_table(name, file, table)]
        there = os.path.lexists(name)
        names = [name] if there or not glob.has_magic(name) else sorted(glob.glob(name, recursive=True))  # noqa: PTH207
    except (ValueError, OSError) as error:  # a NUL byte or an impossible length in the path
        raise DataError([Problem(f"is no path ({error})", name, code="missing-file")]) from None
    if not names:
        raise DataError([Problem("no file matches this pattern", name, code="missing-file")])
    judged = [_judge(each) for each in names]
    problems = [each for each in judged if isinstance(each, Problem)]
    if problems:
        raise DataError(problems)
    return [each for each in judged if isinstance(each, TableFile)]


def _table(name: str, file: str, table: str) -> TableFile:
    """A table of a DuckDB file."""
    judged = _judge(file)
    if isinstance(judged, TableFile):
        judged = Problem(f"is a {judged.kind} file, which has no tables to name; give it without '::...'", file)
    if judged.code != DUCKDB:
        raise DataError([judged])
    return TableFile(name, Path(file).absolute(), "duckdb", table)


def _judge(name: str) -> TableFile | Problem:
    path = Path(name)
    try:
        if path.is_dir():
            return Problem(f"is a folder; name a file, or files as '{shown(path / '*.csv')}'", name, code="folder")
        if not path.exists():
            near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [])
            return Problem(f"there is no such file{near}", name, code="missing-file")
        if not path.is_file():
            return Problem("is no ordinary file; a table is a csv or parquet file", name, code="not-a-file")
        with path.open("rb") as handle:
            head = handle.read(12)
    except OSError as error:
        return Problem(f"cannot be read ({error.strerror or error})", name, code="unreadable-file")
    if not head:
        return Problem("the file is empty", name, code="empty-file")
    if head.startswith(b"PAR1"):
        return TableFile(name, path.absolute(), "parquet")
    if head[8:] == b"DUCK":
        words = (
            f"is a DuckDB file; of one a log of journeys can be read, by the name of its table: '{shown(name)}::TABLE'"
        )
        return Problem(words, name, code=DUCKDB)
    for magic, words in _MAGIC.items():
        if head.startswith(magic):
            return Problem(words, name, code="binary-file")
    if path.suffix.lower() in {".parquet", ".pq"}:
        return Problem("is no parquet file, although its name says so", name, code="binary-file")
    return TableFile(name, path.absolute(), "csv")


def layout(file: TableFile, wanted: Sequence[str], *, whole: bool = True) -> Layout:
    """Read the header of a csv and scan its structure.

    Args:
        file: The csv.
        wanted: Column names of the contract: the delimiter that gives most of them is taken.
        whole: Whether to scan it; the header alone is there at once.
    """
    with file.path.open("rb") as handle:
        head = handle.read(1 << 20)
    all_of_it = len(head) < 1 << 20
    broken = bytes_problem(file, head if all_of_it else head[: head.rfind(b"\n") + 1], 0)
    if broken:
        return Layout(problems=(broken,))
    text = head.decode("utf-8-sig", errors="ignore")
    if not text.strip():
        return Layout(problems=(file.problem("the file is empty", "empty-file"),))
    best = Layout()
    score = -1
    for delimiter in DELIMITERS:
        try:
            blank, header, line = _first_record(text, delimiter)
        except csv.Error:
            continue
        found = 1000 * len(set(wanted) & {cell.strip().casefold() for cell in header}) + len(header)
        if found > score:
            best, score = Layout(tuple(header), delimiter, blank, line), found
    if score < 0:
        words = "the header has a quote that is never closed, or text beside a quoted name"
        return Layout(problems=(file.problem(words, "unclosed-quote", 1),))
    return _scan(file, best) if whole else best


def _first_record(text: str, delimiter: str) -> tuple[int, list[str], int]:
    """Blank lines before the header, its names, and its line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for blank, record in enumerate(reader):
        if any(cell.strip() for cell in record):
            return blank, record, reader.line_num
    return 0, [], 1


def bytes_problem(file: TableFile, part: bytes, lines_before: int) -> Problem | None:
    """The first byte in ``part`` that no UTF-8 text holds."""
    at = part.find(b"\0")
    if at >= 0:
        line = lines_before + part.count(b"\n", 0, at) + 1
        return file.problem("holds a NUL byte; the file is binary, damaged, or UTF-16", "nul-byte", line)
    try:
        if not part.isascii():
            part.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines_before + part.count(b"\n", 0, error.start) + 1
        byte = part[error.start]
        words = (
            f"byte 0x{byte:02X} is not UTF-8; the file has another encoding (Windows-1252, Latin-1?): save it as UTF-8"
        )
        return file.problem(words, "encoding", line)
    return None


def _scan(file: TableFile, start: Layout) -> Layout:
    """Verify encoding, quotes and field counts of the whole file."""
    grid = _Grid(ord(start.delimiter), len(start.header))
    lines = 0
    for part in _parts(file.path):
        problem = bytes_problem(file, part, lines)
        if problem:
            return replace(start, problems=(problem,))
        grid.take(part)
        lines += part.count(b"\n")
    # DuckDB takes blank lines before the header for the header.
    clean = grid.clean and not grid.inside and not grid.rest.size and not start.skip
    return replace(start, rows=max(grid.records - 1, 0), clean=clean, plain=clean and grid.plain)


def _parts(path: Path) -> Iterator[bytes]:
    """The file in parts that end with a line end; blank lines at its very end are left out."""
    carry = b""
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield carry + chunk[:cut]
                carry = chunk[cut:]
            else:
                carry += chunk
    if carry.strip(b"\r\n"):
        yield carry.rstrip(b"\r\n") + b"\n"


class _Grid:
    """Counts delimiters and line ends outside quotes: in a sound file every ``width``-th of them is a line end."""

    def __init__(self, delimiter: int, width: int) -> None:
        self.delimiter, self.width = delimiter, width
        self.clean, self.plain = width > 1, True
        self.inside = False
        self.records = 0
        self.rest = np.zeros(0, dtype=np.uint8)
        self.windows: bool | None = None
        self.others = bytes(set(range(256)) - {delimiter, 10})
        self.pattern = bytes([delimiter]) * (width - 1) + b"\n"

    def take(self, part: bytes) -> None:
        """Verify one part; ``clean`` turns false for good where anything is in doubt."""
        if not self.clean or not self._same_line_ends(part):
            self.clean = False
            return
        if not self.inside and not self.rest.size and b'"' not in part:
            only = part.translate(None, self.others)
            whole = len(only) // self.width
            if only == self.pattern * whole:
                self.records += whole
                return
        text = np.frombuffer(part, dtype=np.uint8)
        marks = (text == self.delimiter) | (text == 10)
        if b'"' in part or self.inside:
            marks &= self._outside(text)
        if self.clean and not self._fits(text[marks]):
            self.clean = self._fits(text[self._without_blank_lines(text, marks)])

    def _same_line_ends(self, part: bytes) -> bool:
        returns, breaks = part.count(b"\r"), part.count(b"\n")
        if self.windows is None:
            self.windows = returns > 0
        return part.count(b"\r\n") == returns == (breaks if self.windows else 0)

    def _outside(self, text: NDArray[np.uint8]) -> Bools:
        quote = text == 34
        inside = np.logical_xor.accumulate(quote) ^ self.inside
        at = np.flatnonzero(quote)
        opening = inside[at]
        before, after = text[np.maximum(at - 1, 0)], text[np.minimum(at + 1, text.size - 1)]
        before[at == 0] = 10
        edges = (self.delimiter, 10, 13, 34)
        self.clean &= bool(np.isin(np.where(opening, before, after), edges).all())
        self.plain &= not bool((inside & (text == 10)).any())
        self.inside = bool(inside[-1])
        outside: Bools = ~inside
        return outside

    def _fits(self, marks: NDArray[np.uint8]) -> bool:
        marks = np.concatenate([self.rest, marks])
        whole = marks.size // self.width
        table = marks[: whole * self.width].reshape(whole, self.width)
        if not ((table[:, -1] == 10).all() and (table[:, :-1] == self.delimiter).all()):
            return False
        self.rest = marks[whole * self.width :]
        self.records += whole
        return True

    def _without_blank_lines(self, text: NDArray[np.uint8], marks: Bools) -> Ints:
        at = np.flatnonzero(marks)
        ends = text[at] == 10
        gap = np.diff(at, prepend=-1)
        after_end = np.concatenate([[True], ends[:-1]])
        blank = ends & after_end & ((gap == 1) | ((gap == 2) & (text[np.maximum(at - 1, 0)] == 13)))
        self.plain = False
        kept: Ints = at[~blank]
        return kept


def records(file: TableFile, layout: Layout) -> Iterator[tuple[int, list[str] | str]]:
    """Walk the data records of a csv strictly: (line, fields), or (line, what is wrong with its quotes).

    Blank lines, also of spaces, are passed over. Slow (about a million records a second): for files that are not
    clean, and to find the lines of rows that broke a rule.
    """
    with file.path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, delimiter=layout.delimiter, strict=True)
        line = 1
        while True:
            try:
                record: list[str] | str = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = str(error)
            if line > layout.header_line and (len(record) > 1 or "".join(record).strip()):
                yield line, record
            line = reader.line_num + 1
