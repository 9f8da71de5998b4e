"""Difference in means: Welch's, and adjusted for what was known of the users before the test (CUPED).

CUPED (Deng, Xu, Kohavi and Walker 2013) takes ``theta (x - mean of x)`` off the KPI, with ``theta`` the regression of
the KPI on the covariates within the arms, both arms together. The test does not move ``x``, so the effect stays what
it is and its variance falls to ``1 - R²`` of what it was.
"""

from dataclasses import replace
from math import sqrt

import numpy as np

from experiments.two_sided import StudentTest
from experiments.user_level.comparison import Arms, Comparison, fieller, spread
from measurement.typing import Floats

_ALL = 1 - 1e-12
"""A share of the variance beyond which nothing but rounding is left of it."""


def welch(arms: Arms) -> Comparison:
    """Difference in means per user, unequal variances (Welch 1947)."""
    return _difference(arms, arms.kpi, "Welch's t test of the difference in means")


def cuped(arms: Arms) -> Comparison:
    """Difference in means per user, adjusted for the covariates; standard error 0 where they leave no variance."""
    picked, plain = adjustment(arms), welch(arms).std_error
    made = _difference(arms, picked, "Welch's t test of the difference in means, adjusted for the pre-period")
    saved = 1 - (made.std_error / plain) ** 2 if plain > 0 else 0.0
    if saved > _ALL:
        made = replace(made, std_error=0.0)
    theta = [-float(picked[at]) for at in arms.covariates]
    return replace(made, details={"theta": theta, "variance_reduction": saved})


def adjustment(arms: Arms) -> Floats:
    """The KPI less ``theta`` times the covariates, as a vector over the columns, shape (columns,)."""
    picked = arms.kpi
    at = list(arms.covariates)
    if at:
        scatter = arms.treatment.scatter + arms.control.scatter
        size = np.sqrt(np.diag(scatter)[at])
        size[size == 0] = 1.0
        alike = scatter[np.ix_(at, at)] / np.outer(size, size)
        # covariates that repeat each other share one coefficient
        picked[at] = -(np.linalg.pinv(alike, rcond=1e-10, hermitian=True) @ (scatter[at, 0] / size)) / size
    return picked


def _difference(arms: Arms, picked: Floats, how: str) -> Comparison:
    treatment, control = arms.treatment, arms.control
    apart = treatment.mean - control.mean
    effect = float(picked @ apart)
    # the level is that of a control arm whose covariates are those of both arms together
    share = treatment.count / (treatment.count + control.count)
    shift = share * (picked - arms.kpi)
    level = float(control.mean[0] - shift @ apart)
    covariance, df = spread(
        arms, np.stack([picked, -shift]), np.stack([-picked, arms.kpi + shift]), len(arms.covariates)
    )
    error = sqrt(float(covariance[0, 0]))
    lift = fieller((effect, level), covariance, df)
    return Comparison(StudentTest(effect, error, df), lift, treatment.count, "user", error, how)
