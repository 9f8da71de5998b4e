"""Contrasts: many sets of geos against their synthetic controls, fitted once for every read-out and every effect.

The default estimator divides each geo by its size, takes its pre-period mean off and weighs donors by the pre-period
alone. So a set's relative effect is one row of numbers over the geos (its own geos by their share of its size, the
donors by minus their weight) times the geos' change since the pre-period: ``gap = row @ change``. The row knows neither
the length of the read-out nor the size of the effect, so one fit per set and onset serves all of them.

With a set treated by the relative effect ``d``, any set sees ``gap + d * reach``, where ``reach`` sums its row over the
treated geos: those of its own that were treated, minus the weight of its donors that were.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators import DEFAULT, ESTIMATORS, Blocks
from measurement.typing import Bools, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Sets against their synthetic controls, fitted on the history before one onset.

    Attributes:
        rows: Each set's own shares minus its donors' weights, shape (sets, geos).
        weights: The donors' weights, shape (sets, geos).
        errors: Root mean square of the pre-period gap as a share of the set's KPI, shape (sets,).
        sizes: Mean absolute pre-period KPI of each geo, shape (geos,).
        levels: Pre-period mean of each geo over its size (1 where the KPI is never negative), shape (geos,).
        onset: First period of the read-out.
    """

    rows: Floats
    weights: Floats
    errors: Floats
    sizes: Floats
    levels: Floats
    onset: int

    def read(self, outcome: Floats, length: int, treated: Bools) -> tuple[Floats, Floats]:
        """What the sets show in a read-out.

        Args:
            outcome: KPI, shape (geos, periods).
            length: Periods of the read-out.
            treated: Sets that may be treated, shape (draws, geos).

        Returns:
            The relative gap without an effect, shape (sets,); and how much of a relative effect (a share of
            the absolute KPI) on each treated set reaches each set's gap, shape (sets, draws).
        """
        seen = outcome[:, self.onset : self.onset + length]
        moved = np.abs(seen).mean(axis=1) / self.sizes
        gaps = self.rows @ (seen.mean(axis=1) / self.sizes - self.levels)
        return gaps, (self.rows * moved) @ treated.T.astype(np.float64)


def fitted(
    outcome: Floats, sets: Bools, donors: Bools, start: int, onset: int, near: Contrasts | None = None
) -> Contrasts:
    """Fit every set by the default estimator on the history from ``start`` to ``onset``.

    Args:
        outcome: KPI, shape (geos, periods).
        sets: Which geos are in each set, shape (sets, geos).
        donors: Which geos may stand in for others, shape (geos,) or (sets, geos); a set is never its own donor.
        start: First period of the history.
        onset: One past its last.
        near: The same sets at a nearby onset, from whose weights to start; the answer does not depend on it.
    """
    fit_many = ESTIMATORS[DEFAULT].fit_many
    assert fit_many is not None  # noqa: S101 - the default estimator has one
    blocks = Blocks(outcome, sets, donors & ~sets, start, onset, onset)
    fits = fit_many(blocks, near=None if near is None else near.weights)
    history = outcome[:, start:onset]
    sizes = np.maximum(np.abs(history).mean(axis=1), np.finfo(np.float64).tiny)
    own = np.maximum(np.abs(fits.observed).mean(axis=1), np.finfo(np.float64).tiny)
    rows = (sets / sets.sum(axis=1, keepdims=True) - fits.loadings) * sizes / own[:, None]
    return Contrasts(rows, fits.weights, fits.pre_errors / own, sizes, history.mean(axis=1) / sizes, onset)
