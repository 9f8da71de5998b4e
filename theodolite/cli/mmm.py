"""theodolite mmm: prior, fit, summary, validate, curves, over-time, export, backtest, compare."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli import mmm_compare
from theodolite.cli.options import HERE, AsJson, Mlflow, Quiet, Seed, Workspace, open_study

app = typer.Typer(help="The marketing mix model: fit it with the tests inside, and read it.", no_args_is_help=True)


@app.command()
def prior(
    workspace: Workspace = HERE,
    seed: Seed = 0,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the claims to a new .png, .svg or .html file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say in money what the priors claim, before any fit."""
    from theodolite import charting
    from theodolite.cli import output, plan_tables

    charting.refuse(chart)
    found = open_study(workspace).prior(seed=seed)
    if json:
        output.as_json(found.to_dict())
    else:
        plan_tables.prior(found)
    charting.save(found.chart, chart)


@app.command()
def fit(
    workspace: Workspace = HERE,
    seed: Seed = 0,
    chains: Annotated[int, typer.Option(min=2, max=16, help="Independent chains.")] = 4,
    warmup: Annotated[
        int | None,
        typer.Option(min=50, max=10_000, show_default=False, help="Warm-up steps per chain [300, or 100 with --warm]."),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, max=20_000, help="Draws per chain.")] = 500,
    warm: Annotated[
        bool, typer.Option("--warm", help="Begin where the last fit of the same model ended: quicker with new weeks.")
    ] = False,
    allow_unconverged: Annotated[
        bool, typer.Option("--allow-unconverged", help="Exit with 0 even where it did not converge.")
    ] = False,
    mlflow: Mlflow = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Fit the model twice: calibrated by the tests, and its uncalibrated sibling."""
    from theodolite import mlflow_log
    from theodolite.cli import output, tables

    mlflow_log.refuse(mlflow)
    study = open_study(workspace)
    with output.progress(quiet or json) as progress:
        fitted = study.fit(seed=seed, chains=chains, warmup=warmup, draws=draws, warm=warm, progress=progress)
    summary = study.fit_summary(fitted)
    if mlflow is not None:
        mlflow_log.log(study, mlflow)
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


@app.command()
def validate(
    workspace: Workspace = HERE,
    origins: Annotated[
        int, typer.Option(min=1, help="How many of the last periods are predicted from those before them.")
    ] = 26,
    refits: Annotated[
        int, typer.Option(min=0, help="How often the past may be fitted anew for that (a fit each time).")
    ] = 0,
    seed: Seed = 0,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw what was found to a new .png, .svg or .html file.")
    ] = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Judge the last fit: a verdict with reasons and what to do; status 1 where it should not be used."""
    from theodolite import charting
    from theodolite.cli import output, validate_tables

    charting.refuse(chart)
    study = open_study(workspace)
    with output.progress(quiet or json) as progress:
        found = study.validate(origins=origins, refits=refits, seed=seed, progress=progress)
    if json:
        output.as_json(found.to_dict())
    else:
        validate_tables.validation(found, study.panel.period)
    charting.save(found.chart, chart)
    raise typer.Exit(1 if found.verdict == "do not use" else 0)


@app.command()
def curves(
    workspace: Workspace = HERE,
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel; may be given several times.")] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the curves to a new .png, .svg or .html file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show what more or less spend would bring per channel, and what the next money would return."""
    from theodolite import charting
    from theodolite.cli import output, plan_tables

    charting.refuse(chart)
    found = open_study(workspace).curves(channel)
    if json:
        output.as_json(found.to_dict())
    else:
        plan_tables.curves(found)
    charting.save(found.chart, chart)
    raise typer.Exit(0 if found.converged else 1)


@app.command("over-time")
def over_time(
    workspace: Workspace = HERE,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it to a new .png, .svg or .html file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show by quarter how the effect of the same spend changed, for channels that may vary."""
    from theodolite import charting
    from theodolite.cli import output, tables

    charting.refuse(chart)
    found = open_study(workspace).effect_over_time()
    if json:
        output.as_json(found.to_dict())
    else:
        tables.effect_over_time(found.to_dict())
    charting.save(found.chart, chart)
    raise typer.Exit(0 if found.converged else 1)


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write: .csv, .parquet or .nc.")],
    workspace: Workspace = HERE,
    draws: Annotated[
        bool, typer.Option("--draws", help="Write every draw, not their summary (.nc always holds the draws).")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it is there already.")] = False,
    json: AsJson = False,
) -> None:
    """Write the last fit for other tools: one row per quantity, channel and geo, or per draw of it."""
    from theodolite.cli import output

    written = open_study(workspace).export_fit(out, draws=draws, force=force)
    if json:
        output.as_json({"file": str(written), "bytes": written.stat().st_size})
    else:
        output.written({"fit": written})


app.command()(mmm_compare.backtest)
app.command()(mmm_compare.compare)
