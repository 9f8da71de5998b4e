"""Do the packages that our exports are for read them, and as what was meant?

``python benchmarks/study_exchange.py`` writes ``results/exchange.csv`` and ``.md``. A simulated company's tests are
exported by our own command's code and read by Meridian and by PyMC-Marketing, each in an environment of its own
(`peers`). Robyn and GeoLift are written in R and are not run here.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
import tables

from calibration import gather
from experiments.records import parse
from measurement.simulate import World, geo, national, simulate
from measurement.simulate.settings import TrialPlan
from theodolite import exchanging

SEED = 7
FOLDER = Path(__file__).parents[1] / "build" / "studies" / "exchange"
ABOUT = """Exports of a simulated company's tests, read by the packages they are for (`python
benchmarks/study_exchange.py`). *tests*: how many were handed over; *read*: what the package holds after its own checks.
Meridian: mean and standard deviation of its calibrated ROI prior beside the test's own iROAS and widened standard error
(its prior is above 0, and it widens further, for spend, length and age). PyMC-Marketing: the lifts that its likelihood
observes after its own checks and scaling, beside our delta_y over its target's scale; a row per test, or per treated
geo."""


def world_of(kind: str) -> World:
    """A company with three channels and a test of two of them."""
    names = ("brand_search", "social", "tv")
    made = geo(8, 60, names, SEED, n_tests=0) if kind == "geo" else national(60, names, SEED)
    method = "go_dark" if kind == "geo" else "on_off"
    trials = (
        TrialPlan("dark", "brand_search", method, start=24, treated=3, iroas_se=0.2),
        TrialPlan(
            "less", "social", "scale" if kind == "geo" else "on_off", start=40, treated=3, multiplier=0.5, iroas_se=0.3
        ),
    )
    return simulate(replace(made, trials=trials))


def handed_over(kind: str, form: str) -> dict[str, Any]:
    """Write the panel and the tests; what the package is to do."""
    world = world_of(kind)
    panel = world.panel()
    evidence, _ = gather(parse(world.experiments), panel)
    FOLDER.mkdir(parents=True, exist_ok=True)
    wide = pd.DataFrame(
        {"date": np.tile(panel.dates.astype(str), len(panel.geos)), "geo": np.repeat(panel.geos, len(panel.dates))}
    )
    wide["y"], wide["population"] = panel.outcome.ravel(), np.repeat(world.settings.population, len(panel.dates))
    for c, name in enumerate(panel.channels):
        wide[name] = panel.spend[..., c].ravel()
    table, tests = FOLDER / f"{kind}.csv", FOLDER / f"{kind}-{form}{'.json' if form == 'meridian' else '.csv'}"
    wide.to_csv(table, index=False)
    exchanging.write(evidence, panel, form, tests, force=True)
    task = {"table": str(table), "tests": str(tests), "channels": list(panel.channels)}
    return task | {
        "iroas": {item.lift.channels[0]: [item.iroas.median, item.iroas.sd] for item in evidence if item.iroas}
    }


def ask(name: str, task: dict[str, Any]) -> dict[str, Any]:
    """What a package makes of the tests."""
    return peers.ask(peers.environment(name), peers.HERE / name / "read_tests.py", task)


def main() -> None:
    rows: list[dict[str, object]] = []
    for kind in ("geo", "national"):
        task = handed_over(kind, "meridian")
        found = ask("meridian", task)
        for name, (mean, sd) in task["iroas"].items():
            theirs = found["roi"][name]
            row = {"package": f"google-meridian {found['version']}", "panel": kind, "what": f"ROI of {name}"}
            row |= {
                "tests": found["tests"][name],
                "ours": f"{mean:.2f} ± {sd:.2f}",
                "read": f"{theirs[0]:.2f} ± {theirs[1]:.2f}",
            }
            rows.append(row)
        task = handed_over(kind, "pymc-marketing")
        found = ask("pymc_marketing", task)
        row = {"package": f"pymc-marketing {found['version']}", "panel": kind, "what": "sum of lifts, scaled"}
        row |= {"tests": found["tests"], "ours": f"{sum(found['expected']):.6f}"}
        rows.append(row | {"read": f"{sum(found['observed']):.6f}"})
        print(json.dumps(rows[-3:], indent=1), flush=True)
    print(tables.write("exchange", ABOUT, rows, runs=1, seed=SEED))


if __name__ == "__main__":
    main()
