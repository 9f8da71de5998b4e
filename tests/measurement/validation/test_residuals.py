"""One-step errors against the joint normal, and the tests on them: quiet where the model is right, and only there."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from measurement.mmm.design_matrix import design_of
from measurement.mmm.noise import Noise
from measurement.mmm.spec import Spec
from measurement.validation.collapsed import collapsed_of
from measurement.validation.innovations import Filter
from measurement.validation.residuals import ljung_box, outliers, residuals


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def case(request, panel_of, posterior_of):
    panel, _ = panel_of(request.param, 40, 2, seed=3)
    post = posterior_of(panel, Spec.default(panel, fourier_order=2), draws=6)
    counts = post.counts.copy()
    counts[0, 11:14] = 0.0
    return panel, replace(post, counts=counts)


def test_errors_are_those_of_the_joint_normal(case):
    """They are a root of the inverse covariance: any two series have the product that it gives them."""
    panel, post = case
    filter_ = Filter.of(post, panel)
    rng = np.random.default_rng(0)
    series = np.stack([filter_.residual, *rng.standard_normal((2, *post.counts.shape))]) * post.counts
    found = filter_.errors(series).reshape(3, -1)
    sigma = np.full(3, np.sqrt(filter_.variance))
    weighted = collapsed_of(post, panel).weighted(series, sigma).reshape(3, -1)
    np.testing.assert_allclose(found @ found.T, series.reshape(3, -1) @ weighted.T, rtol=1e-7)


def test_errors_know_nothing_of_later_periods(case):
    panel, post = case
    filter_ = Filter.of(post, panel)
    changed = filter_.residual.copy()
    changed[:, 30:] += 1.0
    before, after = filter_.errors(np.stack([filter_.residual, changed]))
    np.testing.assert_array_equal(before[:, :30], after[:, :30])
    assert (np.abs(before[:, 30] - after[:, 30]) > 0.1).all()
    assert (before[0, 11:14] == 0).all()


def from_the_model(posterior_of, panel_of, geos, seed=1, periods=120, **fields):
    """A panel whose KPI is drawn from the model itself, and a posterior that sits on the truth."""
    panel, _ = panel_of(geos, periods, 2, seed=seed)
    spec = Spec.default(panel, channels={name: {"demand_driven": "no"} for name in panel.channels}, **fields)
    post = posterior_of(panel, spec, draws=2)
    draws = {name: np.repeat(values[:1], 2, axis=0) for name, values in post.draws.items()} | {
        "sigma": np.full(2, 0.02)
    }
    noise = Noise(0.02, 0.8, 0.6, 0.3 * (geos > 1), 0.03, 0.02, np.ones(geos))
    post = replace(post, draws=draws, noise=noise)
    rng = np.random.default_rng(seed)
    design = design_of(spec, panel, post.scales, noise)
    linear = (design.matrix() @ rng.standard_normal(design.matrix().shape[1])).reshape(post.counts.shape)
    demand, own = np.empty(periods), np.empty((geos, periods))
    for t in range(periods):
        rho = (0.0, 0.0) if t == 0 else (0.6, noise.local_persistence)
        demand[t] = rho[0] * demand[t - 1] + np.sqrt(0.8 * (1 - rho[0] ** 2)) * rng.standard_normal()
        own[:, t] = rho[1] * own[:, t - 1] + np.sqrt(1 - rho[1] ** 2) * rng.standard_normal(geos)
    scaled = design.offset + linear + 0.02 * (demand + own)
    filter_ = Filter.of(post, panel)
    media = post.scales.scaled_outcome(panel) - design.offset - filter_.residual
    return post, with_kpi(panel, post, scaled + media)


def with_kpi(panel, post, scaled):
    return replace(panel, kpis={panel.kpi: scaled * (post.scales.size * post.scales.outcome)[:, None]})


def scaled_kpi(panel, post):
    return post.scales.scaled_outcome(panel)


@pytest.mark.parametrize("geos", [1, 4])
def test_the_model_s_own_series_has_clean_errors(geos, panel_of, posterior_of):
    everything, outliers = [], 0
    for seed in range(6):
        post, panel = from_the_model(posterior_of, panel_of, geos, seed)
        found = residuals(post, panel)
        everything += [*found.national]
        assert found.ljung_box > 1e-3
        assert min(missed.p for missed in found.missed) > 1e-3
        outliers += len(found.outliers)
    assert outliers <= 2, "of 3,600 normal cells .2 lie beyond 4"
    assert stats.kstest(everything, "norm").pvalue > 0.01


@pytest.mark.parametrize("geos", [1, 4])
def test_a_season_and_a_bent_trend_that_the_model_lacks_are_found_by_name_and_size(geos, panel_of, posterior_of):
    post, panel = from_the_model(posterior_of, panel_of, geos, periods=156, fourier_order=0)
    flat = replace(post, spec=post.spec.model_copy(update={"trend": "none"}))
    time = np.arange(156)
    wave = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * time / 52.18)
    seasonal = residuals(post, with_kpi(panel, post, scaled_kpi(panel, post) + wave))
    assert seasonal.missed[0].what == "season"
    assert seasonal.missed[0].p < 1e-6
    assert seasonal.missed[0].share == pytest.approx(0.1, rel=0.35)
    assert seasonal.ljung_box < 1e-3
    bend = residuals(flat, with_kpi(panel, post, scaled_kpi(panel, post) + 0.4 * np.maximum(time - 78, 0) / 78))
    trend = next(missed for missed in bend.missed if missed.what == "trend")
    assert trend.p < 1e-3


def test_a_channel_whose_form_is_missed_is_named(panel_of, posterior_of):
    post, panel = from_the_model(posterior_of, panel_of, 4)
    spend = panel.exposure[..., 1] / post.scales.size[:, None]
    late = np.concatenate([np.zeros((4, 1)), spend[:, :-1]], axis=1) / spend.mean()
    found = residuals(post, with_kpi(panel, post, scaled_kpi(panel, post) + 0.01 * late))
    assert (found.missed[0].what, found.missed[0].name) == ("spend", "channel 1")
    assert found.missed[0].p < 1e-6
    assert found.missed[0].share == pytest.approx(0.01 * late.std(), rel=0.4)


@pytest.mark.parametrize("geos", [1, 4])
def test_odd_periods_are_dated_and_measured_and_their_neighbours_left_alone(geos, panel_of, posterior_of):
    post, panel = from_the_model(posterior_of, panel_of, geos)
    kpi = panel.outcome.copy()
    kpi[:, [50, 51]] *= 2.0
    kpi[:, 90] *= 0.7
    found = outliers(post, replace(panel, kpis={panel.kpi: kpi}))
    assert {o.date for o in found} == set(panel.dates[[50, 51, 90]].astype(str))
    shares = {o.date: o.share for o in found}
    assert shares[str(panel.dates[50])] == pytest.approx(1.0, abs=0.15)
    assert shares[str(panel.dates[90])] == pytest.approx(-0.3, abs=0.1)
    assert all(o.geo == "" for o in found)


def test_one_odd_geo_is_named(panel_of, posterior_of):
    post, panel = from_the_model(posterior_of, panel_of, 4)
    kpi = panel.outcome.copy()
    kpi[2, 60] *= 1.3
    (found,) = outliers(post, replace(panel, kpis={panel.kpi: kpi}))
    assert (found.geo, found.date) == (panel.geos[2], str(panel.dates[60]))
    assert found.share == pytest.approx(0.3, abs=0.1)


def test_ljung_box_is_uniform_on_noise_and_tiny_on_an_autoregression():
    rng = np.random.default_rng(0)
    p = [ljung_box(rng.standard_normal(200), 10) for _ in range(200)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    series = np.zeros(200)
    for t in range(1, 200):
        series[t] = 0.5 * series[t - 1] + rng.standard_normal()
    assert ljung_box(series, 10) < 1e-6
