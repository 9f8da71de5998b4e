from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from calibration.evidence_model import MethodPriors, Sources
from calibration.evidence_model import Tests as Trials
from calibration.integrate import integrate
from calibration.sources import divided
from measurement.mmm import RoiPrior

TIGHT = MethodPriors(level_sd=1.0, kind_sd=1e-4, channel_sd=(1e-4, 0.1), drift=1e-4, mmm_bias=1e-4, mmm_common=1e-4)


def trials(outcome, se, channel, time, scale, grade=0.05, open_=0.0):
    n = len(outcome)
    return Trials(
        np.array(outcome, float),
        np.array(se, float),
        np.full(n, grade),
        np.arange(n),
        np.array(channel),
        np.array(time, float),
        np.array(scale, float),
        np.eye(n) * open_**2,
    )


def sources(mmm, sd=0.3, attribution=None, tests=None, periods=2, demand=None):
    channels = len(mmm)
    return Sources(
        times=(np.arange(periods) + 0.5) / periods,
        spend_share=np.full((channels, periods), 1 / periods),
        demand_driven=np.ones(channels, dtype=int) if demand is None else np.array(demand),
        mmm=np.array(mmm, float),
        mmm_cov=np.eye(channels) * sd**2,
        attribution=np.full(channels, np.nan) if attribution is None else np.array(attribution, float),
        attribution_sd=np.full(channels, 0.1),
        attribution_share=np.eye(periods)[[-1] * channels],
        tests=tests if tests is not None else Trials(),
    )


def average(fusion):
    return fusion.theta.mean(axis=2)


def brute_force(s, priors, draws=1_000_000, seed=3):
    """The same posterior by another way: every latent quantity from its prior, weighted by the likelihood of all."""
    rng = np.random.default_rng(seed)
    channels, periods = s.shape
    z = rng.standard_normal
    omega, tau_b = (scale * np.abs(z(draws)) for scale in (priors.drift, priors.mmm_bias))
    tau, tau_if = (m * np.exp(sd * z(draws)) for m, sd in (priors.channel_sd, priors.incrementality_spread))
    rho, loading = priors.correlation * rng.uniform(size=draws), rng.uniform(size=draws)
    mu = priors.level_sd * z(draws)
    every = np.concatenate([s.times, s.tests.time])
    order = np.argsort(every)
    gaps = np.diff(every[order], prepend=every.min())
    walk = np.empty((draws, channels, every.size))
    walk[:, :, order] = np.cumsum(z((draws, channels, every.size)) * np.sqrt(gaps), axis=2)
    kinds = priors.kind_sd * z((draws, 3))[:, s.demand_driven]
    level = mu[:, None] + kinds + tau[:, None] * z((draws, channels))
    theta = (s.prior_centre + s.prior_width * level)[..., None] + omega[:, None, None] * walk
    cells = theta[:, :, :periods]
    log_weight = np.zeros(draws)
    z_b, z_u = z((draws, channels)), z((draws, channels))
    factor = np.array(priors.demand_driven)[s.demand_driven]
    bias = (priors.mmm_common * z(draws)[:, None] + tau_b[:, None] * z_b) * factor
    mean = (cells * s.spend_share).sum(axis=2) + bias
    for c in range(channels):
        log_weight += stats.norm.logpdf(s.mmm[c], mean[:, c], np.sqrt(s.mmm_cov[c, c]))
    residual = tau_if[:, None] * (rho[:, None] * z_b + np.sqrt(1 - rho[:, None] ** 2) * z_u)
    common = priors.incrementality[1] * z(draws)
    slope, slope_sd = priors.demand_driven_shift
    shift = (slope + slope_sd * z(draws))[:, None] * s.demand_driven / 2
    followed = loading[:, None] * ((cells * s.attribution_share).sum(axis=2) - s.prior_centre)
    credited = s.prior_centre + followed - priors.incrementality[0] - common[:, None] - shift + residual
    for c in np.flatnonzero(np.isfinite(s.attribution)):
        log_weight += stats.norm.logpdf(s.attribution[c], credited[:, c], s.attribution_sd[c])
    for j in range(s.tests.outcome_change.size):
        v = np.sqrt(s.tests.log_scale_cov[j, j]) * z(draws)
        h = s.tests.scale[j] * np.exp(theta[:, s.tests.channel[j], periods + j] + v)
        sd = np.hypot(s.tests.std_error[j], s.tests.relative_sd[j] * h)
        log_weight += stats.t.logpdf((s.tests.outcome_change[j] - h) / sd, 6) - np.log(sd)
    weight = np.exp(log_weight - log_weight.max())
    evidence = np.log(weight.mean()) + log_weight.max()
    return cells.mean(axis=2), weight / weight.sum(), evidence


