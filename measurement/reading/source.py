r"""Read csv and parquet against a declared `Contract`, through DuckDB, with file, line and column of every fault.

Two doors:

- `read` gives a `Table`: a frame sorted by the contract's key, its problems of level ``warning`` and ``note``, and a
  fingerprint that the order of rows and files does not change.
- `load` leaves millions of rows inside DuckDB: a relation with one typed column per column of the contract (``DATE``,
  ``TIMESTAMP`` in UTC, ``VARCHAR``, ``DOUBLE``, ``BOOLEAN``) and ``source_row`` (``BIGINT``: the record's number over
  all files, from 0). The caller adds rules as set queries; lines are looked up only for rows that break one::

      with source.connect() as connection:
          touchpoints = source.load(connection, TOUCHPOINTS, "logs/*.csv", "touchpoints")
          early = connection.execute("SELECT source_row FROM touchpoints WHERE ... ORDER BY 1 LIMIT 1000").fetchall()
          found = touchpoints.at([row for (row,) in early], "what was found; what is allowed", "the-rule", "timestamp")
          refuse(ordered([*touchpoints.problems, *found]))

  A csv is parsed once, into a temporary table; parquet stays where it is, behind a view. `Loaded.aliases` maps the
  names of the columns that were found to their names in the relation (optional ones may be absent).

`load` raises where nothing can be read (no such file, another format or encoding) and otherwise returns with the errors
of the values in ``problems``; only `read` looks for rows that share the contract's key. Values are judged in SQL, all
at once; only the refused ones come to Python to be put into words (`measurement.reading.faults`). Names of the user
never become identifiers: columns go by position.
In parquet files and tables of a DuckDB file "line" is the row, counted from 1.
"""

import hashlib
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import escape
from itertools import batched
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from measurement.errors import DataError, Problem, refuse, shown
from measurement.reading import duckdb_file, files, verdicts
from measurement.reading.columns import SQL_TYPES, Bound, Column, Contract, bind, judged, naive
from measurement.reading.engine import interruptible, no_room
from measurement.reading.files import Layout, TableFile
from measurement.reading.loaded import Loaded, Part
from measurement.reading.verdicts import MASK, MOST, NAIVE, ZONED, ordered

