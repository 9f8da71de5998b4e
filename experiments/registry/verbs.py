"""The verbs of the registry: each decides from everything recorded so far, and records its event or nothing.

Who did it is the ``actor``; when is the store's clock; what must hold is checked under the store's lock, so that two
people at once cannot both be right.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.records import Experiment
from experiments.registry.assessment import assess
from experiments.registry.blackouts import Blackout, blacked_out
from experiments.registry.clashes import conflicts
from experiments.registry.details import (
    Acceptance,
    Approval,
    Completion,
    Detail,
    Registration,
    Regrade,
    Start,
    Supersession,
    payload,
)
from experiments.registry.ledger import Ledger, Registered, delivered, fold
from experiments.registry.plan import Plan
from experiments.registry.states import EVENTS, LIFECYCLE, Action
from experiments.spend import contradictions
from measurement.errors import Problem, StoreError, refuse, shown
from measurement.store import Entry, Event, Store

REASONED: tuple[Action, ...] = ("reject", "cancel", "supersede", "deviate", "regrade")
"""What nobody may do without saying why."""


def load(store: Store) -> Ledger:
    """Return every registered test.

    Raises:
        StoreError: When the store is damaged, or holds an event that this version cannot read.
    """
    return fold(store.events())


def add(store: Store, tests: Sequence[Plan | Experiment], actor: str, reason: str = "") -> list[Event]:
    """Register tests: all of them, or none. A plan becomes a draft; a record with its result arrives accepted.

    A test that is registered already with the same content is left alone, so that a file can be registered twice.

    Args:
        store: The workspace's store.
        tests: Plans, or results that were measured elsewhere.
        actor: Who registers them.
        reason: Why.

    Returns:
        The new events, one for each test that was not registered before.

    Raises:
        DataError: When an id is registered with other content, or stands in ``tests`` twice with different content;
            every such id is named.
        StoreError: When the store is damaged or cannot be written.
    """
    plans = [test if isinstance(test, Plan) else Plan(experiment=test) for test in tests]

    def decide(events: list[Event]) -> list[Entry]:
        known = fold(events).tests
        refuse([*_contradictions(plans), *_changes(plans, known)])
        new = {plan.experiment.experiment_id: plan for plan in plans if plan.experiment.experiment_id not in known}
        return [_entry("register", name, Registration(plan=plan, reason=reason), actor) for name, plan in new.items()]

    return store.append_decided(decide)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be recorded of a test.

    Attributes:
        action: The verb.
        experiment_id: The test.
        actor: Who.
        detail: What the event says; a function of the test where it depends on it; nothing where left out.
    """

    action: Action
    experiment_id: str
    actor: str
    detail: Detail | Callable[[Registered], Detail] = field(default_factory=Detail)


def record(store: Store, asked: Asked, blackouts: Sequence[Blackout] = ()) -> Event:
    """Record what happened to a test.

    Args:
        store: The workspace's store.
        asked: What happened, to which, by whom.
        blackouts: Days on which no test may run; one that would is neither approved nor begun.

    Raises:
        DataError: When there is no such test, or this may not happen to it now: every reason is named.
        StoreError: When the store is damaged or cannot be written.
    """

    def decide(events: list[Event]) -> list[Entry]:
        ledger = fold(events)
        test = ledger[asked.experiment_id]
        detail = asked.detail if isinstance(asked.detail, Detail) else asked.detail(test)
        LIFECYCLE.after(asked.action, test.state, test.experiment_id)
        refuse(_objections(ledger, test, asked, detail, store.clock().date().isoformat()))
        if asked.action in ("approve", "start"):
            refuse(blacked_out(test, blackouts, detail.on if isinstance(detail, Start) else None))
        return [_entry(asked.action, asked.experiment_id, detail, asked.actor)]

    return store.append_decided(decide)[0]


def approval(*, self_approved: bool = False, reason: str = "") -> Callable[[Registered], Detail]:
    """The approval of whatever plan stands when it is recorded."""
    return lambda test: Approval(plan=test.plan_hash, self_approved=self_approved, reason=reason)


def _objections(ledger: Ledger, test: Registered, asked: Asked, detail: Detail, today: str) -> list[Problem]:
    """Everything that forbids an action which the state allows."""
    found: list[Problem] = []
    if asked.action in REASONED and not detail.reason.strip():
        found.append(_problem(test, f"'{asked.action}' needs a reason", "reason"))
    if asked.action in ("approve", "start"):
        found += conflicts(test, ledger.others(test.experiment_id))
    match detail:
        case Registration():
            found += _revision(test, detail)
        case Approval():
            found += _approval(test, detail, asked.actor)
        case Completion():
            found += _completion(test, detail, today)
        case Acceptance():
            found += _acceptance(ledger, test, detail)
        case Regrade():
            found += _version(test, detail.version)
        case Supersession():
            found += _supersession(ledger, test, detail)
    return found


