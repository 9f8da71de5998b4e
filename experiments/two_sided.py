"""Two-sided tests whose p-value and interval are one statement, the form in which every method gives its answer."""

from dataclasses import dataclass
from math import isfinite
from typing import Protocol

import numpy as np

from measurement.typing import Floats


class TwoSided(Protocol):
    """A two-sided test: zero lies outside the interval of level ``1 - alpha`` exactly where ``p_value() < alpha``."""

    @property
    def estimate(self) -> float:
        """The point estimate."""
        ...

    def p_value(self, hypothesis: float = 0.0) -> float:
        """The p-value of a hypothesised value."""
        ...

    def interval(self, alpha: float) -> tuple[float, float]:
        """All values with a p-value of ``alpha`` or more."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class InvertedTest:
    """A randomisation test turned round: every reference draw speaks for the values within its own span.

    A draw speaks for a hypothesised value where its statistic is at least as extreme as the test's. That happens on a
    span around the estimate; so the share of draws that speak for a value falls away from the estimate on either side,
    and the values that enough draws speak for are an interval, found by sorting and without a grid.

    Attributes:
        estimate: The point estimate.
        lows: Lower end of each draw's span, at or below the estimate, shape (draws,). The draw that was carried out is
            one of them and speaks for everything (minus infinity).
        highs: Upper end, same shape.
    """

    estimate: float
    lows: Floats
    highs: Floats

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Share of the draws that speak for the hypothesis."""
        below = hypothesis <= self.estimate
        return float(np.mean(self.lows <= hypothesis if below else self.highs >= hypothesis))

    def interval(self, alpha: float) -> tuple[float, float]:
        """All values with a p-value of ``alpha`` or more; infinite where there are fewer than ``1/alpha`` draws."""
        count = self.lows.size
        needed = max(int(np.argmax(np.arange(count + 1) / count >= alpha)), 1)
        low, high = float(np.sort(self.lows)[needed - 1]), float(np.sort(self.highs)[count - needed])
        return min(low, self.estimate), max(high, self.estimate)


@dataclass(frozen=True, slots=True)
class StudentTest:
    """An estimate with a standard error and Student's t (or the Normal, with infinite degrees of freedom).

    Attributes:
        estimate: The point estimate.
        std_error: Its standard error, above 0.
        df: Degrees of freedom, above 0.
    """

    estimate: float
    std_error: float
    df: float = float("inf")

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Two tails of the t distribution."""
        from scipy.special import ndtr, stdtr

        distance = -abs(self.estimate - hypothesis) / self.std_error
        return float(2 * (stdtr(self.df, distance) if isfinite(self.df) else ndtr(distance)))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Estimate plus and minus the quantile's number of standard errors."""
        from scipy.special import ndtri, stdtrit

        half = self.std_error * float(stdtrit(self.df, 1 - alpha / 2) if isfinite(self.df) else ndtri(1 - alpha / 2))
        return self.estimate - half, self.estimate + half
