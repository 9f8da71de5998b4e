"""What a test says per unit of money: outcomes per money, its value (iROAS) and its inverse (cost per outcome).

Where the spend change is on record, the outcome's interval is divided by it. Where it is read from the panel it has an
error of its own, tied to the KPI's, and the ratio ``theta`` is tested as Fieller (1954) did: if it is the true one, the
composite ``outcome - theta × spend`` did not change. Every reference set measures the same composite, so the test and
its interval are `randomisation.span` once more: with ``a`` the set's effect on the KPI, ``d`` the spend change, ``e``
the set's error about spend, the composite is ``a - theta (d b + e)``. A spend change that cannot be told from the
sets' errors leaves the interval open.
"""

from math import isfinite

import numpy as np

from experiments.geo.case import Case
from experiments.geo.inference import Inference
from experiments.geo.inference.randomisation import inverted
from experiments.result import Quantity
from experiments.spend import SpendChange
from experiments.two_sided import InvertedTest, TwoSided
from measurement.typing import Floats

Z90 = 1.6448536269514722
OPEN = "the spend change, read from the panel, cannot be told from its own error: the interval has no end"
UNCOUNTED = "the spend change is read from the panel, and its own error is not counted here"


def quantity(test: TwoSided, alpha: float, unit: str, note: str = "") -> Quantity:
    """A test as a quantity: its interval, and the standard error that gives the 90 % interval."""
    low, high = test.interval(alpha)
    narrow, wide = test.interval(0.1)
    return Quantity(test.estimate, (wide - narrow) / 2 / Z90, low, high, unit, note)


def per_money(
    case: Case, inference: Inference, spend: SpendChange, errors: Floats, change: Quantity, alpha: float, unit: str
) -> Quantity | None:
    """Outcome change per unit of money; ``None`` where the spend change is unknown or negligible.

    Args:
        case: The test.
        inference: What was found of the KPI.
        spend: The spend change.
        errors: From `spend_errors`, shape (sets,); read only where the spend change comes from the panel.
        change: The outcome change.
        alpha: One minus the level of the interval.
        unit: Unit of the ratio.
    """
    if not spend.delta or spend.negligible:
        return None
    if spend.source == "record" or not errors.any():
        plain = change.scaled(1.0 / spend.delta, unit)
        silent = spend.source == "record" or inference.randomised is not None
        return plain if silent else Quantity(plain.estimate, plain.std_error, plain.low, plain.high, unit, UNCOUNTED)
    test = ratio_test(case, inference, spend.delta, errors)
    closed = all(map(isfinite, test.interval(alpha)))
    return quantity(test, alpha, unit, "" if closed else OPEN)


def ratio_test(case: Case, inference: Inference, delta: float, errors: Floats) -> InvertedTest:
    """Fieller's test by randomisation, of the outcome change per unit of money."""
    randomised = inference.randomised
    assert randomised is not None  # noqa: S101 - errors exist for reference sets only
    length = case.end - case.onset
    moved = delta / (len(case.treated) * length)
    overlaps = moved * randomised.overlaps + errors / length
    effects = np.asarray(randomised.reference.paths.mean(axis=1))
    estimate, error = inference.fit.effect / moved, randomised.error / abs(moved)
    return inverted(effects, overlaps, randomised.reference.errors, estimate, error, randomised.inflation)
