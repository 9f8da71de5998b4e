"""Analysis of a geo test: CPU-seconds, and how much faster the exact simplex solve is than the usual general optimiser.

``python benchmarks/bench_experiments.py [--geos 40] [--days 105] [--repeats 3]`` prints a table and writes
``build/benchmarks/experiments.json``. The reference is what synthetic-control packages commonly do for every placebo
(``scipy.optimize.minimize(method="SLSQP")`` over the simplex), on the same problems in the same run. Every figure is
the least of the repeats: other work on a shared machine only adds to it.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from experiments import Experiment, analyse
from experiments.geo.estimators.simplex import simplex_weights
from measurement import Panel

RESULTS = Path(__file__).parents[1] / "build" / "benchmarks" / "experiments.json"
TARGET = 2.0
"""CPU-seconds of an analysis with placebo inference on 40 geos × 105 days."""
WINDOW = 15


def panel_of(geos: int, days: int, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(7, 1, (geos, 1)))
    drift = 0.03 * rng.normal(size=(geos, 3)) @ rng.normal(size=(3, days)).cumsum(axis=1) / 3
    week = 0.15 * np.sin(2 * np.pi * np.arange(days) / 7)
    outcome = size * (1 + drift + week + 0.04 * rng.normal(size=(geos, days)))
    return Panel(
        dates=np.datetime64("2024-01-01") + np.arange(days).astype("timedelta64[D]"),
        geos=tuple(f"geo {row:03d}" for row in range(geos)),
        channels=(),
        spend=np.zeros((geos, days, 0)),
        exposure=np.zeros((geos, days, 0)),
        kpis={"sales": outcome},
        kpi="sales",
        period="day",
    )


def design_of(panel: Panel) -> Experiment:
    return Experiment(
        experiment_id="bench",
        channel=("tv",),
        method="heavy_up",
        treatment_geos=panel.geos[:2],
        start_date=panel.dates[-WINDOW].tolist(),
        end_date=panel.dates[-1].tolist(),
        spend_delta=1.0,
    )


def slsqp_weights(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The same weights by a general optimiser with the gradient given."""
    count = columns.shape[1]
    scale = float(target @ target)
    return minimize(
        lambda w: float(np.square(columns @ w - target).sum()) / scale,
        np.full(count, 1.0 / count),
        jac=lambda w: 2 * columns.T @ (columns @ w - target) / scale,
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones_like(w)},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-12},
    ).x


def problems_of(panel: Panel, count: int = 40) -> list[tuple[np.ndarray, np.ndarray]]:
    """Placebo problems of single geos on demeaned, scaled history."""
    history = panel.outcome[:, :-WINDOW]
    series = history / history.mean(axis=1, keepdims=True) - 1.0
    return [(np.delete(series, row, axis=0).T, series[row]) for row in range(min(count, len(series)))]


def least(repeats: int, work: Callable[[], object]) -> float:
    """Least CPU-seconds of the repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--geos", type=int, default=40)
    parser.add_argument("--days", type=int, default=105)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    panel = panel_of(options.geos, options.days)
    problems = problems_of(panel)
    ours = least(options.repeats, lambda: [simplex_weights(*problem) for problem in problems])
    theirs = least(options.repeats, lambda: [slsqp_weights(*problem) for problem in problems])
    worst = max(
        np.square(a @ simplex_weights(a, b) - b).sum() / np.square(a @ slsqp_weights(a, b) - b).sum()
        for a, b in problems
    )
    assert worst < 1 + 1e-6, "the exact solve must never fit worse than the reference"
    whole = least(options.repeats, lambda: analyse(panel, design_of(panel)))
    table = {
        "geos": options.geos,
        "days": options.days,
        "analysis_cpu_s": whole,
        "target_cpu_s": TARGET,
        "simplex_ms": 1000 * ours / len(problems),
        "slsqp_ms": 1000 * theirs / len(problems),
        "times_faster": theirs / ours,
    }
    for name, value in table.items():
        print(f"{name:>16}  {value:,.3f}" if isinstance(value, float) else f"{name:>16}  {value}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
