"""The checklist behind the grade of a test on users."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from experiments.grade import Check, letter
from experiments.records import Experiment, Grade
from experiments.spend import SpendChange
from experiments.user_level.sample_ratio import HARD, SampleRatio

PRECISE = 0.10
AGREE = 2.6
"""Standard errors that a hundredth of sound tests passes."""
FEWEST_EVENTS = 50
SPILLED = 0.02
REACHED = 3.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checklist looks at.

    Attributes:
        ratios: Sample ratio of all users, and of those that are compared where that is a part.
        events: Users with a KPI other than 0, in the arm that has fewer.
        relative_error: Standard error of the relative lift.
        apart: Distance of the estimates with and without the pre-period, in standard errors of that difference;
            ``None`` without a pre-period.
        reached: Share reached in treatment and in control, and the difference in its standard errors; ``None`` where
            it is not known.
        spend: The spend change.
    """

    ratios: Mapping[str, SampleRatio]
    events: int
    relative_error: float
    apart: float | None
    reached: tuple[float, float, float] | None
    spend: SpendChange


def graded(design: Experiment, facts: Facts) -> tuple[Grade, tuple[Check, ...]]:
    """Grade a result and say why."""
    share = design.allocation
    drawn = "the record has no allocation" if share is None else f"{share:.1%} of the users drawn into treatment"
    top = (
        Check("locked plan", design.preregistered, "pre-registered" if design.preregistered else "not pre-registered"),
        Check("randomised", share is not None, drawn),
    )
    checks = (*(_sample_ratio(who, ratio) for who, ratio in facts.ratios.items()), *_others(facts))
    return letter(top, checks), top + checks


def _sample_ratio(who: str, ratio: SampleRatio) -> Check:
    name = f"sample ratio of {who}"
    seen = f"{ratio.seen:.2%} are in treatment"
    if ratio.p_value is None:
        return Check(name, False, f"{seen}; the record has no allocation to compare with")
    words = f"{seen}, {ratio.expected:.2%} by design, p = {ratio.p_value:.2g}"
    if ratio.broken:
        words += f"; below {HARD:g} users were lost or counted twice in one arm, and the arms cannot be compared"
    return Check(name, not ratio.broken, words, hard=True)


def _others(facts: Facts) -> list[Check]:
    spend, error = facts.spend, facts.relative_error
    exact = f"standard error {error:.1%} of the KPI" if isfinite(error) else "the level of the KPI is not known"
    money = "unknown" if spend.delta is None else f"{spend.delta:,.0f} ({spend.source})"
    checks = [
        Check("events", facts.events >= FEWEST_EVENTS, f"{facts.events:,} users with a KPI in the arm with fewer"),
        Check("precision", error <= PRECISE, exact),
    ]
    if facts.apart is not None:
        words = f"with and without the pre-period: {facts.apart:.1f} standard errors of their difference apart"
        checks.append(Check("estimators agree", facts.apart <= AGREE, words))
    if facts.reached is not None:
        treated, control, z = facts.reached
        words = f"the ads reached {treated:.1%} of treatment and {control:.1%} of control"
        checks.append(Check("reach", control <= SPILLED and z >= REACHED, words))
    checks.append(Check("spend change", spend.delta is not None, money))
    return checks
