"""A planned test on its page: the recommendation, the choices beside each other, power, cost, and what to mind."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from experiments import charts
from experiments.design.proposal import Design, Designs
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from theodolite.report import design_words as say
from theodolite.report.experiment_words import amount
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Fact,
    Facts,
    Heading,
    Points,
    Prose,
    Section,
    TableBlock,
)
from theodolite.report.words import NOTHING, count, money, percent


def recommendation_section(designs: Designs, chosen: Design, saved: str) -> Section:
    """What to do, what it can find and what it costs."""
    facts = [
        Fact("Treated geos", str(len(chosen.treatment_geos)), f"against {len(chosen.control_geos)} control geos"),
        Fact("Length", f"{chosen.duration} {chosen.period}s", _cooldown(chosen)),
        Fact(
            "Smallest effect found",
            say.mde(chosen),
            f"of {chosen.cost.kpi} in the treated geos, with a chance of {percent(chosen.goal.power)}",
            "plain" if math.isfinite(chosen.mde) else "caution",
        ),
        Fact("Change of spend", say.spend(chosen), _usual(chosen)),
        Fact(say.stake_title(chosen).capitalize(), say.at_stake(chosen), _expected(chosen)),
    ]
    best = chosen is designs.best
    lead = designs.recommendation if best else f"{say.finds(chosen)} The search ranks another design first."
    blocks: list[Block] = [Facts(tuple(facts)), Prose((say.finds(chosen) if best else designs.recommendation,))]
    if caveats := say.caveats(chosen):
        blocks += [Heading("Mind"), Points(tuple(caveats))]
    blocks += [Heading("What to do next"), Points(tuple(say.next_steps(chosen, saved)), numbered=True)]
    return Section("recommendation", "What to do", "decide", lead=lead, blocks=tuple(blocks))


def _cooldown(design: Design) -> str:
    if not design.cooldown:
        return "no cool-down: late effects are missed"
    return f"then {design.cooldown} of cool-down, read out with them"


def _usual(design: Design) -> str:
    usual = design.cost.usual_spend
    if usual is None:
        return "the data hold no spend"
    return f"instead of {money(usual, design.cost.currency)} in these geos"


def _expected(design: Design) -> str:
    cost = design.cost
    if cost.money_delta is None:
        return "if the true effect is just the smallest one found" if cost.lost_at_mde is not None else ""
    verb = "lose" if cost.money_delta < 0 else "bring"
    return f"expected to {verb} {money(abs(cost.money_delta), cost.currency)} at the return that you stated"


def choices_section(designs: Designs, chosen: Design) -> Section:
    """Every design beside the others: map, cost, table."""
    blocks: list[Block] = []
    frame = _frame(designs, chosen)
    seen = frame[frame["mde"].notna()]
    if len(seen) > 1:
        rows = seen["geos"].nunique()
        blocks.append(
            ChartBlock(
                charts.choices(seen, chosen.period).to_dict(validate=False),
                title="The smallest effect that each choice finds",
                caption="By number of treated geos and length, the best set of each. Darker finds less; the frame is "
                "the chosen one. More geos do not always help: they may be harder to imitate.",
                height=70 + 34 * rows,
                file="choices.csv",
            )
        )
    costed = seen[seen["cost"].notna()]
    if len(costed) > 1:
        blocks.append(
            ChartBlock(
                charts.cost(costed, f"{say.stake_title(chosen).capitalize()} ({chosen.cost.currency})", chosen.period)
                .to_dict(validate=False),
                title="What precision costs",
                caption="Each dot is a design. One that lies below and to the left of another is better in both.",
                height=310,
                file="cost.csv",
            )
        )  # fmt: skip
    blocks += [_table(designs), Heading("Why the chosen one stands where it does"), Points(tuple(chosen.reasons))]
    if designs.notes:
        blocks += [Heading("What is not possible"), Points(tuple(designs.notes))]
    lead = f"{count(len(designs.designs), 'design')}, ranked by what they find, what they cost and how long they take."
    return Section("choices", "The choices", "understand", lead=lead, blocks=tuple(blocks))


def _frame(designs: Designs, chosen: Design) -> pd.DataFrame:
    rows = [
        {
            "geos": len(each.treatment_geos),
            "name": ", ".join(each.treatment_geos),
            "duration": each.duration,
            "mde": each.mde if math.isfinite(each.mde) else math.nan,
            "cost": _stake(each),
            "recommended": each is chosen,
        }
        for each in designs.designs
    ]
    return pd.DataFrame(rows).astype({"mde": "float64", "cost": "float64"})


def _stake(design: Design) -> float:
    cost = design.cost.lost_at_mde if design.cost.lost_at_mde is not None else design.cost.needed
    return math.nan if cost is None else cost


def _table(designs: Designs) -> TableBlock:
    best = designs.best
    columns = (
        Column("Treated geos", "by rank"),
        Column("Length", numeric=True),
        Column("Finds", f"change of {best.cost.kpi}", True),
        Column("False positives", "without an effect", True),
        Column("Change of spend", numeric=True),
        Column(say.stake_title(best).capitalize(), numeric=True),
        Column("Score", "of 100", True),
    )
    rows = tuple(
        (
            Cell(f"{i}. {', '.join(each.treatment_geos)}"),
            Cell(say.length(each)),
            Cell(say.mde(each), value=each.mde),
            Cell(percent(each.power.false_positives), value=each.power.false_positives),
            Cell(say.spend(each), value=each.cost.spend_delta),
            Cell(say.at_stake(each), value=_stake(each)),
            Cell(f"{each.score:.0f}", value=each.score),
        )
        for i, each in enumerate(designs.designs, start=1)
    )
    return TableBlock(columns, rows, "", "designs.csv")


def power_section(chosen: Design, others: Mapping[str, Design]) -> Section:
    """What the chosen design can find, and how that is known."""
    p = chosen.power
    curve = pd.DataFrame(p.curve())
    chart = ChartBlock(
        charts.power_curve(curve, p.mde, chosen.goal.power, chosen.cost.kpi, p.optimistic).to_dict(validate=False),
        title="The chance of finding an effect, by its true size",
        caption="From windows of the history that did not choose the geos, with a 90 % band for how few they are. "
        "MDE: the smallest effect that is found with the wanted power.",
        height=280,
        file="power.csv",
    )
    facts = Facts(
        (
            Fact("Found without an effect", percent(p.false_positives), _false(chosen)),
            Fact("Typical error", percent(p.rmse, 1), "of the treated geos' KPI, without any effect"),
            Fact("Lean", percent(p.bias, 1), "mean of those errors; near 0 is good"),
            Fact("Separate windows", f"{p.windows:.1f}".removesuffix(".0"), "of the history that chose nothing"),
        )
    )
    blocks: list[Block] = [facts, chart]
    if others:
        rows = tuple((Cell(kpi), Cell(say.mde(each), value=each.mde)) for kpi, each in others.items())
        columns = (Column("KPI"), Column("Smallest effect found", numeric=True))
        blocks += [Heading("The same markets on other KPIs"), TableBlock(columns, rows, "", "other-kpis.csv")]
    return Section("power", "What it can find", "understand", lead=say.finds(chosen), blocks=tuple(blocks))


def _false(chosen: Design) -> str:
    p = chosen.power
    return (
        f"of rehearsals ({percent(p.false_positives_low)} to {percent(p.false_positives_high)}); "
        f"{percent(chosen.goal.alpha)} is what the analysis allows"
    )


def method_section(chosen: Design, panel: Panel) -> Section:
    """How the design was made."""
    goal, p = chosen.goal, chosen.power
    facts: Sequence[tuple[str, str]] = (
        ("How the test will be analysed", chosen.inference),
        ("How the geos were drawn", say.drawn(chosen)),
        ("Wanted power", percent(goal.power)),
        ("Error rate of the analysis", percent(goal.alpha)),
        ("Allowance for few windows", f"the effect is set {p.stretch:.2f} times larger than the windows alone say"),
        ("Power in the windows that chose the geos", say.optimistic(chosen)),
        ("Constraints", _constraints(chosen)),
        (
            "History",
            f"{panel.dates[0]} to {panel.dates[-1]}, {len(panel.dates)} {panel.period}s, {len(panel.geos)} geos",
        ),
    )
    rows = tuple((Cell(label), Cell(value)) for label, value in facts)
    lead = (
        "Effects of known size were put on earlier windows of the history, and the analysis that the record names was "
        "run on each: power is how often it found them."
    )
    table = TableBlock((Column("What"), Column("Value", wide=True)), rows, "", "method.csv")
    return Section("method", "How it was computed", "check", lead=lead, blocks=(table,))


def _constraints(chosen: Design) -> str:
    goal = chosen.goal
    said = [
        f"{label}: {', '.join(names)}"
        for label, names in (
            ("treated in any case", goal.must_include),
            ("never treated", goal.exclude),
            ("in another test", goal.busy),
        )
        if names
    ]
    said += [f"together: {', '.join(cluster)}" for cluster in goal.clusters]
    said += [f"neighbours: {', '.join(pair)}" for pair in goal.adjacent]
    said += [f"{few} to {many} of stratum {stratum}" for stratum, (few, many) in goal.quotas.items()]
    if goal.share != (0.0, 1.0):
        said.append(f"{percent(goal.share[0])} to {percent(goal.share[1])} of the KPI")
    if goal.budget is not None:
        said.append(f"budget {amount(goal.budget)} {chosen.cost.currency}")
    return "; ".join(said) or NOTHING


def made_by(chosen: Design, panel: Panel) -> Provenance:
    """What made the designs."""
    return Provenance(panel.sha256, {"goal": asdict(chosen.goal)}, chosen.goal.seed, versions("numpy", "scipy"))
