"""The collapsed density against brute force, its padding, its masking and its priors."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from measurement.lift import Lift
from measurement.mmm.counterfactual import contribution, iroas, media_effect, mroas
from measurement.mmm.density import log_density_fn, media
from measurement.mmm.design_matrix import decompose, design_of
from measurement.mmm.effect_size import coefficients, spread_of
from measurement.mmm.linear_terms import conditional_draws, linear_draws
from measurement.mmm.noise import Noise, precision_of
from measurement.mmm.prepare import prepare
from measurement.mmm.priors import standardised, unpack
from measurement.mmm.spec import Spec


def residual_covariance(noise: Noise, counts: np.ndarray) -> np.ndarray:
    """Written out from the definition, for sigma = 1; stretches on the two sides of a gap are independent."""
    geos, periods = counts.shape
    lag = np.abs(np.arange(periods)[:, None] - np.arange(periods))
    stretch = np.cumsum(counts == 0, axis=1)
    full = np.zeros((geos, periods, geos, periods))
    for g in range(geos):
        joined = stretch[g][:, None] == stretch[g]
        full[g, :, g] = noise.relative[g] ** 2 * noise.local_persistence**lag * joined
        for h in range(geos):
            full[g, :, h] += noise.ratio * noise.persistence**lag
    return full.reshape(geos * periods, geos * periods)


OTHER_FORMS = {
    "channel 0": {"adstock": "weibull", "saturation": "exponential", "order": "saturation_first"},
    "channel 1": {"adstock": "binomial", "saturation": "root", "demand_driven": "strong"},
}
VARYING = {"channel 0": {"varies": "slow"}}
DELAYED = {"channel 1": {"adstock": "delayed", "saturation": "logistic", "demand_driven": "strong"}}


@pytest.fixture(scope="module", params=["national", "geo", "other forms", "varying"])
def case(request, panel_of):
    geos = 1 if request.param == "national" else 3
    panel, _ = panel_of(geos, 40, 2, seed=3)
    spec = Spec.default(
        panel,
        trend="piecewise",
        fourier_order=2,
        holidays=("DE",),
        channels={"other forms": OTHER_FORMS, "varying": VARYING | DELAYED}.get(request.param, DELAYED),
    )
    lifts = ()
    if geos > 1:
        place = panel.dates[[20, 24, 26]].tolist()
        usual = 0.5 * panel.spend[:1, 20:25, :1]
        lifts = (Lift("t", ("channel 0",), panel.geos[:1], *place, 9e3, 2e3, 0.1, usual),)
    return panel, spec, lifts


@cache
def compiled(layout, gradient=False):
    function = log_density_fn(layout)
    return jax.jit(jax.grad(function) if gradient else function)


def density(ready, z, gradient=False):
    with jax.enable_x64(True):
        return np.asarray(compiled(ready.layout, gradient)(jnp.array(z), jax.tree.map(jnp.asarray, ready.data)))


def at(ready, seed=0):
    return np.random.default_rng(seed).normal(0, 0.7, ready.layout.dimension)


def test_collapsed_density_is_the_marginal_normal(case):
    panel, spec, lifts = case
    ready = prepare(panel, spec, lifts, pad=False)
    z = at(ready)
    mean, sd = ready.data.prior_mean, ready.data.prior_sd
    z0 = standardised(ready.layout, ready.data.forms.code, mean, sd, z)
    values = unpack(ready.layout, mean + sd * z0)
    with jax.enable_x64(True):
        effect, coefficient, _ = jax.jit(partial(media, ready.layout))(ready.data, values)
    design = design_of(spec, panel, ready.scales, ready.noise, ready.usual)
    rows = design.matrix()
    counts = ready.counts.ravel() > 0
    covariance = rows @ rows.T + float(values["sigma"]) ** 2 * residual_covariance(ready.noise, ready.counts)
    mean = design.offset + np.asarray(effect).ravel()
    outcome = ready.scales.scaled_outcome(panel).ravel()
    expected = stats.multivariate_normal.logpdf(outcome[counts], mean[counts], covariance[np.ix_(counts, counts)])
    expected -= 0.5 * z0 @ z0
    if lifts:
        delta = own_delta(panel, spec, ready, values, np.asarray(coefficient), lifts[0])
        scale = np.hypot(lifts[0].std_error, lifts[0].relative_sd * delta)
        expected += stats.t.logpdf(lifts[0].outcome_change, 6, delta, scale)
        assert counts.sum() == counts.size - 7  # five weeks of the test and two of its cool-down
    assert density(ready, z) == pytest.approx(expected, rel=1e-9)


def own_delta(panel, spec, ready, values, coefficient, lift):
    """Delta of the one test, by convolution with numpy's own tools."""
    usual = panel.spend[0, :, 0].copy()
    usual[20:25] = lift.counterfactual_spend[0, :, 0]
    first = {name: float(np.atleast_1d(value)[0]) for name, value in values.items() if np.ndim(value) < 2}
    lags, half, slope = np.arange(8), first["half_saturation"], first["slope"]
    other = spec.channels["channel 0"].order == "saturation_first"
    if other:
        weights = stats.weibull_min(first["weibull_shape"], scale=first["weibull_scale"]).pdf(lags + 1)
    else:
        weights = first["decay"] ** lags
    weights /= weights.sum()
    unit = ready.scales.size[0] * ready.scales.exposure[0]

    def effect(spend):
        if other:
            return coefficient[0, 0] * np.convolve(1 - 0.5 ** (spend / unit / half), weights)[:40]
        carried = np.convolve(spend / unit, weights)[:40]
        return coefficient[0, 0] * carried**slope / (carried**slope + half**slope)

    change = effect(panel.spend[0, :, 0]) - effect(usual)
    if spec.channels["channel 0"].varies == "slow":
        walk = np.append(0.0, np.cumsum(0.5 * values["drift"][0] * values["drift_step"][0]))
        path = np.interp(np.arange(40) * 7 / (365.25 / 4), np.arange(len(walk)), walk)
        change = change * np.exp(path - path.mean())
    change = change[20:27].sum()
    return change * ready.scales.size[0] * ready.scales.outcome


