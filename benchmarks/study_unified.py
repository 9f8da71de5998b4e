"""Is the unified number nearer the truth than its sources? Simulated companies, real fits, many seeds.

``python benchmarks/study_unified.py [--worlds 40] [--first 101] [--calibrated]`` simulates small geo companies with
confounded spend, lift tests and journeys, fits the model without tests (and with them where asked), attributes,
reconciles, and prints error and coverage of every source. One world takes some ten seconds per fit on a free core;
results are kept in ``build/studies/unified`` and a later run goes on from there.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from attribution import Attribution, attribute, read_paths
from calibration import View, calibrate, gather, reconcile
from experiments.records import parse
from measurement import mmm
from measurement.mmm import Sampling, Spec
from measurement.simulate import World, geo, simulate

RESULTS = Path(__file__).parents[1] / "build" / "studies" / "unified"
CHANNELS = ("tv", "brand_search", "social", "generic_search", "video", "retargeting")
SAMPLING = Sampling(chains=2, warmup=200, draws=200)


def world_of(seed: int) -> World:
    """Eight geos, two years, six channels (two of them demand-driven strongly), three tests, 16 weeks of journeys."""
    return simulate(replace(geo(8, 104, CHANNELS, seed, n_tests=3, journey_weeks=16), revenue=250_000.0))


def credit_of(world: World) -> Attribution:
    """Attribution of the world's journeys."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "touchpoints.parquet"
        world.touchpoints.to_parquet(file, index=False)
        return attribute(read_paths(file), seed=1, draws=50)


def unified(seed: int, with_tests: bool) -> tuple[World, View]:
    """One world, reconciled."""
    world = world_of(seed)
    panel = world.panel()
    evidence, _ = gather(parse(world.experiments), panel)
    lifts = [item.lift for item in evidence]
    demand = {c.name: {"demand_driven": c.demand_driven} for c in world.settings.channels}
    spec = Spec.default(panel, channels=demand)
    if with_tests:
        both = calibrate(panel, spec, lifts, seed=1, sampling=SAMPLING)
        sibling, calibrated = both.sibling, both.calibrated
    else:
        sibling, calibrated = mmm.fit(panel, spec, held_back=lifts, seed=1, sampling=SAMPLING), None
    view = reconcile(panel, sibling, evidence, credit_of(world), calibrated=calibrated, platform=world.platform, seed=1)
    return world, view


def rows(world: World, view: View) -> Iterator[dict[str, float | str | bool]]:
    """Log error and coverage of every number of a view."""
    for channel in view.channels:
        truth = world.truth.iroas[channel.channel]
        for source, model, quantity in channel.sources():
            if model not in ("", "markov:1"):
                continue
            yield {
                "channel": channel.channel,
                "source": source,
                "tested": channel.experiments is not None,
                "error": float(np.log(max(quantity.median, truth / 10) / truth)),
                "covered": quantity.low <= truth <= quantity.high,
                "width": float(np.log(quantity.high / max(quantity.low, truth / 20))),
            }


def summary(found: Sequence[Mapping[str, float | str | bool]]) -> Iterator[str]:
    """The table, one line per source and group of channels."""
    for source in dict.fromkeys(row["source"] for row in found):
        for group, wanted in (("all", (True, False)), ("tested", (True,)), ("untested", (False,))):
            mine = [row for row in found if row["source"] == source and row["tested"] in wanted]
            if mine:
                error = np.array([row["error"] for row in mine], dtype=float)
                covered = np.mean([bool(row["covered"]) for row in mine])
                yield (
                    f"{source:16} {group:9} n {len(mine):4}  rmse {np.sqrt(np.mean(error**2)):.3f}  "
                    f"bias {error.mean():+.3f}  covered {covered:.2f}  "
                    f"width {np.median([float(row['width']) for row in mine]):.2f}"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--first", type=int, default=101)
    parser.add_argument("--calibrated", action="store_true")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, float | str | bool]] = []
    for seed in range(options.first, options.first + options.worlds):
        kept = RESULTS / f"{seed}{'-calibrated' if options.calibrated else ''}.json"
        if not kept.exists():
            made = list(rows(*unified(seed, options.calibrated)))
            kept.write_text(json.dumps(made), encoding="utf-8")
            print(f"world {seed}", flush=True)
        found += json.loads(kept.read_text(encoding="utf-8"))
    print(*summary(found), sep="\n")


if __name__ == "__main__":
    main()
