"""The life of a plan of record: drafted, submitted, approved by someone else, committed; each step an event.

::

    draft -> submitted -> approved -> committed
       any of them -> withdrawn

A plan's numbers are frozen when it is recorded. What a company spends by is the committed plan: there is one for any
period of time, so that a second one over the same days is refused until the first is withdrawn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from experiments.registry.details import reason_of
from measurement.errors import DataError, Problem, StoreError, did_you_mean, refuse, shown
from measurement.lifecycle import Lifecycle
from measurement.store import Entry, Event, Store
from measurement.typing import Json

RECORDED = "plan.recorded"
LIFECYCLE = Lifecycle(
    "plan",
    {
        "record": {None: "draft"},
        "submit": {"draft": "submitted"},
        "approve": {"submitted": "approved"},
        "commit": {"approved": "committed"},
        "withdraw": dict.fromkeys(("draft", "submitted", "approved", "committed"), "withdrawn"),
    },
)
KINDS = {
    RECORDED: "record",
    "plan.submitted": "submit",
    "plan.approved": "approve",
    "plan.committed": "commit",
    "plan.withdrawn": "withdraw",
}
EVENTS = {action: kind for kind, action in KINDS.items()}


@dataclass(frozen=True, slots=True)
class PlanState:
    """Where a plan stands.

    Attributes:
        name: The plan.
        state: Its state.
        author: Who recorded it.
        first: First day of its periods.
        last: First day of its last period.
        history: Who did what, when and why.
    """

    name: str
    state: str
    author: str
    first: date
    last: date
    history: tuple[Json, ...] = ()

    def to_dict(self) -> Json:
        """As plain JSON values."""
        days = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return {"name": self.name, "state": self.state, "by": self.author, **days, "history": list(self.history)}


def states(events: Iterable[Event]) -> dict[str, PlanState]:
    """Every plan, by name, folded from its events.

    Raises:
        StoreError: Where an event could not have happened when it did.
    """
    found: dict[str, PlanState] = {}
    for event in events:
        action = KINDS.get(event.kind)
        if action is None:
            continue
        known = found.get(event.subject)
        try:
            state = LIFECYCLE.after(action, None if known is None else known.state, event.subject)
        except DataError as error:
            raise StoreError(f"event {event.sequence} cannot have happened: {error.problems[0].message}") from None
        step = {"at": event.at, "by": event.actor, "action": action, "state": state, "hash": event.hash}
        step |= {"reason": event.payload.get("reason", ""), "self_approved": event.payload.get("self_approved", False)}
        made = known or _drafted(event)
        found[event.subject] = replace(made, state=state, history=(*made.history, step))
    return found


def move(
    store: Store, action: str, name: str, actor: str, *, reason: str = "", self_approve: bool = False
) -> PlanState:
    """Record that a plan was submitted, approved, committed or withdrawn.

    Args:
        store: The study's store.
        action: ``submit``, ``approve``, ``commit`` or ``withdraw``.
        name: The plan.
        actor: Who does it; not the plan's author where it is approved.
        reason: Why; needed to withdraw.
        self_approve: Whether the author may approve it, which the record then says.

    Raises:
        DataError: Where there is no such plan, or this may not happen to it now.
        StoreError: Where it cannot be recorded; then nothing was.
    """

    def decide(events: list[Event]) -> list[Entry]:
        known = states(events)
        if name not in known:
            raise DataError(f"there is no plan of record '{shown(name)}'{did_you_mean(name, known)}")
        LIFECYCLE.after(action, known[name].state, name)
        refuse(list(_objections(known, known[name], action, actor, reason, self_approve)))
        own = {"self_approved": True} if action == "approve" and self_approve else {}
        return [Entry(EVENTS[action], name, {"reason": reason_of(reason), **own}, actor)]

    store.append_decided(decide)
    return states(store.events())[name]


def _objections(
    known: Mapping[str, PlanState], plan: PlanState, action: str, actor: str, reason: str, self_approve: bool
) -> Iterable[Problem]:
    if action == "withdraw" and not reason.strip():
        yield Problem(f"plan '{shown(plan.name)}': 'withdraw' needs a reason", column="reason", code="plan")
    own = actor.strip().casefold() == plan.author.strip().casefold()
    if action == "approve" and own and not self_approve:
        words = f"{shown(actor)} made this plan: someone else approves it, or it is said to be self-approved"
        yield Problem(f"plan '{shown(plan.name)}': {words}", code="plan")
    for other in known.values() if action == "commit" else ():
        if other.state == "committed" and other.first <= plan.last and plan.first <= other.last:
            words = f"'{shown(other.name)}' is committed from {other.first} to {other.last}: withdraw it first"
            yield Problem(f"plan '{shown(plan.name)}': {words}", code="plan")


def _drafted(event: Event) -> PlanState:
    try:
        first, last = (date.fromisoformat(event.payload[end]) for end in ("from", "to"))
    except (KeyError, TypeError, ValueError):
        words = f"event {event.sequence} holds the plan '{shown(event.subject)}' in a form that cannot be read here"
        raise StoreError(f"{words}; was it written by another version of Theodolite?") from None
    return PlanState(event.subject, "draft", event.actor, first, last)
