"""Analysis of a geo test: panel and design in, `Result` out."""

from collections.abc import Mapping
from dataclasses import replace

from experiments.geo.case import Case, resolve
from experiments.geo.checklist import Facts, graded
from experiments.geo.diagnostics import alternate, apart, diagnostics, placebo_effects, pre_fit
from experiments.geo.estimators import DEFAULT, ESTIMATORS, ON_REQUEST, Estimator
from experiments.geo.inference import Inference, infer
from experiments.geo.inference.choice import Choice, choose
from experiments.geo.inference.draws import Draws, draw_sets
from experiments.geo.money import per_money
from experiments.geo.readout import periods, phases
from experiments.geo.returns import other_returns
from experiments.geo.spend import spend_change, spend_error
from experiments.geo.strange import strange_geos
from experiments.quantities import measured, relative_lift
from experiments.records import Experiment
from experiments.result import Quantity, Result
from experiments.spend import SpendChange
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.panel import Panel
from measurement.provenance import Provenance, versions

ALTERNATE_SETS = 100


def analyse_geo(
    panel: Panel, design: Experiment, *, estimator: str = "default", alpha: float = 0.1, seed: int = 0
) -> Result:
    """Analyse one geo test.

    Args:
        panel: KPI by geo and period; media too where iROAS is wanted and the record has no ``spend_delta``.
        design: The test. Without ``control_geos`` every other geo is a control.
        estimator: A name of `experiments.geo.estimators.ESTIMATORS` or ``ON_REQUEST``, or ``default`` (``all`` is the
            same: the others always stand under ``alternates``). For matched pairs the default chooses its estimator
            by the history: `experiments.geo.inference.choice`.
        alpha: One minus the level of the intervals, between .01 and .5.
        seed: Seed of the draw of reference sets.

    Returns:
        The result; p-value and interval agree, and the standard error gives the 90 % interval.

    Raises:
        DataError: Where the design does not fit the data: every problem found.
        DesignError: Where the test cannot be analysed: too few geos, too little history, no way to infer.
    """
    known = {"default": ESTIMATORS[DEFAULT], "all": ESTIMATORS[DEFAULT], **ESTIMATORS, **ON_REQUEST}
    if estimator not in known:
        words = f"unknown estimator '{shown(estimator)}'{did_you_mean(estimator, known)}; there are "
        raise DataError([Problem(words + ", ".join(known), column="estimator", code="unknown-estimator")])
    if not 0.01 <= alpha <= 0.5:
        raise DataError([Problem(f"found {alpha:g}, but alpha lies between .01 and .5", column="alpha")])
    case = resolve(panel, design)
    spend = spend_change(panel, design, case)
    draws = draw_sets(case, design, alpha, seed)
    choice = choose(case, draws) if draws.paired and estimator in ("default", "all") else None
    chosen = choice.estimator if choice else known[estimator]
    main = infer(case, draws, chosen, alpha)
    if choice:
        main = replace(main, how=f"{main.how}; {choice.words}")
    few = Draws(draws.members[:ALTERNATE_SETS], draws.recorded, draws.words)
    others = {
        name: infer(case, few, other, alpha, thorough=False)
        for name, other in ESTIMATORS.items()
        if name != chosen.name
    }
    settings = {"estimator": chosen.name, "alpha": alpha, "design": design.to_dict()}
    made_by = Provenance(panel.sha256, settings, seed, versions("numpy", "scipy"))
    return _result(panel, design, case, spend, chosen, choice, main, others, alpha, made_by)


def _result(
    panel: Panel,
    design: Experiment,
    case: Case,
    spend: SpendChange,
    chosen: Estimator,
    choice: Choice | None,
    main: Inference,
    others: Mapping[str, Inference],
    alpha: float,
    made_by: Provenance,
) -> Result:
    kpi = design.kpi or panel.kpi
    cells = len(case.treated) * (case.end - case.onset)
    average = measured(main.total, alpha, f"{kpi} per geo and {panel.period}")
    change = average.scaled(cells, kpi)
    relative = relative_lift(change, float(main.fit.observed[main.fit.pre_length :].sum()) * len(case.treated))
    ratio = per_money(panel, design, case, main, spend, alpha)
    money = ratio.scaled(panel.kpi_value, f"{panel.currency} per {panel.currency}") if ratio else None
    error = spend_error(panel, design, case) if spend.source == "panel" else None
    returns = other_returns(panel, design, case, alpha) if money and kpi == panel.kpi else {}
    strange = strange_geos(case)
    facts = _facts(case, main, spend, relative, apart(main, others, average.std_error))
    grade, checks = graded(design, replace(facts, strange=[each.words for each in strange]))
    before, after = periods(case, main, alpha)
    return Result(
        experiment=design,
        kpi=kpi,
        estimator=chosen.name,
        window=(design.start_date, design.read_out_end),
        alpha=alpha,
        outcome_change=change,
        incremental_outcome=change.scaled(spend.direction, kpi),
        relative_lift=relative,
        average_effect=average,
        iroas=money if kpi == panel.kpi else None,
        p_value=main.total.p_value(),
        inference=main.how,
        spend=spend,
        periods=after,
        pre_periods=before,
        diagnostics={
            **diagnostics(case, main, [each.note for each in strange]),
            "spend_std_error": error,
            "returns": returns,
            "choice": choice.to_dict() if choice else None,
        },
        alternates={name: alternate(other, alpha, cells) for name, other in others.items()},
        grade=grade,
        checks=checks,
        provenance=made_by,
        placebo_effects=placebo_effects(main) * cells,
        icpa=ratio.inverse(f"{panel.currency} per {kpi}") if ratio else None,
        phases=phases(case, main, alpha, kpi),
    )


def _facts(case: Case, main: Inference, spend: SpendChange, relative: Quantity, apart: Mapping[str, float]) -> Facts:
    r2, mape = pre_fit(main.fit)
    history = main.fit.pre_length / (case.end - case.onset)
    drawn = main.randomised is not None
    return Facts(drawn, main.calibration, r2, mape, history, relative.std_error, spend, apart)
