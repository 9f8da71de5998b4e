"""Plans: tests that are not drawn over geos (users, schedules), in the shape of `experiments.planning.proposal.Design`.

Names and meaning are those of a geo design wherever there is the same thing to say, so that one table shows all.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from experiments.planning.cost import Cost
from experiments.planning.rank import NOT_ENOUGH, best_over
from experiments.records import Experiment, Method
from measurement.errors import DesignError
from measurement.typing import Floats, Json

PARTS = {"precision": 0.6, "money": 0.2, "length": 0.2}
"""What the score weighs, as for geo designs (where accuracy is a part of its own)."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One test that could be run.

    Attributes:
        method: The record's method.
        duration: Length in periods (days for tests on users).
        mde: Minimum detectable effect, relative; infinite where none is found.
        mde_absolute: The same as KPI over everything that is treated.
        wanted: Power at which that is read.
        effects: Relative effects of the power curve, shape (points,).
        power: Power at each, shape (points,).
        low: Lower end of its 90 % interval; the power itself in closed form.
        high: Upper end.
        cost: Money.
        inference: How the test will be analysed.
        details: What only this kind of test has.
        draft: The record for a first day.
        next_day: First day that the data leave free; ``None`` without data.
        treatment_geos: Geos that switch; empty for users.
        control_geos: Geos that never do.
        false_positives: Share of rehearsals without an effect that find one, with its 90 % interval; ``None`` in closed
            form.
        score: 0 to 100, the larger the better.
        reasons: Why, in plain words.
        notes: What a planner should know.
    """

    method: Method
    duration: int
    mde: float
    mde_absolute: float
    wanted: float
    effects: Floats = field(repr=False)
    power: Floats = field(repr=False)
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    cost: Cost
    inference: str
    details: Json
    draft: Callable[[date], Experiment] = field(repr=False)
    next_day: date | None = None
    treatment_geos: tuple[str, ...] = ()
    control_geos: tuple[str, ...] = ()
    false_positives: tuple[float, float, float] | None = None
    score: float = 0.0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def record(self, start: date | None = None, experiment_id: str | None = None) -> Experiment:
        """The plan as a record, ready for `experiments.analyse` once the test has run.

        Args:
            start: First day; the day after the data where ``None``.
            experiment_id: Name of the test; made from channel, method and length where ``None``.

        Raises:
            DesignError: Where nothing says when the test begins.
        """
        first = start or self.next_day
        if first is None:
            raise DesignError("say when the test begins: a plan without data has no first day of its own")
        drafted = self.draft(first)
        return drafted if experiment_id is None else drafted.model_copy(update={"experiment_id": experiment_id})

    def to_dict(self) -> Json:
        """As plain JSON values; an effect that cannot be found is null."""
        rate, rate_low, rate_high = self.false_positives or (None, None, None)
        columns = (self.effects, self.power, self.low, self.high)
        names = ("effect", "power", "low", "high")
        return {
            "method": self.method,
            "treatment_geos": list(self.treatment_geos),
            "control_geos": list(self.control_geos),
            "duration": self.duration,
            "mde": _finite(self.mde),
            "mde_absolute": _finite(self.mde_absolute),
            "power_wanted": self.wanted,
            "power_curve": [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)],
            "false_positive_rate": rate,
            "false_positive_rate_low": rate_low,
            "false_positive_rate_high": rate_high,
            "cost": self.cost.to_dict(),
            "inference": self.inference,
            "score": self.score,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            **self.details,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """Plans that answer a question, the best first.

    Attributes:
        designs: The plans.
        recommendation: One plain sentence.
        notes: What cannot be had, and why.
    """

    designs: tuple[Plan, ...]
    recommendation: str
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Plan:
        """The first of them."""
        return self.designs[0]

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "designs": [each.to_dict() for each in self.designs],
            "recommendation": self.recommendation,
            "notes": list(self.notes),
        }


def ranked(plans: Sequence[Plan]) -> list[Plan]:
    """The plans with their scores, the best first: each part is the best value among them over a plan's own."""
    values = {
        "precision": np.array([each.mde for each in plans]),
        "money": np.array([abs(each.cost.spend_delta or 1.0) for each in plans]),
        "length": np.array([float(each.duration) for each in plans]),
    }
    total = np.sum([weight * best_over(values[name]) for name, weight in PARTS.items()], axis=0)
    total = 100.0 * total * [NOT_ENOUGH if each.cost.enough is False else 1.0 for each in plans]
    scored = [
        replace(each, score=round(float(score), 1) if np.isfinite(each.mde) else 0.0)
        for each, score in zip(plans, total, strict=True)
    ]
    return sorted(scored, key=lambda each: (-each.score, each.mde, each.duration))


def identity(*parts: object) -> str:
    """A name for a test, made of its parts."""
    return re.sub(r"[^\w-]+", "-", "-".join(map(str, parts))).strip("-") or "design"


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
