"""Analysis of a geo test from panel and design to result: identities, signs, money, notes and refusals."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Experiment, Result, analyse, records
from experiments.geo.checklist import Facts, graded
from experiments.geo.inference.self_calibration import SelfCalibration
from experiments.records.experiment import Assignment
from experiments.result import Quantity
from experiments.spend import SpendChange
from measurement import DataError, DesignError, Panel

START = np.datetime64("2024-01-01")
CHANNEL = "tv"


def panel_of(
    outcome: np.ndarray,
    *,
    period: str = "day",
    spend: np.ndarray | None = None,
    kpi_value: float = 1.0,
    **kpis: np.ndarray,
) -> Panel:
    geos, periods = outcome.shape
    step = np.timedelta64({"day": 1, "week": 7}[period], "D")
    media = np.zeros((geos, periods, 0)) if spend is None else spend[:, :, None]
    return Panel(
        dates=START + np.arange(periods) * step,
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=() if spend is None else (CHANNEL,),
        spend=media,
        exposure=media,
        kpis={"sales": outcome, **kpis},
        kpi="sales",
        period=period,
        kpi_value=kpi_value,
    )


def world(seed: int = 0, geos: int = 24, periods: int = 90, noise: float = 0.03) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(6, 0.8, (geos, 1)))
    common = 0.05 * rng.normal(size=(geos, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1) / 3
    week = 0.1 * np.sin(2 * np.pi * np.arange(periods) / 7)
    return size * (1 + common + week + noise * rng.normal(size=(geos, periods)))


def design_of(panel: Panel, first: int, last: int, **more: object) -> Experiment:
    fields: dict[str, object] = {
        "experiment_id": "t1",
        "channel": (CHANNEL,),
        "method": "heavy_up",
        "treatment_geos": ("g00", "g01"),
        "start_date": panel.dates[first].tolist(),
        "end_date": panel.dates[last].tolist(),
    }
    return Experiment(**(fields | more))


@pytest.fixture(scope="module")
def lifted() -> tuple[Panel, float]:
    """A panel whose first two geos sell 20 % more on days 70 to 83; and how much that is."""
    outcome = world(1)
    extra = 0.2 * outcome[:2, 70:84]
    outcome[:2, 70:84] += extra
    return panel_of(outcome, kpi_value=3.0), float(extra.sum())


@pytest.fixture(scope="module")
def result(lifted: tuple[Panel, float]) -> Result:
    panel, _ = lifted
    return analyse(panel, design_of(panel, 70, 83, spend_delta=500.0))


def test_a_large_effect_is_found(result: Result, lifted: tuple[Panel, float]) -> None:
    _, truth = lifted
    change = result.outcome_change
    assert result.p_value < 0.1
    assert abs(change.estimate - truth) < 3 * change.std_error
    assert result.relative_lift.estimate == pytest.approx(0.2, abs=3 * result.relative_lift.std_error)


def test_the_quantities_are_one_effect_in_several_units(result: Result) -> None:
    change, cells = result.outcome_change, 2 * 14
    assert result.average_effect.estimate * cells == pytest.approx(change.estimate)
    assert sum(period.effect for period in result.periods) == pytest.approx(change.estimate)
    assert result.periods[-1].cumulative == pytest.approx(change.estimate)
    assert result.periods[-1].cumulative_low == pytest.approx(change.low)
    assert result.periods[-1].cumulative_high == pytest.approx(change.high)
    usual = sum(period.counterfactual for period in result.periods)
    assert result.relative_lift.estimate == pytest.approx(change.estimate / usual)
    observed = sum(period.observed for period in result.periods)
    assert result.relative_lift.low == pytest.approx(change.low / (observed - change.low))
    assert result.iroas is not None
    assert result.iroas.estimate == pytest.approx(change.estimate * 3.0 / 500.0)
    assert (change.high - change.low) / 2 / change.std_error == pytest.approx(1.6449, abs=1e-3)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
def test_p_value_and_every_interval_agree(lifted: tuple[Panel, float], alpha: float) -> None:
    panel, _ = lifted
    for geos in (("g00", "g01"), ("g05", "g09"), ("g03", "g12")):
        found = analyse(panel, design_of(panel, 70, 83, treatment_geos=geos, spend_delta=9.0), alpha=alpha)
        for quantity in (found.outcome_change, found.relative_lift, found.average_effect, found.iroas):
            assert quantity is not None
            assert (found.p_value < alpha) == (quantity.low > 0 or quantity.high < 0)


def test_the_json_is_complete_plain_and_the_same_each_time(result: Result, lifted: tuple[Panel, float]) -> None:
    panel, _ = lifted
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert text == json.dumps(analyse(panel, design_of(panel, 70, 83, spend_delta=500.0)).to_dict())
    surface = {
        "estimator", "window", "incremental_outcome", "outcome_change", "relative_lift", "average_effect", "iroas",
        "p_value", "inference", "periods", "diagnostics", "alternates", "grade", "versions", "seed", "data",
    }  # fmt: skip
    assert surface <= result.to_dict().keys()
    assert set(result.to_dict()["outcome_change"]) == {"estimate", "std_error", "low", "high"}
    assert result.to_dict()["window"] == ["2024-03-11", "2024-03-24"]
    assert len(result.to_dict()["periods"]) == 14
    assert set(result.alternates) >= {"sdid", "difference_in_differences"}
    assert result.provenance.data == panel.sha256


def test_another_seed_draws_other_placebos(lifted: tuple[Panel, float]) -> None:
    panel, _ = lifted
    three = {"treatment_geos": ("g00", "g01", "g02")}
    one, two = (analyse(panel, design_of(panel, 70, 83, **three), seed=seed) for seed in (0, 1))
    assert one.outcome_change.estimate == two.outcome_change.estimate
    assert not np.array_equal(one.placebo_effects, two.placebo_effects)


def test_a_go_dark_test_of_good_ads_has_a_positive_incremental_outcome() -> None:
    outcome = world(2)
    outcome[:2, 70:84] *= 0.7
    panel = panel_of(outcome)
    dark = analyse(panel, design_of(panel, 70, 83, method="go_dark", spend_delta=-1000.0))
    assert dark.outcome_change.high < 0
    assert dark.incremental_outcome.low > 0
    assert dark.incremental_outcome.estimate == -dark.outcome_change.estimate
    assert dark.iroas is not None
    assert dark.iroas.low > 0
    assert dark.iroas.estimate == pytest.approx(dark.outcome_change.estimate / -1000.0)
    without_money = analyse(panel, design_of(panel, 70, 83, method="go_dark"))
    assert without_money.incremental_outcome == dark.incremental_outcome
    assert without_money.iroas is None
    assert any(check.name == "spend change" and not check.passed for check in without_money.checks)


def test_the_cool_down_belongs_to_the_read_out() -> None:
    outcome = world(3)
    outcome[:2, 60:80] *= 1.25
    panel = panel_of(outcome)
    cooled = analyse(panel, design_of(panel, 60, 69, cooldown_end_date=panel.dates[79].tolist()))
    whole = analyse(panel, design_of(panel, 60, 79))
    assert cooled.outcome_change == whole.outcome_change
    assert [period.phase for period in cooled.periods] == ["test"] * 10 + ["cooldown"] * 10
    assert cooled.window == (panel.dates[60].tolist(), panel.dates[79].tolist())
    assert set(cooled.phases) == {"test", "cooldown"}
    assert sum(phase.estimate for phase in cooled.phases.values()) == pytest.approx(cooled.outcome_change.estimate)
    assert cooled.phases["test"].low == pytest.approx(cooled.periods[9].cumulative_low)
    assert all(phase.low > 0 for phase in cooled.phases.values())
    assert set(whole.phases) == {"test"}
    assert cooled.diagnostics["cooldown_periods"] == 10


def test_every_period_says_its_share_too(result: Result) -> None:
    for period in result.to_dict()["periods"]:
        assert period["relative"] == pytest.approx(period["effect"] / period["counterfactual"])
        assert period["relative_low"] < period["relative"] < period["relative_high"]


def test_spend_is_read_from_the_panel_where_the_record_has_none() -> None:
    outcome, spend = world(4), np.full((24, 90), 10.0)
    spend[:, 70:] *= 1.5  # everybody spends more in that season
    spend[:2, 70:84] += 40.0
    panel = panel_of(outcome, spend=spend)
    found = analyse(panel, design_of(panel, 70, 83))
    assert found.spend.source == "panel"
    assert found.spend.counterfactual == pytest.approx(2 * 14 * 15.0)
    assert found.spend.delta == pytest.approx(2 * 14 * 40.0)
    assert found.spend.direction == 1
    record = found.to_record()
    assert record.spend_delta == found.spend.delta
    assert "panel" in record.notes
    assert records.parse([record.to_dict()]) == [record]
    registered = analyse(panel, design_of(panel, 70, 83, counterfactual_spend=500.0))
    assert registered.spend.source == "record"
    assert registered.spend.delta == pytest.approx(2 * 14 * 55.0 - 500.0)


def test_a_ratio_to_spend_that_only_the_treated_geos_changed_is_the_scaled_interval() -> None:
    """Fieller's interval with a spend change known to the cent is the outcome's interval over it, sign and all."""
    for sign, method in ((1.0, "heavy_up"), (-1.0, "go_dark")):
        outcome, spend = world(4), np.full((24, 90), 50.0)
        outcome[:2, 70:84] *= 1 + 0.15 * sign
        spend[:2, 70:84] += 40.0 * sign
        panel = panel_of(outcome, spend=spend, kpi_value=2.0)
        read = analyse(panel, design_of(panel, 70, 83, method=method))
        told = analyse(panel, design_of(panel, 70, 83, method=method, spend_delta=2 * 14 * 40.0 * sign))
        assert read.spend.source == "panel"
        assert read.iroas is not None
        assert told.iroas is not None
        for name in ("estimate", "low", "high", "std_error"):
            assert getattr(read.iroas, name) == pytest.approx(getattr(told.iroas, name), rel=1e-9)
        assert read.iroas.low > 0
        assert read.icpa is not None
        assert read.icpa.estimate == pytest.approx(2.0 / read.iroas.estimate)
        assert (read.icpa.low, read.icpa.high) == pytest.approx((2.0 / read.iroas.high, 2.0 / read.iroas.low))
        assert read.diagnostics["spend_std_error"] == pytest.approx(0.0, abs=1e-6)
        assert read.diagnostics["returns"]["geo_based_regression"]["estimate"] > 0


def noisy_spend(sd: float) -> Panel:
    rng = np.random.default_rng(14)
    outcome, spend = world(14), np.maximum(100.0 + sd * rng.normal(size=(24, 1)) * (np.arange(90) >= 70), 0.0)
    outcome[:2, 70:84] *= 1.2
    spend[:2, 70:84] += 40.0
    return panel_of(outcome, spend=spend)


def test_a_spend_change_read_with_error_widens_the_ratio() -> None:
    sharp, rough = (analyse(panel, design_of(panel, 70, 83)) for panel in (noisy_spend(0.5), noisy_spend(8.0)))
    assert sharp.outcome_change == rough.outcome_change
    assert sharp.diagnostics["spend_std_error"] < rough.diagnostics["spend_std_error"]
    assert sharp.iroas is not None
    assert rough.iroas is not None
    relative = [q.std_error / q.estimate for q in (sharp.iroas, rough.iroas)]
    assert relative[1] > 1.05 * relative[0]
    assert rough.iroas.note == ""


def test_a_spend_change_that_cannot_be_told_from_none_leaves_the_ratio_open() -> None:
    panel = noisy_spend(80.0)
    found = analyse(panel, design_of(panel, 70, 83))
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert shown["iroas"]["low"] is None
    assert shown["iroas"]["high"] is None
    assert "cannot be told from its own error" in shown["iroas"]["note"]
    assert "cannot be told" in shown["icpa"]["note"]
    assert found.p_value < 0.1  # the outcome is not in doubt


def test_the_cost_of_an_outcome_that_may_be_nothing_has_no_upper_limit() -> None:
    panel = panel_of(world(15))
    found = analyse(panel, design_of(panel, 70, 83, spend_delta=100.0))
    assert found.outcome_change.low < 0 < found.outcome_change.high
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))["icpa"]
    assert shown["low"] == pytest.approx(100.0 / found.outcome_change.high)
    assert shown["high"] is None
    assert "no upper limit" in shown["note"]


def test_inverse_of_a_quantity() -> None:
    plain = Quantity(2.0, 0.1, 1.0, 4.0, "x").inverse("y")
    assert (plain.estimate, plain.low, plain.high, plain.unit) == (0.5, 0.25, 1.0, "y")
    negative = Quantity(-2.0, 0.1, -4.0, -1.0, "x").inverse("y")
    assert (negative.estimate, negative.low, negative.high) == (-0.5, -1.0, -0.25)
    open_above = Quantity(2.0, 0.1, -1.0, 4.0, "x").inverse("y")
    assert (open_above.low, open_above.high) == (0.25, float("inf"))
    nothing = Quantity(0.0, 0.1, -1.0, 4.0, "x").inverse("y")
    assert nothing.to_dict("median")["median"] is None
    wrong_way = Quantity(-2.0, 0.1, -5.0, 4.0, "x").inverse("y")  # what is not excluded, an effect of 4, costs 0.25
    assert (wrong_way.estimate, wrong_way.low, wrong_way.high) == (float("inf"), 0.25, float("inf"))


def test_a_test_that_moved_no_money_is_graded_e() -> None:
    panel = panel_of(world(5), spend=np.full((24, 90), 10.0))
    found = analyse(panel, design_of(panel, 70, 83))
    assert found.grade == "E"
    assert found.iroas is None


def test_a_preregistered_paired_test_can_be_graded_a() -> None:
    outcome = world(6)
    outcome[:2, 70:84] *= 1.3
    panel = panel_of(outcome)
    pairs = (("g00", "g05"), ("g01", "g06"))
    design = design_of(panel, 70, 83, preregistered=True, pairs=pairs, spend_delta=900.0)
    assert analyse(panel, design).grade == "A"
    assert analyse(panel, design.model_copy(update={"pairs": ()})).grade == "B"


def test_estimators_that_lie_apart_lower_the_grade_and_are_named() -> None:
    calm = {"sdid": 0.4, "difference_in_differences": 0.9}
    spend = SpendChange("record", 100.0, None, None, 1, False)
    plan = design_of(panel_of(world(6)), 70, 83, preregistered=True, assignment=Assignment(rule="uniform"))
    facts = Facts(True, SelfCalibration(), 0.9, 0.01, 5.0, 0.02, spend, calm)
    assert graded(plan, facts)[0] == "A"
    grade, checks = graded(plan, replace(facts, apart=calm | {"sdid": 1.4}))
    assert grade == "C"
    text = next(check.text for check in checks if check.name == "estimators agree")
    assert "sdid by 1.4" in text
    assert "difference" not in text


def test_matched_pairs_of_public_data_are_judged_by_their_flips(reference_data: Path) -> None:
    """Thirty of the 105 pairs of the trimmed-match example: the record's own draw, no stand-in."""
    frame = pd.read_csv(reference_data / "trimmed_match_post_analysis.csv")
    some = sorted(frame["pair"].unique())[:30]
    frame = frame[frame["pair"].isin(some) & (frame["date"] >= "2020-08-26") & (frame["date"] < "2020-12-02")]
    frame = frame.assign(geo=frame["geo"].astype(str), date=pd.to_datetime(frame["date"]).astype("datetime64[s]"))
    arms = frame.drop_duplicates("geo").pivot(index="pair", columns="assignment", values="geo")
    panel = Panel.from_frames(
        frame.rename(columns={"response": "outcome"})[["date", "geo", "outcome"]],
        frame.rename(columns={"cost": "spend"}).assign(channel="tv")[["date", "geo", "channel", "spend"]],
        period="day",
    )
    design = Experiment(
        experiment_id="pairs",
        channel=("tv",),
        method="heavy_up",
        pairs=tuple(zip(arms[1], arms[2], strict=True)),
        assignment=Assignment(rule="pairs"),
        start_date=date(2020, 11, 4),
        end_date=date(2020, 12, 1),
    )
    found = analyse(panel, design)
    assert "flips within the test's 30 pairs" in found.inference
    assert "exact" in found.inference
    assert found.diagnostics["self_calibration"]["inflation"] == 1.0
    assert any(check.name == "randomised" and check.passed for check in found.checks)
    assert found.iroas is not None
    assert found.iroas.low < found.iroas.estimate < found.iroas.high
    returns = found.diagnostics["returns"]
    assert set(returns) == {"trimmed_match", "geo_based_regression"}
    assert all(each["low"] < each["estimate"] < each["high"] for each in returns.values())
    other = found.alternates["time_based_regression"]
    textbook = other["classical"]
    assert textbook["std_error"] < other["outcome_change"]["std_error"]
    assert "too narrow" in textbook["note"]


