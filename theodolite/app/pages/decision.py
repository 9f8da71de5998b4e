"""Decision: one of them, what it rests on, what came of it, and who did what with it."""

from theodolite import results
from theodolite.app.blocks import Block, Drawer, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, channel_link, plan_link, test_link, today
from theodolite.app.pages.decisions import VERDICTS
from theodolite.app.plan_steps import DECIDES, RECORDS
from theodolite.decisions import Outcome, Recorded, find
from theodolite.keys import may
from theodolite.report.page import Cell, Column, Fact, Facts, Name, TableBlock
from theodolite.report.words import GAP, NOTHING, number, span

BASIS = {results.VIEW: "Unified view", results.FIT: "Fit of the model"}
STEPS = {"add": "recorded", "score": "said what came", "withdraw": "withdrawn"}


def view(ask: Ask) -> View:
    """The page.

    Raises:
        DataError: Where there is none of the id that is asked for.
    """
    found = find(ask.reading.decisions(), ask.query.get("id", ""))
    parts = (
        _stand(found),
        *_next(ask, found),
        _basis(ask, found),
        *_outcomes(found),
        _history(found),
    )
    return View((Name(found.decision.what),), f"{found.id} · recorded on {found.at[:10]} by {found.actor}", parts)


def _stand(found: Recorded) -> Part:
    told, expected = found.decision, found.decision.expected
    words, tone = VERDICTS.get(found.verdict, (found.state, "plain"))
    late = found.due(today())
    came = found.outcomes[-1] if found.outcomes else None
    facts = Facts(
        (
            Fact("It should bring", number(expected.median), span(expected.low, expected.high, number)),
            Fact("It brought", NOTHING if came is None else number(came.actual), _ends(came)),
            Fact("Verdict", words, _verdict(found), tone if tone in ("good", "caution") else "plain"),
            Fact("Review", str(told.review), "it is due" if late else "", "caution" if late else "plain"),
        )
    )
    return Part("state", "", (Name(told.metric), f". Medians with 90{GAP}% intervals."), (facts,))


def _ends(came: Outcome | None) -> str:
    if came is None:
        return "not known yet"
    return "" if came.low is None or came.high is None else span(came.low, came.high, number)


def _verdict(found: Recorded) -> str:
    match found.verdict:
        case "as expected":
            return "what came lies within what was expected"
        case "above" | "below":
            return f"what came lies {found.verdict} the interval that was expected"
        case _:
            return "taken back before it was carried out" if found.state == "withdrawn" else "not held against anything"


def _next(ask: Ask, found: Recorded) -> tuple[Part, ...]:
    drawers: list[Block] = []
    if found.state in ("open", "scored") and may(ask.who.role, RECORDS):
        unit = "in the unit of what was expected"
        fields = (
            Entry("id", "", "hidden", found.id),
            Entry("actual", "It brought", "number", "", unit, required=True),
            Entry("low", "At least", "number", "", "low end of its 90 % interval, where it is known"),
            Entry("high", "At most", "number", "", "its high end"),
            Entry("note", "What else mattered", "text"),
        )
        form = Form("/decision/score", fields, "Record what came", key="score")
        label = "Say what came of it" if found.state == "open" else "Correct what was said of it; the last word counts"
        drawers.append(Drawer(label, (form,), open=found.due(today())))
    if found.state == "open" and may(ask.who.role, DECIDES):
        reason = Entry("reason", "Why", "text", "", "it stays in the log with this", required=True)
        form = Form("/decision/withdraw", (Entry("id", "", "hidden", found.id), reason), "Take it back", key="withdraw")
        drawers.append(Drawer("Take it back: it was never carried out", (form,)))
    return (Part("next", "What to do next", blocks=tuple(drawers)),) if drawers else ()


def _basis(ask: Ask, found: Recorded) -> Part:
    told = found.decision
    known = {event.hash: event for event in ask.reading.events}
    rows = [
        (
            Cell(BASIS.get(kind, kind)),
            Cell(f"{known[sha].at[:16].replace('T', ' ')} UTC" if sha in known else "", detail=sha[:12]),
        )
        for kind, sha in found.basis.items()
    ]
    rows += [(Cell("Plan of record"), Cell(told.plan, link=plan_link(told.plan)))] if told.plan else []
    rows += [(Cell("Test"), Cell(name, link=test_link(name))) for name in told.evidence]
    rows += [(Cell("Channel"), Cell(name, link=channel_link(name))) for name in told.channels]
    title = "What it rests on"
    if not rows:
        return Part("basis", title, "On no fit and no test: there was none when it was recorded.")
    return Part("basis", title, blocks=(TableBlock((Column("What"), Column("Which", wide=True)), tuple(rows)),))


def _outcomes(found: Recorded) -> tuple[Part, ...]:
    if not found.outcomes:
        return ()
    columns = (Column("Came", numeric=True), Column("90 % interval", numeric=True), Column("Note", wide=True))
    rows = tuple(
        (Cell(number(each.actual), value=each.actual), Cell(_ends(each) or NOTHING), Cell(each.note))
        for each in reversed(found.outcomes)
    )
    lead = "The last one counts; the earlier ones stay." if len(rows) > 1 else ""
    return (Part("outcomes", "What came", lead, (TableBlock(columns, rows, "", "outcomes.csv"),)),)


def _history(found: Recorded) -> Part:
    columns = (Column("When", "UTC"), Column("What"), Column("Who"), Column("Why", wide=True))
    rows = tuple(
        (
            Cell(str(step["at"])[:16].replace("T", " ")),
            Cell(STEPS[str(step["action"])]),
            Cell(str(step["by"])),
            Cell(str(step["reason"])),
        )
        for step in found.history
    )
    return Part("history", "History", blocks=(TableBlock(columns, rows, "", "history.csv"),))
