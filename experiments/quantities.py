"""Measured quantities from a test: an effect with its interval, and what share of the counterfactual it is."""

from experiments.result import Quantity
from experiments.two_sided import TwoSided

Z90 = 1.6448536269514722


def measured(test: TwoSided, alpha: float, unit: str) -> Quantity:
    """The estimate with its interval; the standard error is the 90 % interval's half width over 1.645.

    Args:
        test: The test.
        alpha: One minus the level of the interval.
        unit: Unit, for readers.
    """
    low, high = test.interval(alpha)
    narrow, wide = test.interval(0.1)
    return Quantity(test.estimate, (wide - narrow) / 2 / Z90, low, high, unit)


def relative_lift(change: Quantity, observed: float) -> Quantity:
    """Change / counterfactual: as the counterfactual is observed minus change, the interval maps end by end.

    Args:
        change: Observed minus counterfactual.
        observed: What was observed, in the same unit.
    """
    usual = observed - change.estimate
    ends = [observed - change.low, observed - change.high]
    if min(ends) <= 0.0 or usual <= 0.0:  # the interval reaches past a counterfactual of nothing: hold it fixed
        return change.scaled(1.0 / usual if usual else 0.0, "share")
    error = change.std_error * observed / usual**2
    return Quantity(change.estimate / usual, error, change.low / ends[0], change.high / ends[1], "share")
