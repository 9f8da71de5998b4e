"""Synthetic control: the treated market as a weighted mean of donors, weights non-negative and adding to one.

The default compares each geo with its own pre-period mean (a unit fixed effect: Doudchenko and Imbens 2016; Ferman and
Pinto 2021) after dividing it by its size, so that markets of any size can stand in for each other, and lets no donor
carry more than half. With ``scale=False, fixed_effect=False, weight_cap=1`` it is the classic estimator on outcomes
(Abadie, Diamond and Hainmueller 2010); with `Predictors` the weights match predictors instead (same source).

The treated geos' read-out never enters the weights.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Blocks, Fit, Fits, sizes_of
from experiments.geo.estimators.predictors import Predictors, matched_weights
from experiments.geo.estimators.simplex import simplex_weights
from experiments.geo.estimators.simplex_many import simplex_weights_many
from measurement.typing import Bools, Floats, Ints


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
        size, sizes = float(_target_size(observed[:pre])), sizes_of(donors[:, :pre])[:, None]
    target, columns = observed / size, donors / sizes
    level = 0.0
    if settings.fixed_effect:
        level = float(target[:pre].mean())
        target, columns = target - level, columns - columns[:, :pre].mean(axis=1, keepdims=True)
    importance = np.zeros(0)
    if settings.predictors is None:
        cap = float(_caps(settings, np.array(len(donors))))
        weights = simplex_weights(columns[:, :pre].T, target[:pre], cap=cap)
    else:
        weights, importance = matched_weights(block, settings.predictors)
    loadings = weights * size / sizes[:, 0]
    return Fit(observed, (weights @ columns + level) * size, pre, weights, importance=importance, loadings=loadings)


def fit_many(blocks: Blocks, settings: Settings | None = None, near: Floats | None = None) -> Fits:
    """Fit many sets of one window together: the same numbers as `fit` of each, in a fifth of the time.

    Args:
        blocks: The sets.
        settings: As for `fit`; predictors cannot be matched here.
        near: Weights of a neighbouring window, shape (sets, geos), from which to start: faster still.

    Raises:
        ValueError: Where the settings ask for predictors.
    """
    settings = settings or Settings()
    if settings.predictors is not None:
        raise ValueError("many sets at once match outcomes only, not predictors")
    shared = share(blocks, settings)
    gram = shared.before @ shared.before.T
    return shared.fits(simplex_weights_many(gram, shared.mixes, blocks.donors, cap=shared.caps, start=near))


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What many sets of one window share: series to be weighted, and each target as a combination of them.

    Attributes:
        series: Outcome of every geo after scaling and demeaning, shape (geos, periods).
        mixes: Each target, scaled and demeaned, as a combination of the series, shape (sets, geos).
        caps: Largest weight of a donor, shape (sets,).
        observed: Mean KPI of each set, shape (sets, periods).
        level: What demeaning took off a target, shape (sets,).
        size: What scaling divided a target by, shape (sets,).
        sizes: What it divided each geo by, shape (geos,).
        pre_length: Number of pre-periods.
    """

    series: Floats
    mixes: Floats
    caps: Floats
    observed: Floats
    level: Floats
    size: Floats
    sizes: Floats
    pre_length: int

    @property
    def before(self) -> Floats:
        """The series' pre-period, shape (geos, pre-periods)."""
        return self.series[:, : self.pre_length]

    def fits(self, weights: Floats, augmented: Bools | None = None) -> Fits:
        """The fits that weights of shape (sets, geos) make."""
        synthetic = (weights @ self.series + self.level[:, None]) * self.size[:, None]
        none = np.zeros(len(weights), dtype=np.bool_)
        loadings = weights * self.size[:, None] / self.sizes
        return Fits(
            self.observed, synthetic, self.pre_length, weights, loadings, none if augmented is None else augmented
        )


def share(blocks: Blocks, settings: Settings) -> Shared:
    """Scale and demean as the settings ask, once for all sets."""
    outcome, pre = blocks.outcome[:, blocks.start : blocks.end], blocks.onset - blocks.start
    means = blocks.treated / blocks.treated.sum(axis=1, keepdims=True)
    observed = means @ outcome
    size, sizes = np.ones(len(observed)), np.ones(len(outcome))
    if settings.scale:
        size, sizes = _target_size(observed[:, :pre]), sizes_of(outcome[:, :pre])
    series, level = outcome / sizes[:, None], np.zeros(len(observed))
    if settings.fixed_effect:
        level = observed[:, :pre].mean(axis=1) / size
        series = series - series[:, :pre].mean(axis=1, keepdims=True)
    caps = _caps(settings, blocks.donors.sum(axis=1))
    mixes = means * np.where(np.isfinite(sizes), sizes, 0.0) / size[:, None]
    return Shared(series, mixes, caps, observed, level, size, sizes, pre)


def _target_size(before: Floats) -> Floats:
    """As a geo's size, but 1 where there was no KPI, because it multiplies the counterfactual."""
    size = sizes_of(before)
    return np.where(np.isfinite(size), size, 1.0)


def _caps(settings: Settings, donors: Ints) -> Floats:
    """The cap on weights, by the number of donors."""
    return np.maximum(settings.weight_cap, np.minimum(1.0, 2.0 / donors))