__all__ = ["MOST", "Column", "Contract", "Loaded", "Table", "connect", "header", "load", "ordered", "read", "readable"]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table that keeps its contract.

    Attributes:
        frame: Its rows, sorted by key; dates are ``datetime64[s]``, texts ``str``, numbers ``float64``.
        problems: Warnings and notes.
        sha256: Fingerprint of the columns and rows, whatever their order in the files.
    """

    frame: pd.DataFrame
    problems: tuple[Problem, ...]
    sha256: str


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that fetches nothing from elsewhere and spills to the system's temporary folder.

    Its memory never rests on the statistics that a parquet file gives of its own values: where bytes of a page have
    flipped they are wrong, and groups kept in an array that is as long as least and most value say are written beyond
    its end. That costs nothing that could be measured.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": tempfile.gettempdir(),
        "perfect_ht_threshold": 0,
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET disabled_optimizers = 'compressed_materialization'")
    return connection


def header(source: str | Path) -> tuple[str, ...]:
    """Column names of the first file that ``source`` names.

    Raises:
        DataError: Where there is none or it cannot be read.
    """
    file = files.find(source, tables=True)[0]
    if file.kind == "duckdb":
        with connect() as connection, readable(file, []):
            return tuple(duckdb_file.columns(connection, duckdb_file.relation(connection, file)))
    if file.kind == "csv":
        with readable(file, []):
            layout = files.layout(file, ("date", "geo", "channel"), whole=False)
        refuse(layout.problems)
        return layout.header
    with readable(file, []):
        return tuple(parquet.read_schema(file.path).names)


def read(contract: Contract, source: str | Path, rules: Callable[[Loaded], list[Problem]] | None = None) -> Table:
    """Read a whole table.

    Args:
        contract: What it must hold.
        source: Path or glob of csv or parquet files, or ``FILE::TABLE`` of a DuckDB file.
        rules: Further rules, set queries over the relation ``rows``; they run where all required columns were found.

    Raises:
        DataError: With every problem found.
    """
    with connect() as connection:
        loaded = load(connection, contract, source, "rows")
        return _read(loaded, rules)


def _read(loaded: Loaded, rules: Callable[[Loaded], list[Problem]] | None) -> Table:
    with readable(loaded.parts[0].file, loaded.problems):
        if rules and loaded.complete:
            loaded.problems += rules(loaded)
        if not any(problem.level == "error" for problem in loaded.problems):
            frame = _frame(loaded)
            keys = [name for name in loaded.contract.key if name in frame.columns]
            repeated = (frame[keys] == frame[keys].shift()).all(axis=1).any() if keys else False
            if not repeated:
                return Table(frame, tuple(ordered(loaded.problems)), fingerprint(frame))
        if loaded.complete:
            loaded.problems += verdicts.duplicates(loaded)
        raise DataError(ordered(p for p in loaded.problems if p.level == "error"))


def load(connection: duckdb.DuckDBPyConnection, contract: Contract, source: str | Path, relation: str) -> Loaded:
    """Read a table into DuckDB, typed and judged.

    Args:
        connection: From `connect`; it owns the relation.
        contract: What the table must hold.
        source: Path or glob of csv or parquet files, or ``FILE::TABLE`` of a DuckDB file.
        relation: Name for the relation (an identifier of ours, not of the user).

    Raises:
        DataError: Where a file cannot be read, or there is nothing in it that could be judged.
    """
    if not relation.isidentifier():
        raise ValueError(f"{relation!r} is no identifier")
    loaded = Loaded(connection, relation, contract)
    found = files.find(source, tables=True)
    for file in found:
        with readable(file, loaded.problems):
            _open(loaded, file)
    with readable(found[0], loaded.problems):
        columns = _agreed(loaded)
        if not columns:
            raise DataError(ordered(loaded.problems))
        if all(part.view for part in loaded.parts):
            _behind_view(loaded, columns)
        else:
            _into_table(loaded, columns)
        _judge(loaded, columns)
    return loaded


@contextmanager
def readable(file: TableFile, problems: list[Problem]) -> Iterator[None]:
    """Turn what damaged files raise, now or when their rows are queried, into problems beside those found so far."""
    try:
        with interruptible():
            yield
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first = str(error).strip().partition("\n")[0]
        room = no_room(error)
        kind = "DuckDB" if file.kind == "duckdb" else file.kind
        words = room or f"cannot be read as {kind}: {shown(first, 200)}"
        found = file.problem(words, "no-room" if room else "unreadable-file")
        raise DataError(ordered([*problems, found])) from None


def _open(loaded: Loaded, file: TableFile) -> None:
    """Find a file's columns; what forbids reading it goes to the problems."""
    if file.kind == "csv":
        layout = files.layout(file, loaded.contract.names)
        loaded.problems += layout.problems
        if layout.problems:
            return
        names, types, view, rows = layout.header, ["VARCHAR"] * len(layout.header), "", 0
    else:
        layout, view = Layout(), f"{loaded.relation}_file{len(loaded.parts)}"
        names, rows = _raw(loaded, file, view)
        types = [kind for _, kind, *_ in loaded.connection.execute(f"DESCRIBE {view}").fetchall()][:-1]
    bound, problems = bind(loaded.contract, names, types, file)
    loaded.problems += problems
    loaded.parts.append(Part(file, layout, bound, len(names), rows=rows, view=view))


def _raw(loaded: Loaded, file: TableFile, view: str) -> tuple[tuple[str, ...], int]:
    """Make the view of a file's raw values, and give its column names and its rows."""
    connection = loaded.connection
    if file.kind == "duckdb":
        table = duckdb_file.relation(connection, file)
        names = tuple(duckdb_file.columns(connection, table))
        # a column of the user's may have the name of the row's own number
        number = "row_number() OVER () - 1" if "rowid" in map(str.casefold, names) else "rowid"
        select = f"SELECT *, {number} AS file_row FROM {table}"  # noqa: S608
        query = f"SELECT coalesce(max(file_row) + 1, 0) FROM ({select})"  # noqa: S608
        (rows,) = connection.execute(query).fetchone() or (0,)
    else:
        with parquet.ParquetFile(file.path) as opened:
            names, rows = tuple(opened.schema_arrow.names), opened.metadata.num_rows
        raw = connection.read_parquet(escape(str(file.path)), file_row_number=True, hive_partitioning=False)
        raw.create_view(f"{view}_raw", replace=True)
        select = f"SELECT * FROM {view}_raw"  # noqa: S608
    places = ", ".join(f"c{i}" for i in range(len(names)))
    made = f"SELECT * FROM ({select}) AS raw({places}, file_row)"  # noqa: S608
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {made}")
    return names, rows


