"""Does the inference of geo tests hold what it promises? Placebo tests without an effect, and with one put in.

``THEODOLITE_REFERENCE_DATA=FOLDER python benchmarks/study_experiments.py [--runs 5000] [--seed 1]`` takes public panels
before anything was tested on them and simulated ones, and in random windows analyses random sets of geos as if they
had been treated. A window's sets are fitted once; each takes its turn as the treated one, beside 200 of the others
drawn anew, with everything else as `experiments.analyse` does it (a test holds the two side by side).
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tables

from experiments.geo.case import Case, weekly_pattern
from experiments.geo.estimators import DEFAULT, ESTIMATORS, Block, Estimator
from experiments.geo.inference import LONG_HISTORY, Randomised
from experiments.geo.inference.conformal import FEWEST_PERIODS, conformal_test, cross_fitted_gap
from experiments.geo.inference.randomisation import Reference, fit_sets, relative_sizes
from experiments.geo.inference.self_calibration import SelfCalibration, history, judged
from experiments.geo.inference.t_test import cross_fitted_test, folded_effects

POOL, PER_WINDOW, BESIDE = 250, 25, 200
EFFECT = 0.10
ESTIMATOR_RUNS, CHOSEN_RUNS, ONE_BY_ONE_RUNS, FALLBACK_RUNS = 600, 500, 100, 400
ABOUT = """Placebo tests of geo tests (`python benchmarks/study_experiments.py`): random windows of 1, 2 or 3 weeks
(weekly data: 2, 4 or 8), random treated sets of 2 geos up to half of all, 200 reference sets. *coverage* is the share
of 90 % intervals that hold zero where nothing happened, *with effect* the share that hold a 10 % lift put into the
treated geos, which other sets see too; *false 5 %* the share of p-values below .05; *distance* the largest gap between
the p-values' distribution and the uniform one; *bias* the mean estimate in standard errors, *its error* over windows;
*inflated* the share of tests that self-calibration widened; *half width* the median half width of the interval as a
share of the KPI."""


@dataclass(frozen=True)
class Source:
    """Where panels of one line come from.

    Attributes:
        name: Its name.
        draw: A panel without any test from a source of chance, shape (geos, periods).
        lengths: Lengths of the read-out.
    """

    name: str
    draw: Callable[[np.random.Generator], np.ndarray]
    lengths: tuple[int, ...] = (7, 14, 21)


@dataclass(frozen=True, eq=False)
class Window:
    """One window of one panel with a pool of fitted sets.

    Attributes:
        case: The window; every geo takes part.
        members: The pool, shape (sets, geos).
        reference: The fits of the pool.
        past: Studentised effects in the history, shape (runs, sets).
        effective: How many of them share no period.
    """

    case: Case
    members: np.ndarray
    reference: Reference
    past: np.ndarray
    effective: int


def simulated(kind: str, rng: np.random.Generator, geos: int = 40, days: int = 120) -> np.ndarray:
    """Geos that wander by themselves; or unlike loadings on common factors with heavy tails and unlike noise."""
    size, week = np.exp(rng.normal(6, 0.9, (geos, 1))), 0.12 * np.sin(2 * np.pi * np.arange(days) / 7)
    walks = rng.normal(size=(3, days)).cumsum(axis=1) / 2
    if kind == "drift":
        own = 0.03 * rng.normal(size=(geos, days)) + 0.005 * rng.normal(size=(geos, days)).cumsum(axis=1)
        return size * (3 + week + 0.02 * walks.sum(axis=0) + own)
    noise = 0.04 * np.exp(rng.normal(0, 0.6, (geos, 1))) * rng.standard_t(3, (geos, days))
    return size * (3 + week + 0.04 * rng.normal(size=(geos, 3)) @ walks + noise)


def wide(frame: pd.DataFrame, geo: str, day: str, value: str) -> np.ndarray:
    """Geos with every period, shape (geos, periods)."""
    return frame.pivot(index=geo, columns=day, values=value).dropna().to_numpy(np.float64)


def sources(folder: Path | None) -> list[Source]:
    """Simulated panels, and public ones where the folder is given."""
    found = [
        Source(kind, lambda rng, kind=kind: simulated(kind, rng)) for kind in ("drift", "unlike geos, heavy tails")
    ]
    if folder is None:
        return found
    groups = pd.read_csv(folder / "GeoexperimentsResearch_geoassignment.csv")
    sold = pd.read_csv(folder / "GeoexperimentsResearch_salesandcost.csv")
    controls = sold[sold["geo"].isin(groups.loc[groups["geo.group"] == 1, "geo"])]
    matched = pd.read_csv(folder / "trimmed_match_post_analysis.csv")
    public = {
        "GeoLift": (wide(pd.read_csv(folder / "GeoLift_PreTest.csv"), "location", "date", "Y"), (7, 14, 21)),
        "Google, control half": (wide(controls, "geo", "date", "sales"), (7, 14, 21)),
        "trimmed match": (wide(matched[matched["date"] < "2020-11-04"], "geo", "date", "response"), (7, 14, 21)),
        "Meridian": (
            wide(pd.read_csv(folder / "meridian_geo_media.csv"), "geo", "time", "conversions"),
            (2, 4, 8),
        ),
    }
    return [
        *(
            Source(name, lambda rng, panel=panel: _part(panel, rng), lengths)
            for name, (panel, lengths) in public.items()
        ),
        *found,
    ]


def _part(panel: np.ndarray, rng: np.random.Generator, most: int = 40, longest: int = 120) -> np.ndarray:
    """At most 40 geos and 120 periods of a large panel."""
    first = int(rng.integers(0, max(panel.shape[1] - longest, 0) + 1))
    rows = rng.choice(len(panel), min(len(panel), most), replace=False)
    return panel[rows, first : first + longest]


def window_of(source: Source, estimator: Estimator, rng: np.random.Generator, pool: int) -> Window:
    """Draw a window and fit its pool."""
    outcome = source.draw(rng)
    geos, periods = outcome.shape
    length = int(rng.choice(source.lengths))
    onset = int(rng.integers(max(3 * length, periods // 3), periods - length + 1))
    size = int(rng.integers(2, geos // 2 + 1))
    sets = np.unique(rng.permuted(np.tile(np.arange(geos) < size, (pool, 1)), axis=1), axis=0)
    members = sets[rng.permutation(len(sets))]
    case = case_of(outcome, members[0], onset, onset + length, daily=source.lengths[0] == 7)
    block = case.block(estimator.whole_weeks)
    everybody = np.ones(geos, dtype=np.bool_)
    reference = fit_sets(outcome, members, everybody, (block.start, block.onset, block.end), estimator)
    return Window(case, members, reference, *history(case, members, estimator))


def case_of(outcome: np.ndarray, treated: np.ndarray, onset: int, end: int, daily: bool) -> Case:
    dates = np.datetime64("2024-01-01") + np.arange(outcome.shape[1]).astype("timedelta64[D]")
    weekly = daily and weekly_pattern(outcome[:, :onset])
    names = tuple(f"g{row}" for row in range(len(outcome)))
    return Case(outcome, dates, names, np.flatnonzero(treated), np.flatnonzero(~treated), onset, end, end, weekly, ())


def randomised(window: Window, own: int, others: np.ndarray, recorded: bool) -> tuple[Randomised, SelfCalibration]:
    """One set of the pool as the treated one, beside others: what `experiments.analyse` makes of them."""
    case, reference = window.case, window.reference
    start = case.block(whole_weeks=True).start
    treated = np.flatnonzero(window.members[own])
    share = relative_sizes(case.outcome[:, start : case.onset], treated)
    calibration = judged(window.past[:, [own, *others[:100]]], window.effective, not recorded)
    overlaps = reference.contrasts[others] @ share
    error = float(reference.errors[own])
    made = Randomised(window.members[others], reference.take(others), overlaps, error, calibration.inflation)
    return made, calibration


def judge(window: Window, own: int, others: np.ndarray, recorded: bool = False) -> dict[str, float]:
    """One placebo test, without an effect and with one."""
    found, calibration = randomised(window, own, others, recorded)
    case, means = window.case, window.reference.paths.mean(axis=1)
    test = found.test(means[others], float(means[own]))
    low, high = test.interval(0.1)
    during = case.outcome[:, case.onset : case.end].mean(axis=1)
    lift = np.where(window.members[own], EFFECT * during, 0.0)
    truth = float(lift[window.members[own]].mean())
    seen = means[others] + window.reference.contrasts[others] @ lift
    bottom, top = found.test(seen, float(means[own]) + truth).interval(0.1)
    wide, narrow = test.interval(0.1)[1], test.interval(0.1)[0]
    level = float(np.abs(case.outcome[window.members[own], : case.onset]).mean())
    return {
        "coverage": low <= 0 <= high,
        "with effect": bottom <= truth <= top,
        "false 5 %": test.p_value() < 0.05,
        "p": test.p_value(),
        "bias": test.estimate / ((wide - narrow) / 2 / 1.645),
        "inflated": calibration.inflation > 1,
        "half width": (wide - narrow) / 2 / level,
    }


def summary(runs: list[dict[str, float]]) -> dict[str, object]:
    """One line of the table."""
    frame = pd.DataFrame(runs).astype(float)
    windows = frame.groupby("window")["bias"].mean()
    ordered = np.sort(frame["p"])
    count = len(ordered)
    above, below = np.arange(1, count + 1) / count - ordered, ordered - np.arange(count) / count
    ties = 1 / (BESIDE + 1)  # p-values come in steps of this size
    return {
        "tests": count,
        "coverage": float(frame["coverage"].mean()),
        "with effect": float(frame["with effect"].mean()),
        "false 5 %": float(frame["false 5 %"].mean()),
        "distance": float(max(above.max(), below.max() - ties, 0.0)),
        "bias": float(frame["bias"].mean()),
        "its error": float(windows.std(ddof=1) / np.sqrt(len(windows))) if len(windows) > 1 else float("nan"),
        "inflated": float(frame["inflated"].mean()),
        "half width": float(frame["half width"].median()),
    }


def random_sets(source: Source, estimator: Estimator, runs: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """Random sets of random windows, each beside other random sets."""
    found: list[dict[str, float]] = []
    while len(found) < runs:
        window = window_of(source, estimator, rng, POOL)
        for own in range(min(PER_WINDOW, runs - len(found))):
            others = np.delete(np.arange(len(window.members)), own)
            placebo = judge(window, own, rng.choice(others, min(BESIDE, others.size), replace=False))
            found.append(placebo | {"window": len(found) // PER_WINDOW})
    return found


def one_by_one(source: Source, estimator: Estimator, runs: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """For estimators without loadings: the other sets' donors depend on the treated set, so nothing can be shared."""
    found = []
    for _ in range(runs):
        window = window_of(source, estimator, rng, 101)
        case, members = window.case, window.members
        pool = ~members[0]
        block = case.block(estimator.whole_weeks)
        bounds = block.start, block.onset, block.end
        others = fit_sets(case.outcome, members[1:], pool, bounds, estimator)
        first = window.reference.take(np.array([0]))
        joined = Reference(*(np.concatenate([getattr(first, n), getattr(others, n)]) for n in Reference.__slots__))
        beside = np.arange(1, len(members))
        placebo = judge(Window(case, members, joined, window.past, window.effective), 0, beside)
        found.append(placebo | {"window": len(found)})
    return found


