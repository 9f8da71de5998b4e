"""Meaning: which result of a test would change the plan, and how."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from calibration.next_test.decision import Decision
from calibration.next_test.value import Believed
from measurement.typing import Bools, Floats, Json

MOVES = 0.05
"""A plan is changed where a channel's advised spend moves by this share of its usual spend."""
PURE = 0.8
LEAST_CHANCE = 0.02


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stretch of results would change.

    Attributes:
        side: Whether the test reads ``below`` or ``above`` the threshold.
        iroas: The threshold, as the test's own iROAS.
        chance: Probability of such a result.
        money: Change of the channel's spend against the plan of today over the whole horizon, signed.
        other: The channel that takes, or gives, most of it; empty where none does.
        other_money: Change of that channel's spend.
        gain: Profit over the whole horizon that the change would earn on average, were it made at once.
    """

    side: Literal["below", "above"]
    iroas: float
    chance: float
    money: float
    other: str
    other_money: float
    gain: float

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return asdict(self)


def readings(decision: Decision, believed: Believed, now: Floats, channel: str, per_unit: float) -> tuple[Reading, ...]:
    """Results that move the tested channel itself, low ones first; none where it would stay as it is.

    Args:
        decision: What is decided.
        believed: What simulated read-outs would make us do.
        now: The plan of today, shape (items,).
        channel: The tested channel.
        per_unit: iROAS per unit of KPI that the test reads.
    """
    if channel not in decision.channels:
        return ()
    item = decision.channels.index(channel)
    iroas = believed.seen * per_unit
    order = np.argsort(iroas, kind="stable")
    iroas, moved, gain = iroas[order], believed.spend[order] - now, believed.gain[order]
    least = MOVES * max(float(decision.usual[item]), float(now[item]))
    found = []
    for side, there in (("below", moved[:, item] < -least), ("above", moved[:, item] > least)):
        first = _prefix(there if side == "below" else there[::-1])
        if first < max(LEAST_CHANCE * there.size, 1):
            continue
        inside = slice(0, first) if side == "below" else slice(there.size - first, None)
        edge = first if side == "below" else there.size - first
        mean = moved[inside].mean(axis=0)
        others = -np.sign(mean[item]) * np.where(np.arange(mean.size) == item, 0.0, mean)
        partner = int(others.argmax())
        takes = others[partner] > MOVES * abs(mean[item])
        found.append(
            Reading(
                side="below" if side == "below" else "above",
                iroas=float(iroas[[max(edge - 1, 0), min(edge, iroas.size - 1)]].mean()),
                chance=first / there.size,
                money=float(mean[item]),
                other=decision.channels[partner] if takes else "",
                other_money=float(mean[partner]) if takes else 0.0,
                gain=float(gain[inside].mean()),
            )
        )
    return tuple(found)


def _prefix(there: Bools) -> int:
    """Length of the longest beginning most of which is true and that ends with a true one; 0 where there is none."""
    share = np.cumsum(there) / np.arange(1, there.size + 1)
    good = np.flatnonzero(there & (share >= PURE))
    return int(good[-1]) + 1 if good.size and there[: max(1, there.size // 50)].any() else 0
