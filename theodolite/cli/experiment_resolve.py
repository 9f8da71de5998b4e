"""theodolite experiments resolve: the recorded decision about a test that contradicts the model or another test."""

from typing import Annotated, Literal

import typer

from theodolite.cli.options import HERE, AsJson, Workspace, open_study

FOLLOWS = {
    "test": "Its channel's number is shown again, with the conflict named: run `theodolite reconcile`.",
    "model": "It is evidence no more: run `theodolite mmm fit`, then `theodolite reconcile`.",
    "neither": "Its channel's number stays withheld until something new is known: test the channel again.",
}


def resolve(
    experiment_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the test in question.")],
    keep: Annotated[
        Literal["test", "model", "neither"],
        typer.Option(help="What is believed: the test (it stays in), the model (the test is set aside), or neither."),
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the report.")],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who decides.")],
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Decide about a test that contradicts the model or another test; the decision is kept with who and why."""
    from theodolite.cli import output

    made = open_study(workspace).resolve(experiment_id, keep=keep, reason=reason, by=by)
    if json:
        output.as_json(made.to_dict())
        return
    output.say(f"{made.experiment_id}: {made.in_words}")
    output.say(FOLLOWS[made.keep])
