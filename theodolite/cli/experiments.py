"""theodolite experiments: import; every other command joins in from a module of its own."""

from pathlib import Path
from typing import Annotated

import typer

from theodolite.cli import experiment_analyse, experiment_design, experiment_resolve, experiment_users, registry
from theodolite.cli.options import HERE, AsJson, Workspace, open_study

app = typer.Typer(
    help="Lift tests: design them, register them before they run, analyse them, keep them as evidence.",
    no_args_is_help=True,
)
app.command()(experiment_design.design)
app.command("power")(experiment_design.power_of)
app.command("design-users")(experiment_users.design_users)
app.command()(experiment_analyse.analyse)
app.command()(experiment_resolve.resolve)
for name, command in registry.COMMANDS.items():
    app.command(name)(command)


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
