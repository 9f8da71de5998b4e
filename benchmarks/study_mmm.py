"""How often the mix model's 90 % intervals hold the true iROAS, in simulated worlds.

``python benchmarks/study_mmm.py [national geo] [--conditions 0 1 2 3] [--runs N] [--seed 21] [--keep FOLDER]`` writes
``results/mmm_coverage.csv`` and ``.md``; lines that are not asked for stay as they are. A world's demand, seasons,
controls, spend and noise are the simulator's own, not the model's equations. With ``--keep`` each world's result is
written down as soon as it is there, and a later run goes on from them.
"""

import argparse
import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tables

from measurement import mmm
from measurement.mmm.spec import ChannelSpec, PositivePrior, RoiPrior, Spec
from measurement.simulate import geo, national, simulate
from measurement.simulate.settings import ChannelTruth, WorldSettings

QUICK = mmm.Sampling(chains=2, warmup=250, draws=300)
WEEKS = {"national": 104, "geo": 78}
RUNS = {"national": 100, "geo": 50}
CHANNELS, GEOS, HISTORY = 4, 5, 12
ABOUT = """90 % intervals of channel iROAS in simulated worlds (`python benchmarks/study_mmm.py`): 4 channels that spend
11 % of revenue, national (104 weeks) or 5 geos (78 weeks), 12 weeks of spend before the first row that the model does
not see. Truths `priors`: each channel's iROAS, decay, half-saturation, slope and spread between geos are drawn from
populations as wide as the model's default priors; `presets`: from the simulator's narrower ones. Follows: in the worlds
with `yes`, the spend of brand search (strong) and generic search (some) follows demand. Told: `as it is` marks every
channel with what it is, `no` marks none (no confounding term, s = 0). *covered* is the share of intervals that hold the
truth, *error* its standard error over worlds, *width* the mean log of high / low, *bias* and *rmse* those of the log of
the median over the truth. Lines of fewer worlds hold the first of the same seeds."""
Found = list[tuple[str, float, float, float]]
CONDITIONS = (
    ("priors", False, "as it is"),
    ("presets", False, "as it is"),
    ("priors", True, "as it is"),
    ("priors", True, "no"),
)


def from_prior(rng: np.random.Generator, prior: PositivePrior) -> float:
    mean, sd = prior.normal
    return float(np.exp(mean + sd * rng.standard_normal()))


def channel_like_its_prior(channel: ChannelTruth, rng: np.random.Generator, spec: ChannelSpec) -> ChannelTruth:
    """A channel whose truth is as uncertain as the default priors say."""
    mean, sd = spec.decay.normal
    return replace(
        channel,
        iroas=from_prior(rng, RoiPrior()),
        decay=float(1 / (1 + np.exp(-mean - sd * rng.standard_normal()))),
        half_saturation=from_prior(rng, spec.half_saturation),
        slope=from_prior(rng, spec.slope),
        geo_sd=from_prior(rng, PositivePrior(median=0.15, low=0.04, high=0.55)),
    )


def settings_of(size: str, seed: int, truths: str, follows: bool) -> WorldSettings:
    """A world whose channels have no delayed peak, which the default carry-over cannot have."""
    common = {"weeks": WEEKS[size], "channels": CHANNELS, "seed": seed, "confounding": float(follows)}
    made: Any = national(**common) if size == "national" else geo(n_geos=GEOS, n_tests=0, **common)  # type: ignore[arg-type]
    rng = np.random.default_rng((seed, 1))
    channels = [
        replace(channel, peak=0.0, l_max=8, demand_driven=channel.demand_driven if follows else "no")
        for channel in made.channels
    ]
    if truths == "priors":
        channels = [channel_like_its_prior(channel, rng, ChannelSpec()) for channel in channels]
    return replace(made, channels=tuple(channels), history=HISTORY)


