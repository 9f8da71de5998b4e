"""theodolite experiments: import, list, show; design, power and analyse join in from modules of their own."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli import experiment_analyse, experiment_design, experiment_resolve, experiment_users
from theodolite.cli.options import HERE, AsJson, Workspace, open_study

app = typer.Typer(
    help="Lift tests: design them, analyse them, import results, list and show them.", no_args_is_help=True
)
app.command()(experiment_design.design)
app.command("power")(experiment_design.power_of)
app.command("design-users")(experiment_users.design_users)
app.command()(experiment_analyse.analyse)
app.command()(experiment_resolve.resolve)


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
