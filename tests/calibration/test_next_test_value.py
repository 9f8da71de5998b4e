"""The value of information against closed forms and inequalities that hold of it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from calibration.next_test.decision import Decision
from calibration.next_test.value import ReadOut, by_gaussian, by_regression, by_weights, fitted_at, perfect

MONEY = 100.0


def two_actions(mean: float, sd: float, draws: int = 3000) -> tuple[Decision, np.ndarray]:
    """Spend 100 or nothing on something that returns theta ~ Normal(mean, sd) per unit; and theta, in random order."""
    theta = mean + sd * stats.norm.ppf((np.arange(draws) + 0.5) / draws)
    np.random.default_rng(0).shuffle(theta)
    spend = np.array([[0.0, MONEY]])
    return Decision(("tv",), np.array([MONEY]), spend, theta[:, None, None] * spend, MONEY, spend_all=False), theta


def unit_loss(gap: float, sd: float) -> float:
    """Expected gain of choosing the better of 0 and Normal(-gap, sd), above 0."""
    return float(sd * stats.norm.pdf(gap / sd) - gap * stats.norm.sf(gap / sd))


def standing(decision: Decision) -> np.ndarray:
    return decision.best(decision.mean[None]).spend[0]


@pytest.mark.parametrize(("mean", "sd", "error"), [(1.05, 0.3, 0.3), (1.2, 0.3, 0.2), (0.9, 0.2, 0.4), (1.0, 0.3, 0.6)])
def test_each_estimator_meets_the_closed_form_of_the_normal_linear_case(mean: float, sd: float, error: float) -> None:
    """Raiffa and Schlaifer 1961: the posterior mean is Normal with variance sd^4 / (sd^2 + error^2)."""
    decision, theta = two_actions(mean, sd)
    now = standing(decision)
    test = ReadOut(50 * theta, 50 * error, degrees=np.inf)
    expected = MONEY * unit_loss(abs(mean - 1), sd**2 / np.hypot(sd, error))
    found = by_weights(decision, test, now)
    assert found.trusted > 0.95
    for value in (found.value, by_regression(decision, test, now), by_gaussian(decision, test, now)):
        assert value == pytest.approx(expected, rel=0.03)
    whole = MONEY * unit_loss(abs(mean - 1), sd)
    assert perfect(decision, now).mean() == pytest.approx(whole, rel=0.01)
    assert by_gaussian(decision, test, now, kept=1.0) == pytest.approx(whole, rel=0.03)


def test_a_students_t_read_out_is_worth_about_what_its_information_is() -> None:
    """Numerical double integral over theta and the read-out, on a fine grid."""
    mean, sd, error = 1.1, 0.3, 0.3
    decision, theta = two_actions(mean, sd)
    test = ReadOut(theta, error)
    grid = np.linspace(mean - 6 * sd, mean + 6 * sd, 1201)
    prior = stats.norm.pdf(grid, mean, sd) * (grid[1] - grid[0])
    seen = np.linspace(mean - 12, mean + 12, 8001)
    joint = prior * stats.t.pdf((seen[:, None] - grid) / error, 6) / error
    gain = np.maximum(0.0, -((grid - 1) * joint).sum(axis=1)).sum() * (seen[1] - seen[0])
    now = standing(decision)
    assert by_weights(decision, test, now).value == pytest.approx(MONEY * gain, rel=0.03)
    assert by_gaussian(decision, test, now) == pytest.approx(MONEY * gain, rel=0.06)


def test_the_standard_error_is_that_of_other_runs_of_the_sampler() -> None:
    rng = np.random.default_rng(3)
    spend = np.array([[0.0, MONEY]])
    values, errors = [], []
    for _ in range(60):
        theta = rng.normal(1.05, 0.3, 400)
        decision = Decision(("tv",), np.array([MONEY]), spend, theta[:, None, None] * spend, MONEY, spend_all=False)
        found = by_weights(decision, ReadOut(theta, 0.3, degrees=np.inf), standing(decision), count=32)
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.4)


def curves(seed: int, items: int = 3, draws: int = 300) -> tuple[Decision, np.ndarray]:
    """Square roots of uncertain height, and the heights, correlated between channels."""
    rng = np.random.default_rng(seed)
    levels = np.linspace(0.5, 1.5, 21)
    usual = rng.uniform(50, 200, items)
    spend = usual[:, None] * levels
    shared = 0.3 * rng.normal(size=(draws, 1))
    height = np.exp(
        rng.uniform(-0.3, 0.3, items) + shared + rng.uniform(0.05, 0.5, items) * rng.normal(size=(draws, items))
    )
    value = 2 * height[..., None] * np.sqrt(usual[:, None] * spend)
    return Decision(tuple("abc"[:items]), usual, spend, value, float(usual.sum())), height


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), error=st.floats(0.02, 5.0), grade=st.floats(0.0, 0.5))
def test_a_result_is_worth_no_more_than_perfect_ones(seed: int, error: float, grade: float) -> None:
    """0 <= EVSI <= EVPPI <= EVPI, but for Monte Carlo error."""
    decision, height = curves(seed)
    now = standing(decision)
    test = ReadOut(10 * height[:, 0], 10 * error, grade)
    weighted = by_weights(decision, test, now, count=32)
    evppi, evpi = by_gaussian(decision, test, now, kept=1.0), float(perfect(decision, now).mean())
    slack = 4 * weighted.error + 0.02 * evpi
    for evsi in (weighted.value, by_gaussian(decision, test, now)):
        assert 0.0 <= evsi <= evppi + slack
    # a regression follows some of the noise: up to .08 of EVPI too much in 300 worlds, where there is little to find
    assert 0.0 <= by_regression(decision, test, now) <= evppi + slack + 0.1 * evpi
    assert evppi <= evpi + slack


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_sharper_test_is_never_worth_less(seed: int) -> None:
    decision, height = curves(seed)
    now = standing(decision)
    values = [by_gaussian(decision, ReadOut(height[:, 0], error), now) for error in (3.0, 1.0, 0.3, 0.1, 0.01)]
    assert all(later >= earlier - 1e-6 * abs(earlier) - 1e-9 for earlier, later in pairwise(values))


def test_it_is_worth_nothing_where_no_result_would_change_the_budget() -> None:
    decision, height = curves(5)
    test = ReadOut(height[:, 0], 0.1)
    # every channel fixed: there is nothing to decide
    fixed = Decision(
        decision.channels,
        decision.usual,
        decision.usual[:, None] * [1.0, 1 + 1e-9],
        decision.value[..., [10, 10]],
        decision.total,
    )
    # one channel returns so much that no result could keep it from its limit
    clear = Decision(
        ("a", "b"),
        np.ones(2),
        np.tile([0.5, 1.5], (2, 1)),
        np.array([9.0, 0.1])[:, None] * [0.5, 1.5] * (1 + 0.1 * height[:, :2, None]),
        2.0,
    )
    for each in (fixed, clear):
        now = standing(each)
        found = by_weights(each, test, now, count=32)
        assert found.value == 0.0
        assert by_regression(each, test, now) == 0.0
        assert by_gaussian(each, test, now) == 0.0
        assert perfect(each, now).mean() == 0.0
        np.testing.assert_array_equal(found.spend, np.tile(now, (32, 1)))


def test_a_test_that_says_nothing_of_the_curves_is_worth_next_to_nothing() -> None:
    decision, _ = curves(8, draws=1000)
    now = standing(decision)
    unrelated = ReadOut(np.random.default_rng(1).normal(size=1000), 0.1)
    still = ReadOut(np.ones(1000), 0.1)
    evpi = perfect(decision, now).mean()
    assert evpi > 0
    for found in (by_weights(decision, unrelated, now).value, by_regression(decision, unrelated, now)):
        assert found < 0.02 * evpi
    assert by_gaussian(decision, unrelated, now) < 0.02 * evpi
    assert by_weights(decision, still, now).value == by_gaussian(decision, still, now) == 0.0


def test_the_regression_takes_the_form_that_the_draws_call_for() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=2000)
    means = np.stack([np.full(2000, 3.0), 1 + 2 * x, np.tanh(1.5 * x)], axis=1)
    y = means[..., None] + 0.3 * rng.normal(size=(2000, 3, 1))
    at = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    found = fitted_at(x, y, at)[..., 0]
    np.testing.assert_allclose(found[:, 0], y[:, 0].mean())  # no slope is made of noise
    np.testing.assert_allclose(found[:, 1], 1 + 2 * at, atol=0.05)
    np.testing.assert_allclose(found[:, 2], np.tanh(1.5 * at), atol=0.12)
