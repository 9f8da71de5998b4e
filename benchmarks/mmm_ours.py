"""Our fit of a panel of `mmm_panels`, as a script for a process of its own: a task in, figures and draws out."""

import json
import sys
from typing import Any

import numpy as np
from mmm_panels import SIZES, panel_of
from timing import measured

from measurement.mmm import fit

KEPT = ("decay", "half_saturation", "slope", "iroas")


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    panel = panel_of(*SIZES[task["panel"]])
    figures, post = measured(lambda: fit(panel, seed=task["seed"]))
    draws = {name: post.draws[name].reshape(post.chains, -1, len(panel.channels)) for name in KEPT}
    np.savez(task["draws"], **draws)
    found = post.diagnostics
    print(json.dumps(figures | {"compile": found.compile_seconds, "steps": found.steps}))


if __name__ == "__main__":
    main()
