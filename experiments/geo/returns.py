"""The return on spend as the classical estimators give it, beside the result: trimmed match and geo-based regression.

They read KPI and spend geo by geo, so they need the panel's own media; they are shown for reference, with the interval
of their publications, and no grade rests on them.
"""

import numpy as np

from experiments.geo.case import Case
from experiments.geo.estimators import PAIRED, WITH_SPEND
from experiments.geo.spend import geo_changes
from experiments.records import Experiment
from experiments.two_sided import TwoSided
from measurement.errors import DesignError
from measurement.panel import Panel
from measurement.typing import Json


def other_returns(panel: Panel, design: Experiment, case: Case, alpha: float) -> Json:
    """IROAS by every classical estimator that the data allow, as plain JSON values; empty without media of geos.

    Args:
        panel: With the tested channels, and the study's KPI as the analysed one.
        design: The test.
        case: The test laid over the panel.
        alpha: One minus the level of the intervals.
    """
    changes = geo_changes(panel, design, case)
    if changes is None or not np.abs(changes).max() > 0:
        return {}
    during = case.outcome[:, case.onset : case.end].sum(axis=1) * panel.kpi_value
    before = case.outcome[:, : case.onset].sum(axis=1) * panel.kpi_value
    found: dict[str, TwoSided] = {}
    rows = {name: row for row, name in enumerate(case.geos)}
    if design.pairs:
        pairs = np.array([[rows[one], rows[two]] for one, two in design.pairs])
        first = np.isin(pairs[:, 0], case.treated)
        treated, control = np.where(first, pairs[:, 0], pairs[:, 1]), np.where(first, pairs[:, 1], pairs[:, 0])
        for name, paired in PAIRED.items():
            try:
                found[name] = paired(during[treated] - during[control], changes[treated] - changes[control])
            except DesignError:  # too few pairs, or none that differ in spend: this estimator has nothing to say
                continue
    for name, regression in WITH_SPEND.items():
        try:
            found[name] = regression(before[case.units], during[case.units], changes[case.units])
        except ValueError:  # too few geos, or a spend change that does not tell them apart
            continue
    return {name: _shown(test, alpha) for name, test in found.items()}


def _shown(test: TwoSided, alpha: float) -> Json:
    low, high = (end if np.isfinite(end) else None for end in test.interval(alpha))
    return {"estimate": test.estimate, "low": low, "high": high, "p_value": test.p_value()}
