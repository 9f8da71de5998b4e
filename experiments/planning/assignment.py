"""Assignment: the near-best sets of which one is drawn, so that the test's null distribution is the design's own.

Sets that share most of their KPI see each other's effect, and a randomisation test among them finds little; sets far
from the best find little as well. So pools with several limits on what two sets may share are built greedily from the
best set down, and the selection windows say from which of them a drawn set finds most.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.inference.draws import needed_sets
from experiments.planning.constraints import Feasible
from measurement.typing import Bools, Floats, Ints

LIMITS = (0.5, 0.7, 0.9, 1.0)
"""Largest part of the smaller set's KPI that two sets of a pool may have in common."""
MORE = 40
"""By how many sets a pool may be larger than it must be."""
NEAR = 1.25
"""A set joins a pool beyond the fewest only while its score is within this factor of the best."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Near-best sets.

    Attributes:
        rows: Their places among the scored sets, best first.
        sets: Shape (sets, geos).
        donors: Geos that take part with every one of them: no set treats a geo that another one leaves out, shape
            (geos,).
        shared: Largest part of the smaller one's KPI that two of the sets may have in common.
    """

    rows: Ints
    sets: Bools
    donors: Bools
    shared: float


def full_pool(sets: int, alpha: float) -> int:
    """The largest number of sets up to ``sets`` at which the test is nearly as large as alpha allows.

    With ``n`` sets p-values are multiples of ``1/n`` and must be below ``alpha``: just above a multiple of ``1/alpha``
    the largest of them comes close. Never fewer than the analysis wants, where there are as many.
    """
    needed = needed_sets(alpha)
    step = 1.0 / alpha
    full = int(np.floor(np.floor((sets - 1) / step) * step)) + 1
    return full if full >= needed else sets


def pools(sets: Bools, scores: Floats, kpi: Floats, feasible: Feasible, alpha: float) -> list[Pool]:
    """Pools to compare, the most diverse first; a single short one where the goal does not allow enough sets.

    Args:
        sets: Scored sets, shape (sets, geos).
        scores: The smaller the better, shape (sets,).
        kpi: Size of each geo, shape (geos,).
        feasible: The sets that the goal allows.
        alpha: Level of the test.
    """
    found: list[Pool] = []
    for shared in LIMITS:
        pool = _greedy(sets, scores, kpi, feasible, shared, needed_sets(alpha) + 1)
        full = full_pool(len(pool.rows), alpha)
        pool = Pool(pool.rows[:full], pool.sets[:full], pool.donors, shared)
        if not any(np.array_equal(pool.rows, other.rows) for other in found):
            found.append(pool)
    return [pool for pool in found if len(pool.rows) >= needed_sets(alpha)] or found[-1:]


def _greedy(sets: Bools, scores: Floats, kpi: Floats, feasible: Feasible, shared: float, fewest: int) -> Pool:
    """From the best set down, every set that shares little enough with those taken and leaves out none of theirs."""
    order = np.argsort(scores, kind="stable")
    left_out = feasible.usable & ~sets & ~feasible.controls(sets)
    taken: list[int] = []
    used, left = np.zeros(sets.shape[1], dtype=np.bool_), np.zeros(sets.shape[1], dtype=np.bool_)
    weighed = sets * kpi
    sizes = weighed.sum(axis=1)
    common = np.zeros(len(sets))
    for row in order:
        if len(taken) == fewest + MORE or (len(taken) >= fewest and scores[row] > NEAR * scores[order[0]]):
            break
        if common[row] > shared or (sets[row] & left).any() or (left_out[row] & used).any():
            continue
        taken.append(int(row))
        used |= sets[row]
        left |= left_out[row]
        common = np.maximum(common, weighed @ sets[row] / np.minimum(sizes, sizes[row]))
    rows = np.array(taken, dtype=np.int64)
    return Pool(rows, sets[rows], feasible.usable & ~left, shared)
