"""The power that designs promise is delivered: a short study here, the long one's table held to its bars."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from experiments.planning import plan

DESIGNS = 24


@pytest.fixture(scope="module")
def study(study_module: Callable[[str], ModuleType]) -> ModuleType:
    return study_module("study_power")


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


def test_the_committed_table_holds_the_promise(study_table: Callable[[str], list[dict[str, str]]]) -> None:
    """Over all panels the stated power is delivered; on made ones, whose later windows are like the earlier, each."""
    lines = {line["panel"]: line for line in study_table("power")}
    every = lines.pop("all")
    assert {"noise", "drift", "loadings", "geolift", "google", "trimmed_match", "meridian"} <= set(lines)
    assert all(int(line["effects"]) >= 2000 for line in lines.values())
    assert 0.77 <= float(every["found"]) <= 0.83
    assert float(every["found"]) == pytest.approx(np.mean([float(line["found"]) for line in lines.values()]), abs=1e-3)
    for name in ("noise", "drift", "loadings"):
        assert 0.765 <= float(lines[name]["found"]) <= 0.835
    assert float(every["optimistic"]) < 0.7  # what the windows that chose the geos would have promised
    assert all(float(line["false"]) <= 0.1 and float(line["analyse"]) == 1.0 for line in lines.values())
