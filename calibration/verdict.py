"""How the methods stand to each other, and what follows: states and actions in words, by fixed rules.

**Action** of the unified view, from the return of the next unit of money (mROAS) against break-even:
``raise`` where P(mROAS > break-even) >= 0.8, ``cut`` where it is <= 0.2; in between ``test first`` where the 90 %
interval reaches from a quarter below to a quarter above break-even or beyond, else ``hold``. A withheld channel waits
for its conflict to be resolved.

**State** compares the MMM without tests, the pooled tests and the primary attribution model, each taken at face value.
Two of them differ where the 90 % interval of the difference of their logs leaves out 0. The action changes where one of
them, read alone against break-even, says raise and another says cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from calibration.view import Quantity, State

Move = Literal["raise", "cut", "test first", "hold"]

SURE = 0.8
WIDE = 1.25
STALE_YEARS = 2.0
Z90 = 1.6448536269514722

NAMES = {"mmm": "the model", "experiments": "the tests", "attribution": "attribution"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and the reason for it, in words."""

    state: State
    reason: str


def state_of(
    sources: Mapping[str, Quantity], break_even: float, youngest_test: float | None, withheld: str | None
) -> Verdict:
    """Compare the methods of one channel.

    Args:
        sources: What ``mmm``, ``experiments`` and ``attribution`` say, where they say something.
        break_even: iROAS at which the margin just pays.
        youngest_test: Years since the read-out of the youngest test; ``None`` without tests.
        withheld: Why the number is withheld, or ``None``.
    """
    if withheld is not None:
        return Verdict("conflict, withheld", withheld)
    if len(sources) <= 1:
        only = NAMES[next(iter(sources))] if sources else "nobody"
        return Verdict("single source", f"only {only} speaks for this channel")
    apart = [(a, b) for a, b in combinations(sources, 2) if differ(sources[a], sources[b])]
    if apart:
        said = {name: face_value(quantity, break_even) for name, quantity in sources.items()}
        words = "; ".join(f"{NAMES[name]}: {quantity.median:.2f}" for name, quantity in sources.items())
        changes = {"raise", "cut"} <= set(said.values())
        return Verdict("differ, action changes" if changes else "differ, same action", words)
    if youngest_test is not None and youngest_test > STALE_YEARS:
        return Verdict("stale", f"the youngest test is {youngest_test:.1f} years old")
    return Verdict("agree", "their intervals allow the same truth")


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
