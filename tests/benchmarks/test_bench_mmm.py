"""The mix model's benchmark: the table that peers read is the panel, and ratios say how many times as many draws."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from measurement.mmm import Spec
from measurement.mmm.prepare import prepare

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="a source distribution holds no benchmarks")


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import mmm_panels

    return mmm_panels


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bench_mmm

    return bench_mmm


@pytest.mark.parametrize("geos", [1, 3])
def test_peers_read_the_panel_that_we_fit(panels: ModuleType, tmp_path: Path, geos: int) -> None:
    panel = panels.panel_of(geos, 60, 2)
    task = panels.task_of(panel, tmp_path / "panel.csv")
    table = pd.read_csv(task["table"])
    assert len(table) == geos * 60
    assert table["y"].sum() == pytest.approx(panel.outcome.sum())
    assert table[task["channels"]].to_numpy() == pytest.approx(panel.spend.reshape(-1, 2))
    assert table["geo"].unique().tolist() == list(panel.geos)
    controls = table[list(panel.control_names)]
    assert np.abs(controls.mean()).max() < 1e-9
    assert controls.std(ddof=0).to_numpy() == pytest.approx(1.0)
    # a prior of .15 on the trend's column is one of .5 on the trend over half the panel
    assert 0.15 * table["trend"].max() == pytest.approx(0.5)
    assert task["priors"]["iroas"][0] == pytest.approx(0.0)


def test_a_benchmark_of_ratios_divides_by_the_other_fit(bench: ModuleType) -> None:
    def line(per_second: float, per_cpu_second: float) -> dict[str, object]:
        rest = dict.fromkeys(("seconds", "cpu_seconds", "ess", "rhat", "steps", "peak_mb"), 1.0)
        return rest | {"per_second": per_second, "per_cpu_second": per_cpu_second, "size": "4 × 500"}

    found = {"ours, cold": line(50.0, 40.0), "ours, cached": line(200.0, 100.0), "peer": line(10.0, 5.0)}
    rows = {row["fit"]: row for row in bench.rows_of(found)}
    assert rows["peer"]["ours, cold ×, per s"] == 5.0
    assert rows["peer"]["ours, cached ×, per s"] == 20.0
    assert rows["peer"]["ours, cached ×, per CPU-s"] == 20.0
    assert rows["ours, cold"]["ours, cold ×, per CPU-s"] == 1.0


def test_effective_draws_are_those_of_the_worst_channel(bench: ModuleType) -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=(4, 500, 2))
    stuck = np.repeat(rng.normal(size=(4, 25, 1)), 20, axis=1)
    assert bench.least_ess({"iroas": good}) > 1000
    assert bench.least_ess({"iroas": good, "slope": np.concatenate([good[..., :1], stuck], axis=-1)}) < 200


def test_every_line_of_the_benchmark_has_its_script(bench: ModuleType) -> None:
    for panel in ("national", "geo20", "geo50"):
        lines = list(bench.lines_of(panel))
        assert [line.name for line in lines][:2] == list(bench.OURS)
        for line in lines:
            place = BENCHMARKS / line.script if line.script.endswith(".py") else BENCHMARKS / "peers" / line.script
            assert place.exists(), line.script


def test_the_benchmark_s_lift_tests_are_ones_that_a_fit_takes(bench: ModuleType, panels: ModuleType) -> None:
    import bench_mmm_engine

    for geos in (1, 4):
        panel = panels.panel_of(geos, 104, 2)
        ready = prepare(panel, Spec.default(panel), bench_mmm_engine.lifts_of(panel))
        assert ready.data.tests is not None
        assert ready.data.tests.used.sum() == 10
