"""What keeps a store's events and artifacts: the contract of the workspace's own files and of PostgreSQL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from measurement.errors import DataError, Problem, StoreError, shown
from measurement.store.chain import Head, Row, event

MOVED = "store.moved"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a team's store lies on PostgreSQL.

    Attributes:
        conninfo: How to reach the database, as libpq reads it (``host=db.example.org dbname=measurement``), without a
            password: that belongs into the environment, ``~/.pgpass`` or a service file.
        schema: The schema that holds this study and no other.
    """

    conninfo: str
    schema: str


class Turn(Protocol):
    """What a writer sees while nobody else writes."""

    @property
    def last(self) -> Row | None:
        """The last event; ``None`` when there is none."""

    def rows(self) -> list[Row]:
        """All events, after checking the whole chain."""


class Keeper(Protocol):
    """The primitives of a store. Whatever cannot be done raises a `StoreError`, and then nothing was changed."""

    @property
    def address(self) -> str:
        """What tells it from other stores of the same workspace."""

    def exists(self) -> bool:
        """Whether it is there, damaged or not."""

    def create(self, now: Callable[[], str]) -> None:
        """Make it, unless it is there."""

    def prepare(self, now: Callable[[], str]) -> None:
        """Settle what a dead writer left, and bring older tables to this version."""

    def rows(self) -> list[Row]:
        """All events, after checking the whole chain."""

    def head(self) -> Head:
        """Where the chain ends, compared with the head that is kept outside it."""

    def write(self, make: Callable[[Turn], Sequence[Row]]) -> list[Row]:
        """Add the rows that ``make`` returns, all or none; they are durable once this returns."""

    def broken(self) -> list[Problem]:
        """Every place where the chain does not hold."""

    def put(self, data: bytes) -> str:
        """Keep an artifact; return its SHA-256."""

    def get(self, digest: str) -> bytes:
        """Return an artifact after checking its content."""

    def names(self) -> list[str]:
        """Hashes of all artifacts, sorted."""

    def damaged(self) -> list[Problem]:
        """Every artifact that is not what its name says."""


def end_of(last: Row | None) -> Head:
    """Where a chain with this last row ends."""
    return last.head if last else Head()


def moved_to(last: Row | None, address: str) -> str | None:
    """Where a store at ``address`` has moved to, by its last event; ``None`` where it has not moved away."""
    if last is None or last.kind != MOVED:
        return None
    place = str(event(last).payload.get("to"))
    return None if place == address else place


def refuse_moved(last: Row | None, address: str) -> None:
    """Refuse to write to a store that was moved elsewhere, by a program that has not noticed.

    Raises:
        StoreError: When the last event says that the store went to another address.
    """
    place = moved_to(last, address)
    if last is not None and place is not None:
        when = f"{shown(last.actor)}, {last.recorded_at[:16]} UTC"
        raise StoreError(
            f"this store has moved to {shown(place)} ({when}): open the study again, with the theodolite.toml that "
            "names the new place; a move that was interrupted is finished by the same `theodolite store move`"
        )


def refuse_foreign(rows: Sequence[Row], ours: Sequence[Row]) -> None:
    """Refuse to continue a store with the events of another one.

    Raises:
        DataError: When what is there is not the beginning of what is to come.
    """
    if list(rows[: len(ours)]) != list(ours):
        raise DataError("the target already holds other events than this store's: take an empty one")
