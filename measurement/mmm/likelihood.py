"""The distribution of the KPI given its mean, in NumPy: pointwise log-densities and draws.

- ``normal``: each geo's noise is an autoregression with normal innovations (`noise`).
- ``student_t``: the same with innovations that are Student's t with ``nu`` degrees of freedom and scale ``sigma``; as
  ``nu`` grows it becomes the normal.
- ``negative_binomial``: counts with mean ``m`` and variance ``m + m^2 / dispersion`` (NB2), independent given the mean.
  The mean is additive on the KPI's own scale, so it is kept above zero by `positive`. ``sigma`` is then the size of the
  national demand only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from measurement.mmm.likelihood_choice import Likelihood
from measurement.mmm.posterior import Posterior
from measurement.typing import Bools, Floats

SHAPES: dict[Likelihood, str] = {"student_t": "nu", "negative_binomial": "dispersion"}
"""The parameter that a likelihood has beside sigma."""
SOFT = 0.05
LOWEST = -500.0
STIRLING = 30.0
"""Dispersion from which Stirling's series is right to 1e-12."""


@dataclass(frozen=True, eq=False)
class Family:
    """All of the KPI's distribution but its mean, draw by draw.

    Attributes:
        likelihood: Its name.
        scale: Scale of each geo's own noise in KPI units, shape (draws, geos); not used by counts.
        shape: Degrees of freedom, or dispersion, shape (draws,); ones for the normal.
        persistence: Autocorrelation of a geo's own noise.
        counts: 1 for the cells of the series likelihood, 0 for those left out, shape (geos, periods).
        unit: KPI units of one mean of the KPI, shape (geos,).
    """

    likelihood: Likelihood
    scale: Floats
    shape: Floats
    persistence: float
    counts: Floats
    unit: Floats

    def mean_of(self, additive: Floats) -> Floats:
        """The mean from the sum of the model's terms, both in KPI units, shape (draws, geos, periods)."""
        if self.likelihood != "negative_binomial":
            return additive
        unit = self.unit[:, None]
        return np.asarray(unit * positive(additive / unit))


def family_of(post: Posterior) -> Family:
    """The distribution that a posterior's draws describe."""
    unit = post.scales.size * post.scales.outcome
    name = SHAPES.get(post.spec.likelihood)
    return Family(
        likelihood=post.spec.likelihood,
        scale=post.draws["sigma"][:, None] * post.noise.relative * unit,
        shape=np.ones(post.size) if name is None else post.draws[name],
        persistence=post.noise.local_persistence,
        counts=post.counts,
        unit=unit,
    )


def positive(mean: Any) -> Any:
    """A mean in means of the KPI, bent to stay above 0: ``softplus(mean / SOFT) * SOFT``, itself from a quarter up."""
    xp = mean.__array_namespace__()
    x = xp.maximum(mean / SOFT, LOWEST)
    return SOFT * (xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x))))


def log_count(kpi: Any, mean: Any, dispersion: Any, log_gamma: Callable[[Any], Any]) -> Any:
    """Log-density of negative binomial counts, all broadcast.

    ``log gamma(kpi + dispersion) - log gamma(dispersion)`` is the difference of two numbers that grow with the
    dispersion: near 1e16 nothing of it is left but rounding errors of hundreds, and a sampler that strays there stays.
    From `STIRLING` on it comes from Stirling's series, in which what is large cancels on paper.

    Args:
        kpi: The counts.
        mean: Their mean.
        dispersion: The variance is ``mean + mean^2 / dispersion``.
        log_gamma: The logarithm of the gamma function of the arrays' library.
    """
    xp = mean.__array_namespace__()
    low, high = xp.minimum(dispersion, STIRLING), xp.maximum(dispersion, STIRLING)

    def tail(x: Any) -> Any:
        return (1 / 12 - (1 / 360 - 1 / (1260 * x**2)) / x**2) / x

    series = (high + kpi - 0.5) * xp.log1p(kpi / high) - kpi + tail(high + kpi) - tail(high)
    plain = log_gamma(kpi + low) - log_gamma(low) - kpi * xp.log(low)
    rising = xp.where(dispersion > STIRLING, series, plain)  # less kpi log(dispersion)
    share = xp.log1p(mean / dispersion)
    return rising - log_gamma(kpi + 1.0) + kpi * (xp.log(mean) - share) - dispersion * share


def log_density(family: Family, kpi: Floats, mean: Floats) -> Floats:
    """Log-density of every cell given the cells before it; their sum is that of the whole series.

    Args:
        family: The distribution.
        kpi: What was seen, shape (geos, periods).
        mean: Its mean (`Family.mean_of`), shape (draws, geos, periods).

    Returns:
        Shape (draws, geos, periods); 0 for the cells left out.
    """
    shape = family.shape[:, None, None]
    if family.likelihood == "negative_binomial":
        out = log_count(kpi, mean, shape, special.gammaln)
    else:
        rho, scale = persistence_of(family), family.scale[..., None]
        residual = (kpi - mean) / scale
        before = np.concatenate([np.zeros_like(residual[..., :1]), residual[..., :-1]], axis=-1)
        step = np.sqrt(1.0 - rho**2)
        white = (residual - rho * before) / step
        one = stats.norm.logpdf(white) if family.likelihood == "normal" else stats.t.logpdf(white, shape)
        out = one - np.log(scale * step)
    return np.where(family.counts > 0, out, 0.0)


def draw(family: Family, mean: Floats, rng: np.random.Generator) -> Floats:
    """Draw the KPI given its mean (`Family.mean_of`), both of shape (draws, geos, periods); cells left out too."""
    if family.likelihood == "negative_binomial":
        return counted(mean, family.shape[:, None, None], rng.random(mean.shape))
    rho, white = persistence_of(family), innovations(family, mean.shape, rng)
    out, state = np.empty_like(mean), np.zeros(mean.shape[:2])
    for t in range(mean.shape[-1]):
        state = rho[:, t] * state + np.sqrt(1.0 - rho[:, t] ** 2) * white[..., t]
        out[..., t] = mean[..., t] + family.scale * state
    return out


def innovations(family: Family, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Draws of scale 1 of what drives a geo's own noise, of shape (draws, ...)."""
    normal = rng.standard_normal(shape)
    if family.likelihood == "normal":
        return normal
    nu = family.shape.reshape(-1, *[1] * (len(shape) - 1))
    return normal / np.sqrt(rng.chisquare(np.broadcast_to(nu, shape)) / nu)


def counted(mean: Floats, dispersion: Floats, chance: Floats) -> Floats:
    """Negative binomial counts at probabilities ``chance``, all broadcast: with them kept, more mean is more count."""
    return np.asarray(stats.nbinom.ppf(chance, dispersion, dispersion / (dispersion + mean)), dtype=np.float64)


def persistence_of(family: Family) -> Floats:
    """Autocorrelation of each cell with the one before it, shape (geos, periods); a stretch starts anew after a gap."""
    linked: Bools = np.zeros(family.counts.shape, dtype=bool)
    linked[:, 1:] = (family.counts[:, 1:] > 0) & (family.counts[:, :-1] > 0)
    return np.where(linked, family.persistence, 0.0)
