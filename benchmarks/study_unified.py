"""Is the unified number nearer the truth than its sources, where the methods are wrong in the ways that they are?

``python benchmarks/study_unified.py [--runs 400] [--seed 20]`` draws worlds of evidence with known truth, without
fitting anything: a run is one world of six channels. Nothing in them is drawn from the evidence model's own priors. The
mix model's bias is positive, skewed and larger where spend follows demand, part of it common to all channels, and its
error a sixth larger than it says; incrementality factors have heavy tails and fall with demand; truths drift; tests err
by their standard error and by a tenth of their effect. The same with real fits: ``study_unified_worlds.py``.
"""

import argparse
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tables

from calibration.evidence_model import Sources, Tests
from calibration.integrate import integrate
from measurement.typing import Floats

RUNS, SEED = 400, 20
CHANNELS, YEARS = 6, 2
OVERCONFIDENT = 7 / 6
NODES, DRAWS = 1024, 512
NAME = "unified"


@dataclass(frozen=True, slots=True)
class Regime:
    """What is wrong with the methods.

    Attributes:
        mmm_bias: Mean bias of the MMM's log iROAS where spend follows demand strongly.
        tests: Channels with a test.
        together: How far attribution's error goes along with the MMM's bias.
    """

    mmm_bias: float = 0.35
    tests: int = 3
    together: float = 0.5


REGIMES: Mapping[str, Regime] = {
    "well-behaved": Regime(),
    "badly biased MMM": Regime(mmm_bias=0.9),
    "no tests": Regime(tests=0),
    "attribution errs with the MMM": Regime(mmm_bias=0.5, together=1.5),
}


def world(rng: np.random.Generator, regime: Regime) -> tuple[Floats, Sources]:
    """True log iROAS of the channels over two years, and what the methods say of it."""
    demand = rng.integers(0, 3, CHANNELS)
    first = 0.3 + 0.65 * rng.standard_normal(CHANNELS) - 0.25 * demand
    paths = np.stack([first, first + 0.15 * rng.standard_normal(CHANNELS)], axis=1)
    truth = np.log(np.exp(paths).mean(axis=1))
    common, own = rng.gamma(2.0, 0.5), rng.gamma(2.0, 0.5, CHANNELS)
    bias = regime.mmm_bias * np.array([0.1, 0.5, 1.0])[demand] * (0.5 * common + 0.5 * own)
    sd = rng.uniform(0.15, 0.5, CHANNELS)
    mmm = truth + bias + OVERCONFIDENT * sd * rng.standard_normal(CHANNELS)
    factor = -0.3 - np.array([0.0, 0.4, 0.8])[demand] + 0.3 * rng.standard_t(4, CHANNELS)
    credit = paths[:, 1] - factor + regime.together * (bias - bias.mean()) + 0.05 * rng.standard_normal(CHANNELS)
    credit[rng.permutation(CHANNELS)[:2]] = np.nan
    tested = rng.permutation(CHANNELS)[: regime.tests]
    when, scale = rng.integers(0, YEARS, tested.size), rng.choice([-1.0, 1.0], tested.size) * 100
    effect = scale * np.exp(paths[tested, when]) * (1 + 0.1 * rng.standard_normal(tested.size))
    error = 100 * rng.uniform(0.1, 0.6, tested.size)
    tests = Tests(
        outcome_change=effect + error * rng.standard_normal(tested.size),
        std_error=error,
        relative_sd=np.full(tested.size, 0.1),
        test=np.arange(tested.size),
        channel=tested,
        time=when + 0.5,
        scale=scale,
        log_scale_cov=0.01 * np.eye(tested.size),
    )
    share = np.full((CHANNELS, YEARS), 1 / YEARS)
    late = np.tile([0.0, 1.0], (CHANNELS, 1))
    times = np.arange(YEARS) + 0.5
    return truth, Sources(times, share, demand, mmm, np.diag(sd**2), credit, np.full(CHANNELS, 0.1), late, tests)


def others(sources: Sources) -> dict[str, Floats]:
    """What people do without a model: log iROAS by one source, by the test if there is any, by precision."""
    tests = sources.tests
    by_test, test_sd = np.full(CHANNELS, np.nan), np.full(CHANNELS, np.nan)
    measured = tests.outcome_change / tests.scale
    by_test[tests.channel] = np.log(np.maximum(measured, 0.05))
    test_sd[tests.channel] = np.abs(tests.std_error / tests.scale) / np.maximum(measured, 0.05)
    sd = np.sqrt(np.diag(sources.mmm_cov))
    weights = np.stack([sd**-2.0, test_sd**-2.0, np.full(CHANNELS, 0.6**-2.0)])
    values = np.stack([sources.mmm, by_test, sources.attribution - 0.5])
    weights = np.where(np.isfinite(values), weights, 0.0)
    return {
        "MMM": sources.mmm,
        "tests": by_test,
        "attribution": sources.attribution,
        "attribution, halved": sources.attribution - math.log(2),
        "test if any, else MMM": np.where(np.isfinite(by_test), by_test, sources.mmm),
        "inverse variance": np.asarray(np.nansum(weights * np.nan_to_num(values), axis=0) / weights.sum(axis=0)),
    }


def unified(sources: Sources, seed: int) -> Floats:
    """Log iROAS over both years: low, median and high of the 90 % interval, shape (3, channels)."""
    fusion = integrate(sources, seed=seed, nodes=NODES, draws=DRAWS)
    return np.quantile(np.log(np.exp(fusion.theta).mean(axis=2)), [0.05, 0.5, 0.95], axis=0)


def lines(runs: int, seed: int) -> Iterator[dict[str, object]]:
    """The table: per regime, the error of every rule and of the unified number on the channels that the rule knows."""
    for number, (name, regime) in enumerate(REGIMES.items()):
        rng = np.random.default_rng([seed, number])
        worlds = [world(rng, regime) for _ in range(runs)]
        truth = np.array([known for known, _ in worlds])
        answer = np.array([unified(sources, seed + i) for i, (_, sources) in enumerate(worlds)])
        error = answer[:, 1] - truth
        inside = (answer[:, 0] <= truth) & (truth <= answer[:, 2])
        width = float(np.median(answer[:, 2] - answer[:, 0]))
        parts = {"unified": error} | {
            rule: np.array([others(sources)[rule] for _, sources in worlds]) - truth for rule in others(worlds[0][1])
        }
        for rule, found in parts.items():
            there = np.isfinite(found)
            if there.any():
                ours = rule == "unified"
                yield {
                    "regime": name,
                    "rule": rule,
                    "channels": int(there.sum()),
                    "rmse": float(np.sqrt(np.mean(found[there] ** 2))),
                    "unified_rmse_there": float(np.sqrt(np.mean(error[there] ** 2))),
                    "bias": float(found[there].mean()),
                    "covered": f"{inside.mean():.3f}" if ours else "",
                    "width": f"{width:.2f}" if ours else "",
                }


@functools.cache
def short(runs: int = 40, seed: int = 7) -> tuple[dict[str, object], ...]:
    """A short form for the tests."""
    return tuple(lines(runs, seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    about = (
        "Error of log iROAS (root mean square, estimate over truth) by rule and regime, in worlds of evidence drawn by "
        "`benchmarks/study_unified.py`; the unified number's error on the same channels; its 90 % intervals."
    )
    print(tables.write(NAME, about, list(lines(options.runs, options.seed)), runs=options.runs, seed=options.seed))


if __name__ == "__main__":
    main()
