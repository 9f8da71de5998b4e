"""Synthetic difference in differences: weights on donors and on pre-periods, both with an intercept.

Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), algorithm 1: donor weights with the ridge
``zeta = (treated × read-out periods)^(1/4) × sd of the donors' first differences``, time weights with a vanishing one.
The paper's package stops a Frank-Wolfe search early; here both problems are solved exactly.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Fit
from experiments.geo.estimators.simplex import simplex_weights


@dataclass(frozen=True, slots=True)
class Settings:
    """How the weights are found.

    Attributes:
        ridge: Multiplies the paper's zeta of the donor weights.
        whole_weeks: Start the pre-period so that it holds whole weeks, where data are daily with a weekly pattern.
    """

    ridge: float = 1.0
    whole_weeks: bool = False


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Weight donors and pre-periods, then difference twice."""
    settings = settings or Settings()
    observed, donors, pre = block.observed, block.donor_outcome, block.pre_length
    before, after = donors[:, :pre], donors[:, pre:].mean(axis=1)
    noise = float(np.diff(before, axis=1).std(ddof=1)) if before.size > 2 else 0.0
    zeta = settings.ridge * (len(block.treated) * block.post_length) ** 0.25 * noise
    centred = before - before.mean(axis=1, keepdims=True)
    weights = simplex_weights(centred.T, observed[:pre] - observed[:pre].mean(), ridge=pre * zeta**2)
    time_weights = simplex_weights(
        before - before.mean(axis=0), after - after.mean(), ridge=len(donors) * (1e-6 * noise) ** 2
    )
    synthetic = weights @ donors
    shift = time_weights @ (observed[:pre] - synthetic[:pre])
    return Fit(observed, synthetic + shift, pre, weights, time_weights)  # the time weights read the donors' read-out
