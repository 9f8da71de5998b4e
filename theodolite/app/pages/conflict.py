"""Conflict: a test that contradicts the model or another test, and the recorded decision about whom to believe."""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibration.resolution import RESOLVED, Keep
from theodolite import results
from theodolite.app.blocks import Actions, Block, Drawer, Form, Part
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, linked, test_link, work
from theodolite.app.plan_steps import DECIDES
from theodolite.keys import may
from theodolite.report import compare
from theodolite.report.cells import joined
from theodolite.report.material import Material
from theodolite.report.page import Cell, Column, Name, Points, Prose, Strong, TableBlock, Text
from theodolite.report.words import GAP, NOTHING, ratio, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration import ChannelView, Conflict

CHOICES: dict[Keep, tuple[str, str]] = {
    "test": (
        "The test is right",
        "It stays in, and the number is shown again, with the conflict named beside it. Believe it where the test was "
        "planned in advance and ran as planned.",
    ),
    "model": (
        "The model is right",
        "The test is set aside: it is evidence no more. Believe the model where something disturbed the test.",
    ),
    "neither": (
        "Neither is to be trusted yet",
        "The number stays withheld until something new is known: test the channel again.",
    ),
}

LEAST = 1e-4
"""What a chance is called smaller than; nobody reads exponents."""


def part(ask: Ask, c: "ChannelView", m: Material) -> tuple[Part, ...]:
    """What contradicts what, what was decided, and the way to decide; nothing where all tests of the channel agree."""
    found = [x for x in m.conflicts if c.channel in x.channels and (x.verdict != "agrees" or x.keep is not None)]
    aside = [
        r for r in m.decisions if c.channel in r.channels and r.experiment_id not in {x.experiment_id for x in found}
    ]
    if not found and not aside:
        return ()
    blocks: list[Block] = [linked(_table(c, found, m), {x.experiment_id: test_link(x.experiment_id) for x in found})]
    blocks += compare.unseen(replace(m, conflicts=found))
    blocks += [Prose((joined(resolution.in_words, "."),), "muted") for resolution in aside]
    blocks += _follow_up(ask, found)
    if may(ask.who.role, DECIDES):
        blocks += [_decide(c, conflict, i, alone=len(found) == 1) for i, conflict in enumerate(found)]
    else:
        blocks.append(Prose((f"Somebody with the role {DECIDES} decides.",), "muted"))
    return (Part("conflict", "Whom to believe", _lead(found), tuple(blocks)),)


def _lead(found: "Sequence[Conflict]") -> Text:
    open_ones = [x for x in found if x.keep is None]
    if not open_ones:
        return "It is decided; the decision stands in the log with its reason, and may be made again."
    words = open_ones[0].in_words()
    why = "An average of the two would hide that one is wrong, so no number is shown until somebody decides."
    return (f"{words[:1].upper()}{words[1:]}. {why}",)


def _table(c: "ChannelView", found: "Sequence[Conflict]", m: Material) -> TableBlock:
    grades = {str(e["experiment_id"]): str(e.get("grade") or NOTHING) for e in m.evidence}
    said = {str(e["experiment_id"]): e.get("iroas") for e in m.evidence}
    columns = (
        Column("Test"),
        Column("It says", "iROAS", True),
        Column("The model without it", "iROAS", True),
        Column("Chance of so odd a result", "were the model right", True),
        Column("Grade"),
        Column("Decided", wide=True),
    )
    model = Cell(NOTHING, tone="muted")
    if c.mmm is not None:
        model = Cell(ratio(c.mmm.median), span(c.mmm.low, c.mmm.high), value=c.mmm.median)
    rows = tuple(
        (
            Cell(x.experiment_id, detail=_against(x)),
            _iroas(said.get(x.experiment_id)),
            model,
            Cell(f"{x.least_p:.2g}" if x.least_p >= LEAST else f"under {LEAST:g}", value=x.least_p, tone="caution"),
            Cell(grades.get(x.experiment_id, NOTHING)),
            Cell(x.decision or "not yet"),
        )
        for x in found
    )
    caption = f"Below 0.01 a test counts as contradicting. Intervals are 90{GAP}% ones."
    return TableBlock(columns, rows, caption, "conflicts.csv")


def _against(x: "Conflict") -> str:
    return f"against {', '.join(x.against)}" if x.verdict == "tests disagree" else ""


def _iroas(found: object) -> Cell:
    if not isinstance(found, dict) or found.get("median") is None:
        return Cell(NOTHING, tone="muted")
    return Cell(ratio(found["median"]), span(found["low"], found["high"]), value=found["median"])


def _follow_up(ask: Ask, found: "Sequence[Conflict]") -> list[Block]:
    """What is to be worked out again before a decision shows in the numbers."""
    needs: dict[str, tuple[str, tuple[str, str], str]] = {
        "test": (results.VIEW, ("Bring the sources together", "reconcile"), "the sources are brought together again"),
        "model": (results.FIT, ("Fit the model", "fit"), "the model is fitted again without the test"),
    }
    last = {event.kind: event.sequence for event in ask.reading.events}
    made = {event.subject: event.sequence for event in ask.reading.events if event.kind == RESOLVED}
    blocks: list[Block] = []
    for keep, (kind, button, what) in needs.items():
        if any(x.keep == keep and made.get(x.experiment_id, 0) > last.get(kind, 0) for x in found):
            blocks.append(Prose((f"Decided, and not yet in the numbers: that comes when {what}.",), "caution"))
            if buttons := work(ask, button):
                blocks.append(Actions(buttons))
    return blocks


def _decide(c: "ChannelView", conflict: "Conflict", place: int, *, alone: bool) -> Drawer:
    ways = (("", "choose"), *((keep, words) for keep, (words, _) in CHOICES.items()))
    fields = (
        Entry("id", "", "hidden", conflict.experiment_id),
        Entry("channel", "", "hidden", c.channel),
        Entry("keep", "Whom to believe", "select", options=ways, required=True),
        Entry("reason", "Why", "text", "", "it stands in the report and in the log", required=True),
    )
    form = Form("/channel/resolve", fields, "Decide", key=f"resolve-{place}")
    choices = Points(tuple((Strong(f"{words}. "), follows) for words, follows in CHOICES.values()))
    summary: Text = joined("Decide about ", (Name(conflict.experiment_id),))
    if conflict.keep is not None:
        summary = joined("Decide again about ", (Name(conflict.experiment_id),))
    blocks: tuple[Block, ...] = (choices, form)
    return Drawer(summary, blocks, open=alone and conflict.keep is None)
