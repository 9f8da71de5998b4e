"""Fits with outliers and of small counts: what they find, that they converge, and that everything reads them."""

from dataclasses import replace

import numpy as np
import pytest

from measurement import mmm
from measurement.mmm.ahead import ahead, media_ahead
from measurement.mmm.likelihood import family_of, log_density
from measurement.mmm.linear_terms import linear_draws
from measurement.model_frames import model_frames
from measurement.simulate import national, simulate

QUICK = mmm.Sampling(chains=4, warmup=200, draws=250)


def interval(post):
    return np.quantile(post.draws["iroas"], [0.05, 0.5, 0.95], axis=0)


@pytest.fixture(scope="module")
def odd(panel_of):
    """Two years with weeks that went wrong: one in sixteen is a quarter or two off."""
    panel, truth = panel_of(1, 104, 2, seed=11, noise=0.01)
    rng, outcome = np.random.default_rng(1), panel.outcome.copy()
    at = rng.choice(104, 7, replace=False)
    outcome[0, at] *= rng.choice([0.6, 1.4, 1.6], 7)
    trusted = {name: {"demand_driven": "no"} for name in panel.channels}
    panel = replace(panel, kpis={"revenue": outcome})
    robust, plain = (
        mmm.fit(panel, mmm.Spec.default(panel, channels=trusted, likelihood=kind), seed=1, sampling=QUICK)
        for kind in ("auto", "normal")
    )
    return panel, truth, robust, plain


def test_outliers_count_for_little_under_students_t(odd):
    _, truth, robust, plain = odd
    assert robust.spec.likelihood == "student_t"
    assert robust.converged, robust.diagnostics.reasons
    low, median, high = interval(robust)
    other_low, other, other_high = interval(plain)
    assert ((low < truth) & (truth < high)).all()
    assert np.abs(np.log(median / truth)).mean() < 0.6 * np.abs(np.log(other / truth)).mean()
    assert (np.log(high / low) < 0.6 * np.log(other_high / other_low)).all()
    assert np.quantile(robust.draws["nu"], 0.95) < 5
    assert robust.draws["sigma"].mean() < 0.02 < plain.draws["sigma"].mean()


@pytest.fixture(scope="module")
def counted(panel_of):
    """Orders of four markets, two dozen a week, half of them from advertising."""
    panel, _ = panel_of(4, 78, 2, seed=2, roi=15.0, noise=0.0)
    rate = 24.0 * panel.outcome / panel.outcome.mean(1, keepdims=True).mean()
    rng = np.random.default_rng(0)
    orders = rng.poisson(rate * rng.gamma(15.0, 1 / 15.0, rate.shape)).astype(float)
    truth = 15.0 * orders.sum() / panel.outcome.sum()
    trusted = {
        name: {"demand_driven": "no", "roi": {"median": truth, "low": truth / 8, "high": truth * 8}}
        for name in panel.channels
    }
    panel = replace(panel, kpis={"orders": orders}, kpi="orders")
    spec = mmm.Spec.default(panel, channels=trusted)
    return panel, truth, mmm.fit(panel, spec, seed=1, sampling=QUICK.model_copy(update={"draws": 400}))


def test_small_counts_give_back_their_truth(counted):
    _, truth, post = counted
    assert post.spec.likelihood == "negative_binomial"
    assert post.converged, post.diagnostics.reasons
    low, median, high = interval(post)
    assert ((low < truth) & (truth < high)).all()
    assert (high / low < 4.0).all()
    np.testing.assert_allclose(median, truth, rtol=0.5)
    assert np.quantile(post.draws["dispersion"], 0.05) < 15.0 < np.quantile(post.draws["dispersion"], 0.95)


def test_counts_of_six_a_week_leave_no_chain_behind():
    """Where the dispersion hardly matters a chain once strayed to 1e16 and stayed, on rounding errors (R-hat 1.55)."""
    panel = simulate(national(weeks=78, channels=1, seed=8375)).panel()
    rng, demand = np.random.default_rng(8375), np.zeros(78)
    for t in range(1, 78):
        demand[t] = 0.8 * demand[t - 1] + 0.6 * rng.normal()
    rate = 6.0 * panel.outcome / panel.outcome.mean() * np.exp(0.6 * demand)
    orders = rng.poisson(rate * rng.gamma(8.0, 1 / 8.0, rate.shape)).astype(float)
    value = panel.outcome.sum() / orders.sum()
    panel = replace(panel, kpis={"orders": orders}, kpi="orders", kpi_value=float(value))
    post = mmm.fit(panel, mmm.Spec.default(panel), seed=1)
    assert post.spec.likelihood == "negative_binomial"
    assert post.converged, post.diagnostics.reasons
    assert np.quantile(post.draws["dispersion"], 0.99) < 1e7


