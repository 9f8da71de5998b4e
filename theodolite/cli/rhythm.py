"""theodolite cycle, monitor: the monthly rhythm. Exit 0: nothing is wrong; 1: someone should look; 2: bad input."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theodolite.cli.options import HERE, AsJson, Mlflow, Quiet, Seed, Workspace, open_study

if TYPE_CHECKING:
    from theodolite.changes import Change, Changes
    from theodolite.monitoring import Monitored


def cycle(
    workspace: Workspace = HERE,
    seed: Seed = 0,
    refit: Annotated[bool, typer.Option("--refit", help="Fit again even where nothing has changed.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The report to write; report.html in the workspace otherwise.")
    ] = None,
    mlflow: Mlflow = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Do the month's work: check, fit, attribute, reconcile, hold what came against the plan, report."""
    from theodolite import cycle as month
    from theodolite import mlflow_log
    from theodolite.cli import output

    mlflow_log.refuse(mlflow)
    study = open_study(workspace)
    with output.progress(quiet or json) as progress:
        say = (lambda _: None) if json else output.say
        found = month.run(study, seed=seed, refit=refit, out=out, progress=progress, say=say)
    if mlflow is not None:
        logged = mlflow_log.log(study, mlflow, cycle=found)
        say(f"mlflow: run {logged.run} of '{logged.experiment}' at {logged.uri}")
    if json:
        output.as_json(found.to_dict())
    else:
        _changes(found.changes)
        _state(found.state)
    raise typer.Exit(0 if found.ok else 1)


def monitor(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Hold what came against every plan of record, and list what waits for someone. Writes nothing."""
    from theodolite.cli import output
    from theodolite.monitoring import look

    found = look(open_study(workspace))
    if json:
        output.as_json(found.to_dict())
    else:
        _state(found)
    raise typer.Exit(0 if found.ok else 1)


def _changes(found: "Changes | None") -> None:
    from theodolite.cli import output

    if found is None:
        return
    rows = [
        [
            change.channel,
            "–" if change.before is None else f"{change.before.median:.2f}",
            "–" if change.now is None else f"{change.now.median:.2f}",
            "yes" if change.outside else "",
            change.action_now + _was(change),
        ]
        for change in found.channels
    ]
    head = ["channel", "iROAS before", "now", "outside the earlier interval", "what to do"]
    output.table("What changed since the last view", head, rows)


def _was(change: "Change") -> str:
    """What was advised before, where that is something else to do and not only another probability."""
    before, now = (action.partition(":")[0] for action in (change.action_before, change.action_now))
    return f" (was: {before})" if before and before != now else ""


def _state(found: "Monitored") -> None:
    from theodolite.cli import output

    for plan in found.plans:
        alert = "ALERT  " if plan.alert else ""
        output.say(f"{alert}Plan '{plan.plan.name}': {plan.words()}", "bold red" if plan.alert else None)
    for item in found.review:
        output.say(f"{'!' if item.pressing else '-'} {item.subject} {item.words}".replace("  ", " "))
    if not found.review:
        output.say("Nothing waits for anyone.")