def chosen_sets(source: Source, runs: int, rng: np.random.Generator) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Sets that somebody chose: the largest geos; the best fits, analysed without and with the draw they came from."""
    largest, best, recorded = [], [], []
    estimator = ESTIMATORS[DEFAULT]
    for number in range(runs // 5):
        window = window_of(source, estimator, rng, POOL)
        case, members, reference = window.case, window.members, window.reference
        size = int(members[0].sum())
        sizes = case.outcome[:, : case.onset].mean(axis=1)
        top = np.argsort(-sizes)[:size]
        big = np.isin(np.arange(len(sizes)), top)
        with_big = np.vstack([big, members[(members != big).any(axis=1)]])
        block = case.block(estimator.whole_weeks)
        own = fit_sets(
            case.outcome, with_big[:1], ~np.zeros_like(big), (block.start, block.onset, block.end), estimator
        )
        rest = reference.take(np.flatnonzero((members != big).any(axis=1)))
        joined = Reference(*(np.concatenate([getattr(own, n), getattr(rest, n)]) for n in Reference.__slots__))
        past = np.hstack([history(case, with_big[:1], estimator)[0], window.past[:, (members != big).any(axis=1)]])
        wide_window = Window(case, with_big, joined, past, window.effective)
        beside = np.arange(1, min(BESIDE, len(with_big) - 1) + 1)
        largest.append(judge(wide_window, 0, beside) | {"window": number})
        level = members @ sizes / size
        order = np.argsort(reference.errors / level)
        near = order[: max(60, len(order) // 5)]
        for own_place in rng.choice(near, 5, replace=False):
            others = np.delete(np.arange(len(members)), own_place)
            beside = rng.choice(others, min(BESIDE, others.size), replace=False)
            best.append(judge(window, own_place, beside) | {"window": number})
            recorded.append(judge(window, own_place, near[near != own_place], recorded=True) | {"window": number})
    yield "largest geos", largest
    yield "near-best sets, draw not on record", best
    yield "near-best sets, draw on record", recorded


def few_geos(source: Source, runs: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """One treated geo among 4 to 10: cyclic blocks against the cross-fitted t-test, by length of the history."""
    estimator = ESTIMATORS[DEFAULT]
    length = max(source.lengths[0], 4)
    for ratio in (2, 3, 4, 5, 6, 8):
        if (ratio + 1) * length < FEWEST_PERIODS:
            continue
        held: dict[str, list[tuple[bool, float]]] = {"cyclic blocks": [], "cross-fitted t": []}
        for _ in range(runs):
            outcome = source.draw(rng)
            count = int(rng.integers(4, 11))
            first = int(rng.integers(0, outcome.shape[1] - (ratio + 1) * length + 1))
            rows = rng.choice(len(outcome), count, replace=False)
            part = outcome[rows, first : first + (ratio + 1) * length]
            block = Block(part, np.array([0]), np.arange(1, count), 0, ratio * length, (ratio + 1) * length)
            effects, before = estimator.fit(block).effects, block.pre_length
            blocks = conformal_test(cross_fitted_gap(block, estimator), before)
            folds = cross_fitted_test(folded_effects(block, estimator), effects, before, 0, length)
            for name, (low, high) in zip(held, (blocks.interval(0.1), folds.interval(0.1)), strict=True):
                held[name].append((low <= 0 <= high, (high - low) / 2 / float(np.abs(part[0]).mean())))
        line: dict[str, object] = {"panel": source.name, "history / read-out": ratio, "tests": runs}
        for name, rows_of in held.items():
            line[f"{name}: coverage"] = float(np.mean([held_zero for held_zero, _ in rows_of]))
            line[f"{name}: half width"] = float(np.median([half for _, half in rows_of]))
        line["used"] = "cyclic blocks" if ratio >= LONG_HISTORY else "cross-fitted t"
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = os.environ.get("THEODOLITE_REFERENCE_DATA")
    share = min(options.runs / 5000, 1.0)
    lines, chosen, few = [], [], []
    for number, source in enumerate(sources(Path(folder) if folder else None)):
        for place, (name, estimator) in enumerate(ESTIMATORS.items()):
            rng = np.random.default_rng([options.seed, number, place])
            linear = (
                estimator.fit(window_of(source, estimator, rng, 2).case.block(whole_weeks=False)).loadings is not None
            )
            runs = options.runs if name == DEFAULT else int(ESTIMATOR_RUNS * share)
            way = random_sets if linear else one_by_one
            runs = runs if linear else int(ONE_BY_ONE_RUNS * share)
            lines.append({"panel": source.name, "estimator": name} | summary(way(source, estimator, runs, rng)))
            print(lines[-1], flush=True)
        rng = np.random.default_rng([options.seed, number, 99])
        for name, found in chosen_sets(source, int(CHOSEN_RUNS * share), rng):
            chosen.append({"panel": source.name, "treated": name} | summary(found))
            print(chosen[-1], flush=True)
        rng = np.random.default_rng([options.seed, number, 98])
        few += few_geos(source, int(FALLBACK_RUNS * share), rng)
        print(*few[-6:], sep="\n", flush=True)
    made = {"runs": options.runs, "seed": options.seed}
    tables.write("experiments_placebo", ABOUT, lines, **made)
    tables.write("experiments_chosen_sets", ABOUT + "\n\n" + CHOSEN, chosen, **made)
    tables.write("experiments_few_geos", FEW, few, **made)


CHOSEN = """Here the treated geos were *not* drawn at random: they are the largest geos, or sets of the fifth that fit
best, once without and once with the record of the draw among them. Randomisation inference promises nothing for a
choice; self-calibration sees part of it."""
FEW = """One treated geo among 4 to 10, too few for reference sets (`python benchmarks/study_experiments.py`): cyclic
blocks against the cross-fitted t-test in three folds, by how often the history holds the read-out (one week; four
periods of weekly data). Nominal 90 %, no effect. *used* is what `experiments.analyse` takes."""


if __name__ == "__main__":
    main()
