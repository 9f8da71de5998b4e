"""Simulation-based calibration in short, and the generator and the tests of uniformity that it rests on."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import stats

from measurement.lift import Lift
from measurement.mmm import Spec
from measurement.mmm.design_matrix import design_of
from measurement.mmm.forwards import forwards
from measurement.mmm.prepare import prepare
from measurement.mmm.sbc import Length, calibrate, verdict
from measurement.mmm.uniformity import band, chi_square

SHORT = Length(warmup=150, draws=49, thin=2)


@pytest.fixture(scope="module")
def tiny(panel_of):
    panel, _ = panel_of(1, 52, 2, seed=3, noise=0.05)
    return panel, Spec.default(panel, fourier_order=1, channels={name: {"l_max": 4} for name in panel.channels})


def test_ranks_are_uniform_and_a_carry_over_off_by_one_is_seen(tiny):
    """Sixty fits of a right model pass by every quantity; thirty with a planted mistake fail by orders of magnitude."""
    ready = prepare(*tiny)
    right = calibrate(*tiny, (), ready, runs=range(60), seed=1, length=SHORT)
    assert {"decay 1", "sigma 1", "iroas 2", "contribution", "baseline: trend", "last demand"} < set(right.names)
    assert verdict(right.p_values(10))[0] > 0.05
    assert right.lag.mean(0).max() < 0.25
    assert right.divergent.mean() < 0.002
    exposure = ready.data.exposure.reshape(2, 4, 1, -1)
    late = np.pad(exposure, ((0, 0), (0, 0), (0, 0), (1, 0)))[..., :-1].reshape(ready.data.exposure.shape)
    wrong = replace(ready, data=ready.data._replace(exposure=late))
    planted = calibrate(*tiny, (), ready, runs=range(30), seed=1, length=SHORT, fitted=wrong)
    least, _ = verdict(planted.p_values(10))
    assert least < 1e-6


PRIOR = {"median": 0.3, "low": 0.1, "high": 0.9}
FORMS = (
    {"adstock": "delayed", "mroi": {"median": 1.0, "low": 0.2, "high": 5.0}, "varies": "slow"},
    {"adstock": "weibull", "saturation": "logistic", "coefficient": PRIOR, "varies": "slow"},
    {"adstock": "binomial", "saturation": "exponential", "order": "saturation_first"},
    {"saturation": "root", "contribution": {"median": 0.03, "low": 0.01, "high": 0.09}},
    {"adstock": "none", "saturation": "michaelis_menten", "varies": "slow"},
)


def lifts_of(panel):
    """A test inside the panel and one outside it on one channel, and one on another channel."""

    def placed(name, c, usual):
        days = panel.dates[[20, 24, 26]].tolist()
        spend = usual * panel.spend[:1, 20:25, c : c + 1]
        return Lift(name, (panel.channels[c],), panel.geos[:1], *days, 0.0, 2e3, 0.1, spend)

    money = np.full((1, 5, 1), 2e3)
    off = {"geos": (), "counterfactual_spend": money, "actual_spend": 2 * money, "market_share": 0.3}
    elsewhere = replace(placed("b", 1, 0.0), carry_in="steady_state", cooldown_periods=2, **off)
    return placed("a", 1, 0.0), elsewhere, placed("c", 2, 2.0)


def test_the_generator_and_the_engine_are_one_model_written_twice(panel_of):
    """Sizes of effects and what each test measures, for every form, kind of prior and place of a test."""
    import jax
    import jax.numpy as jnp

    from measurement.mmm.density import lift_log_density, media
    from measurement.mmm.priors import unpack

    panel, _ = panel_of(3, 40, 5, seed=3)
    channels = dict(zip(panel.channels, FORMS, strict=True))
    spec, lifts = Spec.default(panel, channels=channels), lifts_of(panel)
    ready = prepare(panel, spec, lifts, pad=False)
    design = design_of(spec, panel, ready.scales, ready.noise, ready.usual)
    drawn = forwards(panel, spec, lifts, ready, design, np.random.default_rng(4))
    with jax.enable_x64(True):
        measured = drawn.lifts / ready.data.tests.std_error
        data = ready.data._replace(tests=ready.data.tests._replace(measured=measured))
        data = jax.tree.map(jnp.asarray, data)
        values = unpack(ready.layout, jnp.asarray(data.prior_mean + data.prior_sd * drawn.z))
        _, coefficient, share = jax.jit(partial(media, ready.layout))(data, values)
        density = jax.jit(partial(lift_log_density, ready.layout))(data, values, coefficient)
    for name, truth in drawn.values.items():
        if name != "size":
            np.testing.assert_allclose(values[name], truth, rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(np.exp(share), drawn.share, rtol=1e-6)
    np.testing.assert_allclose(coefficient, drawn.coefficient, rtol=1e-6)
    expected = 0.0
    for e, lift in enumerate(lifts):
        scale = math.hypot(lift.std_error, lift.relative_sd * drawn.change[e])
        expected += stats.t.logpdf(drawn.lifts[e], 6, drawn.change[e] + drawn.departure[e], scale)
    assert float(density) == pytest.approx(expected, rel=1e-6)
    assert (drawn.departure != 0).tolist() == [True, True, False]


def test_what_is_drawn_has_the_residual_of_the_model(panel_of):
    """Demand and each geo's own noise have the variance and the persistence that the fit holds fixed."""
    panel, _ = panel_of(2, 30, 1, seed=5)
    spec = Spec.default(panel, fourier_order=1)
    ready = prepare(panel, spec, pad=False)
    noise = replace(ready.noise, ratio=2.0, persistence=0.8, local_persistence=0.5, relative=np.array([0.7, 1.4]))
    ready, rng = replace(ready, noise=noise), np.random.default_rng(0)
    design = design_of(spec, panel, ready.scales, noise)
    drawn = [forwards(panel, spec, (), ready, design, rng) for _ in range(1500)]
    demand = np.stack([each.demand / each.values["sigma"] for each in drawn])
    np.testing.assert_allclose((demand**2).mean(), 2.0, rtol=0.05)
    np.testing.assert_allclose((demand[:, 3:] * demand[:, :-3]).mean(), 2.0 * 0.8**3, rtol=0.1)


