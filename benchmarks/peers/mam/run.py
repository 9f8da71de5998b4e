"""marketing-attribution-models: rules, the Markov chain of order 1 and its Shapley values. CPU-seconds."""

import json
import resource
import sys
from importlib.metadata import version
from typing import Any

import pandas as pd
from mam import MAM
from timing import least


def journeys(place: str) -> pd.DataFrame:
    """Its form: a row for the conversions of a path, another for its nulls."""
    paths = pd.read_csv(place)
    sides = [
        pd.DataFrame({"journey": paths["path"], "conversion": won, "occurrences": paths[column]})
        for won, column in ((True, "conversions"), (False, "nulls"))
    ]
    both = pd.concat(sides, ignore_index=True)
    return both[both["occurrences"] > 0]


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    table = journeys(task["place"])
    names = {
        "channels_colname": "journey",
        "journey_with_conv_colname": "conversion",
        "occurrences_colname": "occurrences",
    }
    reading, mam = least(1, lambda: MAM(table, "grouped_journey", path_separator=">", **names))
    channels = table["journey"].str.split(">").explode().nunique()
    calls = {
        "first": mam.run_first_click,
        "last": mam.run_last_click,
        "linear": mam.run_linear,
        "position": mam.run_position_based,
        "markov:1": mam.run_markov,
        "shapley": lambda: mam.run_shapley(max_size=channels),  # of larger coalitions it would drop the rest
    }
    models: dict[str, Any] = {}
    for model, call in calls.items():
        seconds, found = least(1, call)
        credit = found.to_pandas()
        models[model] = {"cpu_s": seconds, "credit": dict(zip(credit.iloc[:, 0], credit["attribution"], strict=True))}
        if model == "markov:1":
            models[model]["removal_effect"] = found.metadata["removal_effect"]["removal_effect"].to_dict()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"marketing-attribution-models {version('marketing-attribution-models')}"
    print(json.dumps({"version": name, "read_s": reading, "peak_mb": peak, "models": models}))


if __name__ == "__main__":
    main()
