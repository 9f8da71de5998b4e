"""Do lift tests mend the model where spend follows demand, and is a wrong test found? Many simulated companies.

``python benchmarks/study_calibration.py [--runs 120] [--seed 601] [--keep FOLDER]`` writes ``results/calibration.csv``
and ``results/calibration_flags.csv`` with their ``.md``. A world takes some twenty seconds on a free core; with
``--keep`` each world's result is written down as soon as it is there, and a later run goes on from them.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import study_mmm
import tables

from calibration import gather, readings
from calibration.calibrated_fit import between_tests
from calibration.conflict import Conflict, judge
from calibration.second_reading import Reading
from experiments.records import parse
from measurement import mmm
from measurement.lift import Lift
from measurement.mmm import Posterior, Sampling, Spec
from measurement.mmm.spec import ChannelSpec
from measurement.panel import Panel
from measurement.simulate import World, geo, simulate
from measurement.simulate.settings import TrialPlan

SAMPLING = Sampling(chains=2, warmup=150, draws=200)
GEOS, WEEKS, TREATED, SHARE, PRECISION, WRONG, LEAST = 16, 78, 6, 0.03, 0.15, 5.0, 0.3
CHANNELS = ("brand_search", "generic_search", "affiliates", "social")
TESTS = (("brand_search", 26), ("generic_search", 40), ("brand_search", 56))
ABOUT = f"""Simulated companies whose spend follows demand (`python benchmarks/study_calibration.py`): {GEOS} geos,
{WEEKS} weeks, channels with {SHARE:.0%} of revenue each: brand search (strong, two tests), generic search (some, one
test), affiliates (some, untested) and social (no, untested). Truths (iROAS, decay, half-saturation, slope, spread
between geos) are drawn from populations as wide as the model's default priors. Tests go dark in {TREATED} geos for
eight weeks, with a standard error of {PRECISION:.0%} of the channel's iROAS. """
FITS = """*confounding term*: `yes` as the model is, `no` the first worlds with no channel marked as following demand.
*covered* is the share of 90 % intervals that hold the true iROAS, *error* its standard error over worlds, *width* the
mean log of high / low, *bias* and *rmse* those of the log of median over truth; *falls* the share of worlds in which
the root mean square error over these channels is smaller with the tests than without."""
FLAGS = f"""One test is reported {WRONG:.0f} times too large, its standard error as it is. *flagged*: its channel's
number is withheld; *model alone*: flagged by the model fitted without it (and by other tests of the channel), without
reading the panel's own sales again. `among three`: one of the company's three tests, each in a third of the worlds;
`the only test`: judged as if the company had no other; both by the fit without tests. `sound`: all tests as they are.
*worth knowing*: channels with a true iROAS of at least {LEAST}."""
type Found = dict[str, Any]


def world_of(seed: int) -> World:
    """A company with truths as uncertain as the default priors, and three tests."""
    made, rng, like = geo(GEOS, WEEKS, CHANNELS, seed, n_tests=0), np.random.default_rng((seed, 1)), ChannelSpec()
    channels = tuple(
        study_mmm.channel_like_its_prior(replace(channel, peak=0.0, l_max=8, share=SHARE, flight=None), rng, like)
        for channel in made.channels
    )
    iroas = {channel.name: channel.iroas for channel in channels}
    trials = tuple(
        TrialPlan(f"test-{i + 1}", name, start=start, weeks=8, treated=TREATED, iroas_se=PRECISION * iroas[name])
        for i, (name, start) in enumerate(TESTS)
    )
    return simulate(replace(made, channels=channels, trials=trials, history=12))


def one(seed: int) -> Found:
    """One world: the numbers of both fits and every judgement."""
    world = world_of(seed)
    panel, lifts, again = tested(world)
    sibling, calibrated = fits(world, panel, lifts, seed, "yes")
    wrong = seed % len(lifts)
    planted = [five_times(lift) if i == wrong else lift for i, lift in enumerate(lifts)]
    alone = [
        judged(panel, sibling, None, [five_times(lift)], [read])[0] for lift, read in zip(lifts, again, strict=True)
    ]
    return {
        "truth": [world.truth.iroas[name] for name in panel.channels],
        "channels": list(panel.channels),
        "without tests": intervals(sibling),
        "with tests": intervals(calibrated),
        "wrong": wrong,
        "sound": said(judged(panel, sibling, calibrated, lifts, again)),
        "among three": said(judged(panel, sibling, None, planted, again)),
        "the only test": said(alone),
    }


def contrast(seed: int) -> Found:
    """The same world by a model without the confounding term."""
    world = world_of(seed)
    panel, lifts, _ = tested(world)
    sibling, calibrated = fits(world, panel, lifts, seed, "no")
    truth = [world.truth.iroas[name] for name in panel.channels]
    found: Found = {"truth": truth, "channels": list(panel.channels)}
    return found | {"without tests": intervals(sibling), "with tests": intervals(calibrated)}


def tested(world: World) -> tuple[Panel, list[Lift], tuple[Reading | None, ...]]:
    """The panel, the tests, and what the panel's own sales say of them."""
    panel = world.panel()
    evidence, _ = gather(parse(world.experiments), panel)
    return panel, [item.lift for item in evidence], readings(evidence, panel)


def fits(world: World, panel: Panel, lifts: list[Lift], seed: int, term: str) -> tuple[Posterior, Posterior]:
    """The fit without tests and the one with them."""
    marks = {c.name: {"demand_driven": c.demand_driven if term == "yes" else "no"} for c in world.truth.settings}
    spec = Spec.default(panel, channels=marks)
    sibling = mmm.fit(panel, spec, held_back=lifts, seed=seed, sampling=SAMPLING)
    return sibling, mmm.fit(panel, spec, lifts, seed=seed, sampling=SAMPLING)


