"""The ledger: what every test is and where it stands, folded from its events whenever it is read. Nothing is stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from experiments.records import Experiment, Grade
from experiments.registry import details
from experiments.registry.details import Actuals, Analysis
from experiments.registry.plan import Plan, Protocol
from experiments.registry.states import KINDS, LIFECYCLE, Action, State
from measurement.errors import DataError, StoreError, did_you_mean, shown
from measurement.provenance import sha256_of
from measurement.store import Event


@dataclass(frozen=True, slots=True)
class Step:
    """One event in a test's history.

    Attributes:
        sequence: Its place in the store's chain.
        at: When, UTC.
        actor: Who.
        action: What happened.
        state: The state after it.
        reason: Why, in the actor's words.
        hash: The event's hash.
    """

    sequence: int
    at: str
    actor: str
    action: Action
    state: State
    reason: str
    hash: str


@dataclass(frozen=True, slots=True)
class Approved:
    """An approval: the plan's hash, when and by whom; ``by_author`` where its own author approved it."""

    plan: str
    at: str
    actor: str
    by_author: bool

    @property
    def day(self) -> date:
        """The day of it, UTC."""
        return date.fromisoformat(self.at[:10])


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a test's result.

    Attributes:
        number: From 1.
        record: The record with what was measured.
        at: When it was recorded, UTC.
        actor: By whom.
        hash: Hash of the event that holds it: what a fit or a report names as its parent.
        analysis: How it was made; ``None`` where it was measured elsewhere.
        override: A grade given by hand, with its reason and who gave it.
    """

    number: int
    record: Experiment
    at: str
    actor: str
    hash: str
    analysis: Analysis | None = None
    override: tuple[Grade, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """One test as the registry knows it. Everything on it is derived from its events.

    Attributes:
        plan: The record and the protocol as they stand.
        plan_hash: Hash of the plan as it was recorded.
        plan_version: How often the plan was written, from 1.
        state: Where the test stands.
        outside: Whether it was measured elsewhere and imported with its result.
        registered_at: When it was first recorded, UTC.
        actor: Who recorded it.
        author: Who wrote the plan as it stands.
        hash: Hash of the event that holds the plan.
        approval: The approval of the plan.
        started_on: First day, as it was said at the start.
        actuals: What happened.
        versions: Every version of the result.
        accepted: Number of the version that counts; ``None`` where none does.
        deviations: Departures from the approved plan, as they were recorded.
        superseded_by: The test that took this one's place.
        ended_on: The day on which it was cancelled, UTC.
        history: Its events, oldest first.
    """

    plan: Plan
    plan_hash: str
    plan_version: int
    state: State
    outside: bool
    registered_at: str
    actor: str
    author: str
    hash: str
    approval: Approved | None = None
    started_on: date | None = None
    actuals: Actuals | None = None
    versions: tuple[Version, ...] = ()
    accepted: int | None = None
    deviations: tuple[str, ...] = ()
    superseded_by: str | None = None
    ended_on: date | None = None
    history: tuple[Step, ...] = field(default=())

    @property
    def experiment(self) -> Experiment:
        """The record as it was planned, or imported."""
        return self.plan.experiment

    @property
    def protocol(self) -> Protocol:
        """What was registered beside the record."""
        return self.plan.protocol

    @property
    def experiment_id(self) -> str:
        """Its id."""
        return self.experiment.experiment_id

    @property
    def conducted(self) -> Experiment:
        """The record as the test was run: actual days and money, and whether its plan was locked before it began."""
        if self.outside:
            return self.experiment
        told = self.actuals
        days = {
            "start_date": (told and told.start_date) or self.started_on,
            "end_date": told and told.end_date,
            "cooldown_end_date": told and told.cooldown_end_date,
            "spend_delta": self.delivered,
        }
        changed = {name: value for name, value in days.items() if value is not None}
        return self.experiment.model_copy(update=changed | {"preregistered": self.preregistered})

    @property
    def preregistered(self) -> bool:
        """Whether the plan was approved on the first day of the test or before; of an import, as its record says."""
        if self.outside:
            return self.experiment.preregistered
        first = (self.actuals and self.actuals.start_date) or self.started_on or self.experiment.start_date
        return self.approval is not None and self.approval.day <= first

    @property
    def delivered(self) -> float | None:
        """The change of spend in treatment as it was delivered, signed; ``None`` where it is not known."""
        return None if self.actuals is None else delivered(self.experiment, self.actuals)

    @property
    def counting(self) -> Version | None:
        """The version of the result that counts as evidence."""
        return None if self.accepted is None else self.versions[self.accepted - 1]

    @property
    def occupied(self) -> tuple[date, date] | None:
        """First and last day on which the test disturbs its markets, cool-down included; ``None`` where it never does.

        A plan that is not approved holds no days; a test that was stopped holds them until that day and as long after
        as its cool-down was planned to last.
        """
        test = self.conducted
        if self.outside or self.approval is not None:
            if self.state not in ("cancelled", "superseded") or self.versions or self.actuals is not None:
                return test.start_date, test.read_out_end
            if self.started_on is not None and self.ended_on is not None:
                after = test.read_out_end - test.end_date
                return test.start_date, min(test.read_out_end, max(self.ended_on + after, test.start_date))
        return None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every test of a registry, by id, in the order in which they were first registered."""

    tests: Mapping[str, Registered]

    def __getitem__(self, experiment_id: str) -> Registered:
        """A test.

        Raises:
            DataError: Where there is none of that id; the nearest is named.
        """
        if experiment_id not in self.tests:
            near = did_you_mean(experiment_id, self.tests)
            raise DataError(f"there is no test '{shown(experiment_id)}' in the registry{near}")
        return self.tests[experiment_id]

    def others(self, experiment_id: str) -> list[Registered]:
        """All tests but one."""
        return [test for name, test in self.tests.items() if name != experiment_id]