def one(size: str, seed: int, truths: str, follows: bool, told: str) -> Found:
    """Of each channel: what it is, whether its interval holds the truth, log width and log error."""
    world = simulate(settings_of(size, seed, truths, follows))
    panel, known = world.panel(), {channel.name: channel.demand_driven for channel in world.truth.settings}
    marks = {name: {"demand_driven": known[name] if told == "as it is" else "no"} for name in panel.channels}
    post = mmm.fit(panel, Spec.default(panel, channels=marks), seed=seed, sampling=QUICK)
    low, median, high = np.quantile(post.draws["iroas"], [0.05, 0.5, 0.95], axis=0)
    truth = np.array([world.truth.iroas[name] for name in panel.channels])
    held, width, error = (low <= truth) & (truth <= high), np.log(high / low), np.log(median / truth)
    return [(known[name], float(held[c]), width[c], error[c]) for c, name in enumerate(panel.channels)]


def worlds_of(condition: tuple[str, str, bool, str], seeds: range, keep: Path | None) -> list[Found]:
    """`one` for each seed; what ``keep`` holds already is not made again."""
    size, truths, follows, told = condition
    known: dict[int, Found] = {}
    file = None if keep is None else keep / f"{size}-{truths}-{'follows' if follows else 'free'}-{told}.csv"
    if file is not None and file.exists():
        with file.open(newline="", encoding="utf-8") as lines:
            for seed, driven, *numbers in csv.reader(lines):
                held, width, error = map(float, numbers)
                known.setdefault(int(seed), []).append((driven, held, width, error))
    for seed in seeds:
        if len(known.get(seed, [])) == CHANNELS:
            continue
        known[seed] = one(size, seed, truths, follows, told)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("w", newline="", encoding="utf-8") as lines:
                csv.writer(lines).writerows([s, *row] for s, rows in known.items() for row in rows)
    return [known[seed] for seed in seeds]


def rows_of(condition: tuple[str, str, bool, str], found: list[Found]) -> list[dict[str, object]]:
    """The table's lines of one condition, one for each kind of channel."""
    size, truths, follows, told = condition
    rows: list[dict[str, object]] = []
    for driven in sorted({channel[0] for channel in found[0]}, reverse=True):
        worlds = [np.array([row[1:] for row in each if row[0] == driven]) for each in found]
        held, width, error = np.concatenate(worlds).T
        covered = np.array([world[:, 0].mean() for world in worlds])
        row = {"world": size, "truths": truths, "follows": "yes" if follows else "no", "told": told}
        row |= {"channels": driven, "worlds": len(found), "intervals": len(held), "covered": float(held.mean())}
        row |= {"error": float(covered.std(ddof=1) / np.sqrt(len(found))), "width": float(width.mean())}
        rows.append(row | {"bias": float(error.mean()), "rmse": float(np.sqrt((error**2).mean()))})
        print(rows[-1], flush=True)
    return rows


def study(sizes: list[str], conditions: list[int], runs: int | None, seed: int, keep: Path | None) -> None:
    """Make the lines asked for, and write them in place of those that the table has of the same conditions."""
    text = ""
    for size in sizes:
        for number in conditions:
            case = (size, *CONDITIONS[number])
            rows = rows_of(case, worlds_of(case, range(seed, seed + (runs or RUNS[size])), keep))
            others = [row for row in tables.read("mmm_coverage") if key_of(row) != key_of(rows[0])]
            lines = sorted([*others, *rows], key=lambda row: PLACES.index(key_of(row)))
            text = tables.write("mmm_coverage", ABOUT, lines, runs=max(RUNS.values()), seed=seed)
    print(text)


def key_of(row: Mapping[str, object]) -> tuple[object, ...]:
    """The condition of a line of the table."""
    return row["world"], row["truths"], row["follows"], row["told"]


PLACES = [(size, truths, "yes" if follows else "no", told) for size in RUNS for truths, follows, told in CONDITIONS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=list(RUNS))
    parser.add_argument("--conditions", type=int, nargs="+", default=list(range(len(CONDITIONS))), help=f"{CONDITIONS}")
    parser.add_argument("--runs", type=int, help=f"worlds of each condition; {RUNS} by default")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--keep", type=Path, help="folder of single worlds' results")
    asked = parser.parse_args()
    study(asked.sizes, asked.conditions, asked.runs, asked.seed, asked.keep)


if __name__ == "__main__":
    main()
