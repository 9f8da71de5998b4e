"""Calibrated credit: a known truth, brute-force integration, pooling, signs, and credit that adds up."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attribution import attribute, read_paths
from calibration.calibrated_credit import BASELINE, CalibratedCredit
from calibration.credit_factors import TestedCredit, factors
from calibration.evidence_model import MethodPriors
from measurement.errors import DataError


def measured(channel, lift, std_error, credit=-100.0, relative_sd=0.0):
    return TestedCredit(f"test-{channel}-{lift}", channel, lift, std_error, relative_sd, credit)


def interval(draws):
    return np.quantile(draws, [0.05, 0.5, 0.95])


def test_one_channel_equals_brute_force():
    found = factors([measured("a", -60.0, 20.0)], {"a": "no"}, draws=40_000, seed=1)
    rng = np.random.default_rng(2)
    priors = MethodPriors()
    median, sd = priors.incrementality_spread
    tau = median * np.exp(rng.normal(0, sd, 2_000_000))
    theta = np.exp(rng.normal(rng.normal(*priors.incrementality, tau.size), tau))
    weight = stats.norm.pdf(-60.0, -100 * theta, 20.0)
    picked = rng.choice(theta, 40_000, p=weight / weight.sum())
    np.testing.assert_allclose(interval(found.draws[:, 0]), interval(picked), rtol=0.03)
    assert found.identity == ()


def test_without_a_test_a_channel_has_the_factor_of_its_like():
    kinds = {"tested": "no", "like it": "no", "other": "strong"}
    prior = factors([], kinds, seed=1)
    found = factors([measured("tested", -190.0, 10.0)], kinds, seed=1)
    before, after = interval(prior.draws[:, 1]), interval(found.draws[:, 1])
    assert after[1] > 1.2 * before[1]
    assert interval(found.draws[:, 0])[2] - interval(found.draws[:, 0])[0] < after[2] - after[0]
    np.testing.assert_allclose(interval(found.draws[:, 2]), interval(prior.draws[:, 2]), rtol=0.15)
    assert interval(prior.draws[:, 2])[1] < 0.5 * before[1]


def test_lift_may_be_zero_or_negative_and_then_so_may_the_factor():
    found = factors([measured("a", 30.0, 20.0)], {"a": "no"}, seed=1)
    assert found.identity == ("a",)
    low, middle, _ = interval(found.draws[:, 0])
    assert low < 0
    assert middle < 0.3
    sure = factors([measured("a", -90.0, 5.0)], {"a": "no"}, seed=1)
    assert sure.identity == ()
    assert (sure.draws > 0).all()


def test_the_same_seed_gives_the_same_draws_and_units_do_not_matter():
    one = factors([measured("a", -60.0, 20.0)], {"a": "some", "b": "no"}, seed=4)
    other = factors([measured("a", -6e6, 2e6, -1e7)], {"a": "some", "b": "no"}, seed=4)
    np.testing.assert_allclose(one.draws, other.draws)
    assert not np.allclose(one.draws, factors([measured("a", -60.0, 20.0)], {"a": "some", "b": "no"}, seed=5).draws)


def test_intervals_hold_the_factor_that_made_the_tests():
    """400 worlds of four channels, drawn from the model of the module: 90 % intervals hold 86 to 94 % of the truths."""
    rng, hits, priors = np.random.default_rng(7), [], MethodPriors()
    kinds = {f"c{i}": "no" for i in range(4)}
    for seed in range(100):
        median, sd = priors.incrementality_spread
        tau = median * np.exp(rng.normal(0, sd))
        mu = rng.normal(*priors.incrementality)
        theta = np.exp(rng.normal(mu, tau, 4))
        tests = [measured(f"c{i}", rng.normal(-100 * theta[i], 0.2 * 100 * theta[i]), 20 * theta[i]) for i in range(3)]
        low, _, high = interval_of(factors(tests, kinds, seed=seed, draws=800).draws)
        hits += [*((low <= theta) & (theta <= high))]
    assert 0.86 <= np.mean(hits) <= 0.95


def interval_of(draws):
    return np.quantile(draws, [0.05, 0.5, 0.95], axis=0)


@pytest.fixture(scope="module")
def made():
    numbers = {"conversions": [400.0, 300.0, 50.0], "value": [4000.0, 3000.0, 500.0], "nulls": [900.0, 800.0, 0.0]}
    run = attribute(
        read_paths(pd.DataFrame({"path": ["a > b", "b", "(no touch)"]} | numbers)),
        ["linear", "markov:1"],
        spend={"a": 1000.0, "b": 500.0},
    )
    found = factors([measured("b", -50.0, 5.0)], {"b": "no", "a": "some"}, seed=3)
    return run, CalibratedCredit.of(run, found, "linear", seed=3)


def test_what_is_left_is_baseline_and_all_adds_up(made):
    run, calibrated = made
    assert calibrated.channels == run.channels
    frame = calibrated.to_frame().set_index("channel")
    assert frame.index[-1] == BASELINE
    rest = 750.0 - calibrated.conversions.sum(axis=1)
    assert frame.loc[BASELINE, "conversions"] == pytest.approx(np.median(rest))
    assert frame["credited"].sum() == pytest.approx(750.0)
    b = frame.loc["b"]
    assert b["factor"] == pytest.approx(0.5, abs=0.05)
    assert b["conversions"] == pytest.approx(b["factor"] * b["credited"], rel=0.03)
    assert b["iroas"] == pytest.approx(b["value"] / 500.0)
    assert b["tests"] == "test-b--50.0"


def test_at_any_grain_credit_times_the_factor_of_its_channel(made):
    _, calibrated = made
    days = pd.DataFrame({"day": ["mon", "tue"], "channel": ["b", "a"], "conversions": [10.0, 7.0]})
    scaled = calibrated.at_grain(days)
    place = calibrated.channels.index("a")
    expected = 7.0 * np.quantile(calibrated.factors.draws[:, place], [0.05, 0.5, 0.95])
    assert scaled.loc[1, ["calibrated_low", "calibrated", "calibrated_high"]].to_list() == pytest.approx(list(expected))
    with pytest.raises(DataError, match="did you mean 'a'"):
        calibrated.at_grain(days.assign(channel=["b", "aa"]))