@pytest.mark.parametrize(
    "tests",
    [
        trials([-60.0, 25.0], [15.0, 12.0], [0, 1], [0.3, 1.8], [-100.0, 40.0], open_=0.1),
        trials([10.0], [20.0], [0], [0.6], [-60.0], grade=0.15),
        trials([80.0, 20.0], [12.0, 12.0], [0, 0], [0.3, 0.5], [40.0, 40.0]),
    ],
    ids=["two tests", "a test of the wrong sign", "two tests apart"],
)
def test_agrees_with_brute_force(tests):
    s = sources([0.4, -0.2], attribution=[0.9, np.nan], tests=tests, demand=[2, 0])
    priors = MethodPriors(kind_sd=0.7)  # a narrower prior than ours, for brute force's sake
    theta, weight, evidence = brute_force(s, priors)
    effective = 1 / np.sum(weight**2)
    assert effective > 1_500
    fusion = integrate(s, priors, seed=1, nodes=2**15, draws=2**14)
    assert fusion.reliable
    assert fusion.log_evidence == pytest.approx(evidence, abs=0.06)
    for c in range(2):
        order = np.argsort(theta[:, c])
        quantiles = np.interp([0.05, 0.5, 0.95], np.cumsum(weight[order]), theta[order, c])
        sd = np.sqrt(np.cov(theta[:, c], aweights=weight))
        assert np.quantile(average(fusion)[:, c], [0.05, 0.5, 0.95]) == pytest.approx(quantiles, abs=0.1 * sd)


def test_mmm_alone_is_the_normal_posterior():
    s = sources([0.8], sd=0.5, periods=1)
    draws = average(integrate(s, TIGHT))[:, 0]
    shrink = 1 / (1 + 0.25)
    assert draws.mean() == pytest.approx(0.8 * shrink, abs=0.02)
    assert draws.std() == pytest.approx(np.sqrt(0.25 * shrink), rel=0.05)


def test_a_sharp_test_sets_the_number():
    tests = trials([-70.0], [0.7], [0], [0.5], [-100.0], grade=0.0)
    s = sources([0.5], tests=tests, periods=1)
    draws = np.exp(average(integrate(s, replace(MethodPriors(), drift=1e-4)))[:, 0])
    assert np.median(draws) == pytest.approx(0.7, rel=0.01)
    assert np.std(np.log(draws)) == pytest.approx(0.01 * np.sqrt(6 / 4), rel=0.25)


def test_removing_a_source_widens():
    full = sources([0.2, 0.4, 0.1], attribution=[0.8, 1.0, 0.6], tests=trials([-110.0], [15.0], [0], [0.5], [-100.0]))
    spread = average(integrate(full)).std(axis=0)
    for less in (
        replace(full, tests=Trials()),
        replace(full, attribution=np.full(3, np.nan)),
        replace(full, mmm=np.array([np.nan, np.nan, np.nan])),
    ):
        assert np.all(average(integrate(less)).std(axis=0) > 0.97 * spread)
    assert average(integrate(replace(full, tests=Trials()))).std(axis=0)[0] > 1.3 * spread[0]


