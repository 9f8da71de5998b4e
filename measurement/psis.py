"""Pareto-smoothed importance weights, by ArviZ."""

import numpy as np
from scipy import special

from measurement.typing import Floats

TRUSTED = 0.7


def smoothed(log_ratio: Floats, relative: float = 1.0) -> tuple[Floats, float]:
    """Normalised Pareto-smoothed weights, shape (draws,), and k-hat, from log importance ratios of shape (draws,).

    ``relative`` is the number of effective draws per draw: where it is below 1, more of the tail is smoothed.

    Source: Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25. Weights can be trusted while k-hat < 0.7.
    """
    from arviz_stats.base import array_stats

    if np.ptp(log_ratio) < 1e-12:
        return np.full(log_ratio.size, 1 / log_ratio.size), 0.0
    # ArviZ takes log likelihoods of what is left out, whose ratio is their negative.
    log_weight, khat = array_stats.psislw(-(log_ratio - log_ratio.max()), r_eff=relative)
    log_weight = np.asarray(log_weight, dtype=np.float64)
    return np.exp(log_weight - special.logsumexp(log_weight)), float(khat)
