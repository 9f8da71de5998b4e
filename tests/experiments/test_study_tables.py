"""The committed study of placebo tests keeps its promises, and its short cut says what the analysis says."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from experiments.geo.estimators import DEFAULT, ESTIMATORS
from experiments.geo.inference import infer
from experiments.geo.inference.draws import Draws


@pytest.fixture(scope="module")
def study(study_module: Callable[[str], ModuleType]) -> ModuleType:
    return study_module("study_experiments")


def test_the_default_holds_its_promises_on_every_panel(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = [line for line in study_table("experiments_placebo") if line["estimator"] == DEFAULT]
    assert len(lines) >= 5
    for line in lines:
        assert int(line["tests"]) >= 5000
        assert 0.88 <= float(line["coverage"]) <= 0.92
        assert 0.88 <= float(line["with effect"]) <= 0.94  # overlapping sets can only widen
        assert 0.04 <= float(line["false 5 %"]) <= 0.06
        assert float(line["distance"]) < 0.03
        # one short history with a trend by size of geo, shared by all windows: docs/math_experiments.md
        assert abs(float(line["bias"])) < (0.15 if line["panel"].startswith("Google") else 0.1)


def test_every_estimator_stands_in_the_table_of_every_panel(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = study_table("experiments_placebo")
    panels = {line["panel"] for line in lines}
    assert {(line["panel"], line["estimator"]) for line in lines} >= {(p, e) for p in panels for e in ESTIMATORS}


def test_a_recorded_draw_is_exact_where_a_choice_is_not(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = study_table("experiments_chosen_sets")
    drawn = [float(line["coverage"]) for line in lines if line["treated"].endswith("draw on record")]
    assert all(0.85 <= coverage <= 0.96 for coverage in drawn)
    assert 0.88 <= np.mean(drawn) <= 0.93


def test_inference_over_time_takes_the_way_that_covers_better(
    study_table: Callable[[str], list[dict[str, str]]],
) -> None:
    lines = study_table("experiments_few_geos")
    for ratio in sorted({line["history / read-out"] for line in lines}):
        same = [line for line in lines if line["history / read-out"] == ratio]
        mean = {way: np.mean([float(line[f"{way}: coverage"]) for line in same]) for way in WAYS}
        used = same[0]["used"]
        assert mean[used] >= max(mean.values()) - 0.015


WAYS = ("cyclic blocks", "cross-fitted t")


@pytest.mark.parametrize("kind", ["drift", "unlike geos, heavy tails"])
def test_the_short_cut_of_the_study_is_the_analysis(study: ModuleType, kind: str) -> None:
    rng = np.random.default_rng(4)
    source = study.Source(kind, lambda rng: study.simulated(kind, rng))
    estimator = ESTIMATORS[DEFAULT]
    window = study.window_of(source, estimator, rng, 60)
    others = np.arange(5, 55)
    found, calibration = study.randomised(window, 3, others, recorded=False)
    mean = float(window.reference.paths[3].mean())
    test = found.test(window.reference.paths[others].mean(axis=1), mean)
    treated = window.members[3]
    case = study.case_of(window.case.outcome, treated, window.case.onset, window.case.end, daily=True)
    whole = infer(case, Draws(window.members[others], False, "the same sets"), estimator, 0.1)
    assert whole.total.estimate == pytest.approx(mean)
    assert whole.total.interval(0.1) == pytest.approx(test.interval(0.1))
    assert whole.total.p_value() == test.p_value()
    assert whole.calibration.coverage == calibration.coverage


def test_a_short_study_of_the_default(study: ModuleType) -> None:
    """600 placebo tests in 24 windows of simulated panels; three standard errors are about .04."""
    source = study.Source("drift", lambda rng: study.simulated("drift", rng, geos=24, days=84), (7, 14))
    line = study.summary(study.random_sets(source, ESTIMATORS[DEFAULT], 600, np.random.default_rng(5)))
    assert 0.86 <= line["coverage"] <= 0.94
    assert 0.86 <= line["with effect"] <= 0.95
    assert 0.03 <= line["false 5 %"] <= 0.075
    assert line["distance"] < 0.06
    assert abs(line["bias"]) < 0.1 + 3 * line["its error"]


def test_switchbacks_cover_as_promised_and_on_off_tests_as_told(
    study_table: Callable[[str], list[dict[str, str]]],
) -> None:
    """Randomisation and, for on-off tests, the autoregression; with a random walk these cover less, as the docs say."""
    lines = study_table("switchback")
    drawn = [line for line in lines if line["estimator"] == "randomisation"]
    assert len(drawn) >= 8
    for line in drawn:
        assert 0.87 <= float(line["covered"]) <= 0.93, line
        assert float(line["distance"]) < 0.04, line
    on_off = [x for x in lines if x["world"].startswith("on-off") and x["estimator"] == "autoregressive"]
    steady = [float(line["covered"]) for line in on_off if "random walk" not in line["world"]]
    assert len(steady) >= 3
    assert all(0.87 <= covered <= 0.93 for covered in steady)
