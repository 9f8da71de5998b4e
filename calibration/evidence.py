"""Evidence: a test's record as the effect that the model takes, and how far its error was widened, step by step.

Formulas: ``docs/math_calibration.md``. What was spent and would have been spent: `calibration.counterfactual_spend`;
estimands: `calibration.estimand`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from calibration.counterfactual_spend import contradictions, off_panel_spend, spend_of_test
from calibration.estimand import of, outcome_change, said, standard_error
from calibration.widening import DRIFT, GRADE_SD, YEAR, Step, default_grade, excess_of, waterfall
from experiments.records import Experiment, Grade, place, resolved, schedules
from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.estimate import Estimate
from measurement.lift import Lift
from measurement.panel import Panel
from measurement.periods import expected_dates
from measurement.typing import Bools, Floats, Json


@dataclass(frozen=True, eq=False)
class Evidence:
    """One test, ready to meet the model.

    Attributes:
        experiment: The record it comes from.
        lift: What the MMM's likelihood takes.
        grade: The grade that was used.
        grade_sd: Relative sd of that grade.
        age: Years from the end of the read-out to the reference date.
        spend_delta: Actual minus counterfactual money per channel of the lift, shape (channels,).
        iroas: The test's own iROAS; ``None`` for several channels at once or without a change of spend.
        steps: The widening waterfall, from the reported standard error to the used one.
        problems: Warnings and notes found on the way.
    """

    experiment: Experiment
    lift: Lift
    grade: Grade
    grade_sd: float
    age: float
    spend_delta: Floats
    iroas: Estimate | None
    steps: tuple[Step, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def id(self) -> str:
        """The test's id."""
        return self.experiment.experiment_id

    def to_dict(self) -> Json:
        """What is stored and drawn: the test's effect, its iROAS and the waterfall."""
        return {
            "experiment_id": self.id,
            "channels": list(self.lift.channels),
            "outcome_change": self.lift.outcome_change,
            "std_error": self.steps[-1].std_error,
            "iroas": None if self.iroas is None else self.iroas.to_dict(),
            "grade": self.grade,
            "age_years": self.age,
            "spend_delta": self.spend_delta.tolist(),
            "counterfactual_imputed": self.lift.imputed,
            "geo_share": self.lift.part,
            "cell_of": self.lift.cell_of,
            "correlations": [list(pair) for pair in self.lift.correlations],
            "waterfall": [{"step": s.name, "std_error": s.std_error, "reason": s.reason} for s in self.steps],
            "problems": [str(problem) for problem in self.problems],
        }


def gather(
    experiments: Sequence[Experiment],
    panel: Panel,
    aliases: Mapping[str, str] | None = None,
    *,
    as_of: date | None = None,
    drift: float = DRIFT,
) -> tuple[tuple[Evidence, ...], tuple[Problem, ...]]:
    """Turn every test that has a result into evidence.

    Args:
        experiments: Records; plans (without a result), grade E and results in another KPI than the study's are left
            out, with a note each.
        panel: The study's panel.
        aliases: Other names of its channels, alias to channel.
        as_of: Date that ages are counted to; the panel's last period by default.
        drift: Relative sd per square root of a year of age.

    Returns:
        The evidence in the records' order, and every warning and note.

    Raises:
        DataError: With the errors of all records: tests that cannot be placed, contradictory spend.
    """
    placed = place([e for e in experiments if e.has_result], panel, aliases or {})
    refuse([*placed, *_unknown_cells(experiments)])
    reasons = [(e, _left_out(e, panel)) for e in experiments]
    notes = [of(e, Problem(f"left out: {reason}", level="note", code="left-out")) for e, reason in reasons if reason]
    used = [e for e, reason in reasons if not reason]
    found: list[Evidence] = []
    errors: list[Problem] = []
    for experiment in used:
        try:
            found.append(_evidence(experiment, panel, aliases or {}, as_of, drift))
        except DataError as error:
            errors += error.problems
    refuse(errors)
    return tuple(found), (*notes, *placed, *(problem for e in found for problem in e.problems))


