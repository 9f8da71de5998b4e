"""Rules over a whole loaded table: every geo and channel on every date, cadence, names that look alike.

All are set queries; only what they find is put into words. They run on tables whose keys are sound: a date that could
not be read is reported once, not a second time as a gap.
"""

import math
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice, product

import numpy as np

from measurement.errors import SHOWN_IN_FULL, Problem, shown
from measurement.periods import Period, expected_dates, period_of
from measurement.reading.columns import plain
from measurement.reading.loaded import Loaded
from measurement.reading.verdicts import MOST, more


def names(loaded: Loaded, columns: Sequence[str]) -> list[Problem]:
    """Warnings about names with invisible characters, and names that differ in nothing the eye sees."""
    problems: list[Problem] = []
    for column in columns:
        if column not in loaded.aliases:
            continue
        query = f"SELECT {column}, min(source_row) FROM {loaded.relation} WHERE {column} IS NOT NULL GROUP BY 1"  # noqa: S608
        first = dict(loaded.connection.execute(query).fetchall())
        alike: dict[str, list[str]] = defaultdict(list)
        for name in sorted(first):
            alike[plain(name)].append(name)
        odd = [name for name in sorted(first) if _invisible(name)][:MOST]
        pairs = [group for group in alike.values() if len(group) > 1][:MOST]
        places = loaded.places([first[name] for name in [*odd, *(group[-1] for group in pairs)]])
        for name in odd:
            words = f"'{shown(name)}' holds an invisible character, or space around it; it is taken as it stands"
            problems.append(Problem(words, *places[first[name]], column, "warning", "invisible-characters"))
        for group in pairs:
            both = " and ".join(f"'{shown(name)}'" for name in group)
            words = f"{both} look alike and are taken for {len(group)} different {column}s; write one name"
            problems.append(Problem(words, *places[first[group[-1]]], column, "warning", "names-alike"))
    return problems


def _invisible(name: str) -> bool:
    return name != name.strip() or any(
        unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} or (c != " " and unicodedata.category(c) == "Zs")
        for c in name
    )


def outcome(loaded: Loaded, period: Period | None) -> list[Problem]:
    """Every geo on every date, on the cadence."""
    return _whole(loaded, ("geo",), period, "every geo needs every date")


def media(loaded: Loaded, period: Period | None) -> list[Problem]:
    """Every channel of every geo on every date, on the cadence."""
    return _whole(loaded, ("geo", "channel"), period, "write rows with spend 0 where nothing was spent")


def _whole(loaded: Loaded, dimensions: tuple[str, ...], period: Period | None, advice: str) -> list[Problem]:
    keys = {"date", *dimensions}
    if any(p.level == "error" and (p.column in keys or p.column is None) for p in loaded.problems):
        return []
    table, run = loaded.relation, loaded.connection.execute
    days = [day for (day,) in run(f"SELECT DISTINCT date FROM {table} ORDER BY 1").fetchall()]  # noqa: S608
    by = tuple(name for name in dimensions if name in loaded.aliases)
    chosen = "".join(f"{name}, " for name in by)
    query = f"SELECT {chosen}count(*), min(date), arg_min(source_row, date) FROM {table} GROUP BY ALL"  # noqa: S608
    series = [_Series(tuple(row[:-3]), *row[-3:]) for row in run(query).fetchall()]
    if any(each.dates != len(days) for each in series):  # counting distinct dates takes three times as long
        distinct = query.replace("count(*)", "count(DISTINCT date)")
        series = [_Series(tuple(row[:-3]), *row[-3:]) for row in run(distinct).fetchall()]
    problems = _cadence(loaded, days, period) if period else []
    late, start = _late(loaded, by, series, days[0], advice)
    return problems + late + _gaps(loaded, by, series, days, start, advice)


@dataclass(frozen=True, slots=True)
class _Series:
    """What there is of one geo, or of one channel in one geo."""

    names: tuple[str, ...]
    dates: int
    first: date
    row: int


