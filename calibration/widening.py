"""How far a test's standard error is widened, step by step, and why (statistics.md, section 3)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.records import Experiment, Grade

GRADE_SD: Mapping[str, float] = {"A": 0.05, "B": 0.15, "C": 0.30, "D": 0.50}
"""Standard deviation, relative to the true effect, of what a design of this grade may miss."""
DRIFT = 0.15
"""Relative sd per square root of a year by which an effect may have moved since its test."""
YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the widening: its name, the standard error after it (KPI units), and why."""

    name: str
    std_error: float
    reason: str


def default_grade(experiment: Experiment) -> Grade:
    """The grade of a record that states none: D for on-off of a whole market, B if pre-registered, else C."""
    if experiment.method == "on_off":
        return "D"
    return "B" if experiment.preregistered else "C"


def excess_of(std_error: float, placebo_sd: float | None) -> float:
    """Further standard deviation that placebo runs showed, as a multiple of the reported standard error."""
    return 0.0 if placebo_sd is None else math.sqrt(max((placebo_sd / std_error) ** 2 - 1.0, 0.0))


def waterfall(
    outcome_change: float, std_error: float, *, placebo_excess: float, grade: str, age: float, drift: float = DRIFT
) -> tuple[Step, ...]:
    """The widening of a test's standard error, step by step (statistics.md, section 3), in KPI units.

    Args:
        outcome_change: The measured effect; relative steps are taken of its size.
        std_error: As reported.
        placebo_excess: ``sqrt(max(placebo sd² - analytic sd², 0))`` of the analysis.
        grade: A to D.
        age: Years since the read-out.
        drift: Relative sd per square root of a year.
    """
    size = abs(outcome_change)
    parts = [
        ("reported", std_error, "the test's own standard error"),
        ("placebo excess", placebo_excess, "placebo runs spread wider than the reported error"),
        ("grade", GRADE_SD[grade] * size, f"grade {grade}: {GRADE_SD[grade]:.0%} of the effect"),
        ("age", drift * math.sqrt(age) * size, f"{age:.1f} years old, {drift:.0%} of the effect per square root year"),
    ]
    total = np.sqrt(np.cumsum([part**2 for _, part, _ in parts]))
    steps = [Step(name, float(sd), reason) for (name, _, reason), sd in zip(parts, total, strict=True)]
    return (*steps, Step("used", steps[-1].std_error, "what the model is told"))
