"""Track record: how well past decisions foresaw what came, and how right each source was about tests."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from theodolite.app.blocks import Actions, Block, Button, Form, Part
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, test_link
from theodolite.app.plan_steps import RECORDS
from theodolite.decisions import Recorded, scores
from theodolite.keys import may
from theodolite.report.cells import joined, names
from theodolite.report.page import Cell, ChartBlock, Column, Fact, Facts, Prose, TableBlock, Tone
from theodolite.report.track_record import LABELS, by_source, read_outs
from theodolite.report.words import GAP, count, percent, ratio, span

if TYPE_CHECKING:
    from calibration.track_record import Prediction, Scored

PROMISED = 0.9
MANY = 3
"""Planned tests beyond which they are chosen from a list."""
WAITING = ("draft", "in_review", "approved", "running")


# -- decisions --------------------------------------------------------------------------------------------------------


def of_decisions(log: Sequence[Recorded], today: date) -> tuple[Part, ...]:
    """How many of the intervals held what came; nothing where there is no decision yet."""
    if not log:
        return ()
    found, title = scores(log, today), "Track record of the decisions"
    still = sum(each.state == "open" for each in log)
    if not found.scored:
        first = min((each.decision.review for each in log if each.state == "open"), default=None)
        words = "None has been held against what came yet"
        return (Part("foresight", title, f"{words}; the first review is on {first}." if first else f"{words}."),)
    fits = f"they promise 90{GAP}%; {span(found.low, found.high, percent)} fits what was seen"
    held: Tone = "caution" if found.high < PROMISED else "good"
    facts = Facts(
        (
            Fact("Intervals that held", f"{found.held} of {found.scored}", fits, held),
            Fact("Came above", str(found.above), "more than the interval allowed"),
            Fact("Came below", str(found.below), "less than it allowed"),
            Fact("Open", str(still), f"{found.due} with a review that is due" if found.due else "none is due"),
        )
    )
    return (Part("foresight", title, _judged(found.held, found.scored, found.high), (facts, _chart(log))),)


def _judged(held: int, scored: int, most: float) -> str:
    said = f"{held} of {count(scored, 'outcome')} lay within what was expected"
    if most < PROMISED:
        return f"{said}: fewer than 90{GAP}% intervals promise, so widen what you expect."
    return f"{said}: no more outside than 90{GAP}% intervals allow."


def _chart(log: Sequence[Recorded]) -> ChartBlock:
    import pandas as pd

    from theodolite.decision_charts import came_of_it

    rows = [
        {
            "decision": each.id,
            "metric": each.decision.metric,
            "expected": each.decision.expected.median,
            "low": each.decision.expected.low,
            "high": each.decision.expected.high,
            "came": each.outcomes[-1].actual,
            "verdict": each.verdict,
        }
        for each in log
        if each.outcomes
    ]
    return ChartBlock(
        came_of_it(pd.DataFrame(rows)).to_dict(validate=False),
        title="What came of each decision",
        caption="The band is the expected 90 % interval, the small line its median. Nine in ten points should lie on "
        "their band.",
        height=90 + 28 * len(rows),
        file="outcomes.csv",
    )


# -- sources ----------------------------------------------------------------------------------------------------------


def of_sources(ask: Ask) -> Part:
    """Predictions of tests, frozen before the read-out, against what the tests measured."""
    title, made, scored = "Track record of the sources", ask.reading.predictions(), ask.reading.scored()
    freeze = _freeze(ask, made)
    if not made:
        words = (
            "How right is the model, how right attribution? Before a test is read out, freeze what every source says "
            "of its channel; the read-out then scores them all. "
        )
        none = "No planned test waits for it: design one under Experiments." if not freeze else ""
        return Part("sources", title, words + none, freeze)
    waiting = [p for p in made if p.experiment_id not in {s.experiment_id for s in scored}]
    blocks: list[Block] = []
    if scored:
        late = "None of them was frozen before its test ended, so none counts for or against a source."
        counts: Block = by_source(scored) if any(s.clean for s in scored) else Prose((late,), "caution")
        blocks += [counts, read_outs(scored), _against(scored)]
    if waiting:
        frozen = names([prediction.experiment_id for prediction in waiting])
        blocks.append(Prose((joined("Frozen, and waiting for a read-out: ", frozen, "."),), "muted"))
    lead = "What each source said of a test before its read-out, against what the test measured."
    if not scored:
        lead = "What every source says of a test is frozen here before its read-out, which then scores them all."
    return Part("sources", title, lead, (*blocks, *freeze))


def _freeze(ask: Ask, made: "Sequence[Prediction]") -> tuple[Block, ...]:
    """Buttons for the planned tests that nothing was predicted of yet; one to choose from where there are many."""
    if not may(ask.who.role, RECORDS) or ask.reading.last_view() is None:
        return ()
    known = {prediction.experiment_id for prediction in made}
    open_ones = [
        str(row["experiment_id"])
        for row in ask.reading.tests()
        if row["state"] in WAITING and str(row["experiment_id"]) not in known and len(row["channel"]) == 1
    ]
    if len(open_ones) > MANY:
        test = Entry(
            "id", "Planned test", "select", options=(("", "choose"), *((n, n) for n in open_ones)), required=True
        )
        return (Form("/decisions/predict", (test,), "Freeze what is said of it", key="freeze"),)
    buttons = tuple(Button(f"Freeze what is said of {name}", "/decisions/predict", {"id": name}) for name in open_ones)
    return (Actions(buttons),) if buttons else ()


def _against(scored: "Sequence[Scored]") -> TableBlock:
    columns = (
        Column("Test"),
        Column("Source"),
        Column("Said", "iROAS", True),
        Column("Measured", "iROAS", True),
        Column("Within 90 %"),
        Column("Frozen in time"),
    )
    rows = tuple(
        (
            Cell(s.experiment_id, detail=s.channel, link=test_link(s.experiment_id)),
            Cell(LABELS[s.method]),
            Cell(ratio(s.predicted.median), span(s.predicted.low, s.predicted.high), value=s.predicted.median),
            Cell(ratio(s.measured.median), span(s.measured.low, s.measured.high), value=s.measured.median),
            Cell("yes" if s.inside else "no", tone="good" if s.inside else "caution"),
            Cell("yes" if s.clean else "no, not counted", tone="plain" if s.clean else "caution"),
        )
        for s in scored
    )
    return TableBlock(columns, rows, "", "predictions.csv")
