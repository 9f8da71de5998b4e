"""Is the promised power delivered? Designs on a history, their stated effect put into a later window, the test made.

``THEODOLITE_REFERENCE_DATA=FOLDER python benchmarks/study_power.py [--runs 4000] [--seed 1]`` takes panels with
different drawn geos, sizes of sets and directions, plans a test at 80 % power on the history up to a cut, puts the
design's own minimum detectable effect on a set of its pool in the window after the cut, and makes the design's
randomisation test at alpha .10. Every set of the pool takes its turn as the drawn one. Real panels need the folder of
public data; without it they are left out. One test of every design goes through `experiments.analyse` as well.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tables

from experiments import analyse
from experiments.planning import plan
from experiments.planning.goal import Goal
from experiments.planning.plan import design, stage_of
from experiments.planning.power import rehearse
from experiments.planning.proposal import Design
from measurement import Panel

NAME = "power"
WANTED = 0.8
CANDIDATES = 300
"""Sets that each search begins with: about as many as a search over several sizes gives to one of them."""
ABOUT = """Power at the stated minimum detectable effect: designs made on a history, their effect put into the window
that follows it, the test made as the design says (`python benchmarks/study_power.py`). *found* is the share of injected
effects that the test finds (promised: .80), *error* its standard error over designs. *plain* is the same at the effect
before the stretch for few windows, *optimistic* at the effect that the windows which chose the geos would promise:
what a tool without held-back windows delivers. *false* is the share of tests without an effect that find one (alpha
.10). *windows* are separate planning windows of a design, *none* designs that say that no effect is found reliably.
*analyse* is the share of designs whose drawn set gets the same answer from `experiments.analyse`. Panels with few later
windows (GeoLift's and Google's have 90 to 105 days) tell little on their own: their designs share the same few weeks,
which were wilder than those before them in the one and calmer in the other, so that the error is larger than it looks.
The last line is the mean over panels."""


@dataclass(frozen=True)
class Source:
    """Where the panels of one line of the table come from.

    Attributes:
        name: Its name.
        draw: A panel of so many geos from a source of chance.
        period: Cadence.
        lengths: Durations.
        least: Fewest periods of history.
    """

    name: str
    draw: Callable[[np.random.Generator], np.ndarray]
    period: str
    lengths: tuple[int, ...]
    least: int


def simulated(kind: str, rng: np.random.Generator, geos: int = 40, days: int = 280) -> np.ndarray:
    """Sizes that differ and a week; noise alone, drifting factors, or factors of unlike loadings with slow noise."""
    size, week = np.exp(rng.normal(6, 0.9, (geos, 1))), 0.15 * np.sin(2 * np.pi * np.arange(days) / 7)
    walks = rng.normal(size=(3, days)).cumsum(axis=1) / 2
    noise = 0.05 * rng.normal(size=(geos, days))
    if kind == "drift":
        loadings, noise = (
            1.0 + 0.2 * rng.normal(size=(geos, 3)),
            noise + 0.004 * rng.normal(size=(geos, days)).cumsum(1),
        )
    elif kind == "loadings":
        loadings, slow = rng.normal(size=(geos, 3)), np.zeros((geos, days))
        for day in range(1, days):
            slow[:, day] = 0.7 * slow[:, day - 1] + noise[:, day]
        noise = slow * np.exp(rng.normal(0, 0.4, (geos, 1)))
    else:
        loadings = np.zeros((geos, 3))
    return np.maximum(size * (1 + week + 0.02 * loadings @ walks + noise), 0.0)


def wide(file: Path, geo: str, day: str, value: str, keep: Callable[[pd.DataFrame], pd.DataFrame]) -> np.ndarray:
    return keep(pd.read_csv(file)).pivot(index=geo, columns=day, values=value).dropna().to_numpy(np.float64)


def sources(folder: Path | None) -> list[Source]:
    """Simulated panels, and real ones where the folder is given."""
    found = [
        Source(kind, lambda rng, kind=kind: simulated(kind, rng), "day", (14, 28), 140)
        for kind in ("noise", "drift", "loadings")
    ]
    if folder is None:
        return found
    group = pd.read_csv(folder / "GeoexperimentsResearch_geoassignment.csv")
    controls = set(group.loc[group["geo.group"] == 1, "geo"])
    tested = ("chicago", "portland")
    real = {
        "geolift": (
            wide(
                folder / "GeoLift_Test.csv",
                "location",
                "date",
                "Y",
                lambda frame: frame[~frame["location"].isin(tested)],
            ),
            "day",
            (7, 14),
            56,
        ),
        "google": (
            wide(
                folder / "GeoexperimentsResearch_salesandcost.csv",
                "geo",
                "date",
                "sales",
                lambda frame: frame[frame["geo"].isin(controls)],
            ),
            "day",
            (7, 14),
            56,
        ),
        "trimmed_match": (
            wide(folder / "trimmed_match_post_analysis.csv", "geo", "date", "response", lambda frame: frame),
            "day",
            (14, 28),
            112,
        ),
        "meridian": (
            wide(folder / "meridian_geo_media.csv", "geo", "time", "conversions", lambda frame: frame),
            "week",
            (4, 8),
            60,
        ),
    }
    for name, (outcome, period, lengths, least) in real.items():
        count = min(len(outcome), max(20, len(outcome) * 3 // 4), 40)
        found.append(
            Source(
                name,
                lambda rng, outcome=outcome, count=count: outcome[rng.choice(len(outcome), count, replace=False)],
                period,
                lengths,
                least,
            )
        )
    return found


def panel_of(outcome: np.ndarray, period: str) -> Panel:
    geos, periods = outcome.shape
    nothing = np.zeros((geos, periods, 0))
    return Panel(
        dates=np.datetime64("2024-01-01") + np.arange(periods) * np.timedelta64(7 if period == "week" else 1, "D"),
        geos=tuple(f"geo {row:03d}" for row in range(geos)),
        channels=(),
        spend=nothing,
        exposure=nothing,
        kpis={"sales": outcome},
        kpi="sales",
        period=period,
    )


def until(panel: Panel, cut: int) -> Panel:
    """The panel's first periods."""
    kpis = {name: values[:, :cut] for name, values in panel.kpis.items()}
    return replace(
        panel, dates=panel.dates[:cut], kpis=kpis, spend=panel.spend[:, :cut], exposure=panel.exposure[:, :cut]
    )


