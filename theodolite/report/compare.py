"""What tests and journeys say beside the model: lift tests and what they changed, attribution and how far it is off."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from attribution import charts as credit_charts
from attribution.labels import label
from calibration import charts, left_out_charts, part_frames
from calibration.conflict import LIMIT, Conflict
from calibration.quantity import Quantity
from experiments.records import Experiment
from measurement.typing import Json
from theodolite.report.cells import joined, names, quantity
from theodolite.report.journeys import calibrated_table
from theodolite.report.material import Material
from theodolite.report.page import Block, Cell, ChartBlock, Column, Fold, Section, TableBlock, Text
from theodolite.report.words import NOTHING, count, money, number, percent, ratio

DECIDED = {"test": "believed by decision", "model": "set aside by decision", "neither": "decided: believe neither"}
RESOLUTIONS = {
    "test": "believe the test; it stays in",
    "model": "believe the model; the test is set aside",
    "neither": "believe neither; the number stays withheld",
}


def sections(material: Material) -> tuple[Section, ...]:
    """The sections on lift tests and on attribution."""
    return (tests_section(material), attribution_section(material))


# -- lift tests -------------------------------------------------------------------------------------------------------


def tests_section(m: Material) -> Section:
    """What the lift tests say and change."""
    title = "What the lift tests say and change"
    if not m.evidence:
        words = (
            "The study holds no lift test with a result, so nothing here was measured by changing spend on purpose. "
            "The numbers rest on the model and on attribution, and both can mistake demand for effect. A test of the "
            "largest channel whose spend follows demand would help most."
        )
        return Section("tests", title, "understand", lead=words)
    against = [c for c in m.conflicts if c.withholds]
    lead: Text = f"{count(len(m.evidence), 'test')}; the model agrees with {len(m.conflicts) - len(against)} of them."
    if against:
        lead = joined(lead, " In question: ", names([c.experiment_id for c in against]), ".")
    before = ChartBlock(
        charts.before_after(m.view.to_frame(), m.view.break_even, m.truth or None).to_dict(validate=False),
        title="The model before and after the tests",
        caption="Where a test says less than the model alone, the model had taken demand for effect. The fit with "
        f"tests weighs the two by how certain they are.{m.caveat}",
        height=110 + 60 * len(m.view.channels),
        file="before-after.csv",
    )
    widening = ChartBlock(
        charts.waterfall(_widening(m), m.unit).to_dict(validate=False),
        title="From the reported error to the one that is used",
        caption="A test counts for less where placebo runs spread wider than its stated error, where its design can "
        "mislead (grade), and as it ages.",
        height=420,
        file="widening.csv",
    )
    fold = Fold("How far each test's error was widened, and why", (widening,))
    blocks: tuple[Block, ...] = (_tests_table(m), *unseen(m), *_decisions(m), before, fold)
    return Section("tests", title, "understand", lead=lead, blocks=blocks)


def unseen(m: Material) -> tuple[ChartBlock, ...]:
    """Each test beside the model that has not seen it; nothing where an older version has judged them."""
    frame = part_frames.unseen(m.conflicts, m.evidence)
    if not len(frame):
        return ()
    chart = ChartBlock(
        left_out_charts.unseen(frame, f"{m.unit} per {m.currency}").to_dict(validate=False),
        title="Each test beside the model that has not seen it",
        caption="Lines are 90 % intervals: of the test with its widened error, of the model fitted or reweighted "
        "without it, and of what the sales of its own markets say, read again. Where the test lies far from both, one "
        f"of them is wrong.{m.caveat}",
        height=90 + frame["experiment_id"].nunique() * (9 + 15 * frame["source"].nunique()),
        file="unseen.csv",
    )
    return (chart,)


def _decisions(m: Material) -> tuple[TableBlock, ...]:
    """What was decided about tests in question, by whom and why."""
    if not m.decisions:
        return ()
    columns = (Column("Test"), Column("Decided", wide=True), Column("Why", wide=True), Column("By"), Column("On"))
    rows = tuple(
        (
            Cell(d.experiment_id, detail=", ".join(d.channels)),
            Cell(RESOLUTIONS[d.keep], detail=d.conflict),
            Cell(d.reason),
            Cell(d.by),
            Cell(d.at[:10]),
        )
        for d in m.decisions
    )
    return (TableBlock(columns, rows, "Decisions about tests that were in question.", "decisions.csv"),)


def _widening(m: Material) -> pd.DataFrame:
    rows = [{"experiment_id": e["experiment_id"], **step} for e in m.evidence for step in e["waterfall"]]
    return pd.DataFrame(rows)[["experiment_id", "step", "std_error", "reason"]]


def _tests_table(m: Material) -> TableBlock:
    columns = (
        Column("Test"),
        Column("Channel"),
        Column("When", wide=True),
        Column("Its iROAS", m.ratio_unit, True),
        Column("Verdict"),
        Column("Chance of such a result", "if the model is right", True),
        Column("What it measured", f"change of {m.unit}", True),
        Column("Change of spend", numeric=True),
        Column("Error widened", "reported to used", True),
    )
    records = {test.experiment_id: test for test in m.tests}
    judged = {c.experiment_id: c for c in m.conflicts}
    rows = [_test_row(m, e, records.get(e["experiment_id"]), judged.get(e["experiment_id"])) for e in m.evidence]
    caption = (
        "The chance is a p-value: how often the model, fitted without this test, would see a result at least as far "
        "off; the second one counts the sales of the test's own markets, read again. Below 1 % the channel's number is "
        f"withheld until someone decides what to believe.{m.caveat}"
    )
    return TableBlock(columns, tuple(rows), caption, "tests.csv")


def _test_row(m: Material, e: Json, test: Experiment | None, verdict: Conflict | None) -> tuple[Cell, ...]:
    spend, factor = sum(e["spend_delta"]), _factor(e["waterfall"])
    return (
        Cell(e["experiment_id"], detail=f"grade {e['grade']}"),
        Cell(", ".join(e["channels"])),
        _when(test),
        quantity(Quantity.from_dict(e["iroas"]), "several channels"),
        _verdict(verdict),
        Cell(NOTHING, tone="muted") if verdict is None else _chances(verdict),
        Cell(number(e["outcome_change"]), detail=f"± {number(e['std_error'])}", value=e["outcome_change"]),
        Cell(money(spend, m.currency), detail=_usual(e), value=spend),
        Cell(f"× {ratio(factor)}", value=factor),
    )


def _verdict(verdict: Conflict | None) -> Cell:
    if verdict is None:
        return Cell(NOTHING, tone="muted")
    words = {"agrees": "agrees", "conflict": "contradicts the model"}.get(verdict.verdict, "tests disagree")
    if verdict.verdict == "conflict" and verdict.p >= LIMIT:
        words = "does not fit its markets' own sales"
    detail = " · ".join(filter(None, (", ".join(verdict.against), DECIDED.get(verdict.keep or "", ""))))
    return Cell(words, detail=detail, tone="good" if verdict.verdict == "agrees" else "caution")


def _when(test: Experiment | None) -> Cell:
    if test is None:
        return Cell(NOTHING, tone="muted")
    return Cell(f"{test.start_date} to {test.end_date}", detail=test.method.replace("_", " "))


def _usual(evidence: Mapping[str, Any]) -> str:
    return "usual spend imputed" if evidence["counterfactual_imputed"] else ""


def _factor(steps: Any) -> float:
    return float(steps[-1]["std_error"] / steps[0]["std_error"])


def _chances(verdict: Conflict) -> Cell:
    again = "" if verdict.panel_p is None else f"{_chance(verdict.panel_p)} with its markets' sales"
    return Cell(_chance(verdict.p), detail=again, value=verdict.least_p)


def _chance(p: float) -> str:
    return "under 0.1\u00a0%" if p < 0.001 else percent(p, 1 if p < 0.1 else 0)


# -- attribution ------------------------------------------------------------------------------------------------------


def attribution_section(m: Material) -> Section:
    """Attribution against the model."""
    title = "Attribution against the model"
    if m.credit is None:
        words = (
            "The study names no user journeys, so attribution has no say here. Give touchpoints in theodolite.toml to "
            "compare it with the model."
        )
        return Section("attribution", title, "understand", lead=words)
    lead = (
        "Attribution shares out sales among the ads that buyers had seen. It shows who was present, not who caused the "
        "sale: buyers who would have bought anyway count in full, and ads without a trace count for nothing."
    )
    chart = ChartBlock(
        charts.attribution_against(m.view.to_frame(), m.view.break_even, m.view.primary).to_dict(validate=False),
        title=f"How far attribution ({label(m.view.primary)}) lies from the model and from the unified view",
        caption=f"Journeys of {m.credit_window or 'an unknown time'}; the rest covers the whole window. Lines are 90 % "
        f"intervals.{m.caveat}",
        height=90 + 54 * sum(bool(c.attribution) for c in m.view.channels),
        file="attribution.csv",
    )
    return Section(
        "attribution",
        title,
        "understand",
        lead=lead,
        blocks=(chart, _factors(m), *calibrated_table(m.journeys), _credits(m)),
    )


def _factors(m: Material) -> TableBlock:
    columns = (
        Column("Channel"),
        Column("Attribution", f"{label(m.view.primary)}, ROAS", True),
        Column("Unified", "iROAS", True),
        Column("Really brought", "per credited unit", True),
        Column("In words"),
    )
    rows = []
    for c in m.view.channels:
        if m.view.primary not in c.attribution:
            continue
        factor = c.incrementality_factor
        rows.append(
            (
                Cell(c.channel),
                quantity(c.attribution[m.view.primary]),
                quantity(c.iroas, "withheld"),
                quantity(factor, "withheld" if c.iroas is None else ""),
                Cell(_factor_words(factor.low, factor.high) if factor else ""),
            )
        )
    caption = (
        "Really brought: unified / attributed, the incrementality factor. 0.50 means that of two credited sales one "
        f"would have happened anyway; above 1, the channel does more than journeys show.{m.caveat}"
    )
    return TableBlock(columns, tuple(rows), caption, "incrementality.csv")


def _factor_words(low: float, high: float) -> str:
    if high < 1:
        return "attribution credits it with too much"
    return "attribution credits it with too little" if low > 1 else "not clear: the interval holds 1"


def _credits(m: Material) -> Fold:
    frame = m.credit if m.credit is not None else pd.DataFrame()
    models = list(dict.fromkeys(frame["model"]))
    columns = (Column("Channel"), *(Column(label(model), "share of conversions", True, key=model) for model in models))
    rows = []
    for channel in dict.fromkeys(frame["channel"]):
        own = frame[frame["channel"] == channel].set_index("model")["share"]
        cells = [
            Cell(percent(own[model], 1), value=float(own[model])) if model in own else Cell(NOTHING) for model in models
        ]
        rows.append((Cell(channel), *cells))
    caption = "Each model's shares add up to all conversions, those without any touch included."
    chart = ChartBlock(
        credit_charts.models(frame if m.journeys is None else m.journeys.leading).to_dict(validate=False),
        title="Conversions that each model credits",
        caption="Where the models differ much, the credit hangs on a convention and not on the journeys.",
        height=360,
        file="credits-by-model.csv",
    )
    table = TableBlock(columns, tuple(rows), caption, "credits.csv")
    return Fold("Every attribution model side by side", (chart, table))
