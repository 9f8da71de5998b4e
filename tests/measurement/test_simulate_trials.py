"""Lift tests of simulated worlds: they really happen, and their results are honest unless told otherwise."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.records import Experiment
from measurement.errors import DataError
from measurement.simulate import ChannelTruth, TrialPlan, WorldSettings, demo, geo, national, simulate

QUIET = {"journey_weeks": 0}


@pytest.fixture(scope="module")
def world():
    return simulate(replace(demo(3), **QUIET))


def _cells(world, record):
    """(treated geos, test weeks, read-out weeks) as masks."""
    truth = world.truth
    day = truth.dates
    start, end, last = (np.datetime64(record[k], "D") for k in ("start_date", "end_date", "cooldown_end_date"))
    geos = np.isin(truth.geos, record["treatment_geos"])
    return geos, (day >= start) & (day <= end), (day >= start) & (day <= last)


def test_spend_is_changed_in_the_treated_cells_and_nowhere_else(world):
    truth, plans = world.truth, {plan.experiment_id: plan for plan in world.settings.trials}
    expected = truth.usual_spend.copy()
    for record in world.experiments:
        geos, weeks, _ = _cells(world, record)
        plan = plans[record["experiment_id"]]
        assert weeks.sum() == plan.weeks
        assert geos.sum() == plan.treated
        cells = np.ix_(geos, weeks, [truth.channels.index(record["channel"])])
        changed = (truth.spend[cells] - truth.usual_spend[cells]).sum()
        assert changed == pytest.approx(record["spend_delta"], abs=0.01)
        assert truth.usual_spend[cells].sum() == pytest.approx(record["counterfactual_spend"], abs=0.01)
        assert changed == pytest.approx((plan.multiplier - 1) * record["counterfactual_spend"], rel=1e-3)
        expected[cells] = truth.spend[cells]
    assert np.array_equal(truth.spend, expected)


def test_the_panel_shows_the_test(world):
    """Take one test out of the world: revenue differs by its true effect, in its geos, from its start."""
    record = world.experiments[2]
    others = tuple(plan for plan in world.settings.trials if plan.experiment_id != record["experiment_id"])
    without = simulate(replace(world.settings, trials=others))
    change = world.panel().outcome - without.panel().outcome
    geos, weeks, read_out = _cells(world, record)
    assert np.array_equal(np.abs(change[~geos]).max(axis=0), np.zeros(130))
    assert np.abs(change[:, : weeks.argmax()]).max() == 0.0
    true = world.truth.test_effects[record["experiment_id"]]
    assert change[np.ix_(geos, read_out)].sum() == pytest.approx(true, abs=1.0)
    assert true < 0  # a holdout of good ads


def test_true_effects_are_counterfactual_sums_with_carry_over(world):
    truth = world.truth
    for record in world.experiments:
        geos, weeks, read_out = _cells(world, record)
        cells = np.ix_(geos, weeks, [truth.channels.index(record["channel"])])
        without = truth.spend.copy()
        without[cells] = truth.usual_spend[cells]
        change = truth.effect - truth.response.effects(without)
        true = truth.test_effects[record["experiment_id"]]
        assert change[np.ix_(geos, read_out)].sum() == pytest.approx(true)
        assert np.sign(true) == np.sign(record["spend_delta"])


def test_records_are_experiments(world):
    national_worlds = [simulate(national(80, 3, n_tests=1, off_panel=share)) for share in (0.3, None)]
    for record in [*world.experiments, *(r for w in national_worlds for r in w.experiments)]:
        experiment = Experiment.model_validate_json(json.dumps(record | {"channel": [record["channel"]]}))
        assert experiment.has_result
        assert experiment.std_error > 0
        assert not set(experiment.treatment_geos) & set(experiment.control_geos)
        assert experiment.read_out_end >= experiment.end_date > experiment.start_date
    outside, whole = (w.experiments[0] for w in national_worlds)
    assert outside["off_panel"] is True
    assert outside["market_share"] == 0.3
    assert "treatment_geos" not in outside
    assert whole["method"] == "on_off"
    assert whole["treatment_geos"] == ["national"]
    assert whole["control_geos"] == []


def test_estimands_say_the_same_thing():
    plan = TrialPlan("x", "social", "go_dark", start=20, treated=3)
    settings = replace(geo(8, 60, ["social", "tv"], n_tests=0), trials=(plan,))
    change, incremental, iroas = (
        simulate(replace(settings, trials=(replace(plan, estimand=estimand),))).experiments[0]
        for estimand in ("outcome_change", "incremental_outcome", "iroas")
    )
    assert incremental["estimate"] == -change["estimate"]
    assert incremental["std_error"] == change["std_error"]
    assert iroas["estimate"] == pytest.approx(change["estimate"] / change["spend_delta"], abs=1e-4)
    assert iroas["std_error"] == pytest.approx(change["std_error"] / -change["spend_delta"], abs=1e-4)


def test_a_planted_error_multiplies_the_estimate_only():
    honest = simulate(replace(demo(3), **QUIET))
    wrong = simulate(replace(demo(3, wrong_tests=["social-heavy-up-2024"]), **QUIET))
    for good, bad in zip(honest.experiments, wrong.experiments, strict=True):
        factor = 5.0 if good["experiment_id"] == "social-heavy-up-2024" else 1.0
        assert bad["estimate"] == pytest.approx(factor * good["estimate"], rel=1e-3)
        assert bad["std_error"] == good["std_error"]
    assert honest.truth.test_effects == wrong.truth.test_effects


def test_a_stated_precision_is_used():
    settings = geo(6, 60, 3, n_tests=1)
    trial = replace(settings.trials[0], iroas_se=0.2)
    record = simulate(replace(settings, trials=(trial,))).experiments[0]
    assert record["std_error"] == pytest.approx(0.2 * abs(record["spend_delta"]), rel=1e-3)


@pytest.fixture(scope="module")
def many():
    """One go-dark test in each of 60 small worlds: (world, record, true effect)."""
    worlds = [simulate(geo(12, 80, 4, seed=seed, n_tests=1)) for seed in range(100, 160)]
    return [(w, w.experiments[0], w.truth.test_effects["test-1"]) for w in worlds]


def test_reported_results_are_honest(many):
    z = np.array([(record["estimate"] - true) / record["std_error"] for _, record, true in many])
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    assert 0.75 < z.std() < 1.25


def _difference_in_differences(world, record):
    """The test's outcome change from the outcome table alone."""
    panel = world.panel()
    geos, _, read_out = _cells(world, record)
    start = read_out.argmax()
    pre = np.zeros(80, dtype=bool)
    pre[max(0, start - 26) : start] = True
    treated, control = panel.outcome[geos].sum(axis=0), panel.outcome[~geos].sum(axis=0)
    expected = control[read_out].mean() * treated[pre].mean() / control[pre].mean()
    return (treated[read_out].mean() - expected) * read_out.sum()


