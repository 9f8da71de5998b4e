import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.estimand import outcome_change
from calibration.evidence import gather, to_evidence, to_lift
from calibration.widening import GRADE_SD, default_grade, waterfall
from experiments.records import Block, Experiment
from measurement.errors import DataError
from measurement.panel import Panel

WEEKS = 40
START, END, COOL = date(2024, 7, 1), date(2024, 7, 28), date(2024, 8, 11)
WINDOW = slice(26, 30)


def panel(**changes):
    rng = np.random.default_rng(0)
    dates = np.datetime64("2024-01-01", "D") + 7 * np.arange(WEEKS)
    spend = rng.uniform(80, 120, (4, WEEKS, 2)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None, None]
    sales = rng.uniform(900, 1100, (4, WEEKS))
    made = Panel(
        dates=dates,
        geos=("a", "b", "c", "d"),
        channels=("radio", "tv"),
        spend=spend,
        exposure=spend,
        kpis={"sales": sales, "orders": sales / 10},
        kpi="sales",
    )
    return replace(made, **changes)


def dark(made, channel="tv", geos=("a", "b"), factor=0.0):
    spend = made.spend.copy()
    spend[np.ix_([made.geos.index(g) for g in geos], np.arange(WEEKS)[WINDOW], [made.channels.index(channel)])] *= (
        factor
    )
    return replace(made, spend=spend, exposure=spend)


def test(**fields):
    base = {
        "experiment_id": "t1",
        "channel": ("tv",),
        "method": "go_dark",
        "start_date": START,
        "end_date": END,
        "cooldown_end_date": COOL,
        "treatment_geos": ("a", "b"),
        "control_geos": ("c", "d"),
        "estimand": "outcome_change",
        "estimate": -500.0,
        "std_error": 100.0,
        "spend_delta": -1200.0,
        "grade": "A",
    }
    return Experiment(**base | fields)


test.__test__ = False


@pytest.mark.parametrize(
    ("estimand", "estimate", "std_error", "expected"),
    [
        ("outcome_change", -500.0, 100.0, (-500.0, 100.0)),
        ("incremental_outcome", 500.0, 100.0, (-500.0, 100.0)),
        ("iroas", 1.5, 0.2, (-1.5 * 1200 / 2, 0.2 * 1200 / 2)),
        ("icpa", 2.0, 0.4, (-600.0, 0.4 * 1200 / 4)),
        ("relative_lift", -0.2, 0.04, (8000 * -0.2 / 0.8, 8000 * 0.04 / 0.64)),
    ],
)
def test_every_estimand_becomes_the_outcome_change_of_a_cut(estimand, estimate, std_error, expected):
    record = test(estimand=estimand, estimate=estimate, std_error=std_error)
    assert outcome_change(record, -1200.0, 2.0, 8000.0) == pytest.approx(expected)


@given(st.floats(0.05, 5), st.floats(-3000, 3000).filter(lambda d: abs(d) > 1), st.floats(-0.5, 2))
def test_the_estimands_of_one_truth_agree(price, delta, return_per_money):
    change = return_per_money * delta / price
    records = {"outcome_change": change, "incremental_outcome": math.copysign(1, delta) * change}
    records["iroas"] = return_per_money
    if abs(change) > 1e-3:
        records["icpa"] = delta / change
    for estimand, estimate in records.items():
        found, _ = outcome_change(test(estimand=estimand, estimate=estimate), delta, price, None)
        assert found == pytest.approx(change, rel=1e-9, abs=1e-9)


def test_interval_gives_the_standard_error_at_its_own_level():
    at90 = test(std_error=None, ci_lower=-664.485, ci_upper=-335.515)
    at95 = test(std_error=None, ci_lower=-695.996, ci_upper=-304.004, ci_level=0.95)
    for record in (at90, at95):
        assert outcome_change(record, -1200.0, 1.0, None)[1] == pytest.approx(100.0, rel=1e-4)


def test_interval_of_a_cost_is_turned_over_and_not_linearised():
    record = test(estimand="icpa", estimate=2.0, std_error=None, ci_lower=1.5, ci_upper=3.0)
    change, se = outcome_change(record, -1200.0, 1.0, None)
    assert change == -600.0
    assert se == pytest.approx((1200 / 1.5 - 1200 / 3.0) / (2 * 1.644854), rel=1e-5)


