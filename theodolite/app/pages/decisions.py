"""Decisions: what was decided and what came of it, how right the sources were, plans against what happened, the log."""

from collections.abc import Mapping

from theodolite import results
from theodolite.app.blocks import Block, Button, Drawer, Empty, Form, Part, Reminder, Reminders, View, Working
from theodolite.app.blocks import Field as Entry
from theodolite.app.checked import Wrong, filled
from theodolite.app.desk import Reading
from theodolite.app.pages import plan_against, track_record
from theodolite.app.pages.ask import Ask, decision_link, today
from theodolite.app.pages.entries import options
from theodolite.app.plan_steps import RECORDS
from theodolite.decisions import Recorded
from theodolite.keys import may
from theodolite.report.cells import joined
from theodolite.report.page import Cell, Column, Name, TableBlock, Tone
from theodolite.report.words import NOTHING, number, span

WORDS = {
    results.FIT: "fitted the model",
    results.ATTRIBUTION: "credited journeys",
    results.AUDIT: "audited the journeys",
    results.VALIDATION: "validated the fit",
    results.VIEW: "brought the sources together",
    results.REPORT: "wrote a report",
    "conflict.resolved": "decided whom to believe about a test",
    "cycle.ran": "did the month's work",
    "next_test.ranked": "ranked the tests to run next",
    "key.added": "made an API key",
    "key.revoked": "revoked an API key",
}
VERDICTS: dict[str, tuple[str, Tone]] = {
    "as expected": ("as expected", "good"),
    "above": ("above", "caution"),
    "below": ("below", "caution"),
}
MOST = 200


def view(ask: Ask) -> View:
    """The page; a decision that its address tells of is filled in."""
    return shown(ask, ask.query)


def shown(ask: Ask, given: Mapping[str, str], wrong: Wrong | None = None) -> View:
    """The page with what was entered in its form, and what is wrong with that."""
    log = ask.reading.decisions()
    parts = [
        *_due(log),
        _log(ask, log),
        *_form(ask, given, wrong),
        *track_record.of_decisions(log, today()),
        plan_against.held_against(ask),
        track_record.of_sources(ask),
        _events(ask),
    ]
    return View("Decisions", "What was decided, what it should bring, and what came of it", tuple(parts))


# -- the log ----------------------------------------------------------------------------------------------------------


def _due(log: tuple[Recorded, ...]) -> tuple[Part, ...]:
    due = [each for each in log if each.due(today())]
    reminders = tuple(
        Reminder(
            joined((Name(each.decision.what),), f": its review was due on {each.decision.review}. What came of it?"),
            "Say what came",
            f"{decision_link(each.id)}#next",
            "caution",
        )
        for each in due
    )
    return (Part("due", "To be held against what came", blocks=(Reminders(reminders),)),) if due else ()


def _log(ask: Ask, log: tuple[Recorded, ...]) -> Part:
    if not log:
        words = (
            "Write down what is decided, what it should bring with its 90 % interval, and when to look again, before "
            "anything has come. What came is set beside it later, and shows how far such numbers can be trusted. The "
            "channel pages and the plan fill the form in for you."
        )
        buttons = (Button("Record a decision", "#record", strong=True),) if may(ask.who.role, RECORDS) else ()
        return Part("log", blocks=(Empty("No decision is recorded yet", words, buttons),))
    columns = (
        Column("Decision"),
        Column("Should bring", numeric=True),
        Column("Of what", wide=True),
        Column("Came", numeric=True),
        Column("Verdict"),
        Column("Review"),
        Column("By"),
    )
    table = TableBlock(columns, tuple(map(_row, reversed(log))), "Medians with 90 % intervals.", "decisions.csv")
    return Part("log", "Every decision", blocks=(table,))