def _agreed(loaded: Loaded) -> list[Bound]:
    """The columns that all files have, under one alias each; a file that has others is a problem."""
    if not loaded.parts:
        return []
    first = loaded.parts[0]
    aliases = {bound.column.name: f"y{i}" for i, bound in enumerate(first.columns) if bound.optional}
    common = {bound.column.name for bound in first.columns}
    for part in loaded.parts[1:]:
        here = {bound.column.name for bound in part.columns}
        for name in sorted(here ^ common):
            has, lacks = (part, first) if name in here else (first, part)
            words = f"'{shown(has.file.name)}' has this column, this file has not; all files of a table need the same"
            loaded.problems.append(lacks.file.problem(words, "columns-differ", column=name))
        common &= here
    for part in loaded.parts:
        part.columns = [replace(b, alias=aliases.get(b.column.name, b.alias)) for b in part.columns]
    return [bound for bound in first.columns if bound.column.name in common]


def _select(part: Part, columns: Sequence[Bound]) -> str:
    """Typed values of a part's rows, the bits of those that are unsound, and the bits of their time zones."""
    own = {bound.column.name: bound for bound in part.columns}
    made = [judged(own[bound.column.name]) or ("NULL", "false") for bound in columns]
    chosen = [f"{value} AS {bound.alias}" for bound, (value, _) in zip(columns, made, strict=True)]
    for k, group in enumerate(batched(made, MASK)):
        bits = " + ".join(f"CASE WHEN {sound} THEN 0::BIGINT ELSE {1 << i} END" for i, (_, sound) in enumerate(group))
        chosen.append(f"{bits} AS faults{k}")
    pairs = zip(columns, made, strict=True)
    stamps = [(naive(own[b.column.name]), sound) for b, (_, sound) in pairs if b.column.kind == "timestamp"]
    zones = [
        f"CASE WHEN NOT {sound} THEN 0 WHEN {each} THEN {NAIVE} WHEN NOT {each} THEN {ZONED} ELSE 0 END << {2 * j}"
        for j, (each, sound) in enumerate(stamps)
        if each
    ]
    return ", ".join([*chosen, f"({' | '.join(zones) or '0'})::BIGINT AS zones"])


def _behind_view(loaded: Loaded, columns: Sequence[Bound]) -> None:
    selects = []
    for part in loaded.parts:
        part.first = loaded.rows
        loaded.rows += part.rows
        selects.append(f"SELECT {_select(part, columns)}, file_row + {part.first} AS source_row FROM {part.view}")  # noqa: S608
    union = " UNION ALL ".join(selects)
    loaded.connection.execute(f"CREATE OR REPLACE TEMP VIEW {loaded.relation}_judged AS {union}")


def _into_table(loaded: Loaded, columns: Sequence[Bound]) -> None:
    table = f"{loaded.relation}_rows"
    typed = [f"{bound.alias} {SQL_TYPES[bound.column.kind]}" for bound in columns]
    typed += [f"faults{k} BIGINT" for k in range(math.ceil(len(columns) / MASK))] + ["zones BIGINT"]
    loaded.connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(typed)})")
    for part in loaded.parts:
        part.first = loaded.rows
        select = _select(part, columns)
        if part.view:
            loaded.connection.execute(f"INSERT INTO {table} SELECT {select} FROM {part.view}")  # noqa: S608
        elif part.layout.clean:
            _insert_csv(loaded, part, f"INSERT INTO {table} SELECT {select} FROM")
        else:
            _insert_walked(loaded, part, f"INSERT INTO {table} SELECT {select} FROM")
        (rows,) = loaded.connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # noqa: S608
        part.rows, loaded.rows = rows - loaded.rows, rows
        if part.layout.clean and part.lines is None and part.rows != part.layout.rows:
            words = f"cannot be read reliably: {part.layout.rows} records were counted and {part.rows} were read"
            raise DataError([part.file.problem(words, "unreadable-file")])
    view = f"{loaded.relation}_judged"
    loaded.connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT *, rowid AS source_row FROM {table}")  # noqa: S608