@pytest.mark.parametrize(("geos", "treated"), [(3, 1), (4, 2), (6, 3), (8, 4), (10, 2)])
@pytest.mark.parametrize(("first", "last"), [(70, 76), (60, 89)])
def test_three_to_ten_geos_are_analysed_and_told_how(geos: int, treated: int, first: int, last: int) -> None:
    panel = panel_of(world(geos, geos=geos))
    names = panel.geos[:treated]
    found = analyse(panel, design_of(panel, first, last, treatment_geos=names, spend_delta=9.0))
    assert (found.p_value < 0.1) == (found.outcome_change.low > 0 or found.outcome_change.high < 0)
    if "randomisation:" not in found.inference:
        assert "somewhat too narrow" in found.inference
        assert ("t-test" in found.inference) == (last == 89)
        assert any(check.name == "inference" and not check.passed for check in found.checks)


def test_few_control_geos_fall_back_to_blocks_in_time_and_say_so() -> None:
    outcome = world(7, geos=6)
    outcome[:1, 70:84] *= 2.0
    panel = panel_of(outcome)
    found = analyse(panel, design_of(panel, 70, 83, treatment_geos=("g00",), spend_delta=9.0))
    assert "conformal" in found.inference
    assert "6 geos" in found.inference
    assert (found.p_value < 0.1) == (found.outcome_change.low > 0 or found.outcome_change.high < 0)
    assert found.p_value < 0.1
    assert found.placebo_effects.size == 0
    assert found.diagnostics["placebo_sd"] is None
    assert found.grade in ("B", "C", "D")
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_inference_is_refused_where_neither_way_is_open() -> None:
    panel = panel_of(world(8, geos=6, periods=16))
    with pytest.raises(DesignError, match=r"too few: inference over time at alpha 0\.1 needs 16, and 6 geos allow no"):
        analyse(panel, design_of(panel, 12, 15, treatment_geos=("g00",)))


