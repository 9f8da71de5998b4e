"""Planned tests in words: what one asks for, what it can find and what to mind; for the page and the command line."""

import numpy as np

from experiments.planning.power import ROUGH
from theodolite.report.choice import Choice
from theodolite.report.experiment_words import amount
from theodolite.report.words import NOTHING, money, percent

FLATTERED = 0.05
"""So much more power in the windows that chose the geos is worth a word."""


def length(choice: Choice) -> str:
    """``21 days + 7``."""
    return f"{choice.duration} {choice.period}s" + (f" + {choice.cooldown}" if choice.cooldown else "")


def mde(choice: Choice) -> str:
    """The smallest effect that is found, as a share."""
    return percent(choice.mde, 1) if choice.found else "none"


def spend(choice: Choice) -> str:
    """The planned change of spend."""
    delta = choice.cost.spend_delta
    return NOTHING if delta is None else money(delta, choice.cost.currency)


def at_stake(choice: Choice) -> str:
    """Money that may be lost, or that must be spent, for an effect of the promised size."""
    cost = choice.cost
    if cost.lost_at_mde is not None:
        return f"up to {money(cost.lost_at_mde, cost.currency)}"
    return NOTHING if cost.needed is None else money(cost.needed, cost.currency)


def stake_title(choice: Choice) -> str:
    """What `at_stake` counts."""
    return "money at stake" if choice.cut else "spend needed"


def false_positives(choice: Choice) -> str:
    """``10 %``; a dash where power is known in closed form."""
    return NOTHING if choice.false_positives is None else percent(choice.false_positives[0])


def finds(choice: Choice) -> str:
    """What the test can find, in a sentence."""
    wanted = percent(choice.wanted)
    if not choice.found:
        return f"No effect of any size is found with a chance of {wanted}."
    kpi = choice.cost.kpi
    said = (
        f"If the true change {choice.where} is {mde(choice)} or more (about {amount(choice.mde_absolute)} {kpi} over "
    )
    said += f"the read-out), the test finds it in {wanted} of cases."
    if choice.design is not None and choice.design.detectable_return is not None:
        said += f" With the planned change of spend that is an iROAS of {choice.design.detectable_return:.2f} or more."
    return said


def caveats(choice: Choice) -> list[str]:
    """What a planner must know before relying on the figures."""
    said = [f"{note[:1].upper()}{note[1:]}." for note in choice.notes]
    if choice.design is not None:
        said += _rehearsed(choice)
    if choice.false_positives is not None and choice.false_positives[1] > choice.alpha:
        said.append(
            f"Without any effect the rehearsals found one in {false_positives(choice)} of cases, more often than the "
            f"{percent(choice.alpha)} that the analysis allows."
        )
    if choice.cost.enough is False:
        said.append(
            "The planned change of spend is expected to move the KPI by less than the test can find: change more "
            "spend, take more geos or test longer."
        )
    if choice.cost.spend_delta is None:
        said.append("What the change of spend costs is not known: give a media table, or a budget for a new channel.")
    return said


def _rehearsed(choice: Choice) -> list[str]:
    """What the windows of the history say of the figures."""
    if choice.design is None:
        return []
    p, said = choice.design.power, []
    if p.windows < ROUGH:
        windows = f"{p.windows:.1f}".removesuffix(".0")
        ends = f"{percent(_at(choice, 'low'))} to {percent(_at(choice, 'high'))}"
        said.append(
            f"The history holds only {windows} separate windows of this length that did not help to choose the geos. "
            f"So the {percent(choice.wanted)} are rough: {ends} fit what was seen. A longer history or a shorter test "
            "makes it firmer."
        )
    if p.optimistic is not None and p.optimistic - p.planning >= FLATTERED:
        said.append(
            f"In the windows that chose the geos power would be {percent(p.optimistic)}; such figures flatter "
            f"themselves. The {percent(choice.wanted)} here come from windows that chose nothing."
        )
    if p.bias and abs(p.bias) > p.rmse / 2:
        said.append(
            f"Without any effect the estimate leaned by {percent(p.bias, 1)} on average: the groups drift apart."
        )
    return said


def _at(choice: Choice, end: str) -> float:
    """An end of the power curve's band at the smallest effect that is found."""
    return float(np.interp(choice.mde, choice.curve["effect"], choice.curve[end])) if choice.found else float("nan")


def next_steps(choice: Choice) -> list[str]:
    """What to do with the plan."""
    table = "--users TABLE" if not choice.treated else "--outcome TABLE"
    what = "the calendar and the markets" if choice.treated else "the calendar"
    return [
        f"Show {what} to those who buy the media, and keep all else as usual.",
        "Keep the record as it is, and change nothing in it once the test runs.",
        f"When the read-out is over: theodolite experiments analyse --experiment RECORD {table} --report PAGE.",
    ]