def test_the_bands_p_value_is_that_of_simulated_uniform_ranks():
    rng = np.random.default_rng(2)
    shown = rng.binomial(49, rng.beta(1.3, 1.0, 80))
    edges, runs = np.arange(1, 10) / 10, 80

    def statistic(ranks):
        below = (ranks[..., None] < 5 * np.arange(1, 10)).sum(-2)
        return np.minimum(stats.binom.cdf(below, runs, edges), stats.binom.sf(below - 1, runs, edges)).min(-1)

    simulated = statistic(rng.integers(0, 50, (20_000, 80)))
    expected = (simulated <= statistic(shown) * (1 + 1e-9)).mean()
    assert 0.001 < expected < 0.5
    assert band(shown, 49, 10) == pytest.approx(expected, abs=4 * np.sqrt(expected / 20_000))
    assert chi_square(shown, 49, 10) == pytest.approx(stats.chisquare(np.bincount(shown // 5, minlength=10)).pvalue)
    with pytest.raises(ValueError, match="equal bins"):
        band(shown, 49, 7)


def test_a_shift_of_a_fifth_of_the_spread_is_seen_in_a_thousand_fits():
    rng = np.random.default_rng(3)
    truth = rng.standard_normal((1000, 1))
    right = (rng.standard_normal((1000, 99)) < truth).sum(1)
    off = (rng.standard_normal((1000, 99)) < truth + 0.2).sum(1)
    assert min(band(right, 99, 20), chi_square(right, 99, 20)) > 0.01
    assert band(off, 99, 20) < 1e-4


def test_the_committed_tables_hold(study_table):
    """Each model as it is shows nothing by any quantity; every planted mistake is seen, most beyond doubt."""
    rows = study_table("sbc")
    plain = {row["model"]: row for row in rows if not row["mistake"]}
    assert set(plain) == {"national", "geo", "tests", "mixed"}
    for name, row in plain.items():
        assert int(row["fits"]) >= (300 if name == "mixed" else 1_000)
        assert float(row["adjusted"]) > 0.05
        assert float(row["lag"]) < 0.25
        assert float(row["divergent"]) < 0.01
    planted = [row for row in rows if row["mistake"]]
    assert len(planted) == 7
    assert all(float(row["adjusted"]) < 0.01 for row in planted)
    assert sum(float(row["adjusted"]) < 1e-9 for row in planted) == 6
    each = study_table("sbc_quantities")
    assert {"iroas 1", "log-likelihood", "contribution"} < {row["quantity"] for row in each if row["model"] == "tests"}
    assert all(abs(float(row["mean rank"]) - 0.5) < 0.06 for row in each)
