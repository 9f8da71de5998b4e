"""How often backtests' intervals hold what came and how much better than naive forecasts the model predicts.

``python benchmarks/study_backtest.py [national geo public] [--runs 12] [--seed 301]`` writes ``results/backtest.csv``
and ``.md``. Runs are worlds of each kind; ``public`` is Meridian's public panel, in ``THEODOLITE_REFERENCE_DATA``.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import pandas as pd
import tables

from measurement.mmm import Sampling, Spec
from measurement.panel import Panel
from measurement.simulate import geo, national, simulate
from measurement.validation.backtest import backtest
from measurement.validation.backtested import MODEL, Target
from measurement.validation.scores import Figure, Scored, skill, summarised

QUICK = Sampling(chains=2, warmup=200, draws=250)
HORIZON, FOLDS = 13, 4
TARGETS: tuple[Target, ...] = ("periods", "horizon", "geo periods")
ABOUT = """Backtests (`python benchmarks/study_backtest.py`): the model's defaults, 13 weeks ahead, 4 folds of each
panel. National worlds have 130 weeks and 4 channels, geo worlds 117 weeks, 5 geos and 3 channels; the name
says whether demand pulls spend. *public* is Meridian's public panel of 20 geos, 156 weeks and 4 channels.
*covered* is the share of intervals that held what came, *low* and *high* the 90 % binomial interval of that
of 90 %, *error* the wMAPE; *skill* is 1 less the ratio of the CRPS to that of the same weeks a year before,
over the folds with history enough for it, *last* to that of the last week over and over, each with the 90 %
interval of resampled folds."""


def worlds(kind: str, runs: int, seed: int) -> list[tuple[str, Panel, Spec]]:
    """Panels of one kind, half of them with demand that pulls spend, and their models."""
    if kind == "public":
        panel = public()
        return [("public", panel, Spec.default(panel))] if panel is not None else []
    found = []
    for run in range(runs):
        pull = float(run % 2)
        if kind == "national":
            world = simulate(national(weeks=130, channels=4, seed=seed + run, confounding=pull))
        else:
            world = simulate(geo(n_geos=5, weeks=117, channels=3, seed=seed + run, confounding=pull, n_tests=0))
        driven = {channel.name: {"demand_driven": channel.demand_driven} for channel in world.truth.settings}
        panel = world.panel()
        name = f"{kind}, demand {'pulls' if pull else 'does not pull'} spend"
        found.append((name, panel, Spec.default(panel, channels=driven)))
    return found


def public() -> Panel | None:
    """Meridian's public panel; ``None`` where it is absent."""
    file = Path(os.environ.get("THEODOLITE_REFERENCE_DATA", "")) / "meridian_geo_media.csv"
    if not file.is_file():
        return None
    wide = pd.read_csv(file).rename(columns={"time": "date"})
    wide["date"] = pd.to_datetime(wide["date"])
    controls = [name for name in wide.columns if name.endswith("_control")]
    names = [name.removesuffix("_spend") for name in wide.columns if name.endswith("_spend")]
    media = pd.concat(
        wide[["date", "geo"]].assign(channel=name, spend=wide[f"{name}_spend"], seen=wide[f"{name}_impression"])
        for name in names
    )
    outcome = wide[["date", "geo", "conversions", "population", *controls]]
    price = float((wide["conversions"] * wide["revenue_per_conversion"]).sum() / wide["conversions"].sum())
    return Panel.from_frames(
        outcome,
        media,
        kpi="conversions",
        exposures=dict.fromkeys(names, "seen"),
        population="population",
        controls=controls,
        kpi_value=price,
    )


def study(kinds: list[str], runs: int, seed: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for kind in kinds:
        folds: dict[str, list[Any]] = {}
        panels: dict[str, int] = {}
        for name, panel, spec in worlds(kind, runs, seed):
            found = backtest(panel, spec, horizon=HORIZON, folds=FOLDS, seed=seed, sampling=QUICK, n_jobs=1)
            folds.setdefault(name, []).extend(found.folds)
            panels[name] = panels.get(name, 0) + 1
        for name, held in folds.items():
            rows += [row(name, panels[name], target, held) for target in TARGETS if target in held[0].scored[MODEL]]
            print(rows[-1], flush=True)
    return rows


def row(name: str, panels: int, target: Target, folds: list[Any]) -> dict[str, object]:
    """One line of the table: a target over the folds of all panels of a kind."""
    scores = summarised([fold.scored[MODEL][target] for fold in folds])
    out: dict[str, object] = {"panel": name, "panels": panels, "folds": len(folds), "target": target}
    out |= {f"covered {each.level:.0%}": each.held for each in scores.coverage}
    out |= {"low": scores.coverage[-1].low, "high": scores.coverage[-1].high}
    out |= {"error": scores.wmape.value, "bias": scores.bias.value}
    for column, naive in (("skill", "seasonal_naive"), ("last", "last_value")):
        found = beside(folds, target, naive)
        out |= {column: "" if found is None else _text(found)}
    return out


def beside(folds: list[Any], target: Target, naive: str) -> Figure | None:
    """The skill of the model beside a naive method, over the folds that have it."""
    both: list[tuple[Scored, Scored]] = [
        (fold.scored[MODEL][target], fold.scored[naive][target]) for fold in folds if naive in fold.scored
    ]
    return skill([one for one, _ in both], [other for _, other in both]) if both else None


def _text(found: Figure) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=["national", "geo", "public"])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=301)
    asked = parser.parse_args()
    print(tables.write("backtest", ABOUT, study(asked.kinds, asked.runs, asked.seed), runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
