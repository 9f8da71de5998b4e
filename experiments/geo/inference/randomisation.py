"""Randomisation inference: the test beside every set of geos that the same draw could have treated, on plain arrays.

If the treated geos were drawn at random among the reference sets, then under the true effect the test's statistic is
one draw of the reference sets' statistics: its rank is uniform on *any* panel, whatever the estimator (Fisher 1935;
Abadie, Diamond and Hainmueller 2010 for the statistic). Sets may share geos with the treated one and use its other
geos as donors, so a hypothesised effect must be seen through: with the effect ``h`` per treated geo and period, geo
``g`` gets ``h × relative_g`` (the same share of its size everywhere), and a set that measures ``a`` would have measured
``a - h b`` without the effect, where ``b`` is its contrast times ``relative``. The treated set has ``b = 1``.

A set speaks for ``h`` where its statistic is at least as extreme as the test's, ``|a - h b| / s >= |tau - h| / s0``.
With ``rho = s / s0`` and ``a' = a - tau b`` that is ``|a' - u b| >= rho |u|`` for ``u = h - tau``: for ``|b| < rho``
the values between ``a' / (b + rho)`` and ``a' / (b - rho)``, which lie on either side of zero. A set with
``|b| >= rho`` sees the effect at least as well as the test does and speaks for everything far out: it counts for all
values, which can only widen.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators import Blocks, Estimator
from experiments.two_sided import InvertedTest
from measurement.typing import Bools, Floats, Ints

TOLERANCE = 1e-9
"""Two statistics this close (relative) are tied: a set and its mirror image must not be told apart by rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Sets of geos, each analysed as if it had been treated.

    Attributes:
        paths: Measured effect by read-out period, KPI per geo of the set and period, shape (sets, periods).
        errors: Pre-period error, shape (sets,).
        contrasts: How a set's effect moves with each geo's outcome in the read-out, shape (sets, geos): one over its
            size for its own geos, minus the loading for its donors.
    """

    paths: Floats
    errors: Floats
    contrasts: Floats

    def take(self, rows: Ints) -> "Reference":
        """Some of the sets, in the given order."""
        return Reference(self.paths[rows], self.errors[rows], self.contrasts[rows])


def fit_sets(
    outcome: Floats, members: Bools, pool: Bools, window: tuple[int, int, int], estimator: Estimator
) -> Reference:
    """Fit every set; its donors are the geos of the pool outside it.

    Args:
        outcome: KPI, shape (geos, periods).
        members: Geos of each set, shape (sets, geos).
        pool: Geos that may be donors, shape (geos,) or (sets, geos): all that take part for estimators with loadings;
            without the treated ones for those without, whose donors must not hold an effect that nothing takes out.
        window: Start of the pre-period, onset, end of the read-out.
        estimator: The estimator.
    """
    blocks = Blocks(outcome, members, pool & ~members, *window)
    contrasts = members / members.sum(axis=1, keepdims=True)
    if estimator.fit_many is not None:
        many = estimator.fit_many(blocks)
        return Reference(many.effects, many.pre_errors, contrasts - many.loadings)
    fits = [estimator.fit(blocks.block(row)) for row in range(len(members))]
    for row, made in enumerate(fits):
        if made.loadings is not None:
            contrasts[row, blocks.donors[row]] -= made.loadings
    paths = np.array([made.effects for made in fits]).reshape(len(fits), window[2] - window[1])
    return Reference(paths, np.array([made.pre_error for made in fits]), contrasts)


def relative_sizes(outcome: Floats, treated: Ints) -> Floats:
    """Each geo's share of a mean effect, shape (geos,): size over the treated geos' mean size, 0 for all others.

    Args:
        outcome: KPI of the pre-period, shape (geos, periods).
        treated: Rows of the treated geos.
    """
    sizes = np.zeros(len(outcome))
    sizes[treated] = np.maximum(np.abs(outcome[treated]).mean(axis=1), np.finfo(np.float64).tiny)
    return np.asarray(sizes / sizes[treated].mean())


def span(
    effects: Floats, overlaps: Floats, errors: Floats, estimate: Floats | float, error: Floats | float
) -> tuple[Floats, Floats]:
    """The values that each set speaks for; all arguments broadcast.

    Power of an effect ``d``: ``span(a + d b, b, s, a_0 + d, s_0)``, and the share of sets whose span holds 0.

    Args:
        effects: What each set measures, ``a``.
        overlaps: How much of the treated geos' effect it sees, ``b``.
        errors: Its pre-period error, above 0.
        estimate: What the test measures.
        error: The test's pre-period error, above 0.

    Returns:
        Lower and upper ends, at or below and at or above the estimate; infinite where a set speaks for everything.
    """
    ratio = errors / error
    moved = effects - estimate * overlaps
    blind = np.abs(overlaps) < ratio * (1.0 - TOLERANCE)  # the set sees less of the effect than the test does
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = moved / (overlaps + ratio), moved / (overlaps - ratio)
    slack = TOLERANCE * np.abs(estimate)
    lows = np.where(blind, estimate + np.minimum(one, two) - slack, -np.inf)
    highs = np.where(blind, estimate + np.maximum(one, two) + slack, np.inf)
    return lows, highs


def inverted(
    effects: Floats, overlaps: Floats, errors: Floats, estimate: float, error: float, inflation: float = 1.0
) -> InvertedTest:
    """The randomisation test of ``estimate`` against sets other than the treated one.

    Args:
        effects: What each other set measures, shape (sets,).
        overlaps: How much of the treated geos' effect it sees, shape (sets,).
        errors: Its pre-period error, shape (sets,).
        estimate: What the test measures.
        error: The test's pre-period error.
        inflation: Stretches every span about the estimate, 1 or more.
    """
    lows, highs = span(effects, overlaps, errors, estimate, error)
    lows, highs = estimate - inflation * (estimate - lows), estimate + inflation * (highs - estimate)
    return InvertedTest(estimate, np.append(-np.inf, lows), np.append(np.inf, highs))