def test_significantly_negative_test_is_accepted_and_lowers_the_number():
    plain = np.exp(average(integrate(sources([0.4, 0.2])))[:, 0])
    against = trials([-40.0], [10.0], [0], [0.5], [60.0])
    fusion = integrate(sources([0.4, 0.2], tests=against))
    assert fusion.reliable
    assert np.median(np.exp(average(fusion)[:, 0])) < 0.75 * np.median(plain)


def test_two_tests_that_contradict_each_other_span_both():
    apart = trials([100.0, 500.0], [20.0, 20.0], [0, 0], [0.4, 0.6], [100.0, 100.0])
    draws = np.exp(average(integrate(sources([0.7, 0.2], sd=0.6, tests=apart)))[:, 0])
    low, high = np.quantile(draws, [0.05, 0.95])
    assert low < 1.2
    assert high > 4.2


def test_untested_channels_learn_the_mmm_bias_from_tested_ones():
    tests = trials([30.0, 30.0, 30.0], [3.0] * 3, [0, 1, 2], [0.5] * 3, [100.0] * 3)
    s = sources([0.0, 0.0, 0.0, 0.0], sd=0.1, tests=tests)
    assert np.median(average(integrate(s))[:, 3]) < -0.1


def test_attribution_orders_channels_without_setting_their_level():
    flat = sources([0.0, 0.0, 0.0], sd=0.5)
    seen = replace(flat, attribution=np.array([2.0, 2.0, 4.0]))
    fusion = integrate(seen)
    first, _, last = np.median(average(fusion), axis=0)
    assert last - first > 0.1
    assert fusion.gain["attribution"].min() > 0
    raised = integrate(replace(seen, attribution=seen.attribution + 1.0))
    moved = np.median(average(raised), axis=0) - np.median(average(fusion), axis=0)
    assert np.all(np.abs(moved) < 0.3)


def test_attribution_that_follows_the_other_sources_is_believed_and_one_that_does_not_is_not():
    said = np.array([-1.6, -0.8, 0.0, 0.8, 1.6, np.nan])
    s = replace(sources(np.append(said[:5], 0.0), sd=0.15), mmm_cov=np.diag([0.15**2] * 5 + [4.0]))
    follows, flat = (np.append(credit, 2.6) for credit in (said[:5] + 1.0, np.full(5, 1.0)))
    heard, ignored, without = (integrate(replace(s, attribution=a)) for a in (follows, flat, np.full(6, np.nan)))
    assert np.median(heard.spreads.loading) > 0.6
    assert np.median(ignored.spreads.loading) < 0.25
    new = [np.quantile(average(fusion)[:, 5], [0.05, 0.5, 0.95]) for fusion in (heard, ignored, without)]
    assert new[0][1] > 0.6, "a channel that only attribution knows stands high where attribution follows"
    assert new[1][1] - new[2][1] < 0.5 * (new[0][1] - new[2][1])
    assert np.ptp(new[0]) < 0.8 * np.ptp(new[2])
    assert np.ptp(new[1]) > 0.9 * np.ptp(new[2])


def test_many_sources_of_many_channels_are_integrated_reliably():
    """Numbers far from what the priors of the spreads expect: attribution errs by the same factor everywhere."""
    rng = np.random.default_rng(0)
    truth, tested = rng.normal(0.3, 0.6, 16), np.arange(12)
    read = 100 * np.exp(truth[tested]) + rng.normal(0, 15, 12)
    many = trials(read, [15.0] * 12, tested, rng.uniform(0, 3, 12), [100.0] * 12, grade=0.15, open_=0.1)
    said = truth + rng.normal(0.1, 0.3, 16)
    fusion = integrate(sources(said, attribution=truth + 0.8, tests=many, periods=12, demand=np.arange(16) % 3))
    assert fusion.reliable
    assert fusion.khat < 0.5
    assert fusion.effective > 500


