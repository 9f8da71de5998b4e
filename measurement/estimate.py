"""Estimate: one quantity with a unit and what is known about it.

An estimate holds draws (of a posterior, a bootstrap, a placebo distribution) or the mean, standard deviation and
degrees of freedom of a Normal or Student-t. Intervals are equal-tailed, 90 % unless told otherwise; the point is the
median.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from measurement.typing import Floats, Json

LEVEL = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One uncertain quantity. Make it with `from_draws` or `from_normal`.

    Attributes:
        unit: Unit of the quantity (``"EUR"``, ``"EUR per EUR"``, ``"orders"``).
        draws: Draws, shape (draws,), or ``None``.
        mean: Centre of the distribution where there are no draws.
        sd: Its scale (standard error) where there are no draws.
        df: Degrees of freedom of a Student-t; infinity means Normal.
    """

    unit: str
    draws: Floats | None = None
    mean: float = float("nan")
    sd: float = float("nan")
    df: float = float("inf")

    @classmethod
    def from_draws(cls, draws: Floats | Sequence[float], unit: str) -> Self:
        """From draws of shape (draws,); at least one, all finite.

        Raises:
            ValueError: Where a draw is not finite or there is none.
        """
        array = np.asarray(draws, dtype=np.float64).ravel()
        if array.size == 0 or not np.isfinite(array).all():
            raise ValueError("an estimate needs draws, all of them finite")
        return cls(unit, array, float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else 0.0)

    @classmethod
    def from_normal(cls, mean: float, sd: float, unit: str, df: float = float("inf")) -> Self:
        """From a Normal, or a Student-t with ``df`` degrees of freedom, of the given centre and scale (``sd >= 0``)."""
        if not (np.isfinite(mean) and np.isfinite(sd) and sd >= 0 and df > 0):
            raise ValueError(f"an estimate needs a finite centre and a scale >= 0, got {mean} and {sd}")
        return cls(unit, None, float(mean), float(sd), float(df))

    def quantile(self, probability: float) -> float:
        """The quantile at ``probability`` (between 0 and 1)."""
        if self.draws is not None:
            return float(np.quantile(self.draws, probability))
        if self.sd == 0.0:
            return self.mean
        from scipy.special import ndtri, stdtrit  # scipy.stats takes most of a second to import

        standard = ndtri(probability) if np.isinf(self.df) else stdtrit(self.df, probability)
        return float(self.mean + self.sd * standard)

    @property
    def median(self) -> float:
        """The median."""
        return self.quantile(0.5)

    @property
    def low(self) -> float:
        """Lower end of the 90 % interval."""
        return self.quantile((1 - LEVEL) / 2)

    @property
    def high(self) -> float:
        """Upper end of the 90 % interval."""
        return self.quantile((1 + LEVEL) / 2)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The equal-tailed interval of the given level (between 0 and 1)."""
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def probability_above(self, threshold: float) -> float:
        """Probability that the quantity lies above ``threshold``."""
        if self.draws is not None:
            return float(np.mean(self.draws > threshold))
        if self.sd == 0.0:
            return float(self.mean > threshold)
        from scipy.special import ndtr, stdtr

        z = (self.mean - threshold) / self.sd
        return float(ndtr(z) if np.isinf(self.df) else stdtr(self.df, z))

    def scaled(self, factor: float, unit: str) -> "Estimate":
        """The quantity times ``factor``, in another unit."""
        if self.draws is not None:
            return Estimate.from_draws(self.draws * factor, unit)
        return Estimate.from_normal(self.mean * factor, self.sd * abs(factor), unit, self.df)

    def to_dict(self) -> Json:
        """As ``{"median", "low", "high"}`` (90 %), the form of every printed quantity."""
        return {"median": self.median, "low": self.low, "high": self.high}


def combine(estimates: Sequence[Estimate], joint: bool = True) -> Estimate:
    """Add estimates of one unit.

    Draws of equal number are taken as joint (row by row) when ``joint``; otherwise the estimates are taken as
    independent and the sum is the Normal of added means and variances.

    Raises:
        ValueError: Where the units differ, there is nothing to add, or joint draws are asked for and not there.
    """
    units = {estimate.unit for estimate in estimates}
    if len(units) != 1:
        raise ValueError(f"estimates of one unit can be added, not of {sorted(units)}")
    unit = units.pop()
    if joint:
        draws = [estimate.draws for estimate in estimates if estimate.draws is not None]
        if len(draws) != len(estimates) or len({d.size for d in draws}) != 1:
            raise ValueError("joint estimates need the same number of draws each")
        return Estimate.from_draws(np.sum(draws, axis=0), unit)
    variance = sum(estimate.sd**2 for estimate in estimates)
    return Estimate.from_normal(sum(estimate.mean for estimate in estimates), float(np.sqrt(variance)), unit)


def difference(first: Estimate, second: Estimate, joint: bool = False) -> Estimate:
    """``first - second``, with the rules of `combine`."""
    return combine([first, second.scaled(-1.0, second.unit)], joint)