def _revision(test: Registered, detail: Registration) -> Iterable[Problem]:
    if detail.plan.experiment.experiment_id != test.experiment_id:
        yield _problem(test, "a revision keeps the id; register a new test under another one", "experiment_id")
    if detail.plan.experiment.has_result:
        yield _problem(test, "a plan says nothing of what was measured", "estimate")
    if detail.plan == test.plan:
        yield _problem(test, "the plan is the same as before", None)


def _approval(test: Registered, detail: Approval, actor: str) -> Iterable[Problem]:
    own = actor.strip().casefold() == test.author.strip().casefold()
    if own and not detail.self_approved:
        yield _problem(
            test, f"{shown(actor)} wrote this plan: someone else approves it, or it is said to be self-approved"
        )


def _completion(test: Registered, detail: Completion, today: str) -> Iterable[Problem]:
    told = detail.actuals
    start = told.start_date or test.started_on or test.experiment.start_date
    end = told.end_date or test.experiment.end_date
    if end < start:
        yield _problem(test, f"it ended on {end}, before its start on {start}", "end_date")
    if told.cooldown_end_date is not None and told.cooldown_end_date < end:
        yield _problem(
            test, f"the cool-down ended on {told.cooldown_end_date}, before the test on {end}", "cooldown_end_date"
        )
    if end.isoformat() > today:
        yield _problem(
            test, f"it runs until {end}; where it was stopped before, say on which day (end_date)", "end_date"
        )
    delta = delivered(test.experiment, told)
    if delta == 0:
        yield _problem(test, "a change of spend of 0 measures nothing: cancel the test", "spend_delta")
    for problem in contradictions(test.experiment.model_copy(update={"spend_delta": delta})):
        yield _problem(test, f"its spend {problem.message}; cancel it where it never took place", "spend_delta")


def _acceptance(ledger: Ledger, test: Registered, detail: Acceptance) -> Iterable[Problem]:
    unknown = list(_version(test, detail.version))
    yield from unknown
    if not unknown and assess(ledger, test, test.versions[detail.version - 1]).grade == "E":
        words = "grade E is no evidence: reject it, or give another grade by hand, with the reason"
        yield _problem(test, words, "grade")


def _version(test: Registered, number: int) -> Iterable[Problem]:
    if not 1 <= number <= len(test.versions):
        yield _problem(test, f"there is no version {number} of its result; there are {len(test.versions)}", "version")


def _supersession(ledger: Ledger, test: Registered, detail: Supersession) -> Iterable[Problem]:
    other = ledger[detail.by]
    if other.experiment_id == test.experiment_id:
        yield _problem(test, "a test does not supersede itself", "by")
    elif other.state in ("cancelled", "superseded"):
        yield _problem(test, f"test '{shown(detail.by)}' is {other.state}: it supersedes nothing", "by")


def _entry(action: Action, name: str, detail: Detail, actor: str) -> Entry:
    return Entry(EVENTS[action], name, payload(detail), actor)


def _problem(test: Registered, words: str, column: str | None = None) -> Problem:
    return Problem(f"test '{shown(test.experiment_id)}': {words}", column=column, code="registry")


def _contradictions(plans: Sequence[Plan]) -> Iterable[Problem]:
    first: dict[str, Plan] = {}
    for plan in plans:
        name = plan.experiment.experiment_id
        if first.setdefault(name, plan) != plan:
            words = f"'{shown(name)}' stands twice with different content ({difference(first[name], plan)})"
            yield Problem(words, column="experiment_id", code="registry.content")


def _changes(plans: Sequence[Plan], known: Mapping[str, Registered]) -> Iterable[Problem]:
    for plan in plans:
        name = plan.experiment.experiment_id
        if name in known and known[name].plan != plan:
            test = known[name]
            advice = (
                "revise it, as long as it is not approved"
                if test.state in ("draft", "in_review")
                else "give the new one an id of its own and let it supersede the old one"
            )
            words = (
                f"'{shown(name)}' was registered on {test.registered_at[:10]} with other content "
                f"({difference(test.plan, plan)}); a record is never overwritten: {advice}"
            )
            yield Problem(words, column="experiment_id", code="registry.content")


def difference(old: Plan, new: Plan) -> str:
    """The fields in which two plans differ, in words."""
    pairs = [
        (field, before[field], after[field])
        for before, after in (
            (old.experiment.model_dump(mode="json"), new.experiment.model_dump(mode="json")),
            (old.protocol.model_dump(mode="json"), new.protocol.model_dump(mode="json")),
        )
        for field in after
    ]
    return ", ".join(f"{field}: {shown(a, 40)} -> {shown(b, 40)}" for field, a, b in pairs if a != b)


def examine(store: Store) -> list[Problem]:
    """What is wrong with the registry although its chain of hashes holds: events that could not have happened."""
    try:
        load(store)
    except StoreError as error:
        return [Problem(str(error), code="store.registry")]
    return []
