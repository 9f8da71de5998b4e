"""Difference in differences: the donors' plain mean, moved to the treated market's pre-period level."""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Fit, sizes_of


@dataclass(frozen=True, slots=True)
class Settings:
    """How the comparison is made.

    Attributes:
        scale: Compare relative changes: divide every geo by its mean absolute KPI in the pre-period.
        whole_weeks: Start the pre-period so that it holds whole weeks, where data are daily with a weekly pattern.
    """

    scale: bool = False
    whole_weeks: bool = False


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Shift the donors' mean to the treated market's level in the pre-period."""
    settings = settings or Settings()
    observed, donors, pre = block.observed, block.donor_outcome, block.pre_length
    weights = np.full(len(donors), 1.0 / len(donors))
    loadings = weights
    if settings.scale:
        loadings = weights / sizes_of(donors[:, :pre]) * float(np.abs(observed[:pre]).mean())
    mean = loadings @ donors
    shift = observed[:pre].mean() - mean[:pre].mean()
    return Fit(observed, mean + shift, pre, weights, loadings=loadings)
