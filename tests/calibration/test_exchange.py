"""Tests in the forms of other tools: what is written says the same, and comes back as it was."""

import json
import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy import stats

from calibration.evidence import gather
from calibration.exchange import FORMATS, format_of, geolift, meridian, platform_lift, pymc_marketing, robyn
from experiments.records import Experiment, parse
from measurement.errors import DataError
from measurement.panel import Panel
from theodolite import exchanging

WEEKS = 40
DARK = slice(26, 30)
START, END, COOL = date(2024, 7, 1), date(2024, 7, 28), date(2024, 8, 11)


def panel(geos=("a", "b", "c", "d"), **changes):
    rng = np.random.default_rng(0)
    spend = rng.uniform(80, 120, (len(geos), WEEKS, 2)) * np.arange(1, len(geos) + 1)[:, None, None]
    treated = slice(0, 1 if len(geos) == 1 else 2)
    spend[treated, DARK, 1] = 0.0
    sales = rng.uniform(900, 1100, (len(geos), WEEKS))
    dates = np.datetime64("2024-01-01", "D") + np.arange(0, 7 * WEEKS, 7, dtype="timedelta64[D]")
    made = Panel(
        dates=dates,
        geos=geos,
        channels=("radio", "tv"),
        spend=spend,
        exposure=spend,
        kpis={"sales": sales},
        kpi="sales",
    )
    return replace(made, **changes)


def record(**fields):
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
        "estimate": -900.0,
        "std_error": 100.0,
        "spend_delta": -1200.0,
        "grade": "A",
    }
    return Experiment(**base | fields)


def evidence(made, *records):
    return gather(records, made, as_of=COOL)[0]


NATIONAL = {"method": "on_off", "treatment_geos": (), "control_geos": (), "spend_delta": -400.0}


def test_meridian_has_the_return_and_the_usual_spend():
    made = panel(kpi_value=2.0)
    items = evidence(made, record(), record(experiment_id="t2", estimate=-600.0))
    rows, notes = meridian.write(items, made)
    assert notes == []
    assert rows[0]["channel_name"] == "tv"
    assert rows[0]["point_estimates"] == pytest.approx([1.5, 1.0])
    assert rows[0]["standard_errors"] == pytest.approx([item.iroas.sd for item in items])
    assert rows[0]["experiment_total_spends"] == pytest.approx([1200.0, 1200.0])
    assert rows[0]["experiment_start_dates"] == ["2024-07-01"] * 2
    assert rows[0]["experiment_kpi_types"] == ["revenue"] * 2


def test_what_meridian_refuses_is_named_and_left_out():
    made = panel()
    loss = record(experiment_id="loss", estimate=900.0)
    both = record(experiment_id="both", channel=("tv", "radio"), method="scale")
    rows, notes = meridian.write(evidence(made, loss, both), made)
    assert rows == []
    assert ["significantly negative" in notes[0].message, "one channel" in notes[1].message] == [True, True]


def test_meridian_comes_back_as_a_return_on_all_of_the_spend():
    made = panel()
    rows, _ = meridian.write(evidence(made, record()), made)
    back = parse(meridian.read(rows))[0]
    assert (back.channel, back.estimand, back.spend_delta) == (("tv",), "iroas", pytest.approx(1200.0))
    assert back.estimate == pytest.approx(0.75)
    kpi = parse(meridian.read([rows[0] | {"experiment_kpi_types": "non-revenue"}]))[0]
    assert (kpi.estimand, kpi.estimate) == ("incremental_outcome", pytest.approx(900.0))
    with pytest.raises(DataError, match="lists of one length"):
        meridian.read([rows[0] | {"standard_errors": [1.0, 2.0]}])


def test_pymc_rows_are_averages_per_period_and_add_up_over_geos():
    made = panel()
    item = evidence(made, record())[0]
    rows, _ = pymc_marketing.write([item], made)
    assert [row["geo"] for row in rows] == ["a", "b"]
    assert sum(row["delta_x"] for row in rows) == pytest.approx(-1200 / 4)
    assert sum(row["delta_y"] for row in rows) == pytest.approx(-900 / 4)
    assert math.hypot(*(row["sigma"] for row in rows)) == pytest.approx(item.steps[-1].std_error / 4)
    assert all(row["x"] + row["delta_x"] == pytest.approx(0.0, abs=1e-9) for row in rows), "they went dark"
    assert len({round(row["delta_y"] / row["delta_x"], 9) for row in rows}) == 1


