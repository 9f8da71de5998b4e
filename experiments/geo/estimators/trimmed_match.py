"""Trimmed match: the return on spend of many randomised pairs, with the oddest pairs left out at both ends.

Chen and Au (2022), Robust Causal Inference for Incremental Return on Ad Spend with Randomized Paired Geo Experiments
(Annals of Applied Statistics 16). With the true return ``theta`` the residuals ``outcome - theta × spend`` of the
pairs' differences are symmetric about zero, because a coin said which geo of a pair is treated. The estimate is the
``theta`` whose trimmed mean of residuals is zero; the test is the studentised trimmed mean (Tukey and McLaughlin 1963).
How many pairs to trim is read off the estimate's own error (section 5 there).

The order of the residuals changes only where two of them cross, at a ratio of differences. Between crossings the
trimmed mean is linear in ``theta`` and its winsorised variance quadratic: roots, p-values and intervals are exact. A
value is held against the data as little as the best value beyond it, so the values not rejected are one interval and
the p-value agrees with it. The quantile is Student's (with the kept pairs less one), where the paper's package takes
the Normal's; and where the data cannot bound the return the interval is infinite.

In simulations 90 % intervals held the truth .86–.90 of the time (20 to 105 pairs; the choice of trimming costs the
rest), and the error was as large as untrimmed with Normal noise, half as large with heavy tails or unlike sizes. On the
57 public pairs with a planted return (600 draws) coverage was .875; the median error was the untrimmed ratio's, but
where kept spend nearly cancels that ratio's root mean square error was 12 times as large.
"""

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np

from measurement.errors import DesignError
from measurement.typing import Floats, Ints

MOST_TRIMMED = 0.25
FEWEST_KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class TrimmedMatch:
    """The estimate, and a two-sided test of every other value (an `experiments.two_sided.TwoSided`).

    Attributes:
        estimate: Return per unit of spend.
        std_error: Its asymptotic standard error.
        trimmed: Pairs left out at each end.
        kept: Pairs that count.
        candidates: For 0, 1, 2, ... pairs trimmed at each end: the estimate and its standard error, shape
            (choices, 2).
        pieces: Exact form of the squared statistic between crossings.
    """

    estimate: float
    std_error: float
    trimmed: int
    kept: int
    candidates: Floats
    pieces: "Pieces"

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Student's p-value of the best value at or beyond the hypothesis, seen from the estimate."""
        from scipy.special import stdtr

        least = self.pieces.least_square(hypothesis, below=hypothesis <= self.estimate)
        return float(2.0 * stdtr(self.kept - 1, -sqrt(least)))

    def interval(self, alpha: float) -> tuple[float, float]:
        """All values with a p-value of ``alpha`` or more; infinite where the spend differences bound nothing."""
        from scipy.special import stdtrit

        low, high = self.pieces.within(float(stdtrit(self.kept - 1, 1.0 - alpha / 2.0)) ** 2)
        return min(low, self.estimate), max(high, self.estimate)