def _row(each: Recorded) -> tuple[Cell, ...]:
    told, expected = each.decision, each.decision.expected
    verdict, tone = VERDICTS.get(each.verdict, (each.state, "muted"))
    came = each.outcomes[-1] if each.outcomes else None
    ends = "" if came is None or came.low is None or came.high is None else span(came.low, came.high, number)
    late = each.due(today())
    return (
        Cell(told.what, detail=f"{each.id}, {each.at[:10]}", link=decision_link(each.id)),
        Cell(number(expected.median), span(expected.low, expected.high, number), value=expected.median),
        Cell(told.metric),
        Cell(NOTHING, tone="muted") if came is None else Cell(number(came.actual), ends, value=came.actual),
        Cell(verdict, tone=tone),
        Cell(str(told.review), detail="due" if late else "", tone="caution" if late else "plain"),
        Cell(each.actor),
    )


# -- recording one ----------------------------------------------------------------------------------------------------


def entries(reading: Reading) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The fields of a decision, and those that few need."""
    plans = [name for name, plan in reading.plan_states().items() if plan.state != "withdrawn"]
    says = "as the plan, the budget or the channel's page says"
    main = (
        Entry("what", "What is decided", help="in a sentence", required=True),
        Entry("metric", "What it should move", help="with unit and time", required=True),
        Entry("review", "Look again on", "date", help="when it is known what came", required=True),
        Entry("expected", "It should bring", "number", help=says, required=True),
        Entry("low", "At least", "number", help="low end of the 90 % interval", required=True),
        Entry("high", "At most", "number", help="its high end", required=True),
        Entry("channels", "Channels", "choices", options=options(reading.panel.channels)),
    )
    tests = options(tuple(str(row["experiment_id"]) for row in reading.tests()))
    plan = Entry("plan", "Carried out by the plan", "select", options=(("", "none"), *((n, n) for n in plans)))
    rests = (Entry("evidence", "Rests on the tests", "choices", options=tests),) if tests else ()
    return main, (plan, *rests)


def _form(ask: Ask, given: Mapping[str, str], wrong: Wrong | None) -> tuple[Part, ...]:
    if not may(ask.who.role, RECORDS):
        return ()
    main, more = (filled(found, given, wrong) for found in entries(ask.reading))
    form = Form(
        "/decisions/add",
        main,
        "Record this decision",
        check="/decisions/check",
        more=more,
        open=any(given.get(entry.name) for entry in more),
        key="decision",
    )
    lead = "It is kept with the unified view and the fit of this moment, and never changed afterwards."
    begun = bool(given) or not ask.reading.decisions()
    refused = (
        () if wrong is None or not wrong.rest else (Working("Not recorded", "\n".join(wrong.rest), tone="caution"),)
    )
    return (Part("record", "Record a decision", lead, (*refused, Drawer("Fill in the decision", (form,), open=begun))),)


# -- everything that was done -----------------------------------------------------------------------------------------


def _events(ask: Ask) -> Part:
    events = ask.reading.events
    title = "Everything that was done"
    if not events:
        words = "Whatever is fitted, registered or decided is recorded here, and nothing is ever overwritten."
        return Part("events", title, words)
    columns = (Column("When", "UTC"), Column("Who"), Column("Did"), Column("Of"))
    rows = tuple(
        (Cell(e.at[:16].replace("T", " ")), Cell(e.actor), Cell(_did(e.kind)), Cell(e.subject))
        for e in reversed(events[-MOST:])
    )
    lead = f"{len(events)} events, the newest first. Nothing here is ever overwritten."
    table: Block = TableBlock(columns, rows, "" if len(events) <= MOST else f"The last {MOST}.", "log.csv")
    return Part("events", title, lead, (Drawer("Show them", (table,)),))


def _did(kind: str) -> str:
    """``plan.committed`` as ``committed a plan``."""
    noun, _, verb = kind.partition(".")
    nouns = {"experiment": "a test", "plan": "a plan", "decision": "a decision"}
    return WORDS.get(kind, f"{verb.replace('_', ' ')} {nouns.get(noun, noun)}")
