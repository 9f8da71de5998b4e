"""Quantities and words that the unified view is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from measurement.estimate import Estimate
from measurement.typing import Json

Move = Literal["raise", "cut", "test first", "hold"]
State = Literal[
    "agree",
    "differ, same action",
    "differ, action changes",
    "single source",
    "not comparable",
    "stale",
    "conflict, withheld",
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A median with its 90 % interval; all three are equal where nothing is known of the error."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """The median and 90 % interval of an estimate."""
        return cls(estimate.median, estimate.low, estimate.high)

    @classmethod
    def from_dict(cls, raw: Mapping[str, float] | None) -> "Quantity | None":
        """Read what `to_dict` wrote; ``None`` stays ``None``."""
        return None if raw is None else cls(raw["median"], raw["low"], raw["high"])

    def to_dict(self) -> Json:
        """As ``{"median", "low", "high"}``."""
        return {"median": self.median, "low": self.low, "high": self.high}


def plain(quantity: Quantity | None) -> Json | None:
    """As JSON; ``None`` stays ``None``."""
    return None if quantity is None else quantity.to_dict()
