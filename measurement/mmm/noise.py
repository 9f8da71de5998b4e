"""What the terms of the model leave over: a demand that all geos share and that lasts, and noise of each cell.

Weekly residuals of one company are not independent: what moves demand moves every market and stays for weeks. Taken as
independent they would make every interval, a geo panel's above all, far too narrow. So the residual of geo g is

    e[g, t] = sigma * (d[t] + s[g] * v[g, t])

with ``d`` a national autoregression of order one (variance ``ratio``, autocorrelation ``persistence``), ``v`` one of
variance 1 within each geo (``local_persistence``), and ``s`` the geos' relative noise. Sigma is a parameter of the
model; the rest is fixed beforehand (empirical Bayes): ``ratio`` and ``persistence`` at their posterior means on a grid,
given the KPI's national mean series, the linear terms and the media at the size that their priors expect.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from measurement.typing import Floats

PERSISTENCE = (0.0, 0.2, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94)
MOST_LOCAL = 0.9
MOST_PERIODS = 260
SHRINK = 20.0


@dataclass(frozen=True, eq=False)
class Noise:
    """The residual's fixed parts.

    Attributes:
        sigma: Rough standard deviation of a cell's own noise in means of the KPI: the centre of its prior.
        ratio: Variance of the national demand relative to ``sigma^2``.
        persistence: The national demand's autocorrelation from one period to the next.
        local_persistence: The same of a geo's own noise.
        swing: Standard deviation of the national mean series around trend, season, holidays and controls: media,
            demand and noise together, in means of the KPI. It bounds what spend that follows demand can hide.
        local_swing: The same of a geo's deviations from the national mean.
        relative: Standard deviation of each geo's noise relative to the others, shape (geos,).
    """

    sigma: float
    ratio: float
    persistence: float
    local_persistence: float
    swing: float
    local_swing: float
    relative: Floats


@dataclass(frozen=True, eq=False)
class Precision:
    """The residual's inverse covariance at ``sigma = 1``: ``P - P Z M Z' P``.

    ``P`` is each geo's own precision, bidiagonal root by bidiagonal root; ``Z`` adds over geos; ``M`` is the
    covariance of the national demand given the data.

    Attributes:
        own: Coefficient of a cell in its whitened value, shape (geos, periods); 0 where a cell is left out.
        lag: Coefficient of the period before it, same shape; 0 at the start of a stretch.
        demand: ``M``, shape (periods, periods).
        log_root: Half the log-determinant of the inverse covariance of the cells that count.
    """

    own: Floats
    lag: Floats
    demand: Floats
    log_root: float

    def times(self, x: Floats) -> Floats:
        """The inverse covariance times ``x``, shape (..., geos, periods)."""
        near = local_precision(self.own, self.lag, x)[0]
        shared = near.sum(-2) @ self.demand
        everywhere = np.broadcast_to(shared[..., None, :], x.shape)
        return np.asarray(near - local_precision(self.own, self.lag, everywhere)[0])


def local_precision(own: Any, lag: Any, x: Any) -> tuple[Any, Any]:
    """``P x`` and the whitened values ``w`` with ``x' P x = |w|^2``; all of shape (..., geos, periods)."""
    xp = x.__array_namespace__()
    none = xp.zeros_like(x[..., :1])
    white = own * x - lag * xp.concat([none, x[..., :-1]], axis=-1)
    back = lag * white
    return own * white - xp.concat([back[..., 1:], none], axis=-1), white


def precision_of(noise: Noise, counts: Floats, weights: Floats | None = None) -> Precision:
    """The precision for the cells that count.

    Args:
        noise: The residual's fixed parts.
        counts: Whether a cell counts (1 or 0), shape (geos, periods). A stretch starts anew after a gap.
        weights: Further precision of each cell's innovation, shape (geos, periods).
    """
    rho = noise.local_persistence
    before = np.concatenate([np.zeros_like(counts[:, :1]), counts[:, :-1]], axis=1)
    linked = (counts * before > 0) & (rho > 0)
    root = np.where(linked, 1 / np.sqrt(1 - rho**2), 1.0) * counts / noise.relative[:, None]
    if weights is not None:
        root = root * np.sqrt(weights)
    lag = np.where(linked, rho * root, 0.0)
    periods = counts.shape[1]
    kernel = noise.ratio * _kernel(noise.persistence, periods)
    each = np.broadcast_to(np.eye(periods)[:, None, :], (periods, len(counts), periods))
    national = local_precision(root, lag, each)[0].sum(1)
    # (K^-1 + N)^-1 = K (I + N K)^-1, which needs no inverse of a nearly singular K.
    demand = kernel @ np.linalg.inv(np.eye(periods) + national @ kernel)
    log_det = np.linalg.slogdet(np.eye(periods) + national @ kernel)[1]
    return Precision(root, lag, (demand + demand.T) / 2, float(np.log(root[root > 0]).sum() - log_det / 2))


