"""Users needed, smallest effect found and power of a test on users, in closed form.

Effects are relative lifts among those whom the ads reach; with ``compliance`` below 1 only that share of the treatment
arm is reached, and the arms as they were drawn differ by so much less (the reached are taken to have the KPI of all).
Both tails count at ``alpha``; an effect on the wrong side is no success. Normal approximation; where the KPI is a
proportion, the treated have the variance of their own rate (Fleiss, Levin and Paik 2003, chapter 4, unpooled).
"""

from dataclasses import dataclass, replace
from math import ceil, sqrt
from typing import Self

from measurement.errors import Problem, refuse


@dataclass(frozen=True, slots=True)
class Metric:
    """A KPI per user without the ads: what the planner knows beforehand.

    Attributes:
        mean: Its mean, above 0 (of a ratio: the ratio).
        variance: Its variance between users, above 0, on the scale of the mean.
        proportion: Whether it is 0 or 1 for every user, so that its variance moves with its mean.
    """

    mean: float
    variance: float
    proportion: bool = False

    @classmethod
    def per_user(cls, mean: float, sd: float) -> Self:
        """A mean per user, from the standard deviation between users."""
        refuse(_not_above_zero(mean=mean, sd=sd))
        return cls(mean, sd**2)

    @classmethod
    def rate(cls, rate: float) -> Self:
        """A proportion of users, between 0 and 1."""
        refuse(_not_a_share(rate=rate))
        return cls(rate, rate * (1 - rate), True)

    @classmethod
    def ratio(cls, means: tuple[float, float], sds: tuple[float, float], correlation: float) -> Self:
        """A ratio of two sums over users (revenue per session), by the delta method.

        Args:
            means: Mean per user of numerator and denominator.
            sds: Their standard deviations between users.
            correlation: Between the two, over users.
        """
        numerator, denominator = means
        refuse(_not_above_zero(numerator=numerator, denominator=denominator, sd=min(sds)) + _correlation(correlation))
        ratio = numerator / denominator
        spread = sds[0] ** 2 - 2 * ratio * correlation * sds[0] * sds[1] + (ratio * sds[1]) ** 2
        return cls(ratio, spread / denominator**2)

    def with_cuped(self, correlation: float) -> "Metric":
        """The KPI adjusted for its pre-period: its variance times one minus the squared correlation with it."""
        refuse(_correlation(correlation))
        return replace(self, variance=self.variance * (1 - correlation**2))

    def treated_variance(self, lift: float) -> float:
        """Variance in a treatment arm whose mean is ``lift`` higher (relative)."""
        if not self.proportion:
            return self.variance
        rate = self.mean * (1 + lift)
        return self.variance * rate * (1 - rate) / (self.mean * (1 - self.mean))


def power(
    metric: Metric, lift: float, users: int, *, alpha: float = 0.1, allocation: float = 0.5, compliance: float = 1.0
) -> float:
    """Chance that the test finds a lift, with the right sign.

    Args:
        metric: The KPI.
        lift: Relative lift among those reached; negative for a loss.
        users: Users in both arms.
        alpha: Level of the two-sided test.
        allocation: Share of users in treatment.
        compliance: Share of the treatment arm that is reached.

    Raises:
        DataError: A share outside 0 to 1, too few users, a rate that the lift takes past 0 or 1.
    """
    _check(metric, alpha, allocation, compliance, lift)
    refuse(_too_few(users))
    from scipy.special import ndtr

    shift = abs(lift) * compliance * metric.mean
    spread = _unit_error(metric, lift * compliance, allocation) / sqrt(users)
    return float(ndtr(shift / spread - _quantile(1 - alpha / 2)))


