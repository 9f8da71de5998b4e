"""One-step-ahead errors of the series, standardised: independent standard normal where the model is right.

The model's normal distribution is walked through period by period as a Kalman filter whose state holds the linear
coefficients and the national demand (Durbin & Koopman 2012, chapter 4); the autocorrelation of a geo's own noise is
taken out by differencing first. Each period's errors are divided by the symmetric root of their covariance, so that
every geo keeps its own. Any other series, put through the same filter, becomes what it would add to these errors: a
regression of the errors on it is the score test of a term that the model lacks.
"""

from dataclasses import dataclass

import numpy as np

from measurement.mmm.design_matrix import design_of
from measurement.mmm.noise import Precision
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats
from measurement.validation.collapsed import residuals_of
from measurement.validation.near import Near, near_of


@dataclass(frozen=True, eq=False)
class Filter:
    """The filter of a fit at the posterior means of media effects and sigma.

    Attributes:
        residual: Outcome less offset and mean media effects, model's scale, shape (geos, periods).
        design: Prior-scaled linear terms, shape (geos, periods, columns).
        precision: The residual's precision; its bands whiten each geo's own noise.
        variance: sigma squared.
        ratio: Variance of the national demand relative to it.
        persistence: The demand's autocorrelation.
    """

    residual: Floats
    design: Floats
    precision: Precision
    variance: float
    ratio: float
    persistence: float

    @classmethod
    def of(cls, post: Posterior, panel: Panel, near: Near | None = None) -> "Filter":
        """The filter of a fit, under the normal noise near its likelihood."""
        noise = near or near_of(post, panel)
        design = design_of(post.spec, panel, post.scales, post.noise, post.usual).matrix()
        return cls(
            residual=residuals_of(post, panel).mean(0),
            design=design.reshape(*post.counts.shape, -1),
            precision=noise.precision(post.counts),
            variance=float((noise.sigma**2).mean()),
            ratio=noise.noise.ratio,
            persistence=noise.noise.persistence,
        )

    def errors(self, series: Floats) -> Floats:
        """Standardised one-step-ahead errors.

        Args:
            series: What is to be predicted, shape (series, geos, periods): `residual`, or a term that the model lacks.

        Returns:
            Same shape; 0 for cells that do not count.
        """
        own, lag = self.precision.own, self.precision.lag
        count, demand = self.design.shape[-1], self.ratio * self.variance
        covariance = np.eye(count + 2)
        covariance[count:, count:] = demand * np.array([[1.0, self.persistence], [self.persistence, 1.0]])
        state = np.zeros((count + 2, len(series)))
        out = np.zeros_like(series)
        for t in range(series.shape[-1]):
            here = np.flatnonzero(own[:, t])
            if len(here):
                now, before = own[here, t, None], lag[here, t, None]
                seen = now * series[:, here, t].T - before * series[:, here, t - 1].T
                terms = now * self.design[here, t] - before * self.design[here, t - 1]
                look = np.concatenate([terms, now, -before], axis=1)
                gain = look @ covariance
                values, vectors = np.linalg.eigh(gain @ look.T + self.variance * np.eye(len(here)))
                miss = vectors.T @ (seen - look @ state)
                out[:, here, t] = (vectors @ (miss / np.sqrt(values)[:, None])).T
                rotated = vectors.T @ gain
                state = state + rotated.T @ (miss / values[:, None])
                covariance = covariance - rotated.T @ (rotated / values[:, None])
            state, covariance = self._next(state, covariance, demand)
        return out

    def _next(self, state: Floats, covariance: Floats, demand: float) -> tuple[Floats, Floats]:
        """The state one period on: the demand moves, its last value is kept, the coefficients stay."""
        rho = self.persistence
        state, covariance = state.copy(), covariance.copy()
        state[-1], state[-2] = state[-2].copy(), rho * state[-2]
        covariance[-1], covariance[-2] = covariance[-2].copy(), rho * covariance[-2]
        covariance[:, -1], covariance[:, -2] = covariance[:, -2].copy(), rho * covariance[:, -2]
        covariance[-2, -2] += demand * (1.0 - rho**2)
        return state, (covariance + covariance.T) / 2
