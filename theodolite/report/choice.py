"""Choice: a planned test of any kind (geos, cells, schedules, users) in the one form that tables and pages show."""

import math
from dataclasses import dataclass

import pandas as pd

from experiments.planning.cost import Cost
from experiments.planning.goal import Goal
from experiments.planning.multi_cell import CellDesign, CellDesigns
from experiments.planning.plans import Plan, Plans
from experiments.planning.proposal import Design, Designs
from theodolite.report.words import count, percent

type Planned = Designs | CellDesigns | Plans

WHERE = {"switchback": "while it is on", "on_off": "while it is on"}


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One test that could be run.

    Attributes:
        source: The design or plan itself.
        label: How a table names it: its treated geos, its blocks, its users.
        treated: Treated geos; of all cells where there are several.
        controls: Number of control geos.
        duration: Periods of changed spend.
        cooldown: Periods read out afterwards.
        period: Cadence.
        mde: Smallest effect found, a share; infinite where none is.
        mde_absolute: The same as KPI over all that is treated.
        where: Whose KPI that is a share of.
        wanted: Power at which it is found.
        alpha: Error rate of the analysis.
        cut: Whether spend is cut.
        cost: Money.
        curve: Power curve: ``effect``, ``power``, ``low``, ``high``.
        false_positives: Share of rehearsals without an effect that find one, with its interval; ``None`` without any.
        inference: How it will be analysed.
        drawn: How chance enters, in a sentence.
        score: 0 to 100.
        reasons: Why.
        notes: What to mind.
        design: The geo design behind it, for what only that knows; ``None`` for other kinds.
        cells: Name, treated geos and smallest effect of each cell, where there are several.
    """

    source: Design | CellDesign | Plan
    label: str
    treated: tuple[str, ...]
    controls: int
    duration: int
    cooldown: int
    period: str
    mde: float
    mde_absolute: float
    where: str
    wanted: float
    alpha: float
    cut: bool
    cost: Cost
    curve: pd.DataFrame
    false_positives: tuple[float, float, float] | None
    inference: str
    drawn: str
    score: float
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    design: Design | None = None
    cells: tuple[tuple[str, tuple[str, ...], float], ...] = ()

    @property
    def found(self) -> bool:
        """Whether any effect is found with the wanted power."""
        return math.isfinite(self.mde)


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Planned tests, the best first.

    Attributes:
        source: What the planner returned.
        options: The choices.
        recommendation: What to do, in a sentence.
        notes: What cannot be had, and why.
    """

    source: Planned
    options: tuple[Choice, ...]
    recommendation: str
    notes: tuple[str, ...]


def of(planned: Planned, goal: Goal | None = None, period: str = "day") -> Choices:
    """What a planner returned, in the one form.

    Args:
        planned: Its designs or plans.
        goal: What was asked, for plans that do not hold it.
        period: Cadence of plans.
    """
    if isinstance(planned, Designs):
        options = tuple(of_design(each) for each in planned.designs)
    elif isinstance(planned, CellDesigns):
        options = tuple(_of_cells(each) for each in planned.designs)
    else:
        options = tuple(_of_plan(each, goal, period) for each in planned.designs)
    return Choices(planned, options, planned.recommendation, tuple(planned.notes))


def of_design(design: Design) -> Choice:
    """A geo test."""
    power = design.power
    return Choice(
        source=design,
        label=", ".join(design.treatment_geos),
        treated=design.treatment_geos,
        controls=len(design.control_geos),
        duration=design.duration,
        cooldown=design.cooldown,
        period=design.period,
        mde=design.mde,
        mde_absolute=design.mde_absolute,
        where="in the treated geos",
        wanted=design.goal.power,
        alpha=design.goal.alpha,
        cut=design.goal.change < 0,
        cost=design.cost,
        curve=pd.DataFrame(power.curve()),
        false_positives=(power.false_positives, power.false_positives_low, power.false_positives_high),
        inference=design.inference,
        drawn=_drawn(design),
        score=design.score,
        reasons=design.reasons,
        notes=design.notes,
        design=design,
    )


def _drawn(design: Design) -> str:
    if design.assignment is None:
        return "The markets were chosen by you, not drawn by lot."
    pool = count(len(design.assignment.candidates), "set")
    exact = design.inference.startswith("exact")
    return (
        f"The treated geos were drawn by lot (seed {design.assignment.seed}) among {pool} of nearly the same quality; "
        "the record holds all of them, and the analysis "
        + ("compares against that very draw." if exact else f"is made so: {design.inference}.")
    )


def _of_cells(design: CellDesign) -> Choice:
    weakest = of_design(design.weakest)
    cells = tuple((f"cell {i}", cell.treatment_geos, cell.mde) for i, cell in enumerate(design.cells, 1))
    return Choice(
        source=design,
        label=" | ".join(", ".join(geos) for _, geos, _ in cells),
        treated=tuple(geo for _, geos, _ in cells for geo in geos),
        controls=weakest.controls,
        duration=weakest.duration,
        cooldown=weakest.cooldown,
        period=weakest.period,
        mde=weakest.mde,
        mde_absolute=weakest.mde_absolute,
        where="in the cell that finds least",
        wanted=weakest.wanted,
        alpha=weakest.alpha,
        cut=weakest.cut,
        cost=design.cost,
        curve=weakest.curve,
        false_positives=weakest.false_positives,
        inference=weakest.inference,
        drawn=f"The {len(cells)} cells were drawn together by lot, without a geo in common; they share their controls.",
        score=design.score,
        reasons=tuple(f"of the cell that finds least: {reason}" for reason in weakest.reasons),
        notes=(*design.notes, *weakest.notes),
        design=weakest.design,
        cells=cells,
    )


def _of_plan(plan: Plan, goal: Goal | None, period: str) -> Choice:
    details = plan.details
    label, drawn = f"{plan.duration} {period}s", "Nothing is drawn by lot: the whole market is on, then off."
    if plan.method == "switchback":
        label = f"{details['blocks']} blocks of {details['block_length']} {period}s"
        drawn = "Which blocks are on is drawn by lot; the record holds the whole schedule."
    elif "users" in details:
        label = f"{details['users']:,} users"
        drawn = f"Users are drawn one by one, {percent(details['allocation'])} of them into treatment."
    return Choice(
        source=plan,
        label=label,
        treated=plan.treatment_geos,
        controls=len(plan.control_geos),
        duration=plan.duration,
        cooldown=0,
        period=period,
        mde=plan.mde,
        mde_absolute=plan.mde_absolute,
        where=WHERE.get(plan.method, "among the users reached"),
        wanted=plan.wanted,
        alpha=goal.alpha if goal else 0.1,
        cut=goal is not None and goal.change < 0,
        cost=plan.cost,
        curve=pd.DataFrame({"effect": plan.effects, "power": plan.power, "low": plan.low, "high": plan.high}),
        false_positives=plan.false_positives,
        inference=plan.inference,
        drawn=drawn,
        score=plan.score,
        reasons=plan.reasons,
        notes=plan.notes,
    )
