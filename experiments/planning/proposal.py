"""Proposals: a design with what it can find, what it costs and why it ranks where it does, and several of them."""

import re
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from experiments.planning.cost import Cost
from experiments.planning.goal import Goal
from experiments.planning.power import Power
from experiments.records import Assignment, Experiment, Method
from measurement.errors import shown
from measurement.panel import Panel
from measurement.periods import Period, last_day
from measurement.typing import Json


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """One geo test that could be run.

    Attributes:
        goal: What was asked.
        treatment_geos: The treated geos: drawn from the assignment's candidates, or given.
        control_geos: All other geos that take part.
        duration: Periods in which spend is changed.
        cooldown: Periods read out afterwards.
        power: What it can find.
        mde_absolute: The minimum detectable effect as KPI over treated geos and read-out, at the latest level.
        cost: Money.
        detectable_return: iROAS from which the planned spend change is found; ``None`` where the change is unknown.
        inference: How the test will be analysed.
        assignment: How the treated geos were drawn; ``None`` for given markets.
        score: 0 to 100, the larger the better.
        reasons: Why, in plain words.
        notes: What a planner should know.
        next_day: First day after the panel.
        period: Cadence of the panel.
    """

    goal: Goal
    treatment_geos: tuple[str, ...]
    control_geos: tuple[str, ...]
    duration: int
    cooldown: int
    power: Power
    mde_absolute: float
    cost: Cost
    detectable_return: float | None
    inference: str
    assignment: Assignment | None
    next_day: date
    period: Period
    score: float = 0.0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def mde(self) -> float:
        """Minimum detectable effect as a share of the treated geos' KPI."""
        return self.power.mde

    @property
    def method(self) -> Method:
        """The record's method; a cut of unknown money is a go-dark test and a raise a heavy-up, so the sign is kept."""
        if not self.cost.spend_delta:
            return "go_dark" if self.goal.change < 0 else "heavy_up"
        return "geo_holdout" if self.goal.direction == "holdout" else self.goal.direction

    def record(self, start: date | None = None, experiment_id: str | None = None) -> Experiment:
        """The plan as a record, ready for `experiments.analyse` once the test has run.

        Args:
            start: First day; the day after the panel where ``None``.
            experiment_id: Name of the test; made from channel, direction and length where ``None``.
        """
        first = np.datetime64(start or self.next_day, "D")
        name = f"{'-'.join(self.goal.channel)}-{self.goal.direction}-{self.duration}-{len(self.treatment_geos)}"
        return Experiment(
            experiment_id=experiment_id or re.sub(r"[^\w-]+", "-", name).strip("-") or "design",
            channel=self.goal.channel,
            method=self.method,
            start_date=first.tolist(),
            end_date=last_of(first, self.duration, self.period),
            cooldown_end_date=last_of(first, self.duration + self.cooldown, self.period) if self.cooldown else None,
            treatment_geos=self.treatment_geos,
            control_geos=self.control_geos,
            spend_delta=self.cost.spend_delta or None,
            kpi=self.goal.kpi,
            assignment=self.assignment,
        )

    def to_dict(self) -> Json:
        """As plain JSON values; an effect that cannot be found is null."""
        power = self.power
        return {
            "treatment_geos": list(self.treatment_geos),
            "control_geos": list(self.control_geos),
            "duration": self.duration,
            "cooldown": self.cooldown,
            "mde": _finite(self.mde),
            "mde_absolute": _finite(self.mde_absolute),
            "mde_optimistic": None if power.mde_optimistic is None else _finite(power.mde_optimistic),
            "power_wanted": self.goal.power,
            "power_planning": power.planning,
            "power_optimistic": power.optimistic,
            "power_curve": power.curve(),
            "planning_windows": power.windows,
            "stretch": power.stretch,
            "false_positive_rate": power.false_positives,
            "false_positive_rate_low": power.false_positives_low,
            "false_positive_rate_high": power.false_positives_high,
            "rmse": power.rmse,
            "bias": power.bias,
            "cost": self.cost.to_dict(),
            "detectable_iroas": self.detectable_return,
            "inference": self.inference,
            "assignment": None if self.assignment is None else self.assignment.model_dump(mode="json"),
            "score": self.score,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "method": self.method,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Designs:
    """Designs that answer a goal, the best first.

    Attributes:
        designs: One for every size and length that can be had.
        recommendation: One plain sentence.
        notes: Sizes and lengths that cannot be had, and why.
    """

    designs: tuple[Design, ...]
    recommendation: str
    notes: tuple[str, ...] = field(default=())

    @property
    def best(self) -> Design:
        """The first of them."""
        return self.designs[0]

    def choices(self) -> list[Json]:
        """The map of choices: what each number of geos and each length can find and costs."""
        found = [
            {
                "geos": len(each.treatment_geos),
                "duration": each.duration,
                "mde": _finite(each.mde),
                "mde_absolute": _finite(each.mde_absolute),
                "spend_delta": each.cost.spend_delta,
                "budget_needed": each.cost.needed,
                "score": each.score,
            }
            for each in self.designs
        ]
        return sorted(found, key=lambda each: (each["geos"], each["duration"]))

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "designs": [each.to_dict() for each in self.designs],
            "choices": self.choices(),
            "recommendation": self.recommendation,
            "notes": list(self.notes),
        }


def day_after(panel: Panel) -> date:
    """First day after the panel's last period."""
    following: date = (last_day(panel.dates[-1], panel.period) + np.timedelta64(1, "D")).tolist()
    return following


def recommended(best: Design, periods: str) -> str:
    """What to do, in one sentence."""
    geos = best.treatment_geos
    names = ", ".join(shown(geo, 30) for geo in geos[:6]) + (f" and {len(geos) - 6} more" if len(geos) > 6 else "")
    length = f"{best.duration} {periods}s" + (f" and {best.cooldown} of cool-down" if best.cooldown else "")
    if not np.isfinite(best.mde):
        return f"No effect of any size would be found reliably; the least bad is to treat {names} for {length}."
    verb = {"go_dark": "stop", "holdout": "hold out", "heavy_up": "raise"}.get(best.goal.direction, "change")
    channel = " and ".join(shown(name, 30) for name in best.goal.channel)
    words = f"{verb.capitalize()} {channel} in {names} for {length}: an effect of {best.mde:.1%} is found "
    words += best.power.in_words(best.goal.power)
    if best.cost.enough is False:
        return f"{words}, but the planned change is expected to move the KPI by less: {best.cost.sentence}."
    return f"{words}; it {best.cost.sentence}." if best.cost.spend_delta is not None else f"{words}."


def last_of(first: np.datetime64, count: int, period: Period) -> date:
    """Last day of so many periods from ``first``."""
    if period == "month":
        month = first.astype("datetime64[M]") + np.timedelta64(count - 1, "M")
        begins = month.astype("datetime64[D]") + (first - first.astype("datetime64[M]").astype("datetime64[D]"))
    else:
        begins = first + np.timedelta64((count - 1) * (7 if period == "week" else 1), "D")
    day: date = last_day(begins, period).tolist()
    return day


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
