"""Plans over periods: what they are worth against other timings, the limits they keep to, and what is refused."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from measurement.errors import DataError, DesignError
from measurement.mmm import Posterior, Spec
from measurement.mmm.ahead import media_ahead
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.flighting import flighting
from measurement.plan.horizon import business_as_usual, following
from measurement.plan.periods import Periods
from measurement.plan.planned import planned_spend

WEEKS, AHEAD = 60, 6


@pytest.fixture(scope="module")
def world() -> tuple[Panel, Posterior]:
    rng = np.random.default_rng(0)
    spend = rng.gamma(2.0, 500.0, (2, WEEKS, 3)) * [1.0, 1.0, 0.0]
    panel = Panel(
        dates=np.datetime64("2023-01-02") + 7 * np.arange(WEEKS),
        geos=("north", "south"),
        channels=("radio", "tv", "word of mouth"),
        spend=spend,
        exposure=np.where(spend > 0, spend, rng.uniform(1.0, 2.0, spend.shape)),
        kpis={"orders": rng.normal(3000.0, 100.0, (2, WEEKS))},
        kpi="orders",
        kpi_value=5.0,
    )
    forms = {"tv": {"l_max": 4}, "radio": {"l_max": 3}, "word of mouth": {"organic": True}}
    return panel, prior(panel, Spec.default(panel, channels=forms), draws=60, seed=1)


def test_a_gain_is_the_difference_of_two_runs_of_the_model(world) -> None:
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    found = flighting(post, panel, horizon=plan, after="nothing")
    assert [flight.channel for flight in found.flights] == ["radio", "tv"], "what is free has no money to plan"
    tv = found.flights[1]
    assert tv.usual is not None
    np.testing.assert_allclose(tv.usual.spend, plan.spend[..., 1].sum(axis=0))
    share = plan.spend[..., 1].sum(axis=1) / plan.spend[..., 1].sum()

    def brought(spend: np.ndarray) -> np.ndarray:
        exposure = np.zeros((2, AHEAD + 4, 3))
        exposure[:, :AHEAD, 1] = share[:, None] * spend
        return media_ahead(post, panel, exposure, ["tv"]).sum(axis=(1, 2, 3)) * panel.kpi_value

    for other in (tv.even, tv.usual):
        np.testing.assert_allclose(other.gain.draws, brought(tv.spend) - brought(other.spend), atol=1e-6)
    np.testing.assert_allclose(
        found.gain_even.draws, sum(flight.even.gain.draws for flight in found.flights), atol=1e-9
    )
    assert tv.gap < 0.05
    assert tv.expected == pytest.approx(tv.revenue.draws.mean())


def test_the_best_timing_is_not_worse_than_the_others_that_keep_to_its_limits(world) -> None:
    panel, post = world
    found = flighting(post, panel, periods=AHEAD, otherwise=Periods(low=0.0, high=4.0))
    for flight in found.flights:
        assert flight.usual is not None
        for other in (flight.even, flight.usual):
            assert other.allowed
            assert other.gain.draws.mean() >= -1e-6 * flight.expected
    assert found.to_dict() == flighting(post, panel, periods=AHEAD, otherwise=Periods(low=0.0, high=4.0)).to_dict()


def test_limits_of_periods_are_kept_and_said_to_be_broken_by_others(world) -> None:
    panel, post = world
    days = following(panel, AHEAD).tolist()
    total, last = 6000.0, float(panel.spend[:, -1, 1].sum())
    tv = Periods(low=0.0, high=3.0, ramp=1.2, dark=frozenset({days[3]}), fixed={days[0]: last})
    radio = Periods(low=1.5, high=2.5, pulses=True)
    money = {"tv": total, "radio": total}
    found = flighting(post, panel, periods=AHEAD, money=money, limits={"tv": tv, "radio": radio})
    spend = {flight.channel: flight.spend for flight in found.flights}
    assert spend["tv"].sum() == pytest.approx(total)
    assert spend["tv"][3] == pytest.approx(0.0, abs=1e-3)
    assert spend["tv"][0] == pytest.approx(last)
    assert np.abs(np.diff(spend["tv"], prepend=last)).max() <= 1200.0 + 1e-2
    on = spend["radio"][spend["radio"] > 1.0]
    assert 2 <= len(on) <= 4
    assert (on >= 1500.0 - 1e-2).all()
    assert (on <= 2500.0 + 1e-2).all()
    assert not any(flight.even.allowed for flight in found.flights)


def test_a_plan_reads_back_as_a_plan_of_spend(world) -> None:
    panel, post = world
    found = flighting(post, panel, periods=AHEAD)
    read = planned_spend(panel, found.to_frame())
    np.testing.assert_allclose(read.spend[..., 1].sum(axis=0), found.flights[1].spend)
    drawn = found.chart().to_dict()
    assert len(drawn["vconcat"]) == 2


def test_a_withheld_channel_is_left_out(world) -> None:
    panel, post = world
    found = flighting(post, panel, periods=AHEAD, held={"tv": "a test contradicts the model"})
    assert [flight.channel for flight in found.flights] == ["radio"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"money": {"tvv": 1.0}}, "did you mean 'tv'"),
        ({"money": {"word of mouth": 5.0}}, "costs no money"),
        ({"money": {"tv": -5.0}}, "it is above 0"),
        ({"money": {"radio": 5.0}, "limits": {"tv": Periods()}}, "is not planned"),
        ({"otherwise": Periods(low=2.0, high=1.0)}, "0 <= low <= high"),
        ({"otherwise": Periods(high=0.9)}, "widen the bounds of the periods"),
        ({"otherwise": Periods(ramp=0.0)}, "a ramp of 0"),
        ({"otherwise": Periods(dark=frozenset({date(2020, 1, 1)}))}, "begins no week of the plan, which runs from"),
        ({"held": {"tv": "x", "radio": "y"}}, "no channel is left to plan"),
    ],
)
def test_what_cannot_be_planned_is_refused(world, settings: dict[str, Any], words: str) -> None:
    panel, post = world
    with pytest.raises(DataError, match=words):
        flighting(post, panel, periods=AHEAD, **settings)


def test_ramps_that_cannot_reach_the_money_are_refused_with_the_channel(world) -> None:
    panel, post = world
    with pytest.raises(DesignError, match="channel 'tv': no plan keeps to all limits"):
        flighting(post, panel, periods=AHEAD, money={"tv": 60000.0}, limits={"tv": Periods(low=0.0, ramp=0.01)})
