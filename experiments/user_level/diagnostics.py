"""What stands behind the result of a test on users: the arms, the sample ratio, what else was estimated."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, sqrt

from experiments.quantities import measured
from experiments.result import Quantity, finite
from experiments.two_sided import StudentTest, TwoSided
from experiments.user_level.case import Case
from experiments.user_level.comparison import Comparison
from experiments.user_level.moments import Cells
from experiments.user_level.sample_ratio import SampleRatio
from measurement.typing import Json

OPEN = "what it is a share of cannot be told from nothing: the interval has no end"


def quantity(test: TwoSided, alpha: float, unit: str) -> Quantity:
    """A test as a quantity; it says so where its interval has no end."""
    found = measured(test, alpha, unit)
    return found if isfinite(found.low) and isfinite(found.high) else replace(found, note=OPEN)


def users_of(cells: Cells) -> tuple[int, int]:
    """Users in treatment and in control."""
    return int(cells.count[cells.treatment].sum()), int(cells.count[~cells.treatment].sum())


def diagnostics(case: Case, found: Mapping[str, Comparison], ratios: Mapping[str, SampleRatio], alpha: float) -> Json:
    """As plain JSON values.

    Args:
        case: The test.
        found: What each estimator says.
        ratios: Sample ratio of each set of users.
        alpha: One minus the level of the intervals.
    """
    main = next(iter(found.values()))
    cells = case.analysed
    made = {
        "compared": case.restricted or "all",
        "users": dict(zip(("treatment", "control"), users_of(case.assigned), strict=True)),
        "arms": [
            _arm("treatment", cells.where(cells.treatment), alpha),
            _arm("control", cells.where(~cells.treatment), alpha),
        ],
        "units": main.units,
        "unit": main.unit,
        "binary": case.binary,
        "sample_ratio": {who: ratio.to_dict() for who, ratio in ratios.items()},
        "notes": list(case.notes),
    }
    if "cuped" in found:
        details = found["cuped"].details
        made["cuped"] = {**details, "theta": dict(zip(case.covariates, details["theta"], strict=True))}
    if "treatment_on_treated" in found:
        details = found["treatment_on_treated"].details
        made["compliance"] = {**details, "delta_method_std_error": finite(details["delta_method_std_error"])}
    return made


def _arm(name: str, cells: Cells, alpha: float) -> Json:
    """An arm's users and its mean per user with an interval."""
    own = cells.joined()
    mean, variance = float(own.mean[0]), float(own.covariance[0, 0])
    error = sqrt(variance / own.count)
    low, high = StudentTest(mean, error, own.count - 1).interval(alpha) if error > 0 else (mean, mean)
    return {"arm": name, "users": own.count, "mean": mean, "sd": sqrt(variance), "low": low, "high": high}


def alternate(made: Comparison, alpha: float) -> Json:
    """What one estimator says, as plain JSON values."""
    average = quantity(made.effect, alpha, "")
    return {
        "outcome_change": average.scaled(made.units, "").to_dict(),
        "average_effect": average.to_dict(),
        "relative_lift": finite(made.lift.estimate),
        "p_value": made.effect.p_value(),
        "inference": made.how,
    }
