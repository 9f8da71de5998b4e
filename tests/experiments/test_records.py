"""Records of tests: what is read, what is refused and how it is said, and where a test can be placed."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments import records
from experiments.records import Experiment
from measurement.errors import DataError, Problem
from measurement.panel import Panel
from measurement.simulate import demo, simulate

GOOD: Mapping[str, Any] = {
    "experiment_id": "t1",
    "channel": "tv",
    "method": "go_dark",
    "treatment_geos": ["a"],
    "control_geos": ["b"],
    "start_date": "2024-01-01",
    "end_date": "2024-01-28",
    "estimand": "outcome_change",
    "estimate": -5,
    "std_error": 1.5,
    "spend_delta": -100.0,
}


def read(folder: Path, value: Any, name: str = "tests.json", **options: Any) -> list[Experiment]:
    path = folder / name
    data = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    path.write_bytes(data)
    return records.read(path, **options)


def refused(folder: Path, value: Any, name: str = "tests.json", **options: Any) -> list[Problem]:
    with pytest.raises(DataError) as caught:
        read(folder, value, name, **options)
    assert all(problem.file == str(folder / name) for problem in caught.value.problems)
    return list(caught.value.problems)


def changed(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def test_a_record_is_read_as_it_stands(tmp_path: Path) -> None:
    (test,) = read(tmp_path, [GOOD])
    assert (test.channel, test.treatment_geos, test.control_geos) == (("tv",), ("a",), ("b",))
    assert (test.start_date, test.read_out_end) == (date(2024, 1, 1), date(2024, 1, 28))
    assert (test.estimate, test.std_error, test.has_result) == (-5.0, 1.5, True)
    assert read(tmp_path, GOOD) == [test]
    assert read(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()) == [test]
    assert records.parse(GOOD) == [test]


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    full = changed(
        channel=["tv", "radio"],
        cooldown_end_date="2024-02-11",
        std_error=None,
        ci_lower=-8.0,
        ci_upper=-2.0,
        ci_level=0.95,
        kpi="orders",
        grade="B",
        preregistered=True,
        pairs=[["a", "b"]],
        counterfactual_spend=100.0,
        source="agency",
        notes="two\nlines",
    )
    (test,) = read(tmp_path, full)
    assert read(tmp_path, test.to_dict()) == [test]


def test_simulated_tests_are_sound() -> None:
    world = simulate(demo(3))
    tests = records.parse(world.experiments)
    assert len(tests) == len(world.experiments)
    assert [p for p in records.place(tests, world.panel(), {}) if p.level == "error"] == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"experiment_id": ""}, "experiment_id", "is empty"),
        ({"experiment_id": "  "}, "experiment_id", "is empty"),
        ({"experiment_id": "../x"}, "experiment_id", "no slash"),
        ({"experiment_id": "a\\b"}, "experiment_id", "no slash"),
        ({"experiment_id": ".."}, "experiment_id", "no dot in front"),
        ({"experiment_id": "a\x00b"}, "experiment_id", "U+0000"),
        ({"experiment_id": "a\nb"}, "experiment_id", "U+000A"),
        ({"experiment_id": "\ud800"}, "experiment_id", "U+D800"),
        ({"experiment_id": "tv\u200b"}, "experiment_id", "U+200B"),
        ({"experiment_id": "tv\u202e42"}, "experiment_id", "U+202E"),
        ({"experiment_id": "x" * 201}, "experiment_id", "at most 200"),
        ({"experiment_id": 5}, "experiment_id", "in quotes"),
        ({"experiment_id": None}, "experiment_id", "is missing"),
        ({"channel": []}, "channel", "one channel or more"),
        ({"channel": {}}, "channel", "list of names"),
        ({"channel": [" "]}, "channel", "empty name"),
        ({"channel": [["tv"]]}, "channel", "a text is needed"),
        ({"channel": ["tv", "tv"]}, "channel", "twice"),
        ({"treatment_geos": "a"}, "treatment_geos", "list of names"),
        ({"treatment_geos": [501]}, "treatment_geos", "in quotes"),
        ({"control_geos": ["a"]}, "control_geos", "'a' is in treatment_geos too"),
        ({"pairs": [["a"]]}, "pairs", "[treatment geo, control geo]"),
        ({"method": "godark"}, "method", "did you mean 'go_dark'"),
        ({"method": True}, "method", "allowed are geo_holdout"),
        ({"estimand": "roas"}, "estimand", "did you mean 'iroas'"),
        ({"estimand": None}, "estimand", "is missing"),
        ({"grade": "F"}, "grade", "A, B, C, D, E"),
        ({"start_date": "01/02/2024"}, "start_date", "YYYY-MM-DD"),
        ({"start_date": "2024-02-30"}, "start_date", "does not exist"),
        ({"start_date": "2024-01-01T00:00:00"}, "start_date", "time of day"),
        ({"start_date": 45292}, "start_date", "write dates"),
        ({"start_date": "٢٠٢٤-٠١-٠١"}, "start_date", "YYYY-MM-DD"),
        ({"end_date": "2023-12-01"}, "end_date", "before the start_date"),
        ({"cooldown_end_date": "2024-01-20"}, "cooldown_end_date", "before the end_date"),
        ({"estimate": "5"}, "estimate", "without quotes"),
        ({"estimate": True}, "estimate", "a number is needed"),
        ({"estimate": [1]}, "estimate", "a number is needed"),
        ({"estimate": None}, "estimate", "is missing"),
        ({"estimate": 10**350}, "estimate", "finite"),
        ({"estimate": 10**500}, "estimate", "501 digits"),
        ({"std_error": 0}, "std_error", "above 0"),
        ({"std_error": -1}, "std_error", "above 0"),
        ({"std_error": None}, "std_error", "is missing"),
        ({"std_error": None, "ci_lower": -9}, "ci_upper", "is missing"),
        ({"std_error": None, "ci_lower": -2, "ci_upper": -9}, "ci_lower", "the lower end comes first"),
        ({"std_error": None, "ci_lower": -4, "ci_upper": -2}, "estimate", "outside its own interval"),
        ({"ci_lower": -9, "ci_upper": -2, "ci_level": 90}, "ci_level", "between 0 and 1"),
        ({"ci_lower": -20, "ci_upper": 10}, "std_error", "the 90% interval says 9.1"),
        ({"spend_delta": None}, "spend_delta", "is missing"),
        ({"spend_delta": 0}, "spend_delta", "measures nothing"),
        ({"spend_delta": 100}, "spend_delta", "takes spend away"),
        ({"method": "heavy_up"}, "spend_delta", "adds spend"),
        ({"counterfactual_spend": 50}, "spend_delta", "is only 50"),
        ({"counterfactual_spend": -50}, "counterfactual_spend", "0 or more"),
        ({"off_panel": True}, "counterfactual_spend", "is missing"),
        ({"off_panel": "yes"}, "off_panel", "true or false"),
        ({"off_panel": 1}, "off_panel", "true or false"),
        ({"market_share": 2.0}, "market_share", "outside the panel"),
        ({"market_share": 0}, "market_share", "above 0"),
        ({"estimand": "icpa"}, "estimate", "above 0"),
        ({"estimand": "relative_lift"}, "estimate", "no more than everything"),
        ({"chanel": "tv"}, "chanel", "did you mean 'channel'"),
        ({"notes": "x" * 20_000}, "notes", "at most 10000"),
    ],
)
def test_refused_fields(tmp_path: Path, changes: dict[str, Any], field: str, words: str) -> None:
    found = refused(tmp_path, changed(**changes))
    assert words in next(problem.message for problem in found if problem.column == field)
    who = "record 1" if field == "experiment_id" else "experiment 't1'"
    assert all(problem.message.startswith(who) for problem in found)


def test_all_faults_of_all_records_at_once(tmp_path: Path) -> None:
    found = refused(tmp_path, [changed(estimate="x", std_error=0), GOOD, changed(channel=[], extra=1)])
    assert {(p.column, p.code) for p in found} == {
        ("estimate", "field"),
        ("std_error", "std-error"),
        ("experiment_id", "duplicate-id"),
        ("channel", "field"),
        ("extra", "unknown-field"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("[]", "holds no test"),
        ("null", "a test is an object"),
        ('[1, "x"]', "record 2: found 'x'"),
        ('[{"a": 1,\n "b":', "no sound json"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('[{"notes": ' + "[" * 5_000 + "]" * 5_000 + "}]", "nested too deeply"),
        ('{"experiment_id": "a", "experiment_id": "b"}', "stands in the record twice"),
        (json.dumps(dict(GOOD)).replace("-5", "NaN"), "finite"),
        (json.dumps(dict(GOOD)).replace("-5", "1e999"), "finite"),
        (json.dumps(dict(GOOD)).replace("1.5", "-Infinity"), "finite"),
        (json.dumps(dict(GOOD)).replace('["a"]', "[NaN]"), "finite"),
        ('{"experiment_id": "\xe4"}'.encode("latin-1"), "not UTF-8"),
        (b'{"a": "\x00"}', "NUL"),
        ('{"a": 1} {"b": 2}', "no sound json"),
    ],
)
def test_refused_files(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert any(words in problem.message for problem in refused(tmp_path, text))


def test_a_broken_json_names_the_line(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, '[{"experiment_id": "a"},\n{"experiment_id" "b"}]')
    assert found.line == 2


def test_a_plan_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    plan = changed(estimate=None, std_error=None, estimand=None, spend_delta=None)
    (test,) = read(tmp_path, plan, results=False)
    assert not test.has_result
    assert {problem.column for problem in refused(tmp_path, plan)} == {"estimate"}
    assert {p.column for p in refused(tmp_path, changed(estimate=None), results=False)} == {"std_error"}
    assert read(tmp_path, GOOD, results=False)[0].has_result


def test_csv(tmp_path: Path) -> None:
    header = "experiment_id,channel,method,treatment_geos,start_date,end_date,estimand,estimate,std_error,spend_delta"
    rows = 't1,tv;radio,go_dark,a; b,2024-01-01,2024-01-28,iroas,1.5,.2,-100,true\n\nt2,tv,scale,"[""a;b""]",'
    rows += "2024-01-01,2024-01-28,iroas,1e0,.2,5,\n"
    first, second = read(tmp_path, f"{header},preregistered\n{rows}", "tests.csv")
    assert (first.channel, first.treatment_geos, first.preregistered) == (("tv", "radio"), ("a", "b"), True)
    assert (second.treatment_geos, second.estimate, second.preregistered) == (("a;b",), 1.0, False)
    bad = rows.replace("1.5", '"1,5"').replace("true", "yes").replace("t2", "t1")
    found = refused(tmp_path, f"{header},preregistered\n{bad}", "tests.csv")
    assert {(p.line, p.column) for p in found} == {(2, "estimate"), (2, "preregistered"), (4, "experiment_id")}
    found = refused(tmp_path, f"{header},chanel\n{rows}", "tests.csv")
    assert [(p.line, p.column, p.code) for p in found] == [(1, "chanel", "unknown-field")]
    assert refused(tmp_path, header + "\n", "tests.csv")[0].code == "no-rows"
    assert refused(tmp_path, header + "\nt1,tv\n", "tests.csv")[0].code == "ragged-row"
    assert refused(tmp_path, header + '\nt1,"tv\n', "tests.csv")[0].code == "unclosed-quote"


def test_several_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(dict(GOOD)))
    (tmp_path / "b.json").write_text(json.dumps(changed(experiment_id="t2")))
    assert [test.experiment_id for test in records.read(tmp_path / "*.json")] == ["t1", "t2"]
    (tmp_path / "c.json").write_text(json.dumps(dict(GOOD)))
    with pytest.raises(DataError, match="stands in record 1 already"):
        records.read(tmp_path / "*.json")


@pytest.mark.parametrize("df", [np.inf, 5.0, 30.0])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_a_standard_error_from_its_interval(df: float, level: float) -> None:
    low, high = (stats.norm if np.isinf(df) else stats.t(df)).interval(level)
    assert records.std_error_of(3 * low, 3 * high, level, df) == pytest.approx(3.0)


def test_the_standard_error_of_a_record() -> None:
    test = records.parse(changed(std_error=None, ci_lower=-5 - 1.6448536, ci_upper=-5 + 1.6448536))[0]
    assert test.standard_error == pytest.approx(1.0)
    assert records.parse(GOOD)[0].standard_error == 1.5
    assert records.parse(changed(estimate=None, std_error=None), results=False)[0].standard_error is None


def test_intervals_of_few_degrees_of_freedom_agree() -> None:
    half = 1.5 * stats.t(6).ppf(0.95)
    assert records.parse(changed(ci_lower=-5 - half, ci_upper=-5 + half))[0].std_error == 1.5


def panel(period: Any = "week", geos: str = "abc") -> Panel:
    days = {
        "day": pd.date_range("2023-12-04", periods=90, freq="D"),
        "week": pd.date_range("2023-12-04", periods=12, freq="7D"),
        "month": pd.date_range("2023-11-01", periods=5, freq="MS"),
    }[period]
    outcome = pd.DataFrame(
        [(day, geo, 1.0, 2.0) for day in days for geo in geos], columns=["date", "geo", "sales", "orders"]
    )
    media = pd.DataFrame(
        [(day, geo, channel, 1.0) for day in days for geo in geos for channel in ("radio", "tv")],
        columns=["date", "geo", "channel", "spend"],
    )
    return Panel.from_frames(outcome, media, kpi="sales", period=period)


def placed(where: Panel, aliases: Mapping[str, str] | None = None, **changes: Any) -> list[tuple[str | None, str, str]]:
    test = records.parse(changed(**changes))
    return [(p.column, p.code, p.level) for p in records.place(test, where, aliases or {})]


def test_a_test_that_fits_has_a_place() -> None:
    assert placed(panel()) == []
    assert placed(panel(), cooldown_end_date="2024-02-25", kpi="orders") == []
    assert placed(panel("day"), start_date="2024-01-03", end_date="2024-01-03") == []
    assert placed(panel("month"), end_date="2024-01-31") == []
    assert placed(panel(geos="a"), treatment_geos=[], control_geos=[]) == []
    assert placed(panel(), method="psa", treatment_geos=[], control_geos=[]) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"channel": "tvv"}, [("channel", "unknown-channel", "error")]),
        ({"channel": ["TV", "tv"]}, [("channel", "unknown-channel", "error")]),
        ({"treatment_geos": ["A"]}, [("treatment_geos", "unknown-geo", "error")]),
        ({"control_geos": ["x", "y"]}, [("control_geos", "unknown-geo", "error")] * 2),
        ({"treatment_geos": []}, [("treatment_geos", "missing-field", "error")]),
        ({"kpi": "sale"}, [("kpi", "unknown-kpi", "error")]),
        ({"start_date": "2023-12-01"}, [("start_date", "window-outside", "error")]),
        ({"cooldown_end_date": "2024-02-26"}, [("cooldown_end_date", "window-outside", "error")]),
        (
            {"start_date": "2025-01-01", "end_date": "2025-02-01"},
            [("start_date", "window-outside", "error"), ("end_date", "window-outside", "error")],
        ),
        ({"end_date": "2024-01-04"}, [("end_date", "window-too-short", "error")]),
        ({"start_date": "2024-01-03"}, [("start_date", "window-inside-period", "warning")]),
        ({"end_date": "2024-01-30"}, [("end_date", "window-inside-period", "warning")]),
    ],
)
def test_a_test_without_a_place_is_an_error(changes: dict[str, Any], found: list[tuple[str, str, str]]) -> None:
    assert placed(panel(), **changes) == found


def test_tests_outside_the_panel_need_no_place_in_it() -> None:
    outside = {"off_panel": True, "counterfactual_spend": 500.0, "treatment_geos": ["x"], "start_date": "2020-01-01"}
    assert placed(panel(), **outside) == []
    assert placed(panel(), **outside, channel="tvv") == [("channel", "unknown-channel", "error")]


def test_aliases_of_channels() -> None:
    assert placed(panel(), {"Linear TV": "tv"}, channel="Linear TV") == []
    with_both = records.parse(changed(channel=["Linear TV", "tv", "radio"]))[0]
    assert records.resolved(with_both, {"Linear TV": "tv"}).channel == ("tv", "radio")
    (found,) = records.place(records.parse(changed(channel="Linear Tv")), panel(), {"Linear TV": "tv"})
    assert "did you mean 'Linear TV'" in found.message


def test_problems_of_place_name_the_test() -> None:
    (found,) = records.place(records.parse(changed(channel="radoi")), panel(), {})
    assert found.message.startswith("experiment 't1': unknown channel 'radoi' (did you mean 'radio'?)")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from([*Experiment.model_fields, "chanel", ""])


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(fields, json_values, max_size=4))
def test_no_value_breaks_the_reader(changes: dict[str, Any]) -> None:
    try:
        (test,) = records.parse(changed(**changes))
    except DataError:
        return
    assert records.parse(test.to_dict()) == [test]


PLAN = {name: GOOD[name] for name in ("experiment_id", "channel", "start_date", "end_date")} | {"method": "geo_holdout"}


@pytest.mark.parametrize(
    "more",
    [
        {"assignment": {"rule": "uniform", "seed": 7, "eligible": ["berlin", "hamburg", "bremen"]}},
        {"assignment": {"rule": "near_best", "candidates": [["berlin"], ["bremen"]]}, "treatment_geos": ["berlin"]},
        {
            "method": "switchback",
            "burn_in": 1,
            "schedule": [
                {"start": "2024-01-01", "end": "2024-01-07", "on": True},
                {"start": "2024-01-08", "end": "2024-01-14", "on": False},
            ],
        },
        {"method": "ghost_ads", "allocation": 0.5, "cell_of": "spring"},
    ],
)
def test_how_a_test_was_drawn_survives_a_round_trip(more: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**PLAN, **more}))
    [found] = records.read(file, results=False)
    [again] = records.parse(found.to_dict(), results=False)
    assert again == found
    assert {key: found.to_dict()[key] for key in more} == more


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"assignment": "uniform"}, "an object is needed"),
        ({"assignment": {"rule": "near-best"}}, "allowed are uniform"),
        ({"assignment": {"rule": "near_best"}}, "names no candidates"),
        ({"assignment": {"rule": "uniform", "sead": 1}}, "did you mean 'seed'"),
        ({"assignment": {"rule": "uniform", "seed": 1.5}}, "a whole number"),
        ({"assignment": {"rule": "pairs"}}, "names no pairs"),
        (
            {"assignment": {"rule": "near_best", "candidates": [["bremen"]]}, "treatment_geos": ["berlin"]},
            "none of its",
        ),
        ({"allocation": 1.0}, "between 0 and 1"),
        ({"burn_in": -1}, "a whole number from 0"),
        ({"schedule": [{"start": "2024-01-01", "end": "2024-01-07"}]}, "start, end and on"),
        ({"schedule": [{"start": "2024-01-08", "end": "2024-01-07", "on": True}]}, "before its start"),
        (
            {"method": "switchback", "schedule": [{"start": "2019-01-01", "end": "2019-01-07", "on": True}]},
            "outside the test",
        ),
    ],
)
def test_a_strange_draw_is_refused(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**PLAN, **more}))
    with pytest.raises(DataError, match=words):
        records.read(file, results=False)


def test_a_key_twice_inside_an_object_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN)[:-1] + ', "assignment": {"rule": "uniform", "rule": "pairs"}}')
    with pytest.raises(DataError, match="names a key twice"):
        records.read(file, results=False)