def to_evidence(
    experiment: Experiment,
    panel: Panel,
    aliases: Mapping[str, str] | None = None,
    *,
    as_of: date | None = None,
    drift: float = DRIFT,
) -> Evidence:
    """Turn one test with a result into evidence; arguments as in `gather`.

    Raises:
        DataError: Where the test has no result, has grade E, cannot be placed or contradicts the panel.
    """
    refuse(place([experiment], panel, aliases or {}))
    reason = _left_out(experiment, panel)
    if reason:
        raise DataError([of(experiment, Problem(f"cannot be used: {reason}", code="left-out"))])
    return _evidence(experiment, panel, aliases or {}, as_of, drift)


def to_lift(
    experiment: Experiment, panel: Panel, aliases: Mapping[str, str] | None = None, *, as_of: date | None = None
) -> Lift:
    """The `Lift` of one test; see `to_evidence`."""
    return to_evidence(experiment, panel, aliases, as_of=as_of).lift


def _evidence(
    experiment: Experiment,
    panel: Panel,
    aliases: Mapping[str, str],
    as_of: date | None,
    drift: float,
) -> Evidence:
    experiment = resolved(experiment, aliases)
    channels = experiment.channel
    lift, delta, problems = (_outside if experiment.off_panel else _inside)(experiment, panel, channels)
    recorded = float(delta.sum()) if experiment.spend_delta is None else experiment.spend_delta
    change, se = outcome_change(experiment, recorded, panel.kpi_value, _observed(lift, panel))
    if experiment.estimand in ("outcome_change", "relative_lift") and change * recorded < 0 and abs(change) > 2 * se:
        problems.append(
            said(
                experiment,
                "estimate",
                "says that the outcome moved against the spend, by more than two standard errors. It is taken as it "
                "stands; where the size of a loss was meant, give it negative or call it incremental_outcome",
                "warning",
                code="sign",
            )
        )
    grade: Grade = experiment.grade or default_grade(experiment)
    last = as_of or panel.dates[-1].astype("datetime64[D]").item()
    age = max((last - experiment.read_out_end).days / YEAR, 0.0)
    placebo_excess = se * excess_of(standard_error(experiment), experiment.placebo_sd)
    steps = waterfall(change, se, placebo_excess=placebo_excess, grade=grade, age=age, drift=drift)
    lift = replace(
        lift,
        outcome_change=change,
        std_error=math.hypot(se, placebo_excess),
        relative_sd=math.hypot(GRADE_SD[grade], drift * math.sqrt(age)),
    )
    iroas = None
    if len(channels) == 1 and recorded != 0:
        per_unit = panel.kpi_value / recorded
        money = f"{panel.currency} per {panel.currency}"
        iroas = Estimate.from_normal(change * per_unit, steps[-1].std_error * abs(per_unit), money)
    return Evidence(experiment, lift, grade, GRADE_SD[grade], age, delta, iroas, steps, tuple(problems))


def _inside(experiment: Experiment, panel: Panel, channels: tuple[str, ...]) -> tuple[Lift, Floats, list[Problem]]:
    geos = experiment.treatment_geos or tuple(pair[0] for pair in experiment.pairs)
    geos = geos or tuple(dict.fromkeys(block.geo for block in experiment.schedule if block.geo)) or panel.geos
    try:
        spend = spend_of_test(
            panel,
            geos,
            experiment.control_geos,
            channels,
            experiment.start_date,
            experiment.end_date,
            spend_delta=experiment.spend_delta,
            registered=experiment.counterfactual_spend,
            part=experiment.geo_share,
            on=on_periods(experiment, geos, panel) if experiment.schedule else None,
        )
    except DataError as error:
        raise DataError([of(experiment, problem) for problem in error.problems]) from None
    go_dark = experiment.method == "go_dark"
    found = contradictions(spend.of_part, go_dark, experiment.spend_delta, panel.currency)
    problems = [of(experiment, problem) for problem in found]
    refuse(problems)
    if spend.imputed:
        note = "was not registered; it is imputed"
        problems.append(said(experiment, "counterfactual_spend", note, "note", code="imputed"))
    read_out = panel.window(experiment.start_date, experiment.read_out_end)
    lift = replace(_lift(experiment, channels, geos, spend.counterfactual), part=experiment.geo_share)
    after = read_out.stop - read_out.start - spend.counterfactual.shape[1]
    return replace(lift, cooldown_periods=after, imputed=spend.imputed), spend.delta, problems


