"""theodolite plans: the plans of record, from a draft to the one that the company spends by."""

from pathlib import Path
from typing import Annotated, Any

import typer

from theodolite.cli.options import HERE, LOCAL, AsJson, By, Reason, Why, Workspace, open_study

Name = Annotated[str, typer.Argument(metavar="NAME", help="The plan, as `forecast --record` or `scenario` named it.")]

app = typer.Typer(
    help="Plans of record: drafted by `forecast` or `scenario --record`, submitted, approved, committed.",
    no_args_is_help=True,
)


@app.command("list")
def list_(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """List the plans of record with their states."""
    from theodolite.cli import output

    found = open_study(workspace).plans.states()
    if json:
        output.as_json({"plans": [plan.to_dict() for plan in found.values()]})
        return
    rows = [
        [plan.name, plan.state, plan.author, f"{plan.first} to {plan.last}", plan.history[-1]["at"][:10]]
        for plan in found.values()
    ]
    output.table("Plans of record", ["plan", "state", "by", "periods", "since"], rows)


@app.command()
def submit(name: Name, by: By = LOCAL, reason: Reason = "", workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Hand a plan in for approval."""
    _move(workspace, json, "submit", name, by=by, reason=reason)


@app.command()
def approve(
    name: Name,
    self_approve: Annotated[
        bool, typer.Option("--self-approve", help="Approve a plan of your own; the record will say so.")
    ] = False,
    by: By = LOCAL,
    reason: Reason = "",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Approve a plan; someone else than who recorded it does."""
    _move(workspace, json, "approve", name, by=by, reason=reason, self_approve=self_approve)


@app.command()
def commit(name: Name, by: By = LOCAL, reason: Reason = "", workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Commit to a plan: the one that is spent by; no other committed plan may share its periods."""
    _move(workspace, json, "commit", name, by=by, reason=reason)


@app.command()
def withdraw(name: Name, reason: Why, by: By = LOCAL, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Withdraw a plan; it stays on record."""
    _move(workspace, json, "withdraw", name, by=by, reason=reason)


def _move(workspace: Path, json: bool, action: str, name: str, **told: Any) -> None:
    from theodolite.cli import output

    plan = open_study(workspace).plans.move(action, name, **told)
    if json:
        output.as_json(plan.to_dict())
    else:
        output.say(f"{plan.name} is {plan.state} ({action} by {plan.history[-1]['by']}).", "bold")
