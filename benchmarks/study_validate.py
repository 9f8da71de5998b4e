"""How often the verdict of a validation is wrong: simulated companies, right models and models with one planted fault.

``python benchmarks/study_validate.py [--runs 20] [--seed 701]`` writes ``results/validate.csv`` and ``.md``: one
line per kind, with the share of each verdict and the share whose first reason names the fault. Fits are short, so the
convergence gate is left out of the verdict.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tables

from measurement import mmm
from measurement.panel import Panel
from measurement.simulate import national, simulate
from measurement.validation.validate import validate
from measurement.validation.verdict import verdict_of

SHORT = mmm.Sampling(chains=4, warmup=200, draws=200)
WEEKS, ORIGINS = 117, 16
CHANNELS = ("tv", "social")
NAMES = {
    "right, national": "",
    "no season": "missed season",
    "no bend": "missed trend",
    "doubled weeks": "outlier",
    "odd weeks under normal": "outlier",
}
"""The kinds of companies, and the topic that a fault ought to be named by; none where the model is right."""
ABOUT = (
    "What the verdict says of right models and of models with one planted fault, in simulated companies of "
    f"{WEEKS} weeks (`python benchmarks/study_validate.py`). `named`: share whose first reason is the planted fault. "
    "Fits are short; the convergence gate is left out."
)


def company(kind: str, seed: int) -> tuple[Panel, dict[str, Any]]:
    """A panel and the fields of the model's specification."""
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


def study(runs: Mapping[str, int], seed: int) -> list[dict[str, object]]:
    """One line per kind."""
    return lines_of(runs, [judged((kind, seed + i)) for kind, count in runs.items() for i in range(count)])


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
    parser.add_argument("--runs", type=int, default=20, help="right national companies; a quarter of it of the others")
    parser.add_argument("--seed", type=int, default=701)
    asked = parser.parse_args()
    runs = {kind: asked.runs if kind == "right, national" else max(1, asked.runs // 4) for kind in NAMES}
    lines = study(runs, asked.seed)
    print(tables.write("validate", ABOUT, lines, runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
