"""The spend change of a geo test, from the record or from the panel's own media, and its own error."""

import numpy as np

from experiments.geo.case import Case
from experiments.records import Experiment
from experiments.spend import NEAR_ZERO, Source, SpendChange, contradictions, direction
from measurement.errors import refuse
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Ints


def spend_change(panel: Panel, design: Experiment, case: Case) -> SpendChange:
    """Find the spend change and its direction.

    The direction is the sign of the change where that is known and not negligible, otherwise the method's: a go-dark
    test cuts, a heavy-up raises, and in a holdout the treated geos are those that see the ads.

    Raises:
        DataError: Where the record's method and spend contradict each other, or a channel is unknown and needed.
        DesignError: Where nothing says which way the spend was moved.
    """
    refuse(contradictions(design))
    spend = _series(panel, design, case)
    actual, usual, delta = None, design.counterfactual_spend, design.spend_delta
    if spend is not None:
        actual = float(spend[case.treated, case.onset : case.cooldown].sum())
        implied = actual - float(_changes(spend, case, case.controls)[case.treated].sum())
        usual = implied if usual is None else usual
        delta = actual - usual if delta is None else delta
    source: Source = "unknown"
    if delta is not None:
        source = "panel" if design.spend_delta is None and design.counterfactual_spend is None else "record"
    negligible = delta is not None and abs(delta) <= NEAR_ZERO * abs(usual or 0.0)
    return SpendChange(source, delta, actual, usual, direction(design, delta, negligible), negligible)


def spend_seen(panel: Panel, design: Experiment, case: Case, members: Bools, contrasts: Floats) -> Floats:
    """The spend change that each set's measured outcome answers to, per geo of the set over the test, shape (sets,).

    Its treated geos with the change that was made there; its controls with what the same reading of the panel says of
    them, beside the other controls; less the change in treated geos that are its donors, by their loadings. For the
    treated set itself this is the spend change of the test.

    Args:
        panel: With the tested channels.
        design: The test.
        case: The test laid over the panel.
        members: Geos of each set, shape (sets, geos).
        contrasts: As in `Reference`, shape (sets, geos).
    """
    spend = _series(panel, design, case)
    made = geo_changes(panel, design, case)
    if spend is None or made is None:
        return np.zeros(len(members))
    controls = np.isin(np.arange(len(spend)), case.controls)
    seen = contrasts @ made
    for row, member in enumerate(members):
        read, pool = member & controls, np.flatnonzero(controls & ~member)
        if read.any() and pool.size:
            seen[row] += _changes(spend, case, pool)[read].sum() / member.sum()
    return np.asarray(seen)


def spend_error(panel: Panel, design: Experiment, case: Case) -> float:
    """Standard error of the spend change read from the panel: how far the same reading is off in control geos."""
    spend = _series(panel, design, case)
    if spend is None:
        return 0.0
    off = _changes(spend, case, case.controls)[case.controls]
    return float(np.sqrt(np.square(off).mean() * len(case.treated)))


def geo_changes(panel: Panel, design: Experiment, case: Case) -> Floats | None:
    """Each treated geo's spend change over the test, 0 elsewhere, shape (geos,); ``None`` without media of geos."""
    spend = _series(panel, design, case)
    if spend is None:
        return None
    changes = np.zeros(len(spend))
    changes[case.treated] = _changes(spend, case, case.controls)[case.treated]
    return changes


def _series(panel: Panel, design: Experiment, case: Case) -> Floats | None:
    """Spend on the tested channels, shape (geos, periods); nothing where the panel lacks them and nobody needs it."""
    if not panel.channels or (design.spend_delta is not None and not set(design.channel) <= set(panel.channels)):
        return None
    columns = panel.channel_index(design.channel)
    keep = np.searchsorted(panel.dates, case.dates)
    return np.asarray(panel.spend[:, keep][:, :, columns].sum(axis=2))


def _changes(spend: Floats, case: Case, pool: Ints) -> Floats:
    """Spend over the test less the geo's own pre-period mean, moved as the pool's spend moved, shape (geos,)."""
    before, during = spend[:, : case.onset], spend[:, case.onset : case.cooldown]
    usual = before.mean(axis=1) * during.shape[1]
    pool_before, pool_during = float(before[pool].mean()), float(during[pool].mean())
    if pool_before > 0:  # to nothing where the pool went dark: the effect is measured against those geos too
        usual = usual * pool_during / pool_before
    return np.asarray(during.sum(axis=1) - usual)
