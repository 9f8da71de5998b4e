"""Table contracts: what each column must hold, which column of a file is meant, and the SQL that judges its values."""

import difflib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from measurement.errors import Problem, shown
from measurement.reading.files import TableFile

type Kind = Literal["date", "timestamp", "text", "number", "flag"]

SQL_TYPES: dict[Kind, str] = {
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "text": "VARCHAR",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
}
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_NUMBERS = _WHOLE | {"FLOAT", "DOUBLE", "DECIMAL"}
_TIMES = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = _DAY + r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_OFFSET = r" ?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_DAYS = "BETWEEN DATE '1900-01-01' AND DATE '2100-12-31'"
_NEEDED = {
    "date": "a date (YYYY-MM-DD)",
    "timestamp": "a timestamp",
    "text": "a name",
    "number": "a number",
    "flag": "true or false",
}


@dataclass(frozen=True, slots=True)
class Column:
    """What a column must hold.

    Attributes:
        name: Its name, matched exactly.
        kind: ``date`` (a day), ``timestamp`` (an instant), ``text``, ``number`` or ``flag`` (true or false).
        required: Whether the table must have it.
        blank: Whether a value may be missing.
        minimum: Least allowed number.
        above: Whether ``minimum`` itself is too small.
        choices: The allowed texts; empty for any.
        longest: Most characters of a text.
        advice: A half-sentence that follows the complaint about a missing value ("write 0 where nothing was spent").
    """

    name: str
    kind: Kind
    required: bool = True
    blank: bool = False
    minimum: float | None = None
    above: bool = False
    choices: tuple[str, ...] = ()
    longest: int = 500
    advice: str = ""

    @property
    def needed(self) -> str:
        """What a value must be, in words."""
        return _NEEDED[self.kind] + (f" is needed: {self.advice}" if self.advice else " is needed")


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table must hold.

    Attributes:
        table: What it is called in messages (``media``).
        columns: Columns whose names are ours: in a relation they go by their names.
        named: Columns that the user named (exposures, KPIs, controls): in a relation they go by `Bound.alias`.
        key: Names of columns (of ``columns``) that no two rows share; a key column that is absent is left out.
        extra: What to do with other columns: ``ignore`` them, take those that hold ``numbers`` (and refuse one that
            holds some), or take those that hold nothing but ``sound_numbers``.
    """

    table: str
    columns: tuple[Column, ...]
    named: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    extra: Literal["ignore", "numbers", "sound_numbers"] = "ignore"

    @property
    def names(self) -> tuple[str, ...]:
        """All names that the contract knows."""
        return tuple(column.name for column in (*self.columns, *self.named))


@dataclass(frozen=True, slots=True)
class Bound:
    """A column of the contract, found in a file.

    Attributes:
        column: What it must hold.
        alias: Its name in SQL: the column's own, quoted, or ``x0, x1, ...`` where the user named it.
        position: Where it stands in the file, from 0.
        sql_type: Type of its values in the file.
        optional: Whether it was taken only because it may hold numbers.
    """

    column: Column
    alias: str
    position: int
    sql_type: str = "VARCHAR"
    optional: bool = False


def bind(
    contract: Contract, header: Sequence[str], types: Sequence[str], file: TableFile
) -> tuple[list[Bound], list[Problem]]:
    """Find the contract's columns in a file's header.

    Args:
        contract: What is looked for.
        header: Column names of the file.
        types: SQL types of its columns.
        file: Where problems stand.
    """
    problems = _header_problems(contract, header, file)
    spare = [name for name in header if name not in contract.names and name.strip()]
    bound: list[Bound] = []
    for i, column in enumerate((*contract.columns, *contract.named)):
        if column.name in header:
            at = header.index(column.name)
            alias = f'"{column.name}"' if i < len(contract.columns) else f"x{i}"
            bound.append(Bound(column, alias, at, types[at]))
        elif column.required:
            problems.append(_absent(contract, column, header, spare, file))
        else:
            problems += [
                file.problem(f"did you mean '{shown(column.name)}'?", "misspelt-column", 1, name)
                for name in spare
                if difflib.SequenceMatcher(None, plain(name), plain(column.name)).ratio() > 0.8
            ]
    if contract.extra != "ignore":
        at_of = {name: header.index(name) for name in spare}
        bound += [Bound(Column(name, "number", False), f"y{at}", at, types[at], True) for name, at in at_of.items()]
    kept = [each for each in bound if judged(each) is not None]
    for each in bound:
        if each not in kept and not each.optional:
            words = f"holds values of type {each.sql_type}; {each.column.needed}"
            problems.append(file.problem(words, "column-type", column=each.column.name))
    return kept, problems


def _absent(contract: Contract, column: Column, header: Sequence[str], spare: list[str], file: TableFile) -> Problem:
    names = {plain(name): name for name in spare}
    near = difflib.get_close_matches(plain(column.name), names, n=1, cutoff=0.7)
    have = ", ".join(f"'{shown(name, 30)}'" for name in header[:12]) + (", ..." if len(header) > 12 else "")
    if column in contract.named:
        hint = f" (did you mean '{shown(names[near[0]])}'?)" if near else f"; it has {have}"
        return file.problem(f"the {contract.table} table has no such column{hint}", "missing-column", 1, column.name)
    if near:
        words = f"is no column of the {contract.table} table (did you mean '{shown(column.name)}'?)"
        return file.problem(words, "missing-column", 1, names[near[0]])
    words = f"the {contract.table} table needs this column; it has {have}"
    return file.problem(words, "missing-column", 1, column.name)


def _header_problems(contract: Contract, header: Sequence[str], file: TableFile) -> list[Problem]:
    problems = [
        file.problem(f"column {at} of {len(header)} has no name", "unnamed-column", 1)
        for at, name in enumerate(header, 1)
        if not name.strip()
    ]
    for name, times in Counter(name for name in header if name.strip()).items():
        if times > 1:
            problems.append(file.problem(f"the header names it {times} times", "column-twice", 1, name))
    for name in contract.names:
        if name in header:
            twins = [other for other in header if other != name and plain(other) == plain(name)]
            problems += [
                file.problem(f"the header has '{shown(name)}' too; which one is meant?", "column-twice", 1, twin)
                for twin in twins
            ]
    return problems


def plain(name: str) -> str:
    """A name without case, compatibility forms, invisible characters and space around it: what the eye compares."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) not in {"Cf", "Cc"} or c in "\t\n")
    return " ".join(visible.split())


