"""Analysis of a switchback or on-off test: panel and design in, `Result` out."""

from collections.abc import Mapping

import numpy as np

from experiments.quantities import measured, relative_lift
from experiments.records import Experiment
from experiments.result import Quantity, Result
from experiments.spend import SpendChange
from experiments.switchback.case import resolve
from experiments.switchback.checklist import Facts, graded
from experiments.switchback.estimators import FITTERS, Estimator, choose, fit_all, speaks
from experiments.switchback.layout import Case
from experiments.switchback.periods import by_period
from experiments.switchback.spend import spend_change
from experiments.two_sided import InvertedTest
from measurement.errors import DataError, DesignError, Problem
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from measurement.typing import Json

LONGER_BURN_IN = 2
"""The carry-over check reads the test with up to so many more periods dropped after each switch."""
TINY = float(np.finfo(np.float64).tiny)
LARGEST = 1 << 53
"""Whole numbers from here on are not exact in every reader of JSON."""
SECOND_READ = ("autoregressive", "newey_west", "difference_in_means")


def analyse_switchback(
    panel: Panel, design: Experiment, *, estimator: str = "default", alpha: float = 0.1, seed: int = 0
) -> Result:
    """Analyse one switchback or on-off test.

    The outcome change counts all periods that were on, burn-in included, at the steady effect that is read after the
    burn-in: what is still missing while the ads build up comes back while they wear off.

    Args:
        panel: KPI by geo and period; media too where iROAS is wanted and the record has no ``spend_delta``.
        design: The test, with its ``schedule``; an on-off test without one is on from its first to its last day.
        estimator: ``randomisation``, ``autoregressive``, ``newey_west``, ``difference_in_means`` or ``default``.
        alpha: One minus the level of the intervals, between .01 and .5.
        seed: Seed of the sample of schedules where there are too many for all of them.

    Raises:
        DataError: Where the design does not fit the data: every problem found.
        DesignError: Where the test cannot be analysed.
    """
    if not 0.01 <= alpha <= 0.5:
        raise DataError([Problem(f"found {alpha:g}, but alpha lies between .01 and .5", column="alpha")])
    case = resolve(panel, design)
    fitted = fit_all(case, seed)
    main = choose(estimator, design, fitted, alpha, case)
    return _result(panel, design, case, main, fitted, alpha, seed)


def _result(
    panel: Panel,
    design: Experiment,
    case: Case,
    main: Estimator,
    fitted: Mapping[str, Estimator],
    alpha: float,
    seed: int,
) -> Result:
    kpi = design.kpi or panel.kpi
    spend = spend_change(panel, design, case)
    change = measured(main.test, alpha, kpi).scaled(case.exposure, kpi)
    lift = _lift(case, main, alpha)
    ratio = change.scaled(1.0 / spend.delta, kpi) if spend.delta and not spend.negligible else None
    money = ratio.scaled(panel.kpi_value, f"{panel.currency} per {panel.currency}") if ratio else None
    others = {name: other for name, other in fitted.items() if name != main.name}
    by_burn_in = _by_burn_in(panel, design, main, change, alpha, seed)
    facts = _facts(design, case, main, others, spend, lift, change.std_error / case.exposure, by_burn_in)
    grade, checks = graded(design, facts)
    before, after = by_period(case, panel.dates, main.test, alpha)
    settings = {"estimator": main.name, "alpha": alpha, "design": design.to_dict()}
    return Result(
        experiment=design,
        kpi=kpi,
        estimator=main.name,
        window=(design.start_date, design.read_out_end),
        alpha=alpha,
        outcome_change=change,
        incremental_outcome=change.scaled(spend.direction, kpi),
        relative_lift=lift,
        average_effect=change.scaled(1.0 / case.exposed_cells, f"{kpi} per geo and {panel.period}"),
        iroas=money if kpi == panel.kpi else None,
        icpa=ratio.inverse(f"{panel.currency} per {kpi}") if ratio else None,
        p_value=main.test.p_value(),
        inference=main.how,
        spend=spend,
        periods=after,
        pre_periods=before,
        diagnostics=_diagnostics(case, design, fitted, by_burn_in),
        alternates={name: _alternate(case, other, alpha) for name, other in others.items() if speaks(other, alpha)},
        grade=grade,
        checks=checks,
        provenance=Provenance(panel.sha256, settings, seed, versions("numpy", "scipy")),
        placebo_effects=main.others * case.exposure,
    )


