"""Put the faults of a loaded table into words: values, mixed time zones, rows that share a key."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from measurement.errors import Problem, shown
from measurement.reading import faults
from measurement.reading.columns import Bound, Column
from measurement.reading.loaded import Loaded

MOST = 1_000
"""Faults of one kind that are put into words; the rest are counted."""

A_FEW = 3
"""Repeated rows that are shown where a whole key column is missing."""

MASK = 62
"""Columns whose soundness fits into one BIGINT ``faults<n>`` of the judged relation."""

NAIVE, ZONED = 1, 2
"""Bits of a timestamp's two in ``zones``: values without and with an offset were seen."""


def values(loaded: Loaded, columns: Sequence[Bound]) -> tuple[list[Problem], set[str]]:
    """Problems of the values, and aliases of columns that hold no numbers and may be left out."""
    masks = range(math.ceil(len(columns) / MASK))
    judged = f"{loaded.relation}_judged"
    totals = ", ".join(f"bit_or(faults{k})" for k in masks)
    seen = loaded.connection.execute(f"SELECT {totals} FROM {judged}").fetchone() or ()  # noqa: S608
    problems: list[Problem] = []
    left_out: set[str] = set()
    for i, bound in enumerate(columns):
        bit = 1 << (i % MASK)
        if not (seen[i // MASK] or 0) & bit:
            continue
        faulty = f"FROM {judged} WHERE faults{i // MASK} & {bit} <> 0"
        (count,) = loaded.connection.execute(f"SELECT count(*) {faulty}").fetchone() or (0,)
        if bound.optional and (count == loaded.rows or loaded.contract.extra == "sound_numbers"):
            left_out.add(bound.alias)
            problems.append(_left_out(loaded, bound.column.name, count))
            continue
        rows = loaded.connection.execute(
            f"SELECT source_row, {bound.alias} {faulty} ORDER BY source_row LIMIT {MOST}"
        ).fetchall()
        problems += _in_words(loaded, bound.column, rows)
        if count > len(rows):
            problems.append(more(loaded, count - len(rows), "values are wrong in the same ways", bound.column.name))
    return problems, left_out


def _left_out(loaded: Loaded, name: str, count: int) -> Problem:
    if count == loaded.rows:
        words = "holds no numbers; it is left out"
    else:
        words = (
            f"holds {count} {'value that is no number' if count == 1 else 'values that are no numbers'}; it is left out"
        )
    return Problem(words, loaded.parts[0].file.name, None, name, "note", "left-out")


def _in_words(loaded: Loaded, column: Column, rows: list[tuple[int, object]]) -> list[Problem]:
    seen = loaded.look([row for row, _ in rows], column.name)
    problems = []
    for row, value in rows:
        file, line, text = seen[row]
        message, code = explain(column, text, value)
        problems.append(Problem(message, file, line, column.name, "error", code))
    return problems


def explain(column: Column, text: str | None, value: object) -> tuple[str, str]:
    """(message, code) for a refused value: its raw text, and what it was read as (``None`` where it was not)."""
    if text is None or not text.strip():
        return f"is blank; {column.needed}", "blank"
    if column.kind == "number":
        if isinstance(value, float) and math.isfinite(value) and faults.is_number(text):
            return faults.below(value, column.minimum or 0.0, column.above)
        return faults.number(text)
    if column.kind == "text":
        return faults.choice(text, column.choices) if column.choices else faults.too_long(text, column.longest)
    return {"date": faults.day, "timestamp": faults.moment, "flag": faults.flag}[column.kind](text)


def zones(loaded: Loaded, columns: Sequence[Bound]) -> list[Problem]:
    """Timestamps without an offset among timestamps with one: the rarer kind is refused."""
    problems: list[Problem] = []
    judged = f"{loaded.relation}_judged"
    for j, bound in enumerate(b for b in columns if b.column.kind == "timestamp"):
        bits = f"((zones >> {2 * j}) & 3)"
        query = f"SELECT {bits}, count(*) FROM {judged} GROUP BY 1"  # noqa: S608
        counts = dict(loaded.connection.execute(query).fetchall())
        if not (counts.get(NAIVE) and counts.get(ZONED)):
            continue
        rare = NAIVE if counts[NAIVE] <= counts[ZONED] else ZONED
        how, other = ("without", "with") if rare == NAIVE else ("with", "without")
        words = (
            f"a time {how} an offset, among {counts[NAIVE + ZONED - rare]} {other} one; "
            "write all of them with Z or an offset, or none (UTC)"
        )
        rows = loaded.connection.execute(
            f"SELECT source_row FROM {judged} WHERE {bits} = {rare} ORDER BY 1 LIMIT {MOST}"  # noqa: S608
        ).fetchall()
        problems += loaded.at([row for (row,) in rows], words, "mixed-time-zones", bound.column.name)
    return problems


def duplicates(loaded: Loaded) -> list[Problem]:
    """Rows that share the contract's key with an earlier one."""
    names = [name for name in loaded.contract.key if name in loaded.aliases]
    keys = ", ".join(loaded.aliases[name] for name in names)
    if not keys:
        return []
    whole = " AND ".join(f"{loaded.aliases[name]} IS NOT NULL" for name in names)
    twice = f"SELECT {keys}, list_sort(list(source_row))[:{MOST}] FROM {loaded.relation} WHERE {whole} GROUP BY {keys} HAVING count(*) > 1"  # noqa: S608, E501
    groups = loaded.connection.execute(f"{twice} ORDER BY min(source_row) LIMIT {MOST}").fetchall()
    repeats = [(row, group[-1][0], group[:-1]) for group in groups for row in group[-1][1:]][:MOST]
    places = loaded.places([row for repeat in repeats for row in repeat[:2]])
    problems = []
    for row, first, key in repeats:
        what = ", ".join(f"{name} '{shown(value, 40)}'" for name, value in zip(names, key, strict=True))
        (file, line), (first_file, first_line) = places[row], places[first]
        where = f"line {first_line}" if file == first_file else f"{shown(first_file)}:{first_line}"
        words = f"{what} stands in {where} already; one row is allowed"
        problems.append(Problem(words, file, line, None, "error", "duplicate-row"))
    absent = [name for name in loaded.contract.key if name not in loaded.aliases]
    if len(problems) > A_FEW and absent:
        words = (
            f"the {loaded.contract.table} table has no such column, and its rows repeat without it; which column is it?"
        )
        return [Problem(words, loaded.parts[0].file.name, 1, absent[0], "error", "missing-column"), *problems[:A_FEW]]
    return problems


def more(loaded: Loaded, count: int, words: str, column: str | None = None) -> Problem:
    """The line that counts what was not put into words."""
    return Problem(f"{count} more {words}", loaded.parts[0].file.name, None, column, "error", "more")


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in the order to show them: whole files first, then by line, no kind before it is its turn again.

    Of each kind (rule and column) five come before the sixth of any other, so that a column that is wrong throughout
    does not hide a single fault elsewhere.
    """
    by_place = sorted(problems, key=lambda p: (p.line is not None, p.file or "", p.line or 0))
    turn: Counter[tuple[str, str | None]] = Counter()
    ranked: dict[int, list[Problem]] = defaultdict(list)
    for problem in by_place:
        kind = (problem.code, problem.column)
        ranked[turn[kind] // 5 if problem.code != "more" else MOST].append(problem)
        turn[kind] += 1
    return [problem for rank in sorted(ranked) for problem in ranked[rank]]
