"""Bayesian synthetic control: its likelihood, its draws as inference, and its coverage on simulated panels."""

import subprocess
import sys
from functools import partial

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments import Experiment, analyse
from experiments.geo.estimators import ESTIMATORS, ON_REQUEST, Block, Estimator, bayesian
from experiments.geo.estimators.posterior import PosteriorTest, posterior_test
from measurement import Panel

SHORT = bayesian.Settings(warmup=150, draws=200)
DONORS, PRE, POST = 8, 70, 14


def panel(seed: int) -> np.ndarray:
    """Eight donors and one treated geo with shared factors, a weekly season and memory of .6."""
    rng = np.random.default_rng(seed)
    periods = PRE + POST
    factors = np.zeros((2, periods))
    own = np.zeros((DONORS + 1, periods))
    for t in range(1, periods):
        factors[:, t] = 0.9 * factors[:, t - 1] + 0.02 * rng.normal(size=2)
        own[:, t] = 0.6 * own[:, t - 1] + 0.02 * rng.normal(size=DONORS + 1)
    week = np.sin(np.arange(periods) * 2 * np.pi / 7) * rng.uniform(0.03, 0.06, (DONORS + 1, 1))
    size = np.exp(rng.normal(5.0, 1.0, (DONORS + 1, 1)))
    return size * (1 + rng.uniform(0.2, 1.0, (DONORS + 1, 2)) @ factors + week + own)


def block(outcome: np.ndarray) -> Block:
    return Block(outcome, np.array([0]), np.arange(1, DONORS + 1), 0, PRE, PRE + POST)


def test_the_filter_is_the_dense_normal_density():
    """Memory plus noise over 30 periods, against the covariance matrix written out."""
    rng = np.random.default_rng(1)
    target, series = rng.normal(size=30), rng.normal(size=(4, 30))
    weights, amplitude, level = np.array([0.1, 0.2, 0.3, 0.4]), 1.2, 0.3
    season, memory, step, noise = rng.normal(size=7), 0.7, 0.4, 0.5
    parts = (weights, amplitude, level, season, memory, step, noise)
    day = np.arange(30) % 7
    with jax.enable_x64(True):
        found = float(bayesian._log_density(parts, {"target": target, "series": series, "day": day}))
    gap = np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    covariance = step**2 / (1 - memory**2) * memory**gap + noise**2 * np.eye(30)
    mean = level + amplitude * weights @ series + season[day]
    dense = stats.multivariate_normal(mean, covariance).logpdf(target) + 15 * np.log(2 * np.pi)
    assert found == pytest.approx(dense, rel=1e-9)


def test_the_treated_read_out_is_never_read_and_the_same_seed_gives_the_same_draws():
    outcome = panel(3)
    fit = bayesian.fit(block(outcome), SHORT)
    moved = outcome.copy()
    moved[0, PRE:] += 7.5
    after = bayesian.fit(block(moved), SHORT)
    assert after.posterior == pytest.approx(fit.posterior + 7.5, abs=1e-9)
    assert after.counterfactual == pytest.approx(fit.counterfactual, abs=0.0)
    assert fit.posterior.shape == (400, POST)
    assert fit.effects == pytest.approx(fit.posterior.mean(axis=0))
    assert posterior_test(fit).estimate == pytest.approx(fit.effect)
    assert fit.weights.sum() == pytest.approx(1.0)
    units = bayesian.fit(block(outcome * 1024.0), SHORT)
    assert units.posterior == pytest.approx(fit.posterior * 1024.0, rel=1e-9)


def test_an_exact_copy_of_a_donor_is_followed_closely():
    outcome = panel(4)
    outcome[0] = 3.0 * outcome[5]
    outcome[0, PRE:] *= 1.04
    fit = bayesian.fit(block(outcome), SHORT)
    assert fit.weights.argmax() == 4
    assert fit.effect / fit.counterfactual[PRE:].mean() == pytest.approx(0.04, abs=0.005)
    low, high = posterior_test(fit).interval(0.1)
    assert 0 < low < 0.04 * fit.counterfactual[PRE:].mean() * 1.05 < 1.2 * high


def test_the_interval_covers_on_panels_with_memory():
    """A short form of the study in the module: 90 % intervals hold zero in at least 13 of 18 panels."""
    tests = [posterior_test(bayesian.fit(block(panel(seed)), SHORT)) for seed in range(100, 118)]
    assert sum(test.p_value() >= 0.1 for test in tests) >= 13


def test_a_part_of_the_read_out_can_be_tested():
    fit = bayesian.fit(block(panel(5)), SHORT)
    first = posterior_test(fit, 0, 1)
    assert first.estimate == pytest.approx(fit.effects[0])
    whole, half = (posterior_test(fit, 0, last).interval(0.1) for last in (None, 7))
    assert whole != half


def test_fits_without_draws_have_no_posterior_test():
    with pytest.raises(ValueError, match="no posterior draws"):
        posterior_test(ESTIMATORS["difference_in_differences"].fit(block(panel(6))))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(5, 400), alpha=st.sampled_from([0.01, 0.1, 0.3]))
def test_p_value_and_interval_of_draws_are_one_statement(seed, count, alpha):
    rng = np.random.default_rng(seed)
    test = PosteriorTest(rng.normal(1.0, 1.0, count).round(1))
    low, high = test.interval(alpha)
    for value in (*np.linspace(-3, 5, 33).round(2), 0.0):
        assert (test.p_value(float(value)) >= alpha) == (low <= value <= high)
    assert 0 < test.p_value(1e9) <= 2 / (count + 1)


def test_an_analysis_by_name_reads_the_posterior(monkeypatch):
    """The record, the panel and the name are enough; the result's interval is the draws' own."""
    monkeypatch.setitem(ON_REQUEST, "bayesian", Estimator("bayesian", partial(bayesian.fit, settings=SHORT), False))
    outcome = panel(7)
    outcome[0, PRE:] *= 1.2
    days = pd.date_range("2024-01-01", periods=PRE + POST).astype("datetime64[s]")
    geos = [f"g{i}" for i in range(DONORS + 1)]
    frame = pd.DataFrame(outcome, index=geos, columns=days).rename_axis(index="geo", columns="date")
    table = frame.stack().rename("outcome").reset_index()
    design = Experiment(
        experiment_id="one",
        channel=("tv",),
        method="geo_holdout",
        treatment_geos=("g0",),
        start_date=days[PRE].date(),
        end_date=days[-1].date(),
        spend_delta=100.0,
    )
    result = analyse(Panel.from_frames(table, period="day"), design, estimator="bayesian")
    fit = bayesian.fit(block(outcome), SHORT)
    assert result.average_effect.estimate == pytest.approx(fit.effect)
    assert (result.average_effect.low, result.average_effect.high) == pytest.approx(posterior_test(fit).interval(0.1))
    assert result.relative_lift.estimate == pytest.approx(0.2, abs=0.05)
    assert result.diagnostics["p_values"] == {"posterior": result.p_value}
    assert "bayesian" not in result.alternates


def test_jax_is_loaded_on_request_only():
    assert "bayesian" in ON_REQUEST
    assert "bayesian" not in ESTIMATORS
    code = "import sys, experiments.geo.analysis; print([m for m in ('jax', 'numpyro') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
