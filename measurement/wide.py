"""Split one wide table (a row per date and geo, ``<channel>_spend`` columns) into the tidy media and outcome tables.

Three steps, so that a user sees what becomes what before anything is written: `plan` reads the header and decides,
`split` reads the values, `write` makes ``media.csv`` and ``outcome.csv``.

How a column is understood, by its name (case does not matter):

- ``<channel>_spend`` or ``<channel>_cost`` is money; ``<channel>_impression(s)``, ``_clicks``, ``_views``, ``_grp(s)``,
  ``_reach``, ``_frequency`` of a channel that has money is an exposure; without money it is left out.
- ``date, time, week, day, month, ds`` is the date; ``geo, region, market, dma, state, city`` the geo.
- ``population`` is what it says; ``<name>_control`` is a control.
- ``revenue_per_<kpi>`` is the money per unit of a KPI: their product becomes the KPI ``revenue``.
- What is left and holds numbers may be the KPI. Where that leaves a choice, the user is asked.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.panel import Panel
from measurement.periods import Period, period_of
from measurement.reading import source
from measurement.reading.columns import Column, Contract, plain

_SPEND = ("_spend", "_cost")
_EXPOSURES = {
    "_impressions": "impressions",
    "_impression": "impressions",
    "_clicks": "clicks",
    "_views": "views",
    "_grps": "grp",
    "_grp": "grp",
    "_reach": "reach",
    "_frequency": "frequency",
}
_DATES = ("date", "time", "week", "day", "month", "ds")
_GEOS = ("geo", "region", "market", "dma", "state", "city")
_CONTROL = "_control"
_PER = "revenue_per_"
REVENUE = "revenue"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which column of a wide table becomes what.

    Attributes:
        date: The date column.
        geo: The geo column; ``None`` for a national table.
        spend: Per channel, its column of money.
        exposures: Per channel, its columns of exposure by their name in the media table.
        kpis: Columns that go to the outcome table as KPIs.
        kpi: The study's KPI.
        revenue: (KPI, money per unit) whose product is the KPI ``revenue``, or ``None``.
        controls: Control columns.
        population: The population column, or ``None``.
        left_out: Columns that are not taken.
    """

    date: str
    geo: str | None
    spend: Mapping[str, str]
    exposures: Mapping[str, Mapping[str, str]]
    kpis: tuple[str, ...]
    kpi: str
    revenue: tuple[str, str] | None = None
    controls: tuple[str, ...] = ()
    population: str | None = None
    left_out: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The plan in words, a line for each part."""
        said = [f"date: {self.date}", f"geo: {self.geo or 'none, a national table'}"]
        for channel, column in self.spend.items():
            seen = ", ".join(f"{name} from {at}" for name, at in self.exposures.get(channel, {}).items())
            said.append(f"channel {channel}: spend from {column}" + (f", {seen}" if seen else ""))
        how = f" ({self.revenue[0]} x {self.revenue[1]})" if self.revenue and self.kpi == REVENUE else ""
        said.append(f"KPI: {self.kpi}{how}")
        further = [name for name in self.kpis if name != self.kpi]
        parts = {
            "further KPIs": further,
            "controls": self.controls,
            "population": [self.population] if self.population else [],
            "left out": self.left_out,
        }
        return [shown(line, 300) for line in said + [f"{what}: {', '.join(got)}" for what, got in parts.items() if got]]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A wide table as two tidy ones.

    Attributes:
        plan: What became what.
        media: ``date, (geo,) channel, spend`` and exposures.
        outcome: ``date, (geo,)``, KPIs, population and controls.
        period: Cadence of the dates.
        problems: Warnings and notes.
    """

    plan: Plan
    media: pd.DataFrame
    outcome: pd.DataFrame
    period: Period
    problems: tuple[Problem, ...] = field(default=())


