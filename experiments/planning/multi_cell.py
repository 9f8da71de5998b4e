"""Plan a test of several cells: disjoint sets of treated geos against one control.

The cells are sets of the near-best pool of a design with one cell (`experiments.planning.plan`), drawn together: any
tuple of sets that have no geo in common is as likely as any other. So, given what the other cells treat, a cell's set
is any set of the pool that has no geo of theirs, each as likely: these are its reference sets, and its test is exact.

Each cell is planned at alpha over the number of cells (Bonferroni). Holm's step-down procedure, by which the results
may be read, finds at least as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from experiments.geo.inference.draws import needed_sets
from experiments.planning.constraints import laid_on
from experiments.planning.cost import Cost, cost, total
from experiments.planning.goal import Goal
from experiments.planning.plan import design, stage_of
from experiments.planning.power import Stage, rehearse, summarise
from experiments.planning.proposal import Design
from experiments.planning.rank import ranked
from experiments.planning.reference import stood_in
from experiments.planning.rules import FEWEST_CONTROLS
from experiments.planning.search import Progress
from experiments.planning.windows import held_back
from experiments.records import Assignment, Experiment
from measurement.errors import DesignError, Problem, refuse
from measurement.panel import Panel
from measurement.typing import Bools, Json

TRIES = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class CellDesign:
    """One test of several cells.

    Attributes:
        cells: A design for each; they share their control geos.
        score: 0 to 100, that of the cell that finds least.
        notes: What a planner should know.
    """

    cells: tuple[Design, ...]
    score: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def weakest(self) -> Design:
        """The cell that finds least."""
        return max(self.cells, key=lambda cell: cell.mde)

    @property
    def cost(self) -> Cost:
        """Money of all cells together."""
        return total([cell.cost for cell in self.cells])

    def records(self, start: date | None = None, experiment_id: str | None = None) -> tuple[Experiment, ...]:
        """One record for each cell, ready for `experiments.analyse_cells` once the test has run.

        Args:
            start: First day; the day after the panel where ``None``.
            experiment_id: Name of the test, from which the cells have theirs.
        """
        first = self.cells[0].record(start, experiment_id)
        name = first.experiment_id
        return tuple(
            cell.record(start, f"{name}-cell-{number}").model_copy(update={"cell_of": name})
            for number, cell in enumerate(self.cells, 1)
        )

    def to_dict(self) -> Json:
        """As plain JSON values: what the cell that finds least can find, and all cells."""
        weakest = self.weakest.to_dict()
        common = (
            "method",
            "duration",
            "cooldown",
            "control_geos",
            "mde",
            "mde_absolute",
            "power_wanted",
            "power_curve",
            "false_positive_rate",
            "inference",
        )
        return {
            **{name: weakest[name] for name in common},
            "treatment_geos": [geo for cell in self.cells for geo in cell.treatment_geos],
            "cost": self.cost.to_dict(),
            "score": self.score,
            "reasons": [f"of the cell that finds least: {reason}" for reason in self.weakest.reasons],
            "notes": list(self.notes),
            "cells": [cell.to_dict() for cell in self.cells],
        }


@dataclass(frozen=True, slots=True, eq=False)
class CellDesigns:
    """Tests of several cells, the best first.

    Attributes:
        designs: One for every size and length that can be had.
        recommendation: One plain sentence.
        notes: Sizes and lengths that cannot be had, and why.
    """

    designs: tuple[CellDesign, ...]
    recommendation: str
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> CellDesign:
        """The first of them."""
        return self.designs[0]

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "designs": [each.to_dict() for each in self.designs],
            "recommendation": self.recommendation,
            "notes": list(self.notes),
        }


def design_cells(
    panel: Panel, goal: Goal, *, changes: Sequence[float] = (), progress: Progress | None = None
) -> CellDesigns:
    """Find tests of ``goal.cells`` cells with a shared control.

    Constraints hold for each cell (``geos``, ``share`` and ``quotas`` too); the budget is shared out evenly.

    Args:
        panel: KPI by geo and period; media too where money should be known.
        goal: What is asked.
        changes: Change of spend of each cell, as a share of business as usual; the goal's own for all where empty.
        progress: As for `experiments.planning.plan.design`.

    Raises:
        DataError: Where goal or data are wrong, or geos are named that would be in every cell.
        DesignError: Where no design meets the constraints, or no disjoint cells can be drawn.
    """
    goals = [replace(goal, spend_change=change) for change in changes] or [goal] * goal.cells
    refuse(_problems(panel, goal, goals))
    panel = panel.with_kpi(goal.kpi) if goal.kpi else panel
    share = None if goal.budget is None else goal.budget / goal.cells
    largest = max(goals, key=lambda each: abs(each.change))
    single = replace(largest, cells=1, alpha=goal.alpha / goal.cells, budget=share)
    found = design(panel, single, progress=progress)
    stage = stage_of(panel, single, laid_on(panel, single).usable)
    made, notes = [], list(found.notes)
    for each in found.designs:
        drawn = _split(panel, stage, each, [replace(own, cells=1, alpha=single.alpha, budget=share) for own in goals])
        if isinstance(drawn, str):
            notes.append(f"{len(each.treatment_geos)} geos a cell for {each.duration} {panel.period}s: {drawn}")
        else:
            made.append(drawn)
    if not made:
        raise DesignError(f"no {goal.cells} cells can be drawn: {'; '.join(notes)}")
    best = _ranked(made)
    return CellDesigns(tuple(best), _recommended(goal, best[0], panel.period), tuple(notes))


def _problems(panel: Panel, goal: Goal, goals: Sequence[Goal]) -> list[Problem]:
    found = goal.problems(panel)
    if goal.cells < 2:
        words = f"found {goal.cells}; a test of one cell is planned by design"
        found.append(Problem(words, column="cells", code="cells"))
    elif len(goals) != goal.cells:
        words = f"found {len(goals)} for {goal.cells} cells; give one for each"
        found.append(Problem(words, column="changes", code="cells"))
    elif goal.alpha / goal.cells < 0.01:
        words = f"found {goal.alpha:g}; shared out over {goal.cells} cells it is below .01"
        found.append(Problem(words, column="alpha", code="alpha"))
    for name in ("must_include", "treatment_geos"):
        if getattr(goal, name):
            words = "names geos that would be in every cell; cells have no geo in common, so leave it out"
            found.append(Problem(words, column=name, code="cells"))
    seen = {str(problem) for problem in found}
    return found + [each for own in goals for each in own.problems(panel) if str(each) not in seen]


def _split(panel: Panel, stage: Stage, single: Design, goals: Sequence[Goal]) -> CellDesign | str:
    """Cells drawn from the pool of a design with one cell, or why there are none."""
    place = {geo: row for row, geo in enumerate(panel.geos)}
    pool = np.zeros((len(single.assignment.candidates) if single.assignment else 0, len(place)), dtype=np.bool_)
    for row, names in enumerate(single.assignment.candidates if single.assignment else ()):
        pool[row, [place[geo] for geo in names]] = True
    units = np.isin(panel.geos, (*single.treatment_geos, *single.control_geos))
    needed = needed_sets(single.goal.alpha * len(goals))
    exact = _spread(pool, len(goals), needed)
    drawn = _disjoint(pool if exact is None else exact, len(goals), single.goal.seed)
    if drawn is None:
        return f"its near-best sets hold no {len(goals)} without a geo in common"
    controls = units & ~drawn.any(axis=0)
    if controls.sum() < FEWEST_CONTROLS:
        return f"{int(controls.sum())} geos would be left as controls; {FEWEST_CONTROLS} or more are needed"
    parts = _Parts(panel, stage, single, pool if exact is None else exact, exact is not None, controls)
    cells = [parts.cell(own, drawn, number) for number, own in enumerate(goals)]
    notes = [
        f"each cell is planned at alpha {single.goal.alpha:.3g}, so that all {len(goals)} together err in "
        f"{single.goal.alpha * len(goals):.0%} of tests at most; read their p-values after Holm"
    ]
    if exact is None:
        notes.append(f"fewer than {needed} sets have no geo of the other cells: any set stands in for them")
    return CellDesign(tuple(cells), notes=tuple(notes))


def _spread(pool: Bools, cells: int, needed: int) -> Bools | None:
    """The pool without the sets that meet most others, until whatever the others treat leaves each cell enough sets.

    ``None`` where that is never so.
    """
    meet = (pool.astype(np.float64) @ pool.T) > 0
    keep = np.ones(len(pool), dtype=np.bool_)
    while keep.sum() >= needed:
        met = np.where(keep, meet[:, keep].sum(axis=1), 0)
        if keep.sum() - (cells - 1) * met.max() >= needed:
            return pool[keep]
        keep[int(met.argmax())] = False
    return None


def _disjoint(pool: Bools, cells: int, seed: int) -> Bools | None:
    """One tuple of disjoint sets, every one as likely, shape (cells, geos): the first of many random tuples that is."""
    if len(pool) < cells:
        return None
    rng = np.random.default_rng(seed)
    tuples = rng.integers(len(pool), size=(TRIES, cells))
    apart = np.ones(TRIES, dtype=np.bool_)
    meet = (pool.astype(np.float64) @ pool.T) > 0
    for one in range(cells):
        for other in range(one):
            apart &= ~meet[tuples[:, one], tuples[:, other]]
    return pool[tuples[int(apart.argmax())]] if apart.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What the cells of one test have in common."""

    panel: Panel
    stage: Stage
    single: Design
    pool: Bools
    exact: bool
    controls: Bools

    def cell(self, goal: Goal, drawn: Bools, number: int) -> Design:
        """The design of one cell, beside the others."""
        treated, others = drawn[number], np.delete(drawn, number, axis=0).any(axis=0)
        sets, units = self.pool[~(self.pool & others).any(axis=1)], self.controls | treated
        length = self.single.duration + self.single.cooldown
        windows = held_back(len(self.panel.dates), tuple(each + goal.cooldown for each in goal.durations))
        onsets = windows.planning[length]
        stage = replace(self.stage, sign=1 if goal.change > 0 else -1)
        if self.exact:
            later = rehearse(stage, sets, units, None, onsets, length)
            words = f"exact randomisation test among the {len(sets)} sets of the draw without a geo of another cell"
        else:
            later, words = stood_in(self.panel, stage, sets, units, onsets, length, goal.seed)
        found = summarise(later, goal.power)
        rows = np.flatnonzero(treated)
        absolute = found.mde * abs(float(self.panel.outcome[rows, -length:].sum()))
        money = cost(self.panel, goal, rows, self.single.duration, absolute if np.isfinite(absolute) else None)
        names = [
            tuple(self.panel.geos[row] for row in np.flatnonzero(each)) for each in (treated, self.controls, units)
        ]
        candidates = tuple(tuple(self.panel.geos[row] for row in np.flatnonzero(each)) for each in sets)
        drawn_so = Assignment(rule="near_best", seed=goal.seed, eligible=names[2], candidates=candidates)
        detectable = None
        if money.spend_delta and np.isfinite(absolute):
            detectable = absolute * self.panel.kpi_value / abs(money.spend_delta)
        return replace(
            self.single,
            goal=goal,
            treatment_geos=names[0],
            control_geos=names[1],
            power=found,
            mde_absolute=absolute,
            cost=money,
            detectable_return=detectable,
            inference=words,
            assignment=drawn_so,
        )


def _ranked(made: Sequence[CellDesign]) -> list[CellDesign]:
    """The tests by the rank of the cell that finds least, with its score and reasons."""
    by_shape = {(len(each.weakest.treatment_geos), each.weakest.duration): each for each in made}
    found = []
    for best in ranked([each.weakest for each in made]):
        test = by_shape[len(best.treatment_geos), best.duration]
        cells = tuple(best if cell is test.weakest else cell for cell in test.cells)
        found.append(replace(test, cells=cells, score=best.score))
    return found


def _recommended(goal: Goal, best: CellDesign, periods: str) -> str:
    weakest = best.weakest
    cells = "; ".join(", ".join(cell.treatment_geos) for cell in best.cells)
    what = f"{goal.cells} cells of {len(weakest.treatment_geos)} for {weakest.duration} {periods}s ({cells})"
    if not np.isfinite(weakest.mde):
        return f"No effect of any size would be found reliably in every cell; the least bad is {what}."
    return f"Treat {what}: in each an effect of {weakest.mde:.1%} is found {weakest.power.in_words(goal.power)}."
