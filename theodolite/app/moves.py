"""The steps in the life of a test, as a page or a program takes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from theodolite.keys import Role

if TYPE_CHECKING:
    from theodolite.registry import Registry

Move = Literal[
    "submit",
    "approve",
    "start",
    "complete",
    "analyse",
    "accept",
    "reject",
    "cancel",
    "deviate",
    "regrade",
    "supersede",
]


@dataclass(frozen=True, slots=True)
class Said:
    """What is said with a step.

    Attributes:
        reason: Why.
        incidents: Of a completion: what disturbed the test.
        self_approve: Of an approval: whether its author gives it.
        on: Of a start: the first day, where it is not the planned one.
        actuals: Of a completion: money and days, where the study's media do not tell them
            (`experiments.registry.details.Actuals`).
        version: Of an acceptance or a grade: the version of the result; the newest where ``None``.
        grade: Of a grade given by hand.
        successor: The test that takes this one's place.
    """

    reason: str = ""
    incidents: tuple[str, ...] = ()
    self_approve: bool = False
    on: date | None = None
    actuals: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    grade: str = ""
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        label: What a button says.
        role: Who may take it.
        states: The states of a test in which it can be taken.
        take: Takes it.
        needs_reason: Whether it needs a reason.
        sure: What is asked before it is taken, where there is no way back.
    """

    label: str
    role: Role
    states: tuple[str, ...]
    take: "Callable[[Registry, str, Said], object]"
    needs_reason: bool = False
    sure: str = ""


_READ_OUT = ("analysed", "accepted", "rejected")


def _complete(registry: "Registry", name: str, said: Said) -> object:
    told = {"incidents": list(said.incidents), **said.actuals}
    stated = "spend" in said.actuals or "spend_delta" in said.actuals
    return registry.complete(name, registry.told(name, None, told, from_data=not stated), reason=said.reason)


MOVES: Mapping[Move, Step] = {
    "submit": Step("Hand in for review", "editor", ("draft",), lambda r, name, s: r.submit(name, reason=s.reason)),
    "approve": Step(
        "Approve the plan",
        "approver",
        ("in_review",),
        lambda r, name, s: r.approve(name, reason=s.reason, self_approve=s.self_approve),
        sure="Approve this plan? From now on it is locked, and only departures from it can be recorded.",
    ),
    "start": Step("It has begun", "editor", ("approved",), lambda r, name, s: r.start(name, on=s.on, reason=s.reason)),
    "complete": Step("It has ended", "editor", ("running",), _complete),
    "analyse": Step(
        "Analyse as planned", "editor", ("completed", *_READ_OUT), lambda r, name, s: r.analyse(name, reason=s.reason)
    ),
    "accept": Step(
        "Accept as evidence",
        "approver",
        _READ_OUT,
        lambda r, name, s: r.accept(name, version=s.version, reason=s.reason),
    ),
    "reject": Step(
        "Reject the result",
        "approver",
        ("analysed", "accepted"),
        lambda r, name, s: r.reject(name, s.reason),
        True,
        "Reject this result? It stays on record, and no fit counts it any more.",
    ),
    "regrade": Step(
        "Give another grade",
        "approver",
        _READ_OUT,
        lambda r, name, s: r.regrade(name, s.grade, s.reason, version=s.version),
        True,
    ),
    "deviate": Step(
        "Record a departure from the plan",
        "editor",
        ("approved", "running", "completed", *_READ_OUT),
        lambda r, name, s: r.deviate(name, s.reason),
        True,
    ),
    "supersede": Step(
        "Let another test take its place",
        "approver",
        ("draft", "in_review", "approved", "running", "completed", *_READ_OUT),
        lambda r, name, s: r.supersede(name, s.successor, s.reason),
        True,
        "Let another test take this one's place? It is no evidence any more, and there is no way back.",
    ),
    "cancel": Step(
        "Give the test up",
        "editor",
        ("draft", "in_review", "approved", "running", "completed"),
        lambda r, name, s: r.cancel(name, s.reason),
        True,
        "Give this test up? It stays on record and is counted; there is no way back.",
    ),
}
"""Every step; the registry says what may happen when, these are the buttons for it."""
