"""Plans of tests on users: closed forms, what each method reads, money, words and refusals."""

from dataclasses import replace
from datetime import date
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from experiments import records
from experiments.planning.user_level import UserGoal, design_users
from experiments.user_level.sample_size import Metric
from measurement import DataError, DesignError

GOAL = UserGoal(channel=("social",), metric=Metric.per_user(4.0, 20.0), durations=(14,), users_per_day=10_000)


def quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


def mde(**more: object) -> float:
    return design_users(replace(GOAL, **more)).best.mde


def test_the_detectable_lift_is_the_textbook_s() -> None:
    """(z.95 + z.80) sd sqrt(4 / n) / mean, for equal arms and everyone reached."""
    expected = (quantile(0.95) + quantile(0.8)) * 20 * sqrt(4 / 140_000) / 4
    plan = design_users(GOAL).best
    assert plan.mde == pytest.approx(expected)
    assert plan.mde_absolute == pytest.approx(expected * 4 * 70_000)
    assert plan.details["users"] == 140_000


def test_the_power_curve_passes_the_wanted_power_at_the_detectable_lift() -> None:
    plan = design_users(replace(GOAL, metric=Metric.rate(0.02), power=0.9)).best
    assert np.interp(plan.mde, plan.effects, plan.power) == pytest.approx(0.9, abs=1e-3)
    assert (np.diff(plan.power) > 0).all()
    assert plan.effects[20] == pytest.approx(plan.mde)


def test_four_times_the_days_find_half_the_lift() -> None:
    plans = {each.duration: each for each in design_users(replace(GOAL, durations=(7, 28))).designs}
    assert plans[28].mde == pytest.approx(plans[7].mde / 2, rel=1e-4)


def test_the_past_of_users_narrows_by_its_correlation() -> None:
    assert mde(pre_correlation=0.6) == pytest.approx(0.8 * mde())


def test_uneven_arms_find_less() -> None:
    assert mde(allocation=0.9) == pytest.approx(mde() * sqrt(0.25 / 0.09))


def test_what_is_not_reached_dilutes_a_conversion_lift_and_only_thins_ghost_ads() -> None:
    """At a reach of 1/4 the arms of a lift study differ by 1/4; ghost ads read a quarter of the users instead."""
    assert mde(reach=0.25) == pytest.approx(4 * mde())
    assert mde(reach=0.25, method="ghost_ads") == pytest.approx(2 * mde())
    assert mde(reach=0.25, method="psa") == pytest.approx(2 * mde())


@pytest.mark.parametrize("method", ["conversion_lift", "ghost_ads"])
def test_days_needed_are_enough_and_one_less_is_not(method: str) -> None:
    goal = replace(GOAL, lift=0.04, reach=0.5, method=method)
    days = design_users(goal).best.details["days_needed"]
    assert design_users(replace(goal, durations=(days,))).best.mde <= 0.04
    assert design_users(replace(goal, durations=(days - 1,))).best.mde > 0.04


def test_a_fixed_audience_has_one_plan() -> None:
    plans = design_users(replace(GOAL, users_per_day=None, users=140_000, durations=(7, 14)))
    assert [each.duration for each in plans.designs] == [14]
    assert plans.best.mde == pytest.approx(mde())


def test_money_is_that_of_the_users_reached() -> None:
    """70,000 in treatment, half of them reached, at 0.2 each; an order costs 5 and is worth 9."""
    goal = replace(GOAL, reach=0.5, spend_per_user=0.2, icpa=5.0, kpi_value=9.0, kpi="orders")
    plan = design_users(goal).best
    assert plan.cost.spend_delta == pytest.approx(7_000)
    assert plan.cost.outcome_delta == pytest.approx(1_400)
    assert plan.cost.net == pytest.approx(1_400 * 9 - 7_000)
    assert plan.cost.needed == pytest.approx(plan.mde_absolute * 5)
    other = design_users(replace(goal, icpa=None, iroas=9 / 5)).best
    assert other.cost.net == pytest.approx(plan.cost.net)


def test_placebo_ads_cost_money_too() -> None:
    goal = replace(GOAL, method="psa", reach=0.5, spend_per_user=0.2, durations=(7, 14))
    (note,) = [each for each in design_users(goal).best.notes if "public service" in each]
    plans = design_users(replace(goal, budget=10_000))
    assert [each.duration for each in plans.designs] == [7]
    assert plans.notes == ("14 days: EUR 14,000 is over the budget of EUR 10,000",)
    assert "besides" in note
    with pytest.raises(DesignError, match="no duration is within the budget: 7 days: EUR 7,000 is over the budget"):
        design_users(replace(goal, budget=1_000))


