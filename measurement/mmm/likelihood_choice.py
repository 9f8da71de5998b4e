"""Which distribution the KPI has around its mean: chosen from the data, said why, and refused where it cannot be.

The rule, in this order: whole numbers from 0 upwards whose median cell is at most 30 are small counts and take the
negative binomial, for the normal's constant variance and symmetry are wrong by then (a Poisson count of 30 still has a
relative deviation of 18 %); where `measurement.checks.outcome_outliers` finds a cell far from its neighbours, Student's
t, under which such a cell counts for little; else the normal, which is the quickest.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from measurement.checks import outcome_outliers
from measurement.errors import Problem, shown
from measurement.panel import Panel

Likelihood = Literal["normal", "student_t", "negative_binomial"]
SMALL_COUNT = 30.0

WORDS: dict[Likelihood, str] = {
    "normal": "normal",
    "student_t": "Student-t",
    "negative_binomial": "negative binomial",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A likelihood and the reason for it."""

    likelihood: Likelihood
    why: str


def choose(panel: Panel) -> Choice:
    """The likelihood that a panel's KPI asks for."""
    kpi = panel.outcome
    if np.isfinite(kpi).all():
        typical = float(np.median(kpi))
        if (kpi >= 0).all() and (kpi == np.round(kpi)).all() and typical <= SMALL_COUNT:
            where = "" if len(panel.geos) == 1 else " in a typical market"
            return Choice("negative_binomial", f"the KPI counts {typical:g} in a typical {panel.period}{where}")
        found = list(outcome_outliers(panel))
        if found:
            return Choice("student_t", found[0].message.rsplit(": ", 1)[0])
    return Choice("normal", "the KPI has no outliers and is no small count")


def note(likelihood: Likelihood, panel: Panel) -> str:
    """What a model's likelihood is and why, in a sentence."""
    fit = choose(panel)
    own = WORDS[likelihood][0].upper() + WORDS[likelihood][1:]
    if fit.likelihood == likelihood:
        return f"{own} likelihood: {fit.why}."
    return f"{own} likelihood, as set; left to itself it would be {WORDS[fit.likelihood]}: {fit.why}."


def check_likelihood(likelihood: Likelihood, panel: Panel) -> list[Problem]:
    """Why a panel's KPI cannot have a likelihood."""
    if likelihood != "negative_binomial":
        return []
    kpi = panel.outcome
    wrong = np.argwhere((kpi < 0) | (kpi != np.round(kpi)))
    if not len(wrong):
        return []
    g, t = wrong[0]
    return [
        Problem(
            f"the negative binomial likelihood is for counts, and the KPI '{shown(panel.kpi)}' is no whole number from "
            f"0 upwards in {len(wrong)} of {kpi.size} cells ({kpi[g, t]:g} in '{shown(panel.geos[g], 30)}' on "
            f"{panel.dates[t]}): set likelihood to 'auto', 'normal' or 'student_t', or take a KPI that is counted",
            code="likelihood",
        )
    ]