def planned(source: Source, rng: np.random.Generator) -> tuple[Panel, int, Design]:
    """A panel, a cut, and the design made on the history before it."""
    panel = panel_of(source.draw(rng), source.period)
    length = int(rng.choice(source.lengths))
    cut = int(rng.integers(source.least, len(panel.dates) - length + 1))
    size = int(rng.integers(2, 5 if len(panel.geos) > 25 else 4))
    direction = str(rng.choice(["go_dark", "heavy_up"]))
    goal = Goal(("tv",), (length,), (size, size), direction, power=WANTED, seed=int(rng.integers(1 << 30)))
    return panel, cut, design(until(panel, cut), goal).best


def delivered(panel: Panel, cut: int, made: Design) -> dict[str, np.ndarray]:
    """What the test finds in the window after the cut, for each set of the pool as the drawn one."""
    rows = {name: row for row, name in enumerate(panel.geos)}
    sets = np.zeros((len(made.assignment.candidates), len(rows)), dtype=bool)
    for row, names in enumerate(made.assignment.candidates):
        sets[row, [rows[name] for name in names]] = True
    units = np.isin(panel.geos, made.assignment.eligible)
    stage = replace(stage_of(until(panel, cut), made.goal, units), outcome=panel.outcome)
    seen = rehearse(stage, sets, units, None, (cut,), made.duration)
    found = seen.thresholds[0]
    return {
        "found": found < made.mde,
        "plain": found < made.mde / made.power.stretch,
        "optimistic": found < made.power.mde_optimistic,
        "false": (found == 0.0) | (seen.opposite[0] == 0.0),
    }


def analysed(panel: Panel, cut: int, made: Design) -> bool:
    """Whether `experiments.analyse` finds the stated effect on the drawn set."""
    sign = 1 if made.goal.change > 0 else -1
    treated = np.isin(panel.geos, made.treatment_geos)
    outcome = panel.outcome.copy()
    outcome[np.ix_(treated, np.arange(cut, cut + made.duration))] *= 1 + sign * made.mde
    result = analyse(replace(panel, kpis={"sales": outcome}), made.record(), alpha=made.goal.alpha)
    change = result.outcome_change
    return change.low > 0 if sign > 0 else change.high < 0


def line(source: Source, runs: int, rng: np.random.Generator, check: int = 10) -> dict[str, object]:
    """One line of the table: designs until so many effects were injected."""
    made: list[dict[str, float]] = []
    total, agree, seen, none = 0, 0, 0, 0
    while total < runs:
        panel, cut, each = planned(source, rng)
        if not np.isfinite(each.mde):
            none += 1
            continue
        found = delivered(panel, cut, each)
        total += found["found"].size
        if len(made) % check == 0:
            place = [set(names) for names in each.assignment.candidates].index(set(each.treatment_geos))
            agree, seen = agree + int(analysed(panel, cut, each) == found["found"][place]), seen + 1
        made.append(
            {name: float(values.mean()) for name, values in found.items()}
            | {"mde": each.mde, "windows": each.power.windows, "stretch": each.power.stretch}
        )
    table = pd.DataFrame(made)
    return {
        "panel": source.name,
        "designs": len(made),
        "effects": total,
        "windows": float(table["windows"].mean()),
        "mde": float(table["mde"].median()),
        "found": float(table["found"].mean()),
        "error": float(table["found"].std(ddof=1) / np.sqrt(len(made))),
        "plain": float(table["plain"].mean()),
        "optimistic": float(table["optimistic"].mean()),
        "false": float(table["false"].mean()),
        "stretch": float(table["stretch"].mean()),
        "none": none,
        "analyse": agree / seen,
    }


def together(found: list[dict[str, object]]) -> dict[str, object]:
    """The mean over panels, as a line of the table."""
    table = pd.DataFrame(found)
    sums = {name: int(table[name].sum()) for name in ("designs", "effects", "none")}
    means = {name: float(table[name].mean()) for name in table.columns if name != "panel" and name not in sums}
    error = float(np.sqrt(np.square(table["error"]).sum()) / len(table))
    line = {"panel": "all"} | sums | means | {"error": error}
    return {name: line[name] for name in table.columns}


def lines(runs: int, seed: int, folder: Path | None) -> Iterator[dict[str, object]]:
    for number, source in enumerate(sources(folder)):
        yield line(source, runs, np.random.default_rng([seed, number]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000, help="injected effects per panel")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    plan.CANDIDATES = CANDIDATES
    data = os.environ.get("THEODOLITE_REFERENCE_DATA", "")
    found = []
    for each in lines(options.runs, options.seed, Path(data) if data else None):
        print(each, flush=True)
        found.append(each)
    found.append(together(found))
    print(tables.write(NAME, ABOUT, found, runs=options.runs, seed=options.seed))


if __name__ == "__main__":
    main()
