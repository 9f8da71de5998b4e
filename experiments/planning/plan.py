"""Plan a geo test: from a panel and a goal to ranked designs, or to the power of given markets."""

from dataclasses import dataclass

import numpy as np

from experiments.geo.case import FEWEST_DONORS, weekly_pattern
from experiments.geo.inference.draws import needed_sets
from experiments.planning.assignment import Pool, pools
from experiments.planning.constraints import Feasible, laid_on
from experiments.planning.cost import budget_use, cost
from experiments.planning.goal import Goal, part_weeks
from experiments.planning.power import Power, Stage, rehearse, summarise
from experiments.planning.proposal import Design, Designs, day_after, recommended
from experiments.planning.rank import ranked
from experiments.planning.reference import stood_in
from experiments.planning.search import Progress, Scored, Search
from experiments.planning.windows import Windows, all_planning, held_back
from experiments.records import Assignment
from measurement.errors import DataError, DesignError, Problem, refuse, shown
from measurement.panel import Panel
from measurement.typing import Bools

CANDIDATES = 1000
"""Sets to begin with, over all sizes."""
FEWEST_CANDIDATES = 150
"""Of each size."""
_SEARCH = 1  # the search's own stream of chance, so that the draw depends on the seed and the pool alone


def design(panel: Panel, goal: Goal, *, progress: Progress | None = None) -> Designs:
    """Find designs that answer a goal: which geos, how many, for how long.

    Sets of geos are chosen in earlier windows of the panel's history, and what they can find is read from later ones.
    Of the near-best sets one is drawn by chance; the record holds all of them, so that the analysis tests against the
    design's own null distribution.

    Args:
        panel: KPI by geo and period; media too where money should be known.
        goal: What is asked. One that names ``treatment_geos`` gets the power of these and nothing is searched.
        progress: Called with steps done, steps in all and what was done; it may raise to stop.

    Returns:
        Designs, ranked, with a recommendation.

    Raises:
        DataError: Where goal or data are wrong.
        DesignError: Where no design meets the constraints or the history is too short to rehearse one.
    """
    if goal.cells > 1:
        words = f"is {goal.cells}; a test of several cells is planned by experiments.design_cells"
        raise DataError([Problem(words, column="cells", code="cells")])
    feasible = laid_on(panel, goal)
    made = _given(panel, goal, feasible, progress) if goal.treatment_geos else _found(panel, goal, feasible, progress)
    designs, notes = made
    if not designs:
        raise DesignError("; ".join(notes))
    best_first = ranked(designs)
    return Designs(tuple(best_first), recommended(best_first[0], panel.period), tuple(notes))


def power(panel: Panel, goal: Goal, *, progress: Progress | None = None) -> Design:
    """What a test of given markets can find; nothing is selected, so every window of the history counts.

    Args:
        panel: KPI by geo and period.
        goal: With ``treatment_geos``. Of several durations the best is kept; `design` gives all of them.
        progress: As for `design`.

    Raises:
        DataError: Where goal or data are wrong, or no markets are named.
        DesignError: Where the history is too short to rehearse the test, or too few geos are left as controls.
    """
    if not goal.treatment_geos:
        raise DataError([Problem("is missing; name the markets", column="treatment_geos", code="missing-geos")])
    return design(panel, goal, progress=progress).best


type _Made = tuple[list[Design], list[str]]  # designs, and what cannot be had


