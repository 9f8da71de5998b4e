"""How often forecasts hold what comes, in simulated worlds whose last weeks the fit has not seen.

``python benchmarks/study_forecast.py [national geo] [--runs 60] [--seed 101]`` writes ``results/forecast.csv`` and
``.md``; national worlds alone where no size is named. Runs are worlds of each size and confounding.
"""

import argparse
from typing import Any

import numpy as np
import pandas as pd
import tables

from measurement import mmm
from measurement.plan.forecast import forecast
from measurement.plan.horizon import Horizon
from measurement.simulate import geo, national, simulate

QUICK = mmm.Sampling(chains=2, warmup=200, draws=250)
WEEKS, AHEAD = 104, 13
ABOUT = """Forecasts of simulated worlds (`python benchmarks/study_forecast.py`): the fit sees 104 weeks of 4 channels,
and the 13 weeks after them are predicted from the spend and the controls that they had. *covered* is the share of 90 %
intervals that hold what came, of the sum over all geos and the weeks named, *error* its binomial standard error;
*width* is the median width of the interval and *typical* the median absolute error of the median, both as a share of
what came, and *naive* that of the same weeks a year ago. Demand pulls spend in the worlds with confounding."""


def world_of(size: str, seed: int, confounding: float) -> Any:
    if size == "national":
        return simulate(national(weeks=WEEKS + AHEAD, channels=4, seed=seed, confounding=confounding))
    geos = {"n_geos": 6, "n_tests": 0}
    return simulate(geo(weeks=WEEKS + AHEAD, channels=4, seed=seed, confounding=confounding, **geos))


def one(size: str, seed: int, confounding: float) -> dict[str, tuple[float, ...]]:
    """Per stretch of weeks: held or not, width, error of the median, error of a year ago."""
    world = world_of(size, seed, confounding)
    whole = world.panel()
    panel, rest = whole.part(slice(0, WEEKS)), whole.part(slice(WEEKS, None))
    driven = {channel.name: {"demand_driven": channel.demand_driven} for channel in world.truth.settings}
    post = mmm.fit(panel, mmm.Spec.default(panel, channels=driven), seed=seed, sampling=QUICK)
    geo_column = np.repeat(panel.geos, AHEAD)
    controls = {name: rest.controls[..., j].ravel() for j, name in enumerate(panel.control_names)}
    given = pd.DataFrame({"date": np.tile(rest.dates, len(panel.geos)), "geo": geo_column} | controls)
    found = forecast(post, panel, Horizon(rest.dates, rest.spend, "as it came"), controls=given, seed=seed)
    ago = panel.outcome[:, WEEKS - 52 : WEEKS - 52 + AHEAD]
    out = {}
    for name, weeks in {"1 to 4": slice(0, 4), "1 to 13": slice(0, 13), "10 to 13": slice(9, 13)}.items():
        came = rest.outcome[:, weeks].sum()
        low, median, high = np.quantile(found.draws[:, :, weeks].sum(axis=(1, 2)), [0.05, 0.5, 0.95])
        held = float(low <= came <= high)
        out[name] = (held, (high - low) / came, abs(median / came - 1), abs(ago[:, weeks].sum() / came - 1))
    return out


def study(sizes: list[str], runs: int, seed: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for size in sizes:
        for confounding in (0.0, 1.0):
            found = [one(size, seed + run, confounding) for run in range(runs)]
            for weeks in found[0]:
                held, width, error, naive = np.array([each[weeks] for each in found]).T
                covered = float(held.mean())
                row: dict[str, object] = {"world": size, "confounding": confounding, "weeks": weeks}
                row |= {"covered": covered, "error": float(np.sqrt(covered * (1 - covered) / runs))}
                row |= {"width": float(np.median(width)), "typical": float(np.median(error))}
                rows.append(row | {"naive": float(np.median(naive))})
            print(rows[-2], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["national"])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=101)
    asked = parser.parse_args()
    print(tables.write("forecast", ABOUT, study(asked.sizes, asked.runs, asked.seed), runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