def test_padding_changes_nothing(case):
    plain, padded = prepare(*case, pad=False), prepare(*case)
    assert padded.data.outcome.shape[1] > plain.data.outcome.shape[1]
    z = at(padded)
    # Padding adds tests at the end of the vector only where tests share a spread, which these do not.
    assert padded.layout.dimension == plain.layout.dimension
    assert density(padded, z) == pytest.approx(density(plain, z), rel=1e-12)


def test_masked_cells_do_not_matter(panel_of):
    panel, _ = panel_of(3, 40, 2, seed=3)
    place = panel.dates[[20, 24, 26]].tolist()
    lift = Lift("t", ("channel 0",), panel.geos[:1], *place, 9e3, 2e3, 0.1, 0.5 * panel.spend[:1, 20:25, :1])
    ready = prepare(panel, Spec.default(panel), [lift])
    outcome = ready.data.outcome.copy()
    outcome[0, 20:27] += 5.0
    z = at(ready)
    assert density(replace(ready, data=ready.data._replace(outcome=outcome)), z) == density(ready, z)
    outcome[1, 20] += 5.0
    assert density(replace(ready, data=ready.data._replace(outcome=outcome)), z) != density(ready, z)
    unmasked = prepare(panel, Spec.default(panel, mask_tests="no"), [lift])
    assert unmasked.counts.all()


def test_an_roi_prior_is_the_prior_of_roi(panel_of):
    panel, _ = panel_of(3, 40, 2, seed=3)
    spec = Spec.default(panel, channels={"channel 0": {"roi": {"median": 2.0, "low": 0.5, "high": 8.0}}})
    ready = prepare(panel, spec)
    z = np.random.default_rng(0).standard_normal((40_000, ready.layout.dimension))
    values = unpack(ready.layout, ready.data.prior_mean + ready.data.prior_sd * z)
    money = panel.outcome.sum() * panel.kpi_value / panel.spend.sum((0, 1))
    roi = np.quantile(np.exp(values["log_contribution"]) * money, [0.05, 0.5, 0.95], axis=0)
    np.testing.assert_allclose(roi[:, 0], [0.5, 2.0, 8.0], rtol=0.05)
    np.testing.assert_allclose(roi[:, 1], [0.2, 1.0, 5.0], rtol=0.05)


