"""theodolite mmm backtest, compare: how well the model predicts, and whether another does better."""

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


def compare(
    workspace: Workspace = HERE,
    quick: Annotated[bool, typer.Option("--quick", help="Only one other adstock and one other saturation.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every combination, and backtests of the best: many times the fits.")
    ] = False,
    adstock: Annotated[list[str] | None, typer.Option(help="An adstock to try; may be given several times.")] = None,
    saturation: Annotated[
        list[str] | None, typer.Option(help="A saturation to try; may be given several times.")
    ] = None,
    season: Annotated[
        list[int] | None, typer.Option(help="A Fourier order to try; may be given several times.")
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(help="Change this channel alone too, by every form; otherwise the two with the most spend."),
    ] = None,
    jobs: Jobs = None,
    seed: Seed = 0,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw iROAS by model to a new .png, .svg or .html file.")
    ] = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Compare the model with other adstocks, saturations and seasons: who predicts better, and what it changes."""
    from theodolite import charting, comparing
    from theodolite.cli import compare_tables, output

    charting.refuse(chart)
    study = open_study(workspace)
    with output.progress(quiet or json) as progress:
        found = study.compare(
            quick=quick,
            full=full,
            adstocks=adstock,
            saturations=saturation,
            seasons=season,
            channels=channel,
            seed=seed,
            jobs=jobs,
            progress=progress,
        )
    if json:
        output.as_json(found.to_dict() | {"toml": comparing.toml_of(found, study.config)})
    else:
        compare_tables.comparison(found, comparing.toml_of(found, study.config))
    charting.save(found.chart, chart)
