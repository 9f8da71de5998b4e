"""Cyclic-block conformal inference, for tests with too few control geos for placebo sets.

Chernozhukov, Wuthrich and Zhu (2021): under the true effect the gaps are exchangeable up to a cyclic shift in time.
The statistic is the absolute sum of the gaps in the read-out; weights and level come from the pre-period only.
Gaps of a fit in its own pre-period are too small to compare with (90 % intervals from them covered 23–76 % on nine
kinds of panels), so each half of the pre-period is judged by a fit to the other half (83–95 %).

With ``a_j`` the sum over the read-out moved by ``j`` periods and ``n_j`` its overlap with the true read-out (length
``H``), shift ``j`` counts against an effect ``e`` per period where ``|a_j - n_j e| >= |a_0 - H e|``. That holds between
``(a_0 - a_j) / (H - n_j)`` and ``(a_0 + a_j) / (H + n_j)``, both sides of the estimate, so the p-value falls away from
the estimate on either side and the interval is exact, without a grid.
"""

import numpy as np

from experiments.geo.estimators import Block, Estimator
from experiments.two_sided import InvertedTest
from measurement.typing import Floats

FEWEST_PERIODS = 20


def conformal_test(gap: Floats, pre_length: int, first: int = 0, last: int | None = None) -> InvertedTest:
    """Test the mean effect of read-out periods ``first`` to ``last`` (exclusive, counted from the onset).

    Args:
        gap: Observed minus counterfactual, shape (periods,), pre-period then read-out.
        pre_length: Number of pre-periods.
        first: First read-out period of the sum.
        last: One past the last; the whole read-out where ``None``.

    Only the pre-period and the asked-for read-out periods are shifted, so that other treated periods do not count.
    """
    chosen = gap[pre_length:][first:last]
    series = np.append(gap[:pre_length], chosen)
    length, count = chosen.size, series.size
    window = (np.arange(count)[:, None] + np.arange(pre_length, count)[None, :]) % count
    sums = series[window].sum(axis=1)
    overlap = (window >= pre_length).sum(axis=1)
    own, others = sums[0], overlap[1:] < length
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (own - sums[1:]) / (length - overlap[1:]), (own + sums[1:]) / (length + overlap[1:])
    lows, highs = np.where(others, np.minimum(one, two), -np.inf), np.where(others, np.maximum(one, two), np.inf)
    return InvertedTest(float(own / length), np.append(-np.inf, lows), np.append(np.inf, highs))


def cross_fitted_gap(block: Block, estimator: Estimator) -> Floats:
    """The gap with each half of the pre-period seen from the other half, shape (periods,)."""
    length = block.pre_length
    history = block.outcome[:, block.start : block.onset]
    gap = np.append(np.zeros(length), estimator.fit(block).effects)
    for held_back in np.array_split(np.arange(length), 2):
        order = np.append(np.setdiff1d(np.arange(length), held_back), held_back)
        turned = Block(history[:, order], block.treated, block.donors, 0, length - held_back.size, length)
        gap[held_back] = estimator.fit(turned).effects
    return gap
