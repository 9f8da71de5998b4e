"""theodolite decisions: what was decided, what it should bring, and what came of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from theodolite.cli.experiment_analyse import named
from theodolite.cli.options import HERE, LOCAL, AsJson, By, Why, Workspace, open_study

if TYPE_CHECKING:
    from theodolite.decisions import Recorded

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the decision.")]
Number = Annotated[float, typer.Option(metavar="NUMBER", help="Expected effect, in the metric's unit.")]
End = Annotated[float, typer.Option(metavar="NUMBER", help="End of its 90 % interval.")]
Names = Annotated[list[str] | None, typer.Option(metavar="NAMES", help="Names; several with commas.")]

app = typer.Typer(
    help="A log of decisions: what was decided on which evidence, what it should bring, what came.",
    no_args_is_help=True,
)


@app.command()
def add(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What was decided, in words.")],
    metric: Annotated[str, typer.Option(metavar="TEXT", help="What it should move, with its unit and time.")],
    expected: Number,
    low: End,
    high: End,
    review: Annotated[str, typer.Option(metavar="DAY", help="When it is held against what came, YYYY-MM-DD.")],
    channel: Names = None,
    evidence: Annotated[list[str] | None, typer.Option(metavar="TESTS", help="Tests that it rests on.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="NAME", help="Plan of record that carries it out.")] = None,
    name: Annotated[str | None, typer.Option("--id", metavar="NAME", help="Its id; decision-1 and so on.")] = None,
    by: By = LOCAL,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Record a decision with its expected effect; the last view and fit are noted with it."""
    told: dict[str, Any] = {
        "what": what,
        "metric": metric,
        "expected": {"median": expected, "low": low, "high": high},
        "review": review,
        "channels": list(named(channel)),
        "evidence": list(named(evidence)),
        "plan": plan,
    }
    _told(open_study(workspace).decisions.add(told, id=name, by=by), json)


@app.command("list")
def list_(workspace: Workspace = HERE, json: AsJson = False) -> None:
    """List the decisions, and how well they foresaw what came."""
    from theodolite.cli import output

    log = open_study(workspace).decisions
    found, scores = log.list(), log.scores()
    if json:
        output.as_json({"decisions": [each.to_dict() for each in found], "scores": scores.to_dict()})
        return
    rows = [
        [
            each.id,
            each.decision.what,
            each.decision.metric,
            _range(each),
            output.amount(each.outcomes[-1].actual) if each.outcomes else "–",
            each.verdict or each.state,
            str(each.decision.review),
        ]
        for each in found
    ]
    output.table("Decisions", ["id", "what", "metric", "expected (90 %)", "came", "verdict", "review"], rows)
    if scores.scored:
        fits = f"they promise 90 %, and {scores.low:.0%} to {scores.high:.0%} fits what was seen"
        output.say(f"{scores.held} of {scores.scored} intervals held what came ({fits}).")
        output.say(f"{scores.above} came above, {scores.below} below.")
    if scores.due:
        output.say(
            f"{scores.due} open with a review that is due: theodolite decisions score ID --actual NUMBER", "yellow"
        )


@app.command()
def show(decision_id: Id, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Show one decision: what it rests on, and what came of it."""
    _told(open_study(workspace).decisions.get(decision_id), json)


@app.command()
def score(
    decision_id: Id,
    actual: Annotated[float, typer.Option(metavar="NUMBER", help="What came, in the metric's unit.")],
    low: Annotated[float | None, typer.Option(metavar="NUMBER", help="Low end of its 90 % interval.")] = None,
    high: Annotated[float | None, typer.Option(metavar="NUMBER", help="High end.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What else mattered.")] = "",
    by: By = LOCAL,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Record what came of a decision; scored again, the last outcome counts and the others stay on record."""
    told = {"actual": actual, "low": low, "high": high, "note": note}
    _told(open_study(workspace).decisions.score(decision_id, told, by=by), json)


@app.command()
def withdraw(decision_id: Id, reason: Why, by: By = LOCAL, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Take back a decision that was not scored; it stays in the log."""
    _told(open_study(workspace).decisions.withdraw(decision_id, reason, by=by), json)


def _range(each: "Recorded") -> str:
    from theodolite.cli import output

    expected = each.decision.expected
    return f"{output.amount(expected.median)} [{output.amount(expected.low)}, {output.amount(expected.high)}]"


def _told(each: "Recorded", json: bool) -> None:
    from theodolite.cli import output

    if json:
        output.as_json(each.to_dict())
        return
    told = each.decision
    output.say(f"{each.id} ({each.state}, {each.at[:10]}, {each.actor}): {told.what}", "bold")
    output.say(f"Expected: {told.metric} {_range(each)}, to be reviewed on {told.review}.")
    for words, names in (("Channels", told.channels), ("Rests on the tests", told.evidence)):
        if names:
            output.say(f"{words}: {', '.join(names)}.")
    if told.plan:
        output.say(f"Carried out by the plan of record {told.plan}.")
    for kind, sha in each.basis.items():
        output.say(f"Taken on {kind} {sha[:12]}.")
    for came in each.outcomes:
        ends = (
            "" if came.low is None or came.high is None else f" [{output.amount(came.low)}, {output.amount(came.high)}]"
        )
        output.say(f"Came: {output.amount(came.actual)}{ends}" + (f" ({came.note})" if came.note else "") + ".")
    if each.verdict:
        output.say(f"Verdict: {each.verdict}.")