def test_recommendations() -> None:
    short = design_users(replace(GOAL, lift=0.05, durations=(7, 14, 28)))
    assert short.recommendation == (
        "Run it for 28 days with 280,000 users: a lift of 5.00%, which takes 247,303, is found with 80% probability "
        "or more."
    )
    none = design_users(replace(GOAL, lift=0.05, durations=(7, 14)))
    assert none.recommendation == (
        "None of these finds a lift of 5.00%: it takes 247,303 users (25 days), and the nearest has 140,000."
    )
    assert [each.duration for each in none.designs] == [14, 7]
    assert all(each.score < 50 for each in none.designs)
    open_ = design_users(replace(GOAL, durations=(7,)))
    assert open_.recommendation == (
        "Run it for 7 days with 70,000 users: a lift of 9.40% is found with 80% probability."
    )


def test_the_shortest_plan_that_finds_the_wanted_lift_comes_first() -> None:
    """Among 7 to 56 days, 25 are needed: what is found beyond that earns nothing."""
    plans = design_users(replace(GOAL, lift=0.05, durations=(7, 56, 14, 28), spend_per_user=1.0))
    assert [each.duration for each in plans.designs] == [28, 56, 14, 7]
    assert "Run it for 28 days" in plans.recommendation


def test_the_record_is_a_sound_plan() -> None:
    plan = design_users(replace(GOAL, spend_per_user=0.2, allocation=0.8)).best
    record = plan.record(date(2025, 1, 6))
    assert records.parse([record.to_dict()], results=False) == [record]
    assert (record.end_date, record.allocation, record.spend_delta) == (date(2025, 1, 19), 0.8, pytest.approx(22_400))
    assert record.experiment_id == "social-conversion_lift-14"
    assert plan.record(date(2025, 1, 6), "mine").experiment_id == "mine"
    with pytest.raises(DesignError, match="say when the test begins"):
        plan.record()


def test_a_rate_that_cannot_rise_enough() -> None:
    plan = design_users(replace(GOAL, metric=Metric.rate(0.9), users_per_day=1, durations=(7,))).best
    assert plan.mde == np.inf
    assert plan.to_dict()["mde"] is None
    assert plan.reasons == ("7 users find no effect of any size with 80% probability",)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"channel": ()}, "is missing; name the channel that is tested"),
        ({"method": "psi"}, "found 'psi'; allowed are conversion_lift, ghost_ads, psa"),
        ({"users": 10}, "give the users of a fixed audience, or users_per_day, and not both"),
        ({"users_per_day": None}, "give the users of a fixed audience, or users_per_day, and not both"),
        ({"users_per_day": -1.0}, "found -1; it must be above 0"),
        ({"durations": ()}, "is missing; say how many days the test may take"),
        ({"durations": (0,)}, "found 0; a test takes 1 day or more"),
        ({"iroas": 1.0}, "needs kpi_value, the money that one of the conversions is worth"),
        (
            {"iroas": 1.0, "icpa": 1.0, "kpi_value": 1.0},
            "stands beside iroas, and both say what the ads bring: give one of them",
        ),
        ({"budget": 5.0}, "cannot be held without spend_per_user, the money per user reached"),
        ({"power": 0.2}, "found 0.2; it lies between 0.5 and 0.99"),
        ({"lift": 0.0}, "is 0; no number of users finds an effect of nothing"),
        ({"pre_correlation": 1.0}, "found 1; it lies between -1 and 1"),
        ({"allocation": 1.0}, "found 1; a share between 0 and 1"),
        ({"reach": 0.0}, "found 0; the share of the treatment arm that is reached, above 0"),
    ],
)
def test_what_is_refused(more: dict, words: str) -> None:
    with pytest.raises(DataError) as caught:
        design_users(replace(GOAL, **more))
    assert [each.message for each in caught.value.problems] == [words]


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(DataError) as caught:
        design_users(replace(GOAL, users_per_day=0.0, alpha=3.0, durations=(-1,)))
    assert {each.column for each in caught.value.problems} == {"users_per_day", "alpha", "durations"}
