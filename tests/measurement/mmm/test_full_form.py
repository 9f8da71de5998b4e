"""The full form: its density written out, its change of variables, its padding, and the normal as its limit."""

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from measurement.lift import Lift
from measurement.mmm.density import Collapsed, explicit, log_density_fn, media
from measurement.mmm.design_matrix import decompose, design_of
from measurement.mmm.dims import demand_root
from measurement.mmm.full_parts import tamed
from measurement.mmm.noise import precision_of
from measurement.mmm.prepare import prepare
from measurement.mmm.priors import standardised, unpack
from measurement.mmm.spec import Spec

CASES = ["national student_t", "geo student_t", "geo negative_binomial"]


def built(panel_of, name):
    """A panel with what makes the likelihood worth having, its spec, and on geo panels a test with masked cells."""
    where, likelihood = name.split()
    panel, _ = panel_of(1 if where == "national" else 3, 40, 2, seed=3)
    rng, outcome = np.random.default_rng(0), panel.outcome.copy()
    if likelihood == "student_t":
        outcome[:, [7, 23]] *= [1.5, 0.6]
    else:
        outcome = rng.poisson(8 * outcome / outcome.mean(1, keepdims=True)).astype(float)
    panel = replace(
        panel, kpis={"kpi": outcome}, kpi="kpi", kpi_value=1e5 if likelihood == "negative_binomial" else 1.0
    )
    lifts = ()
    if where == "geo":
        place = panel.dates[[20, 24, 26]].tolist()
        size = 0.1 * outcome[0].sum()
        lifts = (
            Lift("t", ("channel 0",), panel.geos[:1], *place, size, 0.3 * size, 0.1, 0.5 * panel.spend[:1, 20:25, :1]),
        )
    return panel, Spec.default(panel, likelihood=likelihood, fourier_order=1, trend="piecewise"), lifts


@pytest.fixture(scope="module", params=CASES)
def case(request, panel_of):
    return built(panel_of, request.param)


class Point(NamedTuple):
    """Everything of the density at one point of the flat vector."""

    value: Any
    series: Any
    found: Any
    effect: Any
    values: Any
    standard: Any


@cache
def compiled(layout):
    def run(z, data):
        standard = standardised(layout, data.forms.code, data.prior_mean, data.prior_sd, z)
        values = unpack(layout, data.prior_mean + data.prior_sd * standard)
        effect = media(layout, data, values)[0]
        series, found = explicit(layout, data, data.terms, data.outcome - effect, values)
        return Point(log_density_fn(layout)(z, data), series, found, effect, values, standard)

    return jax.jit(run)


def point(ready, z):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, compiled(ready.layout)(jnp.asarray(z), jax.tree.map(jnp.asarray, ready.data)))


def at(ready, seed=0):
    return np.random.default_rng(seed).normal(0, 0.7, ready.layout.dimension)


def test_the_density_is_that_of_the_generative_model(case):
    """Everything written out with scipy, and the Jacobian from the map's own columns."""
    panel, spec, lifts = case
    ready = prepare(panel, spec, lifts, pad=False)
    layout = ready.layout
    value, series, found, effect, values, standard = point(ready, at(ready))
    design, sigma = design_of(spec, panel, ready.scales, ready.noise, ready.usual), float(values["sigma"])
    root = sigma * demand_root(ready.noise, panel.shape[1])
    mean = design.offset + (design.matrix() @ found.coefficients).reshape(effect.shape) + effect + found.demand
    keep = ready.counts > 0
    if spec.likelihood == "student_t":
        left = ready.scales.scaled_outcome(panel) - mean
        rho, expected = ready.noise.local_persistence, 0.0
        for g, t in np.argwhere(keep):
            before = rho * left[g, t - 1] if t > 0 and keep[g, t - 1] else 0.0
            step = np.sqrt(1 - rho**2) if t > 0 and keep[g, t - 1] else 1.0
            scale = sigma * ready.noise.relative[g] * step
            expected += stats.t.logpdf(left[g, t], float(values["nu"]), before, scale)
    else:
        unit = (ready.scales.size * ready.scales.outcome)[:, None]
        m, phi = unit * 0.05 * np.logaddexp(0.0, mean / 0.05), float(values["dispersion"])
        expected = stats.nbinom.logpmf(panel.outcome, phi, phi / (phi + m))[keep].sum()
        assert ready.noise.local_persistence == 0.0
    assert series == pytest.approx(expected, rel=1e-8)
    shocks = np.linalg.solve(root, found.demand)
    assert found.log_prior == pytest.approx(
        -0.5 * (shocks @ shocks + found.coefficients @ found.coefficients), rel=1e-8
    )
    prior = -0.5 * standard[: layout.plain] @ standard[: layout.plain]
    total = expected + float(found.log_prior) + float(found.log_jacobian) + prior
    if lifts:
        assert (~keep).sum() == 7
        assert value != pytest.approx(total, abs=1e-3)  # the test's own density, held by the collapsed form's tests
    else:
        assert value == pytest.approx(total, rel=1e-9)


