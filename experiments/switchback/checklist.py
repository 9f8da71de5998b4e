"""The checklist behind the grade of a switchback or on-off test."""

from dataclasses import dataclass

from experiments.grade import Check, letter
from experiments.records import Experiment, Grade
from experiments.spend import SpendChange
from experiments.switchback.draws import in_words

PRECISE = 0.10
WORST_ON_OFF: Grade = "D"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checklist looks at.

    Attributes:
        recorded: Whether the record says how the schedule was drawn.
        by_randomisation: Whether inference rests on the draw.
        schedules: Schedules that could have been drawn.
        switches: Changes between on and off, over all markets.
        carry_over: How far a longer burn-in moves the estimate, in standard errors; ``None`` where the blocks leave no
            room for one.
        relative_error: Standard error of the relative lift.
        disagreement: Distance to the second estimator in standard errors; ``None`` where there is none.
        spend: The spend change.
    """

    recorded: bool
    by_randomisation: bool
    schedules: int
    switches: int
    carry_over: float | None
    relative_error: float
    disagreement: float | None
    spend: SpendChange


def graded(design: Experiment, facts: Facts) -> tuple[Grade, tuple[Check, ...]]:
    """Grade a result and say why; without the draw's own randomisation it is a D at best.

    A market that is on once has nothing to be compared with but its own past, whatever happened meanwhile.
    """
    drawn = f"drawn: {design.assignment.rule}" if design.assignment else "no random assignment on record"
    top = (
        Check("locked plan", design.preregistered, "pre-registered" if design.preregistered else "not pre-registered"),
        Check("randomised", facts.recorded, drawn),
    )
    checks = _checks(facts)
    found = letter(top, checks)
    return found if facts.by_randomisation else max(found, WORST_ON_OFF), top + checks


def _checks(facts: Facts) -> tuple[Check, ...]:
    spend, carry = facts.spend, facts.carry_over
    number = f"{in_words(facts.schedules)} schedule(s) could have been drawn, {facts.switches} switch(es)"
    how = "by randomisation" if facts.by_randomisation else "by regression, so a D at best"
    longer = "no room for a longer burn-in" if carry is None else f"moves the estimate by {carry:.1f} standard errors"
    apart = "no second estimator" if facts.disagreement is None else f"{facts.disagreement:.1f} standard errors apart"
    money = "unknown" if spend.delta is None else f"{spend.delta:,.0f} ({spend.source})"
    return (
        Check("inference", facts.by_randomisation, f"{how}: {number}"),
        Check("carry-over", carry is not None and carry <= 1.0, f"a longer burn-in: {longer}"),
        Check("precision", facts.relative_error <= PRECISE, f"standard error {facts.relative_error:.1%} of the KPI"),
        Check(
            "estimators agree", facts.disagreement is None or facts.disagreement <= 1.0, f"the second read is {apart}"
        ),
        Check("spend change", spend.delta is not None and not spend.negligible, money, hard=spend.negligible),
    )
