"""The full form of the model, in JAX: for a likelihood under which the linear terms do not integrate out.

The flat vector then holds the linear coefficients ``eta`` and the national demand's shocks ``x``, both standard normal
a priori. Sampled as they are they would be long and narrow: a hundred weeks of demand and the intercept nearly cancel.
So the sampler moves ``z`` in

    x = U [ (1 + q^2 L)^-1 (s / k^2) U' R' (Z' P r - C V (l + k^2)^-1 V' A' P r) + (1 + q^2 L)^-1/2 z_x ]
    eta = V [ (l + k^2)^-1 V' (A' P (r - s R x)) + k (l + k^2)^-1/2 z_eta ]

with ``r`` the outcome less media, ``k`` the noise's scale, ``s`` the demand's, ``q = s / k``, and the letters of
`Full`. For normal noise of precision ``P / k^2`` this is the exact conditional posterior of both: ``z`` is standard
normal and knows nothing of the media parameters, which NUTS then explores as if both had been integrated out. For other
noise ``P`` is chosen near it (`full_parts`) and the density does the rest: the map is a change of variables whose
Jacobian is ``prod (1 + q^2 L)^-1/2 prod (1 + l / k^2)^-1/2``.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln

from measurement.mmm.blocks import Blocks
from measurement.mmm.likelihood import log_count, positive
from measurement.mmm.noise import local_precision


class Full(NamedTuple):
    """What the full form knows beforehand of the linear terms and the demand.

    Attributes:
        own: Coefficient of a cell in its whitened value under ``P``, shape (geos, periods).
        lag: Coefficient of the period before it.
        vectors: ``V``, eigenvectors of ``A' P A``.
        values: ``l``, its eigenvalues.
        cross: ``C V = Z' P A V``, shape (periods, columns).
        root: ``R U``, shape (periods, periods): ``R`` the root of the demand's covariance at ``sigma = 1``, ``U``
            the eigenvectors of what the data tell of its shocks.
        strength: ``L``, the eigenvalues.
        kpi: The KPI in its own unit, shape (geos, periods).
        unit: KPI units of one scaled unit, shape (geos,).
        offset: Fixed part of the baseline.
        log_root: Sum of the logarithms of the likelihood's own whitening coefficients.
    """

    own: Any
    lag: Any
    vectors: Any
    values: Any
    cross: Any
    root: Any
    strength: Any
    kpi: Any
    unit: Any
    offset: Any
    log_root: Any


class Drawn(NamedTuple):
    """The terms at one point of the flat vector.

    Attributes:
        coefficients: ``eta``, shape (columns,).
        demand: ``s R x`` in means of the KPI, shape (periods,).
        left: Outcome less media, linear terms and demand, shape (geos, periods).
        log_prior: Log prior of ``eta`` and ``x``, without its constant.
        log_jacobian: Of the map from ``z``, without what is constant.
    """

    coefficients: Array
    demand: Array
    left: Array
    log_prior: Array
    log_jacobian: Array


def drawn(full: Full, blocks: Blocks, residual: Array, values: dict[str, Any], noise: Any, demand: Any) -> Drawn:
    """Linear terms and demand.

    Args:
        full: What is known of them.
        blocks: The design.
        residual: Outcome less media, shape (geos, periods).
        values: Named parameters, the coordinates of both among them.
        noise: ``k``.
        demand: ``s``.
    """
    near = local_precision(full.own, full.lag, residual)[0]
    projected = blocks.project(near) @ full.vectors
    open_ = full.values + noise**2
    ratio = 1.0 + (demand / noise) ** 2 * full.strength
    pulled = demand / noise**2 * ((near.sum(0) - full.cross @ (projected / open_)) @ full.root)
    shocks = pulled / ratio + values["demand_coordinate"] / jnp.sqrt(ratio)
    moved = demand * (full.root @ shocks)
    mean = (projected - moved @ full.cross) / open_
    turned = mean + noise / jnp.sqrt(open_) * values["linear_coordinate"]
    coefficients = full.vectors @ turned
    return Drawn(
        coefficients=coefficients,
        demand=moved,
        left=residual - blocks.total(coefficients) - moved,
        log_prior=-0.5 * ((shocks**2).sum() + (turned**2).sum()),
        log_jacobian=-0.5 * (jnp.log(ratio).sum() + jnp.log(open_ / noise**2).sum()),
    )


def student_t(own: Array, lag: Array, full: Full, left: Array, sigma: Array, nu: Array) -> Array:
    """Log-density of the residual ``left`` whose innovations are Student's t; cells with ``own = 0`` do not count."""
    white = local_precision(own, lag, left)[1] / sigma
    count = (own > 0).sum()
    constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(nu * jnp.pi) - jnp.log(sigma)
    return jnp.asarray(full.log_root + count * constant - (nu + 1) / 2 * jnp.log1p(white**2 / nu).sum())


def negative_binomial(counts: Array, full: Full, mean: Array, dispersion: Array) -> Array:
    """Log-density of counts.

    Args:
        counts: Whether a cell counts, shape (geos, periods).
        full: The counts.
        mean: The additive mean in means of the KPI, shape (geos, periods).
        dispersion: The variance is ``m + m^2 / dispersion``.
    """
    m = positive(mean) * full.unit[:, None]
    return jnp.where(counts, log_count(full.kpi, m, dispersion, gammaln), 0.0).sum()