def _found(panel: Panel, goal: Goal, feasible: Feasible, progress: Progress | None) -> _Made:
    """One design of every size and length that the goal allows."""
    stage = stage_of(panel, goal, feasible.usable)
    lengths = {duration: duration + goal.cooldown for duration in goal.durations}
    windows = held_back(len(panel.dates), tuple(lengths.values()))
    open_to = [duration for duration, length in lengths.items() if windows.planning[length]]
    notes = [_too_long(panel, goal, duration) for duration in lengths if duration not in open_to]
    if not open_to:
        return [], notes
    _refuse_still(panel, stage, feasible.usable, windows.selection[0])
    search = Search(stage, feasible, windows.selection, [lengths[duration] for duration in open_to])
    designs, sizes = [], feasible.counts
    rng = np.random.default_rng([goal.seed, _SEARCH])
    for step, size in enumerate(sizes):
        scored = search.run(size, max(CANDIDATES // len(sizes), FEWEST_CANDIDATES), rng)
        for duration in open_to:
            made = _drawn(panel, goal, search, windows, _within_budget(panel, goal, scored, duration), duration)
            if made is None:
                notes.append(f"{size} geos for {duration} {panel.period}s: no set is within the budget")
            else:
                designs.append(made)
        if progress is not None:
            progress(step + 1, len(sizes), f"{size} treated {'geo' if size == 1 else 'geos'}")
    return designs, notes


def _within_budget(panel: Panel, goal: Goal, scored: Scored, duration: int) -> Scored:
    """Sets that the budget allows for this long (the goal's constraints look at the shortest duration)."""
    use = budget_use(panel, goal, duration)
    if goal.budget is None or use is None:
        return scored
    return scored.keep(scored.sets @ use <= goal.budget)


def _drawn(panel: Panel, goal: Goal, search: Search, windows: Windows, scored: Scored, duration: int) -> Design | None:
    """The design of one size and length: the pool that finds most in the selection windows, and one set of it."""
    if len(scored.sets) == 0:
        return None
    length = duration + goal.cooldown
    stage, onsets = search.stage, windows.planning[length]
    kpi = np.abs(stage.outcome[:, : windows.selection[0]]).mean(axis=1)
    choices = pools(scored.sets, scored.scores[length], kpi, search.feasible, goal.alpha)
    if len(choices[0].sets) >= needed_sets(goal.alpha):
        tried = [(pool, rehearse(stage, pool.sets, pool.donors, None, windows.selection, length)) for pool in choices]
        pool, before = min(tried, key=lambda each: summarise(each[1], goal.power).mde)
        later = rehearse(stage, pool.sets, pool.donors, None, onsets, length)
        words = f"exact randomisation test among the {len(pool.sets)} sets of the draw"
    else:
        pool = choices[0]
        before, _ = stood_in(panel, stage, pool.sets, pool.donors, windows.selection, length, goal.seed)
        later, words = stood_in(panel, stage, pool.sets, pool.donors, onsets, length, goal.seed)
        words = f"{words} (the constraints leave only {len(pool.sets)} sets to draw from)"
    treated = pool.sets[np.random.default_rng(goal.seed).integers(len(pool.sets))]
    drawn = _Arms(treated, pool.donors & ~treated, _assignment(panel, pool, goal.seed))
    return _described(panel, goal, drawn, duration, summarise(later, goal.power, before), words, search.feasible.notes)


def _assignment(panel: Panel, pool: Pool, seed: int) -> Assignment:
    """How the set was drawn: ``np.random.default_rng(seed).integers(sets)`` is its place among the candidates."""
    eligible = pool.donors | pool.sets.any(axis=0)
    candidates = tuple(_names(panel, each) for each in pool.sets)
    return Assignment(rule="near_best", seed=seed, eligible=_names(panel, eligible), candidates=candidates)


def _given(panel: Panel, goal: Goal, feasible: Feasible, progress: Progress | None) -> _Made:
    """One design of every length for the planner's own markets."""
    treated = np.isin(np.arange(len(panel.geos)), panel.geo_index(goal.treatment_geos))
    controls = feasible.controls(treated[None])[0]
    if controls.sum() < FEWEST_DONORS:
        words = f"{controls.sum()} geos are left as controls; {FEWEST_DONORS} or more are needed"
        raise DesignError(words)
    stage = stage_of(panel, goal, treated | controls)
    remarks = ["the markets were chosen, not drawn: the analysis takes them as if they had been"]
    remarks += [f"breaks a constraint: {reason}" for reason in feasible.why_not(treated)]
    designs, notes = [], []
    for step, duration in enumerate(goal.durations):
        length = duration + goal.cooldown
        onsets = all_planning(len(panel.dates), length)
        if onsets:
            _refuse_still(panel, stage, treated | controls, onsets[0])
            later, words = stood_in(panel, stage, treated[None], treated | controls, onsets, length, goal.seed)
            arms = _Arms(treated, controls, None)
            found = summarise(later, goal.power)
            designs.append(_described(panel, goal, arms, duration, found, words, tuple(remarks)))
        else:
            notes.append(_too_long(panel, goal, duration))
        if progress is not None:
            progress(step + 1, len(goal.durations), f"{duration} {panel.period}s")
    return designs, notes


@dataclass(frozen=True, slots=True, eq=False)
class _Arms:
    """Treated and control geos, shape (geos,) each, and how they were drawn."""

    treated: Bools
    controls: Bools
    assignment: Assignment | None


def _described(
    panel: Panel, goal: Goal, arms: _Arms, duration: int, found: Power, inference: str, notes: tuple[str, ...]
) -> Design:
    """Put names and money on a rehearsed design."""
    rows, length = np.flatnonzero(arms.treated), duration + goal.cooldown
    absolute = found.mde * float(np.abs(panel.kpis[goal.kpi or panel.kpi][rows, -length:]).sum())
    money = cost(panel, goal, rows, duration, absolute if np.isfinite(absolute) else None)
    detectable = None
    if money.spend_delta and np.isfinite(absolute) and goal.kpi in (None, panel.kpi):
        detectable = absolute * panel.kpi_value / abs(money.spend_delta)
    return Design(
        goal=goal,
        treatment_geos=_names(panel, arms.treated),
        control_geos=_names(panel, arms.controls),
        duration=duration,
        cooldown=goal.cooldown,
        power=found,
        mde_absolute=absolute,
        cost=money,
        detectable_return=detectable,
        inference=inference,
        assignment=arms.assignment,
        next_day=day_after(panel),
        period=panel.period,
        notes=(*notes, *part_weeks(panel, length)),
    )


def stage_of(panel: Panel, goal: Goal, units: Bools) -> Stage:
    """The panel's history as a stage for rehearsals; the geos that take part must have numbers throughout."""
    outcome = panel.kpis[goal.kpi or panel.kpi]
    lacking = np.flatnonzero(units & ~np.isfinite(outcome).all(axis=1))
    words = "has no number for its KPI in some periods"
    refuse([Problem(f"geo '{shown(panel.geos[row])}' {words}", code="not-finite") for row in lacking])
    weekly = panel.period == "day" and weekly_pattern(outcome[units])
    return Stage(outcome, goal.alpha, 1 if goal.change > 0 else -1, weekly)


def _refuse_still(panel: Panel, stage: Stage, units: Bools, onset: int) -> None:
    """Refuse geos whose KPI does not move before the first rehearsal: nothing can be matched to them."""
    still = np.flatnonzero(units & (np.ptp(stage.outcome[:, :onset], axis=1) == 0.0))
    words = f"has the same KPI in every {panel.period} before {panel.dates[onset]}, where the first rehearsal begins"
    words += ": name it in busy to leave it out"
    refuse([Problem(f"geo '{shown(panel.geos[row])}' {words}", code="zero-variance-geo") for row in still])


def _names(panel: Panel, geos: Bools) -> tuple[str, ...]:
    return tuple(panel.geos[row] for row in np.flatnonzero(geos))


def _too_long(panel: Panel, goal: Goal, duration: int) -> str:
    after = f" and a cool-down of {goal.cooldown}" if goal.cooldown else ""
    return (
        f"{len(panel.dates)} {panel.period}s of history are too few to rehearse a test of {duration}{after} in windows "
        "that choose the geos and in others that do not: take a shorter test or a longer history"
    )
