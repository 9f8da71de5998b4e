"""A cell given all others under a likelihood whose linear terms and demand do not integrate out.

The posterior then holds draws of all of them. Of these only the demand of the cell's own period hangs on the cell
alone, and it would follow it wherever it goes; so it is integrated out, given the demand of the periods beside it, by
the trapezoidal rule: with ``F_h(d)`` the density of geo h's cell, and of the innovation after it, at demand ``d``,

    p(y_g | all others) = int prod_h F_h N(d) dd / ( int F_g dy_g  int prod_{h != g} F_h N(d) dd )

where ``N`` is the autoregression's normal given the neighbours. ``int F_g dy_g`` is 1 where no innovation hangs on the
cell (counts, or no autocorrelation within geos), else the convolution of two Student's t, which does not depend on
``d``. So nothing is approximated but the integrals; everything else in the draw is weighted to what it would be
without the cell (`loo`).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special
from scipy.special import logsumexp

from measurement.mmm.counterfactual import media_effect
from measurement.mmm.likelihood import Family, family_of, log_count, persistence_of, positive
from measurement.mmm.linear_terms import linear_draws
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats

REACH = 6.0
"""Standard deviations of the demand, either way, that the integral covers."""
FEWEST_NODES, MOST_NODES = 25, 401
FINE = 0.6
"""Distance of the nodes, in widths of the likelihood."""
BUDGET = 6e7
"""Densities that are evaluated at most, which bounds the draws of a large panel."""
LEAST_DRAWS = 250
AT_ONCE = 2_000_000
FAR, PLACES = 7.5, 201
"""The innovation's grid: its hyperbolic arcsine goes that far either way, in so many places."""


@dataclass(frozen=True, eq=False)
class Given:
    """Everything but the demand of a cell's own period; of shape (draws, geos, periods) but for the demand.

    Attributes:
        known: Mean without the demand, in means of the KPI.
        demand: Its drawn value, shape (draws, periods).
        centre: Mean of each period's demand given the periods beside it, shape (draws, periods).
        sd: Its standard deviation, same shape.
    """

    known: Floats
    demand: Floats
    centre: Floats
    sd: Floats


def given_by(post: Posterior, panel: Panel) -> Given:
    """Mean and neighbouring demand of every draw."""
    drawn, noise = linear_draws(post, panel), post.noise
    linear = (drawn.coefficients @ drawn.design.matrix().T).reshape(post.size, *panel.shape[:2])
    known = drawn.design.offset + linear + media_effect(post, panel, lambda effect: effect)
    rho, size = noise.persistence, post.draws["sigma"][:, None] * np.sqrt(noise.ratio)
    beside = np.zeros_like(drawn.demand)
    beside[:, 1:] += drawn.demand[:, :-1]
    beside[:, :-1] += drawn.demand[:, 1:]
    inside = np.ones(drawn.demand.shape[1])
    inside[1:-1] = 1.0 + rho**2
    sd = size * np.sqrt((1.0 - rho**2) / inside)
    return Given(known, drawn.demand, rho * beside / inside, sd)


