"""Analysis of a geo test: panel and design in, `Result` out."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from experiments.geo.case import Case, resolve
from experiments.geo.checklist import Facts, graded
from experiments.geo.estimators import DEFAULT, ESTIMATORS, Estimator, Fit
from experiments.geo.inference import Inference, infer
from experiments.geo.spend import spend_change
from experiments.records import Experiment
from experiments.result import PeriodEffect, Quantity, Result
from experiments.spend import SpendChange
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from measurement.typing import Floats, Json

SECOND_READ = "sdid"
ALTERNATE_SETS = 100
Z90 = 1.6448536269514722
SHOWN_WEIGHT = 0.001


def analyse_geo(
    panel: Panel, design: Experiment, *, estimator: str = "default", alpha: float = 0.1, seed: int = 0
) -> Result:
    """Analyse one geo test.

    Args:
        panel: KPI by geo and period; media too where iROAS is wanted and the record has no ``spend_delta``.
        design: The test. Without ``control_geos`` every other geo is a control.
        estimator: A name of `experiments.estimators.ESTIMATORS`, or ``default`` (``all`` is the same: the others
            always stand under ``alternates``).
        alpha: One minus the level of the intervals, between .01 and .5.
        seed: Seed of the draw of placebo sets.

    Returns:
        The result; p-value and interval agree, and the standard error gives the 90 % interval.

    Raises:
        DataError: Where the design does not fit the data: every problem found.
        DesignError: Where the test cannot be analysed: too few geos, too little history, no way to infer.
    """
    chosen = _chosen(estimator)
    if not 0.01 <= alpha <= 0.5:
        raise DataError([Problem(f"found {alpha:g}, but alpha lies between .01 and .5", column="alpha")])
    case = resolve(panel, design)
    spend = spend_change(panel, design, case)
    main = infer(case, chosen, alpha, seed)
    others = {
        name: infer(case, other, alpha, seed, most=ALTERNATE_SETS, windows=0)
        for name, other in ESTIMATORS.items()
        if name != chosen.name
    }
    made_by = Provenance(panel.sha256, _settings(design, chosen, alpha), seed, versions("numpy", "scipy"))
    return _result(panel, design, case, spend, chosen, main, others, alpha, made_by)


def _chosen(name: str) -> Estimator:
    name = DEFAULT if name in ("default", "all") else name
    if name not in ESTIMATORS:
        raise DataError(
            [
                Problem(
                    f"unknown estimator '{shown(name)}'{did_you_mean(name, ESTIMATORS)}; there are default, all, "
                    f"{', '.join(ESTIMATORS)}",
                    column="estimator",
                    code="unknown-estimator",
                )
            ]
        )
    return ESTIMATORS[name]


def _settings(design: Experiment, chosen: Estimator, alpha: float) -> Json:
    return {"estimator": chosen.name, "alpha": alpha, "design": design.to_dict()}


def _result(
    panel: Panel,
    design: Experiment,
    case: Case,
    spend: SpendChange,
    chosen: Estimator,
    main: Inference,
    others: Mapping[str, Inference],
    alpha: float,
    made_by: Provenance,
) -> Result:
    kpi = design.kpi or panel.kpi
    cells = len(case.treated) * (case.end - case.onset)
    average = _average(main, alpha, f"{kpi} per geo and {panel.period}")
    change = average.scaled(cells, kpi)
    lift = _lift(change, float(main.fit.observed[main.fit.pre_length :].sum()) * len(case.treated))
    money = None
    if spend.delta and not spend.negligible and kpi == panel.kpi:
        money = change.scaled(panel.kpi_value / spend.delta, f"{panel.currency} per {panel.currency}")
    second = others.get(SECOND_READ)
    apart = abs(second.fit.effect - average.estimate) / average.std_error if second else None
    grade, checks = graded(design, _facts(case, main, spend, lift, apart))
    before, after = _periods(case, main, alpha)
    return Result(
        experiment=design,
        kpi=kpi,
        estimator=chosen.name,
        window=(design.start_date, design.read_out_end),
        alpha=alpha,
        outcome_change=change,
        incremental_outcome=change.scaled(spend.direction, kpi),
        relative_lift=lift,
        average_effect=average,
        iroas=money,
        p_value=main.total.p_value(),
        inference=main.how,
        spend=spend,
        periods=after,
        pre_periods=before,
        diagnostics=_diagnostics(case, main),
        alternates={name: _alternate(other, alpha, cells) for name, other in others.items()},
        grade=grade,
        checks=checks,
        provenance=made_by,
        placebo_effects=_placebo_effects(main) * cells,
    )


def _facts(case: Case, main: Inference, spend: SpendChange, lift: Quantity, apart: float | None) -> Facts:
    r2, mape = _pre_fit(main.fit)
    history = main.fit.pre_length / (case.end - case.onset)
    return Facts(main.placebos is not None, main.calibration, r2, mape, history, lift.std_error, spend, apart)


def _average(inference: Inference, alpha: float, unit: str) -> Quantity:
    low, high = inference.total.interval(alpha)
    narrow, wide = inference.total.interval(0.1)
    return Quantity(inference.total.estimate, (wide - narrow) / 2 / Z90, low, high, unit)


def _lift(change: Quantity, observed: float) -> Quantity:
    """Change / counterfactual: as the counterfactual is observed minus change, the interval maps end by end."""
    usual = observed - change.estimate
    ends = [observed - change.low, observed - change.high]
    if min(ends) <= 0.0 or usual <= 0.0:  # the interval reaches past a counterfactual of nothing: hold it fixed
        return change.scaled(1.0 / usual if usual else 0.0, "share")
    error = change.std_error * observed / usual**2
    return Quantity(change.estimate / usual, error, change.low / ends[0], change.high / ends[1], "share")


def _pre_fit(fit: Fit) -> tuple[float, float]:
    """R² and mean absolute percentage error (as a share) of the pre-period."""
    observed, gap = fit.observed[: fit.pre_length], fit.gap[: fit.pre_length]
    spread = float(np.square(observed - observed.mean()).sum())
    r2 = 1.0 - float(np.square(gap).sum()) / spread if spread > 0 else 0.0
    seen = observed != 0
    mape = float(np.mean(np.abs(gap[seen] / observed[seen]))) if seen.any() else 1.0
    return r2, mape


def _placebo_effects(inference: Inference) -> Floats:
    """Placebo effects in the test's own window on the test's scale, per geo and period, shape (sets,)."""
    if inference.placebos is None:
        return np.zeros(0)
    return np.asarray(inference.placebos.statistics[0] * inference.fit.pre_error)


def _diagnostics(case: Case, main: Inference) -> Json:
    fit, length = main.fit, case.end - case.onset
    r2, mape = _pre_fit(fit)
    cells = len(case.treated) * length
    analytic = cells * fit.pre_error * float(np.sqrt(1.0 / length + 1.0 / fit.pre_length))
    effects = _placebo_effects(main) * cells
    spread = float(np.sqrt(np.square(effects).mean())) if effects.size else None
    order = np.argsort(-fit.weights)
    return {
        "pre_periods": fit.pre_length,
        "read_out_periods": length,
        "treated_geos": len(case.treated),
        "control_geos": len(case.controls),
        "pre_r2": r2,
        "pre_mape": mape,
        "pre_rmse": fit.pre_error,
        "weights": {case.geos[case.controls[i]]: float(fit.weights[i]) for i in order if fit.weights[i] > SHOWN_WEIGHT},
        "placebo_sets": int(effects.size),
        "placebo_windows": 0 if main.placebos is None else len(main.placebos.paths) - 1,
        "placebo_sd": spread,
        "analytic_sd": analytic,
        "placebo_excess": None if spread is None else float(np.sqrt(max(spread**2 - analytic**2, 0.0))),
        "p_values": dict(main.p_values),
        "self_calibration": main.calibration.to_dict(),
        "weekly_pattern": case.weekly,
        "notes": list(case.notes),
    }


def _alternate(inference: Inference, alpha: float, cells: int) -> Json:
    average = _average(inference, alpha, "")
    return {
        "outcome_change": average.scaled(cells, "").to_dict(),
        "average_effect": average.to_dict(),
        "relative_lift": inference.fit.effect / float(inference.fit.counterfactual[inference.fit.pre_length :].mean()),
        "p_value": inference.total.p_value(),
        "p_values": dict(inference.p_values),
        "inference": inference.how,
    }


def _periods(case: Case, main: Inference, alpha: float) -> tuple[tuple[PeriodEffect, ...], tuple[PeriodEffect, ...]]:
    """Pre-period and read-out of the treated geos together."""
    fit, geos = main.fit, len(case.treated)
    first = case.onset - fit.pre_length
    days = case.dates[first : case.end].astype("datetime64[D]").tolist()
    seen, usual = fit.observed * geos, fit.counterfactual * geos

    def plain(i: int, phase: str) -> PeriodEffect:
        return PeriodEffect(days[i], phase, float(seen[i]), float(usual[i]), float(seen[i] - usual[i]))

    def tested(step: int) -> PeriodEffect:
        i = fit.pre_length + step
        bare = plain(i, "test" if case.onset + step < case.cooldown else "cooldown")
        low, high = (end * geos for end in main.by_period[step].interval(alpha))
        scale = geos * (step + 1)
        from_start, to_end = (end * scale for end in main.cumulative[step].interval(alpha))
        total = main.cumulative[step].estimate * scale
        return replace(bare, low=low, high=high, cumulative=total, cumulative_low=from_start, cumulative_high=to_end)

    before = tuple(plain(i, "pre") for i in range(fit.pre_length))
    return before, tuple(tested(step) for step in range(case.end - case.onset))
