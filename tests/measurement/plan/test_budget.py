"""Budgets: returns against full counterfactual runs, the optimum against brute force, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from measurement.errors import DataError
from measurement.mmm import Spec, contribution
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.allocation import Objective
from measurement.plan.budget import budget
from measurement.plan.horizon import business_as_usual, following, returns
from measurement.plan.items import Bound, GroupBound

AHEAD = 6


def extended(panel: Panel, spend: np.ndarray, rest: int) -> Panel:
    """The panel with a plan and some empty weeks after it."""
    whole = np.concatenate([panel.spend, spend, np.zeros((len(panel.geos), rest, 3))], axis=1)
    weeks = whole.shape[1]
    outcome = np.concatenate([panel.outcome, np.ones((len(panel.geos), weeks - panel.shape[1]))], axis=1)
    dates = panel.dates[0] + 7 * np.arange(weeks)
    return replace(panel, dates=dates, spend=whole, exposure=2.0 * whole, kpis={"orders": outcome})


def test_returns_are_the_contribution_of_the_planned_weeks(world) -> None:
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    got = returns(post, panel, plan, np.tile([0.0, 1.0, 1.7], (3, 1)))
    np.testing.assert_array_equal(got[..., 0], 0.0)
    for level, factor in ((1, 1.0), (2, 1.7)):
        whole = extended(panel, factor * plan.spend, 8)
        days = following(panel, AHEAD)
        expected = contribution(post, whole, str(days[0]), str(days[-1]))
        np.testing.assert_allclose(got[..., level], expected, rtol=1e-9)
    apart = returns(post, panel, plan, np.ones((3, 1)), by_geo=True)
    np.testing.assert_allclose(apart.sum(axis=2)[..., 0], got[..., 1], rtol=1e-9)
    own = np.array([0.5, 2.0])
    mixed = returns(post, panel, plan, np.tile(own[None, :, None], (3, 1, 1)), by_geo=True)
    for geo, factor in enumerate(own):
        alone = returns(post, panel, plan, np.full((3, 1), factor), by_geo=True)
        np.testing.assert_allclose(mixed[:, :, geo], alone[:, :, geo], rtol=1e-9)


def test_business_as_usual_keeps_the_season_where_it_can(panel_of) -> None:
    panel = panel_of(weeks=80)
    ago = business_as_usual(panel, 10)
    np.testing.assert_array_equal(ago.spend, panel.spend[:, 28:38])
    assert ago.dates[0] == panel.dates[-1] + np.timedelta64(7, "D")
    assert "year ago" in ago.like
    young = panel_of(weeks=30)
    np.testing.assert_array_equal(business_as_usual(young, 10).spend, young.spend[:, -10:])
    twice = business_as_usual(young, 40).spend
    np.testing.assert_array_equal(twice[:, 30:], young.spend[:, :10])
    launched = replace(panel, spend=np.where(np.arange(80)[None, :, None] < 60, panel.spend * [1, 1, 0], panel.spend))
    np.testing.assert_array_equal(business_as_usual(launched, 10).spend, launched.spend[:, -10:])


def test_months_follow_months(panel_of) -> None:
    months = np.arange("2022-01", "2023-12", dtype="datetime64[M]").astype("datetime64[D]")
    panel = replace(panel_of(weeks=23), dates=months, period="month")
    assert (
        following(panel, 3).tolist() == np.array(["2023-12-01", "2024-01-01", "2024-02-01"], "datetime64[D]").tolist()
    )


@pytest.mark.parametrize(("periods", "like"), [(0, None), (1000, None), (5, "year_ago")])
def test_a_horizon_that_cannot_be_planned_is_refused(panel_of, periods: int, like: Any) -> None:
    with pytest.raises(DataError, match="plan"):
        business_as_usual(panel_of(weeks=40), periods, like)


@pytest.mark.parametrize("aim", [Objective(), Objective("worst", level=0.2)])
def test_no_split_on_a_fine_grid_brings_more(world, aim: Objective) -> None:
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    found = budget(post, panel, horizon=plan, objective=aim, margin=0.8)
    usual, total = plan.by_channel, plan.by_channel.sum()
    grid = np.linspace(0.5, 1.5, 81)
    revenue = returns(post, panel, plan, np.tile(grid, (3, 1))) * panel.kpi_value
    best = -np.inf
    for i, first in enumerate(grid):
        left = (total - first * usual[0] - grid * usual[1]) / usual[2]
        third = np.stack([np.interp(left, grid, draw) for draw in revenue[:, 2]])
        net = 0.8 * (revenue[:, 0, i, None] + revenue[:, 1] + third) - total
        value = np.sort(net, axis=0)[:12].mean(axis=0) if aim.aim == "worst" else net.mean(axis=0)
        best = max(best, value[(left >= 0.5) & (left <= 1.5)].max())
    assert found.objective >= best - 1e-4 * abs(best)
    assert found.gap < 1e-4
    assert found.total == pytest.approx(total)
    np.testing.assert_allclose(sum(move.value.draws for move in found.moves), found.revenue_change.draws)
    assert found.profit_change.draws == pytest.approx(0.8 * found.revenue_change.draws)


def test_at_the_optimum_the_next_money_is_worth_the_same_everywhere(world) -> None:
    panel, post = world
    wide = Bound(low=0.0, high=6.0)
    found = budget(post, panel, periods=AHEAD, otherwise=wide, draws=60)
    inner = [m for m in found.moves if 0.01 < m.advised / m.current < 5.9]
    worth = [float(np.mean(m.mroas_advised.draws)) for m in inner]
    assert len(inner) >= 2
    assert max(worth) / min(worth) < 1.05
    assert any(move.extrapolates for move in found.moves)


def test_bounds_groups_and_switches_are_kept(world) -> None:
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    usual = dict(zip(panel.channels, plan.by_channel, strict=True))
    found = budget(
        post,
        panel,
        horizon=plan,
        total=0.9 * sum(usual.values()),
        spend_all=False,
        bounds={"tv": Bound(low=1.0, high=1.0), "radio": Bound(most=1.1 * usual["radio"])},
        groups=[GroupBound(("radio", "search"), high=0.8 * (usual["radio"] + usual["search"]) + 0.1)],
    )
    moves = {move.channel: move for move in found.moves}
    assert moves["tv"].advised == pytest.approx(usual["tv"])
    assert moves["tv"].sign_holds is None
    assert moves["radio"].advised <= 1.1 * usual["radio"] * (1 + 1e-9)
    assert moves["radio"].advised + moves["search"].advised <= 0.8 * (usual["radio"] + usual["search"]) + 0.2
    assert found.total <= 0.9 * sum(usual.values()) * (1 + 1e-6)


def test_geos_may_move_apart(world) -> None:
    panel, post = world
    together = budget(post, panel, periods=AHEAD)
    apart = budget(post, panel, periods=AHEAD, by_geo=True)
    assert len(apart.moves) == 6
    assert apart.total == pytest.approx(together.total)
    assert apart.objective >= together.objective - 1e-3 * abs(together.objective)
    profit = apart.revenue.draws.mean() - apart.total
    assert profit == pytest.approx(apart.objective, rel=1e-3)
    assert together.revenue.draws.mean() - together.total == pytest.approx(together.objective, rel=1e-4)


def test_a_budget_says_the_same_twice(world) -> None:
    panel, post = world
    assert budget(post, panel, periods=AHEAD).to_dict() == budget(post, panel, periods=AHEAD).to_dict()


def test_what_no_advice_may_be_given_on_stays_and_says_why(world) -> None:
    panel, post = world
    held = {"tv": "test 'x' contradicts the model", "radio": "another"}
    found = budget(post, panel, periods=AHEAD, held=held, bounds={"radio": Bound(low=1.2, high=1.2)})
    moves = {move.channel: move for move in found.moves}
    assert moves["tv"].advised == pytest.approx(moves["tv"].current, rel=1e-5)
    assert moves["tv"].held == held["tv"]
    assert moves["radio"].held is None, "someone has decided on it"
    assert moves["radio"].advised == pytest.approx(1.2 * moves["radio"].current)


def test_a_direction_is_sure_where_every_draw_would_go_there(world) -> None:
    panel, post = world
    plain = budget(post, panel, periods=AHEAD)
    best = max(plain.moves, key=lambda move: move.advised / move.current)
    draws = best.own_best.draws
    assert draws is not None
    assert best.sign_holds == pytest.approx(np.mean(draws > best.current), abs=0.02)
    totals = sum(move.own_best.draws for move in plain.moves)
    np.testing.assert_allclose(totals, plain.total, rtol=1e-6)
    frame = plain.to_frame()
    assert frame["own_low"].le(frame["own_high"]).all()
    assert frame["advised"].sum() == pytest.approx(plain.total)
    assert plain.chart().to_dict()["hconcat"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"total": -1.0}, "a budget is above 0"),
        ({"total": 1e9}, "the bounds of the channels allow"),
        ({"margin": 1.5}, "it lies above 0 and up to 1"),
        ({"bounds": {"tvv": Bound()}}, "did you mean 'tv'"),
        ({"bounds": {"tv": Bound(low=2.0, high=1.0)}}, "0 <= low <= high"),
        ({"groups": [GroupBound(("tv",), 5.0, 1.0)]}, "0 <= low <= high"),
        ({"iroas": 0.0}, "it is above 0"),
        ({"objective": Objective("worst", level=0.0)}, "a share of draws, above 0"),
        ({"objective": Objective("cautious", level=-1.0)}, "a number of standard deviations"),
    ],
)
def test_what_cannot_be_planned_is_refused(world, settings: dict[str, Any], words: str) -> None:
    panel, post = world
    with pytest.raises(DataError, match=words):
        budget(post, panel, periods=AHEAD, **settings)


def test_what_costs_nothing_is_no_part_of_a_budget(panel_of) -> None:
    panel = panel_of()
    free = panel.spend * [1.0, 1.0, 0.0]
    panel = replace(panel, spend=free)
    post = prior(panel, Spec.default(panel, channels={"tv": {"organic": True}}), draws=40, seed=2)
    found = budget(post, panel, periods=AHEAD)
    assert {move.channel for move in found.moves} == {"radio", "search"}
    assert found.total == pytest.approx(found.horizon.spend.sum())
