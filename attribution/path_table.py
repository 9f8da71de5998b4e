"""Paths: the distinct paths of an event log, or of a table of aggregated paths, with what was counted on the way."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attribution.path_spec import PathSpec
from attribution.users import Users
from measurement.errors import Problem
from measurement.typing import Floats, Ints, Json

SEPARATOR = " > "
BASELINE = "(baseline)"
"""The row of conversions after touches that a model puts down to none of them."""
FEW = 20
"""Channels up to which sets of them are counted in a table of all sets."""
NO_TOUCH = "(no touch)"
"""The row of conversions that came before any touch, or without a user."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Distinct paths; those with a conversion come first. No user is in it.

    Attributes:
        channels: Channel names, sorted.
        touches: Positions in ``channels`` of all touches, path after path, shape (touches,).
        offsets: Where each path begins, and the end of the last one, shape (paths + 1,).
        conversions: Conversions per path, shape (paths,).
        nulls: Journeys without conversion per path, shape (paths,).
        value: Money of the conversions per path, shape (paths,); ``None`` where the source has no value.
        decay: Conversions that time decay credits to each touch, shape (touches,); ``None`` without times.
        decay_value: The same for money.
        no_touch: Conversions that no touch preceded: their number and money.
        users: The journeys by group of users, with ages of touches; ``None`` for aggregated paths.
        window: First and last day that the journeys' ends cover; ``None`` for aggregated paths.
        spec: The choices that made them.
        counts: What was read and what was left out, by name.
        findings: What the reader should know, as warnings and notes.
    """

    channels: tuple[str, ...]
    touches: NDArray[np.int32]
    offsets: Ints
    conversions: Floats
    nulls: Floats
    value: Floats | None = None
    decay: Floats | None = None
    decay_value: Floats | None = None
    no_touch: tuple[float, float] = (0.0, 0.0)
    users: Users | None = None
    window: tuple[date, date] | None = None
    spec: PathSpec = field(default_factory=PathSpec)
    counts: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.conversions)

    @cached_property
    def lengths(self) -> Ints:
        """Touches per path, shape (paths,)."""
        return np.diff(self.offsets)

    @cached_property
    def owner(self) -> Ints:
        """The path of each touch, shape (touches,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def masks(self) -> Ints:
        """The channels of each path as the bits of one number, shape (paths,); for at most `FEW` channels."""
        touches = self.touches.astype(np.int64)
        return np.bitwise_or.reduceat(1 << touches, self.offsets[:-1]) if len(self) else touches

    @property
    def total_conversions(self) -> float:
        """All conversions, those without a touch included."""
        return float(self.conversions.sum()) + self.no_touch[0]

    @property
    def total_value(self) -> float | None:
        """Their money; ``None`` where the source has no value."""
        return None if self.value is None else float(self.value.sum()) + self.no_touch[1]

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of names, paths and numbers; the order of the source's rows does not change it."""
        digest = hashlib.sha256(repr((self.channels, self.no_touch, self.window)).encode("utf-8", "surrogatepass"))
        for array in (
            self.touches,
            self.offsets,
            self.conversions,
            self.nulls,
            self.value,
            self.decay,
            self.decay_value,
            *(() if self.users is None else self.users.arrays()),
        ):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def names(self, path: int) -> tuple[str, ...]:
        """The channels of one path, in order."""
        return tuple(self.channels[i] for i in self.touches[self.offsets[path] : self.offsets[path + 1]])

    def to_frame(self, top: int | None = None) -> pd.DataFrame:
        """Aggregated paths, most conversions first: ``path, conversions, value, nulls``.

        Args:
            top: How many; ``None`` for all.

        Returns:
            A frame that `read_paths` takes back (times, and with them time decay, are lost). ``value`` is absent where
            the source has none; conversions without a touch are the path ``(no touch)``.
        """
        money = np.zeros(len(self)) if self.value is None else self.value
        rows = np.lexsort((-self.nulls, -money, -self.conversions))[:top]
        table = {
            "path": [SEPARATOR.join(self.names(i)) for i in rows],
            "conversions": self.conversions[rows],
            "value": money[rows],
            "nulls": self.nulls[rows],
        }
        frame = pd.DataFrame(table)
        if self.no_touch[0]:
            last = pd.DataFrame({"path": [NO_TOUCH], "conversions": [self.no_touch[0]], "value": [self.no_touch[1]]})
            frame = pd.concat([frame, last.assign(nulls=0.0)], ignore_index=True)
        return frame.drop(columns="value") if self.value is None else frame

    def to_dict(self) -> Json:
        """Hashes, totals, counts and findings as plain JSON values; the paths themselves are `to_frame`."""
        return {
            "spec": self.spec.to_dict(),
            "spec_hash": self.spec.sha256,
            "paths_hash": self.sha256,
            "window": None if self.window is None else [day.isoformat() for day in self.window],
            "channels": list(self.channels),
            "paths": len(self),
            "conversions": self.total_conversions,
            "value": self.total_value,
            "nulls": float(self.nulls.sum()),
            "no_touch": {"conversions": self.no_touch[0], "value": None if self.value is None else self.no_touch[1]},
            "counts": dict(self.counts),
            "findings": [{"level": p.level, "code": p.code, "message": p.message} for p in self.findings],
        }