def five_times(lift: Lift) -> Lift:
    """The same test reported five times too large."""
    return replace(lift, outcome_change=WRONG * lift.outcome_change)


def intervals(posterior: Posterior) -> list[list[float]]:
    """Low, median and high iROAS by channel, shape (3, channels)."""
    ends: list[list[float]] = np.quantile(posterior.draws["iroas"], [0.05, 0.5, 0.95], axis=0).tolist()
    return ends


def judged(
    panel: Panel,
    sibling: Posterior,
    calibrated: Posterior | None,
    lifts: Sequence[Lift],
    again: Sequence[Reading | None],
) -> tuple[Conflict, ...]:
    """The judgement on each test, as `calibration.calibrate` makes it."""
    spread = None if calibrated is None else between_tests(calibrated, panel, lifts)
    return judge(
        lifts,
        [mmm.lift_delta(sibling, panel, lift) for lift in lifts],
        None if calibrated is None else [mmm.lift_delta(calibrated, panel, lift) for lift in lifts],
        sibling.draws["iroas"],
        panel.channels,
        spread=spread,
        readings=again,
    )


def said(conflicts: Sequence[Conflict]) -> list[dict[str, object]]:
    """What is kept of judgements."""
    return [{"channel": c.channels[0], "p": c.p, "panel_p": c.panel_p, "verdict": c.verdict} for c in conflicts]


def worlds_of(seeds: range, keep: Path | None, made: Callable[[int], Found] = one) -> list[Found]:
    """``made`` for each seed; what ``keep`` holds already is not made again."""
    worlds = []
    for seed in seeds:
        file = None if keep is None else keep / f"{seed}-{made.__name__}.json"
        if file is not None and file.exists():
            worlds.append(json.loads(file.read_text(encoding="utf-8")))
            continue
        worlds.append(made(seed))
        print(f"world {seed}, {made.__name__}", flush=True)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(worlds[-1]), encoding="utf-8")
    return worlds


def fit_rows(worlds: Sequence[Found], without: Sequence[Found]) -> list[dict[str, object]]:
    """Coverage and error of every fit, by group of channels; ``without`` the confounding term."""
    untested = set(CHANNELS) - {name for name, _ in TESTS}
    groups = {"tested": set(CHANNELS) - untested, "untested": untested} | {name: {name} for name in CHANNELS}
    rows: list[dict[str, object]] = []
    for term, found in (("yes", worlds), ("no", without)):
        for group, names in groups.items():
            before: list[float] = []
            for fit in ("without tests", "with tests"):
                each = [_errors(world, fit, names) for world in found]
                held, width, error = np.concatenate(each, axis=1)
                covered, rms = np.array([e[0].mean() for e in each]), [float(np.sqrt((e[2] ** 2).mean())) for e in each]
                row: dict[str, object] = {"confounding term": term, "channels": group, "fit": fit, "worlds": len(each)}
                row |= {"covered": float(held.mean()), "error": float(covered.std(ddof=1) / np.sqrt(len(each)))}
                row |= {"width": float(width.mean()), "bias": float(error.mean())}
                row |= {"rmse": float(np.sqrt((error**2).mean()))}
                falls = float(np.mean(np.array(rms) < np.array(before))) if before else "–"
                rows.append(row | {"falls": falls})
                before = rms
    return rows


def _errors(world: Found, fit: str, names: set[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Held or not, log width, log error, shape (3, channels)."""
    mine = [c for c, name in enumerate(world["channels"]) if name in names]
    (low, median, high), truth = np.array(world[fit])[:, mine], np.array(world["truth"])[mine]
    return np.stack([(low <= truth) & (truth <= high), np.log(high / low), np.log(median / truth)])


def flag_rows(worlds: Sequence[Found]) -> list[dict[str, object]]:
    """How often wrong and sound tests are flagged."""
    rows = []
    for case in ("among three", "the only test", "sound"):
        for which in ("all", *dict(TESTS)):
            found = [
                (test, world["truth"][world["channels"].index(test["channel"])])
                for world in worlds
                for i, test in enumerate(world[case])
                if which in ("all", test["channel"]) and (case != "among three" or i == world["wrong"])
            ]
            worth = [test for test, truth in found if truth >= LEAST]
            row: dict[str, object] = {"reported": case if case == "sound" else "five times", "tests": case}
            row |= {"channel": which, "number": len(found), "flagged": _share([t for t, _ in found], True)}
            row |= {"model alone": _share([t for t, _ in found], False), "number worth knowing": len(worth)}
            rows.append(row | {"flagged, worth knowing": _share(worth, True)})
    return rows


def _share(tests: Sequence[dict[str, Any]], again: bool) -> float:
    flagged = [
        t["verdict"] == "tests disagree"
        or min(t["p"], t["panel_p"] if again and t["panel_p"] is not None else 1) < 0.01
        for t in tests
    ]
    return float(np.mean(flagged))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=120)
    parser.add_argument("--seed", type=int, default=601)
    parser.add_argument("--contrast", type=int, default=40, help="worlds that are fitted without the term as well")
    parser.add_argument("--keep", type=Path, help="folder of single worlds' results")
    asked = parser.parse_args()
    worlds = worlds_of(range(asked.seed, asked.seed + asked.runs), asked.keep)
    without = worlds_of(range(asked.seed, asked.seed + min(asked.runs, asked.contrast)), asked.keep, contrast)
    print(tables.write("calibration", ABOUT + FITS, fit_rows(worlds, without), runs=asked.runs, seed=asked.seed))
    print(tables.write("calibration_flags", ABOUT + FLAGS, flag_rows(worlds), runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