def trimmed_match(
    outcome: Floats, spend: Floats, *, trimmed: int | None = None, most: float = MOST_TRIMMED
) -> TrimmedMatch:
    """Estimate the return on spend.

    Args:
        outcome: KPI of the treated minus the control geo of each pair over the read-out, shape (pairs,).
        spend: The same of spend.
        trimmed: Pairs to leave out at each end; chosen from the data where ``None``: the fewest whose standard error
            is within ``1 + .25 / sqrt(pairs)`` of the least.
        most: Largest share of pairs to leave out at each end.

    Raises:
        DesignError: With fewer than two pairs kept, or where spend does not differ within pairs.
    """
    count = len(outcome)
    if count - 2 * (trimmed or 0) < FEWEST_KEPT:
        raise DesignError(f"trimmed match needs at least {FEWEST_KEPT} pairs after trimming; there are {count}")
    if not np.abs(spend).max() > 0.0:
        raise DesignError("spend is the same in both geos of every pair: there is no return to estimate")
    largest = min(floor(most * count), (count - FEWEST_KEPT) // 2)
    choices = range(largest + 1) if trimmed is None else range(trimmed, trimmed + 1)
    order, bounds = _orders(outcome, spend)
    sums = _sums(outcome[order], spend[order])
    made = [_pieces(sums, bounds, cut) for cut in choices]
    estimates = [_estimate(outcome, spend, pieces) for pieces in made]
    errors = [_std_error(outcome, spend, e, p.trimmed) for e, p in zip(estimates, made, strict=True)]
    bar = (1.0 + 0.25 / sqrt(count)) * min(errors)
    best = int(np.flatnonzero(np.array(errors) <= bar)[0])
    candidates = np.column_stack([estimates, errors])
    kept = count - 2 * made[best].trimmed
    return TrimmedMatch(estimates[best], errors[best], made[best].trimmed, kept, candidates, made[best])


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The squared studentised trimmed mean, ``scale × (y - theta x)^2 / (yy - 2 theta xy + theta^2 xx)`` per piece.

    Attributes:
        bounds: Ends of the pieces, shape (pieces + 1,), from minus to plus infinity.
        y: Sum of the kept outcome differences, shape (pieces,).
        x: Sum of the kept spend differences.
        yy: Winsorised sum of squares of the outcome differences about their mean.
        xy: Of their products.
        xx: Of the spend differences.
        scale: From the ratio to the squared statistic.
        trimmed: Pairs left out at each end.
    """

    bounds: Floats
    y: Floats
    x: Floats
    yy: Floats
    xy: Floats
    xx: Floats
    scale: float
    trimmed: int

    def roots(self) -> Floats:
        """The values whose trimmed mean is zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            zeros = self.y / self.x
        slack = 1e-12 * np.abs(zeros)
        inside = (zeros >= self.bounds[:-1] - slack) & (zeros <= self.bounds[1:] + slack)
        return np.asarray(np.unique(zeros[inside & np.isfinite(zeros)]))

    def square(self, piece: Ints, theta: Floats) -> Floats:
        """The squared statistic at values that lie in the given pieces."""
        at = piece
        above = np.square(self.y[at] - theta * self.x[at])
        below = self.yy[at] - 2.0 * theta * self.xy[at] + theta**2 * self.xx[at]
        small = below <= 1e-300
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(small, np.where(above <= 1e-300, 0.0, np.inf), self.scale * above / below))

    def least_square(self, theta: float, *, below: bool) -> float:
        """The smallest squared statistic among the values at or below (above) ``theta``.

        Within a piece the ratio has one minimum, its zero, and else its ends; far out it tends to a limit.
        """
        roots = self.roots()
        if ((roots <= theta) if below else (roots >= theta)).any():
            return 0.0
        inner = self.bounds[1:-1]
        beyond = np.flatnonzero(inner <= theta if below else inner >= theta)
        own = np.array([np.searchsorted(inner, theta, side="right")])
        far = 0 if below else len(self.y) - 1
        limit = self.scale * self.x[far] ** 2 / self.xx[far] if self.xx[far] > 0 else np.inf
        values = np.append(self.square(beyond, inner[beyond]), self.square(own, np.array([theta])))
        return float(min(values.min(), limit))

    def within(self, most: float) -> tuple[float, float]:
        """Least and largest value whose squared statistic is at most ``most``."""
        a = self.scale * self.x**2 - most * self.xx
        b = self.scale * self.x * self.y - most * self.xy
        c = self.scale * self.y**2 - most * self.yy
        with np.errstate(divide="ignore", invalid="ignore"):
            middle, half = b / a, np.sqrt(np.maximum(b * b - a * c, 0.0)) / np.abs(a)
        crossings = np.concatenate([middle - half, middle + half, self.roots(), self.bounds[1:-1]])
        pieces = np.concatenate([np.tile(np.arange(len(a)), 2), np.searchsorted(self.bounds[1:-1], self.roots())])
        pieces = np.append(pieces, np.arange(len(a) - 1))
        inside = np.isfinite(crossings)
        inside &= (crossings >= self.bounds[:-1][pieces]) & (crossings <= self.bounds[1:][pieces])
        found, at = crossings[inside], pieces[inside]
        kept = found[self.square(at, found) <= most * (1.0 + 1e-9)]
        low, high = (float(kept.min()), float(kept.max())) if kept.size else (np.inf, -np.inf)
        return (-np.inf if a[0] <= 0.0 else low), (np.inf if a[-1] <= 0.0 else high)


