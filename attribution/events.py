"""What the builders of paths share: events sorted by user, the log's clock, and what is counted on the way."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from attribution.path_spec import SECONDS_PER_DAY
from measurement.typing import Bools, Floats, Ints

CLICK, IMPRESSION, CONVERSION = 0, 1, 2
NO_USER = 0
SECOND = 1_000_000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How event times are counted, and where the log ends; all in ticks after ``origin``.

    Attributes:
        origin: Microseconds since 1970 of tick 0.
        tick: Microseconds per tick.
        log_end: The last tick of the log, stray clocks aside.
        first: First tick whose journeys count.
        last: Last tick whose journeys count.
        span: The last tick of all, stray clocks included.
    """

    origin: int
    tick: int
    log_end: int
    first: int
    last: int
    span: int

    def days(self, days: float) -> int:
        """A number of days in ticks."""
        return int(days * SECONDS_PER_DAY * SECOND) // self.tick

    def watched(self, since: Ints) -> Floats:
        """Whole seconds (so that sums are exact) from each tick to the end of the log, within the period."""
        until = min(self.log_end, self.last + 1)
        ticks = np.maximum(until - np.maximum(since, self.first), 0)
        return np.asarray(ticks * self.tick // SECOND, dtype=np.float64)

    def minutes(self, minutes: float) -> int:
        """A number of minutes in ticks."""
        return int(minutes * 60_000_000) // self.tick


@dataclass(frozen=True, slots=True)
class Events:
    """Events of whole users, sorted as the module says.

    Attributes:
        user: Identity, ``uint64``; 0 for conversions without a user.
        time: Ticks, ``int64``.
        kind: `CLICK`, `IMPRESSION` or `CONVERSION`.
        channel: Position of the channel's name; any number for a conversion.
        value: Money of a conversion, NaN elsewhere.
    """

    user: NDArray[np.uint64]
    time: Ints
    kind: NDArray[np.uint8]
    channel: NDArray[np.uint16]
    value: Floats

    def __len__(self) -> int:
        return len(self.time)

    def where(self, keep: Bools) -> "Events":
        """The events for which ``keep`` holds."""
        at = np.flatnonzero(keep)  # several times quicker than a mask for each column
        return Events(self.user[at], self.time[at], self.kind[at], self.channel[at], self.value[at])


@dataclass(slots=True)
class Tally:
    """Counts of what was found on the way; sums over parts of the log are sums over the log.

    Attributes:
        users: Users with an event.
        duplicate_touches: Touches that repeat another in every respect.
        duplicate_conversions: Conversions that do.
        bot_users: Users beyond the limit of touches.
        bot_touches: Their touches.
        bot_conversions: Their conversions.
        session_touches: Touches that belong to the session of an earlier one.
        journeys: Journeys with at least one touch in their path, within the period.
        expired: Touches older than their lookback when their journey ended.
        unfinished: Journeys that may still convert.
        unfinished_touches: Their touches.
        direct: Touches taken out by the rule for direct traffic.
        repeats: Touches taken out by collapsing repeats.
        same_instant: Touches at the very instant of their conversion.
        just_after: Conversions that a touch of the same user follows within a minute.
        timed: Above 0 where an event has a time of day other than midnight (UTC).
    """

    users: int = 0
    duplicate_touches: int = 0
    duplicate_conversions: int = 0
    bot_users: int = 0
    bot_touches: int = 0
    bot_conversions: int = 0
    session_touches: int = 0
    journeys: int = 0
    expired: int = 0
    unfinished: int = 0
    unfinished_touches: int = 0
    direct: int = 0
    repeats: int = 0
    same_instant: int = 0
    just_after: int = 0
    timed: int = 0

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))