def test_where_the_model_alone_speaks_its_own_posterior_comes_back():
    """With its prior divided out, and the joint model's prior as wide: not shrunk a second time."""
    before, sd = np.array([0.0, 0.0, 1.2]), np.array([0.98, 0.98, 0.3])
    centre, own = np.array([-0.5, 0.4, 1.4]), np.array([0.3, 0.8, 0.2])
    said, covariance = divided(centre, np.diag(own**2), before, sd)
    s = replace(sources(said, periods=1), mmm_cov=covariance, prior_centre=before, prior_width=sd / 0.978)
    draws = average(integrate(s, replace(MethodPriors(), mmm_bias=1e-4, mmm_common=1e-4, drift=1e-4)))
    assert np.median(draws, axis=0) == pytest.approx(centre, abs=0.1)
    assert draws.std(axis=0) == pytest.approx(own, rel=0.12)
    usual = MethodPriors()
    mean_square = usual.channel_sd[0] ** 2 * np.exp(2 * usual.channel_sd[1] ** 2)
    assert np.sqrt(usual.level_sd**2 + usual.kind_sd**2 + mean_square) == pytest.approx(RoiPrior().normal[1], abs=0.01)


def test_dividing_by_the_prior_undoes_multiplying_by_it_and_no_news_stays_no_news():
    rng = np.random.default_rng(3)
    half = rng.standard_normal((4, 4))
    data, before, sd = 0.2 * half @ half.T + 0.1 * np.eye(4), rng.standard_normal(4), np.array([0.5, 1.0, 1.0, 2.0])
    likely = rng.standard_normal(4)
    covariance = np.linalg.inv(np.linalg.inv(data) + np.diag(sd**-2.0))
    centre = covariance @ (np.linalg.solve(data, likely) + before / sd**2)
    found, spread = divided(centre, covariance, before, sd)
    np.testing.assert_allclose(found, likely, atol=1e-8)
    np.testing.assert_allclose(spread, data, atol=1e-8)
    same, wide = divided(before, 1.1 * np.diag(sd**2), before, sd)
    np.testing.assert_allclose(same, before)
    np.testing.assert_allclose(np.diag(wide), 25 * sd**2)


def test_old_test_speaks_less_of_today():
    recent = trials([-60.0], [3.0], [0], [1.0], [-100.0])
    old = replace(recent, time=np.array([-3.0]))
    widths = [average(integrate(sources([0.3], tests=t))).std() for t in (recent, old)]
    assert widths[1] > 1.5 * widths[0]


def test_same_seed_same_answer_and_another_seed_nearly_so():
    s = sources([0.2, 0.4], attribution=[0.8, 1.0], tests=trials([-110.0], [15.0], [0], [0.5], [-100.0]))
    first, again, other = integrate(s, seed=4), integrate(s, seed=4), integrate(s, seed=5)
    assert np.array_equal(first.theta, again.theta)
    assert np.median(average(other), axis=0) == pytest.approx(np.median(average(first), axis=0), abs=0.03)


def test_gains_are_shares_of_one():
    s = sources([0.2, 0.4], attribution=[0.8, 1.0], tests=trials([-110.0], [5.0], [0], [0.5], [-100.0]))
    gain = integrate(s).gain
    total = sum(gain.values())
    assert np.all(total <= 1.0 + 1e-6)
    assert gain["experiments"][0] > gain["mmm"][0]
    assert gain["experiments"][1] == 0.0


def test_own_worlds_are_covered():
    """Truths drawn from the model itself lie in the 90 % interval about nine times in ten (a Binomial check)."""
    priors = MethodPriors()
    rng = np.random.default_rng(11)
    z, hits = rng.standard_normal, []
    for world in range(60):
        omega, tau_b = np.abs(z(2)) * [priors.drift, priors.mmm_bias]
        tau, tau_if = (m * np.exp(sd * z()) for m, sd in (priors.channel_sd, priors.incrementality_spread))
        theta = priors.level_sd * z() + priors.kind_sd * z() + tau * z(3)[:, None]
        theta = theta + omega * np.cumsum(z((3, 2)) * np.sqrt([0.0, 0.5]), axis=1)
        z_b = z(3)
        mmm = theta.mean(axis=1) + priors.mmm_common * z() + tau_b * z_b + 0.3 * z(3)
        rho, loading = priors.correlation * rng.uniform(), rng.uniform()
        residual = tau_if * (rho * z_b + np.sqrt(1 - rho**2) * z(3))
        factor = rng.normal(*priors.incrementality) + rng.normal(*priors.demand_driven_shift) / 2
        credit = loading * theta[:, 1] - factor + residual + 0.1 * z(3)
        effect = -100 * np.exp(theta[0, 0])
        seen = effect + np.hypot(20.0, 0.05 * effect) * rng.standard_t(6)
        s = sources(mmm, attribution=credit, tests=trials([seen], [20.0], [0], [0.25], [-100.0]))
        draws = average(integrate(s, priors, seed=world, nodes=1024, draws=512))
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        hits.append((low <= theta.mean(axis=1)) & (theta.mean(axis=1) <= high))
    assert 0.82 <= np.mean(hits) <= 0.97


