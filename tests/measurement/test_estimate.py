import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from measurement.estimate import Estimate, combine, difference

finite = st.floats(-1e6, 1e6)


def test_a_normal_has_the_textbook_interval() -> None:
    estimate = Estimate.from_normal(2.0, 3.0, "EUR")
    assert estimate.median == 2.0
    assert estimate.low == pytest.approx(2.0 - 1.6448536269514722 * 3.0)
    assert estimate.interval(0.95)[1] == pytest.approx(2.0 + 1.959963984540054 * 3.0)


def test_a_t_is_wider_than_a_normal() -> None:
    assert Estimate.from_normal(0, 1, "x", df=6).high == pytest.approx(stats.t.ppf(0.95, 6))


@given(st.lists(finite, min_size=1, max_size=200))
def test_low_median_high_are_ordered_and_inside_the_draws(draws: list[float]) -> None:
    estimate = Estimate.from_draws(draws, "x")
    assert min(draws) <= estimate.low <= estimate.median <= estimate.high <= max(draws)


@given(finite, st.floats(0, 1e5), st.floats(-100, 100))
def test_scaling_scales_the_interval_and_keeps_it_ordered(mean: float, sd: float, factor: float) -> None:
    scaled = Estimate.from_normal(mean, sd, "x").scaled(factor, "y")
    assert scaled.unit == "y"
    assert scaled.low <= scaled.median <= scaled.high
    assert scaled.median == pytest.approx(mean * factor)


def test_joint_draws_are_added_row_by_row() -> None:
    first = Estimate.from_draws([1.0, 2.0, 3.0], "EUR")
    total = combine([first, first.scaled(-1.0, "EUR")])
    assert total.draws is not None
    assert np.all(total.draws == 0.0)


def test_independent_estimates_add_their_variances() -> None:
    result = difference(Estimate.from_normal(5, 3, "EUR"), Estimate.from_normal(2, 4, "EUR"))
    assert (result.mean, result.sd) == (3.0, 5.0)


def test_units_do_not_mix() -> None:
    with pytest.raises(ValueError, match="one unit"):
        combine([Estimate.from_normal(1, 1, "EUR"), Estimate.from_normal(1, 1, "USD")])


@pytest.mark.parametrize("draws", [[], [np.nan], [1.0, np.inf]])
def test_draws_that_are_not_finite_are_refused(draws: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        Estimate.from_draws(draws, "x")


def test_probability_above_agrees_between_draws_and_normal() -> None:
    draws = np.random.default_rng(1).normal(1.0, 2.0, 200_000)
    exact = Estimate.from_normal(1.0, 2.0, "x").probability_above(0.0)
    assert Estimate.from_draws(draws, "x").probability_above(0.0) == pytest.approx(exact, abs=0.005)