def test_a_prior_holds_for_what_it_is_about(panel_of, posterior_of):
    """Four channels, four kinds of prior: each draw's quantity, worked out by counterfactuals, is the prior's own."""
    panel, _ = panel_of(3, 40, 4, seed=3)
    about = ("roi", "mroi", "contribution", "coefficient")
    prior = {"median": 0.3, "low": 0.1, "high": 0.9}
    forms = [
        {},
        {"order": "saturation_first", "saturation": "exponential"},
        {"saturation": "logistic"},
        {"saturation": "hill"},
    ]
    own = {f"channel {c}": {about[c]: prior} | forms[c] for c in range(4)}
    spec = Spec.default(panel, channels=own)
    ready = prepare(panel, spec, pad=False)
    layout, data = ready.layout, ready.data
    z = np.random.default_rng(0).standard_normal((30, layout.dimension))
    values = unpack(layout, data.prior_mean + data.prior_sd * z)
    with jax.enable_x64(True):
        run = jax.jit(partial(media, layout))
        drawn = [run(data, {name: value[i] for name, value in values.items()}) for i in range(30)]
    draws = {name: values[name] for name in ("decay", "delay", "half_saturation", "slope", "sigma")}
    draws["coefficient"] = np.stack([np.asarray(coefficient) for _, coefficient, _ in drawn])
    post = replace(posterior_of(panel, spec), draws=draws)
    typical = draws["coefficient"] / np.exp(values["geo_spread"][..., None] * values["geo_effect"])
    seen = {
        "roi": iroas(post, panel)[:, 0],
        "mroi": mroas(post, panel, step=1e-5)[:, 1],
        "contribution": contribution(post, panel)[:, 2] / panel.outcome.sum(),
        "coefficient": typical[:, 3, 0],
    }
    at = layout.start("log_contribution")
    for c, name in enumerate(about):
        mean, sd = np.log(0.3), np.log(9) / (2 * 1.6448536269514722)
        np.testing.assert_allclose(seen[name], np.exp(mean + sd * z[:, at + c]), rtol=1e-4, err_msg=name)


def test_the_samplers_coordinates_keep_volume(case):
    """The change of variables has Jacobian 1, so that the prior stays what it was."""
    ready = prepare(*case, pad=False)
    data, z = ready.data, at(ready)

    def move(z):
        return standardised(ready.layout, data.forms.code, data.prior_mean, data.prior_sd, z)

    unit = 1e-5 * np.eye(len(z))
    jacobian = np.stack([(move(z + step) - move(z - step)) / 2e-5 for step in unit])
    assert np.linalg.det(jacobian) == pytest.approx(1.0, rel=1e-6)
    assert (np.abs(jacobian - np.eye(len(z))) > 0.01).any()


def test_contribution_is_what_the_coefficients_add_up_to():
    """The change of variables: whatever the spread between geos, the effects sum to the share of the KPI."""
    rng = np.random.default_rng(1)
    values = {"geo_spread": np.array([0.3, 0.6]), "geo_effect": rng.standard_normal((2, 5))}
    saturated, size = rng.uniform(5, 20, (2, 5)), rng.uniform(0.5, 2, 5)
    spread = spread_of(values, saturated)
    total = (size * spread * saturated).sum(-1)
    got = coefficients(np.log(np.array([0.02, 0.1])), total, spread, cells=5 * 50)
    np.testing.assert_allclose((size * got * saturated).sum(1) / 250, [0.02, 0.1], rtol=1e-12)


def test_gradient_matches_finite_differences(case):
    ready = prepare(*case, pad=False)
    z = at(ready, 4)
    gradient = density(ready, z, gradient=True)
    direction = np.random.default_rng(5).standard_normal(z.size)
    direction /= np.linalg.norm(direction)
    slope = (density(ready, z + 1e-5 * direction) - density(ready, z - 1e-5 * direction)) / 2e-5
    assert gradient @ direction == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("geos", [1, 3])
