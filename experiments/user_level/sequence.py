"""The effect as it was known at the end of each day, with intervals that hold at every look at once.

Asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), from Robbins's mixture of
Normals: with ``n`` users, standard error ``s`` of the estimate so far and ``u = n rho²``, the interval is

    estimate ± s sqrt((1 + 1/u) (log(u + 1) - 2 log alpha))

and it holds the effect at all looks together with probability ``1 - alpha``, whenever one stops. ``rho`` makes it
narrowest at the planned number of users. It must not depend on how long the test has run by now: the plan is the
record's days at the pace of enrolment up to the first look.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from math import exp, inf, log, sqrt

import numpy as np

from experiments.user_level.comparison import Comparison
from experiments.user_level.moments import Cells
from measurement.typing import Json

FIRST_USERS, FIRST_EVENTS = 250, 10
"""Users in each arm, and those of them with a KPI, before the first look: averages must be nearly Normal from there."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was known at the end of one day.

    Attributes:
        day: The day.
        users: Users enrolled until then, both arms.
        estimate: Effect per unit.
        low: Lower end of the always-valid interval.
        high: Upper end.
        p_value: Always-valid p-value: the smallest of all looks so far.
    """

    day: date
    users: int
    estimate: float
    low: float
    high: float
    p_value: float

    def to_dict(self) -> Json:
        """As plain JSON values."""
        known = {"users": self.users, "estimate": self.estimate, "low": self.low, "high": self.high}
        return {"date": self.day.isoformat(), **known, "p_value": self.p_value}


def looks(cells: Cells, days: int, estimator: Callable[[Cells], Comparison], alpha: float) -> tuple[Look, ...]:
    """One look a day, from the first day on which both arms have enough users.

    Args:
        cells: Users by day of enrolment.
        days: Days of enrolment that were planned.
        estimator: What is estimated of the users so far.
        alpha: One minus the level at which all intervals hold together.
    """
    found: list[Look] = []
    rho2, p_value = 0.0, 1.0
    first = cells.day.min()
    for day in np.unique(cells.day):
        known = cells.where(cells.day <= day)
        users = int(known.count.sum())
        made = estimator(known) if _enough(known) else None
        if made is None or not 0 < made.std_error < inf:
            continue
        if not rho2:
            pace = users / (int((day - first).astype(np.int64)) + 1)
            rho2 = best_spread(alpha) / max(pace * days, users)
        half = made.std_error * reach(users * rho2, alpha)
        middle = made.effect.estimate
        p_value = min(p_value, mixture_p_value(middle / made.std_error, users * rho2))
        found.append(Look(day.astype(object), users, middle, middle - half, middle + half, p_value))
    return tuple(found)


def _enough(cells: Cells) -> bool:
    return all(
        cells.count[own].sum() >= FIRST_USERS and cells.nonzero[own, 0].sum() >= FIRST_EVENTS
        for own in (cells.treatment, ~cells.treatment)
    )


def reach(u: float, alpha: float) -> float:
    """Half-width in standard errors, at ``u`` users times squared ``rho``, above 0."""
    return sqrt((1 + 1 / u) * (log(u + 1) - 2 * log(alpha)))


def mixture_p_value(z: float, u: float) -> float:
    """The level at which the interval ends at zero, for an estimate of ``z`` standard errors."""
    return min(1.0, sqrt(u + 1) * exp(-(z**2) * u / (2 * (u + 1))))


def best_spread(alpha: float) -> float:
    """The ``u`` at which `reach` is smallest: ``-W(-alpha² / e) - 1``, with the lower branch of Lambert's W."""
    from scipy.special import lambertw

    return float(-lambertw(-(alpha**2) * exp(-1), -1).real - 1)
