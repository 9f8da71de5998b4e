"""Every way to write down a test's result, as one number: treated minus counterfactual, in KPI units."""

import math
from collections.abc import Callable

from experiments.records import CI_LEVEL, Experiment, std_error_of
from measurement.errors import DataError, Level, Problem, shown


def outcome_change(
    experiment: Experiment, spend_delta: float, kpi_value: float, observed: float | None
) -> tuple[float, float]:
    """Estimate and standard error as outcome change over the treated geos and the read-out, KPI units.

    With D the signed change of spend, O the observed outcome of the treated geos and v the money per KPI unit:

    - ``outcome_change`` is taken as it is, ``incremental_outcome`` with the sign of D,
    - ``iroas`` r is ``r D / v``, ``icpa`` a is ``D / a``,
    - ``relative_lift`` l (treated over counterfactual, less 1) is ``O l / (1 + l)``.

    The errors of the last two follow by the delta method, or from the ends of the interval where one was reported.

    Args:
        experiment: A record with a result.
        spend_delta: D, money.
        kpi_value: v.
        observed: O, KPI units; ``None`` outside the panel.

    Raises:
        DataError: Where the estimand needs something that is not there.
    """
    estimate, estimand = experiment.estimate, experiment.estimand
    if estimate is None or estimand is None:
        raise DataError([said(experiment, "estimate", "and estimand are needed")])
    if estimand == "outcome_change":
        return estimate, standard_error(experiment)
    if estimand == "relative_lift":
        if observed is None:
            raise DataError(
                [said(experiment, "estimand", "cannot be relative_lift outside the panel: give outcome_change")]
            )
        if estimate <= -1:
            raise DataError([said(experiment, "estimate", f"is {estimate}, a relative lift lies above -1")])
        return _curved(experiment, estimate, lambda r: observed * r / (1 + r), observed / (1 + estimate) ** 2, -1.0)
    if spend_delta == 0:
        raise DataError([said(experiment, "spend_delta", f"is needed, and not 0, for the estimand {estimand}")])
    if estimand == "incremental_outcome":
        return math.copysign(1.0, spend_delta) * estimate, standard_error(experiment)
    if estimand == "iroas":
        per_unit = spend_delta / kpi_value
        return estimate * per_unit, standard_error(experiment) * abs(per_unit)
    if estimate == 0:
        raise DataError([said(experiment, "estimate", "is 0, and a cost per incremental outcome cannot be")])
    return _curved(experiment, estimate, lambda cost: spend_delta / cost, spend_delta / estimate**2, 0.0)


def standard_error(experiment: Experiment) -> float:
    """The reported standard error in the estimand's unit, from the interval where that was reported.

    Raises:
        DataError: Where there is neither.
    """
    found = experiment.standard_error
    if found is None or not found > 0:
        raise DataError([said(experiment, "std_error", "above 0 is needed, or ci_lower and ci_upper")])
    return found


def of(experiment: Experiment, problem: Problem) -> Problem:
    """The same problem, saying which record it stands in."""
    message = f"experiment '{shown(experiment.experiment_id)}': {problem.message}"
    return Problem(message, column=problem.column, level=problem.level, code=problem.code)


def said(experiment: Experiment, column: str, message: str, level: Level = "error", code: str = "evidence") -> Problem:
    """A problem with one field of a record."""
    return of(experiment, Problem(f"{column} {message}", column=column, level=level, code=code))


def _curved(
    experiment: Experiment, estimate: float, curve: Callable[[float], float], slope: float, floor: float
) -> tuple[float, float]:
    low, high = experiment.ci_lower, experiment.ci_upper
    if experiment.std_error is None and low is not None and high is not None and (low - floor) * (high - floor) > 0:
        lower, upper = sorted((curve(low), curve(high)))
        return curve(estimate), std_error_of(lower, upper, experiment.ci_level or CI_LEVEL)
    return curve(estimate), abs(slope) * standard_error(experiment)
