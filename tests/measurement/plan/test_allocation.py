"""The optimiser against brute force, closed forms and its own bound."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.errors import DesignError
from measurement.plan.allocation import Curves, Group, Limits, Objective, allocate, best_of_each_draw


def s_curves(items: int, levels: int, draws: int, seed: int, high: float = 4.0) -> Curves:
    """Hill curves of random slope: some concave, some S-shaped."""
    rng = np.random.default_rng(seed)
    spend = np.tile(np.linspace(0, high, levels), (items, 1))
    top = rng.uniform(1, 6, items) * np.exp(0.3 * rng.normal(size=(draws, items)))
    half, slope = rng.uniform(0.5, 2.5, items), rng.uniform(0.6, 4.0, items)
    x = spend ** slope[:, None]
    return Curves(spend, top[..., None] * x / (x + half[:, None] ** slope[:, None]))


def on_the_grid(curves: Curves, worth, feasible) -> float:
    """The best of all combinations of levels, by trying them."""
    items, levels = curves.spend.shape
    best = -np.inf
    for combination in product(range(levels), repeat=items):
        at = np.arange(items), np.array(combination)
        spend, net = curves.spend[at], curves.value[:, at[0], at[1]]
        if feasible(spend, net):
            best = max(best, worth(net.sum(axis=1) - spend.sum()))
    return best


WORTH = {
    "mean": lambda net: net.mean(),
    "worst": lambda net: np.sort(net)[: len(net) // 5].mean(),
    "cautious": lambda net: net.mean() - 1.0 * net.std(),
    "goal": lambda net: np.mean(net >= 2.0),
}
AIMS = {
    "mean": Objective(),
    "worst": Objective("worst", level=0.2),
    "cautious": Objective("cautious", level=1.0),
    "goal": Objective("goal", goal=2.0),
}


@pytest.mark.parametrize("aim", list(AIMS))
@pytest.mark.parametrize("seed", range(4))
def test_no_combination_of_levels_beats_it_and_the_bound_holds(aim: str, seed: int) -> None:
    curves = s_curves(3, 9, 20, seed)
    limits = Limits(high=5.0, groups=(Group(np.array([True, True, False]), 0.5, 3.5),))
    found = allocate(curves, limits, AIMS[aim])
    best = on_the_grid(curves, WORTH[aim], lambda s, _: s.sum() <= 5 + 1e-9 and 0.5 - 1e-9 <= s[:2].sum() <= 3.5 + 1e-9)
    assert found.objective >= best - 1e-6
    assert found.bound >= found.objective - 1e-6
    assert found.gap < 1e-4
    net = found.returns.sum(axis=1) - found.spend.sum()
    assert WORTH[aim](net) == pytest.approx(found.objective, abs=1e-6)
    assert found.spend.sum() <= 5 + 1e-6
    assert 0.5 - 1e-6 <= found.spend[:2].sum() <= 3.5 + 1e-6


def test_fine_levels_reach_the_optimum_of_the_curves_themselves() -> None:
    """Square roots: with the budget given, the best split is in proportion to the squares of the heights."""
    height = np.array([1.0, 2.0, 3.0])
    spend = np.tile(np.linspace(0, 14, 1401), (3, 1))
    found = allocate(Curves(spend, (height[:, None] * np.sqrt(spend))[None]), Limits(high=14.0), Objective(cost=0.0))
    np.testing.assert_allclose(found.spend, [1, 4, 9], atol=0.02)
    assert found.bound == pytest.approx(np.sqrt(14 * 14), rel=1e-5)


def test_profit_stops_where_the_next_money_returns_itself() -> None:
    spend = np.linspace(0, 10, 1001)[None]
    found = allocate(Curves(spend, 2 * np.sqrt(spend)[None]))
    assert found.spend[0] == pytest.approx(1.0, abs=0.02)
    assert found.objective == pytest.approx(1.0, abs=1e-4)


def test_an_s_shape_is_all_or_nothing() -> None:
    """Two steep S-curves and money for one: halves would buy nothing, and a concave solver would give them."""
    spend = np.tile(np.linspace(0, 2, 41), (2, 1))
    value = 5 * spend**8 / (spend**8 + 1)
    found = allocate(Curves(spend, value[None]), Limits(high=1.4))
    assert sorted(found.spend.round(1)) == [0.0, 1.4]
    assert found.gap < 1e-5


def test_an_item_may_stop_or_spend_its_least() -> None:
    spend = np.tile(np.linspace(2, 4, 21), (2, 1))
    value = np.stack([1.2 * spend[0], 0.5 * spend[1]])[None]
    stops = allocate(Curves(spend, value), Limits(may_stop=(0, 1)))
    np.testing.assert_allclose(stops.spend, [4, 0], atol=1e-9)
    stays = allocate(Curves(spend, value))
    np.testing.assert_allclose(stays.spend, [4, 2], atol=1e-9)


def test_the_return_asked_for_is_kept() -> None:
    spend = np.linspace(0, 10, 501)[None]
    curves = Curves(spend, 3 * np.sqrt(spend)[None])
    free = allocate(curves, None, Objective(cost=0.0))
    bound = allocate(curves, Limits(returns=1.5), Objective(cost=0.0))
    assert free.spend[0] == pytest.approx(10)
    assert bound.spend[0] == pytest.approx(4.0, abs=0.03)  # 3 sqrt(x) = 1.5 x


@pytest.mark.parametrize(
    "limits",
    [Limits(low=20.0), Limits(high=1.0, groups=(Group(np.array([True, False]), 2.0),)), Limits(low=1, returns=99)],
)
def test_limits_that_clash_are_refused(limits: Limits) -> None:
    with pytest.raises(DesignError, match="no allocation keeps to all limits"):
        allocate(s_curves(2, 5, 3, 0), limits)


def test_each_draws_own_best_is_what_the_optimiser_gives_that_draw() -> None:
    """Square roots of random height: in proportion to the squares, or where the next money earns its cost."""
    rng = np.random.default_rng(3)
    height = rng.uniform(1, 4, (30, 3))
    spend = np.tile(np.linspace(0, 20, 801), (3, 1))
    curves = Curves(spend, height[..., None] * np.sqrt(spend))
    shares = height**2 / (height**2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(best_of_each_draw(curves, 12.0, spend_all=True), 12 * shares, atol=0.06)
    free = np.minimum(height**2 / 4, 12 * shares)
    np.testing.assert_allclose(best_of_each_draw(curves, 12.0), free, atol=0.06)
    for draw in range(5):
        alone = allocate(Curves(spend, curves.value[[draw]]), Limits(low=12.0, high=12.0))
        np.testing.assert_allclose(best_of_each_draw(curves, 12.0, spend_all=True)[draw], alone.spend, atol=0.06)


@given(seed=st.integers(0, 10_000), money=st.floats(0.1, 8.0))
@settings(max_examples=25, deadline=None)
def test_more_money_is_never_worse_and_nothing_is_overspent(seed: int, money: float) -> None:
    curves = s_curves(3, 12, 4, seed)
    less, more = (allocate(curves, Limits(high=total)) for total in (money, money + 0.5))
    assert less.spend.sum() <= money + 1e-6
    assert more.objective >= less.objective - 1e-6
    assert (less.weights > 1e-9).sum(axis=1).max() <= 2
