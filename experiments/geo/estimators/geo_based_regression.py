"""Geo-based regression: each geo's KPI during the test on its KPI before it, across geos.

Vaver and Koehler (2011), Measuring Ad Effectiveness Using Geo Experiments: ``y_1 = a + b y_0 + iroas × spend change``
over geos, with weights ``1 / y_0^2`` so that geos of any size have errors of one size. `return_on_spend` is that
regression; it needs the spend change of every geo. Without spend, `fit` learns ``a`` and ``b`` from the donors and
predicts the treated geos: the same line, and an effect in KPI like every other estimator's.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Fit
from experiments.two_sided import StudentTest
from measurement.typing import Floats


@dataclass(frozen=True, slots=True)
class Settings:
    """How geos are weighted.

    Attributes:
        power: Weights are the KPI before the test to the power of minus this; 2 in the paper's package.
        whole_weeks: Start the pre-period so that it holds whole weeks, where data are daily with a weekly pattern.
    """

    power: float = 2.0
    whole_weeks: bool = False


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Predict the treated geos from the donors' line; a geo without KPI before the test has no weight."""
    settings = settings or Settings()
    pre, donors = block.pre_length, block.donor_outcome
    before = donors[:, :pre].mean(axis=1)
    design = np.column_stack([np.ones(len(before)), before])
    at = np.array([1.0, float(block.observed[:pre].mean())])
    root = _root_weights(before, settings.power)
    loadings = (at @ np.linalg.pinv(design * root[:, None])) * root
    return Fit(block.observed, loadings @ donors, pre, loadings, loadings=loadings)


def return_on_spend(before: Floats, after: Floats, spend_change: Floats, power: float = 2.0) -> StudentTest:
    """Regress the return on spend, iROAS, with its classical standard error.

    Args:
        before: KPI total (or mean) of each geo before the test, shape (geos,); those without any are left out.
        after: The same during the test and its cool-down, in the same unit of money or KPI as the result.
        spend_change: Spend during the test minus what would have been spent, shape (geos,); zero in control geos.
        power: As in `Settings`.

    Raises:
        ValueError: Where fewer than four geos count, or the spend change does not tell geos apart.
    """
    counts = before > 0
    design = np.column_stack([np.ones(len(before)), before, spend_change])[counts]
    root = _root_weights(before[counts], power)
    weighted = design * root[:, None]
    left = np.linalg.lstsq(weighted, after[counts] * root, rcond=None)
    norms = np.linalg.norm(weighted, axis=0).clip(min=1e-300)
    if len(design) < 4 or left[2] < 3 or np.linalg.matrix_rank(weighted / norms) < 3:
        raise ValueError("geo-based regression needs four geos with KPI before the test and a spend change among them")
    df = len(design) - 3
    variance = float(left[1][0]) / df
    error = np.sqrt(variance * np.linalg.inv(weighted.T @ weighted)[2, 2])
    return StudentTest(float(left[0][2]), float(error), df)


def _root_weights(before: Floats, power: float) -> Floats:
    """Square roots of the regression weights, 0 where there is no KPI, scaled to a largest of 1; all 1 without any."""
    size = np.abs(before)
    seen = size > 0
    if not seen.any():
        return np.ones(len(before))
    root = np.zeros(len(before))
    root[seen] = (size[seen] / size[seen].min()) ** (-power / 2)
    return root
