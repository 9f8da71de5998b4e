"""How often the verdict of a validation is wrong: simulated companies, right models and models with one planted fault.

``python benchmarks/study_validate.py [--seed 701] [--keep FILE]`` writes ``results/validate.csv`` and ``.md``: one
line per kind, with the share of each verdict and the share whose first reason names the fault. Fits are short, so the
convergence gate is left out of the verdict. With ``--keep`` each company's verdict is written down as soon as it is
there, and a later run goes on from them.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tables

from measurement import mmm
from measurement.panel import Panel
from measurement.simulate import geo, national, simulate
from measurement.validation.validate import validate
from measurement.validation.verdict import verdict_of

SHORT = mmm.Sampling(chains=4, warmup=200, draws=200)
WEEKS, ORIGINS = 117, 16
GEOS, GEO_WEEKS = 4, 91
CHANNELS = ("tv", "social")
NAMES = {
    "right, national": "",
    "right, geo": "",
    "no season": "missed season",
    "no bend": "missed trend",
    "doubled weeks": "outlier",
    "odd weeks under normal": "outlier",
}
"""The kinds of companies, and the topic that a fault ought to be named by; none where the model is right."""
RUNS = {"right, national": 65, "right, geo": 35}
FAULTY = 5
"""Companies with a right model, and of each kind with a fault."""
ABOUT = (
    "What the verdict says of right models and of models with one planted fault, in simulated companies of "
    f"{WEEKS} weeks (geo: {GEOS} geos, {GEO_WEEKS} weeks; `python benchmarks/study_validate.py`). `named`: share "
    "whose first reason is the planted fault. Fits are short; the convergence gate is left out."
)


def company(kind: str, seed: int) -> tuple[Panel, dict[str, Any]]:
    """A panel and the fields of the model's specification."""
    if kind == "right, geo":
        markets = geo(n_geos=GEOS, weeks=GEO_WEEKS, channels=CHANNELS, seed=seed, n_tests=0, confounding=0.0)
        return simulate(markets).panel(), {"likelihood": "normal"}
    season = 0.25 if kind == "no season" else 0.08
    world = national(weeks=WEEKS, channels=CHANNELS, seed=seed, confounding=0.0)
    panel = simulate(replace(world, seasonality=season)).panel()
    time, rng = np.arange(WEEKS), np.random.default_rng(seed)
    if kind == "no season":
        return panel, {"fourier_order": 0, "likelihood": "normal"}
    if kind == "no bend":
        return times(panel, 1 + np.minimum(time, WEEKS - time) / WEEKS), {"trend": "none", "likelihood": "normal"}
    if kind == "doubled weeks":
        first = int(rng.integers(20, WEEKS - 20))
        return times(panel, np.where(np.isin(time, (first, first + 1)), 2.0, 1.0)), {"likelihood": "normal"}
    if kind.startswith("odd weeks"):
        factor = np.ones(WEEKS)
        factor[rng.choice(WEEKS, 6, replace=False)] = rng.choice([0.6, 1.4, 1.7], 6)
        return times(panel, factor), {"likelihood": "normal"}
    return panel, {"likelihood": "normal"}


def times(panel: Panel, factor: np.ndarray) -> Panel:
    """The KPI of every period multiplied."""
    return replace(panel, kpis={panel.kpi: panel.outcome * factor})


def judged(task: tuple[str, int]) -> tuple[str, str, str]:
    """The kind, the verdict without the convergence gate and the topic of its first reason that is no note."""
    kind, seed = task
    panel, fields = company(kind, seed)
    quiet = {name: {"demand_driven": "no"} for name in panel.channels}
    post = mmm.fit(panel, mmm.Spec.default(panel, channels=quiet, **fields), seed=seed, sampling=SHORT)
    found = validate(post, panel, origins=ORIGINS, seed=seed)
    reasons = [reason for reason in found.reasons if reason.topic != "convergence"]
    first = next((reason.topic for reason in reasons if reason.level != "note"), "")
    return kind, verdict_of(reasons), first


def study(runs: Mapping[str, int], seed: int, keep: Path | None = None) -> list[dict[str, object]]:
    """One line per kind; what ``keep`` holds already is not made again."""
    known: dict[tuple[str, int], list[str]] = {}
    if keep is not None and keep.exists():
        with keep.open(newline="", encoding="utf-8") as lines:
            known = {(line[0], int(line[1])): line[2:] for line in csv.reader(lines)}
    found = []
    for task in [(kind, seed + i) for kind, count in runs.items() for i in range(count)]:
        if task not in known:
            known[task] = list(judged(task)[1:])
            if keep is not None:
                with keep.open("a", newline="", encoding="utf-8") as lines:
                    csv.writer(lines).writerow([*task, *known[task]])
        found.append((task[0], *known[task]))
    return lines_of(runs, found)


def lines_of(runs: Mapping[str, int], found: Sequence[Sequence[str]]) -> list[dict[str, object]]:
    """What `judged` found of each company, by kind."""
    lines: list[dict[str, object]] = []
    for kind, count in runs.items():
        mine = [line for line in found if line[0] == kind]
        verdicts, topics = Counter(line[1] for line in mine), Counter(line[2] for line in mine if line[2])
        shares = {name: verdicts[name] / count for name in ("good", "usable with care", "do not use")}
        named = float(topics[NAMES[kind]] / count) if NAMES[kind] else "–"
        first = ", ".join(f"{topic} {number}" for topic, number in topics.most_common(4)) or "–"
        lines.append({"kind": kind, "worlds": count, **shares, "named": named, "first reasons": first})
    return lines


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("--seed", type=int, default=701)
    parser.add_argument("--keep", type=Path, help="file of single companies' verdicts")
    asked = parser.parse_args()
    runs = {kind: RUNS.get(kind, FAULTY) for kind in NAMES}
    lines = study(runs, asked.seed, asked.keep)
    print(tables.write("validate", ABOUT, lines, runs=sum(runs.values()), seed=asked.seed))


if __name__ == "__main__":
    main()
