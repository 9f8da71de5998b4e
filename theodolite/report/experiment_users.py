"""A test on users on its page: the arms, who is in them, and the effect as it was known on each day."""

import pandas as pd

from experiments import Result, charts
from theodolite.report.experiment_words import amount, interval, level, p_words, signed
from theodolite.report.page import Block, Cell, ChartBlock, Column, Heading, Section, TableBlock
from theodolite.report.words import NOTHING, count, percent

SUSPECT = 0.01
"""Below this p-value the sizes of the arms do not look like the draw."""


def arms_section(result: Result) -> Section:
    """Both arms beside each other, and whether their sizes are those of the draw."""
    d = result.diagnostics
    arms = pd.DataFrame(d["arms"])
    unit = f"{result.kpi} per user"
    chart = ChartBlock(
        charts.arms(arms, unit).to_dict(validate=False),
        title="The two arms",
        caption="Mean per user with its interval, before any adjustment. The test compares them; overlapping intervals "
        "do not by themselves mean that there is no effect.",
        height=130,
        file="arms.csv",
    )
    blocks: list[Block] = [chart, Heading("Are the arms as large as the draw says?"), _sizes(result)]
    if len(d.get("sequence", [])) > 1:
        blocks.append(_sequence(result))
    if len(d.get("kpis", [])) > 1:
        blocks += [Heading("Every KPI of the table"), _kpis(result)]
    q = result.average_effect
    lead = (
        f"{count(int(arms['users'].sum()), 'user')} in two arms, drawn one by one. The effect is {amount(q.estimate)} "
    )
    lead += f"{q.unit} ({level(result)} {interval(q)})."
    return Section("arms", "The arms", "understand", lead=lead, blocks=tuple(blocks))


def _sizes(result: Result) -> TableBlock:
    columns = (
        Column("Who"),
        Column("Share in treatment, seen", numeric=True),
        Column("Share in treatment, planned", numeric=True),
        Column("p-value", "of such a split", True),
        Column("In words", wide=True),
    )
    rows = tuple(
        (
            Cell(who),
            Cell(percent(found["seen"], 2), value=found["seen"]),
            _maybe(found["expected"], percent(found["expected"], 2) if found["expected"] is not None else ""),
            _maybe(found["p_value"], p_words(found["p_value"]) if found["p_value"] is not None else ""),
            _judged(found["p_value"]),
        )
        for who, found in result.diagnostics["sample_ratio"].items()
    )
    return TableBlock(columns, rows, "", "sample-ratio.csv")


def _maybe(value: float | None, text: str) -> Cell:
    return Cell(NOTHING, tone="muted") if value is None else Cell(text, value=value)


def _judged(p: float | None) -> Cell:
    if p is None:
        return Cell("not known: the record does not say which share was planned (allocation)", tone="caution")
    if p < SUSPECT:
        return Cell("users are missing from one arm: find out why before reading any effect", tone="caution")
    return Cell("as drawn", tone="good")


def _sequence(result: Result) -> ChartBlock:
    frame = pd.DataFrame(result.diagnostics["sequence"])
    return ChartBlock(
        charts.sequence(frame, f"Effect per user ({result.kpi})").to_dict(validate=False),
        title="The effect as it was known on each day",
        caption="The band holds at every look at once, so that one may look daily and stop when it leaves zero. It is "
        "wider than the final interval, which allows for one look only.",
        height=240,
        file="sequence.csv",
    )


def _kpis(result: Result) -> TableBlock:
    columns = (
        Column("KPI"),
        Column("Change", "over the treated users", True),
        Column("p-value", numeric=True),
        Column("p-value, all KPIs", "after Holm", True),
    )
    rows = []
    for found in result.diagnostics["kpis"]:
        change = found["outcome_change"]["estimate"]
        shown = Cell(NOTHING) if change is None else Cell(signed(change), value=change)
        rows.append((Cell(found["kpi"]), shown, Cell(p_words(found["p_value"])), Cell(p_words(found["p_holm"]))))
    return TableBlock(columns, tuple(rows), "Whoever picks the best of several KPIs reads the last column.", "kpis.csv")
