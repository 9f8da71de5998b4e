"""How the methods stand to each other, and what follows: states and actions in words, by fixed rules.

**Action** of the unified view, from the return of the next unit of money (mROAS) against break-even:
``raise`` where P(mROAS > break-even) >= 0.8, ``cut`` where it is <= 0.2; in between ``test first`` where the 90 %
interval reaches from a quarter below to a quarter above break-even or beyond, else ``hold``. A withheld channel waits
for its conflict to be resolved.

**State** compares the MMM without tests, the pooled tests and the primary attribution model, each taken at face value.
Two of them differ where the 90 % interval of the difference of their logs leaves out 0. The action changes where they,
each believed alone, would move the money differently (more, less, not at all); the reason names who says what. What
each says is read of the next unit of money too: its number times the curve's ratio of marginal to average return.

**Tipping**: how wrong a source's own number would have to be before the money moved differently, the unified number
following it by the source's weight. ``hold`` and ``test first`` both leave the money where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from calibration.parts import Tipping, Without
from calibration.quantity import Move, Quantity, State
from measurement.typing import Floats

SURE = 0.8
WIDE = 1.25
STALE_YEARS = 2.0
Z90 = 1.6448536269514722

FARTHEST = 10.0
"""Errors of a source by a larger factor are not told: nobody would believe them."""

NAMES = {"mmm": "the model", "experiments": "the tests", "attribution": "attribution"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state, the reason for it in words, and what each source, believed alone, would have one do."""

    state: State
    reason: str
    says: Mapping[str, Move] = field(default_factory=dict)


def state_of(
    sources: Mapping[str, Quantity],
    break_even: float,
    youngest_test: float | None,
    withheld: str | None,
    marginal: float = 1.0,
) -> Verdict:
    """Compare the methods of one channel.

    Args:
        sources: What ``mmm``, ``experiments`` and ``attribution`` say, where they say something.
        break_even: iROAS at which the margin just pays.
        youngest_test: Years since the read-out of the youngest test; ``None`` without tests.
        withheld: Why the number is withheld, or ``None``.
        marginal: Return of the next unit of money over the average return.
    """
    says = {name: face_value(quantity, break_even / marginal) for name, quantity in sources.items()}
    if withheld is not None:
        return Verdict("conflict, withheld", withheld, says)
    if len(sources) <= 1:
        only = NAMES[next(iter(sources))] if sources else "nobody"
        return Verdict("single source", f"only {only} speaks for this channel", says)
    said = [(says[name], f"{NAMES[name]} ({sources[name].median:.2f})") for name in sources]
    if any(differ(sources[a], sources[b]) for a, b in combinations(sources, 2)):
        if len({money(said) for said in says.values()}) > 1:
            parts = [f"{' and '.join(words)} {_say(words)} {move}" for move, words in _by_move(said).items()]
            return Verdict("differ, action changes", ", ".join(parts), says)
        words = ", ".join(text for _, text in said)
        return Verdict("differ, same action", f"{words}: the same action by each", says)
    if youngest_test is not None and youngest_test > STALE_YEARS:
        return Verdict("stale", f"the youngest test is {youngest_test:.1f} years old", says)
    return Verdict("agree", "their intervals allow the same truth", says)


def money(decision: Move) -> Literal["raise", "cut", "leave"]:
    """What an action does with the money."""
    return decision if decision in ("raise", "cut") else "leave"


def _by_move(said: list[tuple[Move, str]]) -> dict[Move, list[str]]:
    return {move: [text for other, text in said if other == move] for move in dict.fromkeys(m for m, _ in said)}


def _say(words: list[str]) -> str:
    alone = len(words) == 1 and not words[0].startswith(NAMES["experiments"])
    return "says" if alone else "say"


def rests_on(now: Move | None, without: Mapping[str, Without]) -> str:
    """Which sources the action rests on, in words; empty where none, left out alone, would change it."""
    turned: dict[Move, list[str]] = {}
    for source, rest in without.items():
        if now is not None and money(rest.action) != money(now):
            turned.setdefault(rest.action, []).append(f"without {NAMES[source]}")
    return ", ".join(f"{' or '.join(names)} it would be {move}" for move, names in turned.items())


def differ(first: Quantity, second: Quantity) -> bool:
    """Whether the 90 % interval of the difference leaves out 0: of logs, or as they are where one may be <= 0."""
    if min(first.low, second.low) > 0:
        gap = abs(np.log(first.median / second.median))
        spread = np.hypot(np.log(first.high / first.low), np.log(second.high / second.low)) / 2
    else:
        gap = abs(first.median - second.median)
        spread = np.hypot(first.high - first.low, second.high - second.low) / 2
    return bool(gap > spread)


def face_value(quantity: Quantity, break_even: float) -> Move:
    """What one source, read alone, would have people do: raise, cut or hold."""
    sd = max((quantity.high - quantity.low) / (2 * Z90), 1e-12)
    z = (quantity.median - break_even) / sd
    return "raise" if z > 0.8416 else "cut" if z < -0.8416 else "hold"


def advised(mroas: Floats, break_even: float) -> Move:
    """The action that draws of the next unit's return, shape (draws,), call for."""
    low, middle, high = np.quantile(mroas, [0.05, 0.5, 0.95])
    return move(float(np.mean(mroas > break_even)), Quantity(float(middle), float(low), float(high)), break_even)


def tipping(mroas: Floats, break_even: float, weight: float) -> Tipping | None:
    """The least error of a source's own number that would change the action.

    Args:
        mroas: Draws of the next unit's return, shape (draws,).
        break_even: iROAS at which the margin just pays.
        weight: How far the unified number, as a log, follows the source's.

    Returns:
        ``None`` where no error up to a factor of `FARTHEST` would.
    """
    ordered = np.sort(mroas)
    ends = np.quantile(ordered, [0.05, 0.5, 0.95])

    def at(shift: float) -> Move:
        low, middle, high = (float(end) for end in ends * np.exp(shift))
        below = np.searchsorted(ordered, break_even * np.exp(-shift), side="right")
        return move(1 - below / ordered.size, Quantity(middle, low, high), break_even)

    now = at(0.0)
    for size in np.arange(0.01, np.log(FARTHEST) * weight, 0.01):
        for shift in (-size, size):
            if money(at(shift)) != money(now):
                return Tipping(float(np.exp(-shift / weight)), at(shift))
    return None


def move(probability: float, mroas: Quantity, break_even: float) -> Move:
    """The action of the unified view (module's docstring).

    Args:
        probability: P(mROAS > break-even).
        mroas: Return of the next unit of money.
        break_even: iROAS at which the margin just pays.
    """
    if probability >= SURE:
        return "raise"
    if probability <= 1 - SURE:
        return "cut"
    wide = mroas.low < break_even / WIDE and mroas.high > break_even * WIDE
    return "test first" if wide else "hold"


def in_words(decision: Move, probability: float, tested: bool) -> str:
    """The action as a sentence for people who decide."""
    chance = "under 1%" if probability < 0.01 else "over 99%" if probability > 0.99 else f"{probability:.0%}"
    sure = f"{chance} sure that the next unit of spend pays"
    match decision:
        case "raise":
            return f"raise: {sure}"
        case "cut":
            return f"cut: {sure}" if probability < 0.01 else f"cut: only {sure}"
        case "hold":
            return f"hold: close to break-even, {sure}"
        case _:
            return f"test {'again' if tested else 'first'}: too little is known to move money, {sure}"
