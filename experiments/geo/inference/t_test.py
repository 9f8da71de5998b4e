"""The cross-fitted t-test of a synthetic control (Chernozhukov, Wuthrich and Zhu, arXiv 1812.10820).

The history holds ``K`` blocks of ``r = min(T // K, H)`` periods. Each block is left out of the fit once, and the gap
in it, which the fit did not see, is taken off the gap in the read-out. With ``s`` the standard deviation of these ``K``
estimates, ``sqrt(K) (tau - effect) / (sqrt(1 + K r / H) s)`` is about Student's t with ``K - 1`` degrees of freedom,
as long as the gaps' memory is short beside ``r`` and ``H``.
"""

import numpy as np

from experiments.geo.estimators import Block, Estimator
from experiments.two_sided import StudentTest
from measurement.typing import Floats

FOLDS = 3


def folded_effects(block: Block, estimator: Estimator) -> Floats:
    """Read-out gaps less the mean gap of the block left out, shape (folds, read-out periods)."""
    before, after = block.pre_length, block.post_length
    size = min(before // FOLDS, after)
    found = np.zeros((FOLDS, after))
    for fold, last in enumerate(before - size * np.arange(FOLDS)):  # the blocks nearest to the read-out
        out = np.arange(last - size, last)
        order = np.concatenate([np.setdiff1d(np.arange(before), out), out, np.arange(before, before + after)])
        series = block.outcome[:, block.start + order]
        seen = estimator.fit(Block(series, block.treated, block.donors, 0, before - size, before + after)).effects
        found[fold] = seen[size:] - seen[:size].mean()
    return found


def cross_fitted_test(folded: Floats, effects: Floats, pre_length: int, first: int, last: int) -> StudentTest:
    """Test the mean effect of read-out periods ``first`` to ``last`` (exclusive).

    Args:
        folded: From `folded_effects`, shape (folds, read-out periods).
        effects: The estimator's effects, shape (read-out periods,): their mean is the estimate, so that every part of
            a result adds up; the folds give its error.
        pre_length: Number of pre-periods.
        first: First read-out period.
        last: One past the last.
    """
    size = min(pre_length // FOLDS, effects.size)
    spread = float(folded[:, first:last].mean(axis=1).std(ddof=1))
    error = spread * np.sqrt((1.0 + FOLDS * size / (last - first)) / FOLDS)
    floor = 1e-9 * float(np.abs(effects).mean()) + np.finfo(np.float64).tiny
    return StudentTest(float(effects[first:last].mean()), max(float(error), floor), FOLDS - 1)
