"""The log-density of the model, in JAX: collapsed for normal noise, in full (`full_form`) for any other.

Given the media parameters the linear terms of a normal likelihood are Gaussian and are integrated out exactly. With
``A`` the prior-scaled design, ``W`` the residual's inverse covariance at sigma = 1 (`noise`), ``A' W A = V diag(l) V'``
and ``r`` the outcome less the media,

    log p(y | media, sigma) = 1/2 log|W| - 1/2 [ n log(2 pi sigma^2) + sum log(1 + l / sigma^2)
                                                 + (r' W r - sum (V' A' W r)^2 / (l + sigma^2)) / sigma^2 ]

``W r`` and ``A' W r`` are formed block by block, so a gradient costs little more than the media part itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln

from measurement.mmm.blocks import Blocks
from measurement.mmm.effect_size import coefficients, log_share, spread_of
from measurement.mmm.fast_forms import FAST
from measurement.mmm.full_form import Drawn, Full, drawn, negative_binomial, student_t
from measurement.mmm.lifts import Rows, row_change
from measurement.mmm.noise import local_precision
from measurement.mmm.priors import Layout, standardised, unpack
from measurement.mmm.transforms import Forms, adstock_weights, respond
from measurement.mmm.variation import multiplier_of, varied

LIFT_DF = 6.0


class Tests(NamedTuple):
    """Lift tests, padded. Money-free: results are in standard errors.

    Attributes:
        rows: The cells to simulate.
        channels: 1 in the column of a row's channel, shape (rows, channels); a padded row picks the first.
        members: 1 where a row belongs to a test, shape (tests, rows).
        measured: Result / standard error, shape (tests,).
        std_error: Standard error in KPI units.
        relative_sd: Further standard deviation as a share of the effect.
        used: 1 for a test, 0 for padding.
        spread: KPI units of one unit of between-test spread; 0 where a test stands alone.
        group: The group that shares the spread.
        correlation: Of the tests' errors, shape (tests, tests); ``None`` where no two hang together.
        joint: 1 where a test (column) is a cell of a joint test (row), or a test of its own, shape (tests, tests).
    """

    rows: Rows
    channels: Any
    members: Any
    measured: Any
    std_error: Any
    relative_sd: Any
    used: Any
    spread: Any
    group: Any
    correlation: Any = None
    joint: Any = None


class Collapsed(NamedTuple):
    """What the collapsed form knows of the linear terms and the demand beforehand.

    Attributes:
        demand: `noise.Precision.demand`.
        log_root: `noise.Precision.log_root`.
        vectors: Eigenvectors of the design's Gram matrix.
        values: Its eigenvalues.
    """

    demand: Any
    log_root: Any
    vectors: Any
    values: Any


class ModelData(NamedTuple):
    """Everything the density reads, padded; an argument of the compiled program, never baked into it.

    Attributes:
        outcome: Scaled KPI less the baseline's offset, shape (geos, periods).
        own: `noise.Precision.own`; 0 for masked and padded cells.
        lag: `noise.Precision.lag`.
        count: Number of cells that count.
        cells: Number of real cells (geos × periods), masked ones included.
        exposure: Lag tensor, shape (channels, lags, geos × periods).
        size: Relative sizes, shape (geos,).
        forms: The channels' forms.
        about: What each channel's prior is about, as positions in `effect_size.ABOUT`, shape (channels,).
        prior_mean: Shape (dimension,).
        prior_sd: Shape (dimension,).
        national: Design block, shape (periods, columns).
        local: Design block, shape (periods, columns).
        each: Design block of cells, shape (columns, geos, periods).
        terms: What is known of the linear terms and the demand, for the form that the likelihood takes.
        basis: `variation.basis_of` the panel, shape (periods, steps), or ``None`` where no channel's effect varies.
        tests: Lift tests, or ``None``.
    """

    outcome: Any
    own: Any
    lag: Any
    count: Any
    cells: Any
    exposure: Any
    size: Any
    forms: Forms
    about: Any
    prior_mean: Any
    prior_sd: Any
    national: Any
    local: Any
    each: Any
    terms: Collapsed | Full
    basis: Any
    tests: Tests | None

    @property
    def blocks(self) -> Blocks:
        """The design."""
        return Blocks(self.national, self.local, self.each)


def media(layout: Layout, data: ModelData, values: dict[str, Any]) -> tuple[Array, Array, Array]:
    """Sum of the channels' effects on the model's scale, (geos, periods), the coefficients and the log shares."""
    exposure = data.exposure.reshape(*data.exposure.shape[:2], layout.geos, -1)
    multiplier = multiplier_of(layout.varying, layout.channels, values, data.basis)
    saturated = varied(respond(layout.kinds, data.forms, values, exposure, FAST), multiplier)
    summed = saturated.sum(-1)
    spread = spread_of(values, summed)
    weight = data.size * spread
    total = (weight * summed).sum(-1)
    share = log_share(
        layout.kinds, data.forms, data.about, layout.about, values, exposure, multiplier, total, weight, data.cells
    )
    coefficient = coefficients(share, total, spread, data.cells)
    return jnp.einsum("cg,cgt->gt", coefficient, saturated), coefficient, share


def collapsed(data: ModelData, terms: Collapsed, residual: Array, sigma: Array) -> Array:
    """Log-density of the outcome with the linear terms integrated out; ``residual`` is outcome less media."""
    near, white = local_precision(data.own, data.lag, residual)
    shared = near.sum(0)
    expected = terms.demand @ shared
    precise = near - local_precision(data.own, data.lag, jnp.broadcast_to(expected, residual.shape))[0]
    rotated = data.blocks.project(precise) @ terms.vectors
    variance = sigma**2
    explained = (rotated**2 / (terms.values + variance)).sum()
    square = (white**2).sum() - shared @ expected
    log_det = data.count * jnp.log(2 * jnp.pi * variance) + jnp.log1p(terms.values / variance).sum()
    return jnp.asarray(terms.log_root - 0.5 * (log_det + (square - explained) / variance))


def explicit(
    layout: Layout, data: ModelData, terms: Full, residual: Array, values: dict[str, Any]
) -> tuple[Array, Drawn]:
    """Log-density of the outcome given linear terms and demand, and these; ``residual`` is outcome less media."""
    sigma = values["sigma"]
    if layout.likelihood == "student_t":
        found = drawn(terms, data.blocks, residual, values, sigma, sigma)
        return student_t(data.own, data.lag, terms, found.left, sigma, values["nu"]), found
    found = drawn(terms, data.blocks, residual, values, 1.0, sigma)
    mean = data.outcome - found.left + terms.offset
    return negative_binomial(data.own > 0, terms, mean, values["dispersion"]), found


def series_log_density(layout: Layout, data: ModelData, residual: Array, values: dict[str, Any]) -> Array:
    """Log-density of the outcome in the form of its likelihood; in full with the density of the coordinates."""
    if isinstance(data.terms, Collapsed):
        return collapsed(data, data.terms, residual, values["sigma"])
    series, found = explicit(layout, data, data.terms, residual, values)
    return series + found.log_prior + found.log_jacobian


def kept(layout: Layout, data: ModelData, values: dict[str, Any]) -> tuple[Array, Array, Array, Array]:
    """What a draw keeps beside its vector: coefficients, log shares and, in the full form, linear terms and demand."""
    effect, coefficient, share = media(layout, data, values)
    if isinstance(data.terms, Collapsed):
        return coefficient, share, jnp.zeros(0), jnp.zeros(0)
    found = explicit(layout, data, data.terms, data.outcome - effect, values)[1]
    return coefficient, share, found.coefficients, found.demand


def lift_log_density(layout: Layout, data: ModelData, values: dict[str, Any], coefficient: Array) -> Array:
    """Log-density of all lift tests, each simulated inside the model."""
    tests = data.tests
    if tests is None:
        return jnp.zeros(())
    outside = (coefficient * data.size).sum(-1, keepdims=True) / data.size.sum()
    forms, rows = data.forms, tests.rows
    weights = adstock_weights(layout.kinds, forms, values)
    # One product with 0-1 rows in place of three gathers, whose gradients would be slow scatters.
    columns = jnp.concatenate([weights, values["half_saturation"][:, None], values["slope"][:, None]], axis=1)
    mine = tests.channels @ columns
    change = row_change(layout.kinds, forms, mine[:, :-2], mine[:, -2], mine[:, -1], rows)
    parts = jnp.concatenate([coefficient, outside], -1)[rows.channel, rows.geo] * change
    multiplier = multiplier_of(layout.varying, layout.channels, values, data.basis)
    if multiplier is not None:
        parts = parts * multiplier[rows.channel, rows.period]
    effect = tests.members @ parts / tests.std_error
    bias: Any = 0.0
    if layout.groups:
        bias = tests.spread / tests.std_error * values["lift_spread"][tests.group] * values["lift_bias"]
    off = tests.measured - effect - bias
    extra = (tests.relative_sd * effect) ** 2
    if tests.correlation is not None:
        return _jointly(tests, off, extra)
    scale = jnp.sqrt(1.0 + extra)
    z = off / scale
    constant = gammaln((LIFT_DF + 1) / 2) - gammaln(LIFT_DF / 2) - 0.5 * jnp.log(LIFT_DF * jnp.pi)
    each = constant - jnp.log(tests.std_error * scale) - (LIFT_DF + 1) / 2 * jnp.log1p(z**2 / LIFT_DF)
    return jnp.asarray((tests.used * each).sum())


def _jointly(tests: Tests, off: Array, extra: Array) -> Array:
    """The same where cells of one test share their controls: a multivariate t for each test.

    Args:
        tests: The tests.
        off: Result less effect and bias, in standard errors, shape (tests,).
        extra: Further variance of each test's own, in standard errors squared.
    """
    root = jnp.linalg.cholesky(tests.correlation + jnp.diag(extra))
    white = solve_triangular(root, off, lower=True)
    cells = tests.joint.sum(-1)
    square = tests.joint @ white**2
    log_root = tests.joint @ (jnp.log(jnp.diag(root)) + jnp.log(tests.std_error))
    constant = gammaln((LIFT_DF + cells) / 2) - gammaln(LIFT_DF / 2) - cells / 2 * jnp.log(LIFT_DF * jnp.pi)
    return jnp.asarray((constant - log_root - (LIFT_DF + cells) / 2 * jnp.log1p(square / LIFT_DF)).sum())


def log_density_fn(layout: Layout) -> Callable[[Array, ModelData], Array]:
    """The log-density in the sampler's coordinates, up to the normal prior's constant."""

    def log_density(z: Array, data: ModelData) -> Array:
        standard = standardised(layout, data.forms.code, data.prior_mean, data.prior_sd, z)
        values = unpack(layout, data.prior_mean + data.prior_sd * standard)
        effect, coefficient, _ = media(layout, data, values)
        lift = lift_log_density(layout, data, values, coefficient)
        series = series_log_density(layout, data, data.outcome - effect, values)
        return jnp.asarray(series + lift - 0.5 * (standard[: layout.plain] ** 2).sum())

    return log_density
