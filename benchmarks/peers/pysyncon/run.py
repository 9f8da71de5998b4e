"""pysyncon: the classic synthetic control on outcomes, for a treated set and its placebo sets. CPU-seconds.

pysyncon takes one treated unit, so a set goes in as its mean. It divides each predictor (here each pre-period's
outcome) by its standard deviation; the weights on predictors given to it undo that, which leaves the plain problem. Its
search stops at an absolute change of the loss: ``scale`` multiplies the loss, so that it stops later.
"""

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from pysyncon import Synth
from timing import least


def effect(outcome: np.ndarray, treated: list[int], donors: list[int], pre: int, scale: float) -> float:
    """Mean effect per treated geo and period."""
    pool = pd.DataFrame(outcome[donors].T, columns=[f"g{row:03d}" for row in donors])
    mean = pd.Series(outcome[treated].mean(axis=0), name="treated")
    before, target = pool.iloc[:pre], mean.iloc[:pre]
    spread = pd.concat([before, target], axis=1).var(axis=1).to_numpy()
    synth = Synth()
    synth.fit(X0=before, X1=target, Z0=before, Z1=target, custom_V=scale * spread / spread.sum())
    return float(synth.att(range(pre, len(mean)), Z0=pool, Z1=mean)["att"])


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    outcome, sets = np.array(task["outcome"]), task["sets"]
    seconds, effects = least(1, lambda: [effect(outcome, *pair, task["pre"], task["scale"]) for pair in sets])
    print(json.dumps({"version": f"pysyncon {version('pysyncon')}", "cpu_s": seconds, "effects": effects}))


if __name__ == "__main__":
    main()
