"""What stands behind a geo test's result: its fit, its reference sets, and what other estimators say."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.geo.case import Case
from experiments.geo.estimators import Fit
from experiments.geo.inference import Inference
from experiments.quantities import measured
from measurement.typing import Floats, Json

SHOWN_WEIGHT = 0.001
TEXTBOOK = "gaps taken for independent over time: far too narrow"
COMPARABLE = 2.0
"""An estimator whose pre-period gap varies more than so many times as much cannot follow the treated geos."""


def pre_fit(fit: Fit) -> tuple[float, float]:
    """R² and mean absolute percentage error (as a share) of the pre-period."""
    observed, gap = fit.observed[: fit.pre_length], fit.gap[: fit.pre_length]
    spread = float(np.square(observed - observed.mean()).sum())
    r2 = 1.0 - float(np.square(gap).sum()) / spread if spread > 0 else 0.0
    seen = observed != 0
    mape = float(np.mean(np.abs(gap[seen] / observed[seen]))) if seen.any() else 1.0
    return r2, mape


def placebo_effects(inference: Inference) -> Floats:
    """What the other draws measure once the effect is taken out, per geo and period, shape (sets,)."""
    if inference.randomised is None:
        return np.zeros(0)
    return inference.randomised.placebos(inference.fit.effect)


def diagnostics(case: Case, main: Inference, notes: Sequence[str] = ()) -> Json:
    """As plain JSON values; with notes beside those of the case."""
    fit, length = main.fit, case.end - case.onset
    r2, mape = pre_fit(fit)
    cells = len(case.treated) * length
    analytic = cells * fit.pre_error * float(np.sqrt(1.0 / length + 1.0 / fit.pre_length))
    effects = placebo_effects(main) * cells
    spread = float(np.sqrt(np.square(effects).mean())) if effects.size else None
    order, shown = np.argsort(-fit.weights), np.abs(fit.weights) > SHOWN_WEIGHT
    return {
        "pre_periods": fit.pre_length,
        "read_out_periods": length,
        "cooldown_periods": case.end - case.cooldown,
        "treated_geos": len(case.treated),
        "control_geos": len(case.controls),
        "pre_r2": r2,
        "pre_mape": mape,
        "pre_rmse": fit.pre_error,
        "augmented": fit.augmented,
        "weights": {case.geos[case.controls[i]]: float(fit.weights[i]) for i in order if shown[i]},
        "placebo_sets": int(effects.size),
        "placebo_sd": spread,
        "analytic_sd": analytic,
        "placebo_excess": None if spread is None else float(np.sqrt(max(spread**2 - analytic**2, 0.0))),
        "p_values": dict(main.p_values),
        "self_calibration": main.calibration.to_dict(),
        "weekly_pattern": case.weekly,
        "notes": [*case.notes, *_trimmed(case, fit), *notes],
    }


def _trimmed(case: Case, fit: Fit) -> list[str]:
    left = case.onset - fit.pre_length
    return [f"the first {left} day(s) of the history are left out, so that it holds whole weeks"] if left else []


def alternate(inference: Inference, alpha: float, cells: int) -> Json:
    """What one other estimator says, as plain JSON values."""
    average = measured(inference.total, alpha, "")
    fit = inference.fit
    usual = float(fit.counterfactual[fit.pre_length :].mean())
    said = {}
    if fit.classical is not None:
        textbook = measured(fit.classical, alpha, "").scaled(cells, "").to_dict()
        said = {"classical": {**textbook, "p_value": fit.classical.p_value(), "note": TEXTBOOK}}
    return {
        "outcome_change": average.scaled(cells, "").to_dict(),
        "average_effect": average.to_dict(),
        "relative_lift": fit.effect / usual if usual else None,
        "p_value": inference.total.p_value(),
        "p_values": dict(inference.p_values),
        "inference": inference.how,
        **said,
    }


def apart(main: Inference, others: Mapping[str, Inference], std_error: float) -> dict[str, float]:
    """Distance of every other estimate that can follow the treated geos, in the result's standard errors."""
    most, unit = COMPARABLE * _wobble(main.fit), max(std_error, np.finfo(np.float64).tiny)
    return {
        name: abs(other.fit.effect - main.fit.effect) / unit
        for name, other in others.items()
        if _wobble(other.fit) <= most
    }


def _wobble(fit: Fit) -> float:
    """Standard deviation of the pre-period gap, at least the floor of its error."""
    return max(float(fit.gap[: fit.pre_length].std()), 1e-6 * float(np.abs(fit.observed[: fit.pre_length]).mean()))
