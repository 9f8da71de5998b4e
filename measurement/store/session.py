"""One operation on the store: the database and the head file together, compared before anything is believed.

A write is noted in the head file, committed, then confirmed there. So the chain ends at the head, or (when its writer
died) at the head to come; `Session.settle` finishes or forgets that write. Every other end is damage.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from measurement.errors import Problem, StoreError, shown
from measurement.store import database, statements
from measurement.store.chain import Entry, Head, Row, broken_links, link, wrong_end
from measurement.store.files import HeadFile, file_errors, locked, named
from measurement.store.keeper import end_of


def database_path(home: Path) -> Path:
    """Where the database lies."""
    return home / "store.duckdb"


@dataclass(frozen=True, slots=True)
class Session:
    """An open database and the head file beside it.

    Attributes:
        home: The store's folder.
        connection: The open database.
    """

    home: Path
    connection: database.Connection

    @property
    def heads(self) -> HeadFile:
        """The head file."""
        return HeadFile(self.home)

    @property
    def last(self) -> Row | None:
        """The last event; ``None`` when there is none."""
        return statements.tail(self.connection)[0]

    def end(self) -> Head:
        """Return where the chain ends.

        Raises:
            StoreError: When it is neither the head nor the head to come.
        """
        last, count = statements.tail(self.connection)
        wrong = wrong_end(last, count, self.heads.read(), self.heads.coming())
        if wrong:
            raise self._damaged(wrong)
        return last.head if last else Head()

    def settle(self) -> Head:
        """Return where the chain ends, after finishing or forgetting a write whose process died. For writers only."""
        end = self.end()
        if self.heads.coming() == end:
            self.heads.promote()
        else:
            self.heads.withdraw()
        return end

    def rows(self) -> list[Row]:
        """Return all events.

        Raises:
            StoreError: When the chain is broken anywhere.
        """
        found = statements.rows(self.connection)
        broken = broken_links(found)
        if broken:
            raise self._damaged(broken[0])
        return found

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows that follow from the end."""
        self.heads.announce(rows[-1].head)
        database.add(self.connection, rows)
        self.heads.promote()

    def _damaged(self, problem: Problem) -> StoreError:
        return StoreError(f"the store {named(self.home)} is damaged: {problem.message}; run `theodolite doctor`")


@contextmanager
def opened(home: Path, *, read_only: bool, wait: float) -> Iterator[Session]:
    """Open the database for one operation; the caller holds the lock.

    Raises:
        StoreError: When it is missing, newer, damaged or busy.
    """
    path = database_path(home)
    if not path.exists():  # DuckDB would make an empty one
        raise StoreError(f"the store's database {named(path)} is missing")
    with database.connected(path, read_only=read_only, wait=wait) as connection:
        session = Session(home, connection)
        statements.known_version(connection, named(home))
        yield session


@contextmanager
def reading(home: Path, wait: float) -> Iterator[Session]:
    """Open for reading, together with other readers.

    Before that, settle what a dead writer left. Where the folder may not be written, it stays as it was left: the
    chain is whole either way.
    """
    if HeadFile(home).coming_path.exists():
        with suppress(StoreError), writing(home, wait) as session:
            session.settle()
    with locked(home / "lock", exclusive=False, wait=wait), opened(home, read_only=True, wait=wait) as session:
        yield session


@contextmanager
def writing(home: Path, wait: float) -> Iterator[Session]:
    """Open for writing, alone."""
    with locked(home / "lock", exclusive=True, wait=wait), opened(home, read_only=False, wait=wait) as session:
        yield session


def rehearse(home: Path, wait: float) -> None:
    """Write to a copy of the database, so that what no answer needs and the next write does (its index) is read too.

    Raises:
        StoreError: When the store could be read and not be written, or there is no room for a copy.
    """
    with tempfile.TemporaryDirectory(prefix="theodolite-") as folder:
        copy = Path(folder) / database_path(home).name
        with (
            locked(home / "lock", exclusive=False, wait=wait),
            file_errors(f"copy the store {named(home)} to rehearse a write"),
        ):
            for suffix in ("", ".wal"):
                source = database_path(home).with_name(copy.name + suffix)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(source.name))
        try:
            with database.connected(copy, read_only=False, wait=wait) as connection:
                last, _ = statements.tail(connection)
                database.add(connection, link([Entry("store.rehearsed", "store", {}, "doctor")], end_of(last), "now"))
        except StoreError as error:
            words = f"the store {named(home)} can be read, but a write to a copy of it failed: {error.__cause__}"
            raise StoreError(shown(words, 600)) from error


def landed(home: Path, coming: Head, wait: float) -> bool:
    """Find out whether a write that failed was committed all the same; then confirm it, else forget it."""
    with suppress(StoreError), opened(home, read_only=True, wait=wait) as session:
        last, _ = statements.tail(session.connection)
        if last is not None and last.head == coming:
            session.heads.promote()
            return True
        session.heads.withdraw()
    return False
