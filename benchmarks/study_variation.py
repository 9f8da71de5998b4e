"""What letting effects vary costs where they are constant, and saves where they are not.

``python benchmarks/study_variation.py [--runs 40] [--seed 301]`` writes ``results/variation.csv`` and ``.md``. Runs are
worlds of each kind.
"""

import argparse

import numpy as np
import tables

from measurement import mmm
from measurement.panel import Panel
from measurement.typing import Floats

QUICK = mmm.Sampling(chains=2, warmup=200, draws=250)
WEEKS, LAST, CHANNELS = 130, 26, 3
DRIFT = 0.35
KINDS = {"constant": 0.0, "drifting": DRIFT}
ABOUT = f"""Effects that change (`python benchmarks/study_variation.py`): national worlds of {WEEKS} weeks and
{CHANNELS} channels whose effects are constant, or walk at random week by week with a standard deviation of
{DRIFT} of the log within a year. Both models see the same data; *slow* lets every channel vary. *covered* is
the share of 90 % intervals that hold the truth, *error* its binomial standard error, *width* the mean log of
high / low and *bias* that of the median / truth, of what a channel brought in the last {LAST} weeks and of its
iROAS over all of them."""


def world_of(kind: str, seed: int) -> tuple[Panel, Floats]:
    """A panel and each channel's true effect by week, shape (periods, channels): Hill of geometric carry-over."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    pulses = rng.gamma(1.5, 0.7, (WEEKS, CHANNELS)) * (rng.random((WEEKS, CHANNELS)) < 0.85)
    decay = rng.uniform(0.2, 0.6, CHANNELS) ** np.arange(8)[:, None]
    carried = sum(np.pad(pulses, ((lag, 0), (0, 0)))[:WEEKS] * decay[lag] for lag in range(8)) / decay.sum(0)
    half = rng.uniform(0.8, 2.0, CHANNELS)
    walk = np.cumsum(rng.standard_normal((WEEKS, CHANNELS)), axis=0) * KINDS[kind] / np.sqrt(52.18)
    effect = np.exp(walk) * carried**1.2 / (carried**1.2 + half**1.2)
    spend = 4_000.0 * pulses
    effect *= np.exp(rng.normal(0.5, 0.4, CHANNELS)) * spend.sum(0) / effect.sum(0)
    time, shocks = np.arange(WEEKS), 0.015 * rng.standard_normal(WEEKS)
    demand = np.empty(WEEKS)
    for t in range(WEEKS):
        demand[t] = (0.6 * demand[t - 1] if t else 0.0) + shocks[t]
    base = 1.0 + 0.1 * np.sin(2 * np.pi * time / 52.18) + 0.05 * time / WEEKS + demand
    panel = Panel(
        dates=np.datetime64("2022-01-03") + 7 * time,
        geos=("national",),
        channels=tuple(f"channel {c}" for c in range(CHANNELS)),
        spend=spend[None],
        exposure=spend[None],
        kpis={"revenue": (100_000.0 * base + effect.sum(1))[None]},
        kpi="revenue",
    )
    return panel, effect


def one(kind: str, varies: str, seed: int) -> dict[str, Floats]:
    """Per quantity and channel: held or not, log width, log bias; shape (3, channels)."""
    panel, truth = world_of(kind, seed)
    own = {name: {"demand_driven": "no", "varies": varies} for name in panel.channels}
    post = mmm.fit(panel, mmm.Spec.default(panel, channels=own), seed=seed, sampling=QUICK)
    spend = panel.spend.sum((0, 1))
    draws = {
        f"last {LAST} weeks": (mmm.effects(post, panel)[..., -LAST:].sum(-1), truth[-LAST:].sum(0)),
        "iROAS": (post.draws["iroas"], truth.sum(0) / spend),
    }
    out = {}
    for name, (found, true) in draws.items():
        low, median, high = np.quantile(found, [0.05, 0.5, 0.95], axis=0)
        out[name] = np.stack([(low <= true) & (true <= high), np.log(high / low), np.log(median / true)])
    return out


def study(runs: int, seed: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for kind in KINDS:
        for varies in ("no", "slow"):
            found = [one(kind, varies, seed + run) for run in range(runs)]
            for name in found[0]:
                held, width, bias = np.concatenate([each[name] for each in found], axis=1)
                covered = float(held.mean())
                error = float(np.sqrt(covered * (1 - covered) / held.size))
                row: dict[str, object] = {"effects": kind, "varies": varies, "of": name, "covered": covered}
                rows.append(row | {"error": error, "width": float(width.mean()), "bias": float(bias.mean())})
                print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=301)
    asked = parser.parse_args()
    print(tables.write("variation", ABOUT, study(asked.runs, asked.seed), runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
