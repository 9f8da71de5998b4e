"""PosteriorTest: p-value and interval of a draw-based posterior, as one statement."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from experiments.geo.estimators.block import Fit
from measurement.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorTest:
    """An equal-tailed test by posterior draws (an `experiments.two_sided.TwoSided`).

    Attributes:
        draws: Of the quantity, shape (draws,).
    """

    draws: Floats

    @property
    def estimate(self) -> float:
        """Posterior mean."""
        return float(self.draws.mean())

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Twice the posterior share on the hypothesis' far side, the hypothesis itself counted as one draw."""
        least = min(np.count_nonzero(self.draws <= hypothesis), np.count_nonzero(self.draws >= hypothesis))
        return min(1.0, 2.0 * (1.0 + float(least)) / (1.0 + self.draws.size))

    def interval(self, alpha: float) -> tuple[float, float]:
        """All values with a p-value of ``alpha`` or more; infinite where there are fewer than ``2 / alpha`` draws."""
        needed = ceil(alpha / 2.0 * (1 + self.draws.size) - 1.0 - 1e-9)
        if needed <= 0:
            return -float("inf"), float("inf")
        ordered = np.sort(self.draws)
        return float(ordered[needed - 1]), float(ordered[-needed])


def posterior_test(fit: Fit, first: int = 0, last: int | None = None) -> PosteriorTest:
    """Test of the mean effect of read-out periods ``first`` to ``last`` (exclusive), from a fit that carries draws.

    Raises:
        ValueError: Where the fit carries none.
    """
    if fit.posterior is None:
        raise ValueError("this fit carries no posterior draws")
    return PosteriorTest(fit.posterior[:, first:last].mean(axis=1))