def naive(bound: Bound) -> str | None:
    """SQL of whether a text timestamp says nothing about its zone; ``None`` for any other column."""
    if bound.column.kind != "timestamp" or bound.sql_type != "VARCHAR":
        return None
    return f"NOT regexp_matches(right(trim(c{bound.position}), 6), '[+Z-]')"


def judged(bound: Bound) -> tuple[str, str] | None:
    """SQL of a column's value and of whether it is sound, over the raw column ``c<position>``.

    ``None`` where values of this type can never be what the column must hold.
    """
    column, raw = bound.column, f"c{bound.position}"
    sql_type = bound.sql_type.split("(")[0]
    if sql_type == '"NULL"':  # a parquet column without a single value has no type
        raw, sql_type = f"CAST({raw} AS VARCHAR)", "VARCHAR"
    made = _makers[column.kind](column, raw, "VARCHAR" if sql_type.startswith("ENUM") else sql_type)
    if made is None:
        return None
    value, sound = made
    sound = f"coalesce({sound}, false)"
    if column.blank and column.kind == "text" and not column.choices:
        return value, _fits(value, column.longest)  # what is too long is not blank
    if column.blank:
        empty = f"{raw} IS NULL" + (f" OR {_is_blank(raw)}" if sql_type == "VARCHAR" else "")
        sound = f"({empty} OR {sound})"
    return value, sound


def _is_blank(text: str) -> str:
    """SQL of whether a text is empty or of spaces; only texts that begin with one are trimmed, which is slow."""
    return f"CASE WHEN {text} < '!' THEN trim({text}) = '' ELSE false END"


def _fits(text: str, longest: int) -> str:
    """SQL of whether a text has at most so many characters; its bytes, known beforehand, mostly settle it."""
    return f"CASE WHEN strlen({text}) > {longest} THEN length({text}) <= {longest} ELSE true END"