def cells_given_others(post: Posterior, panel: Panel) -> tuple[Floats, Floats]:
    """Log-density of each cell given all others, and the probability of less, both (draws, geos, periods).

    Densities are those of the KPI in its own unit. Of counts, half of what was seen counts as less. NaN for the cells
    that the fit left out.
    """
    family, given = family_of(post), given_by(post, panel)
    nodes = _nodes(family, given)
    size = max(1, AT_ONCE // (family.counts.size * len(nodes)))
    parts = [
        _some(_part(family, rows), _given_part(given, rows), panel.outcome, nodes)
        for rows in (slice(first, first + size) for first in range(0, post.size, size))
    ]
    density, below = (np.concatenate(part) for part in zip(*parts, strict=True))
    left_out = family.counts == 0
    density[:, left_out] = below[:, left_out] = np.nan
    return density, below


def draws_for(post: Posterior, panel: Panel, most: int) -> int:
    """How many draws a large panel can afford, at least 250 and at most ``most``."""
    few = post.thinned(50)
    each = post.counts.size * len(_nodes(family_of(few), given_by(few, panel)))
    return int(min(most, max(LEAST_DRAWS, BUDGET // each)))


def _nodes(family: Family, given: Given) -> Floats:
    """Standard deviations from its centre at which the demand is tried, finer where the geos together tell more."""
    if family.likelihood == "negative_binomial":
        unit = family.unit[:, None]
        mean = positive(given.known + given.demand[:, None])
        cell = np.median(np.sqrt(mean / unit + mean**2 / family.shape[:, None, None]), axis=0)
    else:
        step = np.sqrt(1.0 - family.persistence**2)
        cell = np.broadcast_to(
            step * np.median(family.scale, axis=0)[:, None] / family.unit[:, None], given.known[0].shape
        )
    width = 1.0 / np.sqrt(np.maximum((family.counts / cell**2).sum(0), 1e-12))
    told = float((width / np.maximum(np.median(given.sd, axis=0), 1e-12)).min())
    count = int(np.clip(2 * REACH / (FINE * told) + 1, FEWEST_NODES, MOST_NODES))
    return np.linspace(-REACH, REACH, count)


def _some(family: Family, given: Given, kpi: Floats, nodes: Floats) -> tuple[Floats, Floats]:
    tried = (given.centre[..., None] + given.sd[..., None] * nodes)[:, None]
    if family.likelihood == "negative_binomial":
        each, less = _counts(family, given, kpi, tried)
        whole = jacobian = np.zeros(())
    else:
        each, less, whole, jacobian = _noise(family, given, kpi, tried)
    each = np.where(family.counts[..., None] > 0, each, 0.0)
    together = each.sum(1, keepdims=True) - 0.5 * nodes**2
    others = together - each
    rest = logsumexp(others, axis=-1)
    density = logsumexp(together, axis=-1) - rest - whole - jacobian
    below = (np.exp(others - rest[..., None]) * less).sum(-1)
    return density, np.clip(below, 0.0, 1.0)


def _counts(family: Family, given: Given, kpi: Floats, tried: Floats) -> tuple[Floats, Floats]:
    """Log-mass and probability of less of each cell at each demand, (draws, geos, periods, nodes)."""
    shape, seen = family.shape[:, None, None, None], kpi[..., None]
    mean = family.unit[:, None, None] * positive(given.known[..., None] + tried)
    mass = log_count(seen, mean, shape, special.gammaln)
    return mass, special.betainc(shape, seen + 1.0, shape / (shape + mean)) - 0.5 * np.exp(mass)


def _noise(family: Family, given: Given, kpi: Floats, tried: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Log-density of a cell's innovation and the next one at each demand, probability of less, its whole, log scale."""
    unit, nu = family.unit[:, None], family.shape[:, None, None]
    scale = family.scale[..., None] / unit
    rho = persistence_of(family)
    step = np.sqrt(1.0 - rho**2)
    residual = (kpi / unit - given.known - given.demand[:, None]) / scale
    none = np.zeros_like(residual[..., :1])
    before = rho * np.concatenate([none, residual[..., :-1]], axis=-1)
    white = ((kpi / unit - given.known)[..., None] - tried) / scale[..., None]
    white = (white - before[..., None]) / step[..., None]
    each = log_t(white, nu[..., None])
    jacobian = np.log(scale * unit * step)
    # The innovation after the cell is `level - slope * white`, where the next period hangs on this one.
    rho_next = np.concatenate([rho[:, 1:], np.zeros_like(rho[:, :1])], axis=1)
    if not rho_next.any():
        return each, special.stdtr(nu[..., None], white), np.zeros_like(residual), jacobian
    step_next = np.sqrt(1.0 - rho_next**2)
    level = (np.concatenate([residual[..., 1:], none], axis=-1) - rho_next * before) / step_next
    slope = np.broadcast_to(rho_next * step / step_next, level.shape)
    linked = rho_next[..., None] > 0
    each = each + np.where(linked, log_t(level[..., None] - slope[..., None] * white, nu[..., None]), 0.0)
    whole, less = _convolved(level, slope, nu, white)
    plain = special.stdtr(nu[..., None], white)
    return each, np.where(linked, less, plain), np.where(linked[..., 0], whole, 0.0), jacobian


def log_t(white: Floats, nu: Floats) -> Floats:
    """Log-density of Student's t of scale 1."""
    constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
    return np.asarray(constant - (nu + 1) / 2 * np.log1p(white**2 / nu))


def _convolved(level: Floats, slope: Floats, nu: Floats, white: Floats) -> tuple[Floats, Floats]:
    """Logarithm of ``int t(w) t(level - slope w) dw``, and the share of it below each ``white``."""
    grid = np.linspace(-FAR, FAR, PLACES)
    place = np.sinh(grid)
    density = log_t(place, nu[..., None]) + log_t(level[..., None] - slope[..., None] * place, nu[..., None])
    mass = np.exp(density) * np.cosh(grid) * (grid[1] - grid[0])
    summed = np.cumsum((mass[..., 1:] + mass[..., :-1]) / 2, axis=-1)
    summed = np.concatenate([np.zeros_like(summed[..., :1]), summed], axis=-1)
    at = np.clip((np.arcsinh(white) + FAR) / (grid[1] - grid[0]), 0.0, PLACES - 1.001)
    low = at.astype(np.int64)
    first = np.take_along_axis(summed, low, axis=-1)
    second = np.take_along_axis(summed, low + 1, axis=-1)
    less = (first + (at - low) * (second - first)) / summed[..., -1:]
    return np.log(summed[..., -1]), less


def _part(family: Family, rows: slice) -> Family:
    return replace(family, scale=family.scale[rows], shape=family.shape[rows])


def _given_part(given: Given, rows: slice) -> Given:
    return Given(given.known[rows], given.demand[rows], given.centre[rows], given.sd[rows])
