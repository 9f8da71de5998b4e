"""mta: rules, and its Markov model of order 1. CPU-seconds."""

import json
import resource
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import Any

import pandas as pd
from mta.mta import MTA, MTAConfig
from timing import least

NAMES = {"conversions": "total_conversions", "nulls": "total_null"}
CONFIG = MTAConfig(allow_loops=True, add_timepoints=False, sep=">", normalize_by_default=False)


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    table = pd.read_csv(task["place"]).rename(columns=NAMES)
    models: dict[str, Any] = {}
    with redirect_stdout(sys.stderr):  # it says how long each model took
        reading, mta = least(1, lambda: MTA(table, CONFIG))
        calls = {
            "first": ("first_touch", mta.first_touch),
            "last": ("last_touch", mta.last_touch),
            "linear": ("linear", lambda: mta.linear(share="proportional")),
            "position": ("pos_based", mta.position_based),
            "markov:1": ("markov", mta.markov),
        }
        for model, (name, call) in calls.items():
            seconds, _ = least(1, call)
            found = {channel: float(number) for channel, number in mta.attribution[name].items()}
            models[model] = {"cpu_s": seconds, "removal_effect" if name == "markov" else "credit": found}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"version": f"mta {version('mta')}", "read_s": reading, "peak_mb": peak, "models": models}))


if __name__ == "__main__":
    main()