def fold(events: Iterable[Event]) -> Ledger:
    """Derive every test from its events; those of other rooms are left alone.

    Raises:
        StoreError: Where an event cannot be read here, or could not have happened when it did.
    """
    tests: dict[str, Registered] = {}
    for event in events:
        action = KINDS.get(event.kind)
        if action is not None:
            tests[event.subject] = after(tests.get(event.subject), event, action)
    return Ledger(tests)


def after(test: Registered | None, event: Event, action: Action) -> Registered:
    """A test after one more event.

    Raises:
        StoreError: Where the event cannot be read here, or cannot follow.
    """
    detail = details.read(event, action)
    if isinstance(detail, details.Registration) and action == "register" and detail.plan.experiment.has_result:
        action = "import"
    try:
        state: State = LIFECYCLE.after(action, None if test is None else test.state, event.subject)  # type: ignore[assignment]
    except DataError as error:
        raise StoreError(f"event {event.sequence} cannot have happened: {error.problems[0].message}") from None
    step = Step(event.sequence, event.at, event.actor, action, state, detail.reason, event.hash)
    made = _first(event, detail) if test is None else _next(test, event, action, detail)
    return replace(made, state=state, history=(*made.history, step))


def delivered(planned: Experiment, told: Actuals) -> float | None:
    """The change of spend in treatment: as it was told, or the treated spend less what it usually is, where known."""
    usual, treated = planned.counterfactual_spend, told.spend.get("treatment")
    if told.spend_delta is None and usual is not None and treated is not None:
        return treated - usual
    return told.spend_delta


def of_file(record: Experiment) -> Registered:
    """A result that stands in a file of the study and never went through the registry: measured elsewhere, accepted."""
    return Registered(
        plan=Plan(experiment=record),
        plan_hash=sha256_of({"experiment": record.model_dump(mode="json", exclude_none=True)}),
        plan_version=1,
        state="accepted",
        outside=True,
        registered_at="",
        actor="",
        author="",
        hash="",
        versions=(Version(1, record, "", "", ""),),
        accepted=1,
    )


def _first(event: Event, detail: details.Detail) -> Registered:
    assert isinstance(detail, details.Registration)  # noqa: S101 (the lifecycle begins with nothing else)
    record = detail.plan.experiment
    versions = (Version(1, record, event.at, event.actor, event.hash),) if record.has_result else ()
    return Registered(
        plan=detail.plan,
        plan_hash=_hash(event),
        plan_version=1,
        state="draft",
        outside=record.has_result,
        registered_at=event.at,
        actor=event.actor,
        author=event.actor,
        hash=event.hash,
        versions=versions,
        accepted=1 if versions else None,
    )


def _next(test: Registered, event: Event, action: Action, detail: details.Detail) -> Registered:
    match detail:
        case details.Registration():
            return replace(
                test,
                plan=detail.plan,
                plan_hash=_hash(event),
                plan_version=test.plan_version + 1,
                author=event.actor,
                hash=event.hash,
            )
        case details.Approval():
            if detail.plan != test.plan_hash:
                raise StoreError(f"event {event.sequence} approves another plan of '{shown(event.subject)}' than stood")
            return replace(test, approval=Approved(detail.plan, event.at, event.actor, detail.self_approved))
        case details.Start():
            return replace(test, started_on=detail.on)
        case details.Completion():
            return replace(test, actuals=detail.actuals)
        case details.Analysis():
            made = Version(len(test.versions) + 1, detail.record, event.at, event.actor, event.hash, detail)
            return replace(test, versions=(*test.versions, made))
        case details.Acceptance():
            _known(test, detail.version, event)
            return replace(test, accepted=detail.version)
        case details.Regrade():
            given = detail.grade, detail.reason, event.actor
            changed = replace(_known(test, detail.version, event), override=given)
            others = test.versions[: detail.version - 1], test.versions[detail.version :]
            return replace(test, versions=(*others[0], changed, *others[1]))
        case details.Supersession():
            return replace(test, accepted=None, superseded_by=detail.by)
    if action == "deviate":
        return replace(test, deviations=(*test.deviations, detail.reason))
    if action == "cancel":
        return replace(test, ended_on=date.fromisoformat(event.at[:10]))
    return replace(test, accepted=None) if action == "reject" else test


def _known(test: Registered, version: int, event: Event) -> Version:
    if not 1 <= version <= len(test.versions):
        raise StoreError(f"event {event.sequence} names version {version} of '{shown(event.subject)}', which is none")
    return test.versions[version - 1]


def _hash(event: Event) -> str:
    """Hash of the plan that an event holds, as it stands there: fields that come later do not change it."""
    return sha256_of({name: event.payload[name] for name in ("experiment", "protocol") if name in event.payload})