def _insert_csv(loaded: Loaded, part: Part, insert: str) -> None:
    """Let DuckDB parse a csv whose layout is beyond doubt."""
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(part.width))
    options = (
        f"auto_detect=false, header=true, delim='{part.layout.delimiter}', quote='\"', escape='\"', strict_mode=true, "
        f"hive_partitioning=false, columns={{{columns}}}"
    )
    try:
        loaded.connection.execute(f"{insert} read_csv($1, {options})", [escape(str(part.file.path))])
    except duckdb.InvalidInputException:
        _insert_walked(loaded, part, insert)


def _insert_walked(loaded: Loaded, part: Part, insert: str) -> None:
    """Walk a csv record by record, keep the sound ones with their lines, and say what is wrong with the others."""
    lines: list[int] = []
    positions = sorted({bound.position for bound in part.columns})
    wrong = 0
    for batch in batched(files.records(part.file, part.layout), 50_000):
        rows = []
        for line, record in batch:
            if not isinstance(record, str) and len(record) == part.width:
                rows.append(record)
                lines.append(line)
            elif (wrong := wrong + 1) <= MOST:
                loaded.problems.append(_ragged(part, line, record))
        raw = {f"c{i}": pa.array([row[i] or None for row in rows], pa.string()) for i in positions}
        loaded.connection.register("walked", pa.table(raw))
        loaded.connection.execute(f"{insert} walked")
        loaded.connection.unregister("walked")
    part.lines = np.array(lines, dtype=np.int64)
    if wrong > MOST:
        loaded.problems.append(verdicts.more(loaded, wrong - MOST, "records are broken"))


def _ragged(part: Part, line: int, record: list[str] | str) -> Problem:
    if not isinstance(record, str):
        count = f"{len(record)} {'value' if len(record) == 1 else 'values'}"
        return part.file.problem(f"has {count}, the header has {part.width}", "ragged-row", line)
    if "unexpected end" in record or "field limit" in record:
        return part.file.problem("a quote is opened here and never closed", "unclosed-quote", line)
    return part.file.problem("text stands beside a quoted value; double a quote inside quotes", "stray-quote", line)


def _judge(loaded: Loaded, columns: Sequence[Bound]) -> None:
    if loaded.rows == 0:
        nothing = loaded.parts[0].file.problem("has a header and no rows", "no-rows")
        raise DataError(ordered(loaded.problems or [nothing]))
    problems, left_out = verdicts.values(loaded, columns)
    loaded.aliases = {bound.column.name: bound.alias for bound in columns if bound.alias not in left_out}
    chosen = ", ".join([*loaded.aliases.values(), "source_row"])
    view = f"CREATE OR REPLACE TEMP VIEW {loaded.relation} AS SELECT {chosen} FROM {loaded.relation}_judged"  # noqa: S608
    loaded.connection.execute(view)
    loaded.problems += problems + verdicts.zones(loaded, columns)


def _frame(loaded: Loaded) -> pd.DataFrame:
    """All rows as a frame, sorted by key (by every column where there is none)."""
    keys = [loaded.aliases[name] for name in loaded.contract.key if name in loaded.aliases]
    order = ", ".join(keys or loaded.aliases.values())
    chosen = ", ".join(loaded.aliases.values())
    query = f"SELECT {chosen} FROM {loaded.relation} ORDER BY {order}"  # noqa: S608
    frame: pd.DataFrame = loaded.connection.sql(query).to_arrow_table().to_pandas()
    kinds = {c.name: c.kind for c in (*loaded.contract.columns, *loaded.contract.named)}
    frame.columns = pd.Index(list(loaded.aliases))
    types = {"date": "datetime64[s]", "timestamp": "datetime64[us]", "text": "str", "number": "float64", "flag": "bool"}
    return frame.astype({name: types[kinds.get(name, "number")] for name in frame.columns})


def fingerprint(frame: pd.DataFrame) -> str:
    """SHA-256 of a frame's column names and values; the order of its columns does not change it, that of rows does."""
    digest = hashlib.sha256()
    for name in sorted(frame.columns):
        series = frame[name]
        digest.update(f"{len(name)}:{name}:{series.dtype}:{len(series)}".encode("utf-8", "surrogatepass"))
        if isinstance(series.dtype, pd.StringDtype) or series.dtype == object:
            codes, texts = pd.factorize(series, sort=True)
            digest.update("\0".join(f"{len(text)}:{text}" for text in texts).encode("utf-8", "surrogatepass"))
            digest.update(codes.astype(np.int64).tobytes())
        else:
            digest.update(np.ascontiguousarray(series.to_numpy()).tobytes())
    return digest.hexdigest()
