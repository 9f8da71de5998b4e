"""How far each method was from a known truth, for simulated companies."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from measurement.typing import Json

if TYPE_CHECKING:
    from calibration.quantity import Quantity
    from calibration.view import View

LABELS = {
    "mmm": "MMM alone",
    "mmm_calibrated": "MMM with the tests inside",
    "experiments": "lift tests alone",
    "attribution": "attribution",
    "platform": "platform reports",
    "unified": "unified view",
}


@dataclass(frozen=True, slots=True)
class Score:
    """One method against the truth.

    Attributes:
        method: Its name, in words.
        channels: How many channels both it and the unified view have a number for.
        error: Root mean square of ``log(estimate / truth)`` over those channels.
        unified_error: The unified view's error on the same channels.
        covered: How many of its 90 % intervals hold the truth; ``None`` where it gives no interval.
    """

    method: str
    channels: int
    error: float
    unified_error: float
    covered: int | None

    @property
    def typical_error(self) -> float:
        """The error as a ratio: 0.5 means that estimates are typically off by a factor of 1.5."""
        return math.expm1(self.error)

    @property
    def unified_typical_error(self) -> float:
        """The unified view's error on the same channels, as a ratio."""
        return math.expm1(self.unified_error)

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return asdict(self)


def scoreboard(view: "View", truth: Mapping[str, float]) -> tuple[Score, ...]:
    """Score every source of a view, the unified number last.

    Args:
        view: The unified view.
        truth: True iROAS per channel, above 0.

    Returns:
        One score per source; an estimate of zero or below counts as a tenth of the truth.
    """
    by_source: dict[str, dict[str, Quantity]] = {}
    for channel in view.channels:
        for source, model, quantity in channel.sources():
            by_source.setdefault(f"{source} {model}".strip(), {})[channel.channel] = quantity
    unified = by_source.pop("unified", {})
    scores = [_score(source, found, unified, truth) for source, found in by_source.items()]
    return (*scores, _score("unified", unified, unified, truth))


def _score(
    source: str, found: "Mapping[str, Quantity]", unified: "Mapping[str, Quantity]", truth: Mapping[str, float]
) -> Score:
    own = {name: quantity for name, quantity in found.items() if name in unified}
    ranges = [name for name, q in own.items() if q.low < q.high]
    kind, _, model = source.partition(" ")
    return Score(
        method=f"{LABELS[kind]}, {model}" if model else LABELS[kind],
        channels=len(own),
        error=_error(own, truth),
        unified_error=_error({name: unified[name] for name in own}, truth),
        covered=sum(own[name].low <= truth[name] <= own[name].high for name in ranges) if ranges else None,
    )


def _error(found: "Mapping[str, Quantity]", truth: Mapping[str, float]) -> float:
    if not found:
        return math.nan
    logs = [math.log(max(q.median, truth[name] / 10) / truth[name]) for name, q in found.items()]
    return math.sqrt(sum(x * x for x in logs) / len(logs))
