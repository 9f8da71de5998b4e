"""A KPI of 0 and 1: score tests of the difference and of the ratio of two proportions, inverted.

The variance is that of the proportions that fit the hypothesis best, so the tests hold where conversions are few, and
with none in an arm: difference after Mee (1984) and Farrington and Manning (1990), ratio after Koopman (1984). Of no
effect both are the one pooled test, that is Pearson's chi-square.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import acos, copysign, cos, inf, pi, sqrt

from experiments.two_sided import StudentTest
from experiments.user_level.comparison import Arms, Comparison
from experiments.user_level.difference import welch

_CLOSE = 1e-15


@dataclass(frozen=True, slots=True)
class Counts:
    """Conversions and users of both arms."""

    treated: int
    treated_users: int
    control: int
    control_users: int

    @property
    def rates(self) -> tuple[float, float]:
        """Share that converted, in treatment and in control."""
        return self.treated / self.treated_users, self.control / self.control_users


@dataclass(frozen=True, slots=True)
class DifferenceTest:
    """Score test of the difference of two proportions.

    Attributes:
        counts: What was counted; not all users, and not none, converted.
    """

    counts: Counts

    @property
    def estimate(self) -> float:
        """Treatment less control."""
        treated, control = self.counts.rates
        return treated - control

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Two tails of the Normal."""
        return _tails(self._distance(hypothesis))

    def interval(self, alpha: float) -> tuple[float, float]:
        """All differences with a p-value of ``alpha`` or more."""
        limit, found = _limit(alpha), self.estimate
        low = _crossing(lambda h: self._distance(h) - limit, -1.0, found)
        return low, _crossing(lambda h: self._distance(h) + limit, found, 1.0)

    def _distance(self, hypothesis: float) -> float:
        counts = self.counts
        rate = _best_treated_rate(counts, hypothesis)
        usual = min(max(rate - hypothesis, 0.0), 1.0)
        variance = rate * (1 - rate) / counts.treated_users + usual * (1 - usual) / counts.control_users
        return _over(self.estimate - hypothesis, variance)


@dataclass(frozen=True, slots=True)
class LiftTest:
    """Score test of the ratio of two proportions, less one.

    Attributes:
        counts: What was counted; not all users, and not none, converted.
    """

    counts: Counts

    @property
    def estimate(self) -> float:
        """Treatment over control, less one; infinite where no one converted in control."""
        treated, control = self.counts.rates
        return treated / control - 1 if control else inf

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Two tails of the Normal."""
        return _tails(self._distance(1 + hypothesis)) if hypothesis > -1 else 0.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """All lifts with a p-value of ``alpha`` or more; no upper end where no one converted in control."""
        limit, ratio = _limit(alpha), 1 + self.estimate
        # on the scale r / (1 + r), where every ratio lies between 0 and 1
        start = ratio / (1 + ratio) if ratio < inf else 1.0
        low = _crossing(lambda s: self._distance(s / (1 - s)) - limit, _CLOSE, min(start, 1 - _CLOSE))
        high = _crossing(lambda s: self._distance(s / (1 - s)) + limit, max(start, _CLOSE), 1 - _CLOSE)
        return (low / (1 - low) - 1 if self.counts.treated else -1.0), (
            high / (1 - high) - 1 if self.counts.control else inf
        )

    def _distance(self, ratio: float) -> float:
        counts = self.counts
        treated, control = counts.rates
        first = (counts.treated_users + counts.control_users) * ratio
        second = ratio * (counts.treated_users + counts.control) + counts.treated + counts.control_users
        third = counts.treated + counts.control
        # the smaller root of first x² - second x + third, written so that no digits cancel
        usual = 2 * third / (second + sqrt(max(second**2 - 4 * first * third, 0.0)))
        rate = min(ratio * usual, 1.0)
        variance = rate * (1 - rate) / counts.treated_users + ratio**2 * usual * (1 - usual) / counts.control_users
        return _over(treated - ratio * control, variance)


def score(arms: Arms) -> Comparison:
    """Difference of the shares that converted, and their ratio."""
    counts = Counts(
        round(arms.treatment.count * float(arms.treatment.mean[0])),
        arms.treatment.count,
        round(arms.control.count * float(arms.control.mean[0])),
        arms.control.count,
    )
    return Comparison(
        effect=DifferenceTest(counts),
        lift=LiftTest(counts),
        units=counts.treated_users,
        unit="user",
        std_error=welch(arms).std_error,
        how="score tests of the difference and the ratio of two proportions",
        details={"conversions": {"treatment": counts.treated, "control": counts.control}},
    )


def _best_treated_rate(counts: Counts, difference: float) -> float:
    """The treatment's share that fits the counts best where the arms differ by so much: the root of a cubic.

    Closed form by Farrington and Manning, polished by Newton's steps, as its arc cosine loses half of the digits.
    """
    treated, control = counts.rates
    theta = counts.control_users / counts.treated_users
    a = 1 + theta
    b = -(1 + theta + treated + theta * control + difference * (theta + 2))
    c = difference**2 + difference * (2 * treated + theta + 1) + treated + theta * control
    d = -treated * difference * (1 + difference)
    v = b**3 / (27 * a**3) - b * c / (6 * a**2) + d / (2 * a)
    u = copysign(sqrt(max(b**2 / (9 * a**2) - c / (3 * a), 0.0)), v)
    angle = (pi + acos(min(max(v / u**3, -1.0), 1.0))) / 3 if u else pi / 2
    rate = 2 * u * cos(angle) - b / (3 * a)
    for _ in range(3):
        slope = (3 * a * rate + 2 * b) * rate + c
        rate -= (((a * rate + b) * rate + c) * rate + d) / slope if slope else 0.0
    return min(max(rate, difference, 0.0), 1.0, 1.0 + difference)


def _over(gap: float, variance: float) -> float:
    if variance > 0:
        return gap / sqrt(variance)
    return copysign(inf, gap) if gap else 0.0


def _tails(distance: float) -> float:
    return StudentTest(distance, 1.0).p_value() if abs(distance) < inf else 0.0


def _limit(alpha: float) -> float:
    return StudentTest(0.0, 1.0).interval(alpha)[1]


def _crossing(gap: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses zero; the end nearest to it where it does not."""
    from scipy.optimize import brentq

    if low >= high or gap(low) <= 0:
        return low
    if gap(high) >= 0:
        return high
    return float(brentq(gap, low, high, xtol=1e-16, rtol=1e-14))
