"""tea-tasting: a test on users, Welch and CUPED, from a parquet file by way of DuckDB. CPU-seconds."""

import json
import sys
from importlib.metadata import version
from typing import Any

import duckdb
import tea_tasting as tt
from timing import least


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    level = {"confidence_level": 1 - task["alpha"]}
    means = {"welch": tt.Mean("revenue", **level), "cuped": tt.Mean("revenue", "pre_revenue", **level)}
    experiment = tt.Experiment(means, variant="arm")

    def work() -> Any:
        with duckdb.connect() as connection:
            return experiment.analyze(connection.read_parquet(task["place"]), control="control")

    seconds, found = least(task["repeats"], work)
    each = {
        name: {"effect": result.effect_size, "low": result.effect_size_ci_lower, "high": result.effect_size_ci_upper}
        for name, result in ((name, found[name]) for name in ("welch", "cuped"))
    }
    print(json.dumps(each | {"cpu_s": seconds, "version": f"tea-tasting {version('tea-tasting')}"}))


if __name__ == "__main__":
    main()