def _number(column: Column, raw: str, sql_type: str) -> tuple[str, str] | None:
    if sql_type == "VARCHAR":
        value = f"TRY_CAST(trim({raw}) AS DOUBLE) + 0.0"  # + 0.0 turns -0.0 into 0.0
        # DuckDB's cast takes 1_000 and +-5 for numbers; a test compares the rest of its taste with a pattern.
        sound = f"isfinite({value}) AND NOT contains({raw}, '_') AND NOT contains({raw}, '+-')"
    elif sql_type in _NUMBERS:
        value = f"CAST({raw} AS DOUBLE) + 0.0"
        sound = f"isfinite({value})"
    else:
        return None
    if column.minimum is not None:
        sound += f" AND {value} {'>' if column.above else '>='} {column.minimum!r}"
    return value, sound


def _text(column: Column, raw: str, sql_type: str) -> tuple[str, str] | None:
    if sql_type not in {"VARCHAR", "UUID"} | _WHOLE:
        return None
    value = f"CAST({raw} AS VARCHAR)"
    sound = f"CASE WHEN {value} >= '!' THEN true ELSE trim({value}) <> '' END AND {_fits(value, column.longest)}"
    if column.choices:
        allowed = ", ".join("'" + choice.replace("'", "''") + "'" for choice in column.choices)
        sound += f" AND {value} IN ({allowed})"
    return (f"NULLIF({value}, '')" if column.blank else value), sound


def _date(column: Column, raw: str, sql_type: str) -> tuple[str, str] | None:
    if sql_type == "VARCHAR":
        value = f"TRY_CAST(trim({raw}) AS DATE)"
        return value, f"CAST({value} AS VARCHAR) = trim({raw}) AND {value} {_DAYS}"
    if sql_type == "DATE":
        return raw, f"{raw} {_DAYS}"
    if sql_type in _TIMES:
        value = f"CAST({raw} AS DATE)"
        return value, f"{raw} = {value} AND {value} {_DAYS}"
    return None


def _timestamp(column: Column, raw: str, sql_type: str) -> tuple[str, str] | None:
    if sql_type == "VARCHAR":
        text = f"trim({raw})"
        local = f"TRY_CAST(regexp_extract({text}, '^{_MOMENT}') AS TIMESTAMP)"
        # DuckDB reads an offset and forgets it, so it is taken off by hand: +0530 is 330 minutes.
        offset = f"replace(regexp_extract({text}, '[+-][0-9:]+$'), ':', '')"
        hours, rest = f"TRY_CAST(({offset})[2:3] AS INTEGER)", f"TRY_CAST('0' || ({offset})[4:5] AS INTEGER)"
        minutes = f"(CASE WHEN ({offset})[1] = '-' THEN -1 ELSE 1 END) * (60 * {hours} + {rest})"
        shifted = f"regexp_matches(right({text}, 6), '[+-]')"
        value = f"CASE WHEN {shifted} THEN {local} - to_minutes({minutes}) ELSE {local} END"
        return value, f"regexp_full_match({text}, '{_MOMENT}({_OFFSET})?') AND CAST({value} AS DATE) {_DAYS}"
    if sql_type in _TIMES:
        value = f"CAST({raw} AS TIMESTAMP)"
    elif sql_type == "TIMESTAMP WITH TIME ZONE":
        value = f"make_timestamp(epoch_us({raw}))"
    else:
        return None
    return value, f"CAST({value} AS DATE) {_DAYS}"


def _flag(column: Column, raw: str, sql_type: str) -> tuple[str, str] | None:
    if sql_type == "BOOLEAN":
        return raw, f"{raw} IS NOT NULL"
    if sql_type in _WHOLE:
        return f"{raw} = 1", f"{raw} IN (0, 1)"
    if sql_type == "VARCHAR":
        return f"lower(trim({raw})) IN ('true', '1')", f"lower(trim({raw})) IN ('true', 'false', '1', '0')"
    return None


_makers = {"number": _number, "text": _text, "date": _date, "timestamp": _timestamp, "flag": _flag}
