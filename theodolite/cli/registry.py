"""theodolite experiments register, submit, approve, ...: the life of a test, one thin command per verb."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from theodolite.cli.experiment_analyse import named
from theodolite.cli.options import HERE, LOCAL, AsJson, By, Reason, Why, Workspace, open_study

if TYPE_CHECKING:
    from experiments.registry import Registered
    from theodolite.registry import Registry

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the test.")]
Text = str | None
Many = list[str] | None

REQUIRED = {
    "experiment_id": "id",
    "channel": "channel",
    "method": "method",
    "start_date": "start",
    "end_date": "end",
}
ASKED = {
    "experiment_id": "Id of the test",
    "channel": "Channel (several with commas)",
    "method": "Method (go_dark, heavy_up, geo_holdout, scale, conversion_lift, ...)",
    "start_date": "First day, YYYY-MM-DD",
    "end_date": "Last day",
    "cooldown_end_date": "Last day of the cool-down (empty: none)",
    "treatment_geos": "Treated markets (commas; empty: the whole market)",
    "control_geos": "Control markets (commas; empty: all others)",
    "spend_delta": "Planned change of spend over the treated markets, signed (empty: not known)",
    "hypothesis": "Hypothesis",
    "decision_rule": "Decision rule: what will be done on which result",
    "mde": "Smallest relative change that it finds, as a share (empty: not known)",
    "power": "With which probability (empty: not known)",
}
LISTS = ("channel", "treatment_geos", "control_geos", "tags")
NUMBERS = ("spend_delta", "mde", "power", "cost", "alpha")


def register(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Plans: json, toml or csv; `design --save` writes one.")
    ] = None,
    name: Annotated[Text, typer.Option("--id", metavar="NAME", help="Id of the test.")] = None,
    channel: Annotated[Many, typer.Option(metavar="NAMES", help="Channel that the test moves.")] = None,
    method: Annotated[Text, typer.Option(metavar="NAME", help="go_dark, heavy_up, geo_holdout, scale, ...")] = None,
    start: Annotated[Text, typer.Option(metavar="DAY", help="First day, YYYY-MM-DD.")] = None,
    end: Annotated[Text, typer.Option(metavar="DAY", help="Last day.")] = None,
    cooldown_end: Annotated[Text, typer.Option(metavar="DAY", help="Last day of the cool-down.")] = None,
    treatment_geos: Annotated[Many, typer.Option(metavar="NAMES", help="Treated markets.")] = None,
    control_geos: Annotated[Many, typer.Option(metavar="NAMES", help="Control markets; all others otherwise.")] = None,
    spend_delta: Annotated[Text, typer.Option(metavar="MONEY", help="Planned change of spend, signed.")] = None,
    kpi: Annotated[Text, typer.Option(metavar="NAME", help="KPI that decides.")] = None,
    title: Annotated[Text, typer.Option(metavar="TEXT", help="Title.")] = None,
    owner: Annotated[Text, typer.Option(metavar="WHO", help="Who owns the test.")] = None,
    tags: Annotated[Many, typer.Option(metavar="NAMES", help="Tags.")] = None,
    hypothesis: Annotated[Text, typer.Option(metavar="TEXT", help="What is believed.")] = None,
    decision: Annotated[Text, typer.Option(metavar="TEXT", help="What the test informs.")] = None,
    decision_rule: Annotated[Text, typer.Option(metavar="TEXT", help="What will be done on which result.")] = None,
    estimator: Annotated[Text, typer.Option(metavar="NAME", help="Estimator of the analysis plan.")] = None,
    alpha: Annotated[Text, typer.Option(metavar="NUMBER", help="Error rate of the analysis plan.")] = None,
    mde: Annotated[Text, typer.Option(metavar="SHARE", help="Smallest relative change that it finds.")] = None,
    power: Annotated[Text, typer.Option(metavar="NUMBER", help="With which probability.")] = None,
    cost: Annotated[Text, typer.Option(metavar="MONEY", help="Expected cost.")] = None,
    revise: Annotated[
        bool, typer.Option("--revise", help="Write a plan anew that is registered and not approved yet.")
    ] = False,
    by: By = LOCAL,
    reason: Reason = "",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Register a test before it runs: from a file, from options (which add to the file's), or by questions."""
    from theodolite.cli import output, registry_tables

    texts = {
        "experiment_id": name, "channel": named(channel), "method": method, "start_date": start, "end_date": end,
        "cooldown_end_date": cooldown_end, "treatment_geos": named(treatment_geos), "control_geos": named(control_geos),
        "spend_delta": spend_delta, "kpi": kpi, "title": title, "owner": owner, "tags": named(tags),
        "hypothesis": hypothesis, "decision": decision, "decision_rule": decision_rule, "estimator": estimator,
        "alpha": alpha, "mde": mde, "power": power, "cost": cost,
    }  # fmt: skip
    given = {field: value for field, value in texts.items() if value not in (None, ())}
    if file is None:
        given = asked(given)
    fields = {field: number(field, str(value)) if field in NUMBERS else value for field, value in given.items()}
    registry = open_study(workspace).registry
    found = registry.register_or_revise(file, fields, revise=revise, by=by, reason=reason)
    if json:
        output.as_json({"registered": [dict(row) for row in registry.rows(found)]})
        return
    for test in found:
        registry_tables.moved(test, registry)


def asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """What options left out, asked for at a terminal; elsewhere what is missing is said."""
    missing = [field for field in REQUIRED if field not in given]
    if not missing:
        return dict(given)
    if not sys.stdin.isatty():
        from theodolite.cli.output import refused

        raise refused(f"give a FILE with the plan, or {', '.join('--' + REQUIRED[field] for field in missing)} too")
    found = dict(given)
    for field, question in ASKED.items():
        if field in found:
            continue
        answer = typer.prompt(question, default=None if field in REQUIRED else "", show_default=False).strip()
        if answer:
            found[field] = named([answer]) if field in LISTS else answer
    return found


def number(field: str, text: str) -> float:
    """A number from an option or an answer.

    Raises:
        DataError: Where it is none.
    """
    from measurement.errors import DataError
    from measurement.reading import faults

    if not faults.is_number(text):
        raise DataError(f"--{field.replace('_', '-')}: {faults.number(text)[0]}")
    return float(text)


def _done(workspace: Path, act: "Callable[[Registry], Registered]", json: bool) -> None:
    """Do something to a test and say where it stands now."""
    from theodolite.cli import output, registry_tables

    registry = open_study(workspace).registry
    test = act(registry)
    if json:
        output.as_json(registry.show(test.experiment_id))
    else:
        registry_tables.moved(test, registry)


def submit(
    experiment_id: Id, by: By = LOCAL, reason: Reason = "", workspace: Workspace = HERE, json: AsJson = False
) -> None:
    """Hand a draft in for review."""
    _done(workspace, lambda registry: registry.submit(experiment_id, by=by, reason=reason), json)


