"""The spend change of a geo test, from the record or from the panel's own media."""

import numpy as np

from experiments.geo.case import Case
from experiments.records import Experiment
from experiments.spend import NEAR_ZERO, Source, SpendChange, contradictions, direction
from measurement.errors import refuse
from measurement.panel import Panel


def spend_change(panel: Panel, design: Experiment, case: Case) -> SpendChange:
    """Find the spend change and its direction.

    The direction is the sign of the change where that is known and not negligible, otherwise the method's: a go-dark
    test cuts, a heavy-up raises, and in a holdout the treated geos are those that see the ads.

    Raises:
        DataError: Where the record's method and spend contradict each other, or a channel is unknown and needed.
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
    return SpendChange(source, delta, actual, usual, direction(design, delta, negligible), negligible)


def _from_panel(panel: Panel, design: Experiment, case: Case) -> tuple[float, float] | None:
    """Actual and implied business-as-usual spend of the tested channels, or nothing where the panel lacks them."""
    if not panel.channels or (design.spend_delta is not None and not set(design.channel) <= set(panel.channels)):
        return None
    columns = panel.channel_index(design.channel)
    keep = np.searchsorted(panel.dates, case.dates)
    spend = panel.spend[:, keep][:, :, columns].sum(axis=2)
    before, during = spend[:, : case.onset], spend[:, case.onset : case.cooldown]
    actual = float(during[case.treated].sum())
    usual = float(before[case.treated].mean(axis=1).sum()) * during.shape[1]
    pool_before, pool_during = before[case.controls].mean(), during[case.controls].mean()
    if pool_before > 0 and pool_during > 0:
        usual *= float(pool_during / pool_before)
    return actual, usual
