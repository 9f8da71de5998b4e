"""A planned test on its page: the recommendation, the choices beside each other, power, cost, and what to mind."""

import math
from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from experiments import charts
from experiments.planning.goal import Goal
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from theodolite.report import design_words as say
from theodolite.report.choice import Choice, Choices
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


def recommendation_section(designs: Choices, chosen: Choice) -> Section:
    """What to do, what it can find and what it costs."""
    facts = [
        _who(chosen),
        Fact("Length", f"{chosen.duration} {chosen.period}s", _cooldown(chosen)),
        Fact(
            "Smallest effect found",
            say.mde(chosen),
            f"of {chosen.cost.kpi} {chosen.where}, with a chance of {percent(chosen.wanted)}",
            "plain" if chosen.found else "caution",
        ),
        Fact("Change of spend", say.spend(chosen), _usual(chosen)),
        Fact(say.stake_title(chosen).capitalize(), say.at_stake(chosen), _expected(chosen)),
    ]
    best = chosen is designs.options[0]
    lead = designs.recommendation if best else f"{say.finds(chosen)} The search ranks another design first."
    blocks: list[Block] = [Facts(tuple(facts)), Prose((say.finds(chosen) if best else designs.recommendation,))]
    if chosen.cells:
        blocks.append(_cells(chosen))
    if caveats := say.caveats(chosen):
        blocks += [Heading("Mind"), Points(tuple(caveats))]
    blocks += [Heading("What to do next"), Points(tuple(say.next_steps(chosen)), numbered=True)]
    return Section("recommendation", "What to do", "decide", lead=lead, blocks=tuple(blocks))


def _who(chosen: Choice) -> Fact:
    if chosen.controls:
        return Fact("Treated geos", str(len(chosen.treated)), f"against {chosen.controls} control geos")
    return Fact("What is tested", chosen.label, chosen.drawn)


def _cells(chosen: Choice) -> TableBlock:
    rows = tuple(
        (Cell(name), Cell(", ".join(geos)), Cell(percent(mde, 1), value=mde)) for name, geos, mde in chosen.cells
    )
    columns = (Column("Cell"), Column("Treated geos", wide=True), Column("Finds", f"change of {chosen.cost.kpi}", True))
    return TableBlock(columns, rows, "", "cells.csv")


def _cooldown(design: Choice) -> str:
    if not design.controls:
        return ""
    if not design.cooldown:
        return "no cool-down: late effects are missed"
    return f"then {design.cooldown} of cool-down, read out with them"


def _usual(design: Choice) -> str:
    usual = design.cost.usual_spend
    if usual is None:
        return "" if design.cost.spend_delta is not None else "what is spent is not known"
    return f"against {money(usual, design.cost.currency)} as usual"


def _expected(design: Choice) -> str:
    cost = design.cost
    if cost.money_delta is None:
        return "if the true effect is just the smallest one found" if cost.lost_at_mde is not None else ""
    verb = "lose" if cost.money_delta < 0 else "bring"
    return f"expected to {verb} {money(abs(cost.money_delta), cost.currency)} at the return that you stated"