@pytest.mark.parametrize("which", ["odd", "counted"])
def test_everything_reads_the_fit(which, request):
    found = request.getfixturevalue(which)
    panel, post = found[0], found[2]
    drawn = linear_draws(post, panel)
    np.testing.assert_array_equal(drawn.coefficients, post.draws["linear"])
    assert drawn.demand.shape == (post.size, panel.shape[1])
    parts, means = mmm.decomposition(post, panel), mmm.cell_means(post, panel)
    np.testing.assert_allclose(sum(parts.values()), mmm.fitted(post, panel), rtol=1e-10)
    np.testing.assert_allclose(means.sum(1), mmm.fitted(post, panel), rtol=1e-9)
    usual = np.abs(np.median(means, 0) - panel.outcome) < 0.25 * panel.outcome.mean()
    assert usual.mean() > 0.5
    again = mmm.replicated(post, panel, seed=1)
    low, high = np.quantile(again, [0.05, 0.95], axis=0)
    inside = ((low <= panel.outcome) & (panel.outcome <= high)).mean()
    assert 0.86 < inside < 0.99
    assert (log_density(family_of(post), panel.outcome, means) < np.inf).all()
    frames = model_frames(post, panel)
    assert frames.quality.inside > 0.8
    few = mmm.Posterior.from_bytes(post.to_bytes()).thinned(50)
    assert few.spec == post.spec
    np.testing.assert_array_equal(few.draws["demand"][-1], post.draws["demand"][-1])
    assert mmm.contribution(few, panel).shape == (50, 2)


@pytest.mark.parametrize("which", ["odd", "counted"])
def test_what_comes_is_drawn_from_the_right_distribution(which, request):
    found = request.getfixturevalue(which)
    panel, post = found[0], found[2]
    dates = panel.dates[-1] + 7 * np.arange(1, 9)
    later = ahead(post, panel, dates, np.zeros((len(panel.geos), 8, 0)), seed=1)
    media = media_ahead(post, panel, panel.exposure[:, -8:]).sum(1)
    mean = later.mean(media)
    kpi = later.kpi(mean)
    if which == "counted":
        assert (kpi == np.round(kpi)).all()
        assert (kpi >= 0).all()
        np.testing.assert_allclose(kpi.mean(0), mean.mean(0), rtol=0.1)
        more = later.kpi(later.mean(media + 2.0))
        assert (more >= kpi).all()
        assert more.mean() - kpi.mean() == pytest.approx(2.0, rel=0.1)
    else:
        noise = (kpi - mean) / (post.draws["sigma"] * post.scales.outcome)[:, None, None]
        assert (np.abs(noise) > 4).mean() > 0.01  # a normal would do so once in 16,000
        low, high = np.quantile(noise, [0.25, 0.75])
        assert 1.2 < high - low < 1.9


@pytest.mark.parametrize("likelihood", ["student_t", "negative_binomial"])
def test_the_prior_speaks_in_the_full_form_too(likelihood, counted):
    panel = counted[0]
    post = mmm.prior(panel, mmm.Spec.default(panel, likelihood=likelihood), draws=400, seed=1)
    assert post.draws["linear"].std() == pytest.approx(1.0, abs=0.02)
    shape = post.draws["nu"] - 2 if likelihood == "student_t" else post.draws["dispersion"]
    assert np.median(shape) == pytest.approx(5.0 if likelihood == "student_t" else 20.0, rel=0.25)
    relative = post.draws["demand"].std(1) / post.draws["sigma"]
    assert np.sqrt((relative**2).mean()) == pytest.approx(np.sqrt(post.noise.ratio), rel=0.25)
    assert np.isfinite(mmm.fitted(post, panel)).all()