def test_a_history_too_short_for_any_inference_is_named_as_the_cause_and_as_much_as_it_asks_for_will_do() -> None:
    outcome = world(8, periods=20)
    short = panel_of(outcome[:, 5:])
    with pytest.raises(DesignError, match=r"8 periods before a read-out of 7 are too few.* needs 13,.*lengthen the hi"):
        analyse(short, design_of(short, 8, 14))
    panel = panel_of(outcome)
    assert analyse(panel, design_of(panel, 13, 19)).outcome_change.std_error > 0


def test_named_controls_are_the_only_donors(lifted: tuple[Panel, float]) -> None:
    panel, _ = lifted
    named = tuple(f"g{row:02d}" for row in range(4, 16))
    found = analyse(panel, design_of(panel, 70, 83, control_geos=named))
    assert set(found.diagnostics["weights"]) <= set(named)
    assert found.diagnostics["control_geos"] == 12


def test_another_kpi_of_the_panel_is_analysed_on_request() -> None:
    outcome = world(9)
    orders = outcome.copy()
    orders[:2, 70:84] *= 1.5
    panel = panel_of(outcome, orders=orders)
    found = analyse(panel, design_of(panel, 70, 83, kpi="orders", spend_delta=10.0))
    assert found.kpi == "orders"
    assert found.outcome_change.low > 0
    assert found.iroas is None  # the panel knows what a unit of sales is worth, not of orders
    with pytest.raises(DataError, match="did you mean 'orders'"):
        analyse(panel, design_of(panel, 70, 83, kpi="order"))


