"""What changed from one unified view to the next, channel by channel."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.quantity import Quantity
    from calibration.view import View


@dataclass(frozen=True, slots=True)
class Change:
    """One channel in two views.

    Attributes:
        channel: Its name.
        before: Unified iROAS of the earlier view; ``None`` where it had none.
        now: That of the later one.
        action_before: What the earlier view advised.
        action_now: What the later one does.
        outside: Whether today's median lies outside the earlier 90 % interval: more than the noise of a refit.
    """

    channel: str
    before: "Quantity | None"
    now: "Quantity | None"
    action_before: str
    action_now: str
    outside: bool

    @property
    def moved(self) -> float:
        """Change of the median as a share; not a number where either is missing."""
        if self.before is None or self.now is None or self.before.median <= 0:
            return math.nan
        return self.now.median / self.before.median - 1


@dataclass(frozen=True, slots=True)
class Changes:
    """Two views beside each other.

    Attributes:
        channels: Every channel of the later view.
        added: What went into the later view and not into the earlier: tests, data, fits.
        removed: What no longer went in.
    """

    channels: tuple[Change, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def since(times: "Sequence[str]") -> int:
    """Which of several views the last one is held against: the newest of an earlier month, else the one before it.

    Args:
        times: When the views were made (ISO 8601, UTC), oldest first; two or more.

    Returns:
        Its position.
    """
    month = times[-1][:7]
    return max((i for i, at in enumerate(times[:-1]) if at[:7] < month), default=len(times) - 2)


def between(earlier: "View", later: "View") -> Changes:
    """What changed from ``earlier`` to ``later``."""
    known = {channel.channel: channel for channel in earlier.channels}
    found = []
    for channel in later.channels:
        was = known.get(channel.channel)
        before = was.iroas if was is not None else None
        outside = (
            before is not None and channel.iroas is not None and not before.low <= channel.iroas.median <= before.high
        )
        found.append(
            Change(channel.channel, before, channel.iroas, "" if was is None else was.action, channel.action, outside)
        )
    return Changes(
        tuple(found),
        tuple(item for item in later.derived_from if item not in earlier.derived_from),
        tuple(item for item in earlier.derived_from if item not in later.derived_from),
    )