def test_pymc_rows_of_a_national_panel_have_no_geo_and_scale_another_market_up():
    made = panel(("national",))
    inside = record(**NATIONAL)
    outside = record(
        **NATIONAL | {"spend_delta": -80.0},
        experiment_id="out",
        off_panel=True,
        counterfactual_spend=80.0,
        market_share=0.2,
        estimate=-180.0,
    )
    rows, notes = pymc_marketing.write(evidence(made, inside, outside), made)
    assert notes == []
    assert not any("geo" in row for row in rows)
    assert (rows[0]["delta_x"], rows[0]["delta_y"]) == pytest.approx((-100.0, -225.0))
    assert (rows[1]["delta_x"], rows[1]["delta_y"]) == pytest.approx((-80 / 4 / 0.2, -180 / 4 / 0.2))


@pytest.mark.parametrize("geos", [("a", "b", "c", "d"), ("national",)])
def test_pymc_rows_come_back_as_the_same_evidence(geos):
    made = panel(geos)
    own = record() if len(geos) > 1 else record(**NATIONAL)
    before = evidence(made, own)[0]
    rows, _ = pymc_marketing.write([before], made)
    back = parse(pymc_marketing.read(rows))[0]
    after = gather([back.model_copy(update={"grade": "A"})], made, as_of=COOL)[0][0]
    assert after.lift.outcome_change == pytest.approx(before.lift.outcome_change)
    assert after.lift.counterfactual_spend.sum() == pytest.approx(before.lift.counterfactual_spend.sum())
    assert after.lift.geos == before.lift.geos
    assert after.lift.std_error == pytest.approx(before.steps[-1].std_error)


def test_robyn_has_what_all_of_the_spend_brought_in_the_whole_market():
    made = panel()
    item = evidence(made, record())[0]
    row = robyn.write([item], made)[0][0]
    spent = made.spend[:, DARK, 1].sum()
    assert (row["spend"], row["liftAbs"]) == pytest.approx((spent, 0.75 * spent))
    z = 900 / item.steps[-1].std_error
    assert row["confidence"] == pytest.approx(1 - 2 * stats.norm.sf(z), rel=1e-8)
    assert (row["metric"], row["calibration_scope"]) == ("sales", "total")
    back = parse(robyn.read([row]))[0]
    assert (back.estimand, back.estimate, back.spend_delta) == ("incremental_outcome", row["liftAbs"], row["spend"])
    weak = robyn.write(evidence(made, record(std_error=600.0)), made)[0][0]
    again = parse(robyn.read([weak]))[0]
    assert again.estimate / again.std_error == pytest.approx(900 / math.hypot(600, 0.05 * 900))
    assert parse(robyn.read([row | {"channel": "tv+radio"}]))[0].channel == ("tv", "radio")


def test_geolift_scales_its_average_and_interval_to_the_whole():
    """The walkthrough: ATT 155.56 over 2 locations and 15 days."""
    row = {
        "ATT": 155.556,
        "Perc.Lift": 5.4,
        "pvalue": 0.01,
        "Lower.Conf.Int": 100.0,
        "Upper.Conf.Int": 210.0,
        "incremental": 4666.68,
        "locations": "chicago, portland",
    }
    dates = {"channel": "tv", "start_date": "2021-04-01", "end_date": "2021-04-15", "spend_delta": 5000.0}
    found = parse([r | {"spend_delta": 5000.0} for r in geolift.read([row | dates])])[0]
    assert found.treatment_geos == ("chicago", "portland")
    assert (found.estimate, found.ci_lower, found.ci_upper) == pytest.approx((4666.68, 3000.0, 6300.0), rel=1e-4)
    bare = {name: value for name, value in (row | dates).items() if "Conf" not in name}
    assert geolift.read([bare])[0]["std_error"] == pytest.approx(4666.68 / stats.norm.isf(0.005))
    with pytest.raises(DataError, match=r"row 1: channel is missing"):
        geolift.read([row])
    with pytest.raises(DataError, match="both have one sign"):
        geolift.read([row | dates | {"incremental": -1.0}])


