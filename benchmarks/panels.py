"""The made panels that the benchmarks of experiments run on: sizes that differ, drifting factors, a week, noise."""

import numpy as np

from experiments import Experiment
from measurement import Panel


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


def a_test(panel: Panel, window: int, treated: int = 2) -> Experiment:
    return Experiment(
        experiment_id="bench",
        channel=("tv",),
        method="heavy_up",
        treatment_geos=panel.geos[:treated],
        start_date=panel.dates[-window].tolist(),
        end_date=panel.dates[-1].tolist(),
        spend_delta=1.0,
    )
