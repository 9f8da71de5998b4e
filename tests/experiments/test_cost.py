"""What a design costs and is expected to bring: signs, units, season and words."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.planning.cost import budget_use, cost, usual_spend
from experiments.planning.goal import Goal
from measurement import Panel

TREATED = np.array([0, 2])
GOAL = Goal(channel=("tv",), durations=(10,), geos=(1, 2), direction="go_dark", iroas=2.0)


def panel_of(spend: np.ndarray | None = None, kpi_value: float = 4.0, **more: object) -> Panel:
    """Three geos that spend 100, 200 and 300 a day on tv, and 7 on radio."""
    by_geo = np.tile(np.array([100.0, 200.0, 300.0])[:, None], (1, 60)) if spend is None else spend
    media = np.stack([np.full_like(by_geo, 7.0), by_geo], axis=2)
    fields: dict[str, object] = {
        "dates": np.datetime64("2024-01-01") + np.arange(by_geo.shape[1]),
        "geos": ("a", "b", "c"),
        "channels": ("radio", "tv"),
        "spend": media,
        "exposure": media,
        "kpis": {"orders": np.ones(by_geo.shape), "visits": np.ones(by_geo.shape)},
        "kpi": "orders",
        "period": "day",
        "kpi_value": kpi_value,
    }
    return Panel(**(fields | more))


PANEL = panel_of()
BARE = panel_of(channels=(), spend=None, exposure=np.zeros((3, 60, 0)))
BARE = replace(BARE, spend=np.zeros((3, 60, 0)))


def test_going_dark_saves_spend_and_loses_what_it_brought() -> None:
    """Two geos spend 400 a day; ten days of it, at an iROAS of 2 and 4 of money an order, brought 2,000 orders."""
    found = cost(PANEL, GOAL, TREATED, 10)
    assert found.source == "panel"
    assert found.usual_spend == pytest.approx(4000)
    assert found.spend_delta == pytest.approx(-4000)
    assert found.outcome_delta == pytest.approx(-2000)
    assert found.money_delta == pytest.approx(-8000)
    assert found.net == pytest.approx(-4000)
    assert found.sentence == (
        "saves EUR 4,000 of spend and is expected to lose 2,000 orders (EUR 8,000): net -EUR 4,000"
    )


def test_cutting_bad_ads_is_a_gain() -> None:
    assert cost(PANEL, replace(GOAL, iroas=0.5), TREATED, 10).net == pytest.approx(2000)


def test_a_heavy_up_is_the_mirror_image() -> None:
    dark = cost(PANEL, GOAL, TREATED, 10)
    heavy = cost(PANEL, replace(GOAL, direction="heavy_up"), TREATED, 10)
    for name in ("spend_delta", "outcome_delta", "money_delta", "net"):
        assert getattr(heavy, name) == pytest.approx(-getattr(dark, name))
    assert (
        heavy.sentence == "costs EUR 4,000 of spend and is expected to bring 2,000 orders (EUR 8,000): net +EUR 4,000"
    )


def test_half_a_change_is_half_the_money() -> None:
    found = cost(PANEL, replace(GOAL, direction="scale", spend_change=-0.5), TREATED, 10)
    assert found.spend_delta == pytest.approx(-2000)
    assert found.usual_spend == pytest.approx(4000)


def test_several_channels_are_added_up() -> None:
    assert cost(PANEL, replace(GOAL, channel=("radio", "tv")), TREATED, 10).usual_spend == pytest.approx(4140)


@given(st.floats(0.1, 10), st.floats(0.1, 50), st.floats(1, 1e6), st.sampled_from(["go_dark", "heavy_up"]))
def test_what_is_needed_brings_the_detectable_effect(iroas: float, value: float, mde: float, direction: str) -> None:
    """iROAS × needed spend is the money of the effect; with the cost per order the same need follows."""
    panel = panel_of(kpi_value=value)
    found = cost(panel, replace(GOAL, iroas=iroas, direction=direction), TREATED, 10, mde)
    assert found.needed == pytest.approx(mde * value / iroas)
    assert found.enough == (found.needed <= 4000)
    other = cost(panel, replace(GOAL, iroas=None, icpa=value / iroas, direction=direction), TREATED, 10, mde)
    assert other.needed == pytest.approx(found.needed)
    assert other.outcome_delta == pytest.approx(found.outcome_delta)
    assert other.net == pytest.approx(found.net)


def test_a_change_too_small_for_the_effect_is_said() -> None:
    found = cost(PANEL, GOAL, TREATED, 10, mde=-3000)
    assert found.needed == pytest.approx(6000)
    assert found.enough is False
    assert found.lost_at_mde == pytest.approx(12000)
    assert found.sentence.endswith("the promised effect takes a change of EUR 6,000, which is more than planned")


def test_without_media_the_budget_is_what_is_spent() -> None:
    goal = replace(GOAL, direction="heavy_up", budget=500.0)
    found = cost(BARE, goal, TREATED, 10, mde=100)
    assert (found.source, found.spend_delta, found.usual_spend) == ("budget", 500.0, None)
    assert found.outcome_delta == pytest.approx(250)
    assert found.enough is True
    new = panel_of(np.zeros((3, 60)))
    assert cost(new, goal, TREATED, 10).spend_delta == 500.0


def test_without_media_a_cut_is_known_by_what_it_may_lose() -> None:
    found = cost(BARE, replace(GOAL, iroas=None), TREATED, 10, mde=100)
    assert (found.source, found.spend_delta, found.needed, found.net) == ("unknown", None, None, None)
    assert found.sentence == "a loss of up to EUR 400 could go unseen"
    nothing = cost(BARE, replace(GOAL, direction="heavy_up", iroas=None), TREATED, 10, mde=100)
    assert nothing.sentence == "what it costs is unknown: give media, or the expected iROAS and a budget"
    assert nothing.to_dict()["spend_delta"] is None


def test_another_kpi_has_no_price() -> None:
    visits = replace(GOAL, kpi="visits")
    found = cost(PANEL, visits, TREATED, 10, mde=100)
    assert (found.spend_delta, found.outcome_delta, found.net, found.needed) == (pytest.approx(-4000), None, None, None)
    found = cost(PANEL, replace(visits, iroas=None, icpa=8.0), TREATED, 10, mde=100)
    assert (found.outcome_delta, found.needed, found.net) == (pytest.approx(-500), pytest.approx(800), None)
    assert found.sentence == (
        "saves EUR 4,000 of spend and is expected to lose 500 visits; the promised effect takes a change of EUR 800"
    )


def test_a_kpi_in_money_is_not_said_twice() -> None:
    found = cost(panel_of(kpi_value=1.0), GOAL, TREATED, 10)
    assert found.sentence == "saves EUR 4,000 of spend and is expected to lose 8,000 orders: net -EUR 4,000"


def test_the_budget_of_a_cut_is_what_it_loses() -> None:
    assert budget_use(PANEL, GOAL, 10) == pytest.approx([2000, 4000, 6000])
    assert budget_use(PANEL, replace(GOAL, direction="heavy_up"), 10) == pytest.approx([1000, 2000, 3000])
    assert budget_use(PANEL, replace(GOAL, iroas=None), 10) is None
    assert budget_use(BARE, GOAL, 10) is None


def test_usual_spend_is_the_level_of_the_last_quarter() -> None:
    """An old level does not count where the last 91 days have another."""
    spend = np.repeat(np.array([[10.0], [20.0], [30.0]]), 200, axis=1)
    spend[:, :100] *= 5
    assert usual_spend(panel_of(spend), GOAL, 7) == pytest.approx([70, 140, 210])


def test_usual_spend_follows_the_season_of_a_year_ago() -> None:
    """Spend doubles in December and fell by half since: the test in December doubles the level of this autumn."""
    periods = 364 + 91
    spend = np.repeat(np.array([[8.0], [16.0], [0.0]]), periods, axis=1)
    spend[:, 91 : 91 + 28] *= 2
    spend[:, -91:] /= 2
    assert usual_spend(panel_of(spend), GOAL, 28) == pytest.approx([8 * 28, 16 * 28, 0])
    assert usual_spend(panel_of(spend[:, 1:]), GOAL, 28) == pytest.approx([4 * 28, 8 * 28, 0])


def test_a_season_without_spend_is_not_a_plan() -> None:
    """A channel that was dark in these weeks a year ago is planned at its level."""
    spend = np.full((3, 364 + 91), 10.0)
    spend[:, 91:119] = 0.0
    assert usual_spend(panel_of(spend), GOAL, 28) == pytest.approx([280] * 3)
