"""Search for the design of a geo test: CPU-seconds beside two peers from the package index on the same panel.

``python benchmarks/bench_design.py [--geos 40] [--days 365] [--sets 2] [--repeats 1]`` prints tables and writes
``build/benchmarks/design.json``. What each computes differs, so each line says how much it computed:

- ours: 1,000 candidate sets and those that local search adds, each fitted by synthetic control in every selection
  window; then the near-best sets in every planning window, with the randomisation test of each draw. One fit of a set
  in a window serves all effect sizes and all durations.
- geoexp: synthetic control, conformal test and a grid of effects, anew for every set, duration and window. It gets few
  sets (``--sets``), and its seconds for 1,000 sets are in proportion.
- Meridian GeoX: one regression of mean on mean per set in two windows: fit of 10,000 sets, minimum detectable effect of
  the best 1,000 from their common spread. A much smaller sum per set, on JAX. *First* holds its compilation.
"""

import argparse
from typing import Any

import numpy as np
import peers
from panels import panel_of
from timing import keep, least

from experiments.planning import power, search
from experiments.planning.goal import Goal
from experiments.planning.plan import design
from measurement import Panel

TARGET = 10.0
"""CPU-seconds for 1,000 sets × 3 durations × 10 windows on 40 geos."""
DURATIONS = (14, 21, 28)
WINDOWS = 10
GROWTH = ((20, 365), (40, 180), (40, 365), (40, 700), (80, 365), (200, 365))


def goal() -> Goal:
    return Goal(channel=("tv",), durations=DURATIONS, geos=(2, 6), direction="heavy_up")


class Counted:
    """Counts the sets that a search fits, window by window."""

    def __init__(self) -> None:
        self.fits = 0
        self.whole = search.fitted

    def __call__(self, outcome: Any, sets: Any, *rest: Any) -> Any:
        self.fits += len(sets)
        return self.whole(outcome, sets, *rest)


def ours(panel: Panel, repeats: int) -> dict[str, Any]:
    counted = Counted()
    search.fitted = power.fitted = counted
    found = design(panel, goal())
    search.fitted = power.fitted = counted.whole
    seconds, _ = least(repeats, lambda: design(panel, goal()))
    best = found.best
    return {
        "cpu_s": seconds,
        "fits": counted.fits,
        "mde": best.mde,
        "duration": best.duration,
        "treated": len(best.treatment_geos),
    }


def beside(panel: Panel, mine: dict[str, Any], sets: int) -> dict[str, Any]:
    lines: dict[str, Any] = {}
    rng = np.random.default_rng(1)
    chosen = [sorted(rng.choice(panel.shape[0], 3, replace=False).tolist()) for _ in range(sets)]
    common = {"outcome": panel.outcome.tolist(), "durations": DURATIONS, "seed": 0}
    try:
        task = {"sets": chosen, "windows": WINDOWS, "estimator": "synthetic control"}
        found = peers.run("geoexp", common | task)
        each = found["cpu_s"] / found["cells"]
        whole = each * 1000 * len(DURATIONS) * WINDOWS
        print(
            f"  {found['version']}: {found['cpu_s']:.2f} CPU-s for {sets} sets x {len(DURATIONS)} durations x "
            f"{WINDOWS} windows, {1000 * each:.0f} CPU-ms each; so {whole:,.0f} CPU-s for 1,000 sets, "
            f"{whole / mine['cpu_s']:,.0f} times our whole search"
        )
        lines["geoexp"] = found
    except peers.Unavailable as reason:
        print(f"  geoexp is not there: {reason}")
    try:
        found = peers.run("geox", common | {"what": "design", "candidates": 10_000, "ranked": 1000})
        print(
            f"  {found['version']}: first {found['cpu_cold_s']:.2f} CPU-s, again {found['cpu_warm_s']:.2f} CPU-s for "
            f"11,000 regressions x {len(DURATIONS)} durations: {found['cpu_cold_s'] / mine['cpu_s']:.1f} and "
            f"{found['cpu_warm_s'] / mine['cpu_s']:.2f} times our whole search"
        )
        lines["geox"] = found
    except peers.Unavailable as reason:
        print(f"  meridian-geox is not there: {reason}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--geos", type=int, default=40)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--sets", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    panel = panel_of(asked.geos, asked.days)
    mine = ours(panel, asked.repeats)
    print(f"design search, {asked.geos} geos x {asked.days} days; target {TARGET:g} CPU-s")
    print(
        f"  ours: {mine['cpu_s']:.2f} CPU-s for {mine['fits']:,} synthetic controls (sets x windows), each read out "
        f"for {len(DURATIONS)} durations: {1000 * mine['cpu_s'] / mine['fits']:.3f} CPU-ms each; the best design "
        f"treats {mine['treated']} geos for {mine['duration']} days and finds {mine['mde']:.1%}",
        flush=True,
    )
    figures = vars(asked) | {"target_cpu_s": TARGET, "ours": mine} | beside(panel, mine, asked.sets)
    print("seconds by size")
    figures["growth"] = []
    for geos, days in GROWTH:
        line = {"geos": geos, "days": days} | ours(panel_of(geos, days), 1)
        figures["growth"].append(line)
        print(f"  {geos:4d} geos x {days:3d} days {line['cpu_s']:8.2f} CPU-s, {line['fits']:,} fits", flush=True)
    keep("design", figures)


if __name__ == "__main__":
    main()