def sample_size(
    metric: Metric,
    lift: float,
    *,
    alpha: float = 0.1,
    power: float = 0.8,
    allocation: float = 0.5,
    compliance: float = 1.0,
) -> int:
    """Users in both arms that find a lift with the wanted power.

    Args:
        metric: The KPI.
        lift: Relative lift among those reached, not 0; negative for a loss.
        alpha: Level of the two-sided test.
        power: Wanted power, above ``alpha / 2``.
        allocation: Share of users in treatment.
        compliance: Share of the treatment arm that is reached.

    Raises:
        DataError: A share outside 0 to 1, a lift of 0, a rate that the lift takes past 0 or 1.
    """
    _check(metric, alpha, allocation, compliance, lift, power)
    if lift == 0:
        refuse([Problem("is 0; no number of users finds an effect of nothing", column="lift", code="lift")])
    shift = lift * compliance * metric.mean
    reach = _quantile(1 - alpha / 2) + _quantile(power)
    return ceil((reach * _unit_error(metric, lift * compliance, allocation) / shift) ** 2)


def minimum_detectable_effect(
    metric: Metric,
    users: int,
    *,
    alpha: float = 0.1,
    power: float = 0.8,
    allocation: float = 0.5,
    compliance: float = 1.0,
) -> float:
    """The smallest relative lift among those reached that the test finds with the wanted power.

    Args:
        metric: The KPI.
        users: Users in both arms.
        alpha: Level of the two-sided test.
        power: Wanted power, above ``alpha / 2``.
        allocation: Share of users in treatment.
        compliance: Share of the treatment arm that is reached.

    Returns:
        A gain, above 0; infinity where even a rate of 1 would not be found.

    Raises:
        DataError: A share outside 0 to 1, too few users.
    """
    _check(metric, alpha, allocation, compliance, 0.0, power)
    refuse(_too_few(users))
    reach = (_quantile(1 - alpha / 2) + _quantile(power)) ** 2 / users
    if not metric.proportion:
        shift = sqrt(reach * metric.variance / (allocation * (1 - allocation)))
        return shift / (metric.mean * compliance)
    # shift² = reach (v(p + shift) / allocation + v(p) / (1 - allocation)), v(p) = shrunk p (1 - p): a quadratic
    p, shrunk = metric.mean, metric.variance / (metric.mean * (1 - metric.mean))
    first = 1 + reach * shrunk / allocation
    second = -reach * shrunk * (1 - 2 * p) / allocation
    third = -reach * metric.variance / (allocation * (1 - allocation))
    shift = (-second + sqrt(second**2 - 4 * first * third)) / (2 * first)
    return shift / (p * compliance) if p + shift < 1 else float("inf")


def _unit_error(metric: Metric, lift: float, allocation: float) -> float:
    """Standard error of the difference between the arms, times the root of the users."""
    return sqrt(metric.treated_variance(lift) / allocation + metric.variance / (1 - allocation))


def _quantile(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))


def _check(
    metric: Metric, alpha: float, allocation: float, compliance: float, lift: float, power: float | None = None
) -> None:
    problems = _not_above_zero(mean=metric.mean, variance=metric.variance)
    problems += _not_a_share(alpha=alpha, allocation=allocation)
    if not 0 < compliance <= 1:
        problems.append(_problem("compliance", compliance, "the share of the treatment arm that is reached, above 0"))
    if power is not None and not alpha / 2 < power < 1:
        problems.append(_problem("power", power, "between half of alpha (found by chance alone) and 1"))
    rate = metric.mean * (1 + lift * compliance)
    if metric.proportion and not 0 < rate < 1:
        problems.append(_problem("lift", lift, f"a rate of {metric.mean:g} cannot become {rate:g}"))
    refuse(problems)


def _too_few(users: int) -> list[Problem]:
    return [] if users >= 2 else [_problem("users", users, "a test needs two or more")]


def _not_above_zero(**values: float) -> list[Problem]:
    return [_problem(name, value, "it must be above 0") for name, value in values.items() if not value > 0]


def _not_a_share(**values: float) -> list[Problem]:
    return [_problem(name, value, "a share between 0 and 1") for name, value in values.items() if not 0 < value < 1]


def _correlation(value: float) -> list[Problem]:
    return [] if -1 < value < 1 else [_problem("correlation", value, "it lies between -1 and 1")]


def _problem(name: str, value: float, allowed: str) -> Problem:
    return Problem(f"found {value:g}; {allowed}", column=name, code=name)