def estimate_noise(outcome: Floats, national: Floats, local: Floats, cells: Floats, media: Floats) -> Noise:
    """Estimate the residual's fixed parts.

    Args:
        outcome: Scaled KPI less the offset, shape (geos, periods).
        national: Prior-scaled linear terms that all geos share, shape (periods, columns).
        local: Those with a coefficient per geo, shape (periods, columns).
        cells: Those that differ by geo and period, shape (columns, geos, periods).
        media: Effects at the priors' medians, shape (channels, geos, periods); their size is known to about a factor.
    """
    recent = slice(-MOST_PERIODS, None)
    outcome, national, local = outcome[:, recent], national[recent].T, local[recent].T
    cells, media = cells[..., recent], 1.5 * media[..., recent]
    if len(outcome) == 1:
        terms = np.concatenate([national, cells[:, 0]])
        sigma, ratio, persistence = _grid(outcome[0], np.concatenate([terms, media[:, 0]]), None)
        return Noise(sigma, ratio, persistence, 0.0, _swing(outcome[0], terms), 0.0, np.ones(1))
    own_terms = np.concatenate(
        [cells, np.einsum("gh,kt->gkht", np.eye(len(outcome)), local).reshape(-1, *outcome.shape)]
    )
    relative, sigma, persistence_local = _between(outcome, np.concatenate([own_terms, media]), len(local) + len(media))
    share = relative**-2.0 / (relative**-2.0).sum()
    mean = share @ outcome
    # Over geos, independent local coefficients average to one with a smaller prior standard deviation.
    terms = np.concatenate([national, np.sqrt((share**2).sum()) * local, np.einsum("g,pgt->pt", share, cells)])
    own = sigma / float(np.sqrt((relative**-2.0).sum()))
    _, ratio, persistence = _grid(mean, np.concatenate([terms, np.einsum("g,cgt->ct", share, media)]), own)
    deviations = own_terms - np.einsum("g,pgt->pt", share, own_terms)[:, None]
    return Noise(
        sigma=sigma,
        ratio=ratio * (own / sigma) ** 2,
        persistence=persistence,
        local_persistence=persistence_local,
        swing=_swing(mean, terms),
        local_swing=_swing((outcome - mean).ravel(), deviations.reshape(len(deviations), -1)),
        relative=relative,
    )


def _swing(y: Floats, terms: Floats) -> float:
    return max(float((y - _ridge(y, terms)).std()), 1e-4)


def _ridge(y: Floats, terms: Floats) -> Floats:
    gram = terms @ terms.T
    return np.asarray(np.linalg.solve(gram + 1e-3 * np.eye(len(gram)), terms @ y) @ terms)


def _between(outcome: Floats, terms: Floats, each: int) -> tuple[Floats, float, float]:
    """Relative noise of each geo, its common size and its persistence, from what differs between geos in one period.

    Args:
        outcome: Shape (geos, periods).
        terms: Shape (terms, geos, periods).
        each: How many of them bear on one geo.
    """
    geos, periods = outcome.shape
    y = outcome - outcome.mean(0)
    x = (terms - terms.mean(1, keepdims=True)).reshape(len(terms), -1)
    residual = y - _ridge(y.ravel(), x).reshape(y.shape)
    free = max(0.3, 1.0 - each / periods) * (1.0 - 1.0 / geos)
    variance = (residual**2).mean(1) / free
    variance = (variance * periods + variance.mean() * SHRINK) / (periods + SHRINK)
    common = float(np.exp(np.log(variance).mean()))
    scaled = residual / np.sqrt(variance)[:, None]
    lag = float((scaled[:, 1:] * scaled[:, :-1]).sum() / (scaled**2).sum())
    # A fitted series of n periods with k terms looks less persistent than it is, by about (1 + k) / n.
    local = float(np.clip(lag + (1 + each) / periods, 0.0, MOST_LOCAL))
    return np.sqrt(variance / common), max(float(np.sqrt(common)), 1e-4), local


def _grid(y: Floats, terms: Floats, own: float | None) -> tuple[float, float, float]:
    """Posterior means of noise sd, variance ratio and persistence for one series; ``own`` fixes the noise sd.

    With ``K = Q diag(k) Q'`` the covariance ``s^2 K + sigma^2 I`` is diagonal in the basis ``Q``, so that a point of
    the grid costs one small Cholesky factor of the terms' size.
    """
    size = _swing(y, terms)
    sigmas = size * np.geomspace(0.15, 1.5, 7) if own is None else np.array([own])
    found = []
    for persistence in PERSISTENCE:
        if persistence == 0.0 and own is None:
            continue  # white demand of a single series is its noise under another name
        spectrum, basis = np.linalg.eigh(_kernel(persistence, len(y)))
        rotated, turned = terms @ basis, y @ basis
        for demand in size * np.geomspace(0.05, 4.0, 10):
            for sigma in sigmas:
                root = 1 / np.sqrt(demand**2 * spectrum + sigma**2)
                a, b = rotated * root, turned * root
                factor = np.linalg.cholesky(a @ a.T + np.eye(len(a)))
                fit = np.linalg.solve(factor, a @ b)
                log_likelihood = np.log(root).sum() - np.log(np.diag(factor)).sum() - 0.5 * (b @ b - fit @ fit)
                found.append((log_likelihood, sigma, demand**2 / sigma**2, persistence))
    table = np.array(found)
    weight = np.exp(table[:, 0] - table[:, 0].max())
    weight /= weight.sum()
    return float(weight @ table[:, 1]), float(np.exp(weight @ np.log(table[:, 2]))), float(weight @ table[:, 3])


def _kernel(persistence: float, periods: int) -> Floats:
    return np.asarray(persistence ** np.abs(np.arange(periods)[:, None] - np.arange(periods)), dtype=np.float64)