def _orders(outcome: Floats, spend: Floats) -> tuple[Ints, Floats]:
    """Order of the residuals in each piece, shape (pieces, pairs), and the pieces' ends, shape (pieces + 1,)."""
    one, two = np.triu_indices(len(outcome), k=1)
    differ = spend[one] != spend[two]
    one, two = one[differ], two[differ]
    crossings = np.unique((outcome[one] - outcome[two]) / (spend[one] - spend[two]))
    if crossings.size == 0:
        middles = np.zeros(1)
    else:
        reach = 1.0 + float(np.abs(crossings).max())
        inner = (crossings[:-1] + crossings[1:]) / 2.0
        middles = np.concatenate([[crossings[0] - reach], inner, [crossings[-1] + reach]])
    order = np.argsort(outcome - middles[:, None] * spend, axis=1, kind="stable")
    return order, np.concatenate([[-np.inf], crossings, [np.inf]])


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Running sums of the ordered differences, each of shape (pieces, pairs + 1), and what they run over."""

    y: Floats
    x: Floats
    values: tuple[Floats, Floats]
    products: tuple[Floats, Floats, Floats]


def _sums(y: Floats, x: Floats) -> _Sums:
    """Of ordered outcome and spend differences, each of shape (pieces, pairs)."""

    def running(values: Floats) -> Floats:
        return np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)

    return _Sums(running(y), running(x), (y, x), (running(y * y), running(x * y), running(x * x)))


def _pieces(sums: _Sums, bounds: Floats, trimmed: int) -> Pieces:
    """Kept sums, and winsorised sums of squares, with so many pairs trimmed at each end."""
    y, x = sums.values
    count = y.shape[1]
    first, last = trimmed, count - trimmed
    ends = np.array([first, last - 1])
    kept_y, kept_x = sums.y[:, last] - sums.y[:, first], sums.x[:, last] - sums.x[:, first]
    end_y, end_x = y[:, ends], x[:, ends]
    mean_y, mean_x = (kept_y + trimmed * end_y.sum(axis=1)) / count, (kept_x + trimmed * end_x.sum(axis=1)) / count
    squares = [
        running[:, last] - running[:, first] + trimmed * (one * two).sum(axis=1) - count * mean_one * mean_two
        for running, one, two, mean_one, mean_two in zip(
            sums.products,
            (end_y, end_x, end_x),
            (end_y, end_y, end_x),
            (mean_y, mean_x, mean_x),
            (mean_y, mean_y, mean_x),
            strict=True,
        )
    ]
    kept = last - first
    return Pieces(bounds, kept_y, kept_x, squares[0], squares[1], squares[2], (kept - 1) / kept, trimmed)


def _estimate(outcome: Floats, spend: Floats, pieces: Pieces) -> float:
    """The root; of several, the one whose kept residuals are most symmetric about zero (section 4 of the paper)."""
    roots = pieces.roots()
    if pieces.trimmed == 0 and pieces.x[0] != 0.0:
        return float(pieces.y[0] / pieces.x[0])
    if roots.size == 0:
        raise DesignError("the spend differences of the pairs cancel: there is no return to estimate")
    left = np.sort(outcome - roots[:, None] * spend, axis=1)[:, pieces.trimmed : len(outcome) - pieces.trimmed]
    return float(roots[np.abs(left + left[:, ::-1]).mean(axis=1).argmin()])


def _std_error(outcome: Floats, spend: Floats, theta: float, trimmed: int) -> float:
    """Asymptotic standard error: winsorised residuals over the kept spend differences."""
    left = outcome - theta * spend
    order = np.argsort(left, kind="stable")
    place = np.clip(np.arange(len(order)), trimmed, len(order) - trimmed - 1)
    kept = abs(float(spend[order][trimmed : len(order) - trimmed].sum()))
    return float(np.sqrt(np.square(left[order][place]).sum()) / kept) if kept > 0 else float("inf")
