"""theodolite experiments: import, list, show, analyse."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Seed, Workspace, open_study

app = typer.Typer(help="Lift tests: import results, list and show them, analyse a geo test.", no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Records of tests: a json list, one json object, or csv.")],
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Import results of tests as evidence; all of the file or, where something is wrong, nothing."""
    from theodolite.cli import output

    study = open_study(workspace)
    added = study.import_experiments(file)
    if json:
        output.as_json({"imported": [t.experiment_id for t in added], "total": len(study.experiments())})
    else:
        output.say(f"{len(added)} new tests imported; the study has {len(study.experiments())}.")


@app.command("list")
def list_(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """List every test of the study."""
    from theodolite.cli import output

    tests = open_study(workspace).experiments()
    if json:
        output.as_json({"experiments": [test.to_dict() for test in tests]})
        return
    rows = [
        [
            t.experiment_id,
            ", ".join(t.channel),
            t.method,
            f"{t.start_date} to {t.end_date}",
            t.estimand or "–",
            f"{t.estimate:,.4g}" if t.estimate is not None else "–",
            f"{t.std_error:,.3g}" if t.std_error is not None else "–",
            t.grade or "–",
        ]
        for t in tests
    ]
    output.table(
        "Lift tests", ["test", "channel", "method", "window", "estimand", "estimate", "std. error", "grade"], rows
    )


@app.command()
def show(
    experiment_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the test.")],
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Show one test: its record, and how its standard error was widened on the way into the model."""
    from theodolite.cli import output

    shown = open_study(workspace).experiment(experiment_id)
    if json:
        output.as_json(shown)
        return
    for key, value in shown["record"].items():
        output.say(f"{key:>22}  {', '.join(map(str, value)) if isinstance(value, list) else value}")
    if shown["waterfall"]:
        rows = [[step["step"], f"{step['std_error']:,.4g}", step["reason"]] for step in shown["waterfall"]]
        output.table("How its standard error was widened", ["step", "std. error", "why"], rows)


@app.command()
def analyse(
    experiment_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A test of the study; or use --experiment.")
    ] = None,
    workspace: Workspace = HERE,
    outcome: Annotated[
        str | None, typer.Option(help="Outcome table (with --experiment, instead of a workspace).")
    ] = None,
    experiment: Annotated[Path | None, typer.Option(help="A test record without its results (json).")] = None,
    media: Annotated[str | None, typer.Option(help="Media table, to find what was spent.")] = None,
    kpi: Annotated[str | None, typer.Option(help="KPI column of the outcome table.")] = None,
    estimator: Annotated[str, typer.Option(help="default, the name of an estimator, or all.")] = "default",
    alpha: Annotated[float, typer.Option(min=0.01, max=0.5, help="Error rate: the interval holds 1 - alpha.")] = 0.1,
    seed: Seed = 0,
    json: AsJson = False,
) -> None:
    """Analyse a geo test: effect, interval and p-value that agree, and what it says of iROAS."""
    from theodolite.analysis import analyse_files
    from theodolite.cli import output, tables

    if experiment is not None:
        if outcome is None:
            print("error: --experiment needs --outcome, the table with the KPI by date and geo", file=sys.stderr)
            raise typer.Exit(2)
        result = analyse_files(outcome, experiment, media, kpi, estimator=estimator, alpha=alpha, seed=seed)
    elif experiment_id is not None:
        result = open_study(workspace).analyse(experiment_id, kpi=kpi, estimator=estimator, alpha=alpha, seed=seed)
    else:
        print("error: name a test of the study, or give --outcome and --experiment", file=sys.stderr)
        raise typer.Exit(2)
    if json:
        output.as_json(result.to_dict())
    else:
        tables.lift_result(result.to_dict())
