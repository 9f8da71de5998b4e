"""What may be done with a test next: the step that it waits for as an open form, the others folded away."""

from experiments.records.experiment import GRADES
from measurement.typing import Json
from theodolite.app.blocks import Actions, Block, Button, Drawer, Form, Part
from theodolite.app.blocks import Field as Entry
from theodolite.app.moves import MOVES, Move
from theodolite.app.pages.ask import Ask, link, test_link
from theodolite.app.pages.entries import GRADE_WORDS
from theodolite.keys import may
from theodolite.report.page import Prose

WAITS_FOR: dict[str, tuple[Move, str]] = {
    "draft": ("submit", "The plan is a draft. Hand it in, and somebody else looks at it."),
    "in_review": ("approve", "The plan waits for an approval; from then on it is locked."),
    "approved": ("start", "The plan is approved. Say when the test has begun."),
    "running": ("complete", "The test runs. Say when it has ended, and what disturbed it."),
    "completed": ("analyse", "The test has ended. Its analysis is the one that was planned, whoever starts it."),
    "analysed": ("accept", "The result is there. Look at it and at its checks, then accept or reject it."),
}
"""By state, the step that a test waits for, and why."""


def parts(ask: Ask, registry: Json) -> tuple[Part, ...]:
    """What may be done, by whoever looks."""
    state, name = str(registry["state"]), str(registry["experiment_id"])
    outside = registry["source"] == "elsewhere"
    first, words = WAITS_FOR.get(state, (None, ""))
    blocks: list[Block] = []
    if first is not None and not may(ask.who.role, MOVES[first].role):
        blocks.append(Prose((f"{MOVES[first].label}: this needs the role {MOVES[first].role}, and you are here as "
                             f"{ask.who.role}.",), "muted"))  # fmt: skip
    open_to = [
        key
        for key, step in MOVES.items()
        if state in step.states and may(ask.who.role, step.role) and not (outside and key == "analyse")
    ]
    blocks += [_form(ask, registry, key) for key in open_to if key == first]
    if state in ("draft", "in_review") and ask.edits:
        blocks.append(Actions((Button("Change the plan", link("/experiments/register", id=name)),)))
    others = tuple(Drawer(MOVES[key].label, (_form(ask, registry, key),)) for key in open_to if key != first)
    if others:
        blocks.append(Drawer("Other steps", others))
    if not blocks:
        return ()
    return (Part("next", "What to do next" if first else "", words, tuple(blocks)),)


def _form(ask: Ask, registry: Json, key: Move) -> Form:
    name, step = str(registry["experiment_id"]), MOVES[key]
    reason = Entry(
        "reason", "Why", "text", "", "" if step.needs_reason else "may be left empty", required=step.needs_reason
    )
    if key == "analyse":
        hidden = (("kind", "analyse"), ("experiment", name), ("back", test_link(name)))
        return Form("/jobs", (*(Entry(n, "", "hidden", v) for n, v in hidden), reason), step.label, key=key)
    fields = [Entry("id", "", "hidden", name), Entry("step", "", "hidden", key)]
    more: tuple[Entry, ...] = ()
    match key:
        case "approve":
            author = next((e["by"] for e in reversed(registry["history"]) if e["action"] in ("register", "revise")), "")
            if author == ask.who.actor:
                words = f"I, {author}, planned it myself, and nobody else can look; the record will say so"
                fields.append(Entry("self_approve", words, "checkbox"))
        case "start":
            words = "left empty, it began on the planned day"
            fields.append(Entry("on", "First day", "date", "", words))
        case "complete":
            words = "one a line; left empty, the record says that nothing did"
            fields.append(Entry("incidents", "What disturbed it", "prose", "", words))
            more = _actuals(ask)
        case "accept" | "regrade" if len(registry["results"]) > 1:
            versions = tuple(
                (str(r["version"]), f"version {r['version']}, {r['at'][:10]}") for r in registry["results"]
            )
            fields.append(Entry("version", "Which result", "select", versions[-1][0], options=versions))
    if key == "regrade":
        grades = tuple((grade, GRADE_WORDS[grade]) for grade in GRADES)
        fields.append(Entry("grade", "Grade", "select", str(registry["grade"] or "C"), options=grades))
    if key == "supersede":
        fields.append(Entry("successor", "The test that takes its place", required=True))
    fields.append(reason)
    return Form("/experiment/step", tuple(fields), step.label, more=more, key=key, confirm=step.sure)


def _actuals(ask: Ask) -> tuple[Entry, ...]:
    """Money and days, where the study's media table does not tell them."""
    money = ask.reading.panel.currency
    usual = "left empty, the study's media table is asked"
    return (
        Entry("spend_treatment", "Money spent in treatment", "number", "", usual, money),
        Entry("spend_control", "Money spent in control", "number", unit=money),
        Entry("spend_delta", "Change of spend that was delivered", "number", "", "signed; where it is known", money),
        Entry("start_date", "It really began", "date", help="where not as planned"),
        Entry("end_date", "It really ended", "date", help="where not as planned"),
        Entry("cooldown_end_date", "Its cool-down really ended", "date", help="where not as planned"),
    )
