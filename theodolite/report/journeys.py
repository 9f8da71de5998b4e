"""Journeys in the report: what paths are like, credit calibrated by tests, what the audit found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from attribution import charts
from attribution.labels import label
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Fold,
    Points,
    Section,
    Strong,
    TableBlock,
    Text,
    Tone,
)
from theodolite.report.words import NOTHING, listed, number, percent, ratio, span

if TYPE_CHECKING:
    from attribution import Attribution, Audit, Paths
    from calibration.calibrated_credit import CalibratedCredit

TONES: dict[str, Tone] = {"serious": "caution", "look": "plain", "fine": "good"}
GRAVE = {
    "no-touch": "conversions without a touch",
    "models": "models that disagree",
    "coverage": "money on channels that no journey shows",
    "window": "credit that hangs on the lookback",
    "identity-loss": "credit that hangs on how well users are known",
    "duplicates": "events that repeat others",
    "same-instant": "touches at the very time of their conversion",
    "leakage": "touches that follow conversions",
    "no-time-of-day": "no time of day",
}
"""What is serious, in a few words, by the code of its finding."""
LEAST, WIDE = 480, 640
"""Pixels of width that charts with words beside their bars need, and those with names along their bands."""
WORDS = {"serious": "serious", "look": "worth a look", "fine": "fine"}


@dataclass(frozen=True, eq=False)
class Journeys:
    """What a report tells of journeys.

    Attributes:
        top: The commonest paths (`Paths.to_frame`).
        lengths: By number of touches (`attribution.views.path_lengths`).
        lags: By time lag; ``None`` without times.
        steps: Where journeys go next.
        flows: The way of conversions, touch by touch.
        leading: Credit of the leading channels (`attribution.views.leading`), as a frame.
        audit: The last audit of the same paths; ``None`` where there is none.
        calibrated: Credit calibrated by tests; ``None`` where no test can.
    """

    top: pd.DataFrame
    lengths: pd.DataFrame
    lags: pd.DataFrame | None
    steps: pd.DataFrame
    flows: pd.DataFrame
    leading: pd.DataFrame
    audit: "Audit | None" = None
    calibrated: "CalibratedCredit | None" = None

    @classmethod
    def of(
        cls, paths: "Paths", run: "Attribution", audit: "Audit | None", calibrated: "CalibratedCredit | None"
    ) -> "Journeys":
        """From the paths of a run, and what was found about the same paths."""
        from attribution import views

        return cls(
            top=paths.to_frame(40),
            lengths=views.path_lengths(paths),
            lags=None if paths.users is None else views.time_lags(paths),
            steps=views.transitions(paths),
            flows=views.flows(paths),
            leading=views.leading(run).to_frame(),
            audit=audit if audit is not None and audit.provenance.data == paths.sha256 else None,
            calibrated=calibrated,
        )


def sections(journeys: Journeys | None) -> tuple[Section, ...]:
    """The section on journeys, for those who want to understand; none without journeys."""
    return () if journeys is None else (_paths(journeys),)


def checks(journeys: Journeys | None) -> tuple[Section, ...]:
    """The audit, for those who check; none without journeys."""
    return () if journeys is None else (_audit(journeys),)


def _paths(j: Journeys) -> Section:
    alone = j.lengths.loc[j.lengths["order"] == 0, "conversions"].sum() / max(j.lengths["conversions"].sum(), 1e-12)
    lead = f"Of the conversions with a touch, {percent(alone)} have a single one."
    if j.lags is not None:
        first = j.lags[(j.lags["since"] == "first touch") & (j.lags["order"] >= 5)]
        lead += f" In {percent(first['share'].sum())} the first touch is more than a week before."
    blocks: list[Block] = [
        ChartBlock(
            charts.flows(j.flows).to_dict(validate=False),
            title="The way of conversions, touch by touch",
            caption="Every band is a share of the conversions with a touch, from one touch to the next; a conversion "
            "leaves at the dark bar after its last touch.",
            height=410,
            file="journey-flows.csv",
            least=WIDE,
        ),
        ChartBlock(
            charts.top_paths(j.top).to_dict(validate=False),
            title="The commonest paths",
            caption="Beside each bar, the share of such journeys that converted.",
            height=60 + 22 * min(len(j.top), 15),
            file="journey-paths.csv",
            least=LEAST,
        ),
        ChartBlock(
            charts.path_lengths(j.lengths).to_dict(validate=False),
            title="How many touches",
            caption="Conversions by number of touches, and how many of such journeys converted, with 90 % intervals.",
            height=60 + 22 * len(j.lengths),
            file="journey-lengths.csv",
            least=LEAST,
        ),
    ]
    if j.lags is not None:
        blocks.append(
            ChartBlock(
                charts.time_lags(j.lags).to_dict(validate=False),
                title="How long before the conversion",
                caption="A lookback shorter than the time since the first touch cuts journeys off.",
                height=100 + 26 * j.lags["lag"].nunique(),
                file="journey-lags.csv",
            )
        )
    steps = ChartBlock(
        charts.transitions(j.steps).to_dict(validate=False),
        title="Where journeys go next",
        caption="Of all journeys, also those that did not convert: shares of the steps from each channel.",
        height=120 + 24 * j.steps["source"].nunique(),
        file="journey-steps.csv",
    )
    blocks.append(Fold("Where journeys go from each channel", (steps,)))
    return Section("journeys", "What journeys look like", "understand", lead=lead, blocks=tuple(blocks))


def calibrated_table(j: Journeys | None) -> tuple[Block, ...]:
    """Credit × what a credited unit really brought, by tests alone; the baseline is the last row."""
    if j is None or j.calibrated is None:
        return ()
    columns = (
        Column("Channel"),
        Column("Credited", f"conversions, {label(j.calibrated.model)}", True),
        Column("Really brought", "per credited one, by tests", True),
        Column("Caused", "conversions", True),
        Column("Tests", wide=True),
    )
    rows = []
    for row in j.calibrated.to_frame().to_dict("records"):
        factor = row["factor"]
        share = Cell(NOTHING, tone="muted")
        if factor == factor:
            share = Cell(ratio(factor), detail=span(row["factor_low"], row["factor_high"]), value=factor)
        caused = span(row["conversions_low"], row["conversions_high"], number)
        rows.append(
            (
                Cell(row["channel"]),
                Cell(number(row["credited"]), value=row["credited"]),
                share,
                Cell(number(row["conversions"]), detail=caused, value=row["conversions"]),
                Cell(row["tests"] or NOTHING),
            )
        )
    caption = (
        "Each test is set against the credit that attribution gives to the same change of spend; the model has no say "
        "here. A channel without a test takes the factor of channels like it. What is left is baseline."
    )
    return (TableBlock(columns, tuple(rows), caption, "calibrated-credit.csv"),)


def _audit(j: Journeys) -> Section:
    title = "Whether the journeys can be trusted"
    if j.audit is None:
        words = "The journeys were not audited: run theodolite attribution audit, then write the report again."
        return Section("journeys-audit", title, "check", lead=words)
    grave = [f for f in j.audit.findings if f.severity == "serious"]
    named = listed([GRAVE.get(f.code, f.code.replace("-", " ")) for f in grave])
    lead: Text = (Strong("Serious: "), f"{named}.") if grave else "The audit found nothing serious."
    items = tuple(f"{WORDS[f.severity]}: {f.sentence}." for f in j.audit.findings)
    blocks: list[Block] = [Points(items)]
    if j.audit.windows is not None:
        blocks.append(
            ChartBlock(
                charts.windows(j.audit.windows).to_dict(validate=False),
                title="What changes when the window changes",
                caption=f"Share of all conversions that the model '{label(j.audit.model)}' credits, by lookback. Lines "
                "that cross mean that the lookback decides who is ahead. Dashed: the lookback that is used.",
                height=320,
                file="lookbacks.csv",
            )
        )
    return Section("journeys-audit", title, "check", lead=lead, blocks=tuple(blocks))
