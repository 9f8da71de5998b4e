"""Blackouts: days on which no test may run, because what they show is no ordinary business (a sale, a strike, a move).

They are settings of a study and no events: who plans a year ahead names them once, and every test that would run or be
read out on one of their days is refused where its plan is made, approved or begun. A test that has run stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from experiments.registry.states import State
from measurement.errors import Problem, shown
from measurement.typing import Json

if TYPE_CHECKING:
    from experiments.registry.ledger import Registered

AHEAD: tuple[State, ...] = ("draft", "in_review", "approved", "running")
"""States of tests that have not ended."""


@dataclass(frozen=True, slots=True)
class Blackout:
    """Days on which no test may run.

    Attributes:
        start: The first of them.
        end: The last of them.
        reason: Why.
    """

    start: date
    end: date
    reason: str

    def __str__(self) -> str:
        return f"{self.start} to {self.end} ({shown(self.reason, 80)})"

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat(), "reason": self.reason}


def first_free(start: date, days: int, blackouts: Sequence[Blackout]) -> date:
    """The first day, from ``start`` on, from which a test of so many days, cool-down included, meets no blackout."""
    for blackout in sorted(blackouts, key=lambda each: each.start):
        if start <= blackout.end and blackout.start <= start + timedelta(days=days - 1):
            start = blackout.end + timedelta(days=1)
    return start


def met(start: date, end: date, blackouts: Sequence[Blackout]) -> list[str]:
    """What forbids a test from ``start`` to ``end``, cool-down included, in words; each says when it could begin."""
    free = first_free(start, (end - start).days + 1, blackouts)
    return [
        f"no test may run from {blackout}, and this one would from {start} to {end}, cool-down included: "
        f"it could begin on {free}"
        for blackout in blackouts
        if start <= blackout.end and blackout.start <= end
    ]


def blacked_out(test: "Registered", blackouts: Sequence[Blackout], on: date | None = None) -> list[Problem]:
    """What forbids a registered test that has not ended; nothing for the others.

    Args:
        test: The test.
        blackouts: The days on which none may run.
        on: Its first day, where it begins on another one than is planned.
    """
    if test.state not in AHEAD:
        return []
    found = met(on or test.conducted.start_date, test.conducted.read_out_end, blackouts)
    return [Problem(f"test '{shown(test.experiment_id)}': {words}", code="blackout") for words in found]