def test_a_test_that_starts_inside_a_week_leaves_that_week_out() -> None:
    outcome = world(10)
    outcome[:2, 70] *= 50.0  # the week that is partly treated
    panel = panel_of(outcome, period="week")
    start = (panel.dates[70] + np.timedelta64(3, "D")).tolist()
    found = analyse(panel, design_of(panel, 70, 75, start_date=start))
    assert [period.day for period in found.periods] == panel.dates[71:76].tolist()
    assert max(period.observed for period in found.pre_periods) < outcome[:2, 70].sum()
    assert "left out" in found.diagnostics["notes"][0]
    inside = (panel.dates[75] + np.timedelta64(3, "D")).tolist()
    short = analyse(panel, design_of(panel, 71, 75, end_date=inside))
    assert [period.day for period in short.periods] == panel.dates[71:76].tolist()
    assert "the test ends inside the week" in short.diagnostics["notes"][0]
    assert "read whole" in short.diagnostics["notes"][0]


def test_the_default_trims_the_history_to_whole_weeks_of_daily_data(lifted: tuple[Panel, float]) -> None:
    panel, _ = lifted
    daily = analyse(panel, design_of(panel, 75, 84))
    assert daily.diagnostics["weekly_pattern"]
    assert daily.diagnostics["pre_periods"] == 70
    assert "not whole weeks" in daily.diagnostics["notes"][0]
    raw = analyse(panel, design_of(panel, 75, 84), estimator="synthetic_control_unscaled")
    assert raw.diagnostics["pre_periods"] == 75


