"""ChannelAttribution: first, last and linear touch, and Markov chains of order 1 to 4 by simulation. CPU-seconds."""

import json
import resource
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import Any

import pandas as pd
from timing import least

with redirect_stdout(sys.stderr):  # it greets
    import ChannelAttribution as peer


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    paths = pd.read_csv(task["place"])
    models: dict[str, Any] = {}
    seconds, found = least(1, lambda: peer.heuristic_models(paths, "path", "conversions", "value", flg_pro=False))
    for model in ("first", "last", "linear"):
        credit = dict(zip(found["channel_name"], found[f"{model}_touch_conversions"], strict=True))
        models[model] = {"cpu_s": seconds, "credit": credit}  # one call makes all three
    for order in range(1, 5):
        settings = {"order": order, "out_more": True, "verbose": False, "flg_pro": False, "seed": 1}
        with redirect_stdout(sys.stderr):
            seconds, made = least(
                1, lambda s=settings: peer.markov_model(paths, "path", "conversions", "value", "nulls", **s)
            )
        credit = dict(zip(made["result"]["channel_name"], made["result"]["total_conversions"], strict=True))
        effects = made["removal_effects"]
        removal = dict(zip(effects["channel_name"], effects["removal_effects_conversion"], strict=True))
        models[f"markov:{order}"] = {"cpu_s": seconds, "credit": credit, "removal_effect": removal}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {"version": f"ChannelAttribution {version('ChannelAttribution')}", "peak_mb": peak, "models": models}
        )
    )


if __name__ == "__main__":
    main()
