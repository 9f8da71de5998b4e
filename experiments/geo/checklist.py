"""The checklist behind the grade of a geo test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.geo.inference.self_calibration import ALPHA, SelfCalibration
from experiments.grade import Check, letter
from experiments.records import Experiment, Grade
from experiments.spend import SpendChange

GOOD_R2 = 0.5
GOOD_MAPE = 0.10
PRECISE = 0.10
LONG_HISTORY = 3
APART = 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checklist looks at.

    Attributes:
        randomised: Whether inference rests on reference sets.
        calibration: Coverage in windows before the test.
        pre_r2: R² of the pre-period.
        pre_mape: Mean absolute percentage error of the pre-period, as a share.
        history: Pre-periods / read-out periods.
        relative_error: Standard error of the relative lift.
        spend: The spend change.
        apart: Distance of the other estimators that can follow the treated geos, in standard errors.
        strange: Of each geo that moved as no geo did before the test, what was seen.
    """

    randomised: bool
    calibration: SelfCalibration
    pre_r2: float
    pre_mape: float
    history: float
    relative_error: float
    spend: SpendChange
    apart: Mapping[str, float]
    strange: Sequence[str] = ()


def graded(design: Experiment, facts: Facts) -> tuple[Grade, tuple[Check, ...]]:
    """Grade a result and say why."""
    top = (
        Check("locked plan", design.preregistered, "pre-registered" if design.preregistered else "not pre-registered"),
        Check("randomised", *_assignment(design)),
    )
    checks = _checks(facts)
    return letter(top, checks), top + checks


def _checks(facts: Facts) -> tuple[Check, ...]:
    seen, spend = facts.calibration, facts.spend
    coverage = f"{seen.coverage:.0%} of {seen.runs} A/A runs" if seen.coverage is not None else "too little history"
    far = {name: distance for name, distance in facts.apart.items() if distance > APART}
    money = "unknown" if spend.delta is None else f"{spend.delta:,.0f} ({spend.source})"
    return (
        Check(
            "inference",
            facts.randomised,
            "by randomisation" if facts.randomised else "not by randomisation: over time, or by a model",
        ),
        Check(
            "A/A coverage", seen.high is None or seen.high >= 1 - ALPHA, f"the 90 % interval held zero in {coverage}"
        ),
        Check(
            "pre-fit",
            facts.pre_r2 >= GOOD_R2 or facts.pre_mape <= GOOD_MAPE,
            f"R² {facts.pre_r2:.2f}, mean absolute error {facts.pre_mape:.1%}",
        ),
        Check("history", facts.history >= LONG_HISTORY, f"{facts.history:.1f} times the read-out"),
        Check("precision", facts.relative_error <= PRECISE, f"standard error {facts.relative_error:.1%} of the KPI"),
        Check("estimators agree", not far, _disagreement(far, len(facts.apart))),
        Check(
            "geos in range",
            not facts.strange,
            "; ".join(facts.strange) or "every geo moved in the read-out as geos moved before",
        ),
        Check("spend change", spend.delta is not None and not spend.negligible, money, hard=spend.negligible),
    )


def _assignment(design: Experiment) -> tuple[bool, str]:
    rules = {
        "uniform": "drawn at random from the eligible geos",
        "near_best": "drawn at random from the near-best designs",
        "pairs": "drawn within pairs",
    }
    rule = design.assignment.rule if design.assignment else "pairs" if design.pairs else None
    return rule is not None, rules[rule] if rule else "no random assignment on record"


def _disagreement(far: Mapping[str, float], compared: int) -> str:
    if not far:
        if not compared:
            return "no other estimator follows the treated geos before the test"
        return f"{compared} that follow the treated geos before the test lie within one standard error"
    named = ", ".join(f"{name} by {distance:.1f}" for name, distance in sorted(far.items(), key=lambda each: -each[1]))
    return f"more than one standard error apart: {named}"