def test_the_record_carries_the_result_as_evidence(result: Result) -> None:
    record = result.to_record()
    assert record.has_result
    assert record.estimand == "outcome_change"
    assert record.estimate == result.outcome_change.estimate
    assert record.std_error == result.outcome_change.std_error
    assert record.grade == result.grade
    assert record.treatment_geos == ("g00", "g01")
    assert records.parse([record.to_dict()]) == [record]


REFUSALS: list[tuple[dict[str, object], str]] = [
    ({"treatment_geos": ("G00", "nowhere")}, "did you mean 'g00'"),
    ({"treatment_geos": ()}, "names no treated geos"),
    ({"control_geos": ("g01", "g02", "g03", "g04")}, "'g01' is in both arms"),
    ({"treatment_geos": ("g02", "g02")}, "listed twice"),
    ({"start_date": date(2023, 1, 1)}, "outside the data, which run from 2024-01-01 to 2024-03-30"),
    ({"end_date": date(2024, 5, 1)}, "outside the data"),
    ({"cooldown_end_date": date(2024, 3, 1)}, "must not go backwards"),
    ({"treatment_geos": ("g23",)}, "same KPI"),
    ({"method": "go_dark", "spend_delta": 5.0}, "must be negative"),
]


@pytest.mark.parametrize(("change", "words"), REFUSALS)
def test_what_does_not_fit_the_data_is_refused(change: dict[str, object], words: str) -> None:
    outcome = world(11)
    outcome[23, :80] = 7.0
    panel = panel_of(outcome)
    named = tuple(f"g{row:02d}" for row in range(2, 22) if row != 2 or "g02" not in change.get("treatment_geos", ()))
    with pytest.raises(DataError, match=words):
        analyse(panel, design_of(panel, 70, 83, **({"control_geos": named} | change)))


