"""Decisions: what was decided on which view and evidence, by whom, what it should bring, and what came of it.

A decision is recorded with its expected effect before anything has come; the outcome is scored later, beside it. A log
of which each line can be held against what came is what a team learns from: `Scores` says how often the intervals held.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from experiments.records.rules import identity
from experiments.registry.details import clean, reason_of
from experiments.registry.details import problems as said
from measurement.errors import DataError, Problem, StoreError, did_you_mean, refuse, shown
from measurement.lifecycle import Lifecycle
from measurement.provenance import canonical_json
from measurement.store import Entry, Event, Store, utc_now
from measurement.typing import Json
from theodolite.days import iso
from theodolite.plan_states import states
from theodolite.results import FIT, VIEW

LIFECYCLE = Lifecycle(
    "decision",
    {
        "add": {None: "open"},
        "score": {"open": "scored", "scored": "scored"},
        "withdraw": {"open": "withdrawn"},
    },
)
KINDS = {"decision.recorded": "add", "decision.scored": "score", "decision.withdrawn": "withdraw"}
EVENTS = {action: kind for kind, action in KINDS.items()}
LONGEST = 10_000
Z95 = 1.959963984540054


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Range(_Strict):
    """A median with its 90 % interval."""

    median: float
    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if not self.low <= self.median <= self.high:
            raise ValueError(f"found {self.low:g}, {self.median:g}, {self.high:g}; low, median and high rise")
        return self


class Decision(_Strict):
    """What was decided.

    ``what`` is the decision in words, ``expected`` its effect on ``metric`` by the day of ``review``, ``channels`` and
    ``evidence`` (tests) are those that it concerns and rests on, ``plan`` the plan of record that carries it out.
    """

    what: str = Field(min_length=1, max_length=LONGEST)
    metric: str = Field(min_length=1, max_length=500)
    expected: Range
    review: date
    channels: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    plan: str | None = None

    @field_validator("what", "metric")
    @classmethod
    def _readable(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("is blank; say it in words")
        return clean(text)


class Outcome(_Strict):
    """What came: the same metric, with its interval where that is known, and in words what else mattered."""

    actual: float
    low: float | None = None
    high: float | None = None
    note: str = Field(default="", max_length=LONGEST)

    @field_validator("note")
    @classmethod
    def _readable(cls, text: str) -> str:
        return clean(text)

    @model_validator(mode="after")
    def _both_ends(self) -> "Outcome":
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has both ends")
        if self.low is not None and self.high is not None and not self.low <= self.actual <= self.high:
            raise ValueError(f"found {self.low:g}, {self.actual:g}, {self.high:g}; low, actual and high rise")
        return self


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as the log knows it.

    Attributes:
        id: Its id.
        decision: What was decided.
        state: ``open``, ``scored`` or ``withdrawn``.
        at: When it was recorded, UTC.
        actor: By whom.
        hash: Hash of its event.
        basis: Hashes of the view and the fit on which it was taken, where there were any.
        outcomes: What came, each time that it was scored; the last counts.
        history: Who did what, when and why.
    """

    id: str
    decision: Decision
    state: str
    at: str
    actor: str
    hash: str
    basis: Mapping[str, str]
    outcomes: tuple[Outcome, ...] = ()
    history: tuple[Json, ...] = ()

    @property
    def verdict(self) -> str:
        """How the outcome stands to what was expected; empty before it was scored."""
        if not self.outcomes:
            return ""
        actual, expected = self.outcomes[-1].actual, self.decision.expected
        return "above" if actual > expected.high else "below" if actual < expected.low else "as expected"

    def due(self, today: date) -> bool:
        """Whether its review is due."""
        return self.state == "open" and self.decision.review <= today

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "id": self.id,
            "state": self.state,
            "at": self.at,
            "by": self.actor,
            "hash": self.hash,
            **self.decision.model_dump(mode="json"),
            "basis": dict(self.basis),
            "outcome": self.outcomes[-1].model_dump(mode="json") if self.outcomes else None,
            "verdict": self.verdict or None,
            "history": list(self.history),
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """How well past decisions foresaw what came.

    Attributes:
        scored: Decisions with an outcome.
        held: Those whose 90 % interval held it.
        low: Lower end of Wilson's 95 % interval of the share that holds.
        high: Its upper end.
        above: Outcomes above their interval.
        below: Outcomes below it.
        due: Open decisions whose review is due.
    """

    scored: int
    held: int
    low: float
    high: float
    above: int
    below: int
    due: int

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def scores(log: Iterable[Recorded], today: date) -> Scores:
    """Count what came of the decisions of a log."""
    found = list(log)
    verdicts = [each.verdict for each in found if each.verdict]
    n, held = len(verdicts), verdicts.count("as expected")
    low, high = wilson(held, n)
    due = sum(each.due(today) for each in found)
    return Scores(n, held, low, high, verdicts.count("above"), verdicts.count("below"), due)


