"""Block and Fit: what every estimator takes and what every estimator gives back; Blocks and Fits: many at once.

Estimators see arrays only. A treated market is the mean of its treated geos, so that the units of an effect are KPI
per treated geo and period whatever the number of geos.
"""

from dataclasses import dataclass, field

import numpy as np

from experiments.two_sided import StudentTest
from measurement.typing import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One comparison: treated geos against donors, before and after an onset.

    Attributes:
        outcome: KPI, shape (geos, periods).
        treated: Positions of the treated geos.
        donors: Positions of the geos they are compared with; none of them treated.
        start: First period of the pre-period.
        onset: First period of the read-out; the pre-period ends before it.
        end: One past the last period of the read-out.
    """

    outcome: Floats
    treated: Ints
    donors: Ints
    start: int
    onset: int
    end: int

    @property
    def pre_length(self) -> int:
        """Number of pre-periods."""
        return self.onset - self.start

    @property
    def post_length(self) -> int:
        """Number of read-out periods."""
        return self.end - self.onset

    @property
    def observed(self) -> Floats:
        """Mean KPI of the treated geos from ``start`` to ``end``, shape (periods,)."""
        return np.asarray(self.outcome[self.treated, self.start : self.end].mean(axis=0))

    @property
    def donor_outcome(self) -> Floats:
        """KPI of the donors from ``start`` to ``end``, shape (donors, periods)."""
        return np.asarray(self.outcome[self.donors, self.start : self.end])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What an estimator says of a block.

    Attributes:
        observed: Mean KPI of the treated geos, shape (periods,), pre-period then read-out.
        counterfactual: What it would have been without the test, same shape.
        pre_length: Number of pre-periods among them.
        weights: Weight of each donor, shape (donors,).
        time_weights: Weight of each pre-period, shape (pre-periods,), where the estimator has them; else empty.
        importance: Weight of each predictor, where predictors were matched; else empty.
        loadings: How the counterfactual of a read-out period moves with each donor's outcome in that period, shape
            (donors,); ``None`` where it is not linear in them with weights that leave the read-out unread.
        augmented: Whether a ridge regression was added to the weights.
        classical: The test that the estimator's own textbook error gives, shown for reference only: it takes gaps for
            independent over time, and they are not.
        posterior: Draws of the effect by read-out period, shape (draws, read-out periods), where the estimator is
            Bayesian: they are its inference, and no reference sets are fitted.
    """

    observed: Floats
    counterfactual: Floats
    pre_length: int
    weights: Floats
    time_weights: Floats = field(default_factory=lambda: np.zeros(0))
    importance: Floats = field(default_factory=lambda: np.zeros(0))
    loadings: Floats | None = None
    augmented: bool = False
    classical: StudentTest | None = None
    posterior: Floats | None = None

    @property
    def gap(self) -> Floats:
        """Observed minus counterfactual, shape (periods,), KPI per treated geo and period."""
        return self.observed - self.counterfactual

    @property
    def effects(self) -> Floats:
        """The gap in the read-out, shape (read-out periods,)."""
        return self.gap[self.pre_length :]

    @property
    def effect(self) -> float:
        """Mean effect per treated geo and period."""
        return float(self.effects.mean())

    @property
    def pre_error(self) -> float:
        """Root mean square of the pre-period gap; a millionth of the KPI's level at least.

        The floor keeps a perfect fit (noise-free data, more donors than pre-periods) from dividing by nothing.
        """
        return float(_pre_errors(self.gap, self.observed, self.pre_length))


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Many comparisons in one window of one panel.

    Attributes:
        outcome: KPI, shape (geos, periods).
        treated: Treated geos of each comparison, shape (sets, geos).
        donors: Their donors, same shape; none of them treated.
        start: First period of the pre-period.
        onset: First period of the read-out.
        end: One past the last period of the read-out.
    """

    outcome: Floats
    treated: Bools
    donors: Bools
    start: int
    onset: int
    end: int

    def block(self, row: int) -> Block:
        """One of them."""
        treated, donors = np.flatnonzero(self.treated[row]), np.flatnonzero(self.donors[row])
        return Block(self.outcome, treated, donors, self.start, self.onset, self.end)


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """What an estimator says of many comparisons: the fields of `Fit`, with sets as the first axis.

    Attributes:
        observed: Shape (sets, periods).
        counterfactual: Same shape.
        pre_length: Number of pre-periods among the periods.
        weights: Shape (sets, geos), zero outside the donors.
        loadings: Shape (sets, geos), zero outside the donors.
        augmented: Shape (sets,).
    """

    observed: Floats
    counterfactual: Floats
    pre_length: int
    weights: Floats
    loadings: Floats
    augmented: Bools

    @property
    def effects(self) -> Floats:
        """Observed minus counterfactual in the read-out, shape (sets, read-out periods)."""
        return np.asarray((self.observed - self.counterfactual)[:, self.pre_length :])

    @property
    def pre_errors(self) -> Floats:
        """Root mean square of each set's pre-period gap, floored as in `Fit`, shape (sets,)."""
        return _pre_errors(self.observed - self.counterfactual, self.observed, self.pre_length)


def sizes_of(before: Floats) -> Floats:
    """Mean absolute KPI of the pre-period, over the last axis; infinite where there was none.

    Divided by it, a geo that sold nothing before the onset is flat, whatever it sells afterwards.
    """
    size = np.asarray(np.abs(before).mean(axis=-1))
    return np.where(size > 0.0, size, np.inf)


def _pre_errors(gap: Floats, observed: Floats, pre: int) -> Floats:
    """Root mean square gap of the pre-period, floored; the last axis is time."""
    floor = 1e-6 * np.abs(observed[..., :pre]).mean(axis=-1)
    error = np.sqrt(np.square(gap[..., :pre]).mean(axis=-1))
    return np.maximum(np.maximum(error, floor), np.finfo(np.float64).tiny)