def choices_section(designs: Choices, chosen: Choice) -> Section:
    """Every design beside the others: map, cost, table."""
    blocks: list[Block] = []
    frame = _frame(designs, chosen)
    seen = frame[frame["mde"].notna()]
    if len(seen) > 1 and all(each.controls and not each.cells for each in designs.options):
        rows = seen["geos"].nunique()
        blocks.append(
            ChartBlock(
                charts.choices(seen, chosen.period).to_dict(validate=False),
                title="The smallest effect that each choice finds",
                caption="By number of treated geos and length, the best set of each. Darker: a smaller effect is "
                "found. The frame is the chosen one. More geos do not always help: they may be harder to imitate.",
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
    lead = f"{count(len(designs.options), 'choice')}, ranked by what they find, what they cost and how long they take."
    return Section("choices", "The choices", "understand", lead=lead, blocks=tuple(blocks))


def _frame(designs: Choices, chosen: Choice) -> pd.DataFrame:
    rows = [
        {
            "geos": len(each.treated),
            "name": each.label,
            "duration": each.duration,
            "mde": each.mde if each.found else math.nan,
            "cost": _stake(each),
            "recommended": each is chosen,
        }
        for each in designs.options
    ]
    return pd.DataFrame(rows).astype({"mde": "float64", "cost": "float64"})


def _stake(design: Choice) -> float:
    cost = design.cost.lost_at_mde if design.cost.lost_at_mde is not None else design.cost.needed
    return math.nan if cost is None else cost


def _table(designs: Choices) -> TableBlock:
    best = designs.options[0]
    spent = any(each.cost.spend_delta is not None for each in designs.options)
    columns = (
        Column("Choice", "by rank"),
        Column("Length", numeric=True),
        Column("Finds", f"change of {best.cost.kpi}", True),
        Column("False positives", "without an effect", True),
        *((Column("Change of spend", numeric=True),) if spent else ()),
        Column(say.stake_title(best).capitalize(), numeric=True),
        Column("Score", "of 100", True),
    )
    rows = tuple(
        (
            Cell(f"{i}. {each.label}"),
            Cell(say.length(each)),
            Cell(say.mde(each), value=each.mde),
            Cell(say.false_positives(each), value=each.false_positives[0] if each.false_positives else None),
            *((Cell(say.spend(each), value=each.cost.spend_delta),) if spent else ()),
            Cell(say.at_stake(each), value=_stake(each)),
            Cell(f"{each.score:.0f}", value=each.score),
        )
        for i, each in enumerate(designs.options, start=1)
    )
    return TableBlock(columns, rows, "", "designs.csv")


def power_section(chosen: Choice, others: Mapping[str, Choice]) -> Section:
    """What the chosen test can find, and how that is known."""
    blocks: list[Block] = []
    optimistic = chosen.design.power.optimistic if chosen.design else None
    if rehearsed := _rehearsed(chosen):
        blocks.append(Facts(rehearsed))
    known = "In closed form, from what is known of the users."
    if chosen.false_positives is not None:
        known = "From windows of the history that did not choose the test, with a 90 % band for how few they are."
    blocks.append(
        ChartBlock(
            charts.power_curve(
                chosen.curve, chosen.mde, chosen.wanted, f"{chosen.cost.kpi} {chosen.where}", optimistic
            )
            .to_dict(validate=False),
            title="The chance of finding an effect, by its true size",
            caption=f"{known} MDE: the smallest effect that is found with the wanted power.",
            height=280,
            file="power.csv",
        )
    )  # fmt: skip
    if others:
        rows = tuple((Cell(kpi), Cell(say.mde(each), value=each.mde)) for kpi, each in others.items())
        columns = (Column("KPI"), Column("Smallest effect found", numeric=True))
        blocks += [Heading("The same markets on other KPIs"), TableBlock(columns, rows, "", "other-kpis.csv")]
    return Section("power", "What it can find", "understand", lead=say.finds(chosen), blocks=tuple(blocks))


def _rehearsed(chosen: Choice) -> tuple[Fact, ...]:
    """What the rehearsals showed without an effect."""
    if chosen.false_positives is None:
        return ()
    rate, low, high = chosen.false_positives
    said = f"of rehearsals ({percent(low)} to {percent(high)}); {percent(chosen.alpha)} is what the analysis allows"
    facts = [Fact("Found without an effect", percent(rate), said)]
    if chosen.design is not None:
        p = chosen.design.power
        facts += [
            Fact("Typical error", percent(p.rmse, 1), "of the treated geos' KPI, without any effect"),
            Fact("Lean", percent(p.bias, 1), "mean of those errors; near 0 is good"),
            Fact("Separate windows", f"{p.windows:.1f}".removesuffix(".0"), "of the history that chose nothing"),
        ]
    return tuple(facts)


def method_section(chosen: Choice, panel: Panel | None) -> Section:
    """How the plan was made."""
    facts = [
        ("How the test will be analysed", chosen.inference),
        ("How chance enters", chosen.drawn),
        ("Wanted power", percent(chosen.wanted)),
        ("Error rate of the analysis", percent(chosen.alpha)),
    ]
    if chosen.design is not None:
        p = chosen.design.power
        known = NOTHING if p.optimistic is None else percent(p.optimistic)
        facts += [
            ("Allowance for few windows", f"the effect is set {p.stretch:.2f} times what the windows alone say"),
            ("Power in the windows that chose the geos", known),
            ("Constraints", _constraints(chosen.design.goal, chosen.cost.currency)),
        ]
    if panel is not None:
        size = f"{len(panel.dates)} {panel.period}s, {count(len(panel.geos), 'geo')}"
        facts.append(("History", f"{panel.dates[0]} to {panel.dates[-1]}, {size}"))
    rows = tuple((Cell(label), Cell(value)) for label, value in facts)
    lead = "By closed forms of the comparison of two arms."
    if chosen.false_positives is not None:
        lead = (
            "Effects of known size were put on earlier windows of the history, and the analysis that the record names "
            "was run on each: power is how often it found them."
        )
    table = TableBlock((Column("What"), Column("Value", wide=True)), rows, "", "method.csv")
    return Section("method", "How it was computed", "check", lead=lead, blocks=(table,))


def _constraints(goal: Goal, currency: str) -> str:
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
        said.append(f"budget {amount(goal.budget)} {currency}")
    return "; ".join(said) or NOTHING


def made_by(goal: object, data: str, seed: int | None) -> Provenance:
    """What made the plan: the goal (a dataclass), the fingerprint of the data and the seed."""
    return Provenance(data, {"goal": asdict(goal)}, seed, versions("numpy", "scipy"))  # type: ignore[call-overload]