def plan(path: str | Path, *, kpi: str | None = None, date: str | None = None, geo: str | None = None) -> Plan:
    """Decide from the header of a wide table which column becomes what.

    Args:
        path: csv or parquet file, or a glob.
        kpi: The KPI column (or ``revenue``, where money per unit is there).
        date: The date column.
        geo: The geo column.

    Raises:
        DataError: Where something is missing or could be meant in two ways; all of it together.
    """
    names = source.header(path)
    problems: list[Problem] = []

    def told(name: str | None, known: Sequence[str], what: str) -> str | None:
        if name is not None and name not in names:
            problems.append(_problem(path, f"has no column '{shown(name)}'{did_you_mean(name, names)}", f"no-{what}"))
            return None
        found = [name] if name is not None else [each for each in names if plain(each) in known]
        exact = [each for each in found if plain(each) == known[0]]
        if len(exact or found) > 1:
            words = f"has several columns that may be the {what}: {_listed(exact or found)}; say which (--{what})"
            problems.append(_problem(path, words, f"ambiguous-{what}"))
        chosen = exact or found
        return chosen[0] if chosen else None

    day, place = told(date, _DATES, "date"), told(geo, _GEOS, "geo")
    if day is None and not any(problem.code.endswith("-date") for problem in problems):
        problems.append(_problem(path, f"has no date column; one of {', '.join(_DATES)} is needed", "no-date"))
    spend = _money(path, names, problems)
    exposures, orphans = _exposures(names, spend)
    taken = {day, place, *spend.values(), *orphans, *(c for each in exposures.values() for c in each.values())}
    people = next((name for name in names if plain(name) == "population" and name != kpi), None)
    controls = tuple(name for name in names if name.casefold().endswith(_CONTROL) and name not in taken | {kpi})
    rest = [name for name in names if name not in taken | {people, *controls}]
    per = _per_unit(rest)
    candidates = [name for name in rest if per is None or name != per[1]]
    kpis, chosen = _choose(path, kpi, candidates, per, problems)
    if problems or day is None or chosen is None:
        raise DataError(problems)
    revenue = per if per and (chosen == REVENUE or REVENUE not in kpis) else None
    left = (*orphans, *(name for name in rest if name not in kpis and not (revenue and name in revenue)))
    return Plan(day, place, spend, exposures, kpis, chosen, revenue, controls, people, left)


def _money(path: str | Path, names: Sequence[str], problems: list[Problem]) -> dict[str, str]:
    spend: dict[str, str] = {}
    for name in names:
        ending = next((end for end in _SPEND if name.casefold().endswith(end) and len(name) > len(end)), None)
        channel = name[: -len(ending)] if ending else ""
        if ending and channel in spend:
            words = f"has two columns of money for channel '{shown(channel)}': {_listed([spend[channel], name])}"
            problems.append(_problem(path, words, "ambiguous-spend"))
        elif ending:
            spend[channel] = name
    if not spend:
        words = "has no column such as tv_spend, so it names no channel; a tidy table needs no --wide"
        problems.append(_problem(path, words, "no-spend"))
    return spend


