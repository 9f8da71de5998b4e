"""SpendChange: how much money the test moved, from the record or from the panel's own media."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.case import Case
from experiments.records import Experiment
from measurement.errors import DesignError, Problem, refuse, shown
from measurement.panel import Panel
from measurement.typing import Json

NEAR_ZERO = 0.01

Source = Literal["record", "panel", "unknown"]


@dataclass(frozen=True, slots=True)
class SpendChange:
    """Money over the treated geos and the test's dates (cool-down excluded), signed.

    Attributes:
        source: ``record`` (``spend_delta``, or ``counterfactual_spend`` against the panel's media), ``panel`` (actual
            minus the treated geos' own pre-period mean, moved as the control geos' spend moved) or ``unknown``.
        delta: Actual minus counterfactual spend; ``None`` when unknown.
        actual: Spend seen in the panel, where it has the channels.
        counterfactual: Business-as-usual spend, where known or implied.
        direction: +1 where spend was raised, -1 where it was cut: the sign of an incremental outcome.
        negligible: Whether the change is below 1 % of business as usual.
    """

    source: Source
    delta: float | None
    actual: float | None
    counterfactual: float | None
    direction: int
    negligible: bool

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "source": self.source,
            "delta": self.delta,
            "actual": self.actual,
            "counterfactual": self.counterfactual,
            "direction": self.direction,
        }


def spend_change(panel: Panel, design: Experiment, case: Case) -> SpendChange:
    """Find the spend change and its direction.

    The direction is the sign of the change where that is known and not negligible, otherwise the method's: a go-dark
    test cuts, a heavy-up raises, and in a holdout the treated geos are those that see the ads.

    Raises:
        DataError: Where the record's method and spend contradict each other, or a channel is unknown and needed.
        DesignError: Where nothing says which way the spend was moved.
    """
    refuse(_contradictions(design))
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
    return SpendChange(source, delta, actual, usual, _direction(design, delta, negligible), negligible)


def _contradictions(design: Experiment) -> list[Problem]:
    wrong = {"go_dark": 1.0, "heavy_up": -1.0}.get(design.method)
    if wrong is None or design.spend_delta is None or design.spend_delta * wrong <= 0:
        return []
    way = "takes spend away" if design.method == "go_dark" else "adds spend"
    sign = "negative" if design.method == "go_dark" else "positive"
    return [
        Problem(
            f"found {design.spend_delta:g}, but a {design.method} test {way}: the change must be {sign}",
            column="spend_delta",
            code="spend-sign",
        )
    ]


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


def _direction(design: Experiment, delta: float | None, negligible: bool) -> int:
    if delta is not None and delta != 0 and not negligible:
        return 1 if delta > 0 else -1
    known = {"go_dark": -1, "heavy_up": 1, "geo_holdout": 1}.get(design.method)
    if known is None:
        raise DesignError(
            f"test '{shown(design.experiment_id)}' ({design.method}) does not say which way spend was moved: "
            "give spend_delta, or media with the tested channels"
        )
    return known
