"""Do the 90 % intervals of credit hold the truth? Simulated users, many logs, every model.

``python benchmarks/study_attribution.py [--runs 200] [--seed 1] [--models shapley ...]`` draws logs from a world in
which every touch sets off conversions with its channel's own chance and delay, users differ in eagerness and come back
(so their journeys hang together), and counts how often the interval of each channel's credit holds

- ``model``: the credit that the same model gives to a population of a hundred times as many users, per user;
- ``value``: the same for money, which differs between conversions; and
- ``cause``: for the hazard, the conversions that the channel's touches really set off.

It writes ``results/attribution.csv`` and ``results/attribution.md``; with ``--models`` the other models' rows stay, and
are what they would be had all been asked for: the draws do not depend on it.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd
import tables

from attribution import Attribution, attribute, read_paths

CHANNELS = ("a", "b", "c", "d")
WEIGHTS = (0.35, 0.3, 0.25, 0.1)
EFFECT = np.array([0.22, 0.1, 0.05, 0.15])
HALF_LIFE = np.array([1.0, 4.0, 2.0, 2.0])
MODELS = (
    "first", "last", "last_non_direct", "linear", "position", "time_decay", "markov:1", "markov:2", "markov:3",
    "markov:4", "markov:auto", "shapley", "shapley:unanimity", "shapley:ordered", "hazard", "hazard:baseline",
)  # fmt: skip
USERS, POPULATION, VISITS, LOG = 3_000, 300_000, 3, 260.0


def world(users: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """An event log, and how many conversions the touches of each channel set off."""
    random = np.random.default_rng(seed)
    eager = np.repeat(random.gamma(2.0, 0.5, users), VISITS)
    user = np.repeat(np.arange(users), VISITS)
    home = random.permuted(np.tile(np.arange(VISITS) * 80.0, (users, 1)), axis=1).ravel() + random.uniform(
        0, 20, len(user)
    )
    size = 1 + random.poisson(1.5 * eager)
    visit = np.repeat(np.arange(len(user)), size)
    channel = random.choice(len(CHANNELS), len(visit), p=WEIGHTS)
    gap = random.exponential(1.2, len(visit))
    starts = np.cumsum(size) - size
    passed = np.cumsum(gap)
    at = home[visit] + passed - passed[starts][visit]
    due = random.poisson(EFFECT[channel])
    touch = np.repeat(np.arange(len(visit)), due)
    when = at[touch] + random.exponential(HALF_LIFE[channel[touch]] / np.log(2))
    order = np.lexsort((when, visit[touch]))
    first = order[np.unique(visit[touch][order], return_index=True)[1]]
    end = np.full(len(user), np.inf)
    end[visit[touch[first]]] = when[first]
    kept = at < np.minimum(end[visit], LOG)
    sold = first[when[first] < LOG]
    caused = np.bincount(channel[touch[sold]], minlength=len(CHANNELS))
    converting = visit[touch[sold]]
    frame = pd.DataFrame(
        {
            "user_id": np.char.add("u", np.concatenate([user[visit[kept]], user[converting]]).astype(str)),
            "timestamp": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(np.rint(np.concatenate([at[kept], when[sold]]) * 86_400), unit="s"),
            "channel": np.concatenate([np.array(CHANNELS, dtype=object)[channel[kept]], np.full(len(sold), None)]),
            "event": ["click"] * int(kept.sum()) + ["conversion"] * len(sold),
            "value": np.concatenate([np.full(int(kept.sum()), np.nan), random.gamma(2, 20, len(sold)).round(2)]),
        }
    )
    return frame, caused


def credit(users: int, seed: int, models: Sequence[str], draws: int) -> tuple[Attribution, np.ndarray]:
    frame, caused = world(users, seed)
    return attribute(read_paths(frame), models, seed=seed, draws=draws), caused


def study(
    runs: int, seed: int, models: Sequence[str] = MODELS, population: int = POPULATION
) -> list[dict[str, object]]:
    """A row per model and truth: coverage over runs and channels, and by the worst channel."""
    whole, caused = credit(population, seed, models, 0)
    scale = USERS / population
    truths = {(name, "model"): whole[name].conversions * scale for name in models}
    for name in models:
        value = whole[name].value
        assert value is not None
        truths[name, "value"] = value * scale
    if "hazard" in models:
        truths["hazard", "cause"] = caused * scale
    held = {key: np.zeros(len(CHANNELS)) for key in truths}
    width = dict.fromkeys(truths, 0.0)
    for run in range(runs):
        found, _ = credit(USERS, seed + 1 + run, models, 200)
        for (name, kind), truth in truths.items():
            drawn = found[name].value_draws if kind == "value" else found[name].conversions_draws
            low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
            held[name, kind] += (low <= truth) & (truth <= high)
            width[name, kind] += float(((high - low) / truth).mean()) / runs
    return [
        {
            "model": name,
            "truth": kind,
            "coverage": float(inside.mean() / runs),
            "worst_channel": float(inside.min() / runs),
            "width": width[name, kind],
        }
        for (name, kind), inside in held.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="make these models' rows anew")
    asked = parser.parse_args()
    rows = {(str(row["model"]), str(row["truth"])): row for row in study(asked.runs, asked.seed, asked.models)}
    stays = {(row["model"], row["truth"]): row for row in tables.read("attribution")}
    order = [(name, kind) for kind in ("model", "value", "cause") for name in MODELS]
    found = [rows.get(key) or stays[key] for key in order if key in rows or key in stays]
    about = (
        "Coverage of the 90 % intervals of credited conversions over runs and four channels, logs of 3,000 "
        "users with up to three journeys each (`python benchmarks/study_attribution.py`). Truth `model` is "
        "the credit that the same model gives to a population of 300,000 users, `value` the same for money; `cause` "
        "is what the channel's touches really set off. `worst_channel` is the lowest coverage of a single channel, "
        "`width` the mean width of an interval over the truth."
    )
    print(tables.write("attribution", about, found, runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
