"""Time-based regression: the treated market on the control market in the pre-period, carried through the read-out.

Kerman, Wang and Vaver (2017), Estimating Ad Effectiveness using Geo Experiments in a Time-Based Regression Framework:
``y_t = a + b x_t + e_t`` over pre-periods, with the control geos' total as ``x``; under flat priors the cumulative
effect has a t posterior with the ordinary prediction variance. That variance takes the ``e_t`` for independent; with
the memory that sales have its 90 % intervals held the truth .47 of the time in our own simulations. So it is handed on
as `Fit.classical`, and inference of this estimator is made as for all others. The same regression of spend gives the
spend change where the control geos spend too.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Fit
from experiments.two_sided import StudentTest
from measurement.typing import Floats


@dataclass(frozen=True, slots=True)
class Settings:
    """Nothing to set but the pre-period.

    Attributes:
        whole_weeks: Start the pre-period so that it holds whole weeks, where data are daily with a weekly pattern.
    """

    whole_weeks: bool = False


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Regress the treated mean on the donors' mean (the slope's unit aside, the same as totals on totals)."""
    del settings  # there is nothing to set
    observed, control, pre = block.observed, block.donor_outcome.mean(axis=0), block.pre_length
    centred = control - control[:pre].mean()
    spread = float(np.square(centred[:pre]).sum())
    moves = spread > 1e-24 * pre * float(np.square(control[:pre]).mean())
    slope = float(centred[:pre] @ observed[:pre]) / spread if moves else 0.0
    counterfactual = observed[:pre].mean() + slope * centred
    donors = len(block.donors)
    classical = _classical(observed - counterfactual, centred, pre, spread if moves else None)
    even = np.full(donors, 1.0 / donors)
    return Fit(observed, counterfactual, pre, even, loadings=slope * even, classical=classical)


def _classical(gap: Floats, centred: Floats, pre: int, spread: float | None) -> StudentTest | None:
    """The t test of the mean effect; ``None`` where nothing is left over to estimate a variance from."""
    df = pre - (1 if spread is None else 2)
    left = float(np.square(gap[:pre]).sum())
    if df < 1 or left <= 0.0:
        return None
    after = gap[pre:]
    of_slope = 0.0 if spread is None else float(centred[pre:].mean()) ** 2 / spread
    variance = left / df * (1.0 / after.size + 1.0 / pre + of_slope)
    return StudentTest(float(after.mean()), float(np.sqrt(variance)), df)
