"""Goal: what a planner asks of a test, checked against a panel before anything is searched."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, get_args

from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.panel import Panel

Direction = Literal["go_dark", "heavy_up", "holdout", "scale"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

FEWEST_PRE_PERIODS = 8
_USUAL_CHANGE = {"go_dark": -1.0, "holdout": -1.0, "heavy_up": 1.0}
_NAME_LISTS = ("must_include", "exclude", "busy", "treatment_geos")


@dataclass(frozen=True)
class Goal:
    """What a test is to find out, and within which bounds.

    Attributes:
        channel: The channels that are moved.
        durations: Lengths of the test to compare, in periods of the panel.
        geos: Fewest and most treated geos (of each cell, where there are several).
        direction: ``go_dark`` stops the channel in the treated geos, ``heavy_up`` spends more, ``scale`` either way by
            a given share; a ``holdout`` keeps the ads out of the treated geos (or, with a positive ``spend_change``,
            shows them there alone).
        spend_change: Change of the channel's spend in the treated geos, as a share of business as usual (-1 stops it,
            0.5 is half as much again); ``None`` is the direction's own: -1, and +1 for ``heavy_up``.
        cooldown: Periods read out after the spend is back.
        kpi: The KPI; ``None`` is the panel's own.
        alpha: One minus the level of the interval.
        power: Wanted chance to find an effect of the size that the design promises.
        budget: Most money: extra spend where spend goes up, lost KPI (in money) where it is cut.
        iroas: Expected incremental money per unit of money.
        icpa: Expected money per incremental unit of KPI; in place of ``iroas``.
        must_include: Geos that are treated.
        exclude: Geos that are not treated; they may be controls.
        busy: Geos in a running test: neither treated nor controls.
        clusters: Geos that stay together: all treated, all controls or all left out.
        adjacent: Neighbours that spill over: where one of them is treated, the other one is treated too or left out.
        strata: Stratum of a geo.
        quotas: Fewest and most treated geos of a stratum.
        share: Least and largest share of the KPI in the treated geos.
        cells: Disjoint sets of treated geos, against one control.
        seed: Seed of everything random.
        treatment_geos: The planner's own markets: no search, power only.
    """

    channel: tuple[str, ...]
    durations: tuple[int, ...]
    geos: tuple[int, int]
    direction: Direction = "go_dark"
    spend_change: float | None = None
    cooldown: int = 0
    kpi: str | None = None
    alpha: float = 0.1
    power: float = 0.8
    budget: float | None = None
    iroas: float | None = None
    icpa: float | None = None
    must_include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    clusters: tuple[tuple[str, ...], ...] = ()
    adjacent: tuple[tuple[str, str], ...] = ()
    strata: Mapping[str, str] = field(default_factory=dict)
    quotas: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    share: tuple[float, float] = (0.0, 1.0)
    cells: int = 1
    seed: int = 0
    treatment_geos: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("channel", *_NAME_LISTS):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))

    @property
    def change(self) -> float:
        """Change of spend in the treated geos as a share of business as usual, signed."""
        return _USUAL_CHANGE.get(self.direction, 0.0) if self.spend_change is None else self.spend_change

    def check(self, panel: Panel) -> None:
        """Refuse a goal that makes no sense on this panel.

        Raises:
            DataError: Every problem found: unknown names, reversed ranges, durations longer than the history, a spend
                change of the wrong sign.
        """
        refuse(self.problems(panel))

    def problems(self, panel: Panel) -> list[Problem]:
        """Everything wrong (errors) or odd (warnings) about the goal on this panel."""
        found = [
            *_names(self, panel),
            *_change(self),
            *_lengths(self, panel),
            *_ranges(self, panel),
            *_money(self, panel),
        ]
        return [Problem(message, column=column, code=code, level=level) for column, message, code, level in found]


type _Found = tuple[str, str, str, Literal["error", "warning"]]  # field, message, code, level


def _error(column: str, message: str, code: str) -> _Found:
    return column, message, code, "error"


def named_geos(goal: Goal) -> Iterator[tuple[str, str]]:
    """Every geo that a goal names, with the field it stands in."""
    for name in _NAME_LISTS:
        yield from ((name, geo) for geo in getattr(goal, name))
    yield from (("clusters", geo) for cluster in goal.clusters for geo in cluster)
    yield from (("adjacent", geo) for pair in goal.adjacent for geo in pair)
    yield from (("strata", geo) for geo in goal.strata)


def _names(goal: Goal, panel: Panel) -> Iterator[_Found]:
    known = set(panel.geos)
    for column, geo in dict.fromkeys(named_geos(goal)):
        if geo not in known:
            words = f"unknown geo '{shown(geo)}'{did_you_mean(geo, panel.geos)}; the panel has {len(panel.geos)} geos"
            yield _error(column, words, "unknown-geo")
    for name in _NAME_LISTS:
        geos = getattr(goal, name)
        for geo in sorted({geo for geo in geos if geos.count(geo) > 1}):
            yield _error(name, f"geo '{shown(geo)}' is listed twice", "duplicate-geo")
    for one, other in goal.adjacent:
        if one == other:
            yield _error("adjacent", f"geo '{shown(one)}' is its own neighbour", "adjacent")
    if not goal.channel:
        yield _error("channel", "is missing; name the channel that the test moves", "missing-channel")
    for name in goal.channel if panel.channels else ():
        if name not in panel.channels:
            words = f"unknown channel '{shown(name)}'{did_you_mean(name, panel.channels)}; the media table has "
            yield _error("channel", f"{words}{', '.join(map(shown, panel.channels[:20]))}", "unknown-channel")
    if goal.kpi is not None and goal.kpi not in panel.kpis:
        words = f"unknown KPI '{shown(goal.kpi)}'{did_you_mean(goal.kpi, panel.kpis)}; the outcome table has "
        yield _error("kpi", f"{words}{', '.join(map(shown, list(panel.kpis)[:20]))}", "unknown-kpi")
    if goal.quotas and not goal.strata:
        yield _error("quotas", "stands without strata, which say where each geo belongs", "missing-strata")
    for stratum in goal.quotas if goal.strata else ():
        if stratum not in goal.strata.values():
            words = f"no geo is in the stratum '{shown(stratum)}'{did_you_mean(stratum, set(goal.strata.values()))}"
            yield _error("quotas", words, "unknown-stratum")


def _change(goal: Goal) -> Iterator[_Found]:
    if goal.direction not in DIRECTIONS:
        words = f"found '{shown(goal.direction)}'{did_you_mean(str(goal.direction), DIRECTIONS)}; allowed are "
        yield _error("direction", f"{words}{', '.join(DIRECTIONS)}", "unknown-direction")
        return
    change = goal.spend_change
    if change is None:
        if goal.direction == "scale":
            words = "is missing; a scale test says by how much, such as 0.5 for half as much again"
            yield _error("spend_change", words, "missing-field")
        return
    if not isfinite(change) or change < -1:
        words = f"found {change:g}; it is a share of business as usual, and no more than everything (-1) can be cut"
        yield _error("spend_change", words, "spend-change")
    elif change == 0:
        yield _error("spend_change", "is 0; a test that moves no money measures nothing", "spend-change")
    elif goal.direction == "go_dark" and change > 0:
        words = f"found {change:g}, but a go_dark test takes spend away: the change must be negative (-1 stops it)"
        yield _error("spend_change", words, "spend-sign")
    elif goal.direction == "heavy_up" and change < 0:
        words = f"found {change:g}, but a heavy_up test adds spend: the change must be positive"
        yield _error("spend_change", words, "spend-sign")


def _lengths(goal: Goal, panel: Panel) -> Iterator[_Found]:
    history, period = len(panel.dates), panel.period
    if goal.cooldown < 0:
        yield _error("cooldown", f"found {goal.cooldown}; it is 0 {period}s or more", "cooldown")
    if not goal.durations:
        yield _error("durations", f"is missing; say how many {period}s the test may take", "missing-field")
    for twice in sorted({length for length in goal.durations if goal.durations.count(length) > 1}):
        yield _error("durations", f"{twice} stands in it twice", "duration")
    for length in dict.fromkeys(goal.durations):
        read_out = length + max(goal.cooldown, 0)
        needed = read_out + max(FEWEST_PRE_PERIODS, read_out)
        if length < 1:
            yield _error("durations", f"found {length}; a test takes 1 {period} or more", "duration")
        elif needed > history:
            after = f" and a cool-down of {goal.cooldown}" if goal.cooldown > 0 else ""
            words = f"a test of {length} {period}s{after} needs a history of {needed} {period}s or more to be rehearsed"
            yield _error("durations", f"{words}; the panel has {history}", "short-history")
        for words in part_weeks(panel, read_out):
            yield "durations", words, "part-weeks", "warning"


def part_weeks(panel: Panel, read_out: int) -> tuple[str, ...]:
    """A warning of a read-out, in periods, that is not whole weeks of daily data; nothing otherwise."""
    if panel.period != "day" or read_out < 1 or read_out % 7 == 0:
        return ()
    down, up = read_out // 7 * 7, read_out // 7 * 7 + 7
    better = f"{down} or {up}" if down else str(up)
    return (
        f"a read-out of {read_out} days is not whole weeks: the days of the week weigh unevenly in it; take {better}",
    )


def _ranges(goal: Goal, panel: Panel) -> Iterator[_Found]:
    fewest, most = goal.geos
    if fewest > most:
        yield _error("geos", f"found {fewest}:{most}; the smaller number comes first", "reversed-range")
    elif fewest < 1:
        yield _error("geos", f"found {fewest}:{most}; a test treats 1 geo or more", "geos")
    least, largest = goal.share
    if not (0 <= least <= 1 and 0 <= largest <= 1):
        yield _error("share", f"found {least:g}:{largest:g}; shares lie between 0 and 1", "share")
    elif least > largest:
        yield _error("share", f"found {least:g}:{largest:g}; the smaller share comes first", "reversed-range")
    elif goal.share != (0.0, 1.0) and goal.kpi in (None, *panel.kpis) and not _sold(goal, panel) > 0:
        yield _error("share", "means nothing here: the KPI adds up to 0 or less over all geos", "share")
    for stratum, (few, many) in goal.quotas.items():
        words = f"found {few}:{many} for the stratum '{shown(stratum)}'; "
        if few > many:
            yield _error("quotas", f"{words}the smaller number comes first", "reversed-range")
        elif few < 0:
            yield _error("quotas", f"{words}numbers of geos are 0 or more", "quota")
    for name, value, low, high in (("alpha", goal.alpha, 0.01, 0.5), ("power", goal.power, 0.5, 0.99)):
        if not low <= value <= high:
            yield _error(name, f"found {value:g}; it lies between {low:g} and {high:g}", name)
    if goal.cells < 1:
        yield _error("cells", f"found {goal.cells}; a test has 1 cell or more", "cells")
    if goal.seed < 0:
        yield _error("seed", f"found {goal.seed}; a whole number from 0 is needed", "seed")


def _sold(goal: Goal, panel: Panel) -> float:
    return float(panel.kpis[goal.kpi or panel.kpi].sum())


def _money(goal: Goal, panel: Panel) -> Iterator[_Found]:
    for name in ("budget", "iroas", "icpa"):
        value = getattr(goal, name)
        if value is not None and not (isfinite(value) and value > 0):
            yield _error(name, f"found {value:g}; it must be above 0", name)
    if goal.iroas is not None and goal.icpa is not None:
        yield _error("icpa", "stands beside iroas, and both say what the ads bring: give one of them", "two-returns")
    if goal.budget is not None and goal.change < 0 and goal.iroas is None and goal.icpa is None:
        words = (
            "bounds what a cut may lose, and nothing says what the ads bring: give iroas (or icpa), or leave budget out"
        )
        yield _error("budget", words, "budget-needs-return")
    elif goal.budget is not None and goal.change < 0 and goal.kpi not in (None, panel.kpi):
        words = f"bounds what a cut may lose in money, and only '{shown(panel.kpi)}' has a price: leave budget out"
        yield _error("budget", words, "budget-needs-return")