def on_periods(experiment: Experiment, geos: tuple[str, ...], panel: Panel) -> Bools:
    """Where a schedule had the treatment on in the test's own periods, shape (geos, test periods).

    Periods that no block holds whole count as off, as the analysis leaves them out.
    """
    by_market = schedules.markets(experiment.schedule)
    window = panel.window(experiment.start_date, experiment.end_date)
    rows = []
    for geo in geos:
        blocks = by_market.get(geo) or by_market.get("", ())
        block = schedules.laid(panel, blocks)[window]
        rows.append([i >= 0 and blocks[i].on for i in block.tolist()])
    return np.array(rows, dtype=np.bool_)


def _outside(experiment: Experiment, panel: Panel, channels: tuple[str, ...]) -> tuple[Lift, Floats, list[Problem]]:
    usual_total, delta = experiment.counterfactual_spend, experiment.spend_delta
    if usual_total is None or delta is None:
        missing = "counterfactual_spend" if usual_total is None else "spend_delta"
        raise DataError([said(experiment, missing, "is needed for a test outside the panel")])
    start = np.datetime64(experiment.start_date, "D")
    periods, read_out = (
        max(len(expected_dates(start, np.datetime64(day, "D"), panel.period)), 1)
        for day in (experiment.end_date, experiment.read_out_end)
    )
    money = panel.spend[:, :, panel.channel_index(channels)].sum(axis=(0, 1))
    shares = money / money.sum() if money.sum() > 0 else np.full(len(channels), 1 / len(channels))
    usual, actual = off_panel_spend(periods, usual_total, delta, shares)
    lift = replace(
        _lift(experiment, channels, (), usual),
        actual_spend=actual,
        market_share=experiment.market_share,
        carry_in=experiment.adstock,
        cooldown_periods=read_out - periods,
    )
    return lift, np.asarray((actual - usual).sum(axis=(0, 1))), []


def _lift(experiment: Experiment, channels: tuple[str, ...], geos: tuple[str, ...], usual: Floats) -> Lift:
    """The lift without its measurement, which needs the spend first."""
    return Lift(
        experiment_id=experiment.experiment_id,
        channels=channels,
        geos=geos,
        start=experiment.start_date,
        end=experiment.end_date,
        cooldown_end=experiment.read_out_end,
        outcome_change=math.nan,
        std_error=math.nan,
        relative_sd=math.nan,
        counterfactual_spend=usual,
        cell_of=experiment.cell_of or "",
        correlations=experiment.correlations,
    )


def _unknown_cells(experiments: Sequence[Experiment]) -> list[Problem]:
    """Cells that correlations name and nobody knows."""
    known = {e.experiment_id: e.cell_of for e in experiments}
    return [
        said(e, "correlations", f"name '{shown(name)}', which is no cell of its test{did_you_mean(name, known)}")
        for e in experiments
        for name, _ in e.correlations
        if name not in known or known[name] != e.cell_of
    ]


def _observed(lift: Lift, panel: Panel) -> float | None:
    """What the treated geos sold during the read-out, KPI units; unknown outside the panel."""
    if lift.off_panel:
        return None
    sold = panel.outcome[panel.geo_index(lift.geos), panel.window(lift.start, lift.cooldown_end)]
    return lift.part * float(sold.sum())


def _left_out(experiment: Experiment, panel: Panel) -> str:
    """Why a test is no evidence for this study; empty where it is."""
    if not experiment.has_result:
        return "it has no result yet"
    if experiment.grade == "E":
        return "grade E is no evidence"
    if experiment.kpi is not None and experiment.kpi != panel.kpi:
        return f"it measured '{shown(experiment.kpi)}', this study's KPI is '{shown(panel.kpi)}'"
    return ""
