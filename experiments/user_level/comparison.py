"""Comparison: what an estimator makes of two arms, and the tests that every estimator makes it with.

An estimator gives an effect per unit (per user, say), the level that it is relative to, and how both move with the
means of the arms. Variances follow by the delta method, degrees of freedom by Welch and Satterthwaite. A relative lift
``h`` is tested as Fieller (1954) did: ``effect - h level`` is zero; so its p-value of no lift is that of no effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from experiments.two_sided import StudentTest, TwoSided
from experiments.user_level.moments import Cells, Moments
from measurement.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Treatment and control with the columns of one analysis.

    The first column is the KPI, the last two are the exposure and the KPI times the exposure.

    Attributes:
        treatment: Moments of the treatment arm.
        control: Of the control arm, same columns.
        denominator: Position of a ratio's denominator; ``None`` without one.
        covariates: Positions of what is known from before the test.
    """

    treatment: Moments
    control: Moments
    denominator: int | None = None
    covariates: tuple[int, ...] = ()

    @classmethod
    def of(cls, cells: Cells, denominator: int | None, covariates: tuple[int, ...]) -> "Arms":
        """The arms of some cells, of which each arm has one at least."""
        exposed = cells.with_exposure()
        arms = (exposed.where(exposed.treatment).joined(), exposed.where(~exposed.treatment).joined())
        return cls(*arms, denominator, covariates)

    @property
    def kpi(self) -> Floats:
        """The vector that picks the KPI, shape (columns,)."""
        return self.column(0)

    def column(self, at: int) -> Floats:
        """The vector that picks a column, shape (columns,)."""
        picked = np.zeros(self.treatment.mean.size)
        picked[at] = 1.0
        return picked


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an estimator says.

    Attributes:
        effect: The effect per unit.
        lift: The effect as a share of the level without the ads.
        units: Units in the treatment arm: the effect times them is the outcome change.
        unit: What a unit is (``user``).
        std_error: Standard error of the effect by the delta method.
        how: How interval and p-value were made, in a sentence.
        details: What else the estimator saw.
    """

    effect: TwoSided
    lift: TwoSided
    units: float
    unit: str
    std_error: float
    how: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RatioTest:
    """Fieller's test of a ratio of two estimates; the denominator stands for something above 0.

    Attributes:
        over: Estimate of the numerator.
        under: Estimate of the denominator.
        variance: Variance of the numerator, covariance, variance of the denominator.
        df: Degrees of freedom of Student's t.
    """

    over: float
    under: float
    variance: tuple[float, float, float]
    df: float = inf

    @property
    def estimate(self) -> float:
        """Numerator over denominator; not a number where the latter is not above 0."""
        return self.over / self.under if self.under > 0 else float("nan")

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Two tails of ``over - hypothesis × under``."""
        first, both, second = self.variance
        spread = sqrt(max(first - 2 * hypothesis * both + hypothesis**2 * second, 0.0))
        distance = self.over - hypothesis * self.under
        return StudentTest(distance, spread, self.df).p_value() if spread > 0 else float(distance == 0.0)

    def interval(self, alpha: float) -> tuple[float, float]:
        """All values with a p-value of ``alpha`` or more; open where the denominator may be nothing.

        There the values are two rays. Where zero is between them the denominator's sign says which one is meant; where
        it is in one of them, or there is no gap at all, no value is left out.
        """
        first, both, second = self.variance
        quantile = (StudentTest(0.0, 1.0, self.df).interval(alpha)[1]) ** 2
        a = self.under**2 - quantile * second
        b = self.over * self.under - quantile * both
        c = self.over**2 - quantile * first
        inside = b**2 - a * c
        if self.under <= 0 or inside <= 0 or a == 0 or (a < 0 and c <= 0):
            return -inf, inf
        low, high = sorted(((b - sqrt(inside)) / a, (b + sqrt(inside)) / a))
        if a > 0:
            return low, high
        return (high, inf) if self.over > 0 else (-inf, low)


def spread(arms: Arms, treatment: Floats, control: Floats, taken: int = 0) -> tuple[Floats, float]:
    """Covariance of numbers that move with the means of the arms, and the degrees of freedom of the first.

    Args:
        arms: The arms.
        treatment: How each number moves with the means of the treatment arm, shape (numbers, columns).
        control: The same of the control arm.
        taken: Degrees of freedom that were used up by coefficients.

    Returns:
        The covariance, shape (numbers, numbers), and the degrees of freedom after Satterthwaite (1946).
    """
    parts = [
        slopes @ arm.covariance @ slopes.T / arm.count
        for arm, slopes in ((arms.treatment, treatment), (arms.control, control))
    ]
    own = [float(part[0, 0]) for part in parts]
    weights = [value**2 / (arm.count - 1) for value, arm in zip(own, (arms.treatment, arms.control), strict=True)]
    df = sum(own) ** 2 / sum(weights) if sum(weights) > 0 else inf
    return np.asarray(parts[0] + parts[1]), max(df - taken, 1.0)


def fieller(values: tuple[float, float], covariance: Floats, df: float) -> RatioTest:
    """The test of the ratio of two numbers with the given covariance, shape (2, 2)."""
    variances = (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))
    return RatioTest(*values, variances, df if isfinite(df) else inf)
