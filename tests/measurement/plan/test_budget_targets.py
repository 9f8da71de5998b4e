"""Budgets up to a target return: against brute force, what the target promises, and what does not go with it."""

from typing import Any

import numpy as np
import pytest

from measurement.errors import DataError, DesignError
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.allocation import Curves, best_of_each_draw
from measurement.plan.budget import Budget, budget
from measurement.plan.horizon import business_as_usual, returns
from measurement.plan.items import Bound

AHEAD = 6
GRID = np.linspace(0.0, 4.0, 81)
WIDE = Bound(low=0.0, high=4.0)


@pytest.fixture(scope="module")
def tried(world: tuple[Panel, Posterior]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every combination of multiples of three channels: expected revenue, spend, and business as usual."""
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    value = (returns(post, panel, plan, np.tile(GRID, (3, 1))) * panel.kpi_value).mean(axis=0)
    spend = plan.by_channel[:, None] * GRID
    every = value[0][:, None, None] + value[1][None, :, None] + value[2][None, None, :]
    money = spend[0][:, None, None] + spend[1][None, :, None] + spend[2][None, None, :]
    return every, money, plan.by_channel


def planned(world: tuple[Panel, Posterior], **settings: Any) -> Budget:
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    return budget(post, panel, horizon=plan, **({"otherwise": WIDE} | settings))


def marginal(tried: tuple[np.ndarray, np.ndarray, np.ndarray], share: float) -> float:
    """The return of the next money where this share of the most is spent evenly: a target that bites."""
    every, money, _ = tried
    at = int(share * (len(GRID) - 1))
    return float((every[at + 1] - every[at]).mean() / (money[at + 1] - money[at]).mean())


@pytest.mark.parametrize("cap", [None, 0.6])
@pytest.mark.parametrize("margin", [1.0, 0.4])
def test_no_combination_keeps_the_next_money_at_the_target_and_brings_more(
    world, tried, cap: float | None, margin: float
) -> None:
    every, money, usual = tried
    target = marginal(tried, 0.4)
    free = planned(world, target_mroas=target, margin=margin)
    total = None if cap is None else cap * free.total
    found = planned(world, target_mroas=target, margin=margin, total=total)
    worth = np.where(money <= (np.inf if total is None else total), every - target * money, -np.inf)
    assert found.objective >= margin * worth.max() - 1e-6 * abs(worth.max())
    assert found.gap < 1e-4
    spent = found.revenue.mean - target * found.total
    assert margin * spent == pytest.approx(found.objective, rel=1e-3)
    assert found.target is not None
    assert found.target.of == "mroas"
    if cap is None:
        assert found.target.most == pytest.approx(4.0 * usual.sum(), rel=1e-6)
        inner = [m for m in found.moves if 0.02 < m.advised / m.current < 3.95]
        assert inner
        for move in inner:
            assert move.mroas_advised.mean == pytest.approx(target, rel=0.05)
        assert all(m.mroas_advised.mean < 1.05 * target for m in found.moves if m.advised < 3.95 * m.current)
    else:
        assert found.total == pytest.approx(total, rel=1e-6)
        assert all(m.mroas_advised.mean > target for m in found.moves if m.advised > 0.02 * m.current)


def test_the_whole_plan_keeps_a_target_return_and_spends_what_it_can(world, tried) -> None:
    every, money, _ = tried
    at = int(0.3 * (len(GRID) - 1))
    target = float(every[at, at, at] / money[at, at, at])
    found = planned(world, target_iroas=target)
    best = every[every >= target * np.maximum(money, 1e-9)].max()
    assert found.revenue.mean >= best * (1 - 1e-3)
    assert found.gap < 1e-4
    assert found.revenue.mean / found.total == pytest.approx(target, rel=2e-3)
    half = planned(world, target_iroas=target, total=0.5 * found.total)
    assert half.total == pytest.approx(0.5 * found.total, rel=1e-6)
    assert half.revenue.mean / half.total > target


def test_a_higher_target_never_spends_more(world, tried) -> None:
    totals = [planned(world, target_mroas=marginal(tried, share)).total for share in (0.6, 0.4, 0.2)]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > 1.1 * totals[-1]


def test_each_draws_own_best_keeps_the_return_asked_for() -> None:
    """Square roots of random height: h sqrt(x) = R x at (h / R)^2, unless the total comes first."""
    height = np.random.default_rng(4).uniform(1, 4, (40, 1))
    spend = np.linspace(0, 20, 2001)[None]
    curves = Curves(spend, (height[..., None] * np.sqrt(spend)))
    own = best_of_each_draw(curves, 6.0, 0.0, returns=1.2)
    np.testing.assert_allclose(own, np.minimum((height / 1.2) ** 2, 6.0), atol=0.03)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"target_mroas": 0.0}, "a target mROAS of 0; it is above 0"),
        ({"target_iroas": float("nan")}, "a target iROAS of nan"),
        ({"target_mroas": 1.0, "target_iroas": 2.0}, "name one of them"),
        ({"iroas": 1.0, "target_iroas": 2.0}, "say the same"),
    ],
)
def test_targets_that_say_nothing_clear_are_refused(world, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        planned(world, **settings)


def test_a_return_that_the_least_spend_cannot_bring_is_refused(world) -> None:
    with pytest.raises(DesignError, match="no allocation keeps to all limits"):
        planned(world, target_iroas=1e6, otherwise=Bound(low=0.5, high=1.5))
