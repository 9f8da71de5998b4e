"""Synthetic control: the treated market as a weighted mean of donors, weights non-negative and adding to one.

The default compares each geo with its own pre-period mean (a unit fixed effect: Doudchenko and Imbens 2016; Ferman and
Pinto 2021) after dividing it by its size, so that markets of any size can stand in for each other, and lets no donor
carry more than half. With ``scale=False, fixed_effect=False, weight_cap=1`` it is the classic estimator on outcomes
(Abadie, Diamond and Hainmueller 2010); with `Predictors` the weights match predictors instead (same source).

The treated geos' read-out never enters the weights.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Fit
from experiments.geo.estimators.predictors import Predictors, matched_weights
from experiments.geo.estimators.simplex import simplex_weights
from measurement.typing import Floats


@dataclass(frozen=True, slots=True)
class Settings:
    """How the synthetic control is built.

    Attributes:
        scale: Divide every geo by its mean absolute KPI in the pre-period.
        fixed_effect: Take every geo's pre-period mean off, and put the treated market's back.
        whole_weeks: Start the pre-period so that it holds whole weeks, where data are daily with a weekly pattern.
        weight_cap: Largest weight of one donor (never below 2 / donors).
        predictors: Match these instead of the pre-period outcomes.
    """

    scale: bool = True
    fixed_effect: bool = True
    whole_weeks: bool = True
    weight_cap: float = 0.5
    predictors: Predictors | None = None


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Fit the weights on the pre-period and carry them through the read-out."""
    settings = settings or Settings()
    observed, donors, pre = block.observed, block.donor_outcome, block.pre_length
    size, sizes = 1.0, np.ones((len(donors), 1))
    if settings.scale:
        size, sizes = _size(observed[:pre]), np.maximum(np.abs(donors[:, :pre]).mean(axis=1, keepdims=True), 1e-300)
    target, columns = observed / size, donors / sizes
    level = 0.0
    if settings.fixed_effect:
        level = float(target[:pre].mean())
        target, columns = target - level, columns - columns[:, :pre].mean(axis=1, keepdims=True)
    importance = np.zeros(0)
    if settings.predictors is None:
        cap = max(settings.weight_cap, min(1.0, 2.0 / len(donors)))
        weights = simplex_weights(columns[:, :pre].T, target[:pre], cap=cap)
    else:
        weights, importance = matched_weights(block, settings.predictors)
    loadings = weights * size / sizes[:, 0]
    return Fit(observed, (weights @ columns + level) * size, pre, weights, importance=importance, loadings=loadings)


def _size(series: Floats) -> float:
    return max(float(np.abs(series).mean()), 1e-300)
