"""theodolite mmm: fit, summary."""

from typing import Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Quiet, Seed, Workspace, open_study

app = typer.Typer(help="The marketing mix model: fit it with the tests inside, and read it.", no_args_is_help=True)


@app.command()
def fit(
    workspace: Workspace = HERE,
    seed: Seed = 0,
    chains: Annotated[int, typer.Option(min=2, max=16, help="Independent chains.")] = 4,
    warmup: Annotated[int, typer.Option(min=100, max=10_000, help="Warm-up steps per chain.")] = 300,
    draws: Annotated[int, typer.Option(min=100, max=20_000, help="Draws per chain.")] = 500,
    allow_unconverged: Annotated[
        bool, typer.Option("--allow-unconverged", help="Exit with 0 even where it did not converge.")
    ] = False,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Fit the model twice: calibrated by the tests, and its uncalibrated sibling."""
    from theodolite.cli import output, tables

    study = open_study(workspace)
    with output.progress(quiet or json) as progress:
        fitted = study.fit(seed=seed, chains=chains, warmup=warmup, draws=draws, progress=progress)
    summary = study.fit_summary(fitted)
    if json:
        output.as_json(summary)
    else:
        tables.fit_summary(summary)
    raise typer.Exit(0 if summary["converged"] or allow_unconverged else 1)


@app.command()
def summary(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Read the last fit again: iROAS per channel, convergence, conflicts with tests."""
    from theodolite.cli import output, tables

    found = open_study(workspace).fit_summary()
    if json:
        output.as_json(found)
    else:
        tables.fit_summary(found)
