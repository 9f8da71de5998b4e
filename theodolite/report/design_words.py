"""Designs in words: what a design asks for, what it can find and what to mind; for the page and the command line."""

import math

from experiments.design.proposal import Design
from theodolite.report.experiment_words import amount
from theodolite.report.words import GAP, count, money, percent

FLATTERED = 0.05
"""So much more power in the windows that chose the geos is worth a word."""
ROUGH = 4.0


def length(design: Design) -> str:
    """``21 days + 7``."""
    return f"{design.duration} {design.period}s" + (f" + {design.cooldown}" if design.cooldown else "")


def mde(design: Design) -> str:
    """The smallest effect that is found, as a share."""
    return percent(design.mde, 1) if math.isfinite(design.mde) else "none"


def spend(design: Design) -> str:
    """The planned change of spend."""
    delta = design.cost.spend_delta
    return "–" if delta is None else money(delta, design.cost.currency)


def at_stake(design: Design) -> str:
    """Money that may be lost, or that must be spent, for an effect of the promised size."""
    cost = design.cost
    if cost.lost_at_mde is not None:
        return f"up to {money(cost.lost_at_mde, cost.currency)}"
    return "–" if cost.needed is None else money(cost.needed, cost.currency)


def stake_title(design: Design) -> str:
    """What `at_stake` counts."""
    return "sales at stake" if design.goal.change < 0 else "extra spend needed"


def optimistic(design: Design) -> str:
    """Power in the windows that chose the geos."""
    found = design.power.optimistic
    return "–" if found is None else percent(found)


def false_positives(design: Design) -> str:
    """``10 % (5 % to 18 %)``."""
    p = design.power
    return f"{percent(p.false_positives)} ({percent(p.false_positives_low)} to {percent(p.false_positives_high)})"


def finds(design: Design) -> str:
    """What the design can find, in a sentence."""
    wanted = percent(design.goal.power)
    if not math.isfinite(design.mde):
        return f"No effect of any size is found with a chance of {wanted}."
    kpi = design.cost.kpi
    said = (
        f"If the true change is {mde(design)} or more (about {amount(design.mde_absolute)} {kpi} over the read-out), "
    )
    said += f"the test finds it in {wanted} of cases."
    if design.detectable_return is not None:
        said += f" With the planned change of spend that is an iROAS of {design.detectable_return:.2f} or more."
    return said


def drawn(design: Design) -> str:
    """How the treated geos came about."""
    if design.assignment is None:
        return "The markets were chosen by you, not drawn by lot."
    pool = count(len(design.assignment.candidates), "set")
    return (
        f"The treated geos were drawn by lot (seed {design.assignment.seed}) among {pool} of nearly the same quality; "
        "the record holds all of them, and the analysis compares against that very draw."
    )


def caveats(design: Design) -> list[str]:
    """What a planner must know before relying on the figures."""
    p = design.power
    said = list(design.notes)
    if p.windows < ROUGH:
        windows = f"{p.windows:.1f}".removesuffix(".0")
        said.append(
            f"The history holds only {windows} separate windows of this length that did not help to choose the geos: "
            "take the power as rough. A longer history makes it firmer."
        )
    if p.optimistic is not None and p.optimistic - p.planning >= FLATTERED:
        said.append(
            f"In the windows that chose the geos power would be {percent(p.optimistic)}; such figures flatter "
            f"themselves. The {percent(design.goal.power)} here come from windows that chose nothing."
        )
    if p.false_positives_low > design.goal.alpha:
        said.append(
            f"Without any effect the rehearsals found one in {false_positives(design)} of cases, more often than the "
            f"{percent(design.goal.alpha)} that the analysis allows."
        )
    if design.cost.enough is False:
        said.append(
            "The planned change of spend is expected to move the KPI by less than the test can find: change more "
            "spend, take more geos or test longer."
        )
    if design.cost.spend_delta is None:
        said.append("What the change of spend costs is not known: give a media table, or a budget for a new channel.")
    if p.bias and abs(p.bias) > p.rmse / 2:
        said.append(
            f"Without any effect the estimate leaned by {percent(p.bias, 1)} on average: the groups drift apart."
        )
    return said


def next_steps(design: Design, saved: str) -> list[str]:
    """What to do with the design."""
    steps = ["Show the calendar and the markets to those who buy the media, and keep all else as usual in them."]
    steps.append(f"Keep the record {saved}, and change nothing in it once the test runs.".replace("  ", " "))
    steps.append(
        "When the read-out is over: theodolite experiments analyse --experiment RECORD --outcome TABLE --report PAGE."
    )
    return [step.replace(GAP, " ") for step in steps]