def test_platform_reports_are_grade_d_under_the_headings_people_have():
    row = {
        "Study name": "spring",
        "Platform": "social",
        "Start time": "2024-03-01T00:00",
        "End": "2024-03-28",
        "Incremental sales": "1200",
        "Lower bound": "300",
        "Upper bound": "2100",
        "Confidence level": "90%",
        "Amount spent": "800.5",
    }
    found = parse(platform_lift.read([row]))[0]
    assert (found.experiment_id, found.grade, found.method) == ("spring", "D", "conversion_lift")
    assert (found.start_date, found.spend_delta, found.ci_level) == (date(2024, 3, 1), 800.5, 0.9)
    with pytest.raises(DataError) as caught:
        platform_lift.read([{"Study name": "x", "Incremental sales": "1,200"}])
    assert [p.column for p in caught.value.problems] == ["estimate", "channel", "start_date", "end_date", "spend_delta"]


def test_forms_are_found_by_name():
    assert format_of("robyn").suffix == ".csv"
    with pytest.raises(DataError, match="did you mean 'meridian'"):
        format_of("meridain")
    with pytest.raises(DataError, match="found 'geolift'; allowed are meridian, pymc-marketing, robyn"):
        format_of("geolift", writing=True)
    assert all(known.read for known in FORMATS.values())


@pytest.mark.parametrize(("form", "ending"), [("meridian", ".json"), ("pymc-marketing", ".csv"), ("robyn", ".csv")])
def test_files_are_written_whole_and_never_over_another(tmp_path, form, ending):
    made, file = panel(), tmp_path / f"out{ending}"
    items = evidence(made, record(), record(experiment_id="=1+1", treatment_geos=("a",), spend_delta=-300.0))
    exchanging.write(items, made, form, file)
    with pytest.raises(DataError, match="is there already"):
        exchanging.write(items, made, form, file)
    with pytest.raises(DataError, match=f"ends in {ending}"):
        exchanging.write(items, made, form, tmp_path / "out.txt")
    assert ",=1+1" not in file.read_text()
    with pytest.raises(DataError, match="no test that"):
        exchanging.write([], made, form, tmp_path / f"none{ending}")


def test_files_of_others_are_read_with_what_they_do_not_say(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("channel,x,delta_x,delta_y,sigma\ntv,100,-100,-225,30\n")
    with pytest.raises(DataError) as caught:
        exchanging.read(file, "pymc-marketing", {})
    text = str(caught.value)
    assert "start_date is missing" in text
    assert "--set FIELD=VALUE" in text
    given = {"start_date": "2024-07-01", "end_date": "2024-07-28", "grade": "B"}
    found = exchanging.read(file, "pymc-marketing", given)[0]
    assert (found.estimate, found.spend_delta, found.grade) == (-900.0, -400.0, "B")
    with pytest.raises(DataError, match="did you mean 'grade'"):
        exchanging.read(file, "pymc-marketing", given | {"grad": "B"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no test"),
        ("{", "no sound json"),
        ("[1]", "a test is an object"),
        ("a,a\n1,2\n", "stands there twice"),
        ("channel,x\ntv\n", "has 1 values, the header has 2"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path, text, says):
    file = tmp_path / "rows.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        exchanging.read(file, "robyn", {})
    assert "rows.csv" in str(caught.value)


def test_json_of_meridian_is_what_its_builder_takes(tmp_path):
    made, file = panel(), tmp_path / "m.json"
    exchanging.write(evidence(made, record()), made, "meridian", file)
    arguments = json.loads(file.read_text())[0]
    assert set(arguments) == {"channel_name", *meridian.LISTS}
    assert exchanging.read(file, "meridian", {})[0].estimate == pytest.approx(0.75)


def test_the_peers_own_readers_held_what_was_meant(study_table):
    rows = study_table("exchange")
    assert {(row["package"].split()[0], row["panel"]) for row in rows} == {
        (package, panel) for package in ("google-meridian", "pymc-marketing") for panel in ("geo", "national")
    }
    for row in rows:
        if row["package"].startswith("pymc"):
            assert row["ours"] == row["read"]
            continue
        (ours, error), (read, wider) = ([float(x) for x in row[key].split(" ± ")] for key in ("ours", "read"))
        assert read > 0
        if ours > 2 * error:  # its prior is above 0, so that only clear returns can stay as they are
            assert abs(read - ours) < 0.1 * error
            assert wider > error
