"""Scores of predictions given as draws: error, bias, CRPS and how often intervals hold what came.

The CRPS is the fair one for ensembles, ``mean |x - y| - sum |x - x'| / (2 n (n - 1))`` (Ferro 2014, "Fair scores for
ensemble forecasts"), so that a model's 1,000 draws and a naive method's 30 past errors are judged alike; for a single
draw it is the absolute error. Errors of one fold (one origin of a backtest) move together, so intervals of scores come
from resampling whole folds, and the binomial interval of a coverage counts as many trials as the folds' common error
leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from measurement.typing import Bools, Floats, Ints, Json

LEVELS = (0.5, 0.8, 0.9)
RESAMPLES = 2000
FEWEST_FOLDS = 3
"""With fewer folds, scores come without an interval: nothing tells how much they move from fold to fold."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Predictions beside what came, arrays of one shape ``S``.

    Attributes:
        came: What came, in the unit of the KPI.
        median: The median of the prediction.
        crps: Continuous ranked probability score, same unit.
        held: Whether the interval of each of `LEVELS` held what came, shape (levels, *S).
        width: Width of the 90 % interval.
        rank: What came as a standard normal score of the prediction: normal with variance 1 where it is right.
    """

    came: Floats
    median: Floats
    crps: Floats
    held: Bools
    width: Floats
    rank: Floats


@dataclass(frozen=True, slots=True)
class Figure:
    """A score with its 90 % interval over folds; without one where there are too few folds."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals of one level held what came.

    Attributes:
        level: What the intervals promise.
        held: The share that held.
        low: Lower end of the 90 % binomial interval of that share.
        high: Its upper end.
        trials: Predictions scored.
        independent: How many independent ones they are worth.
    """

    level: float
    held: float
    low: float
    high: float
    trials: int
    independent: float

    @property
    def right(self) -> bool:
        """Whether the promise is within the error, at a level that allows for looking at all of `LEVELS`."""
        low, high = jeffreys(self.held, self.independent, 1 - 0.1 / len(LEVELS))
        return low <= self.level <= high

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one method over all folds.

    Attributes:
        wmape: Sum of absolute errors of the median over the sum of what came.
        bias: Sum of errors (predicted less came) over the sum of what came.
        crps: Sum of the CRPS over the sum of what came.
        width: Mean width of the 90 % interval as a share of the mean of what came.
        coverage: One for each of `LEVELS`.
    """

    wmape: Figure
    bias: Figure
    crps: Figure
    width: float
    coverage: tuple[Coverage, ...]

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "wmape": self.wmape.to_dict(),
            "bias": self.bias.to_dict(),
            "crps": self.crps.to_dict(),
            "width": self.width,
            "coverage": [each.to_dict() for each in self.coverage],
        }


def crps(draws: Floats, came: Floats) -> Floats:
    """The fair CRPS of ensembles.

    Args:
        draws: Predictive draws, shape (draws, *S).
        came: What came, shape S.

    Returns:
        In the unit of the draws, shape S; lower is better.
    """
    n = len(draws)
    error = np.abs(draws - came).mean(axis=0)
    if n == 1:
        return np.asarray(error)
    weight = (2.0 * np.arange(1, n + 1) - n - 1).reshape(-1, *([1] * (draws.ndim - 1)))
    return np.asarray(error - (weight * np.sort(draws, axis=0)).sum(axis=0) / (n * (n - 1)))


def scored(draws: Floats, came: Floats) -> Scored:
    """Score predictive draws of shape (draws, *S) against what came, shape S."""
    from scipy.special import ndtri

    tails = [side for level in LEVELS for side in ((1 - level) / 2, (1 + level) / 2)]
    ends = np.quantile(draws, tails, axis=0)
    low, high = ends[0::2], ends[1::2]
    below = (draws < came).sum(axis=0) + 0.5 * (draws == came).sum(axis=0)
    return Scored(
        came=np.asarray(came, dtype=np.float64),
        median=np.median(draws, axis=0),
        crps=crps(draws, came),
        held=(low <= came) & (came <= high),
        width=np.asarray((high - low)[LEVELS.index(0.9)]),
        rank=np.asarray(ndtri((below + 0.5) / (len(draws) + 1))),
    )


