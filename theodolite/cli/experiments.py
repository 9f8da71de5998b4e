"""theodolite experiments: every command joins in from a module of its own."""

import typer

from theodolite.cli import (
    experiment_analyse,
    experiment_design,
    experiment_exchange,
    experiment_next,
    experiment_resolve,
    experiment_track_record,
    experiment_users,
    registry,
)

app = typer.Typer(
    help="Lift tests: design them, register them before they run, analyse them, keep them as evidence.",
    no_args_is_help=True,
)
app.command()(experiment_design.design)
app.command("power")(experiment_design.power_of)
app.command("design-users")(experiment_users.design_users)
app.command()(experiment_analyse.analyse)
app.command("next")(experiment_next.next_test)
app.command()(experiment_resolve.resolve)
app.command()(experiment_track_record.predict)
app.command("track-record")(experiment_track_record.track_record)
app.command("import")(experiment_exchange.import_)
for name, command in registry.COMMANDS.items():
    app.command(name)(command)