def test_waterfall_adds_variances_and_ends_at_what_the_model_is_told():
    steps = waterfall(-1000.0, 80.0, placebo_excess=60.0, grade="B", age=4.0, drift=0.1)
    assert [s.name for s in steps] == ["reported", "placebo excess", "grade", "age", "used"]
    after = [80.0, 100.0, math.hypot(100, 150), math.sqrt(100**2 + 150**2 + 200**2)]
    assert [s.std_error for s in steps] == pytest.approx([*after, after[-1]])


def test_lift_carries_grade_and_age_as_relative_error():
    made = dark(panel())
    young = to_evidence(test(grade="B", placebo_sd=125.0), made, as_of=COOL)
    old = to_evidence(test(grade="B"), made, as_of=date(2028, 8, 11))
    assert young.lift.relative_sd == GRADE_SD["B"]
    assert young.lift.std_error == 125.0
    assert old.age == pytest.approx(4.0, abs=0.01)
    assert old.lift.relative_sd == pytest.approx(math.hypot(0.15, 0.15 * 2), rel=1e-3)
    assert old.steps[-1].std_error == pytest.approx(math.hypot(100, old.lift.relative_sd * 500))


def test_placebo_runs_widen_in_the_unit_of_the_estimate_and_never_narrow():
    made = dark(panel())
    fields = {"estimand": "iroas", "estimate": 0.5, "std_error": 0.1}
    wide = to_evidence(test(**fields, placebo_sd=0.125), made, as_of=COOL)
    assert wide.lift.std_error == pytest.approx(0.125 * 1200)
    assert [s.std_error for s in wide.steps[:2]] == pytest.approx([120.0, 150.0])
    narrow = to_evidence(test(**fields, placebo_sd=0.05), made, as_of=COOL)
    assert narrow.lift.std_error == pytest.approx(120.0)


@pytest.mark.parametrize(
    ("fields", "grade"),
    [({}, "C"), ({"preregistered": True}, "B"), ({"method": "on_off", "preregistered": True}, "D")],
)
def test_default_grade(fields, grade):
    assert default_grade(test(grade=None, **fields)) == grade


def test_counterfactual_of_a_cut_scales_what_was_spent():
    made = dark(panel(), factor=0.4)
    usual = panel().spend[:2, WINDOW, 1]
    delta = -0.6 * usual.sum()
    lift = to_lift(test(method="scale", spend_delta=delta), made)
    assert lift.counterfactual_spend[..., 0] == pytest.approx(usual)
    assert lift.imputed
    assert lift.cooldown_periods == 2
    assert (lift.geos, lift.channels, lift.carry_in) == (("a", "b"), ("tv",), "panel")


def test_counterfactual_of_a_go_dark_follows_each_geos_level_and_the_control_geos():
    made = panel()
    spend = made.spend.copy()
    spend[2:, 28:30, 1] *= 2
    made = dark(replace(made, spend=spend, exposure=spend))
    lift = to_lift(test(counterfactual_spend=1300.0, spend_delta=-1300.0), made)
    usual = lift.counterfactual_spend[..., 0]
    assert usual.sum() == pytest.approx(1300.0)
    assert not lift.imputed
    assert usual[1].sum() / usual[0].sum() == pytest.approx(2.0, rel=0.06)
    assert usual[:, 2:].sum() / usual[:, :2].sum() == pytest.approx(2.0, rel=0.1)


def test_nothing_registered_is_imputed_from_before_and_said_so():
    made = dark(panel())
    found, problems = gather([test(spend_delta=None)], made)
    usual = panel().spend[:2, WINDOW, 1].sum()
    assert found[0].lift.counterfactual_spend.sum() == pytest.approx(usual, rel=0.1)
    assert found[0].spend_delta[0] == pytest.approx(-usual, rel=0.1)
    assert any(p.level == "note" and "imputed" in p.message for p in problems)


def test_heavy_up_of_a_channel_that_was_dark_before():
    made = panel()
    spend = made.spend.copy()
    spend[:, :26, 1] = 0.0
    made = replace(made, spend=spend, exposure=spend)
    spent = spend[:2, WINDOW, 1].sum()
    lift = to_lift(test(method="heavy_up", estimate=500.0, spend_delta=spent), made)
    assert lift.counterfactual_spend.sum() == pytest.approx(0.0, abs=1e-9)


def test_several_channels_share_the_change_as_they_share_the_spend():
    made = dark(dark(panel(), "tv", factor=0.5), "radio", factor=0.5)
    usual = panel().spend[:2, WINDOW].sum()
    evidence = to_evidence(test(channel=("tv", "radio"), method="scale", spend_delta=-usual / 2), made)
    assert evidence.lift.channels == ("tv", "radio")
    assert evidence.lift.counterfactual_spend == pytest.approx(panel().spend[:2, WINDOW][..., [1, 0]])
    assert evidence.spend_delta.sum() == pytest.approx(-usual / 2)
    assert evidence.iroas is None


