"""A test with several cells and shared control geos: each cell's result, and how their errors hang together.

Every cell is compared with the shared controls only; no cell's treated geos are another's donors. The same controls
stand on the other side of every cell, so their luck moves all estimates at once. Joint draws show by how much: disjoint
sets, one for each cell and as large as it, all drawn from the geos of the test with the found effects taken out, each
beside what is left. The correlation of what they measure, studentised, times the cells' standard errors, is the
covariance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.geo.analysis import analyse_geo
from experiments.geo.case import Case, resolve
from experiments.geo.estimators import DEFAULT, ESTIMATORS, Estimator
from experiments.geo.inference.randomisation import fit_sets, relative_sizes
from experiments.records import Experiment
from experiments.result import Result
from measurement.errors import DataError, Problem, refuse, shown
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Ints, Json

DRAWS = 300


@dataclass(frozen=True, slots=True, eq=False)
class CellResults:
    """The cells of one test.

    Attributes:
        results: One for each cell, in the order of the records.
        covariance: Of the cells' outcome changes, KPI squared, shape (cells, cells).
    """

    results: tuple[Result, ...]
    covariance: Floats

    @property
    def correlation(self) -> Floats:
        """Of the cells' outcome changes, shape (cells, cells)."""
        error = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(error, error))

    def to_records(self) -> list[Experiment]:
        """Each cell's design with its result and its correlations, ready to be imported as evidence."""
        ids, correlation = [result.experiment.experiment_id for result in self.results], self.correlation
        return [
            result.to_record().model_copy(
                update={"correlations": tuple((ids[j], float(correlation[i, j])) for j in range(len(ids)) if j != i)}
            )
            for i, result in enumerate(self.results)
        ]

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "cells": [result.to_dict() for result in self.results],
            "covariance": self.covariance.tolist(),
            "correlation": self.correlation.tolist(),
        }


def analyse_geo_cells(
    panel: Panel, designs: Sequence[Experiment], *, estimator: str = "default", alpha: float = 0.1, seed: int = 0
) -> CellResults:
    """Analyse the cells of one geo test together.

    Args:
        panel: As for one test.
        designs: One record for each cell, with one ``cell_of``, the same dates and the same KPI. Without
            ``control_geos`` the shared controls are all geos that no cell treats.
        estimator: As for one test.
        alpha: One minus the level of the intervals.
        seed: Seed of all draws.

    Raises:
        DataError: Where the records are not cells of one test, or a geo is in two of them.
        DesignError: Where a cell cannot be analysed.
    """
    refuse(_problems(designs))
    taken = {geo for design in designs for geo in design.treatment_geos}
    free = tuple(geo for geo in panel.geos if geo not in taken)
    cells = [d if d.control_geos else d.model_copy(update={"control_geos": free}) for d in designs]
    results = tuple(analyse_geo(panel, cell, estimator=estimator, alpha=alpha, seed=seed) for cell in cells)
    cases = [resolve(panel, cell) for cell in cells]
    effects = [result.average_effect.estimate for result in results]
    many = ESTIMATORS.get(results[0].estimator, ESTIMATORS[DEFAULT])  # those on request are too slow to fit so often
    correlation = joint_correlation(cases, effects, many, seed)
    errors = np.array([result.outcome_change.std_error for result in results])
    return CellResults(results, correlation * np.outer(errors, errors))


def joint_correlation(cases: Sequence[Case], effects: Sequence[float], estimator: Estimator, seed: int) -> Floats:
    """Correlation of the cells' estimates from joint draws of disjoint sets, shape (cells, cells).

    Args:
        cases: The cells on one panel, with one window.
        effects: Found effect per treated geo and period of each cell.
        estimator: The estimator.
        seed: Seed of the draws.
    """
    first = cases[0]
    block = first.block(estimator.whole_weeks)
    outcome = first.outcome.copy()
    for case, effect in zip(cases, effects, strict=True):
        share = relative_sizes(outcome[:, block.start : block.onset], case.treated)
        outcome[:, block.onset : block.end] -= effect * share[:, None]
    units = np.unique(np.concatenate([case.units for case in cases]))
    sets = _disjoint(units, [len(case.treated) for case in cases], len(outcome), np.random.default_rng(seed))
    pool = np.isin(np.arange(len(outcome)), units)
    drawn = sets.any(axis=0)
    window = block.start, block.onset, block.end
    studentised = []
    for members in sets:
        made = fit_sets(outcome, members, pool & ~drawn, window, estimator)
        studentised.append(made.paths.mean(axis=1) / made.errors)
    moments = np.array(studentised) @ np.array(studentised).T
    error = np.sqrt(np.diag(moments))
    return np.asarray(moments / np.outer(error, error))


def _disjoint(units: Ints, sizes: Sequence[int], geos: int, rng: np.random.Generator) -> Bools:
    """Disjoint sets, one for each cell, shape (cells, draws, geos)."""
    sets = np.zeros((len(sizes), DRAWS, geos), dtype=np.bool_)
    ends = np.cumsum([0, *sizes])
    for draw in range(DRAWS):
        order = rng.permutation(units)
        for cell in range(len(sizes)):
            sets[cell, draw, order[ends[cell] : ends[cell + 1]]] = True
    return sets


def _problems(designs: Sequence[Experiment]) -> list[Problem]:
    if len(designs) < 2:
        raise DataError(f"a test with several cells needs two records or more, found {len(designs)}")
    names = {design.cell_of for design in designs}
    if len(names) > 1 or None in names:
        found = ", ".join(f"'{shown(name)}'" if name else "none" for name in names)
        raise DataError([Problem(f"found {found}; the cells of one test share it", column="cell_of", code="cells")])
    problems = []
    for field in ("start_date", "end_date", "read_out_end", "kpi"):
        values = dict.fromkeys(getattr(design, field) for design in designs)
        if len(values) > 1:
            words = f"differs between the cells ({', '.join(map(shown, values))}); analyse them one by one"
            problems.append(Problem(words, column=field, code="cells"))
    for i, design in enumerate(designs):
        for other in (*designs[:i], *designs[i + 1 :]):
            both = [geo for geo in design.control_geos if geo in other.treatment_geos]
            problems += [_taken(geo, other, "control_geos") for geo in both]
        for other in designs[i + 1 :]:
            both = [geo for geo in design.treatment_geos if geo in other.treatment_geos]
            problems += [_taken(geo, other, "treatment_geos") for geo in both]
    return problems


def _taken(geo: str, other: Experiment, field: str) -> Problem:
    words = f"geo '{shown(geo)}' is treated in the cell '{shown(other.experiment_id)}'"
    return Problem(words, column=field, code="cells")
