"""The power that designs promise is delivered: a short study here, the long one's table held to its bars."""

import csv
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from experiments.planning import plan

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="a source distribution holds no benchmarks")
DESIGNS = 24


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("study_power", BENCHMARKS / "study_power.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))
        del sys.modules[spec.name]


def test_the_promised_power_is_delivered_and_the_optimistic_one_is_not(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 designs on drifting panels, 41 or more injected effects each; the standard error over designs is .03."""
    monkeypatch.setattr(plan, "CANDIDATES", 150)
    source = study.Source("drift", lambda rng: study.simulated("drift", rng, 18, 126), "day", (7, 14), 84)
    line = study.line(source, 41 * DESIGNS, np.random.default_rng(3), check=DESIGNS)
    assert line["effects"] >= 41 * DESIGNS
    assert 0.73 <= line["found"] <= 0.88
    assert line["optimistic"] < line["found"] - 0.1
    assert line["false"] <= 0.1
    assert line["analyse"] == 1.0


def table() -> list[dict[str, str]]:
    with (BENCHMARKS / "results" / "power.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_committed_table_holds_the_promise() -> None:
    """Over all panels the stated power is delivered; on made ones, whose later windows are like the earlier, each."""
    lines = {line["panel"]: line for line in table()}
    every = lines.pop("all")
    assert {"noise", "drift", "loadings", "geolift", "google", "trimmed_match", "meridian"} <= set(lines)
    assert all(int(line["effects"]) >= 2000 for line in lines.values())
    assert 0.77 <= float(every["found"]) <= 0.83
    assert float(every["found"]) == pytest.approx(np.mean([float(line["found"]) for line in lines.values()]), abs=1e-3)
    for name in ("noise", "drift", "loadings"):
        assert 0.765 <= float(lines[name]["found"]) <= 0.835
    assert float(every["optimistic"]) < 0.7  # what the windows that chose the geos would have promised
    assert all(float(line["false"]) <= 0.1 and float(line["analyse"]) == 1.0 for line in lines.values())