def test_the_jacobian_is_that_of_the_map(case):
    """The map is linear in its coordinates, so its columns are differences of its values."""
    ready = prepare(*case, pad=False)
    layout, z = ready.layout, at(ready)
    z[layout.plain :] = 0.0
    middle = point(ready, z)

    def moved(i):
        found = point(ready, z + np.eye(len(z))[i]).found
        return np.concatenate([found.coefficients, found.demand])

    start = np.concatenate([middle.found.coefficients, middle.found.demand])
    matrix = np.stack([moved(i) - start for i in range(layout.plain, layout.dimension)], axis=1)
    root = middle.values["sigma"] * demand_root(ready.noise, case[0].shape[1])
    matrix[layout.columns :] = np.linalg.solve(root, matrix[layout.columns :])
    assert np.linalg.slogdet(matrix)[1] == pytest.approx(float(middle.found.log_jacobian), abs=1e-6)


def test_padding_changes_nothing(case):
    plain, full = prepare(*case, pad=False), prepare(*case)
    z = at(plain)
    layout, wide = plain.layout, full.layout
    assert wide.periods > layout.periods
    assert wide.columns > layout.columns
    padded = np.zeros(wide.dimension)
    padded[: layout.plain] = z[: layout.plain]
    # The spectrum is that of the same matrix with empty rows: its vectors stand at the same places.
    padded[wide.plain + full.places] = z[layout.plain : layout.plain + layout.columns]
    padded[wide.plain + wide.columns : wide.plain + wide.columns + layout.periods] = z[layout.plain + layout.columns :]
    one, other = point(plain, z), point(full, padded)
    assert one.value == pytest.approx(other.value, rel=1e-11)
    np.testing.assert_allclose(other.found.coefficients[full.places], one.found.coefficients, rtol=1e-9)
    np.testing.assert_allclose(other.found.demand[: layout.periods], one.found.demand, rtol=1e-9, atol=1e-12)
    assert (other.found.demand[layout.periods :] == 0).all()


def quadratic_integral(ready, z):
    """Logarithm of the integral over the coordinates of linear terms and demand, where the density is normal."""
    data, run = jax.tree.map(jnp.asarray, ready.data), compiled(ready.layout)
    unit = np.eye(len(z))[ready.layout.plain :]

    def value(z):
        return float(run(z, data).value)

    middle = value(z)
    ahead, behind = (np.array([value(z + sign * step) for step in unit]) for sign in (1, -1))
    slope, curvature = (ahead - behind) / 2, np.diag(2 * middle - ahead - behind)
    for i in range(len(unit)):
        for j in range(i):
            curvature[i, j] = curvature[j, i] = ahead[i] + ahead[j] - middle - value(z + unit[i] + unit[j])
    return middle + 0.5 * slope @ np.linalg.solve(curvature, slope) - 0.5 * np.linalg.slogdet(curvature)[1]