def test_part_of_a_geo_has_all_of_the_change():
    """Half of both geos went dark: the panel shows half the spend, and the half's own spend was nothing."""
    made = dark(panel(), factor=0.5)
    usual = panel().spend[:2, WINDOW, 1]
    evidence = to_evidence(test(geo_share=0.5, spend_delta=-0.5 * usual.sum()), made)
    assert evidence.lift.part == 0.5
    assert evidence.lift.counterfactual_spend[..., 0] == pytest.approx(usual)
    assert not [p for p in evidence.problems if p.level == "warning"]
    registered = to_evidence(test(geo_share=0.5, spend_delta=None, counterfactual_spend=0.5 * usual.sum()), made)
    assert registered.lift.counterfactual_spend.sum() == pytest.approx(usual.sum())
    whole = to_evidence(test(method="scale", estimand="relative_lift", estimate=-0.1, std_error=0.02), made).lift
    part = to_evidence(
        test(method="scale", estimand="relative_lift", estimate=-0.1, std_error=0.02, geo_share=0.5), made
    ).lift
    assert part.outcome_change == pytest.approx(whole.outcome_change / 2)


def test_a_part_that_kept_spending_did_not_go_dark():
    with pytest.raises(DataError, match="go_dark, yet the panel shows"):
        gather([test(geo_share=0.9, spend_delta=-300.0)], dark(panel(), factor=0.75))


def blocks(*states):
    weeks = [(START + timedelta(weeks=i), START + timedelta(weeks=i, days=6)) for i in range(len(states))]
    return tuple(Block(start=start, end=end, on=state) for (start, end), state in zip(weeks, states, strict=True))


def test_a_schedule_changes_the_periods_that_were_on_and_no_others():
    """Dark in the first and the third week: these go back to the level of the other two, geo by geo."""
    made, flat = panel(), panel().spend[:2, WINDOW, 1].copy()
    spend = made.spend.copy()
    spend[:2, [26, 28], 1] = 0.0
    made = replace(made, spend=spend, exposure=spend)
    record = test(method="switchback", schedule=blocks(True, False, True, False), cooldown_end_date=None)
    rate = flat[:, [1, 3]].mean(1)
    free = to_lift(record.model_copy(update={"spend_delta": None}), made).counterfactual_spend[..., 0]
    assert free[:, [1, 3]] == pytest.approx(flat[:, [1, 3]])
    assert free[:, [0, 2]] == pytest.approx(np.stack([rate, rate], axis=1))
    fixed = to_lift(record.model_copy(update={"spend_delta": -900.0}), made).counterfactual_spend[..., 0]
    assert fixed[:, [1, 3]] == pytest.approx(flat[:, [1, 3]])
    assert fixed[:, [0, 2]].sum() == pytest.approx(900.0)
    assert fixed[1, 0] / fixed[0, 0] == pytest.approx(rate[1] / rate[0])


def test_geos_that_switch_apart_have_their_own_schedules():
    made = panel()
    spend = made.spend.copy()
    spend[0, 26, 1] = spend[1, 27, 1] = 0.0
    own = [b.model_copy(update={"geo": "a"}) for b in blocks(True, False, False, False)]
    own += [b.model_copy(update={"geo": "b"}) for b in blocks(False, True, False, False)]
    record = test(method="switchback", schedule=tuple(own), treatment_geos=(), spend_delta=-290.0)
    lift = to_lift(record, replace(made, spend=spend, exposure=spend))
    changed = lift.counterfactual_spend[..., 0] != spend[:2, WINDOW, 1]
    assert lift.geos == ("a", "b")
    np.testing.assert_array_equal(changed, [[True, False, False, False], [False, True, False, False]])


def test_cells_of_one_test_bring_their_correlation():
    made = dark(dark(panel(), geos=("a",)), geos=("b",))
    one = test(
        experiment_id="one", treatment_geos=("a",), cell_of="both", correlations=(("two", 0.4),), spend_delta=-400
    )
    two = test(experiment_id="two", treatment_geos=("b",), cell_of="both", spend_delta=-800.0)
    found, _ = gather([one, two], made)
    assert found[0].lift.correlations == (("two", 0.4),)
    assert {e.lift.cell_of for e in found} == {"both"}
    lost = one.model_copy(update={"correlations": (("tow", 0.4),)})
    with pytest.raises(DataError, match=r"'one': correlations name 'tow'.*did you mean 'two'"):
        gather([lost, two], made)


