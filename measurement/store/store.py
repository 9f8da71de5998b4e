"""The store: what a workspace remembers, under its ``.theodolite/`` folder.

Events are appended and never changed; each carries the hash of the one before it, and the head of that chain is kept in
a file of its own. Artifacts (fitted models, panels, reports) lie beside it as files named by their content's hash. ::

    .theodolite/
        store.duckdb            the events
        head.json               sequence and hash of the last one (head.next.json while a write is under way)
        artifacts/ab/ab12...    bytes by content hash
        backups/                the database and its head before each migration
        lock                    held while the store is read (shared) or written (alone)

**A write** is acknowledged when the method returns, and in this order: take the lock; compare the chain's end with the
head; put the coming head on the disk; commit; checkpoint; rename the coming head over the head. A process that dies in
between leaves the chain at the head or at the coming head; both are whole, and the next one to come settles which.
Every other state is damage, and is reported and not served. Where the system has no ``fcntl`` lock (Windows), DuckDB's
own lock on the file keeps two processes apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from measurement.errors import Problem, StoreError, shown
from measurement.store import database, setup
from measurement.store.artifacts import Artifacts
from measurement.store.chain import Entry, Event, Head, Row, broken_links, event, link
from measurement.store.files import locked, named
from measurement.store.session import Session, landed, opened, reading

__all__ = ["Entry", "Event", "Head", "Store", "utc_now"]

FOLDER = ".theodolite"


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
    """

    home: Path
    clock: Callable[[], datetime] = utc_now
    wait: float = 30.0

    @classmethod
    def exists(cls, folder: Path | str) -> bool:
        """Whether a workspace has a store, damaged or not."""
        return setup.exists(cls.home_of(folder))

    @classmethod
    def create(cls, folder: Path | str, *, clock: Callable[[], datetime] = utc_now, wait: float = 30.0) -> Self:
        """Make a workspace's store; one that is already there is opened.

        Args:
            folder: The workspace, or its ``.theodolite`` folder. Missing folders are made.
            clock: Gives the time of an event.
            wait: Seconds to wait for other processes before giving up.

        Raises:
            StoreError: When it cannot be written there, or the one that is there is damaged or newer.
        """
        store = cls(cls.home_of(folder), clock, wait)
        setup.begin(store.home, wait)
        return cls.open(folder, clock=clock, wait=wait)

    @classmethod
    def open(cls, folder: Path | str, *, clock: Callable[[], datetime] = utc_now, wait: float = 30.0) -> Self:
        """Open a workspace's store: settle what a dead writer left, and bring older tables to this version.

        Args:
            folder: The workspace, or its ``.theodolite`` folder.
            clock: Gives the time of an event.
            wait: Seconds to wait for other processes before giving up.

        Raises:
            StoreError: When there is none, or it is damaged, newer than this program, busy, or must be written and
                cannot be.
        """
        store = cls(cls.home_of(folder), clock, wait)
        if not cls.exists(store.home):
            raise StoreError(f"there is no store in {named(store.home)}")
        setup.build(store.home, store._now, wait)
        setup.upgrade(store.home, store._now, wait)
        store.head()
        store._artifacts.sweep()
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
        return self._write(lambda session: decide(session.events()))

    def events(self, kind: str | None = None, subject: str | None = None) -> list[Event]:
        """Return the events, oldest first, after checking the whole chain.

        Args:
            kind: Only events of this kind.
            subject: Only events of this subject.

        Raises:
            StoreError: When the chain is broken anywhere, or not whole.
        """
        with reading(self.home, self.wait) as session:
            session.end()
            found = session.events()
        return [e for e in found if kind in (None, e.kind) and subject in (None, e.subject)]

    def head(self) -> Head:
        """Return where the chain ends, after comparing it with the head file."""
        with reading(self.home, self.wait) as session:
            return session.end()

    def put(self, data: bytes) -> str:
        """Keep an artifact; return its SHA-256 once it is on the disk."""
        return self._artifacts.put(data)

    def get(self, digest: str) -> bytes:
        """Return an artifact.

        Raises:
            StoreError: When there is none of that hash, or it is no longer what was kept.
        """
        return self._artifacts.get(digest)

    def artifacts(self) -> list[str]:
        """Hashes of all artifacts, sorted."""
        return self._artifacts.names()

    def verify(self) -> list[Problem]:
        """Check everything: the chain link by link, its head, every artifact, and that none is missing.

        Returns:
            What is wrong, the first broken link first; nothing when the store is whole. Damage never raises.
        """
        problems: list[Problem] = []
        found: list[Event] = []
        try:
            with reading(self.home, self.wait) as session:
                problems += broken_links(database.rows(session.connection))
                if not problems:
                    session.end()
                    found = session.events()
        except StoreError as error:
            problems.append(Problem(str(error), code="store.database"))
        return problems + self._artifacts.damaged() + self._missing_artifacts(found)

    @property
    def _artifacts(self) -> Artifacts:
        return Artifacts(self.home / "artifacts")

    def _now(self) -> str:
        now = self.clock()
        if now.tzinfo is None:
            raise ValueError("the store's clock must know its time zone")
        return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _write(self, entries: Callable[[Session], Sequence[Entry]]) -> list[Event]:
        rows: list[Row] = []
        with locked(self.home / "lock", exclusive=True, wait=self.wait):
            try:
                with opened(self.home, read_only=False, wait=self.wait) as session:
                    head = session.settle()
                    rows = link(entries(session), head, self._now())
                    if rows:
                        session.append(rows)
            except StoreError:
                if not rows or not landed(self.home, rows[-1].head, self.wait):
                    raise
        return [event(row) for row in rows]

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
