"""Do switchbacks keep their word? Every estimator on simulated markets with a planted effect, schedules drawn anew.

``python benchmarks/study_switchback.py [--runs 2000] [--seed 1]``: 8 weeks of history and 12 weeks of test (on-off: 4
weeks on, 8 before, 8 after), an effect of 5 % of the KPI from the first day of an on-block, a burn-in of one period.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import tables

from experiments.records import Assignment, Experiment
from experiments.switchback.case import resolve
from experiments.switchback.estimators import FITTERS
from experiments.switchback.schedule import make_schedule
from measurement import Panel

NAME = "switchback"
START = date(2024, 1, 1)
LEVEL, EFFECT, NOISE = 1000.0, 0.05, 0.05
ABOUT = """Switchback and on-off tests of a planted effect (`python benchmarks/study_switchback.py`). The noise of a
market is 5 % of its KPI with first-order autocorrelation *rho*; the day of the week moves it by up to 15 %. *covered*
is the share of 90 % intervals that hold the truth, *error* its binomial standard error; *width* is the median half
width and *bias* the mean error, both as a share of the KPI, and *off* the bias in its own standard errors. *below
.05* and *below .10* are shares of the p-values of the truth, *distance* their largest distance from uniform."""


@dataclass(frozen=True)
class World:
    """One kind of market and schedule.

    Attributes:
        name: Its name.
        rho: Autocorrelation of the noise from one period to the next.
        block: Length of a block in periods; 0 for an on-off test without off-blocks.
        pattern: Rule of the draw.
        walk: Standard deviation of a random walk's steps, as a share of the KPI.
        geos: Geos that switch each by itself.
        shared: Standard deviation of the noise that geos share.
        period: Cadence.
    """

    name: str
    rho: float
    block: int = 7
    pattern: str = "pairs"
    walk: float = 0.0
    geos: int = 1
    shared: float = 0.0
    period: str = "day"


WORLDS = (
    World("daily, no autocorrelation", 0.0),
    World("daily, rho .6", 0.6),
    World("daily, rho .9", 0.9),
    World("daily, rho .6, blocks of 3 days", 0.6, block=3),
    World("daily, rho .6, uniform draw", 0.6, pattern="uniform"),
    World("daily, rho .6 and a random walk", 0.6, walk=0.01),
    World("weekly, rho .5, 24 blocks of 2 weeks", 0.5, block=2, period="week"),
    World("10 geos each by itself, shared noise", 0.6, geos=10, shared=0.05),
    World("on-off, rho .3", 0.3, block=0),
    World("on-off, rho .6", 0.6, block=0),
    World("on-off, rho .9", 0.9, block=0),
    World("on-off, rho .6 and a random walk", 0.6, block=0, walk=0.01),
)


def noise(rng: np.random.Generator, geos: int, periods: int, rho: float) -> np.ndarray:
    """Stationary autoregressive noise of unit variance, shape (geos, periods)."""
    steps = rng.normal(size=(geos, periods))
    steps[:, 1:] *= np.sqrt(1 - rho**2)
    for i in range(1, periods):
        steps[:, i] += rho * steps[:, i - 1]
    return steps


def drawn(world: World, rng: np.random.Generator) -> tuple[Panel, Experiment]:
    """A market with the effect in it, and the record of its test."""
    weekly = world.period == "week"
    before, during, after = (52, 48, 0) if weekly else (56, 28, 56) if not world.block else (56, 84, 0)
    periods, step = before + during + after, 7 if weekly else 1
    day = 2 * np.pi * np.arange(periods) / 7
    kpi = 1 + NOISE * noise(rng, world.geos, periods, world.rho) + (0 if weekly else 0.1 * np.sin(day))
    kpi += 0 if weekly else 0.05 * np.cos(2 * day)
    kpi += world.shared * noise(rng, 1, periods, world.rho)
    kpi += world.walk * rng.normal(size=kpi.shape).cumsum(axis=1)
    kpi *= LEVEL
    start = START + timedelta(before * step)
    geos = tuple(f"g{row:02d}" for row in range(world.geos))
    plan = {"experiment_id": "s", "channel": ("tv",), "start_date": start, "burn_in": 1, "spend_delta": 1.0}
    if world.block:
        seed = int(rng.integers(1 << 30))
        named = geos if world.geos > 1 else ()
        blocks = make_schedule(start, during, world.block, 1, seed, world.pattern, period=world.period, geos=named)
        on = np.repeat([block.on for block in blocks], world.block).reshape(world.geos, during)
        kpi[:, before:] += EFFECT * LEVEL * on
        plan |= {"method": "switchback", "schedule": blocks, "assignment": Assignment(rule=world.pattern, seed=seed)}
    else:
        kpi[:, before : before + during] += EFFECT * LEVEL
        plan |= {"method": "on_off"}
    nothing = np.zeros((world.geos, periods, 0))
    panel = Panel(
        dates=np.datetime64(START) + np.arange(periods) * step,
        geos=geos,
        channels=(),
        spend=nothing,
        exposure=nothing,
        kpis={"sales": kpi},
        kpi="sales",
        period=world.period,
    )
    return panel, Experiment(**plan, end_date=start + timedelta(during * step - 1))


def lines(world: World, runs: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """One line of the table for every estimator that speaks in this world."""
    seen: dict[str, list[tuple[float, ...]]] = {}
    for run in range(runs):
        case = resolve(*drawn(world, rng))
        size = float(case.scale.mean()) if world.geos > 1 else 1.0  # the effect is per unit of a geo's own size
        truth = EFFECT * LEVEL / size
        for name, fitter in FITTERS.items():
            fitted = fitter(case, run)
            if fitted is None or (name == "randomisation" and not world.block):
                continue
            low, high = fitted.test.interval(0.1)
            unit = LEVEL / size
            seen.setdefault(name, []).append(
                (
                    low <= truth <= high,
                    (high - low) / 2 / unit,
                    (fitted.test.estimate - truth) / unit,
                    fitted.test.p_value(truth),
                )
            )
    for name, found in seen.items():
        covered, width, error, p_value = np.array(found, dtype=np.float64).T
        share = float(covered.mean())
        grid = np.arange(1, 33) / 32  # the fewest schedules with which a test is made
        yield {
            "world": world.name,
            "estimator": name,
            "covered": share,
            "error": float(np.sqrt(share * (1 - share) / runs)),
            "width": float(np.median(width)),
            "bias": float(error.mean()),
            "off": float(error.mean() / error.std(ddof=1) * np.sqrt(runs)),
            "below .05": float((p_value < 0.05).mean()),
            "below .10": float((p_value < 0.1).mean()),
            "distance": float(np.abs((p_value[:, None] <= grid + 1e-9).mean(axis=0) - grid).max()),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="tests per world")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = []
    for number, world in enumerate(WORLDS):
        found += list(lines(world, options.runs, np.random.default_rng([options.seed, number])))
        print(world.name, flush=True)
    print(tables.write(NAME, ABOUT, found, runs=options.runs, seed=options.seed))


if __name__ == "__main__":
    main()
