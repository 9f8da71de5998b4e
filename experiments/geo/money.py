"""What a test says per unit of money: outcomes per money, its value (iROAS) and its inverse (cost per outcome).

Where the spend change is on record, the outcome's interval is divided by it. Where it is read from the panel it has an
error of its own, tied to the KPI's, and the ratio ``theta`` is tested as Fieller (1954) did: if it is the true one, the
composite ``outcome - theta × spend change`` is what it would have been without the test. Every reference set measures
the same composite, ``a - theta d`` with ``a`` its effect on the KPI and ``d`` the spend change it answers to, so the
test and its interval are `randomisation.span` once more. A spend change that cannot be told from what the sets see
leaves the interval open.
"""

from dataclasses import replace
from math import isfinite

import numpy as np

from experiments.geo.case import Case
from experiments.geo.inference import Inference, Randomised
from experiments.geo.inference.randomisation import inverted
from experiments.geo.spend import spend_error, spend_seen
from experiments.quantities import measured
from experiments.records import Experiment
from experiments.result import Quantity
from experiments.spend import SpendChange
from experiments.two_sided import InvertedTest
from measurement.panel import Panel
from measurement.typing import Floats

CENT = 1e-9
"""A spend change known this well (as a share) is known."""
OPEN = "the spend change, read from the panel, cannot be told from its own error: the interval has no end"
UNCOUNTED = "the spend change is read from the panel, and its own error is not counted here"


def per_money(
    panel: Panel, design: Experiment, case: Case, main: Inference, spend: SpendChange, alpha: float
) -> Quantity | None:
    """Outcome change per unit of money; ``None`` where the spend change is unknown or negligible.

    Args:
        panel: With the tested channels, where the spend change was read from it.
        design: The test.
        case: The test laid over the panel.
        main: What was found of the KPI.
        spend: The spend change.
        alpha: One minus the level of the interval.
    """
    if not spend.delta or spend.negligible:
        return None
    unit = f"{design.kpi or panel.kpi} per {panel.currency}"
    scale = len(case.treated) * (case.end - case.onset) / spend.delta
    plain = measured(main.total, alpha, unit).scaled(scale, unit)
    sure = spend.source == "record" or spend_error(panel, design, case) <= CENT * abs(spend.delta)
    if sure:
        return plain
    if main.randomised is None:
        return replace(plain, note=UNCOUNTED)
    seen = spend_seen(panel, design, case, main.randomised.members, main.randomised.reference.contrasts)
    test = ratio_test(case, main.fit.effect, main.randomised, spend.delta, seen)
    closed = all(map(isfinite, test.interval(alpha)))
    return replace(measured(test, alpha, unit), note="" if closed else OPEN)


def ratio_test(case: Case, effect: float, randomised: Randomised, delta: float, seen: Floats) -> InvertedTest:
    """Fieller's test by randomisation, of the outcome change per unit of money.

    Args:
        case: The test.
        effect: Mean effect per treated geo and period.
        randomised: Its reference sets.
        delta: The spend change.
        seen: From `spend_seen`, shape (sets,).
    """
    length = case.end - case.onset
    moved = delta / (len(case.treated) * length)
    effects = np.asarray(randomised.reference.paths.mean(axis=1))
    errors, error = randomised.reference.errors, randomised.error / abs(moved)
    return inverted(effects, seen / length, errors, effect / moved, error, randomised.inflation)
