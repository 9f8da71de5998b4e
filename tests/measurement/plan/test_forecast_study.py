"""The committed study of forecasts keeps its promises, and a short form of it runs."""

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("study_forecast", BENCHMARKS / "study_forecast.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def test_the_committed_forecasts_hold_what_came() -> None:
    with (BENCHMARKS / "results" / "forecast.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
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
