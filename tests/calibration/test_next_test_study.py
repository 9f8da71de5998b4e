"""A test earns what it was said to be worth: the committed study, and a short form of it."""

from collections.abc import Callable
from types import ModuleType

import numpy as np


def test_the_committed_study_holds_its_bars(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = {line["part"]: line for line in study_table("next_test")}
    found = {name: float(value) for name, value in lines["beliefs"].items() if name not in ("part", "same")}
    assert found["worlds"] >= 100
    assert found["ratio_low"] <= 1.05
    assert found["ratio_high"] >= 0.95
    assert 0.9 <= found["ratio"] <= 1.1
    assert found["slope_low"] <= 1.0 <= found["slope_high"] or abs(found["slope"] - 1) < 0.1
    assert found["rank"] > 0.8
    refits = {name: float(lines["refits"][name]) for name in ("worlds", "ratio_low", "ratio_high", "same")}
    assert refits["worlds"] >= 100
    assert refits["ratio_low"] <= 1 <= refits["ratio_high"], "one truth per world: this can only find what is far off"
    assert refits["same"] > 0.95, "weighting the draws of a fit and fitting again lead to the same budget"


def test_a_few_worlds_earn_about_what_was_predicted(study_module: Callable[[str], ModuleType]) -> None:
    """Eight worlds of 200 truths each: far from exact, and far from half or twice."""
    study = study_module("study_next_test")
    worlds = np.array([study.believed_world(900 + run) for run in range(8)])
    predicted, earned = worlds[:, 0], worlds[:, 1]
    assert (predicted > 0).all()
    assert 0.6 <= earned.sum() / predicted.sum() <= 1.5
    assert np.corrcoef(predicted, earned)[0, 1] > 0.6
