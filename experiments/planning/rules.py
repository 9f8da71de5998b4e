"""Rules: every constraint of a goal as linear inequalities over which geos are treated and which are controls.

The variables of a choice are one vector: treated (0 or 1 by geo), control (0 or 1 by geo), and the number of treated
geos as one of 0..geos. `experiments.planning.constraints` tests sets against the rules, `experiments.planning.clash`
asks an integer program whether any set meets them all: one formulation serves both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, comb, floor

import numpy as np

from experiments.geo.inference.draws import needed_sets
from experiments.planning.cost import budget_use, usual_spend
from experiments.planning.goal import Goal
from measurement.errors import shown
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Ints

FEWEST_CONTROLS = 3
"""Of a design; an analysis makes do with two."""
EXACT = "reference sets"
"""Field of the rule that the exact test needs; without it a test is read along time."""

type Advice = Callable[[float], str]


@dataclass(frozen=True, eq=False)
class Rule:
    """One constraint: ``low <= matrix @ choice <= high``.

    Attributes:
        field: The field of the goal that asks for it; empty where the method does.
        words: What it asks, as a phrase.
        matrix: Shape (rows, variables).
        low: Shape (rows,).
        high: Shape (rows,).
        measured: The quantity that it bounds, shape (variables,); ``None`` for a rule about names.
        seen: Format of that quantity in a sentence.
        advice: What to ask instead, given the nearest value of the quantity that can be had (any number for a rule
            about names); ``None`` where there is no choice.
    """

    field: str
    words: str
    matrix: Floats
    low: Floats
    high: Floats
    measured: Floats | None = None
    seen: str = ""
    advice: Advice | None = None

    @property
    def bounded_above(self) -> bool:
        """Whether the measured quantity may be too large (it may be too small otherwise)."""
        return bool(np.isfinite(self.high[0]))

    def __str__(self) -> str:
        return f"{self.field}: {self.words}" if self.field else self.words


def variables(treated: Bools, control: Bools) -> Floats:
    """The choice vectors of sets.

    Args:
        treated: Shape (sets, geos).
        control: Same shape.

    Returns:
        Shape (sets, 3 * geos + 1).
    """
    sets, geos = treated.shape
    size = np.zeros((sets, geos + 1))
    size[np.arange(sets), treated.sum(axis=1)] = 1.0
    return np.hstack([treated, control, size])


def blocks_of(panel: Panel, goal: Goal) -> tuple[Ints, ...]:
    """Rows of geos that stay together: clusters (joined where they share a geo), and every other geo alone."""
    root = np.arange(len(panel.geos))
    for cluster in goal.clusters:
        rows = panel.geo_index(cluster)
        root[np.isin(root, root[rows])] = root[rows].min()
    return tuple(np.flatnonzero(root == each) for each in np.unique(root))


def rules_of(panel: Panel, goal: Goal) -> tuple[Rule, ...]:
    """Every rule that a goal sets on a panel."""
    frame = _Frame(panel)
    return (
        *_left_out(frame, panel, goal),
        *_named(frame, panel, goal),
        *_together(frame, panel, goal),
        *_counted(frame, panel, goal),
        *_weighed(frame, panel, goal),
        *_controls(frame, goal),
    )


def controls_needed(size: int, geos: int, alpha: float) -> int:
    """Fewest controls beside ``size`` treated geos: three, and enough for the reference sets of a test at ``alpha``.

    A set of the eligible geos (treated and controls) is as likely as any other of its size: with fewer than 40 sets at
    alpha .10 (in proportion for less), no interval of that level is bounded well.
    """
    sets = needed_sets(alpha)
    return next((n for n in range(FEWEST_CONTROLS, geos + 1) if comb(n + size, size) >= sets), geos + 1)


class _Frame:
    """Rows of rule matrices for a panel of so many geos."""

    def __init__(self, panel: Panel) -> None:
        self.geos = len(panel.geos)
        self.treated = np.eye(self.geos, 3 * self.geos + 1)
        self.control = np.eye(self.geos, 3 * self.geos + 1, k=self.geos)
        self.size = np.eye(self.geos + 1, 3 * self.geos + 1, k=2 * self.geos)

    def fixed(self, field: str, words: str, matrix: Floats, value: float, advice: str | None = None) -> Rule:
        """A rule about names, every row of which has one value."""
        bound = np.full(len(matrix), value)
        return Rule(field, words, matrix, bound, bound, advice=None if advice is None else partial(_always, advice))

    def bounds(
        self,
        field: str,
        words: tuple[str, str],
        row: Floats,
        low: float,
        high: float,
        seen: str,
        advice: tuple[Advice, Advice],
    ) -> Iterator[Rule]:
        """Up to two rules: one for the lower bound, one for the upper; rows are scaled to numbers near one."""
        scale, none = float(np.abs(row).max()) or 1.0, np.full(1, np.inf)
        if np.isfinite(low):
            yield Rule(field, words[0], row[None] / scale, np.full(1, low / scale), none, row, seen, advice[0])
        if np.isfinite(high):
            yield Rule(field, words[1], row[None] / scale, -none, np.full(1, high / scale), row, seen, advice[1])


def _left_out(frame: _Frame, panel: Panel, goal: Goal) -> Iterator[Rule]:
    """Geos that can be neither treated nor controls, and those that cannot be treated."""
    outcome = panel.kpis[goal.kpi or panel.kpi]
    for row in np.flatnonzero(np.ptp(outcome, axis=1) == 0.0):
        words = f"'{shown(panel.geos[row])}' must be left out: its KPI never moves"
        yield frame.fixed("", words, np.stack([frame.treated[row], frame.control[row]]), 0.0)
    for row in panel.geo_index(goal.busy):
        name = shown(panel.geos[row])
        matrix = np.stack([frame.treated[row], frame.control[row]])
        yield frame.fixed("busy", f"'{name}' must be left out", matrix, 0.0, f"wait until '{name}' is free")
    usual = usual_spend(panel, goal, 1)
    if usual is not None and usual.any():
        for row in np.flatnonzero(usual == 0.0):
            words = (
                f"'{shown(panel.geos[row])}' cannot be treated: no spend of {', '.join(map(shown, goal.channel))} there"
            )
            yield frame.fixed("", words, frame.treated[[row]], 0.0)


def _named(frame: _Frame, panel: Panel, goal: Goal) -> Iterator[Rule]:
    for row in panel.geo_index(goal.must_include):
        name = shown(panel.geos[row])
        advice = f"leave '{name}' out of must_include"
        yield frame.fixed("must_include", f"'{name}' must be treated", frame.treated[[row]], 1.0, advice)
    for row in panel.geo_index(goal.exclude):
        name = shown(panel.geos[row])
        advice = f"leave '{name}' out of exclude"
        yield frame.fixed("exclude", f"'{name}' must not be treated", frame.treated[[row]], 0.0, advice)


def _together(frame: _Frame, panel: Panel, goal: Goal) -> Iterator[Rule]:
    for cluster in goal.clusters:
        rows = panel.geo_index(cluster)
        matrix = np.vstack([each[rows[1:]] - each[rows[0]] for each in (frame.treated, frame.control)])
        names = _names(cluster)
        yield frame.fixed("clusters", f"{names} must stay together", matrix, 0.0, f"let {names} be split")
    for pair in goal.adjacent:
        one, other = panel.geo_index(pair)
        treated, control = frame.treated, frame.control
        matrix = np.stack([treated[one] + control[other], treated[other] + control[one]])
        words = f"{_names(pair)} are neighbours: none may be a control while the other is treated"
        advice = partial(_always, f"let {_names(pair)} be split")
        yield Rule("adjacent", words, matrix, np.full(2, -np.inf), np.ones(2), advice=advice)


def _counted(frame: _Frame, panel: Panel, goal: Goal) -> Iterator[Rule]:
    everywhere = frame.treated.sum(axis=0)
    low, high = goal.geos
    words = (f"at least {_geos(low)} treated", f"at most {_geos(high)} treated")
    allow = partial(_allow, "")
    yield from frame.bounds("geos", words, everywhere, low, high, "{:.0f} are treated", (allow, allow))
    for stratum, (few, many) in goal.quotas.items():
        name = shown(stratum)
        inside = np.array([goal.strata.get(geo) == stratum for geo in panel.geos])
        words = (f"at least {_geos(few)} of '{name}' treated", f"at most {_geos(many)} of '{name}' treated")
        seen = f"{{:.0f}} of '{name}' are treated"
        allow = partial(_allow, f" of '{name}'")
        yield from frame.bounds("quotas", words, frame.treated[inside].sum(axis=0), few, many, seen, (allow, allow))


def _weighed(frame: _Frame, panel: Panel, goal: Goal) -> Iterator[Rule]:
    low, high = (goal.share[0] or -np.inf), (goal.share[1] if goal.share[1] < 1 else np.inf)
    sold = panel.kpis[goal.kpi or panel.kpi].sum(axis=1)
    words = (f"at least {low:.4g} of the KPI in treated geos", f"at most {high:.4g} of the KPI in treated geos")
    seen = "the treated geos hold {:.3f} of the KPI"
    row = (sold / sold.sum()) @ frame.treated
    yield from frame.bounds("share", words, row, low, high, seen, (_share_from, _share_to))
    shortest = min(goal.durations)
    use = budget_use(panel, goal, shortest)
    if goal.budget is None or use is None:
        return
    what = "extra spend" if goal.change > 0 else "expected loss"
    most = f"at most {panel.currency} {goal.budget:,.0f} of {what} over {shortest} {panel.period}s"
    seen = f"the {what} is {panel.currency} {{:,.0f}}"
    more = partial(_budget, panel.currency)
    yield from frame.bounds("budget", ("", most), use @ frame.treated, -np.inf, goal.budget, seen, (more, more))


def _controls(frame: _Frame, goal: Goal) -> Iterator[Rule]:
    count = frame.control.sum(axis=0)
    none = np.full(1, np.inf)
    words, seen = f"at least {FEWEST_CONTROLS} geos must be left as controls", "{:.0f} are left"
    yield Rule("", words, count[None], np.full(1, float(FEWEST_CONTROLS)), none, count, seen)
    sizes = np.array([controls_needed(k, frame.geos, goal.alpha) for k in range(frame.geos + 1)], dtype=np.float64)
    one, two = (controls_needed(k, 10_000, goal.alpha) for k in (1, 2))
    words = f"beside few treated geos more controls must be left ({one} beside 1, {two} beside 2): the exact test "
    words += f"compares {needed_sets(goal.alpha)} or more sets of geos that could have been drawn"
    yield Rule(EXACT, words, (count - sizes @ frame.size)[None], np.zeros(1), none, count, seen)


def _names(geos: Sequence[str]) -> str:
    return ", ".join(f"'{shown(geo)}'" for geo in geos)


def _always(advice: str, _best: float) -> str:
    return advice


def _share_from(best: float) -> str:
    return f"ask for a share from {floor(best * 1000) / 1000:g}"


def _share_to(best: float) -> str:
    return f"ask for a share up to {ceil(best * 1000) / 1000:g}"


def _budget(currency: str, best: float) -> str:
    return f"ask for a budget of {currency} {ceil(best):,}"


def _allow(of: str, best: float) -> str:
    return f"allow {_geos(best)}{of} treated"


def _geos(count: float) -> str:
    return f"{count:.0f} {'geo' if round(count) == 1 else 'geos'}"
