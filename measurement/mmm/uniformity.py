"""Whether ranks are uniform: the chi-square test on bins, and the simultaneous band of the empirical distribution.

Both take ranks 0 to ``top`` of a truth among ``top`` draws, which are uniform where the draws come from the posterior
(Cook, Gelman and Rubin 2006; Talts et al. 2018, "Validating Bayesian inference algorithms with simulation-based
calibration"). The band is that of Säilynoja, Bürkner and Vehtari (2022, "Graphical test for discrete uniformity and its
applications in goodness-of-fit evaluation and multiple sample comparison"); its p-value is worked out exactly.
"""

import numpy as np
from scipy.stats import binom, chisquare

from measurement.typing import Floats, Ints

SMALLEST = 1e-12


def chi_square(ranks: Ints, top: int, bins: int) -> float:
    """p-value of the chi-square test on bins of equal size.

    Args:
        ranks: Ranks, shape (runs,).
        top: The largest rank; ``top + 1`` must be a multiple of ``bins``.
        bins: Number of bins.
    """
    counts = np.diff(_below(ranks, top, bins), prepend=0)
    return float(chisquare(np.append(counts, len(ranks) - counts.sum())).pvalue)


def band(ranks: Ints, top: int, bins: int) -> float:
    """p-value of the empirical distribution's simultaneous band, at the edges of the bins.

    The statistic is the smallest two-sided binomial tail over all edges. Under uniformity the numbers of ranks below
    the edges are a Markov chain, so the chance that all stay inside the band of the statistic is a product of small
    matrices: exact down to `SMALLEST`, where rounding begins.
    """
    runs, below = len(ranks), _below(ranks, top, bins)
    edges = np.arange(1, bins) / bins
    inside = []
    least = min(_tail(count, runs, edge) for count, edge in zip(below, edges, strict=True))
    every = np.arange(runs + 1)
    for edge in edges:
        inside.append(every[_tails(every, runs, edge) > least * (1 + 1e-9)])
    at, chance = np.zeros(1, dtype=np.int64), np.ones(1)
    for step, reached in enumerate(inside):
        more = reached - at[:, None]
        chance = chance @ binom.pmf(more, runs - at[:, None], 1 / (bins - step))
        at = reached
    return float(np.clip(1.0 - chance.sum(), SMALLEST, 1.0))


def _below(ranks: Ints, top: int, bins: int) -> Ints:
    """Number of ranks below each inner edge, shape (bins - 1,)."""
    if (top + 1) % bins:
        raise ValueError(f"{top + 1} possible ranks do not fall into {bins} equal bins")
    edges = np.arange(1, bins) * ((top + 1) // bins)
    return np.asarray((ranks[:, None] < edges).sum(0), dtype=np.int64)


def _tails(count: Ints, runs: int, chance: float) -> Floats:
    return np.asarray(2 * np.minimum(binom.cdf(count, runs, chance), binom.sf(count - 1, runs, chance)))


def _tail(count: int, runs: int, chance: float) -> float:
    return float(_tails(np.array([count]), runs, chance)[0])