IMPOSSIBLE: list[tuple[dict[str, object], str]] = [
    ({"treatment_geos": tuple(f"g{row:02d}" for row in range(24))}, "every geo is treated"),
    ({"control_geos": ("g05",)}, "1 control geo is too few"),
    ({"start_date": date(2024, 1, 6)}, "5 days before the test are too few"),
    ({"method": "ghost_ads"}, "does not cover"),
    ({"off_panel": True}, "outside the panel"),
    ({"method": "scale"}, "which way spend was moved"),
]


@pytest.mark.parametrize(("change", "words"), IMPOSSIBLE)
def test_what_cannot_be_analysed_is_refused(change: dict[str, object], words: str) -> None:
    panel = panel_of(world(12))
    with pytest.raises(DesignError, match=words):
        analyse(panel, design_of(panel, 70, 83, **change))


def test_all_problems_of_a_design_come_together() -> None:
    panel = panel_of(world(13))
    with pytest.raises(DataError) as caught:
        analyse(panel, design_of(panel, 70, 83, treatment_geos=("x", "g01"), control_geos=("y", "g01")))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("options", "words"), [({"estimator": "sidd"}, "did you mean 'sdid'"), ({"alpha": 0.0}, "between .01 and .5")]
)
def test_settings_are_checked(options: dict[str, object], words: str) -> None:
    panel = panel_of(world(14))
    with pytest.raises(DataError, match=words):
        analyse(panel, design_of(panel, 70, 83), **options)
