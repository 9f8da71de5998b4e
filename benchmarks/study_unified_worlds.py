"""Is the unified number nearer the truth than its sources? Simulated companies, real fits, many seeds.

``python benchmarks/study_unified_worlds.py [--truths presets priors] [--runs 38] [--seed 301]`` simulates small geo
companies with confounded spend, lift tests and journeys, fits the model without and with the tests, attributes,
reconciles, and sets every source against the truth; the seed is that of the first world. One world takes some ten
seconds on a free core. Fits are kept in ``build/studies/unified`` and a later run goes on from there: only the
reconciliation is done anew. Lines of truths that are not asked for stay as they are.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import study_mmm
import tables

from attribution import Attribution, attribute, read_paths
from calibration import calibrate, gather, reconcile
from experiments.records import parse
from measurement.mmm import Posterior, Sampling, Spec
from measurement.mmm.spec import ChannelSpec
from measurement.simulate import World, geo, simulate

KEPT = Path(__file__).parents[1] / "build" / "studies" / "unified"
CHANNELS = ("tv", "brand_search", "social", "generic_search", "video", "retargeting")
SAMPLING = Sampling(chains=2, warmup=200, draws=200)
TRUTHS = ("presets", "priors")


@dataclass(frozen=True, eq=False)
class Known:
    """A world and what its methods say."""

    world: World
    sibling: Posterior
    calibrated: Posterior
    credit: Attribution


def world_of(seed: int, truths: str) -> World:
    """Eight geos, two years, six channels (two of them demand-driven strongly), three tests, 16 weeks of journeys."""
    made = replace(geo(8, 104, CHANNELS, seed, n_tests=3, journey_weeks=16), revenue=250_000.0)
    if truths == "presets":
        return simulate(made)
    rng = np.random.default_rng((seed, 1))
    channels = tuple(
        study_mmm.channel_like_its_prior(replace(channel, peak=0.0, l_max=8), rng, ChannelSpec())
        for channel in made.channels
    )
    return simulate(replace(made, channels=channels))


def credit_of(world: World) -> Attribution:
    """Attribution of the world's journeys."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "touchpoints.parquet"
        world.touchpoints.to_parquet(file, index=False)
        return attribute(read_paths(file), seed=1, draws=50)


def known(seed: int, truths: str) -> Known:
    """A world with its fits, from the folder where they are there."""
    folder = KEPT / truths
    world, parts = world_of(seed, truths), [folder / f"{seed}-{part}" for part in ("sibling", "calibrated", "credit")]
    if not all(part.exists() for part in parts):
        panel = world.panel()
        lifts = [item.lift for item in gather(parse(world.experiments), panel)[0]]
        demand = {c.name: {"demand_driven": c.demand_driven} for c in world.settings.channels}
        made = calibrate(panel, Spec.default(panel, channels=demand), lifts, seed=1, sampling=SAMPLING)
        folder.mkdir(parents=True, exist_ok=True)
        fits = made.sibling.to_bytes(), made.best.to_bytes()
        for file, text in zip(parts, (*fits, credit_of(world).to_bytes()), strict=True):
            file.write_bytes(text)
    sibling, calibrated, credit = (part.read_bytes() for part in parts)
    return Known(
        world,
        Posterior.from_bytes(sibling),
        Posterior.from_bytes(calibrated),
        Attribution.from_bytes(credit),
    )


def answers(seed: int, truths: str) -> Iterator[dict[str, object]]:
    """Log error and coverage of every source for every channel of a world; a tenth of the truth is the least."""
    found = known(seed, truths)
    panel = found.world.panel()
    evidence, _ = gather(parse(found.world.experiments), panel)
    view = reconcile(panel, found.sibling, evidence, found.credit, calibrated=found.calibrated, conflicts=(), seed=1)
    for channel in view.channels:
        truth = found.world.truth.iroas[channel.channel]
        said = {(source, model): quantity for source, model, quantity in channel.sources()}
        said |= {(f"unified without {source}", ""): rest.iroas for source, rest in channel.without.items()}
        test = channel.experiments or channel.mmm
        if test is not None:
            said["test if any, else mmm", ""] = test
        for (source, model), quantity in said.items():
            if model in ("", "markov:1"):
                low = max(quantity.low, truth / 20)
                yield {
                    "source": source,
                    "tested": channel.experiments is not None,
                    "error": float(np.log(max(quantity.median, truth / 10) / truth)),
                    "covered": quantity.low <= truth <= quantity.high,
                    "width": float(np.log(max(quantity.high, low) / low)),
                }


def lines(truths: str, worlds: int, found: Sequence[dict[str, object]]) -> Iterator[dict[str, object]]:
    """One line per source and group of channels."""
    for source in dict.fromkeys(row["source"] for row in found):
        for group, wanted in (("all", (True, False)), ("tested", (True,)), ("untested", (False,))):
            mine = [row for row in found if row["source"] == source and row["tested"] in wanted]
            if mine:
                error = np.array([row["error"] for row in mine], dtype=np.float64)
                yield {
                    "truths": truths,
                    "worlds": worlds,
                    "source": source,
                    "channels": group,
                    "number": len(mine),
                    "rmse": float(np.sqrt(np.mean(error**2))),
                    "bias": float(error.mean()),
                    "covered": float(np.mean([bool(row["covered"]) for row in mine])),
                    "width": float(np.median([float(str(row["width"])) for row in mine])),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truths", nargs="+", choices=TRUTHS, default=TRUTHS)
    parser.add_argument("--runs", type=int, default=38)
    parser.add_argument("--seed", type=int, default=301)
    options = parser.parse_args()
    rows = {truths: [row for row in tables.read("unified_worlds") if row["truths"] == truths] for truths in TRUTHS}
    for truths in options.truths:
        found = [row for seed in range(options.seed, options.seed + options.runs) for row in answers(seed, truths)]
        rows[truths] = list(lines(truths, options.runs, found))
    about = (
        "Error of log iROAS against the truth of simulated companies, with real fits, by source "
        "(`benchmarks/study_unified_worlds.py`). 8 geos, 104 weeks, 6 channels, 3 noisy tests of demand-driven "
        "channels, 16 weeks of journeys; `mmm_calibrated` is the model with the tests inside. Truths: the simulator's "
        "`presets`, in which a channel's journeys go with its return, or drawn from populations as wide as the model's "
        "default `priors`, in which attribution knows nothing of returns."
    )
    print(
        tables.write("unified_worlds", about, [*rows["presets"], *rows["priors"]], runs=options.runs, seed=options.seed)
    )


if __name__ == "__main__":
    main()
