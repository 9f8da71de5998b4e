"""theodolite mmm backtest: how well the model predicts what it has not seen."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Quiet, Seed, Workspace, open_study

Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Fits at a time; as many as there are cores otherwise.")
]


def backtest(
    workspace: Workspace = HERE,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Periods that each fold predicts; a quarter of a year otherwise.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=1, help="How many folds; as many as fit otherwise, 6 at most.")
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Periods between folds; as many as each predicts otherwise.")
    ] = None,
    jobs: Jobs = None,
    seed: Seed = 0,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw predicted and came to a new .png, .svg or .html file.")
    ] = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Predict the last stretches of the data from what came before them, and compare with what came."""
    from theodolite import charting
    from theodolite.cli import backtest_tables, output

    charting.refuse(chart)
    study = open_study(workspace)
    with output.progress(quiet or json) as progress:
        found = study.backtest(horizon=horizon, folds=folds, every=every, seed=seed, jobs=jobs, progress=progress)
    if json:
        output.as_json(found.to_dict())
    else:
        backtest_tables.backtest(found)
    charting.save(found.chart, chart)
