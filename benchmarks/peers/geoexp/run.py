"""geoexp: market selection by simulated power, on augsynth-py. CPU-seconds per candidate, duration and window."""

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl
from augsynth_py import AugSynth, Synth
from geoexp import rank_designs
from timing import least


def design(task: dict[str, Any]) -> dict[str, Any]:
    outcome = np.array(task["outcome"])
    geos, days = outcome.shape
    panel = pl.DataFrame(
        {
            "geo": np.repeat([f"g{row:03d}" for row in range(geos)], days),
            "day": np.tile(np.arange(days), geos),
            "y": outcome.ravel(),
        }
    )
    sets = [[f"g{row:03d}" for row in rows] for rows in task["sets"]]
    estimator = {"synthetic control": Synth, "augmented": lambda: AugSynth(lambda_=1.0)}[task["estimator"]]

    def work() -> Any:
        return rank_designs(
            panel,
            estimator=estimator(),
            unit="geo",
            time="day",
            outcome="y",
            candidates=sets,
            durations=task["durations"],
            lookback_window=task["windows"],
            rng=np.random.default_rng(task["seed"]),
        )

    seconds, found = least(1, work)
    return {
        "version": f"geoexp {version('geoexp')}, augsynth-py {version('augsynth-py')}",
        "cpu_s": seconds,
        "cells": len(sets) * len(task["durations"]) * task["windows"],
        "mde": {
            (row["candidate"], row["duration"]).__str__(): row["mde"] for row in found.ranking.iter_rows(named=True)
        },
    }


print(json.dumps(design(json.load(sys.stdin))))