def wilson(hits: int, runs: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); all of 0 to 1 where nothing was seen."""
    if not runs:
        return 0.0, 1.0
    share, z2 = hits / runs, Z95 * Z95
    centre = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = Z95 / (1 + z2 / runs) * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs))
    return max(0.0, centre - half), min(1.0, centre + half)


def fold(events: Iterable[Event]) -> dict[str, Recorded]:
    """Every decision, by id, from its events.

    Raises:
        StoreError: Where an event cannot be read here, or could not have happened when it did.
    """
    found: dict[str, Recorded] = {}
    for event in events:
        action = KINDS.get(event.kind)
        if action is not None:
            found[event.subject] = _after(found.get(event.subject), event, action)
    return found


def find(log: Iterable[Recorded], decision_id: str) -> Recorded:
    """One decision of a log.

    Raises:
        DataError: Where there is none of that id.
    """
    known = {each.id: each for each in log}
    if decision_id not in known:
        raise DataError(f"there is no decision '{shown(decision_id)}'{did_you_mean(decision_id, known)}")
    return known[decision_id]


def _after(known: Recorded | None, event: Event, action: str) -> Recorded:
    try:
        state = LIFECYCLE.after(action, None if known is None else known.state, event.subject)
        if known is None:
            told = Decision.model_validate_json(canonical_json(event.payload["decision"]))
            basis = dict(event.payload["basis"])
            known = Recorded(event.subject, told, state, event.at, event.actor, event.hash, basis)
        elif action == "score":
            came = Outcome.model_validate_json(canonical_json(event.payload["outcome"]))
            known = replace(known, outcomes=(*known.outcomes, came))
    except (DataError, KeyError, TypeError, ValidationError) as error:
        words = f"event {event.sequence} holds the decision '{shown(event.subject)}' in a form that cannot be read here"
        raise StoreError(f"{words}: {shown(str(error).splitlines()[0], 200)}") from None
    step = {"at": event.at, "by": event.actor, "action": action, "hash": event.hash}
    step |= {"reason": event.payload.get("reason", "")}
    return replace(known, state=state, history=(*known.history, step))


@dataclass(frozen=True)
class Decisions:
    """The log of a study's decisions. Get it as `Study.decisions`.

    Attributes:
        written: Whether the study has a store yet.
        store: Gives the study's store.
        tests: Gives the ids of its tests, which a decision may name as evidence.
        channels: Gives the names of its channels.
        actor: Who acts; every verb may name someone else as ``by``.
    """

    written: Callable[[], bool]
    store: Callable[[], Store]
    tests: Callable[[], Iterable[str]]
    channels: Callable[[], Iterable[str]]
    actor: str = "local"

    def list(self) -> tuple[Recorded, ...]:
        """Every decision, oldest first."""
        return tuple(fold(self.store().events()).values()) if self.written() else ()

    def get(self, decision_id: str) -> Recorded:
        """One decision.

        Raises:
            DataError: Where there is none of that id.
        """
        return find(self.list(), decision_id)

    def scores(self) -> Scores:
        """How well past decisions foresaw what came."""
        today = (self.store().clock if self.written() else utc_now)().date()
        return scores(self.list(), today)

    def check(self, decision: Decision | Mapping[str, Any]) -> Decision:
        """A decision that could be recorded. Writes nothing.

        Raises:
            DataError: With everything that is wrong about it.
        """
        told = decision if isinstance(decision, Decision) else _checked(Decision, decision)
        plans = states(self.store().events()) if told.plan is not None and self.written() else {}
        named = () if told.plan is None else (told.plan,)
        refuse(
            [
                *_unknown("evidence", told.evidence, self.tests()),
                *_unknown("channels", told.channels, self.channels()),
                *_unknown("plan", named, plans),
            ]
        )
        return told

    def add(
        self,
        decision: Decision | Mapping[str, Any],
        *,
        id: str | None = None,
        by: str | None = None,
    ) -> Recorded:
        """Record a decision, with the view and the fit on which it was taken.

        Args:
            decision: What was decided.
            id: Its id; ``decision-1`` and so on where left out.
            by: Who decided.

        Raises:
            DataError: With everything that is wrong about it, or where the id is taken.
        """
        told = self.check(decision)
        _, wrong = (None, None) if id is None else identity(id)
        if wrong is not None:
            raise DataError([Problem(f"a decision's id: {wrong}", column="id", code="id")])

        def decide(events: list[Event]) -> list[Entry]:
            known = fold(events)
            name = id or next(each for n in range(1, len(known) + 2) if (each := f"decision-{n}") not in known)
            if name in known:
                when = known[name].at[:10]
                raise DataError(f"decision '{shown(name)}' was recorded on {when}; nothing recorded is ever changed")
            last = {kind: event.hash for event in events for kind in (FIT, VIEW) if event.kind == kind}
            payload = {"decision": told.model_dump(mode="json", exclude_none=True), "basis": last}
            return [Entry(EVENTS["add"], name, payload, by or self.actor)]

        (event,) = self.store().append_decided(decide)
        return self.get(event.subject)

    def score(self, decision_id: str, outcome: Outcome | Mapping[str, Any], *, by: str | None = None) -> Recorded:
        """Record what came of a decision; scored again, the last outcome counts and the others stay."""
        told = outcome if isinstance(outcome, Outcome) else _checked(Outcome, outcome)
        return self._move("score", decision_id, {"outcome": told.model_dump(mode="json", exclude_none=True)}, by)

    def withdraw(self, decision_id: str, reason: str, *, by: str | None = None) -> Recorded:
        """Take a decision back before it is scored; it stays in the log."""
        if not reason.strip():
            raise DataError("'withdraw' needs a reason")
        return self._move("withdraw", decision_id, {"reason": reason_of(reason)}, by)

    def _move(self, action: str, decision_id: str, payload: Json, by: str | None) -> Recorded:
        self.get(decision_id)

        def decide(events: list[Event]) -> list[Entry]:
            LIFECYCLE.after(action, fold(events)[decision_id].state, decision_id)
            return [Entry(EVENTS[action], decision_id, payload, by or self.actor)]

        self.store().append_decided(decide)
        return self.get(decision_id)


def _checked[M: BaseModel](model: type[M], raw: Mapping[str, Any]) -> M:
    try:
        return model.model_validate_json(json.dumps(dict(raw), default=iso))
    except ValidationError as error:
        raise DataError(said(error, model.__name__.lower(), model.model_fields)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{model.__name__.lower()}: {shown(error, 200)}") from None


def _unknown(field: str, names: Iterable[str], known: Iterable[str]) -> list[Problem]:
    there = list(known)
    return [
        Problem(f"decision: there is no '{shown(name)}'{did_you_mean(name, there)}", column=field, code="unknown-name")
        for name in names
        if name not in there
    ]
