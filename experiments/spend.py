"""SpendChange: how much money a test moved and which way, and what a record alone says of it."""

from dataclasses import dataclass
from typing import Literal

from experiments.records import Experiment
from measurement.errors import DesignError, Problem, shown
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


def contradictions(design: Experiment) -> list[Problem]:
    """What is wrong between a record's method and the sign of its spend change."""
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


def direction(design: Experiment, delta: float | None, negligible: bool = False) -> int:
    """The sign of an incremental outcome: of the spend change where it is known, otherwise the method's own.

    Raises:
        DesignError: Where nothing says which way the spend was moved.
    """
    if delta is not None and delta != 0 and not negligible:
        return 1 if delta > 0 else -1
    known = {"go_dark": -1, "heavy_up": 1, "geo_holdout": 1}.get(design.method)
    if known is None:
        raise DesignError(
            f"test '{shown(design.experiment_id)}' ({design.method}) does not say which way spend was moved: "
            "give spend_delta, or media with the tested channels"
        )
    return known
