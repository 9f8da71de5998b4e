"""The panel's own sales against what a test reports."""

from dataclasses import replace

import numpy as np
import pytest

from calibration import gather, readings
from calibration.conflict import judge, panel_p, predictive_p
from calibration.second_reading import Reading
from experiments.records import parse
from measurement.simulate import geo, simulate
from measurement.simulate.settings import TrialPlan


@pytest.fixture(scope="module")
def company():
    made = geo(14, 78, ("brand_search", "social"), seed=3, n_tests=0)
    trials = (
        TrialPlan("dark", "brand_search", start=40, weeks=8, treated=5, iroas_se=0.1),
        TrialPlan("up", "social", "heavy_up", start=60, weeks=8, treated=5, multiplier=2.0, iroas_se=0.1),
    )
    world = simulate(replace(made, trials=trials))
    panel = world.panel()
    return world, panel, parse(world.experiments)


def test_the_reading_is_near_the_truth_by_its_own_error(company):
    world, panel, records = company
    evidence, _ = gather(records, panel)
    for item, found in zip(evidence, readings(evidence, panel), strict=True):
        truth = world.truth.test_effects[item.id]
        assert abs(found.outcome_change - truth) < 2.5 * found.std_error
        assert found.std_error < 0.6 * abs(item.spend_delta.sum())


def test_the_report_itself_has_no_part_in_it(company):
    _, panel, records = company
    wrong = [record.model_copy(update={"estimate": 5 * record.estimate}) for record in records]
    assert readings(gather(wrong, panel)[0], panel) == readings(gather(records, panel)[0], panel)


def test_what_the_panel_cannot_read_is_not_read(company):
    _, panel, records = company
    elsewhere = records[0].model_copy(update={"off_panel": True, "treatment_geos": (), "control_geos": ()})
    on_users = records[1].model_copy(update={"method": "conversion_lift"})
    early = records[0].model_copy(
        update={"start_date": panel.dates[2].item(), "end_date": panel.dates[5].item(), "cooldown_end_date": None}
    )
    early = early.model_copy(update={"method": "scale", "spend_delta": -1.0, "counterfactual_spend": None})
    evidence, _ = gather([elsewhere, on_users, early], panel)
    assert readings(evidence, panel) == (None, None, None)


def test_without_named_controls_geos_of_another_test_are_none(company):
    _, panel, records = company
    bare = records[0].model_copy(update={"control_geos": ()})
    other = records[1].model_copy(
        update={"start_date": bare.start_date, "end_date": bare.end_date, "cooldown_end_date": None, "spend_delta": 1e3}
    )
    free = tuple(geo for geo in panel.geos if geo not in {*bare.treatment_geos, *other.treatment_geos})
    named = bare.model_copy(update={"control_geos": free})
    both, _ = gather([bare, other], panel)
    alone, _ = gather([named], panel)
    assert readings(both, panel)[0].outcome_change == readings(alone, panel)[0].outcome_change


def test_a_report_that_a_wide_model_allows_is_flagged_by_the_sales(company):
    """A model that knows nothing (brand search) allows five times the truth; the sales of the markets do not."""
    _, panel, records = company
    evidence, _ = gather(records[:1], panel)
    lift, again = evidence[0].lift, readings(evidence, panel)
    rng = np.random.default_rng(0)
    iroas = rng.lognormal(0.0, 1.0, (1000, 1))
    delta = -np.abs(evidence[0].spend_delta.sum()) * iroas[:, 0]
    five = replace(lift, outcome_change=5 * lift.outcome_change)
    assert predictive_p(five, delta) > 0.05
    sound, wrong = (judge([test], [delta], None, iroas, ["brand_search"], readings=again)[0] for test in (lift, five))
    assert (sound.verdict, wrong.verdict) == ("agrees", "conflict")
    assert wrong.p > 0.05 > 0.01 > wrong.panel_p
    assert "sales of its own markets" in wrong.in_words()


def test_weights_follow_the_normal_normal_posterior(company):
    _, panel, records = company
    lift = replace(gather(records[:1], panel)[0][0].lift, outcome_change=-40.0, std_error=10.0, relative_sd=0.0)
    rng = np.random.default_rng(1)
    sibling = rng.normal(-100.0, 40.0, 20_000)
    centre, sd = np.average([-100.0, -20.0], weights=[40.0**-2, 30.0**-2]), (40.0**-2 + 30.0**-2) ** -0.5
    exact = predictive_p(lift, rng.normal(centre, sd, 20_000))
    assert panel_p(lift, sibling, Reading(-20.0, 30.0, "")) == pytest.approx(exact, rel=0.05)


def test_where_model_and_sales_contradict_each_other_the_model_speaks(company):
    _, panel, records = company
    lift = gather(records[:1], panel)[0][0].lift
    sibling = np.random.default_rng(2).normal(-100.0, 1.0, 500)
    assert panel_p(lift, sibling, Reading(500.0, 2.0, "")) is None
