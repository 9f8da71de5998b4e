"""Time-based and geo-based regression: ordinary least squares, seen from outside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.geo.estimators import ESTIMATORS, Block, geo_based_regression, time_based_regression

SEEDS = st.integers(0, 2**32 - 1)


def block(seed: int, geos: int = 12, periods: int = 50, onset: int = 38, treated: int = 3) -> Block:
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(4.0, 1.0, (geos, 1)))
    outcome = level * (1 + 0.1 * rng.normal(size=(1, periods)) + 0.03 * rng.normal(size=(geos, periods)))
    return Block(outcome, np.arange(treated), np.arange(treated, geos), 0, onset, periods)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_time_based_regression_is_least_squares_with_its_prediction_variance(seed):
    """Textbook matrices, on group totals as Kerman, Wang and Vaver have them."""
    case = block(seed)
    fit = time_based_regression.fit(case)
    assert fit.classical is not None
    total, control = case.outcome[case.treated].sum(axis=0), case.outcome[case.donors].sum(axis=0)
    design = np.column_stack([np.ones(50), control])
    coefficients = np.linalg.lstsq(design[:38], total[:38], rcond=None)[0]
    assert fit.counterfactual * 3 == pytest.approx(design @ coefficients, rel=1e-9)
    left = total[:38] - design[:38] @ coefficients
    variance = left @ left / 36
    ahead = design[38:].sum(axis=0)
    error = np.sqrt(variance * (ahead @ np.linalg.inv(design[:38].T @ design[:38]) @ ahead + 12))
    assert fit.classical.std_error * 3 * 12 == pytest.approx(error, rel=1e-6)
    assert fit.classical.estimate == pytest.approx(fit.effect)
    assert fit.classical.df == 36


def test_the_classical_interval_covers_where_its_assumptions_hold():
    """Independent errors, and nothing else: 90 % intervals hold zero 90 % of the time."""
    tests = [time_based_regression.fit(block(seed)).classical for seed in range(600)]
    assert np.mean([test.p_value() >= 0.1 for test in tests]) == pytest.approx(0.9, abs=0.035)


def test_a_noise_free_line_is_recovered_and_has_no_classical_error():
    case = block(1, treated=1)
    outcome = case.outcome.copy()
    outcome[0] = 40.0 + 2.5 * outcome[1:].mean(axis=0)
    outcome[0, 38:] += 9.0
    fit = time_based_regression.fit(Block(outcome, case.treated, case.donors, 0, 38, 50))
    assert fit.effects == pytest.approx(9.0, abs=1e-9)
    assert fit.loadings == pytest.approx(2.5 / 11)
    outcome[:] = 5.0
    flat = time_based_regression.fit(Block(outcome, case.treated, case.donors, 0, 38, 50))
    assert flat.classical is None
    assert flat.effect == 0.0


def test_spend_that_only_the_test_brings_is_all_change():
    case = block(2)
    spend = np.zeros_like(case.outcome)
    spend[:3, 38:] = 100.0
    fit = time_based_regression.fit(Block(spend, case.treated, case.donors, 0, 38, 50))
    assert fit.effect == 100.0
    assert fit.classical is None


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_geo_based_regression_without_spend_is_the_donors_weighted_line(seed):
    case = block(seed)
    fit = geo_based_regression.fit(case)
    before, after = (case.outcome[:, span].mean(axis=1) for span in (slice(0, 38), slice(38, 50)))
    slope, level = np.polyfit(before[3:], after[3:], 1, w=1 / before[3:])
    assert fit.effect == pytest.approx(after[:3].mean() - level - slope * before[:3].mean(), rel=1e-6, abs=1e-6)
    assert fit.gap[:38].mean() == pytest.approx(0.0, abs=1e-8 * before.max())


def test_geo_based_regression_finds_a_planted_return():
    rng = np.random.default_rng(4)
    before = np.exp(rng.normal(5.0, 1.0, 40))
    spend = np.where(np.arange(40) < 20, 0.1 * before, 0.0)
    exact = 3.0 + 1.2 * before + 4.5 * spend
    noisy = exact + 0.02 * before * rng.normal(size=40)
    found = geo_based_regression.return_on_spend(before, noisy, spend)
    low, high = found.interval(0.01)
    assert low < 4.5 < high
    assert found.std_error < 0.3
    assert found.df == 37
    scaled = geo_based_regression.return_on_spend(before * 7.0, noisy * 7.0, spend)
    assert scaled.estimate == pytest.approx(found.estimate * 7.0)
    unseen = geo_based_regression.return_on_spend(np.append(before, 0.0), np.append(noisy, 9e9), np.append(spend, 0.0))
    assert unseen.estimate == pytest.approx(found.estimate)


def test_geo_based_regression_refuses_a_spend_change_that_is_none():
    with pytest.raises(ValueError, match="spend change"):
        geo_based_regression.return_on_spend(np.arange(1.0, 9.0), np.arange(2.0, 10.0), np.zeros(8))


@pytest.mark.parametrize("name", ["time_based_regression", "geo_based_regression"])
@pytest.mark.parametrize("scale", [1e-4, 1e5])
def test_units_and_the_order_of_donors_do_not_matter(name, scale):
    case = block(6)
    fit = ESTIMATORS[name].fit(case)
    turned = ESTIMATORS[name].fit(Block(case.outcome * scale, case.treated, case.donors[::-1], 0, 38, 50))
    assert turned.counterfactual == pytest.approx(fit.counterfactual * scale)
    assert turned.loadings[::-1] == pytest.approx(fit.loadings)


@pytest.mark.parametrize("name", ["time_based_regression", "geo_based_regression"])
def test_loadings_say_how_the_counterfactual_moves_with_a_donor(name):
    case = block(7)
    moved = case.outcome.copy()
    moved[case.donors[4], 43] += 11.0
    before, after = (
        ESTIMATORS[name].fit(Block(o, case.treated, case.donors, 0, 38, 50)) for o in (case.outcome, moved)
    )
    change = after.counterfactual - before.counterfactual
    assert change[43] == pytest.approx(11.0 * before.loadings[4])
    assert np.delete(change, 43) == pytest.approx(0.0, abs=1e-9)