def approve(
    experiment_id: Id,
    by: By = LOCAL,
    reason: Reason = "",
    self_approve: Annotated[
        bool, typer.Option("--self-approve", help="Approve a plan of your own; the record will say so.")
    ] = False,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Approve a plan: design and analysis plan are frozen under a hash. Someone else than its author does it."""
    _done(
        workspace,
        lambda registry: registry.approve(experiment_id, by=by, reason=reason, self_approve=self_approve),
        json,
    )


def start(
    experiment_id: Id,
    on: Annotated[Text, typer.Option(metavar="DAY", help="First day, where it is not the planned one.")] = None,
    by: By = LOCAL,
    reason: Reason = "",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Say that an approved test has begun."""
    from theodolite.days import day

    first = day(on, "--on")
    _done(workspace, lambda registry: registry.start(experiment_id, on=first, by=by, reason=reason), json)


def complete(
    experiment_id: Id,
    actuals: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What happened, as json or toml; options add to it.")
    ] = None,
    spend: Annotated[
        Many, typer.Option(metavar="CELL=MONEY", help="Money of the tested channels: treatment=12000. Once per cell.")
    ] = None,
    spend_delta: Annotated[Text, typer.Option(metavar="MONEY", help="Delivered change of spend, signed.")] = None,
    from_data: Annotated[
        bool, typer.Option("--spend-from-data", help="Take the spend from the study's media table.")
    ] = False,
    incident: Annotated[Many, typer.Option(metavar="TEXT", help="What disturbed the test. Once per incident.")] = None,
    no_incidents: Annotated[bool, typer.Option("--no-incidents", help="Nothing disturbed it.")] = False,
    start: Annotated[Text, typer.Option(metavar="DAY", help="First day, where it was another.")] = None,
    end: Annotated[Text, typer.Option(metavar="DAY", help="Last day, where it was another.")] = None,
    cooldown_end: Annotated[Text, typer.Option(metavar="DAY", help="Last day of the cool-down, likewise.")] = None,
    by: By = LOCAL,
    reason: Reason = "",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Say that a running test has ended, and what happened: spend by cell, and incidents even where there were none."""
    from theodolite.cli.output import refused

    if incident and no_incidents:
        raise refused("give --incident or --no-incidents, not both")
    told: dict[str, Any] = {"start_date": start, "end_date": end, "cooldown_end_date": cooldown_end}
    told |= {"spend_delta": None if spend_delta is None else number("spend_delta", spend_delta)}
    told |= {"spend": {cell: number("spend", money) for cell, money in pairs(spend)} or None}
    told |= {"incidents": incident if incident else [] if no_incidents else None}
    fields = {field: value for field, value in told.items() if value is not None}
    _done(
        workspace,
        lambda registry: registry.complete(
            experiment_id, registry.told(experiment_id, actuals, fields, from_data=from_data), by=by, reason=reason
        ),
        json,
    )


def pairs(options: Sequence[str] | None) -> list[tuple[str, str]]:
    """``CELL=MONEY`` options as pairs."""
    from theodolite.cli.output import refused

    found = [option.partition("=") for option in options or ()]
    wrong = next((name for name, sign, _ in found if not sign), None)
    if wrong is not None:
        raise refused(f"--spend: found '{wrong}'; write it as treatment=12000")
    return [(name.strip(), money.strip()) for name, _, money in found]


def accept(
    experiment_id: Id,
    version: Annotated[int | None, typer.Option(metavar="N", help="Version of the result; the newest one.")] = None,
    by: By = LOCAL,
    reason: Reason = "",
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Accept a result as evidence: from here on the model takes it."""
    _done(workspace, lambda registry: registry.accept(experiment_id, version=version, by=by, reason=reason), json)


def reject(experiment_id: Id, reason: Why, by: By = LOCAL, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Reject a result: it is no evidence, stays on record and is counted."""
    _done(workspace, lambda registry: registry.reject(experiment_id, reason, by=by), json)


def cancel(experiment_id: Id, reason: Why, by: By = LOCAL, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Give a test up before it is read out; it stays on record and is counted."""
    _done(workspace, lambda registry: registry.cancel(experiment_id, reason, by=by), json)


def supersede(
    experiment_id: Id,
    new: Annotated[str, typer.Option("--with", metavar="ID", help="The test that takes its place.")],
    reason: Why,
    by: By = LOCAL,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Let another test take a test's place: it is no evidence any more."""
    _done(workspace, lambda registry: registry.supersede(experiment_id, new, reason, by=by), json)


def deviate(experiment_id: Id, reason: Why, by: By = LOCAL, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Record a departure from the approved plan, which itself cannot change."""
    _done(workspace, lambda registry: registry.deviate(experiment_id, reason, by=by), json)


def regrade(
    experiment_id: Id,
    grade: Annotated[str, typer.Argument(metavar="GRADE", help="A, B, C, D or E.")],
    reason: Why,
    version: Annotated[int | None, typer.Option(metavar="N", help="Version of the result; the newest one.")] = None,
    by: By = LOCAL,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Give a result another grade than its checklist does, with the reason; both are shown."""
    _done(workspace, lambda registry: registry.regrade(experiment_id, grade, reason, version=version, by=by), json)


def list_(
    state: Annotated[Text, typer.Option(metavar="STATE", help="Only tests in this state.")] = None,
    channel: Annotated[Text, typer.Option(metavar="NAME", help="Only tests of this channel.")] = None,
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the calendar: png, svg or html.")] = None,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """List the tests of the study with their states, and what became of all of them."""
    from theodolite import charting
    from theodolite.cli import output, registry_tables

    charting.refuse(chart)
    registry = open_study(workspace).registry
    tests = registry.list(state=state, channel=channel)
    if chart is not None:
        charting.save(lambda: registry.calendar(tests), chart)
    if json:
        drawers = [drawer.to_dict() for drawer in registry.file_drawer()]
        closed = [each.to_dict() for each in registry.blackouts]
        output.as_json({"experiments": list(registry.records(tests)), "file_drawer": drawers, "blackouts": closed})
        return
    registry_tables.listed(registry.rows(tests), registry.file_drawer())
    for blackout in registry.blackouts:
        if blackout.end >= registry.today:
            output.say(f"No test may run from {blackout}.")
    output.written({"calendar": chart})


def show(experiment_id: Id, workspace: Workspace = HERE, json: AsJson = False) -> None:
    """Show one test: its plan, its results and grades, where it was used, and its whole history."""
    from theodolite.cli import output, registry_tables

    study = open_study(workspace)
    if json:
        output.as_json(study.experiment(experiment_id))
    else:
        registry_tables.shown(study.experiment(experiment_id), study.standing(experiment_id))


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="csv, parquet (one row per test) or json (everything).")],
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    format: Annotated[
        str | None,
        typer.Option(help="Write the evidence for another tool: meridian (.json), pymc-marketing or robyn (.csv)."),
    ] = None,
    workspace: Workspace = HERE,
    json: AsJson = False,
) -> None:
    """Write the registry to a file: one row per test, or with every version and the whole history."""
    from theodolite.cli import experiment_exchange, output

    if format is not None:
        experiment_exchange.export(open_study(workspace), file, format, force=force, json=json)
        return
    registry = open_study(workspace).registry
    target = registry.export(file, force=force)
    if json:
        output.as_json({"file": str(target), "tests": len(registry.list())})
    else:
        output.say(f"Wrote {len(registry.list())} tests to {target}.")


COMMANDS: Mapping[str, Callable[..., None]] = {
    "register": register,
    "submit": submit,
    "approve": approve,
    "start": start,
    "complete": complete,
    "accept": accept,
    "reject": reject,
    "cancel": cancel,
    "supersede": supersede,
    "deviate": deviate,
    "regrade": regrade,
    "list": list_,
    "show": show,
    "export": export,
}
