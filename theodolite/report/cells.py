"""Cells, advice and phrases that several sections share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from calibration.quantity import Move, Quantity, State
from calibration.verdict import move
from calibration.view import ChannelView
from theodolite.report.page import Cell, Name, Range, Span, Text, Tone
from theodolite.report.words import NOTHING, money, ratio, span

if TYPE_CHECKING:
    from theodolite.report.material import Material

type Advice = Literal["raise", "cut", "test first", "hold", "withheld", "unknown"]

ADVICE: dict[Advice, tuple[str, Tone]] = {
    "raise": ("spend more", "good"),
    "cut": ("spend less", "caution"),
    "test first": ("test first", "plain"),
    "hold": ("leave as it is", "plain"),
    "withheld": ("none yet", "caution"),
    "unknown": ("none", "muted"),
}
STATES: dict[State, str] = {
    "agree": "agree",
    "differ, same action": "differ, same action",
    "differ, action changes": "differ, action changes",
    "single source": "one source only",
    "not comparable": "not comparable",
    "stale": "tests are old",
    "conflict, withheld": "withheld",
}
STEP = 0.1
"""The small step of spend that advice is stated for."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of a tenth of a channel's spend would do, in money per period.

    Attributes:
        spend: Change of spend.
        revenue: Change of revenue that follows: median, low, high.
        profit: Change of profit, median.
    """

    spend: float
    revenue: Quantity
    profit: float


def advice(channel: ChannelView, break_even: float) -> Advice:
    """The action of a channel as one of few words."""
    if channel.iroas is None:
        return "withheld" if channel.state == "conflict, withheld" else "unknown"
    if channel.mroas is None or channel.next_above_break_even is None:
        return "unknown"
    decided: Move = move(channel.next_above_break_even, channel.mroas, break_even)
    return decided


def step(channel: ChannelView, material: "Material") -> Step | None:
    """A tenth more where the advice is to raise, a tenth less where it is to cut; ``None`` for any other advice."""
    decided = advice(channel, material.view.break_even)
    if channel.mroas is None or decided not in ("raise", "cut"):
        return None
    change = (STEP if decided == "raise" else -STEP) * channel.spend / material.periods
    low, high = sorted((channel.mroas.low * change, channel.mroas.high * change))
    revenue = Quantity(channel.mroas.median * change, low, high)
    return Step(change, revenue, revenue.median / material.view.break_even - change)


def quantity(found: Quantity | None, missing: str = "", ranged: bool = False, mark: float | None = None) -> Cell:
    """A ratio with its interval; a dash and a reason where there is none."""
    if found is None:
        return Cell(NOTHING, detail=missing, tone="muted")
    known = found.low < found.high
    drawn = Range(found.low, found.median, found.high, mark) if ranged and known else None
    detail = span(found.low, found.high) if known else "no interval given"
    return Cell(ratio(found.median), detail=detail, value=found.median, range=drawn)


def amount(value: float, currency: str) -> Cell:
    """Money."""
    return Cell(money(value, currency), value=value)


def scale(found: Iterable[Quantity | None]) -> tuple[float, float]:
    """A common scale for intervals, from 0 or below to the largest end."""
    known = [q for q in found if q is not None]
    return min([0.0, *(q.low for q in known)]), max([1.0, *(q.high for q in known)])


def names(channels: Sequence[str], most: int = 6) -> tuple[Span, ...]:
    """``a, b and c`` as spans; ``and 3 more`` where there are too many."""
    kept = list(channels[:most])
    rest = len(channels) - len(kept)
    spans: list[Span] = []
    for i, name in enumerate(kept):
        last = i == len(kept) - 1 and not rest
        spans += [" and " if last and i else ", " if i else "", Name(name)]
    return tuple(s for s in spans if s) + ((f" and {rest} more",) if rest else ())


def joined(*parts: Text) -> Text:
    """Several texts as one."""
    spans: list[Span] = []
    for part in parts:
        spans += [part] if isinstance(part, str) else list(part)
    return tuple(spans)
