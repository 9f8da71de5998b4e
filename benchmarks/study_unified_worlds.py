"""Is the unified number nearer the truth than its sources? Simulated companies, real fits, many seeds.

``python benchmarks/study_unified_worlds.py [--runs 38] [--seed 301] [--minutes 15]`` simulates small geo companies with
confounded spend, lift tests and journeys, fits the model without and with the tests, attributes, reconciles, and sets
every source against the truth. One world takes some ten seconds per fit on a free core. Fits are kept in
``build/studies/unified`` and a later run goes on from there: only the reconciliation is done anew. Without tests of a
world, without its attribution, without its model: what each source is worth.
"""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from attribution import Attribution, attribute, read_paths
from calibration import Conflict, calibrate, gather
from experiments.records import parse
from measurement.mmm import Posterior, Sampling, Spec
from measurement.simulate import World, geo, simulate

KEPT = Path(__file__).parents[1] / "build" / "studies" / "unified"
CHANNELS = ("tv", "brand_search", "social", "generic_search", "video", "retargeting")
SAMPLING = Sampling(chains=2, warmup=200, draws=200)


@dataclass(frozen=True, eq=False)
class Known:
    """A world and what its methods say."""

    world: World
    sibling: Posterior
    calibrated: Posterior
    conflicts: tuple[Conflict, ...]
    credit: Attribution


def world_of(seed: int) -> World:
    """Eight geos, two years, six channels (two of them demand-driven strongly), three tests, 16 weeks of journeys."""
    return simulate(replace(geo(8, 104, CHANNELS, seed, n_tests=3, journey_weeks=16), revenue=250_000.0))


def credit_of(world: World) -> Attribution:
    """Attribution of the world's journeys."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "touchpoints.parquet"
        world.touchpoints.to_parquet(file, index=False)
        return attribute(read_paths(file), seed=1, draws=50)


def known(seed: int, folder: Path = KEPT) -> Known:
    """A world with its fits, from the folder where they are there."""
    world, parts = world_of(seed), [folder / f"{seed}-{part}" for part in ("sibling", "calibrated", "credit", "judged")]
    if not all(part.exists() for part in parts):
        panel = world.panel()
        lifts = [item.lift for item in gather(parse(world.experiments), panel)[0]]
        demand = {c.name: {"demand_driven": c.demand_driven} for c in world.settings.channels}
        made = calibrate(panel, Spec.default(panel, channels=demand), lifts, seed=1, sampling=SAMPLING)
        folder.mkdir(parents=True, exist_ok=True)
        judged = json.dumps([conflict.to_dict() for conflict in made.conflicts]).encode()
        fits = made.sibling.to_bytes(), made.best.to_bytes()
        for file, text in zip(parts, (*fits, credit_of(world).to_bytes(), judged), strict=True):
            file.write_bytes(text)
    sibling, calibrated, credit, judged = (part.read_bytes() for part in parts)
    return Known(
        world,
        Posterior.from_bytes(sibling),
        Posterior.from_bytes(calibrated),
        tuple(Conflict.from_dict(raw) for raw in json.loads(judged)),
        Attribution.from_bytes(credit),
    )
