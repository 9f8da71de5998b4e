"""Ratio of two sums over users (revenue per session), by the delta method (Deng, Knoblich and Lu 2018).

Users are what was drawn, sessions are not: the ratio of an arm moves with both of its means, and its variance is that
of ``(y - R d) / mean of d`` between users.
"""

from math import sqrt

import numpy as np

from experiments.two_sided import StudentTest
from experiments.user_level.comparison import Arms, Comparison, fieller, spread
from experiments.user_level.moments import Moments
from measurement.errors import DesignError
from measurement.typing import Floats


def ratio(arms: Arms, unit: str) -> Comparison:
    """Difference between the arms' ratios, per unit of the denominator.

    Args:
        arms: The arms, with a denominator.
        unit: The denominator's name.

    Raises:
        DesignError: Where an arm's denominator adds up to nothing.
    """
    at = arms.denominator
    if at is None or min(arms.treatment.mean[at], arms.control.mean[at]) <= 0:
        raise DesignError(f"a ratio needs a denominator above 0 in both arms, and '{unit}' adds up to nothing in one")
    treated, slopes = _linear(arms, arms.treatment, at)
    usual, base = _linear(arms, arms.control, at)
    nothing = np.zeros_like(slopes)
    covariance, df = spread(arms, np.stack([slopes, nothing]), np.stack([-base, base]))
    error = sqrt(float(covariance[0, 0]))
    units = arms.treatment.count * float(arms.treatment.mean[at])
    how = "Welch's t test of the difference in ratios, variances by the delta method"
    lift = fieller((treated - usual, usual), covariance, df)
    return Comparison(StudentTest(treated - usual, error, df), lift, units, unit, error, how)


def _linear(arms: Arms, arm: Moments, at: int) -> tuple[float, Floats]:
    """Ratio of an arm and how it moves with the arm's means, shape (columns,)."""
    value = float(arm.mean[0] / arm.mean[at])
    return value, np.asarray((arms.kpi - value * arms.column(at)) / arm.mean[at])