def test_an_analysis_of_the_panel_finds_the_effect_within_its_stated_error(many):
    """The stated standard error stands for an analysis: one on the panel itself is unbiased and about as precise."""
    z = np.array([(_difference_in_differences(w, record) - true) / record["std_error"] for w, record, true in many])
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    assert 0.7 < z.std() < 1.4


def test_a_test_elsewhere_is_that_of_a_smaller_copy_of_the_panel():
    plan = TrialPlan("x", "b", "go_dark", start=20, weeks=4, cooldown=3, off_panel=0.25)
    channels = (ChannelTruth("b", decay=0.6, l_max=5, slope=1.0, half_saturation=1.0, own_sd=0.0),)
    settings = WorldSettings(1, ("one",), (1e6,), channels, (plan,), weeks=400)
    world = simulate(settings)
    record, truth = world.experiments[0], world.truth
    weekly = truth.usual_spend.mean() * 0.25
    assert record["counterfactual_spend"] == pytest.approx(4 * weekly, rel=1e-4)
    assert record["spend_delta"] == pytest.approx(-4 * weekly, rel=1e-4)
    assert np.array_equal(truth.spend, truth.usual_spend)
    # steady spend, then four weeks of none: the adstocked exposure is the share of weights not yet lost
    weights = truth.response.weights[:, 0]
    steady = np.array([1 - sum(weights[max(0, t - 3) : t + 1]) for t in range(7)])
    curve = steady / (steady + truth.response.half_saturation[0] / (weekly / 0.25e6))
    full = 1 / (1 + truth.response.half_saturation[0] / (weekly / 0.25e6))
    expected = 0.25e6 * truth.response.strength[0, 0] * (curve - full).sum()
    assert truth.test_effects["x"] == pytest.approx(expected, rel=1e-4)


def test_the_whole_market_can_be_switched_off():
    world = simulate(national(80, 3, n_tests=1, off_panel=None))
    plan = world.settings.trials[0]
    spend = world.truth.spend[0, :, world.truth.channels.index(plan.channel)]
    assert (np.flatnonzero(spend == 0) == np.arange(plan.start, plan.start + plan.weeks)).all()


def test_a_test_that_changes_nothing_is_refused():
    flighted = ChannelTruth("tv", flight=(2, 20))
    settings = WorldSettings(1, ("a", "b", "c"), (1e6, 1e6, 1e6), (flighted,), weeks=60)
    quiet = np.flatnonzero(simulate(settings).truth.spend.sum(axis=(0, 2)) == 0)
    start = next(int(week) for week in quiet if {week, week + 1, week + 2} <= set(quiet))
    plan = TrialPlan("x", "tv", "heavy_up", start=start, weeks=3, cooldown=0, treated=1, multiplier=2.0)
    with pytest.raises(DataError, match="changes no spend"):
        simulate(replace(settings, trials=(plan,)))
