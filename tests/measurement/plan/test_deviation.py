"""What came against a plan: the two parts add up, each is what it says, and alerts need both of their reasons."""

from dataclasses import replace

import numpy as np
import pytest

from measurement.errors import DataError
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.deviation import deviation
from measurement.plan.forecast import forecast
from measurement.plan.horizon import Horizon, business_as_usual

AHEAD = 6


@pytest.fixture(scope="module")
def plan(world: tuple[Panel, Posterior]) -> Horizon:
    return business_as_usual(world[0], AHEAD, "recent")


def came(panel: Panel, plan: Horizon, spend: np.ndarray, outcome: np.ndarray) -> Panel:
    """The panel with what was spent and sold in the planned periods."""
    return replace(
        panel,
        dates=np.concatenate([panel.dates, plan.dates]),
        spend=np.concatenate([panel.spend, spend], axis=1),
        exposure=np.concatenate([panel.exposure, 2.0 * spend], axis=1),
        kpis={"orders": np.concatenate([panel.outcome, outcome], axis=1)},
    )


def test_the_parts_add_up_draw_by_draw_and_the_missed_part_is_against_the_spend_that_happened(world, plan) -> None:
    panel, post = world
    spend, sold = plan.spend * [0.5, 1.0, 1.6], np.full((2, AHEAD), 3100.0)
    found = deviation(post, panel, plan, came(panel, plan, spend, sold), seed=3)
    np.testing.assert_allclose(found.spend.draws + found.missed.draws, found.actual - found.predicted.draws, rtol=1e-9)
    happened = forecast(post, panel, replace(plan, spend=spend, exposure=2.0 * spend), seed=3)
    against = found.actual - 5.0 * happened.draws.sum(axis=(1, 2))
    np.testing.assert_allclose(found.missed.draws, against, rtol=1e-6, atol=1e-6 * found.actual)
    assert found.actual == pytest.approx(5.0 * sold.sum())
    assert found.spent_money == pytest.approx(spend.sum())
    assert np.abs(found.spend.draws).max() > 0


def test_the_planned_spend_leaves_nothing_to_the_spend(world, plan) -> None:
    panel, post = world
    found = deviation(post, panel, plan, came(panel, plan, plan.spend, np.full((2, AHEAD), 3000.0)))
    np.testing.assert_allclose(found.spend.draws, 0.0, atol=1e-6 * found.actual)


def test_more_spend_everywhere_explains_a_rise(world, plan) -> None:
    panel, post = world
    found = deviation(post, panel, plan, came(panel, plan, 2.0 * plan.spend, np.full((2, AHEAD), 3000.0)))
    assert found.spend.draws.min() > 0


@pytest.mark.parametrize("factor", [1.0, 1.5, 10.0, 0.0])
def test_an_alert_is_far_and_outside(world, plan, factor: float) -> None:
    panel, post = world
    usual = deviation(post, panel, plan, came(panel, plan, plan.spend, np.ones((2, AHEAD)))).predicted.median / 5.0
    sold = np.full((2, AHEAD), max(factor, 1e-3) * usual / (2 * AHEAD))
    found = deviation(post, panel, plan, came(panel, plan, plan.spend, sold))
    outside = not found.predicted.low <= found.actual <= found.predicted.high
    assert found.share == pytest.approx(max(factor, 1e-3) - 1, abs=1e-9)
    assert found.alert == (outside and abs(found.share) > 0.2)
    assert found.alert == found.to_dict()["alert"]
    if factor in (1.0, 10.0):
        assert found.alert == (factor == 10.0)


def test_only_what_has_come_is_compared(world, plan) -> None:
    panel, post = world
    whole = came(panel, plan, plan.spend, np.full((2, AHEAD), 3000.0))
    found = deviation(post, panel, plan, whole.part(slice(0, panel.shape[1] + 2)))
    assert found.periods == 2
    assert found.planned_money == pytest.approx(plan.spend[:, :2].sum())
    with pytest.raises(DataError, match="nothing has come yet"):
        deviation(post, panel, plan, panel)
    with pytest.raises(DataError, match="other channels than the plan: cinema, tv"):
        deviation(post, panel, plan, replace(whole, channels=("radio", "search", "cinema")))
