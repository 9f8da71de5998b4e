"""Assignment: the near-best sets of which one is drawn, so that the test's null distribution is the design's own.

Sets that share most of their geos see each other's effect, and a randomisation test among them finds little; sets far
from the best find little as well. So pools of several sizes and limits on shared geos are built greedily from the best
set down, and the selection windows say from which of them a drawn set finds most.
"""

from dataclasses import dataclass

import numpy as np

from experiments.design.constraints import Feasible
from experiments.geo.inference.draws import needed_sets
from measurement.typing import Bools, Floats, Ints

LEAST_SHARED = 0.5
"""Share of the geos that may differ freely which two sets of a pool may have in common, where that leaves enough."""
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
        shared: Most geos that two of the sets have in common.
    """

    rows: Ints
    sets: Bools
    donors: Bools
    shared: int


def full_pool(sets: int, alpha: float) -> int:
    """The largest number of sets up to ``sets`` at which the test is nearly as large as alpha allows.

    With ``n`` sets p-values are multiples of ``1/n`` and must be below ``alpha``: just above a multiple of ``1/alpha``
    the largest of them comes close. Never fewer than the analysis wants, where there are as many.
    """
    needed = needed_sets(alpha)
    step = 1.0 / alpha
    full = int(np.floor(np.floor((sets - 1) / step) * step)) + 1
    return full if full >= needed else sets


def pools(sets: Bools, scores: Floats, feasible: Feasible, alpha: float) -> list[Pool]:
    """Pools to compare, the most diverse first; a single short one where the goal does not allow enough sets.

    Args:
        sets: Scored sets, shape (sets, geos).
        scores: The smaller the better, shape (sets,).
        feasible: The sets that the goal allows.
        alpha: Level of the test.
    """
    needed, size, fixed = needed_sets(alpha), int(sets[0].sum()), int(sets.all(axis=0).sum())
    tight = fixed + int(LEAST_SHARED * (size - fixed))
    limits = sorted({min(tight, size - 1), (tight + size - 1) // 2, size - 1})
    found = [_greedy(sets, scores, feasible, shared, alpha) for shared in limits]
    return [pool for pool in found if len(pool.rows) >= needed] or found[-1:]


def _greedy(sets: Bools, scores: Floats, feasible: Feasible, shared: int, alpha: float) -> Pool:
    """From the best set down, every set that shares few enough geos with those taken and leaves out none of theirs."""
    order = np.argsort(scores, kind="stable")
    fewest = needed_sets(alpha) + 1
    left_out = feasible.usable & ~sets & ~feasible.controls(sets)
    taken: list[int] = []
    used, left = np.zeros(sets.shape[1], dtype=np.bool_), np.zeros(sets.shape[1], dtype=np.bool_)
    members = sets.astype(np.float64)
    overlap = np.zeros(len(sets))
    for row in order:
        if len(taken) == fewest + MORE or (len(taken) >= fewest and scores[row] > NEAR * scores[order[0]]):
            break
        if overlap[row] > shared or (sets[row] & left).any() or (left_out[row] & used).any():
            continue
        taken.append(int(row))
        used |= sets[row]
        left |= left_out[row]
        overlap = np.maximum(overlap, members @ members[row])
    rows = np.array(taken[: full_pool(len(taken), alpha)], dtype=np.int64)
    return Pool(rows, sets[rows], feasible.usable & ~left, shared)
