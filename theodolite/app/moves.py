"""The steps in the life of a test, as a page or a program takes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from theodolite.keys import Role

if TYPE_CHECKING:
    from theodolite.study import Study

Move = Literal["submit", "approve", "start", "complete", "analyse", "accept", "reject", "cancel"]


@dataclass(frozen=True, slots=True)
class Said:
    """What is said with a step.

    Attributes:
        reason: Why.
        incidents: Of a completion: what disturbed the test.
        self_approve: Of an approval: whether its author gives it.
    """

    reason: str = ""
    incidents: tuple[str, ...] = ()
    self_approve: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        label: What a button says.
        role: Who may take it.
        states: The states of a test in which it can be taken.
        needs_reason: Whether it needs a reason.
        take: Takes it.
    """

    label: str
    role: Role
    states: tuple[str, ...]
    needs_reason: bool
    take: "Callable[[Study, str, Said], object]"


_READ_OUT = ("analysed", "accepted", "rejected")

MOVES: Mapping[Move, Step] = {
    "submit": Step(
        "Hand in for review",
        "editor",
        ("draft",),
        False,
        lambda s, name, said: s.registry.submit(name, reason=said.reason),
    ),
    "approve": Step(
        "Approve the plan",
        "approver",
        ("in_review",),
        False,
        lambda s, name, said: s.registry.approve(name, reason=said.reason, self_approve=said.self_approve),
    ),
    "start": Step(
        "It has begun", "editor", ("approved",), False, lambda s, name, said: s.registry.start(name, reason=said.reason)
    ),
    "complete": Step(
        "It has ended",
        "editor",
        ("running",),
        False,
        lambda s, name, said: s.registry.complete(
            name,
            s.registry.told(name, None, {"incidents": list(said.incidents)}, from_data=True),
            reason=said.reason,
        ),
    ),
    "analyse": Step(
        "Analyse as planned",
        "editor",
        ("completed", *_READ_OUT),
        False,
        lambda s, name, said: s.registry.analyse(name, reason=said.reason),
    ),
    "accept": Step(
        "Accept as evidence",
        "approver",
        _READ_OUT,
        False,
        lambda s, name, said: s.registry.accept(name, reason=said.reason),
    ),
    "reject": Step(
        "Reject the result",
        "approver",
        ("analysed", "accepted"),
        True,
        lambda s, name, said: s.registry.reject(name, said.reason),
    ),
    "cancel": Step(
        "Give the test up",
        "editor",
        ("draft", "in_review", "approved", "running", "completed"),
        True,
        lambda s, name, said: s.registry.cancel(name, said.reason),
    ),
}
"""Every step; the registry says what may happen when, these are the buttons for it."""
