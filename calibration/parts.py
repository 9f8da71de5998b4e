"""Parts of the unified view below and beside its channels: cells, campaigns, and what hangs on each source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from calibration.quantity import Move, Quantity, plain
from measurement.typing import Json


@dataclass(frozen=True, slots=True)
class Without:
    """The unified view of a channel with one source left out.

    Attributes:
        iroas: Unified iROAS by the others.
        action: What they would have one do.
    """

    iroas: Quantity
    action: Move

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"iroas": self.iroas.to_dict(), "action": self.action}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(Quantity(**raw["iroas"]), raw["action"])


@dataclass(frozen=True, slots=True)
class Tipping:
    """How wrong a source would have to be about a channel before the action changed.

    Attributes:
        overstates: The factor by which it would have to overstate the channel, beyond what the evidence model already
            makes of it; below 1 it would have to understate it.
        becomes: What the action would then be.
    """

    overstates: float
    becomes: Move

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"overstates": self.overstates, "becomes": self.becomes}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(raw["overstates"], raw["becomes"])


@dataclass(frozen=True, slots=True)
class Cell:
    """A channel in a stretch of time, in one market or all.

    Attributes:
        channel: Its name.
        market: The market; empty for all together.
        start: First day of its first period.
        end: First day of its last period.
        spend: Money.
        iroas: Unified iROAS of that money, carry-over included; ``None`` where nothing was spent or it is withheld.
        above_break_even: Probability that it exceeds break-even.
    """

    channel: str
    market: str
    start: str
    end: str
    spend: float
    iroas: Quantity | None
    above_break_even: float | None

    def to_dict(self) -> Json:
        """As in ``reconcile --json``."""
        return {
            "channel": self.channel,
            "market": self.market or None,
            "from": self.start,
            "to": self.end,
            "spend": self.spend,
            "iroas": plain(self.iroas),
            "above_break_even": self.above_break_even,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        span = raw["from"], raw["to"], raw["spend"]
        iroas = Quantity.from_dict(raw["iroas"])
        return cls(raw["channel"], raw["market"] or "", *span, iroas, raw["above_break_even"])


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign's part of its channel: split by attribution, rescaled to the channel's unified total.

    Attributes:
        channel: The channel.
        campaign: The campaign; empty for what carries no campaign's name.
        share: Its share of the channel's credit.
        value: Incremental revenue over attribution's window, money; those of a channel add up to the channel's.
        spend: Its spend there; ``None`` where it is not known.
        iroas: Value over spend.
    """

    channel: str
    campaign: str
    share: Quantity
    value: Quantity
    spend: float | None
    iroas: Quantity | None

    def to_dict(self) -> Json:
        """As in ``reconcile --json``."""
        return {
            "channel": self.channel,
            "campaign": self.campaign,
            "share": self.share.to_dict(),
            "value": self.value.to_dict(),
            "spend": self.spend,
            "iroas": plain(self.iroas),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        share, value = Quantity(**raw["share"]), Quantity(**raw["value"])
        return cls(raw["channel"], raw["campaign"], share, value, raw["spend"], Quantity.from_dict(raw["iroas"]))