def summarised(folds: Sequence[Scored], seed: int = 0) -> Scores:
    """Scores over folds; those of all folds have one shape.

    Args:
        folds: What was scored, fold by fold.
        seed: Of the resampling of folds.
    """
    size = np.array([np.abs(fold.came).sum() for fold in folds])
    error = np.array([np.abs(fold.median - fold.came).sum() for fold in folds])
    off = np.array([(fold.median - fold.came).sum() for fold in folds])
    score = np.array([fold.crps.sum() for fold in folds])
    held = np.stack([fold.held.reshape(len(LEVELS), -1) for fold in folds], axis=1)
    worth = independent(np.stack([fold.rank.ravel() for fold in folds]))
    return Scores(
        wmape=ratio(error, size, seed),
        bias=ratio(off, size, seed),
        crps=ratio(score, size, seed),
        width=float(sum(fold.width.sum() for fold in folds) / size.sum()),
        coverage=tuple(covered(level, held[k], worth) for k, level in enumerate(LEVELS)),
    )


def skill(folds: Sequence[Scored], naive: Sequence[Scored], seed: int = 0) -> Figure:
    """One less the ratio of the CRPS to that of a naive method on the same folds: 0 is no better, 1 perfect."""
    ours, theirs = (np.array([fold.crps.sum() for fold in both]) for both in (folds, naive))
    worse = ratio(ours, theirs, seed)
    low, high = (None if end is None else 1.0 - end for end in (worse.high, worse.low))
    return Figure(1.0 - worse.value, low, high)


def ratio(top: Floats, bottom: Floats, seed: int = 0) -> Figure:
    """A ratio of sums over folds, both of shape (folds,), with the 90 % interval of resampled folds."""
    value = float(top.sum() / bottom.sum())
    if len(top) < FEWEST_FOLDS:
        return Figure(value)
    picked = resampled(len(top), seed)
    low, high = np.quantile(top[picked].sum(axis=1) / bottom[picked].sum(axis=1), (0.05, 0.95))
    return Figure(value, float(low), float(high))


def resampled(folds: int, seed: int) -> Ints:
    """Folds drawn with replacement, shape (resamples, folds)."""
    return np.random.default_rng(seed).integers(folds, size=(RESAMPLES, folds))


def independent(rank: Floats) -> float:
    """How many independent predictions a table of normal scores is worth, shape (folds, predictions of a fold).

    Errors of a fold share a part: a demand that stays high is missed in every period. With intraclass correlation ``r``
    and ``m`` predictions a fold, ``n`` predictions are worth ``n / (1 + (m - 1) r)`` (Kish's design effect).
    """
    folds, each = rank.shape
    if each == 1:
        return float(folds)
    square = float((rank**2).sum())
    product = float((rank.sum(axis=1) ** 2).sum()) - square
    shared = product / ((each - 1) * square) if square > 0 else 0.0
    return float(rank.size / (1.0 + (each - 1) * min(max(shared, 0.0), 1.0)))


def covered(level: float, held: Bools, worth: float) -> Coverage:
    """Coverage with the 90 % interval of ``worth`` trials."""
    share = float(held.mean())
    low, high = jeffreys(share, worth)
    return Coverage(level, share, low, high, int(held.size), float(worth))


def jeffreys(share: float, trials: float, level: float = 0.9) -> tuple[float, float]:
    """Jeffreys' binomial interval of a share (Brown, Cai and DasGupta 2001)."""
    from scipy.special import betaincinv

    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = betaincinv(share * trials + 0.5, (1 - share) * trials + 0.5, tails)
    return float(low), float(high)