def test_a_test_that_is_fed_twice_does_not_narrow():
    one = trials([-60.0], [12.0], [0], [0.5], [-100.0])
    twice = trials([-60.0, -60.0], [12.0, 12.0], [0, 0], [0.5, 0.5], [-100.0, -100.0])
    linked = replace(twice, correlation=np.array([[1.0, 0.98], [0.98, 1.0]]))
    alone, naive, known = (
        integrate(sources([0.3], sd=0.8, tests=t), seed=1, draws=2**14) for t in (one, twice, linked)
    )
    assert known.reliable
    assert average(known).std() == pytest.approx(average(alone).std(), rel=0.03)
    assert average(naive).std() < 0.85 * average(alone).std()
    assert known.gain["experiments"][0] == pytest.approx(alone.gain["experiments"][0], abs=0.03)


def test_tests_that_hang_together_are_as_precise_as_their_mean():
    """Two cells of one test, their controls shared: Normal errors of correlation 0.6, and a grid of the one truth."""
    cells = trials([65.0, 75.0], [15.0, 15.0], [0, 0], [0.5, 0.5], [100.0, 100.0], grade=0.0)
    cells = replace(cells, correlation=np.array([[1.0, 0.6], [0.6, 1.0]]))
    normal = replace(TIGHT, degrees=1e6)
    draws = average(integrate(sources([np.nan], tests=cells, periods=1), normal, nodes=2**13, draws=2**12))[:, 0]
    grid = np.linspace(-4, 3, 4001)
    shape = 225.0 * np.array([[1.0, 0.6], [0.6, 1.0]])
    residual = np.array([65.0, 75.0]) - 100 * np.exp(grid)[:, None]
    log_density = stats.multivariate_normal.logpdf(residual, cov=shape) + stats.norm.logpdf(grid)
    weight = np.exp(log_density - log_density.max())
    quantiles = np.interp([0.05, 0.5, 0.95], np.cumsum(weight) / weight.sum(), grid)
    assert np.quantile(draws, [0.05, 0.5, 0.95]) == pytest.approx(quantiles, abs=0.03)


def test_what_a_test_says_of_the_curve_moves_what_hangs_on_it():
    """The read-out is twice what level and curve allow: a ratio that goes with the test's own curve rises with it."""
    rng = np.random.default_rng(0)
    curve = 0.4 * rng.standard_normal((500, 1))
    tests = replace(
        trials([200.0], [2.0], [0], [0.5], [100.0], grade=0.0), log_scale_cov=np.array([[0.16]]), log_scale_draws=curve
    )
    s = sources([0.0], sd=0.05, tests=tests, periods=1)
    fusion = integrate(s, replace(MethodPriors(), mmm_bias=1e-4, mmm_common=1e-4, drift=1e-4))
    with_it, against, unlike = fusion.shaped(np.hstack([curve, -curve, 0.4 * rng.standard_normal((500, 1))])).T
    assert np.median(with_it) == pytest.approx(np.log(2), abs=0.08)
    assert with_it.std() < 0.15
    assert np.median(against) == pytest.approx(-np.log(2), abs=0.08)
    assert np.median(unlike) == pytest.approx(0.0, abs=0.1)
    assert unlike.std() == pytest.approx(0.4, rel=0.15)
