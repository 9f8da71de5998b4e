"""Result: what a test measured, with what made it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import inf, isfinite

import numpy as np

from experiments.grade import Check
from experiments.records import Experiment, Grade
from experiments.spend import SpendChange
from measurement.provenance import Provenance
from measurement.typing import Floats, Json


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured quantity.

    Attributes:
        estimate: Point estimate.
        std_error: The 90 % interval's half width over 1.645, so that a Normal with it has that interval.
        low: Lower end of the interval of the result's level.
        high: Upper end; either end is infinite where nothing on that side can be excluded.
        unit: Unit, for readers.
        note: What a reader must know about the interval.
    """

    estimate: float
    std_error: float
    low: float
    high: float
    unit: str
    note: str = ""

    def scaled(self, factor: float, unit: str) -> "Quantity":
        """The quantity times a known number, which may be negative."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Quantity(self.estimate * factor, self.std_error * abs(factor), low, high, unit, self.note)

    def inverse(self, unit: str) -> "Quantity":
        """One over the quantity: a cost per outcome from outcomes per money.

        Where zero is not excluded the cost has no upper limit, and the note says so. It then runs from what the best of
        the interval would cost, and has no estimate where the quantity's own is 0 or less: a negative cost would hide
        that the outcome may still be there, and dear.
        """
        if self.low > 0 or self.high < 0:
            error = self.std_error / self.estimate**2
            return Quantity(1.0 / self.estimate, error, 1.0 / self.high, 1.0 / self.low, unit, self.note)
        note = "; ".join(filter(None, (self.note, "no outcome at all is not excluded, so the cost has no upper limit")))
        point, low = (1.0 / value if value > 0 else inf for value in (self.estimate, self.high))
        return Quantity(point, inf, low, inf, unit, note)

    def to_dict(self, point: str = "estimate") -> Json:
        """As ``{"estimate", "std_error", "low", "high"}``, and ``note`` where there is one; ``None`` for no end.

        Args:
            point: What the point estimate is called.
        """
        numbers = {point: self.estimate, "std_error": self.std_error, "low": self.low, "high": self.high}
        return {name: finite(value) for name, value in numbers.items()} | ({"note": self.note} if self.note else {})


def finite(value: float | None) -> float | None:
    """The number, or ``None`` where there is no end: JSON knows no infinity."""
    return value if value is not None and isfinite(value) else None


@dataclass(frozen=True, slots=True)
class PeriodEffect:
    """One period of the treated geos together, in KPI units.

    Attributes:
        day: First day of the period.
        phase: ``pre``, ``test`` or ``cooldown``; of a schedule ``on``, ``off``, ``mixed`` where geos differ and
            ``burn_in`` where nothing is read.
        observed: KPI of the treated geos.
        counterfactual: What it would have been without the test.
        effect: Observed minus counterfactual.
        low: Lower end of the period's own interval; ``None`` before the test.
        high: Upper end.
        cumulative: Effect since the test began; ``None`` before the test.
        cumulative_low: Lower end of its interval.
        cumulative_high: Upper end.
    """

    day: date
    phase: str
    observed: float
    counterfactual: float
    effect: float
    low: float | None = None
    high: float | None = None
    cumulative: float | None = None
    cumulative_low: float | None = None
    cumulative_high: float | None = None

    @property
    def relative(self) -> tuple[float | None, float | None, float | None]:
        """Effect as a share of the counterfactual, with its ends; ``None`` where the counterfactual is not above 0."""
        shares = []
        for value in (self.effect, self.low, self.high):
            usual = self.observed - value if value is not None and isfinite(value) else 0.0
            shares.append(value / usual if value is not None and usual > 0 else None)
        return shares[0], shares[1], shares[2]

    def to_dict(self) -> Json:
        """As plain JSON values."""
        share, share_low, share_high = self.relative
        return {
            "date": self.day.isoformat(),
            "phase": self.phase,
            "observed": self.observed,
            "counterfactual": self.counterfactual,
            "effect": self.effect,
            "low": finite(self.low),
            "high": finite(self.high),
            "relative": share,
            "relative_low": share_low,
            "relative_high": share_high,
            "cumulative": self.cumulative,
            "cumulative_low": finite(self.cumulative_low),
            "cumulative_high": finite(self.cumulative_high),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The analysis of one test.

    Attributes:
        experiment: The design that was analysed.
        kpi: The KPI.
        estimator: Name of the estimator.
        window: First and last day of the read-out, cool-down included.
        alpha: One minus the level of the intervals.
        outcome_change: Observed minus counterfactual over treated geos and read-out.
        incremental_outcome: The same with the sign of the spend change: positive when the ads help.
        relative_lift: Outcome change / counterfactual.
        average_effect: Outcome change per treated geo and period.
        iroas: Incremental money / money; ``None`` where the spend change is unknown or negligible.
        p_value: Of no effect at all, two-sided; below ``alpha`` exactly when the intervals exclude zero.
        inference: How interval and p-value were made, in a sentence.
        spend: The spend change and where it comes from.
        periods: The read-out, period by period.
        pre_periods: The pre-period, for the picture of the fit.
        diagnostics: Fit, weights, placebos, self-calibration and notes.
        alternates: What other estimators say.
        grade: A to E.
        checks: What the grade rests on.
        provenance: Data, settings, seed, versions.
        placebo_effects: What the other draws measure once the test's effect is taken out of them, on its scale, shape
            (sets,); empty where inference was made over time.
        icpa: Money per incremental outcome; ``None`` where the spend change is unknown or negligible.
        phases: The outcome change of the ``test`` and, where there is one, of the ``cooldown``.
    """

    experiment: Experiment
    kpi: str
    estimator: str
    window: tuple[date, date]
    alpha: float
    outcome_change: Quantity
    incremental_outcome: Quantity
    relative_lift: Quantity
    average_effect: Quantity
    iroas: Quantity | None
    p_value: float
    inference: str
    spend: SpendChange
    periods: tuple[PeriodEffect, ...]
    pre_periods: tuple[PeriodEffect, ...]
    diagnostics: Json
    alternates: Mapping[str, Json]
    grade: Grade
    checks: tuple[Check, ...]
    provenance: Provenance
    placebo_effects: Floats = field(default_factory=lambda: np.zeros(0))
    icpa: Quantity | None = None
    phases: Mapping[str, Quantity] = field(default_factory=dict)

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite experiments analyse --json`` prints."""
        return {
            "experiment_id": self.experiment.experiment_id,
            "kpi": self.kpi,
            "estimator": self.estimator,
            "window": [day.isoformat() for day in self.window],
            "alpha": self.alpha,
            "incremental_outcome": self.incremental_outcome.to_dict(),
            "outcome_change": self.outcome_change.to_dict(),
            "relative_lift": self.relative_lift.to_dict(),
            "average_effect": self.average_effect.to_dict(),
            "iroas": self.iroas.to_dict() if self.iroas else None,
            "icpa": self.icpa.to_dict("median") if self.icpa else None,
            "phases": {name: change.to_dict() for name, change in self.phases.items()},
            "p_value": self.p_value,
            "inference": self.inference,
            "spend": self.spend.to_dict(),
            "periods": [period.to_dict() for period in self.periods],
            "pre_periods": [period.to_dict() for period in self.pre_periods],
            "diagnostics": self.diagnostics,
            "alternates": dict(self.alternates),
            "grade": self.grade,
            "grade_reasons": [check.to_dict() for check in self.checks],
            "versions": dict(self.provenance.versions),
            "seed": self.provenance.seed,
            "data": self.provenance.data,
        }

    def to_record(self) -> Experiment:
        """The design with its result, ready to be imported as evidence.

        The standard error comes from the placebos, so it holds the placebo excess already. A spend change that the
        record lacked is filled in from the panel, and the notes say so; where that is unknown too, it stays missing.
        """
        design, note = self.experiment, "spend_delta worked out from the panel's media"
        found = design.spend_delta is None and self.spend.delta is not None
        return design.model_copy(
            update={
                "estimand": "outcome_change",
                "estimate": self.outcome_change.estimate,
                "std_error": self.outcome_change.std_error,
                "ci_lower": None,
                "ci_upper": None,
                "ci_level": None,
                "grade": self.grade,
                "kpi": design.kpi or self.kpi,
                "spend_delta": self.spend.delta if found else design.spend_delta,
                "notes": "; ".join(filter(None, (design.notes, note))) if found else design.notes,
            }
        )
