"""Plan a switchback: a market (or each of several) whose ads change in blocks, in an order drawn by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np

from experiments.planning.cost import Cost, cost
from experiments.planning.goal import Goal
from experiments.planning.plans import Plan, Plans, identity, ranked
from experiments.planning.proposal import day_after
from experiments.records import Assignment, Experiment
from experiments.switchback.draws import Rule
from experiments.switchback.schedule import Power, make_schedule, power
from measurement.errors import DataError, DesignError, Problem
from measurement.panel import Panel
from measurement.periods import Period
from measurement.typing import Ints

EFFECTS = tuple(round(0.005 * step, 3) for step in range(41))
"""Relative effects of the power curve: up to a fifth of the KPI."""
REHEARSALS = 200
USUAL_BLOCKS = {"day": (7, 14), "week": (1, 2, 4), "month": (1, 2)}


@dataclass(frozen=True, slots=True)
class _Blocks:
    """One kind of schedule."""

    geos: tuple[str, ...]
    duration: int
    length: int
    burn_in: int
    per_geo: bool
    pattern: Rule


def design_switchback(
    panel: Panel,
    goal: Goal,
    *,
    block_lengths: Sequence[int] = (),
    burn_in: int = 0,
    per_geo: bool = False,
    pattern: Rule = "pairs",
) -> Plans:
    """Rehearse switchback schedules on the panel's history: every duration of the goal with every length of block.

    Half of the blocks change the spend as the goal says, the other half keep business as usual. The goal's
    ``treatment_geos`` switch (all geos but those that are excluded or busy where none are named); what it asks of the
    number of geos, their share and a cool-down does not apply.

    Args:
        panel: KPI by geo and period; media too where money should be known.
        goal: What is asked.
        block_lengths: Lengths of a block, in periods; `USUAL_BLOCKS` where empty.
        burn_in: Periods dropped after each switch: as long as the ads work on.
        per_geo: Whether each geo is drawn by itself, rather than all switching together.
        pattern: ``pairs``: one of every two neighbouring blocks is on; ``uniform``: half of all blocks are on.

    Returns:
        Plans, ranked; the notes say which schedules do not fit, and why.

    Raises:
        DataError: Where the goal or the blocks make no sense.
        DesignError: Where no schedule fits: why each of them does not.
    """
    goal.check(panel)
    rows = rows_that_switch(panel, goal)
    plans, causes = [], {}
    for duration in goal.durations:
        for length in block_lengths or USUAL_BLOCKS[panel.period]:
            blocks = _Blocks(tuple(panel.geos[row] for row in rows), duration, length, burn_in, per_geo, pattern)
            try:
                plans.append(_plan(panel, goal, rows, blocks))
            except (DataError, DesignError) as cause:
                causes[f"{duration} {panel.period}s in blocks of {length}"] = cause
    notes = tuple(f"{what}: {_words(cause)}" for what, cause in causes.items())
    if not plans and all(isinstance(cause, DataError) for cause in causes.values()):
        raise DataError([Problem(note, column="block_lengths", code="block-length") for note in notes])
    if not plans:
        raise DesignError(f"no schedule fits: {'; '.join(notes)}")
    best = ranked(plans)
    return Plans(tuple(best), _recommended(goal, best[0], panel.period), notes)


def rows_that_switch(panel: Panel, goal: Goal) -> Ints:
    """Rows of the geos that a schedule switches: the goal's own, or all that are neither excluded nor busy.

    Raises:
        DesignError: Where none is left.
    """
    if goal.treatment_geos:
        return panel.geo_index(goal.treatment_geos)
    rows = np.flatnonzero(~np.isin(panel.geos, [*goal.exclude, *goal.busy]))
    if rows.size == 0:
        raise DesignError("every geo is excluded or busy, so nothing switches")
    return rows


def _plan(panel: Panel, goal: Goal, rows: Ints, blocks: _Blocks) -> Plan:
    found = power(
        panel,
        blocks.duration,
        blocks.length,
        blocks.burn_in,
        EFFECTS,
        kpi=goal.kpi,
        geos=blocks.geos,
        per_geo=blocks.per_geo,
        pattern=blocks.pattern,
        alpha=goal.alpha,
        wanted=goal.power,
        rehearsals=REHEARSALS,
        seed=goal.seed,
    )
    on = blocks.duration // 2
    absolute = found.mde_absolute * on
    money = cost(panel, goal, rows, on, absolute if np.isfinite(absolute) else None)
    low, high = found.false_positive_interval
    return Plan(
        method="switchback",
        duration=blocks.duration,
        mde=found.mde,
        mde_absolute=absolute,
        wanted=goal.power,
        effects=found.effects,
        power=found.power,
        low=np.maximum(found.low, 0.0),
        high=np.minimum(found.high, 1.0),
        cost=money,
        inference="the draw of the schedule: its result beside that of the other schedules that could have been drawn",
        details={
            "block_length": blocks.length,
            "blocks": blocks.duration // blocks.length,
            "burn_in": blocks.burn_in,
            "per_geo": blocks.per_geo,
            "pattern": blocks.pattern,
            "rmse": found.rmse,
            "bias": found.bias,
            "rehearsals": found.rehearsals,
            "windows": found.windows,
        },
        draft=partial(_record, goal, panel.period, blocks, money),
        next_day=day_after(panel),
        treatment_geos=blocks.geos,
        false_positives=(found.false_positive_rate, max(low, 0.0), min(high, 1.0)),
        reasons=_reasons(goal, found, money),
        notes=_notes(blocks, panel.period),
    )


def _record(goal: Goal, period: Period, blocks: _Blocks, money: Cost, start: date) -> Experiment:
    schedule = make_schedule(
        start,
        blocks.duration,
        blocks.length,
        blocks.burn_in,
        goal.seed,
        blocks.pattern,
        period=period,
        geos=blocks.geos if blocks.per_geo else (),
        alpha=goal.alpha,
    )
    return Experiment(
        experiment_id=identity(*goal.channel, "switchback", blocks.duration, blocks.length),
        channel=goal.channel,
        method="switchback",
        start_date=start,
        end_date=max(block.end for block in schedule),
        treatment_geos=blocks.geos,
        spend_delta=money.spend_delta,
        kpi=goal.kpi,
        assignment=Assignment(rule=blocks.pattern, seed=goal.seed),
        schedule=schedule,
        burn_in=blocks.burn_in,
    )


def _reasons(goal: Goal, found: Power, money: Cost) -> tuple[str, ...]:
    if not np.isfinite(found.mde):
        return (f"no effect of any size is found with {goal.power:.0%} probability",)
    return (
        f"finds an effect of {found.mde:.1%} while on with {goal.power:.0%} probability",
        f"without an effect the estimate is off by {found.rmse:.1%} (root mean square)",
        money.sentence,
    )


def _notes(blocks: _Blocks, period: Period) -> tuple[str, ...]:
    found = []
    if blocks.burn_in == 0:
        found.append(f"nothing is dropped after a switch: right only if the ads stop working within a {period}")
    if period == "day" and blocks.length % 7:
        found.append(f"blocks of {blocks.length} days are not whole weeks: the days of the week are taken out by model")
    return tuple(found)


def _recommended(goal: Goal, best: Plan, period: Period) -> str:
    length, count = best.details["block_length"], best.details["blocks"]
    what = f"{count} blocks of {length} {period}{'s' if length > 1 else ''}, half of them drawn to be on"
    if not np.isfinite(best.mde):
        return f"No effect of any size would be found reliably; the least bad is {what}."
    who = f"Switch each of {len(best.treatment_geos)} geos by itself" if best.details["per_geo"] else "Switch"
    return f"{who} in {what}: an effect of {best.mde:.1%} is found with {goal.power:.0%} probability."


def _words(cause: DataError | DesignError) -> str:
    return "; ".join(problem.message for problem in cause.problems) if isinstance(cause, DataError) else str(cause)
