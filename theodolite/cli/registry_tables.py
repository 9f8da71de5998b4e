"""The registry as text for people: where a test stands, the list, and everything about one test."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from theodolite.cli import output

if TYPE_CHECKING:
    from experiments.registry import Drawer, Registered
    from theodolite.registry import Registry
    from theodolite.report.standing import Standing

NEXT = {
    "draft": "submit it for review",
    "in_review": "have someone else approve it",
    "approved": "start it on its first day",
    "running": "complete it when it has ended",
    "completed": "analyse it",
    "analysed": "accept or reject the result",
    "accepted": "fit the model: the result is evidence now",
}
CAUTION = "yellow"


def moved(test: "Registered", registry: "Registry") -> None:
    """Where a test stands after an act, what to know about it, and what comes next."""
    from measurement.lifecycle import readable

    name, step = test.experiment_id, test.history[-1]
    output.say(f"{name} is {readable(test.state)} ({step.action} by {step.actor}, event {step.sequence}).", "bold")
    if step.action == "approve":
        output.say(f"Design and analysis plan are frozen under {test.plan_hash}.")
        if test.approval and test.approval.by_author:
            output.say("Its author approved it: the record says so.", CAUTION)
        if not test.preregistered:
            output.say("It has begun already: this is no pre-registration.", CAUTION)
    if test.state in ("draft", "in_review"):
        for problem in registry.conflicts(name):
            output.say(f"Conflict: {problem.message}; it cannot be approved like this.", CAUTION)
    grade = registry.grade(name)
    if grade is not None and step.action in ("analyse", "accept", "regrade", "deviate"):
        output.say(f"Grade {grade.grade}" + (f", by hand: {grade.override}" if grade.override else "") + ".")
        for check in grade.checks:
            if not check.passed:
                output.say(f"  - {check.name}: {check.text}")
    if test.state in NEXT:
        output.say(f"Next: {NEXT[test.state]}.")


def _state(row: Mapping[str, Any]) -> str:
    """The state, and in brackets that it was measured elsewhere or has expired."""
    from measurement.lifecycle import readable

    notes = [name for name, said in (("elsewhere", row["source"] == "elsewhere"), ("expired", row["expired"])) if said]
    return readable(row["state"]) + (f" ({', '.join(notes)})" if notes else "")


def _measured(row: Mapping[str, Any]) -> str:
    if row["estimate"] is None:
        return "–"
    return (
        f"{row['estimand'].replace('_', ' ')} {output.amount(row['estimate'])} ± {output.amount(row['std_error'] or 0)}"
    )


def listed(rows: Sequence[Mapping[str, Any]], drawers: "Sequence[Drawer]") -> None:
    """The list of tests, and per channel what became of them."""
    if not rows:
        output.say("No tests yet: register one before it runs, or import finished ones.")
        return
    table = [
        [
            row["experiment_id"],
            _state(row),
            ", ".join(row["channel"]),
            f"{row['start_date']} to {row['read_out_end']}",
            _measured(row),
            row["grade"] or "–",
        ]
        for row in rows
    ]
    output.table("Lift tests", ["test", "state", "channel", "window", "result", "grade"], table)
    counts = ("registered", "elsewhere", "read_out", "positive", "null", "negative", "cancelled", "overdue")
    output.table(
        "What became of them",
        ["channel", *(name.replace("_", " ") for name in counts)],
        [[drawer.channel, *(str(getattr(drawer, name)) for name in counts)] for drawer in drawers],
    )
    for drawer in drawers:
        if drawer.warning:
            output.say(f"{drawer.channel}: {drawer.warning}.", CAUTION)


def shown(found: Mapping[str, Any], standing: "Standing") -> None:
    """Everything about one test, and what to do next."""
    from measurement.lifecycle import readable

    known = found["registry"]
    where = "measured elsewhere, " if known["source"] == "elsewhere" else ""
    output.say(f"{known['experiment_id']}: {where}{readable(known['state'])}", "bold")
    _fields({**found["record"], **known["protocol"]})
    _plan(known)
    for each in known["results"]:
        _result(each, outside=known["source"] == "elsewhere")
    if found["waterfall"]:
        rows = [[step["step"], output.amount(step["std_error"]), step["reason"]] for step in found["waterfall"]]
        output.table("How its standard error was widened", ["step", "std. error", "why"], rows)
    elif known["results"]:
        output.say(f"The model does not take it: {found['left_out']}.", CAUTION)
    for conflict in known["conflicts"]:
        output.say(f"Conflict: {conflict}.", CAUTION)
    rows = [
        [str(s["sequence"]), s["at"][:16].replace("T", " "), s["by"], s["action"], readable(s["state"]), s["reason"],
         s["hash"][:12]]
        for s in known["history"]
    ]  # fmt: skip
    if rows:
        output.table("History", ["event", "when (UTC)", "who", "what", "state", "why", "hash"], rows)
    output.say("What to do next:", "bold")
    for step in standing.steps():
        output.say(f"  - {step}")


def _fields(fields: Mapping[str, Any]) -> None:
    for key, value in fields.items():
        output.say(f"{key:>22}  {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _plan(known: Mapping[str, Any]) -> None:
    if known["approved_plan"]:
        by = known["approved_by"] + (", its own author" if known["self_approved"] else "")
        output.say(f"Approved by {by} on {known['approved_at'][:10]}; frozen plan {known['approved_plan']}.")
        if not known["preregistered"]:
            output.say("It was approved after its first day: no pre-registration.", CAUTION)
    elif known["history"] and known["source"] == "registry":
        output.say(f"Not approved yet; plan {known['plan_hash']}.")
    for deviation in known["deviations"]:
        output.say(f"Deviation: {deviation}", CAUTION)
    if known["actuals"]:
        _fields({f"actual {key}": value for key, value in known["actuals"].items()})


def _result(each: Mapping[str, Any], *, outside: bool) -> None:
    record = each["record"]
    counts = " (counts)" if each["counts"] else ""
    output.say(
        f"Result, version {each['version']}{counts}: {record['estimand']} {output.amount(record['estimate'])}", "bold"
    )
    if each["asked"]:
        asked = ", ".join(f"{name} {value}" for name, value in each["asked"].items())
        p = "–" if each["p_value"] is None else f"{each['p_value']:.3g}"
        output.say(f"p-value {p}; asked for {asked}; kept as {each['artifact'][:12]}.")
    hand = f", by hand: {each['grade_override']} (the checklist says {each['computed_grade']})"
    stated = ", as its record states it" if outside and each["grade"] and not each["grade_override"] else ""
    output.say(f"Grade {each['grade'] or 'not stated'}{hand if each['grade_override'] else stated}.")
    for check in each["grade_reasons"]:
        output.say(f"  {'ok  ' if check['passed'] else 'FAIL'}  {check['check']}: {check['text']}")
    if each["used_in"]:
        used = ", ".join(f"{use['kind']} of {use['at'][:10]} ({use['hash'][:12]})" for use in each["used_in"])
        output.say(f"Used in: {used}.")