def test_with_many_degrees_of_freedom_it_integrates_to_the_collapsed_form(panel_of):
    """Student's t of 1e9 degrees is normal: quadratic in linear terms and demand, so they integrate out exactly."""
    panel, spec, lifts = built(panel_of, "geo student_t")
    ready = prepare(panel, spec, lifts, pad=False)
    layout, data = ready.layout, ready.data
    where = layout.start("nu")
    without = np.delete(np.arange(layout.plain), where)
    # The normal model estimates the residual's fixed parts differently; here it takes those of the t.
    normal = prepare(panel, spec.model_copy(update={"likelihood": "normal"}), lifts, pad=False)
    precision = precision_of(ready.noise, ready.counts)
    spectrum = decompose(design_of(spec, panel, ready.scales, ready.noise, ready.usual), precision)
    terms = Collapsed(precision.demand, precision.log_root, spectrum.vectors, spectrum.values)
    same = data._replace(terms=terms, prior_mean=data.prior_mean[without], prior_sd=data.prior_sd[without])
    found, expected = [], []
    for seed in range(2):
        z = 0.3 * at(ready, seed)
        z[where] = (np.log(1e9) - data.prior_mean[where]) / data.prior_sd[where]
        z[layout.plain :] = 0.0
        with jax.enable_x64(True):
            found.append(quadratic_integral(ready, z) + 0.5 * z[where] ** 2)  # without the prior of nu
            run = jax.jit(log_density_fn(normal.layout))
            expected.append(float(run(jnp.asarray(z[without]), jax.tree.map(jnp.asarray, same))))
    np.testing.assert_allclose(found, expected, atol=0.02)  # log-gamma of 1e9 is no better
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-3)


def test_the_map_takes_the_terms_near_their_posterior(case):
    """Drawn as standard normals the coordinates describe the terms about as well as their mode does."""
    ready = prepare(*case)
    z = np.zeros(ready.layout.dimension)
    mode = point(ready, z).value
    rng = np.random.default_rng(0)
    free = ready.layout.dimension - ready.layout.plain
    fall = []
    for _ in range(20):
        z[ready.layout.plain :] = rng.standard_normal(free)
        fall.append((mode - point(ready, z).value) / (free / 2))
    assert 0.8 < np.mean(fall) < 1.2


def test_masked_cells_do_not_matter(panel_of):
    for name in CASES[1:]:
        ready = prepare(*built(panel_of, name))
        z, data = at(ready), ready.data
        plain, values = point(ready, z).value, []
        for cell in ((0, 22), (1, 22)):
            outcome, kpi = data.outcome.copy(), data.terms.kpi.copy()
            outcome[cell] += 0.1
            kpi[cell] += 3.0
            moved = data._replace(outcome=outcome, terms=data.terms._replace(kpi=kpi))
            values.append(point(replace(ready, data=moved), z).value)
        assert values[0] == pytest.approx(plain, rel=1e-12)
        assert values[1] != pytest.approx(plain, rel=1e-6)


def test_outliers_do_not_reach_the_estimate_of_the_noise(panel_of):
    panel, _ = panel_of(3, 100, 2, seed=5, noise=0.01)
    outcome = panel.outcome.copy()
    rng = np.random.default_rng(0)
    outcome.flat[rng.choice(outcome.size, 12, replace=False)] *= 1.6
    odd = replace(panel, kpis={"revenue": outcome})
    clean, robust, naive = (
        prepare(p, Spec.default(p, likelihood=kind), pad=False).noise
        for p, kind in ((panel, "normal"), (odd, "student_t"), (odd, "normal"))
    )
    assert robust.sigma == pytest.approx(clean.sigma, rel=0.15)
    assert naive.sigma > 3 * clean.sigma
    columns = np.stack([np.ones((3, 100)), np.broadcast_to(np.linspace(-1, 1, 100), (3, 100))])
    line = 2.0 + 0.3 * columns[1] + 0.01 * rng.standard_normal((3, 100))
    spiked = line.copy()
    spiked[1, 50] += 3.0
    cleaned = tamed(spiked, columns)
    assert cleaned[1, 50] == pytest.approx(line[1, 50], abs=0.05)
    assert (cleaned == spiked).mean() > 0.95
