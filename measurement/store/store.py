"""The store: what a workspace remembers, under its ``.theodolite/`` folder or on a team's PostgreSQL.

Events are appended and never changed; each carries the hash of the one before it, and the head of that chain is kept in
a file of its own. Artifacts (fitted models, panels, reports) are kept under their content's hash. In a workspace::

    .theodolite/
        store.duckdb            the events
        head.json               sequence and hash of the last one (head.next.json while a write is under way)
        artifacts/ab/ab12...    bytes by content hash
        backups/                the database and its head before each migration
        lock                    held while the store is read (shared) or written (alone); lock.next: the line for it

**A write** is acknowledged when the method returns, and in this order: take the lock; compare the chain's end with the
head; put the coming head on the disk; commit; checkpoint; rename the coming head over the head. A process that dies in
between leaves the chain at the head or at the coming head; both are whole, and the next one to come settles which.
Every other state is damage, and is reported and not served. Where the system has no ``fcntl`` lock (Windows), DuckDB's
own lock on the file keeps two processes apart. How PostgreSQL keeps the same events is told in
`measurement.store.postgres`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from measurement.errors import Problem, StoreError, shown
from measurement.store.chain import Entry, Event, Head, Row, broken_links, event, link
from measurement.store.keeper import MOVED, Keeper, Server, Turn, end_of, moved_to, refuse_foreign, refuse_moved
from measurement.store.local import LocalKeeper

__all__ = ["Entry", "Event", "Head", "Store", "utc_now"]

FOLDER = ".theodolite"
RESTORED = "store.restored"


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Store:
    """A workspace's store. Make it with `create` or `open`; it holds no open file between two calls.

    Attributes:
        home: The ``.theodolite`` folder.
        clock: Gives the time of an event; must know its time zone.
        wait: Seconds to wait for other processes before giving up.
        server: The PostgreSQL that keeps it; ``None`` for the workspace itself.
    """

    home: Path
    clock: Callable[[], datetime] = utc_now
    wait: float = 30.0
    server: Server | None = None

    @classmethod
    def exists(cls, folder: Path | str, *, server: Server | None = None, wait: float = 30.0) -> bool:
        """Whether a workspace has a store, damaged or not."""
        return cls(cls.home_of(folder), wait=wait, server=server)._keeper.exists()

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        clock: Callable[[], datetime] = utc_now,
        wait: float = 30.0,
        server: Server | None = None,
    ) -> Self:
        """Make a workspace's store; one that is already there is opened.

        Args:
            folder: The workspace, or its ``.theodolite`` folder. Missing folders are made.
            clock: Gives the time of an event.
            wait: Seconds to wait for other processes before giving up.
            server: The PostgreSQL that is to keep it; ``None`` for the workspace itself.

        Raises:
            StoreError: When it cannot be written there, or the one that is there is damaged or newer.
        """
        store = cls(cls.home_of(folder), clock, wait, server)
        store._keeper.create(store._now)
        return cls.open(folder, clock=clock, wait=wait, server=server)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        clock: Callable[[], datetime] = utc_now,
        wait: float = 30.0,
        server: Server | None = None,
    ) -> Self:
        """Open a workspace's store: settle what a dead writer left, and bring older tables to this version.

        Args:
            folder: The workspace, or its ``.theodolite`` folder.
            clock: Gives the time of an event.
            wait: Seconds to wait for other processes before giving up.
            server: The PostgreSQL that keeps it; ``None`` for the workspace itself.

        Raises:
            StoreError: When there is none, or it is damaged, newer than this program, busy, or must be written and
                cannot be.
        """
        store = cls(cls.home_of(folder), clock, wait, server)
        store._keeper.prepare(store._now)
        return store

    @staticmethod
    def home_of(folder: Path | str) -> Path:
        """The ``.theodolite`` folder of a workspace (or the folder itself, when it is that)."""
        folder = Path(folder)
        return folder if folder.name == FOLDER else folder / FOLDER

    def append(self, kind: str, subject: str, payload: Mapping[str, Any], actor: str) -> Event:
        """Record one event; see `Entry` for the arguments. Once this returns, it is never lost.

        Raises:
            DataError: When it cannot be written as JSON.
            StoreError: When it cannot be recorded; then nothing was.
        """
        return self.append_many([Entry(kind, subject, payload, actor)])[0]

    def append_many(self, entries: Sequence[Entry]) -> list[Event]:
        """Record several events, all or none, with nothing between them; otherwise as `append`."""
        return self._write(lambda _: entries)

    def append_decided(self, decide: Callable[[list[Event]], Sequence[Entry]]) -> list[Event]:
        """Record what a rule decides from everything recorded so far; nobody else writes in between.

        Args:
            decide: Takes all events, returns the new entries (none is fine), or raises to record nothing.
        """
        return self._write(lambda turn: decide([event(row) for row in turn.rows()]))

    def events(self, kind: str | None = None, subject: str | None = None) -> list[Event]:
        """Return the events, oldest first, after checking the whole chain.

        Args:
            kind: Only events of this kind.
            subject: Only events of this subject.

        Raises:
            StoreError: When the chain is broken anywhere, or not whole.
        """
        found = [event(row) for row in self.rows()]
        return [e for e in found if kind in (None, e.kind) and subject in (None, e.subject)]

    def rows(self) -> list[Row]:
        """Return the events as they are kept, oldest first, after checking the whole chain."""
        return self._keeper.rows()

    def head(self) -> Head:
        """Return where the chain ends, after comparing it with the head file."""
        return self._keeper.head()

    def put(self, data: bytes) -> str:
        """Keep an artifact; return its SHA-256 once it is on the disk."""
        return self._keeper.put(data)

    def get(self, digest: str) -> bytes:
        """Return an artifact.

        Raises:
            StoreError: When there is none of that hash, or it is no longer what was kept.
        """
        return self._keeper.get(digest)

    def artifacts(self) -> list[str]:
        """Hashes of all artifacts, sorted."""
        return self._keeper.names()

    def verify(self) -> list[Problem]:
        """Check everything: the chain link by link, its head, every artifact, and that none is missing.

        Returns:
            What is wrong, the first broken link first; nothing when the store is whole. Damage never raises.
        """
        problems: list[Problem] = []
        found: list[Event] = []
        try:
            problems += self._keeper.broken()
            if not problems:
                found = self.events()
        except StoreError as error:
            problems.append(Problem(str(error), code="store.database"))
        try:
            return problems + self._keeper.damaged() + self._missing_artifacts(found)
        except StoreError as error:
            return [*problems, Problem(str(error), code="store.artifact")]

    def move(self, to: Self, actor: str) -> Event:
        """Move the store to another place, where it goes on: every event and artifact, byte by byte.

        What this store holds stays as it is, with one more event that says where it went; from then on it refuses
        writes. A move that was interrupted is finished by doing it again.

        Args:
            to: An empty store, or one that holds the beginning of this one's events: a move's rest, or the place that
                it once came from.
            actor: Who moves it.

        Returns:
            The event of the move, the last one in both places.

        Raises:
            DataError: When ``to`` holds other events.
            StoreError: When either is damaged or cannot be written.
        """
        address = to.address
        refuse_foreign(self.rows(), to.rows())
        for digest in sorted({*self.artifacts()} - {*to.artifacts()}):
            to.put(self.get(digest))
        to._continue(self.rows())
        last = self.rows()[-1:]
        if not last or last[0].kind != MOVED or event(last[0]).payload.get("to") != address:
            self.append(MOVED, "store", {"from": self.address, "to": address}, actor)
        for digest in sorted({*self.artifacts()} - {*to.artifacts()}):
            to.put(self.get(digest))
        to._continue(self.rows())
        wrong = to.verify()
        if wrong or to.head() != self.head():
            raise StoreError(f"the store did not arrive whole: {wrong[0].message if wrong else 'another head'}")
        return event(to.rows()[-1])

    def restore(self, rows: Sequence[Row], source: Mapping[str, Any], actor: str) -> Event:
        """Fill an empty store with the events of another one, as they were, and record where they came from.

        Args:
            rows: The events, oldest first.
            source: What is said of where they came from.
            actor: Who restores them.

        Returns:
            The event ``store.restored``, which stands after them.

        Raises:
            DataError: When this store holds other events.
            StoreError: When the rows are no whole chain, or cannot be written.
        """
        broken = broken_links(rows)
        if broken:
            raise StoreError(f"these events are damaged: {broken[0].message}")
        self._continue(rows)
        entry = Entry(RESTORED, "store", source, actor)
        return event(self._keeper.write(lambda turn: link([entry], end_of(turn.last), self._now()))[0])

    def moved_to(self) -> str | None:
        """The place that this store has moved to, by its last event; ``None`` where it has not moved away."""
        last = self.rows()[-1:]
        return moved_to(last[0], self.address) if last else None

    @property
    def address(self) -> str:
        """The place that keeps it, in words; it tells the stores of one workspace apart."""
        return self._keeper.address

    @property
    def _keeper(self) -> Keeper:
        if self.server is None:
            return LocalKeeper(self.home, self.wait)
        from measurement.store.postgres import PostgresKeeper

        return PostgresKeeper(self.home, self.wait, self.server)

    def _now(self) -> str:
        now = self.clock()
        if now.tzinfo is None:
            raise ValueError("the store's clock must know its time zone")
        return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _write(self, entries: Callable[[Turn], Sequence[Entry]]) -> list[Event]:
        def rows(turn: Turn) -> list[Row]:
            refuse_moved(turn.last, self.address)
            return link(entries(turn), end_of(turn.last), self._now())

        return [event(row) for row in self._keeper.write(rows)]

    def _continue(self, rows: Sequence[Row]) -> None:
        """Add the events that another store of the same chain has beyond this one's."""

        def missing(turn: Turn) -> list[Row]:
            ours = turn.rows()
            refuse_foreign(rows, ours)
            return list(rows[len(ours) :])

        self._keeper.write(missing)

    def _missing_artifacts(self, events: Sequence[Event]) -> list[Problem]:
        present = set(self.artifacts())
        return [
            Problem(f"event {e.sequence} needs the artifact {shown(digest)}, which is missing", code="store.artifact")
            for e in events
            for digest in _named_artifacts(e)
            if digest not in present
        ]


def _named_artifacts(found: Event) -> list[str]:
    several = found.payload.get("artifacts", ())
    named = several.values() if isinstance(several, dict) else several if isinstance(several, list) else ()
    return [digest for digest in (found.payload.get("artifact"), *named) if isinstance(digest, str)]
