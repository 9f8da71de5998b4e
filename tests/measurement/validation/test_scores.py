"""Scores against closed forms and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from measurement.validation.scores import LEVELS, covered, crps, independent, ratio, scored, skill, summarised


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.floats(-100, 100))
def test_the_crps_is_its_definition(draws: list[float], came: float) -> None:
    x = np.array(draws)
    pairs = np.abs(x[:, None] - x).sum() / (2 * len(x) * (len(x) - 1))
    assert crps(x, np.array(came)) == pytest.approx(np.abs(x - came).mean() - pairs, abs=1e-9)


def test_the_crps_of_a_normal_is_its_closed_form() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(2.0, 3.0, (400_000, 1))
    z = (5.0 - 2.0) / 3.0
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    exact = 3.0 * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    assert crps(draws, np.array([5.0]))[0] == pytest.approx(exact, rel=0.01)
    assert crps(draws[:1], np.array([5.0]))[0] == abs(draws[0, 0] - 5.0)


def test_small_ensembles_are_judged_as_large_ones() -> None:
    rng = np.random.default_rng(1)
    came = rng.standard_normal(20_000)
    few, many = (crps(rng.standard_normal((n, came.size)), came).mean() for n in (5, 200))
    assert few == pytest.approx(many, rel=0.02)


def test_right_predictions_hold_what_they_promise_and_narrow_ones_do_not() -> None:
    rng = np.random.default_rng(2)
    came = 100 + rng.standard_normal((60, 4))
    right = summarised([scored(100 + rng.standard_normal((400, 4)), each) for each in came])
    narrow = summarised([scored(100 + 0.4 * rng.standard_normal((400, 4)), each) for each in came])
    assert all(each.right for each in right.coverage)
    assert not any(each.right for each in narrow.coverage)
    assert right.crps.value < narrow.crps.value
    assert right.bias.low is not None
    assert right.bias.low < 0 < (right.bias.high or 0)
    assert [each.level for each in right.coverage] == list(LEVELS)


def test_error_bias_and_skill_are_their_sums() -> None:
    folds = [scored(np.array([[8.0, 12.0]]), np.array([10.0, 10.0])), scored(np.array([[25.0]]), np.array([20.0]))]
    found = summarised(folds[:1])
    assert found.wmape.value == pytest.approx(0.2)
    assert found.bias.value == pytest.approx(0.0)
    assert found.wmape.low is None, "one fold does not tell how much the error moves"
    other = [scored(np.array([[6.0, 6.0]]), np.array([10.0, 10.0])), scored(np.array([[30.0]]), np.array([20.0]))]
    assert skill(folds, other).value == pytest.approx(1 - 9 / 18)
    assert skill(folds, folds).value == 0.0


def test_predictions_that_miss_together_count_as_fewer() -> None:
    rng = np.random.default_rng(3)
    alone = independent(rng.standard_normal((40, 10)))
    together = independent(np.repeat(rng.standard_normal((40, 1)), 10, axis=1))
    assert 250 < alone <= 400
    assert together == pytest.approx(40)
    wide, narrow = (covered(0.9, np.ones((40, 10), dtype=bool), worth) for worth in (together, alone))
    assert wide.low < narrow.low < 1.0


def test_the_binomial_interval_holds_the_level() -> None:
    rng = np.random.default_rng(4)
    inside = [covered(0.9, rng.random((1, 60)) < 0.9, 60.0).right for _ in range(2000)]
    assert 0.94 <= np.mean(inside) <= 0.99, "96.7 % where nothing is wrong"


def test_a_ratio_has_the_interval_of_its_folds() -> None:
    rng = np.random.default_rng(5)
    steady = ratio(np.full(8, 2.0), np.full(8, 4.0))
    assert (steady.low, steady.value, steady.high) == (0.5, 0.5, 0.5)
    loose = ratio(rng.gamma(2.0, 1.0, 8), np.full(8, 4.0))
    assert loose.low is not None
    assert loose.high is not None
    assert loose.low < loose.value < loose.high
