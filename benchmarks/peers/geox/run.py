"""Meridian GeoX: design search by time-based regression, and analysis with placebo designs. CPU-seconds, cold and warm.

*Cold* is the first call, compilation and all, which is what one run at a command line costs; *warm* is the same call
once more in the same process.
"""

import datetime
import json
import sys
from importlib.metadata import version
from typing import Any

import meridian_geox as geox
import numpy as np
import pandas as pd
from timing import least

FIRST_DAY = "2024-01-01"
STRATIFIED = geox.GeoAssignmentRule.STRATIFIED_SAMPLING


def table(outcome: np.ndarray) -> pd.DataFrame:
    geos, days = outcome.shape
    return pd.DataFrame(
        {
            "date": np.tile(pd.date_range(FIRST_DAY, periods=days), geos),
            "location": np.repeat([f"g{row:03d}" for row in range(geos)], days),
            "conversions": outcome.ravel(),
        }
    )


def config(task: dict[str, Any], duration: int, rule: geox.GeoAssignmentRule) -> geox.DesignConfig:
    return geox.DesignConfig(
        experiment_duration=datetime.timedelta(days=duration),
        geo_assignment_rule=rule,
        n_candidates=task["candidates"],
        n_ranked_candidates=task["ranked"],
        design_output_count=1,
        seed=task["seed"],
    )


def design(task: dict[str, Any]) -> dict[str, Any]:
    data = table(np.array(task["outcome"]))

    def work() -> list[Any]:
        return [
            geox.run_design(data, config(task, duration, STRATIFIED), geox.Constraints()).design_metrics.iloc[0]
            for duration in task["durations"]
        ]

    cold, found = least(1, work)
    warm, _ = least(1, work)
    return {"cpu_cold_s": cold, "cpu_warm_s": warm, "mde": [float(best["mde"]) for best in found]}


def analysis(task: dict[str, Any]) -> dict[str, Any]:
    outcome, treated, window = np.array(task["outcome"]), task["treated"], task["window"]
    names = [f"g{row:03d}" for row in range(len(outcome))]
    days = pd.date_range(FIRST_DAY, periods=outcome.shape[1])
    data = table(outcome)
    mine = {names[row] for row in treated}
    cell = geox.api.PerCellDesign(mine, 0.0, 0.0, 1.0, 0.0)
    made_by = config(task, window, geox.GeoAssignmentRule.RANDOM)
    plan = geox.Design({"cell_1": cell}, set(names) - mine, set(), design_config=made_by)
    plan.data = data[data["date"] < days[-window]]

    def work() -> Any:
        asked = geox.AnalysisConfig(plan, days[-window], days[-1], n_placebo_candidates=task["candidates"])
        return geox.analyze(data, asked).results["cell_1"].lift

    cold, _ = least(1, work)
    warm, lift = least(1, work)
    return {"cpu_cold_s": cold, "cpu_warm_s": warm, "lift": lift.point_estimate, "p_value": lift.p_value}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    answer = {"design": design, "analysis": analysis}[asked["what"]](asked)
    print(json.dumps(answer | {"version": f"meridian-geox {version('meridian-geox')}"}))
