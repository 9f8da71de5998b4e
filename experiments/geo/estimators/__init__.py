"""Estimators of a geo test's effect, one module each with the same names (``Settings``, ``fit``).

`ESTIMATORS` is the only dispatch. The default is our own choice: the scaled and demeaned synthetic control, augmented
by itself where the pre-period asks for it (`ridge_augmented` says when and why). The rule is part of the fit, so that
inference sees one estimator and every reference set goes through the rule. The unscaled and classic synthetic control,
difference in differences and SDID are kept as their publications define them, so that published figures can be
reproduced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from experiments.geo.estimators import (
    bayesian,
    difference_in_differences,
    geo_based_regression,
    ridge_augmented,
    sdid,
    synthetic_control,
    time_based_regression,
    trimmed_match,
)
from experiments.geo.estimators.block import Block, Blocks, Fit, Fits
from experiments.two_sided import TwoSided
from measurement.typing import Floats

DEFAULT = "synthetic_control"


class ManyFitter(Protocol):
    """A fit of many sets; weights of a neighbouring window, shape (sets, geos), only speed it up."""

    def __call__(self, blocks: Blocks, *, near: Floats | None = None) -> Fits:
        """Fit all sets."""
        ...


@dataclass(frozen=True, slots=True)
class Estimator:
    """One way to estimate an effect.

    Attributes:
        name: Its name on every surface.
        fit: From a block to a fit.
        whole_weeks: Whether it wants a pre-period of whole weeks where data are daily with a weekly pattern.
        fit_many: The same from many sets of one window at once; ``None`` where one at a time is all there is.
    """

    name: str
    fit: Callable[[Block], Fit]
    whole_weeks: bool
    fit_many: ManyFitter | None = None


_default = ridge_augmented.Settings()
_always = ridge_augmented.Settings(least_pattern=-1.0, cautious=False)
_unscaled = synthetic_control.Settings(scale=False, whole_weeks=False, weight_cap=1.0)
_classic = synthetic_control.Settings(scale=False, fixed_effect=False, whole_weeks=False, weight_cap=1.0)

ESTIMATORS: Mapping[str, Estimator] = {
    entry.name: entry
    for entry in (
        Estimator(
            DEFAULT,
            partial(ridge_augmented.fit, settings=_default),
            whole_weeks=True,
            fit_many=partial(ridge_augmented.fit_many, settings=_default),
        ),
        Estimator(
            "ridge_augmented",
            partial(ridge_augmented.fit, settings=_always),
            whole_weeks=True,
            fit_many=partial(ridge_augmented.fit_many, settings=_always),
        ),
        Estimator("synthetic_control_unscaled", partial(synthetic_control.fit, settings=_unscaled), whole_weeks=False),
        Estimator("synthetic_control_classic", partial(synthetic_control.fit, settings=_classic), whole_weeks=False),
        Estimator("sdid", sdid.fit, whole_weeks=False),
        Estimator("difference_in_differences", difference_in_differences.fit, whole_weeks=False),
        Estimator("time_based_regression", time_based_regression.fit, whole_weeks=False),
        Estimator("geo_based_regression", geo_based_regression.fit, whole_weeks=False),
    )
}

ON_REQUEST: Mapping[str, Estimator] = {"bayesian": Estimator("bayesian", bayesian.fit, whole_weeks=True)}
"""Estimators that take seconds and load JAX: by name only, never among the alternates."""

PAIRED: Mapping[str, Callable[[Floats, Floats], TwoSided]] = {"trimmed_match": trimmed_match.trimmed_match}
"""Return on spend of randomised pairs, from the treated minus the control geo's outcome and spend, shape (pairs,)."""

WITH_SPEND: Mapping[str, Callable[[Floats, Floats, Floats], TwoSided]] = {
    "geo_based_regression": geo_based_regression.return_on_spend
}
"""Return on spend from each geo's KPI before and after the onset and its spend change, shape (geos,)."""

__all__ = ["DEFAULT", "ESTIMATORS", "ON_REQUEST", "PAIRED", "WITH_SPEND", "Block", "Blocks", "Estimator", "Fit", "Fits"]
