"""The committed study of forecasts keeps its promises, and a short form of it runs."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def study(study_module: Callable[[str], ModuleType]) -> ModuleType:
    return study_module("study_forecast")


def test_the_committed_forecasts_hold_what_came(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    lines = study_table("forecast")
    assert len(lines) >= 6
    for line in lines:
        assert abs(float(line["covered"]) - 0.9) <= 0.1, line
        assert float(line["typical"]) < 0.7 * float(line["naive"]), line
    assert 0.86 <= np.mean([float(line["covered"]) for line in lines]) <= 0.95


def test_forecasts_of_a_few_worlds_hold_what_came(study: ModuleType) -> None:
    found = [study.one("national", seed, 1.0) for seed in range(1, 9)]
    held, width, error, _ = np.array([each["1 to 13"] for each in found]).T
    assert held.mean() >= 0.75
    assert np.median(width) < 0.12
    assert np.median(error) < 0.03
