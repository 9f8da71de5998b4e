"""The checklist behind the grade of a geo test."""

from dataclasses import dataclass

from experiments.geo.inference.self_calibration import ALPHA, SelfCalibration
from experiments.grade import Check, letter
from experiments.records import Experiment, Grade
from experiments.spend import SpendChange

GOOD_R2 = 0.5
GOOD_MAPE = 0.10
PRECISE = 0.10
LONG_HISTORY = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checklist looks at.

    Attributes:
        by_placebo: Whether inference rests on placebo sets.
        calibration: Coverage in windows before the test.
        pre_r2: R² of the pre-period.
        pre_mape: Mean absolute percentage error of the pre-period, as a share.
        history: Pre-periods / read-out periods.
        relative_error: Standard error of the relative lift.
        spend: The spend change.
        disagreement: Distance to the second estimator in standard errors; ``None`` where there is none.
    """

    by_placebo: bool
    calibration: SelfCalibration
    pre_r2: float
    pre_mape: float
    history: float
    relative_error: float
    spend: SpendChange
    disagreement: float | None


def graded(design: Experiment, facts: Facts) -> tuple[Grade, tuple[Check, ...]]:
    """Grade a result and say why."""
    top = (
        Check("locked plan", design.preregistered, "pre-registered" if design.preregistered else "not pre-registered"),
        Check(
            "randomised", bool(design.pairs), "drawn within pairs" if design.pairs else "no random assignment on record"
        ),
    )
    checks = _checks(facts)
    return letter(top, checks), top + checks


def _checks(facts: Facts) -> tuple[Check, ...]:
    seen, spend = facts.calibration, facts.spend
    coverage = f"{seen.coverage:.0%} of {seen.runs} A/A runs" if seen.coverage is not None else "too little history"
    apart = "no second estimator" if facts.disagreement is None else f"{facts.disagreement:.1f} standard errors apart"
    money = "unknown" if spend.delta is None else f"{spend.delta:,.0f} ({spend.source})"
    return (
        Check(
            "inference", facts.by_placebo, "placebo sets" if facts.by_placebo else "too few control geos for placebos"
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
        Check(
            "estimators agree", facts.disagreement is None or facts.disagreement <= 1.0, f"the second read is {apart}"
        ),
        Check("spend change", spend.delta is not None and not spend.negligible, money, hard=spend.negligible),
    )
