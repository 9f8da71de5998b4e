"""The spend change of a switchback: what was spent while it was on, beside what off-periods cost."""

import numpy as np

from experiments.records import Experiment
from experiments.spend import NEAR_ZERO, Source, SpendChange, contradictions, direction
from experiments.switchback.layout import Case
from measurement.errors import refuse
from measurement.panel import Panel


def spend_change(panel: Panel, design: Experiment, case: Case) -> SpendChange:
    """Find the spend change over all periods that are on, burn-in included, and its direction.

    From the panel it is the spend of the on-periods minus as many times the mean of the same geo's off-periods.

    Raises:
        DataError: An unknown channel that is needed.
        DesignError: Where nothing says which way the spend was moved.
    """
    refuse(contradictions(design))
    actual, usual = _from_panel(panel, design, case) or (None, None)
    source: Source = "unknown"
    delta = None
    if design.spend_delta is not None:
        source, delta = "record", design.spend_delta
        usual = design.counterfactual_spend if design.counterfactual_spend is not None else usual
    elif actual is not None and design.counterfactual_spend is not None:
        source, usual = "record", design.counterfactual_spend
        delta = actual - usual
    elif actual is not None and usual is not None:
        source, delta = "panel", actual - usual
    negligible = delta is not None and abs(delta) <= NEAR_ZERO * abs(usual or 0.0)
    return SpendChange(source, delta, actual, usual, direction(design, delta), negligible)


def _from_panel(panel: Panel, design: Experiment, case: Case) -> tuple[float, float] | None:
    if not panel.channels or (design.spend_delta is not None and not set(design.channel) <= set(panel.channels)):
        return None
    money = panel.spend[case.treated][:, :, panel.channel_index(design.channel)].sum(axis=2)
    money = money.sum(axis=0, keepdims=True) if case.one_market else money
    rows = slice(0, len(money))  # control geos come last
    exposed = case.exposed[rows]
    off = (case.block[rows] >= 0) & ~exposed
    actual = float(money[exposed].sum())
    rate = (money * off).sum(axis=1) / np.maximum(off.sum(axis=1), 1)
    return actual, float(rate @ exposed.sum(axis=1))
