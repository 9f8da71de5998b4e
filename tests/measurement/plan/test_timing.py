"""Timing with carry-over: the response against the model, the plan against brute force, the bound against both."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from measurement.errors import DesignError
from measurement.mmm import Posterior, Spec
from measurement.mmm.ahead import media_ahead
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.carry import Carry, Roof, carry_of
from measurement.plan.horizon import business_as_usual
from measurement.plan.timing import Window, best_timing

WEEKS, AHEAD = 40, 4
STEEP = {"slope": {"median": 3.0, "low": 2.0, "high": 4.5}}
FORMS: dict[str, dict[str, Any]] = {
    "radio": {"order": "saturation_first", "l_max": 3, "varies": "slow"},
    "search": {"saturation": "exponential", "l_max": 3},
    "tv": {"adstock": "delayed", "l_max": 4, "varies": "slow"},
}


def world(steep: bool = False, geos: int = 2, draws: int = 30) -> tuple[Panel, Posterior]:
    rng = np.random.default_rng(1)
    spend = rng.gamma(2.0, 500.0, (geos, WEEKS, 3))
    panel = Panel(
        dates=np.datetime64("2023-01-02") + 7 * np.arange(WEEKS),
        geos=tuple(f"geo {g}" for g in range(geos)),
        channels=tuple(FORMS),
        spend=spend,
        exposure=2.0 * spend,
        kpis={"orders": rng.normal(3000.0, 100.0, (geos, WEEKS))},
        kpi="orders",
        kpi_value=5.0,
    )
    forms = {name: form | (STEEP if steep else {}) for name, form in FORMS.items()}
    return panel, prior(panel, Spec.default(panel, channels=forms), draws=draws, seed=2)


def response(channel: str, *, steep: bool = False, after: Any = "usual", **fields: Any) -> Carry:
    panel, post = world(steep, **fields)
    plan = business_as_usual(panel, AHEAD, "recent")
    return carry_of(post, panel, plan, panel.channels.index(channel), after)


def window(total: float = 8000.0, low: float = 0.0, high: float = 2.0, **fields: Any) -> Window:
    mean = total / AHEAD
    return Window(np.full(AHEAD, low * mean), np.full(AHEAD, high * mean), total, total, **fields)


@pytest.mark.parametrize("channel", list(FORMS))
@pytest.mark.parametrize("after", ["nothing", "usual"])
def test_a_plan_brings_what_the_model_says_it_does(channel: str, after: Any) -> None:
    panel, post = world()
    plan, c = business_as_usual(panel, AHEAD, "recent"), panel.channels.index(channel)
    carry = carry_of(post, panel, plan, c, after)
    share = plan.spend[..., c].sum(axis=1) / plan.spend[..., c].sum()
    spend = np.array([3000.0, 0.0, 500.0, 4000.0])
    exposure = np.zeros((2, AHEAD + 6, 3))
    if after == "usual":
        exposure[:, AHEAD:, c] = 2.0 * share[:, None] * plan.spend[..., c].sum() / AHEAD
    without = media_ahead(post, panel, exposure, [channel])
    exposure[:, :AHEAD, c] = 2.0 * share[:, None] * spend
    expected = (media_ahead(post, panel, exposure, [channel]) - without).sum(axis=(1, 2, 3)) * panel.kpi_value
    np.testing.assert_allclose(carry.money(spend), expected, rtol=1e-9)


@pytest.mark.parametrize("channel", list(FORMS))
def test_its_gradient_is_that_of_finite_differences(channel: str) -> None:
    carry, spend = response(channel, steep=True), np.array([3000.0, 800.0, 500.0, 4000.0])
    step = 0.5 * np.eye(AHEAD)
    found = [(carry.expected(spend + row)[0] - carry.expected(spend - row)[0]) for row in step]
    np.testing.assert_allclose(carry.expected(spend)[1], found, rtol=1e-5)


@pytest.mark.parametrize("channel", ["radio", "tv"])
@pytest.mark.parametrize("steep", [False, True])
def test_a_roof_is_above_the_curve_and_every_cut_above_the_roof(channel: str, steep: bool) -> None:
    carry, rng = response(channel, steep=steep), np.random.default_rng(3)
    low, high = np.array([0.0, 500.0, 200.0, 0.0]), np.array([4000.0, 2000.0, 5000.0, 3000.0])
    roof = Roof.over(carry, low, high)
    points = rng.uniform(low, high, (40, AHEAD))
    for one, other in pairwise(points):
        height, slope, below = roof.at(one)
        assert (height >= below - 1e-9).all()
        assert (height + slope @ (other - one) >= roof.at(other)[0] - 1e-6 * np.abs(height).max()).all()
    assert roof.at(low)[0] == pytest.approx(roof.at(low)[2]), "they meet at the box's lower end"


@pytest.mark.parametrize("channel", ["radio", "tv"])
def test_no_second_derivative_in_the_box_is_above_its_bound(channel: str) -> None:
    carry, rng = response(channel, steep=True), np.random.default_rng(4)
    low, high = np.array([900.0, 500.0, 700.0, 1100.0]), np.array([2000.0, 1500.0, 3000.0, 3000.0])
    most, step = carry.bend(low, high), 0.5
    for _ in range(20):
        at, way = rng.uniform(low, high), rng.standard_normal(AHEAD)
        bent = (carry.expected(at + step * way)[1] - carry.expected(at - step * way)[1]) @ way / (2 * step)
        assert bent <= way @ most @ way + 1e-6 * np.abs(most).max()


@pytest.mark.parametrize("channel", list(FORMS))
@pytest.mark.parametrize("steep", [False, True])
@pytest.mark.parametrize(
    "limits", [{}, {"low": 0.5}, {"ramp": 1000.0, "before": 1500.0}, {"low": 0.75, "pause": np.ones(AHEAD, np.bool_)}]
)
def test_no_plan_on_a_grid_brings_more_and_none_is_above_the_bound(
    channel: str, steep: bool, limits: dict[str, Any]
) -> None:
    carry, kept = response(channel, steep=steep), window(**limits)
    grid = np.linspace(0.0, 4000.0, 9)
    plans = [np.array([*first, 8000.0 - sum(first)]) for first in product(grid, repeat=AHEAD - 1)]
    best = max(carry.expected(plan)[0] for plan in plans if kept.keeps(plan))
    found = best_timing(carry, kept, starts=(np.full(AHEAD, 2000.0),), nodes=3)
    assert kept.keeps(found.spend)
    assert found.objective == pytest.approx(carry.expected(found.spend)[0])
    assert found.objective >= best * (1 - 2e-4)
    assert found.bound >= max(best, found.objective) * (1 - 1e-9)
    assert found.gap < (0.35 if steep and channel != "search" else 0.08)


def test_where_every_draw_is_concave_the_plan_is_proven_best() -> None:
    found = best_timing(response("search"), window())
    assert found.gap < 2e-4


def test_where_the_mean_is_concave_it_is_proven_though_single_draws_are_not() -> None:
    carry = response("tv", draws=200)
    assert carry.s_shaped() > 0.3
    found = best_timing(carry, window(low=0.8, high=1.3))
    assert found.gap < 5e-4


def test_with_more_boxes_the_bound_comes_down() -> None:
    carry = response("tv", steep=True)
    first, second = (best_timing(carry, window(), nodes=nodes) for nodes in (1, 40))
    assert second.bound < first.bound
    assert second.gap < 0.6 * first.gap


def test_money_that_does_not_earn_itself_stays() -> None:
    carry = response("search")
    mean = 2000.0
    free = Window(np.zeros(AHEAD), np.full(AHEAD, 4 * mean), 0.0, 16 * mean)
    dear = best_timing(carry, free, cost=float(carry.expected(np.full(AHEAD, mean))[1].mean()))
    assert 0.7 * AHEAD * mean < dear.spend.sum() < 1.4 * AHEAD * mean
    assert best_timing(carry, free, cost=1e9).spend.sum() == pytest.approx(0.0, abs=1e-3)


def test_limits_that_clash_are_refused() -> None:
    with pytest.raises(DesignError, match="no plan keeps to all limits"):
        best_timing(response("tv"), window(ramp=10.0, before=0.0))