def _facts(
    design: Experiment,
    case: Case,
    main: Estimator,
    others: Mapping[str, Estimator],
    spend: SpendChange,
    lift: Quantity,
    error: float,
    by_burn_in: Mapping[int, Quantity],
) -> Facts:
    """What the grade rests on; ``error`` is the standard error in units of the case's values."""
    second = next((others[name] for name in SECOND_READ if name in others), None)
    longest, own = max(by_burn_in), design.burn_in or 0
    moved = None
    if longest > own and error:
        moved = abs(by_burn_in[longest].estimate / case.exposure - main.test.estimate) / error
    return Facts(
        recorded=design.assignment is not None,
        by_randomisation=isinstance(main.test, InvertedTest) and design.method == "switchback",
        schedules=case.mechanism.count,
        switches=_switches(case),
        carry_over=moved,
        relative_error=lift.std_error,
        disagreement=abs(second.test.estimate - main.test.estimate) / error if second and error else None,
        spend=spend,
    )


def _lift(case: Case, main: Estimator, alpha: float) -> Quantity:
    """Change / counterfactual over the cells that are on and read."""
    chosen = case.exposed & case.read
    size = np.broadcast_to(case.scale[:, None], chosen.shape)[chosen]
    change = measured(main.test, alpha, "share").scaled(float(size.sum()), "share")
    return relative_lift(change, float(case.values[chosen] @ size))


def _by_burn_in(
    panel: Panel, design: Experiment, main: Estimator, change: Quantity, alpha: float, seed: int
) -> dict[int, Quantity]:
    """The outcome change by burn-in: without any, as recorded, and a little longer where the blocks leave room."""
    own = design.burn_in or 0
    found = {own: change}
    for burn_in in (0, *range(own + LONGER_BURN_IN, own, -1)):
        if burn_in in found or max(found) > own:
            continue
        try:
            case = resolve(panel, design, burn_in)
        except (DataError, DesignError):
            continue
        fitted = FITTERS[main.name](case, seed)
        if fitted is not None:
            found[burn_in] = measured(fitted.test, alpha, "").scaled(case.exposure, "")
    return dict(sorted(found.items()))


def _switches(case: Case) -> int:
    """Changes between on and off, over all markets that switch."""
    switches = 0
    for row in np.flatnonzero((case.block >= 0).any(axis=1)):
        states = case.exposed[row][case.block[row] >= 0]
        switches += int((states[1:] != states[:-1]).sum())
    return switches


def _diagnostics(
    case: Case, design: Experiment, fitted: Mapping[str, Estimator], by_burn_in: Mapping[int, Quantity]
) -> Json:
    left = case.residuals()
    cells = case.cells
    market = np.zeros(left.size) if case.one_market else np.nonzero(case.read)[0]
    neighbours = (np.diff(cells.time) == 1) & (np.diff(market) == 0)
    inside = case.read & (case.block >= 0)
    return {
        "blocks": int(case.on.size),
        "on_blocks": int(case.on.sum()),
        "switches": _switches(case),
        "rule": case.mechanism.rule,
        "rule_on_record": design.assignment is not None,
        "schedules": case.mechanism.count if case.mechanism.count < LARGEST else None,
        "markets": 1 if case.one_market else int((case.block >= 0).any(axis=1).sum()),
        "treated_geos": len(case.treated),
        "on_periods_read": int((inside & case.exposed).sum()),
        "off_periods_read": int((inside & ~case.exposed).sum()),
        "burn_in": design.burn_in or 0,
        "by_burn_in": [{"burn_in": each, "outcome_change": change.to_dict()} for each, change in by_burn_in.items()],
        "autocorrelation": float((left[1:] * left[:-1])[neighbours].sum() / max(float(left @ left), TINY)),
        "p_values": {name: each.test.p_value() for name, each in fitted.items()},
        "estimators": {name: dict(each.details) for name, each in fitted.items() if each.details},
        "notes": list(case.notes),
    }


def _alternate(case: Case, other: Estimator, alpha: float) -> Json:
    change = measured(other.test, alpha, "").scaled(case.exposure, "")
    return {
        "outcome_change": change.to_dict(),
        "average_effect": change.scaled(1.0 / case.exposed_cells, "").to_dict(),
        "relative_lift": _lift(case, other, alpha).estimate,
        "p_value": other.test.p_value(),
        "inference": other.how,
    }
