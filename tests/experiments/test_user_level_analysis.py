"""Analysis of tests on users: who is compared, what the result says, and how far it may be trusted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.records import Experiment, parse
from experiments.result import Result
from experiments.user_level import Users, analyse_users, read_users
from measurement.errors import DataError, DesignError

EFFECT = 2.0


def design(method: str = "conversion_lift", **fields: Any) -> Experiment:
    record = {
        "experiment_id": "spring",
        "channel": "social",
        "method": method,
        "start_date": "2026-03-01",
        "end_date": "2026-03-10",
        "allocation": 0.5,
        "kpi": "revenue",
        "spend_delta": 4_000.0,
    }
    (made,) = parse({name: value for name, value in (record | fields).items() if value is not None}, results=False)
    return made


def table(method: str = "conversion_lift", count: int = 8_000, seed: int = 1, share: float = 0.5) -> pd.DataFrame:
    """Forty in a hundred are within reach of the ads, and bring 2 more where they see them."""
    draw = np.random.default_rng(seed)
    treated, within = draw.random(count) < share, draw.random(count) < 0.4
    before = draw.gamma(2, 3, count)
    saw = treated & within
    return pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(count)],
            "arm": np.where(treated, "treatment", "control"),
            "exposed": saw if method == "conversion_lift" else within,
            "date": (np.datetime64("2026-03-01", "D") + draw.integers(0, 10, count).astype("timedelta64[D]")).astype(
                str
            ),
            "revenue": 3 + before + 2 * within + EFFECT * saw + draw.normal(0, 2, count),
            "bought": (draw.random(count) < 0.1 + 0.05 * saw).astype(int),
            "sessions": 1 + draw.poisson(3, count),
            "pre_revenue": before,
        }
    )


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def of(frame: pd.DataFrame, *arguments: Any, **options: Any) -> Users:
        frame.to_parquet(tmp_path / "users.parquet", index=False)
        return read_users(tmp_path / "users.parquet", *arguments, **options)

    return of


def split(frame: pd.DataFrame, column: str = "revenue") -> tuple[Any, Any]:
    arms = frame.groupby("arm")[column]
    return arms.get_group("treatment").to_numpy(), arms.get_group("control").to_numpy()


def contradicts(result: Result) -> bool:
    holds_zero = [each.low <= 0 <= each.high for each in (result.outcome_change, result.relative_lift)]
    return any((result.p_value < result.alpha) == each for each in holds_zero)


# -- who is compared --------------------------------------------------------------------------------------------------


def test_conversion_lift_compares_the_arms_as_they_were_drawn(read: Any) -> None:
    frame = table()
    result = analyse_users(read(frame), design())
    treated, control = split(frame)
    assert result.estimator == "cuped"
    assert set(result.alternates) == {"welch", "treatment_on_treated"}
    plain = result.alternates["welch"]
    assert plain["average_effect"]["estimate"] == pytest.approx(treated.mean() - control.mean())
    assert plain["p_value"] == pytest.approx(stats.ttest_ind(treated, control, equal_var=False).pvalue)
    assert result.outcome_change.estimate == pytest.approx(result.average_effect.estimate * len(treated))
    assert result.average_effect.low < 0.4 * EFFECT < result.average_effect.high
    assert result.average_effect.std_error < 0.65 * plain["average_effect"]["std_error"]
    assert result.diagnostics["cuped"]["variance_reduction"] > 0.6
    reached = result.alternates["treatment_on_treated"]["average_effect"]
    assert reached["low"] < EFFECT < reached["high"]
    assert result.diagnostics["compliance"]["reached"]["control"] == 0
    assert result.diagnostics["compliance"]["reached"]["treatment"] == pytest.approx(0.4, abs=0.03)
    assert not contradicts(result)


@pytest.mark.parametrize("method", ["ghost_ads", "psa"])
def test_ghost_ads_compare_the_exposed_with_those_who_would_have_been(read: Any, method: str) -> None:
    frame = table(method)
    result = analyse_users(read(frame), design(method), estimator="welch")
    treated, control = split(frame[frame["exposed"]])
    expected = stats.ttest_ind(treated, control, equal_var=False)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert (result.average_effect.low, result.average_effect.high) == pytest.approx(
        tuple(expected.confidence_interval(0.9))
    )
    assert result.outcome_change.estimate == pytest.approx(len(treated) * (treated.mean() - control.mean()))
    assert result.diagnostics["compared"] == "exposed"
    assert set(result.diagnostics["sample_ratio"]) == {"all users", "exposed users"}
    assert "treatment_on_treated" not in result.alternates


def test_predicted_exposure_is_scaled_by_who_was_reached(read: Any) -> None:
    frame = table("ghost_ads", count=20_000, seed=2)
    draw = np.random.default_rng(5)
    within = frame["exposed"]
    frame["predicted"] = np.where(draw.random(20_000) < 0.8, within, ~within)
    frame["exposed"] = within & (frame["arm"] == "treatment")
    result = analyse_users(read(frame), design("ghost_ads"), estimator="treatment_on_treated")
    assert result.diagnostics["compared"] == "predicted"
    assert result.average_effect.low < EFFECT < result.average_effect.high
    assert result.average_effect.unit == "revenue per exposed user"
    own = frame[frame["predicted"]]
    assert result.diagnostics["arms"][0]["users"] == (own["arm"] == "treatment").sum()
    assert result.alternates["cuped"]["p_value"] == pytest.approx(result.p_value)


def test_a_table_without_exposure_is_one_of_exposed_users(read: Any) -> None:
    frame = table("psa")
    result = analyse_users(read(frame[frame["exposed"]].drop(columns="exposed")), design("psa"))
    assert any("does not say who was exposed" in note for note in result.diagnostics["notes"])
    assert result.average_effect.low < EFFECT < result.average_effect.high


def test_ghost_ads_need_the_exposure_of_control(read: Any) -> None:
    frame = table("ghost_ads").astype({"exposed": object})
    frame.loc[frame["arm"] == "control", "exposed"] = None
    with pytest.raises(DataError, match="who would have been exposed"):
        analyse_users(read(frame), design("ghost_ads"))


# -- what the result says ---------------------------------------------------------------------------------------------


def test_money_and_signs(read: Any) -> None:
    users = read(table())
    shown = analyse_users(users, design(), kpi_value=0.5)
    assert shown.iroas is not None
    assert shown.icpa is not None
    assert shown.iroas.estimate == pytest.approx(0.5 * shown.outcome_change.estimate / 4_000)
    assert shown.icpa.estimate == pytest.approx(4_000 / shown.incremental_outcome.estimate)
    assert shown.icpa.low < shown.icpa.estimate < shown.icpa.high
    turned = table()
    turned["arm"] = np.where(turned["arm"] == "treatment", "control", "treatment")
    kept_away = analyse_users(read(turned.drop(columns="exposed")), design(spend_delta=-4_000.0), kpi_value=0.5)
    assert kept_away.outcome_change.estimate < 0
    assert kept_away.incremental_outcome.estimate > 0
    assert kept_away.incremental_outcome.low == -kept_away.outcome_change.high
    assert kept_away.iroas is not None
    assert kept_away.iroas.estimate > 0
    unknown = analyse_users(users, design(spend_delta=None))
    assert (unknown.iroas, unknown.icpa, unknown.spend.direction) == (None, None, 1)
    assert unknown.incremental_outcome == unknown.outcome_change


def test_a_kpi_of_0_and_1_is_tested_by_scores_and_has_no_price_by_itself(read: Any) -> None:
    frame = table()
    result = analyse_users(read(frame.drop(columns="pre_revenue")), design(kpi="bought"))
    counts = pd.crosstab(frame["arm"], frame["bought"]).to_numpy()
    assert result.estimator == "score"
    assert result.p_value == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)
    assert result.iroas is None
    assert result.icpa is not None
    assert not contradicts(result)
    priced = analyse_users(read(frame.drop(columns="pre_revenue")), design(kpi="bought"), kpi_value=30.0)
    assert priced.iroas is not None


def test_a_ratio_is_read_per_unit_of_its_denominator(read: Any) -> None:
    frame = table()
    users = read(frame, ["revenue"], denominator="sessions")
    result = analyse_users(users, design(), estimator="ratio")
    sums = frame.groupby("arm")[["revenue", "sessions"]].sum()
    ratios = sums["revenue"] / sums["sessions"]
    assert result.average_effect.estimate == pytest.approx(ratios["treatment"] - ratios["control"])
    assert result.average_effect.unit == "revenue per sessions"
    assert result.relative_lift.estimate == pytest.approx(ratios["treatment"] / ratios["control"] - 1)
    assert result.outcome_change.estimate == pytest.approx(
        sums.loc["treatment", "revenue"] - ratios["control"] * sums.loc["treatment", "sessions"]
    )


def test_every_kpi_is_reported_with_holms_p_value(read: Any) -> None:
    users = read(table().drop(columns="sessions"), ["bought", "revenue"])
    with pytest.raises(DataError, match=r"the KPIs bought, revenue; say which"):
        analyse_users(users, design(kpi=None))
    result = analyse_users(users, design())
    first, second = result.diagnostics["kpis"]
    assert (first["kpi"], second["kpi"]) == ("revenue", "bought")
    assert first["p_value"] == result.p_value
    smaller, larger = sorted((first, second), key=lambda each: each["p_value"])
    assert smaller["p_holm"] == pytest.approx(2 * smaller["p_value"])
    assert larger["p_holm"] == max(larger["p_value"], smaller["p_holm"])


def test_the_looks_end_with_all_users(read: Any) -> None:
    result = analyse_users(read(table()), design())
    looks = result.diagnostics["sequence"]
    assert [look["date"] for look in looks] == [f"2026-03-{day:02d}" for day in range(1, 11)]
    assert looks[-1]["users"] == 8_000
    assert looks[-1]["estimate"] == pytest.approx(result.average_effect.estimate)
    assert looks[-1]["low"] < result.average_effect.low, "what holds at every look is wider"
    assert analyse_users(read(table().drop(columns="date")), design()).diagnostics["sequence"] == []


def test_the_result_is_plain_json_and_a_record(read: Any) -> None:
    users = read(table(), denominator="sessions")
    for estimator in ("welch", "cuped", "ratio", "treatment_on_treated"):
        result = analyse_users(users, design(), estimator=estimator)
        text = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert text["estimator"] == estimator
        assert text["periods"] == []
        assert text["outcome_change"]["low"] <= text["outcome_change"]["estimate"] <= text["outcome_change"]["high"]
        (again,) = parse(result.to_record().to_dict())
        assert again.estimate == result.outcome_change.estimate
    assert "u17" not in json.dumps(text)


def test_sums_give_the_result_of_the_rows(read: Any, tmp_path: Path) -> None:
    frame = table()[["user_id", "arm", "bought"]]
    lines = frame.groupby("arm")["bought"].agg(["count", "sum"])
    sums = tmp_path / "sums.csv"
    sums.write_text("arm,users,conversions\n" + "".join(f"{a},{n},{c}\n" for a, n, c in lines.itertuples()))
    own = analyse_users(read_users(sums, ["bought"]), design(kpi="bought"))
    rows = analyse_users(read(frame), design(kpi="bought"))
    assert own.p_value == pytest.approx(rows.p_value)
    assert own.relative_lift.low == pytest.approx(rows.relative_lift.low)


# -- how far to trust it ----------------------------------------------------------------------------------------------


def checks(result: Result) -> dict[str, bool]:
    return {check.name: check.passed for check in result.checks}


def test_a_sound_test_is_graded_a_or_b(read: Any) -> None:
    users = read(table())
    assert analyse_users(users, design(preregistered=True)).grade == "A"
    assert analyse_users(users, design()).grade == "B"
    without = analyse_users(users, design(allocation=None))
    assert not checks(without)["sample ratio of all users"]
    assert without.grade == "C"


def test_lost_users_grade_e(read: Any) -> None:
    frame = table()
    lost = frame[(frame["arm"] == "control") | (frame["revenue"] > 4)]
    result = analyse_users(read(lost), design(preregistered=True))
    assert result.diagnostics["sample_ratio"]["all users"]["p_value"] < 0.001
    assert result.grade == "E"
    uneven = table(share=0.8)
    assert analyse_users(read(uneven), design(preregistered=True)).grade == "E"
    assert analyse_users(read(uneven), design(preregistered=True, allocation=0.8)).grade == "A"


def test_exposure_that_the_arms_log_differently_grades_e(read: Any) -> None:
    frame = table("ghost_ads")
    frame.loc[(frame["arm"] == "control") & (frame.index % 5 == 0), "exposed"] = False
    result = analyse_users(read(frame), design("ghost_ads"))
    assert checks(result)["sample ratio of all users"]
    assert not checks(result)["sample ratio of exposed users"]
    assert result.grade == "E"


def test_arms_that_differed_before_the_test_are_seen(read: Any) -> None:
    frame = table()
    treated = frame["arm"] == "treatment"
    frame.loc[treated, "pre_revenue"] += 0.5
    frame.loc[treated, "revenue"] += 0.5
    assert not checks(analyse_users(read(frame), design()))["estimators agree"]
    assert checks(analyse_users(read(table()), design()))["estimators agree"]


def test_ads_that_reach_control_are_seen(read: Any) -> None:
    frame = table()
    frame.loc[frame.index % 10 == 0, "exposed"] = True
    assert not checks(analyse_users(read(frame), design()))["reach"]


def test_a_weak_reach_leaves_the_interval_open_and_says_so(read: Any) -> None:
    frame = table()
    frame["exposed"] = (frame["arm"] == "treatment") & (frame["revenue"].rank() % 4_000 == 7)
    assert frame["exposed"].any()
    result = analyse_users(read(frame), design(), estimator="treatment_on_treated")
    assert not checks(result)["reach"]
    assert "no end" in result.average_effect.note
    assert (result.p_value < 0.1) == (result.average_effect.low > 0)
    json.dumps(result.to_dict(), allow_nan=False)


# -- faults -----------------------------------------------------------------------------------------------------------


def test_users_enrolled_outside_the_test(read: Any) -> None:
    frame = table()
    with pytest.raises(DataError) as caught:
        analyse_users(read(frame), design(start_date="2026-03-03", end_date="2026-03-08"))
    early, late = caught.value.problems
    count = (frame["date"] < "2026-03-03").sum()
    assert f"{count:,} users were enrolled before" in early.message
    assert "after the test ends (2026-03-08)" in late.message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": "welsh"}, "did you mean 'welch'?"),
        ({"estimator": "ratio"}, "needs a denominator"),
        ({"estimator": "score"}, "needs a KPI of 0 and 1"),
        ({"kpi": "revenu"}, "did you mean 'revenue'?"),
        ({"alpha": 0.9}, "alpha lies between .01 and .5"),
    ],
)
def test_what_cannot_be_asked(read: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        analyse_users(read(table(count=200)), design(), **options)
    assert words in str(caught.value)


def test_what_cannot_be_analysed(read: Any) -> None:
    frame = table(count=200)
    with pytest.raises(DesignError, match="no test on users"):
        analyse_users(read(frame), design("go_dark", spend_delta=-4_000.0, allocation=None))
    with pytest.raises(DesignError, match="too few"):
        analyse_users(read(frame[:30]), design())
    with pytest.raises(DesignError, match="the same for every user"):
        analyse_users(read(frame.assign(revenue=1.0)), design())
    with pytest.raises(DesignError, match="no variance is left"):
        analyse_users(read(frame.assign(revenue=frame["pre_revenue"])), design())
