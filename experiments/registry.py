"""The registry of lift tests: an append-only record on the workspace's store, where nothing is ever overwritten.

What a test is, and where it stands, is derived from its events whenever it is read; no derived thing is stored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from experiments.records import Experiment
from measurement.errors import DataError, Problem, StoreError, shown
from measurement.provenance import canonical_json
from measurement.store import Entry, Event, Store

REGISTERED = "experiment.registered"

State = Literal["draft", "analysed"]


@dataclass(frozen=True, slots=True)
class Registered:
    """One test as the registry knows it.

    Attributes:
        experiment: The record.
        version: Which version of the record it is, from 1.
        state: ``draft`` for a plan, ``analysed`` once it says what was measured.
        registered_at: When this version was recorded, UTC.
        actor: Who recorded it.
        hash: Hash of the event that holds it: what a fit or a report names as its parent.
    """

    experiment: Experiment
    version: int
    state: State
    registered_at: str
    actor: str
    hash: str


def add(store: Store, experiments: Sequence[Experiment], actor: str) -> list[Event]:
    """Register tests: all of them, or none.

    A test that is registered already with the same content is left alone, so that a file can be imported twice.

    Args:
        store: The workspace's store.
        experiments: The records.
        actor: Who registers them.

    Returns:
        The new events, one for each test that was not registered before.

    Raises:
        DataError: When an id is registered with other content, or stands in ``experiments`` twice with different
            content; every such id is named.
        StoreError: When the store is damaged or cannot be written.
    """

    def decide(events: list[Event]) -> list[Entry]:
        known = {found.experiment.experiment_id: found for found in _registered(events)}
        problems = [*_contradictions(experiments), *_changes(experiments, known)]
        if problems:
            raise DataError(problems)
        new = {e.experiment_id: e for e in experiments if e.experiment_id not in known}
        return [_entry(experiment, actor) for experiment in new.values()]

    return store.append_decided(decide)


def load(store: Store) -> list[Registered]:
    """Return every registered test, in the order in which they were first registered.

    Raises:
        StoreError: When the store is damaged, or holds a record that this version cannot read.
    """
    return _registered(store.events(kind=REGISTERED))


def _registered(events: Iterable[Event]) -> list[Registered]:
    return [
        Registered(
            experiment=(experiment := _experiment(event)),
            version=1,
            state="analysed" if experiment.has_result else "draft",
            registered_at=event.at,
            actor=event.actor,
            hash=event.hash,
        )
        for event in events
        if event.kind == REGISTERED
    ]


def _entry(experiment: Experiment, actor: str) -> Entry:
    # Every field that says something is written, defaults too, so that a default of a later version changes no record.
    content = experiment.model_dump(mode="json", exclude_none=True)
    return Entry(REGISTERED, experiment.experiment_id, {"experiment": content}, actor)


def _experiment(event: Event) -> Experiment:
    try:
        return Experiment.model_validate_json(canonical_json(event.payload["experiment"]))
    except (KeyError, ValidationError) as error:
        problem = f"event {event.sequence} holds the test '{shown(event.subject)}' in a form that cannot be read here"
        raise StoreError(f"{problem}; was it written by another version of Theodolite?") from error


def _contradictions(experiments: Sequence[Experiment]) -> Iterable[Problem]:
    first: dict[str, Experiment] = {}
    for experiment in experiments:
        if first.setdefault(experiment.experiment_id, experiment) != experiment:
            name = shown(experiment.experiment_id)
            yield _problem(f"'{name}' stands twice with different content ({_difference(first, experiment)})")


def _changes(experiments: Sequence[Experiment], known: dict[str, Registered]) -> Iterable[Problem]:
    records = {name: found.experiment for name, found in known.items()}
    for experiment in experiments:
        if records.get(experiment.experiment_id, experiment) != experiment:
            name, when = shown(experiment.experiment_id), known[experiment.experiment_id].registered_at[:10]
            yield _problem(
                f"'{name}' was registered on {when} with other content ({_difference(records, experiment)}); a record "
                "is never overwritten: give the new one an id of its own and let it supersede the old one"
            )


def _difference(records: dict[str, Experiment], experiment: Experiment) -> str:
    old = records[experiment.experiment_id].model_dump(mode="json")
    new = experiment.model_dump(mode="json")
    changed = [field for field in new if old[field] != new[field]]
    return ", ".join(f"{field}: {shown(old[field], 40)} -> {shown(new[field], 40)}" for field in changed)


def _problem(message: str) -> Problem:
    return Problem(message, column="experiment_id", code="registry.content")
