"""Several KPIs of one test: p-values that allow for all of them (Holm 1979)."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: below ``alpha`` for any true null with a chance of ``alpha`` at most, over all of them."""
    order = np.argsort(p_values)
    left = len(p_values) - np.arange(len(p_values))
    stepped = np.minimum(np.maximum.accumulate(np.asarray(p_values, dtype=np.float64)[order] * left), 1.0)
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return adjusted.tolist()