def _exposures(names: Sequence[str], spend: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Per channel its exposure columns, and exposure columns of channels without money."""
    found: dict[str, dict[str, str]] = {}
    orphans: list[str] = []
    by_channel = {plain(channel): channel for channel in spend}
    for name in names:
        ending = next((end for end in _EXPOSURES if name.casefold().endswith(end) and len(name) > len(end)), None)
        if ending is None:
            continue
        channel = by_channel.get(plain(name[: -len(ending)]))
        if channel is None or _EXPOSURES[ending] in found.get(channel, {}):
            orphans.append(name)
        else:
            found.setdefault(channel, {})[_EXPOSURES[ending]] = name
    return found, orphans


def _per_unit(names: Sequence[str]) -> tuple[str, str] | None:
    """(KPI, money per unit of it) where both columns are there."""
    for per in names:
        if plain(per).startswith(_PER):
            unit = plain(per)[len(_PER) :]
            kpi = next((name for name in names if plain(name) in {unit, f"{unit}s"}), None)
            if kpi is not None:
                return kpi, per
    return None


def _choose(
    path: str | Path, kpi: str | None, candidates: list[str], per: tuple[str, str] | None, problems: list[Problem]
) -> tuple[tuple[str, ...], str | None]:
    """Columns for the outcome table, and the KPI among them."""
    if kpi is not None:
        if kpi in candidates:
            return (kpi, *((per[0],) if per and per[0] != kpi else ())), kpi
        if kpi == REVENUE and per:
            return (per[0],), REVENUE
        near = did_you_mean(kpi, [*candidates, REVENUE] if per else candidates)
        problems.append(_problem(path, f"has no column '{shown(kpi)}' that could be the KPI{near}", "no-kpi"))
    elif per and set(candidates) == {per[0]}:
        return (per[0],), REVENUE
    elif len(candidates) == 1:
        return (candidates[0],), candidates[0]
    elif candidates:
        choice = [*candidates, REVENUE] if per and REVENUE not in candidates else candidates
        words = f"has several columns that may be the KPI: {_listed(choice)}; say which (--kpi)"
        problems.append(_problem(path, words, "ambiguous-kpi"))
    else:
        problems.append(_problem(path, "has no column left that could be the KPI", "no-kpi"))
    return (), None


def split(path: str | Path, plan: Plan) -> Split:
    """Read a wide table and split it as planned.

    Args:
        path: csv or parquet file, or a glob.
        plan: From `plan`.

    Raises:
        DataError: With every problem of its values, gaps and repeated rows.
    """
    table = source.read(_contract(plan), path)
    frame = table.frame.rename(columns={plan.date: "date"} | ({plan.geo: "geo"} if plan.geo else {}))
    keys = ["date", "geo"] if plan.geo else ["date"]
    columns = {name: frame[name] for name in plan.kpis}
    if plan.revenue:
        columns[REVENUE] = frame[plan.revenue[0]] * frame[plan.revenue[1]]
    if plan.population:
        columns["population"] = frame[plan.population]
    outcome = pd.DataFrame({**{key: frame[key] for key in keys}, **columns, **{c: frame[c] for c in plan.controls}})
    media = pd.concat([_channel(frame, plan, name, keys) for name in plan.spend], ignore_index=True)
    media = media.sort_values([*keys, "channel"], ignore_index=True)
    period = period_of(frame["date"].to_numpy())
    if period is None:
        words = "has dates that are neither days, weeks nor months apart"
        raise DataError([_problem(path, words, "off-cadence")])
    try:
        Panel.from_frames(outcome, media, kpi=plan.kpi, period=period)
    except DataError as error:
        raise DataError(
            [Problem(p.message, str(path), None, p.column, p.level, p.code) for p in error.problems]
        ) from None
    return Split(plan, media, outcome, period, table.problems)


def _contract(plan: Plan) -> Contract:
    def money(name: str) -> Column:
        return Column(name, "number", minimum=0.0, advice="write 0 where nothing was spent")

    columns = [Column(plan.date, "date")]
    columns += [Column(plan.geo, "text")] if plan.geo else []
    columns += [money(name) for name in plan.spend.values()]
    columns += [money(name) for each in plan.exposures.values() for name in each.values()]
    numbers = [*plan.kpis, *(plan.revenue or ()), *plan.controls]
    columns += [Column(name, "number") for name in dict.fromkeys(numbers)]
    columns += [Column(plan.population, "number", minimum=0.0, above=True)] if plan.population else []
    key = (plan.date, plan.geo) if plan.geo else (plan.date,)
    return Contract("wide", (), tuple(columns), key)


def _channel(frame: pd.DataFrame, plan: Plan, channel: str, keys: list[str]) -> pd.DataFrame:
    """The media rows of one channel; an exposure that it has not, and others have, is 0."""
    kinds = sorted({kind for each in plan.exposures.values() for kind in each})
    own = plan.exposures.get(channel, {})
    values: dict[str, Any] = {key: frame[key] for key in keys}
    values |= {"channel": channel, "spend": frame[plan.spend[channel]]}
    return pd.DataFrame(values | {kind: frame[own[kind]] if kind in own else 0.0 for kind in kinds})


def write(split: Split, folder: str | Path, *, overwrite: bool = False) -> tuple[Path, Path]:
    """Write ``media.csv`` and ``outcome.csv``, each whole or not at all.

    Args:
        split: From `split`.
        folder: Where to; made if absent.
        overwrite: Whether files that are there may be replaced.

    Returns:
        The two paths.

    Raises:
        DataError: Where a file is there already or cannot be written.
    """
    media, outcome = Path(folder) / "media.csv", Path(folder) / "outcome.csv"
    there = [path for path in (media, outcome) if os.path.lexists(path)]
    if there and not overwrite:
        raise DataError([_problem(path, "is there already; nothing was written", "file-exists") for path in there])
    try:
        media.parent.mkdir(parents=True, exist_ok=True)
        _write(split.media, media, overwrite)
        _write(split.outcome, outcome, overwrite)
    except OSError as error:
        raise DataError(
            [_problem(error.filename or folder, f"cannot be written ({error.strerror})", "write")]
        ) from None
    return media, outcome


def _write(frame: pd.DataFrame, path: Path, overwrite: bool) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".csv")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            frame.to_csv(file, index=False, date_format="%Y-%m-%d", lineterminator="\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        if overwrite:
            Path(name).replace(path)
        else:
            os.link(name, path)  # unlike a rename, this never replaces
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _problem(path: object, words: str, code: str) -> Problem:
    return Problem(words, str(path), code=code)


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(f"'{shown(name, 40)}'" for name in names[:12])
    return listed + (f" and {len(names) - 12} more" if len(names) > 12 else "")