def test_precision_is_the_inverse_of_the_covariance(geos):
    rng = np.random.default_rng(0)
    noise = Noise(0.02, 1.7, 0.8, 0.4 * (geos > 1), 0.03, 0.02, np.linspace(0.7, 1.4, geos))
    counts = np.ones((geos, 15))
    if geos > 1:
        counts[1, 5:8] = 0
    precision = precision_of(noise, counts)
    keep = counts.ravel() > 0
    covariance = residual_covariance(noise, counts)[np.ix_(keep, keep)]
    x = rng.standard_normal(counts.shape)
    got = precision.times(x).ravel()
    np.testing.assert_allclose(got[keep], np.linalg.solve(covariance, x.ravel()[keep]), rtol=1e-8)
    np.testing.assert_array_equal(got[~keep], 0)
    assert precision.log_root == pytest.approx(-0.5 * np.linalg.slogdet(covariance)[1], rel=1e-9)


def test_linear_terms_have_their_closed_form_mean_and_covariance(panel_of):
    panel, _ = panel_of(2, 30, 1, seed=5)
    spec = Spec.default(panel, fourier_order=1)
    ready = prepare(panel, spec, pad=False)
    design = design_of(spec, panel, ready.scales, ready.noise, ready.usual)
    rows, sigma = design.matrix(), 0.03
    covariance = sigma**2 * residual_covariance(ready.noise, ready.counts)
    residual = np.random.default_rng(0).normal(0, 0.1, len(rows))
    wanted_covariance = np.linalg.inv(np.eye(rows.shape[1]) + rows.T @ np.linalg.solve(covariance, rows))
    wanted_mean = wanted_covariance @ rows.T @ np.linalg.solve(covariance, residual)
    precision = precision_of(ready.noise, ready.counts)
    projected = rows.T @ precision.times(residual.reshape(ready.counts.shape)).ravel()
    draws = conditional_draws(
        decompose(design, precision), np.tile(projected, (60_000, 1)), np.full(60_000, sigma), np.random.default_rng(1)
    )
    spread = np.sqrt(np.diag(wanted_covariance))
    np.testing.assert_allclose(draws.mean(0), wanted_mean, atol=4 * spread.max() / np.sqrt(60_000))
    scale = np.outer(spread, spread)
    np.testing.assert_allclose(np.cov(draws.T) / scale, wanted_covariance / scale, atol=0.03)


def test_demand_is_what_the_other_terms_leave_over(panel_of, posterior_of):
    """Draws of the national demand have the mean and variance of its exact conditional distribution."""
    panel, _ = panel_of(2, 30, 1, seed=5)
    post = posterior_of(panel, draws=4_000)
    one = {name: np.repeat(values[:1], 4_000, axis=0) for name, values in post.draws.items()}
    post = replace(post, draws=one, counts=np.ones((2, 30)))
    drawn = linear_draws(post, panel)
    rows, sigma = drawn.design.matrix(), one["sigma"][0]
    lag = np.abs(np.arange(30)[:, None] - np.arange(30))
    kernel = sigma**2 * post.noise.ratio * post.noise.persistence**lag
    each = np.tile(np.eye(30), (2, 1))
    total = rows @ rows.T + sigma**2 * residual_covariance(post.noise, post.counts)
    effect = media_effect(post, panel, lambda e: e.reshape(len(e), -1))[0]
    residual = post.scales.scaled_outcome(panel).ravel() - drawn.design.offset - effect
    mean = kernel @ each.T @ np.linalg.solve(total, residual)
    variance = np.diag(kernel - kernel @ each.T @ np.linalg.solve(total, each @ kernel))
    np.testing.assert_allclose(drawn.demand.mean(0), mean, atol=5 * np.sqrt(variance.max() / 4_000))
    np.testing.assert_allclose(drawn.demand.var(0), variance, rtol=0.15)