def test_off_panel_test_keeps_its_own_market():
    record = test(
        off_panel=True,
        treatment_geos=(),
        control_geos=(),
        start_date=date(2023, 2, 6),
        end_date=date(2023, 3, 5),
        cooldown_end_date=date(2023, 3, 19),
        counterfactual_spend=4000.0,
        spend_delta=-4000.0,
        market_share=0.2,
        adstock="cold_start",
    )
    lift = to_lift(record, panel())
    assert lift.off_panel
    assert (lift.carry_in, lift.market_share, lift.cooldown_periods, lift.geos) == ("cold_start", 0.2, 2, ())
    assert lift.counterfactual_spend == pytest.approx(np.full((1, 4, 1), 1000.0))
    assert lift.actual_spend == pytest.approx(np.zeros((1, 4, 1)))


def test_iroas_of_the_test_itself():
    evidence = to_evidence(test(), dark(panel()), as_of=COOL)
    assert evidence.iroas.median == pytest.approx(500 / 1200)
    assert evidence.iroas.sd == pytest.approx(math.hypot(100, 0.05 * 500) / 1200)
    assert evidence.to_dict()["waterfall"][-1]["std_error"] == evidence.steps[-1].std_error


def test_aliases_are_names_of_the_channel():
    assert to_lift(test(channel=("Linear TV",)), dark(panel()), {"Linear TV": "tv"}).channels == ("tv",)


def test_plans_grade_e_and_other_kpis_are_left_out_with_a_note():
    made = dark(panel())
    records = [
        test(),
        test(experiment_id="plan", estimate=None, std_error=None),
        test(experiment_id="bad", grade="E"),
        test(experiment_id="orders", kpi="orders"),
    ]
    found, notes = gather(records, made)
    assert [e.id for e in found] == ["t1"]
    assert sum("left out" in p.message for p in notes) == 3
    with pytest.raises(DataError, match="grade E"):
        to_lift(test(grade="E"), made)


def test_all_tests_that_cannot_be_placed_are_named_together():
    records = [
        test(experiment_id="one", channel=("radioo",)),
        test(experiment_id="two", treatment_geos=("z",)),
        test(experiment_id="three", start_date=date(2030, 1, 7), end_date=date(2030, 2, 3), cooldown_end_date=None),
    ]
    with pytest.raises(DataError) as caught:
        gather(records, panel())
    text = str(caught.value)
    assert all(f"'{name}'" in text for name in ("one", "two", "three"))
    assert "did you mean 'radio'" in text


def test_go_dark_that_did_not_happen_is_refused():
    with pytest.raises(DataError, match=r"(?s)'t1'.*method.*go_dark.*spent in the treated geos"):
        gather([test()], panel())


def test_go_dark_with_some_spend_left_is_a_warning():
    _, problems = gather([test(spend_delta=None)], dark(panel(), factor=0.2))
    assert [p.level for p in problems if p.column == "method"] == ["warning"]


def test_spend_change_larger_than_the_spend_is_refused():
    with pytest.raises(DataError, match="more than all that the panel shows"):
        gather([test(method="heavy_up", estimate=500.0, spend_delta=90_000.0)], panel())


def test_spend_change_unlike_the_panels_is_a_warning():
    made = dark(panel())
    _, agreeing = gather([test(spend_delta=-panel().spend[:2, WINDOW, 1].sum())], made)
    _, apart = gather([test(spend_delta=-9000.0)], made)
    assert not [p for p in agreeing if p.level == "warning"]
    assert [p.column for p in apart if p.level == "warning"] == ["spend_delta"]


def test_outcome_moving_against_the_spend_is_taken_with_a_warning():
    made = dark(panel())
    found, problems = gather([test(estimate=500.0)], made)
    assert found[0].lift.outcome_change == 500.0
    assert [p.code for p in problems if p.level == "warning" and p.column == "estimate"] == ["sign"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"estimand": "icpa", "estimate": 0.0}, "cannot be"),
        ({"estimand": "relative_lift", "estimate": -1.2}, "above -1"),
        ({"estimand": "iroas", "spend_delta": 0.0, "counterfactual_spend": 1.0}, "not 0"),
        ({"std_error": None}, "std_error"),
    ],
)
def test_results_that_say_nothing_are_refused_by_field(fields, says):
    with pytest.raises(DataError, match=says) as caught:
        gather([test(**fields)], dark(panel()))
    assert caught.value.problems[0].column in ("estimate", "spend_delta", "std_error")
    assert "'t1'" in str(caught.value)