def _late(
    loaded: Loaded, by: tuple[str, ...], series: Sequence[_Series], begin: date, advice: str
) -> tuple[list[Problem], dict[tuple[str, str], date]]:
    """Geos and channels that begin after the table does, and when each begins."""
    earliest: dict[tuple[str, str], _Series] = {}
    for each in series:
        for dimension, name in zip(by, each.names, strict=True):
            known = earliest.get((dimension, name))
            if known is None or (each.first, each.row) < (known.first, known.row):
                earliest[dimension, name] = each
    late = sorted((key for key, each in earliest.items() if each.first > begin), key=lambda key: earliest[key].row)
    places = loaded.places([earliest[key].row for key in late[:MOST]])
    twins = {dimension: _twins(name for kind, name in earliest if kind == dimension) for dimension in by}
    problems = []
    for dimension, name in late[:MOST]:
        first = earliest[dimension, name]
        words = f"{dimension} '{shown(name)}' appears first on {first.first}, the table begins on {begin}; {advice}"
        words += twins[dimension].get(name, "")
        problems.append(Problem(words, *places[first.row], dimension, "error", f"late-{dimension}"))
    return problems, {key: each.first for key, each in earliest.items()}


def _gaps(
    loaded: Loaded,
    by: tuple[str, ...],
    series: Sequence[_Series],
    days: list[date],
    start: dict[tuple[str, str], date],
    advice: str,
) -> list[Problem]:
    """Series with dates missing after they began, and channels that a geo has not at all."""
    file = loaded.parts[0].file
    problems: list[Problem] = []
    for each in series:
        begin = max((start[key] for key in zip(by, each.names, strict=True)), default=days[0])
        due = days[bisect_left(days, begin) :]
        if each.dates < len(due):
            if len(problems) < SHOWN_IN_FULL:
                missing = _missing(loaded, by, each, due)
                further = f", nor on {len(missing) - 1} more up to {missing[-1]}" if len(missing) > 1 else ""
                where = f"has no row on {missing[0]}{further}"
            else:
                where = f"has no row on {len(due) - each.dates} of {len(due)} dates"
            problems.append(file.problem(f"{_named(by, each.names)}{where}; {advice}", "gap"))
    levels = [sorted({each.names[i] for each in series}) for i in range(len(by))]
    have = {each.names for each in series}
    absent = (names for names in product(*levels) if names not in have)
    twins = _twins(levels[-1]) if by else {}
    for names in islice(absent, MOST):
        words = f"{_named(by, names)}has no row at all; {advice}" + twins.get(names[-1], "")
        problems.append(file.problem(words, "gap"))
    count = math.prod(map(len, levels)) - len(have) if by else 0
    if count > MOST:
        problems.append(more(loaded, count - MOST, f"combinations of {' and '.join(by)} have no row"))
    return sorted(problems, key=lambda p: p.message)


def _missing(loaded: Loaded, by: tuple[str, ...], each: _Series, due: list[date]) -> list[date]:
    where = " AND ".join(f"{name} = ${i}" for i, name in enumerate(by, 1)) or "true"
    query = f"SELECT DISTINCT date FROM {loaded.relation} WHERE {where}"  # noqa: S608
    have = {day for (day,) in loaded.connection.execute(query, list(each.names)).fetchall()}
    return [day for day in due if day not in have]


def _named(by: tuple[str, ...], names: tuple[str, ...]) -> str:
    return ", ".join(f"{dimension} '{shown(name)}'" for dimension, name in zip(by, names, strict=True)) + " "


def _twins(names: Iterable[str]) -> dict[str, str]:
    """Of names that look like another, a half-sentence that asks whether that is meant."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[plain(name)].append(name)
    groups = [group for group in alike.values() if len(group) > 1]
    return {name: f" (is it '{shown(group[name == group[0]])}'?)" for group in groups for name in group}


def _cadence(loaded: Loaded, days: list[date], period: Period) -> list[Problem]:
    """Dates that are no first day of a period, and periods without any row."""
    file = loaded.parts[0].file
    seen = np.array(days, dtype="datetime64[D]")
    wanted = expected_dates(seen[0], seen[-1], period)
    odd = np.setdiff1d(seen, wanted)
    found = period_of(days)
    if found and found != period and seen.size > 2:
        words = f"the dates are a {found} apart; the study's period is '{period}'"
        return [file.problem(words, "off-cadence", column="date")]
    query = f"SELECT date, min(source_row) FROM {loaded.relation} GROUP BY 1"  # noqa: S608
    first = dict(loaded.connection.execute(query).fetchall())
    strays = list(odd[:MOST].astype(object))
    places = loaded.places([first[day] for day in strays])
    problems = []
    for day in strays:
        words = f"{day} is not the first day of a {period}, counted from {days[0]}"
        problems.append(Problem(words, *places[first[day]], "date", "error", "off-cadence"))
    for day in [] if odd.size else np.setdiff1d(wanted, seen)[:MOST]:
        problems.append(file.problem(f"no row at all on {day}; every {period} is needed", "gap", column="date"))
    return problems
