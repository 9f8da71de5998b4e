"""The store in the workspace: events in DuckDB, the head in a file of its own, artifacts as files beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measurement.errors import Problem, StoreError
from measurement.store import setup, statements
from measurement.store.artifacts import Artifacts
from measurement.store.chain import Head, Row, broken_links
from measurement.store.files import locked, named
from measurement.store.keeper import Turn
from measurement.store.session import landed, opened, reading, rehearse


@dataclass(frozen=True, slots=True)
class LocalKeeper:
    """Files under the workspace's ``.theodolite/`` folder (`Keeper`).

    Attributes:
        home: That folder.
        wait: Seconds to wait for other processes before giving up.
    """

    home: Path
    wait: float

    @property
    def address(self) -> str:
        """There is one in a workspace."""
        return "the workspace"

    def exists(self) -> bool:
        """Whether there is one, damaged or not."""
        return setup.exists(self.home)

    def create(self, now: Callable[[], str]) -> None:
        """Make the folder and an empty chain, unless there is one."""
        setup.begin(self.home, self.wait)

    def prepare(self, now: Callable[[], str]) -> None:
        """Make the database where it is yet to be made, bring its tables to this version, check its end."""
        if not self.exists():
            raise StoreError(f"there is no store in {named(self.home)}")
        setup.build(self.home, now, self.wait)
        setup.upgrade(self.home, now, self.wait)
        self.head()
        self._artifacts.sweep()

    def rows(self) -> list[Row]:
        """All events, after checking the whole chain and its end."""
        with reading(self.home, self.wait) as session:
            session.end()
            return session.rows()

    def head(self) -> Head:
        """Where the chain ends, compared with the head file."""
        with reading(self.home, self.wait) as session:
            return session.end()

    def write(self, make: Callable[[Turn], Sequence[Row]]) -> list[Row]:
        """Add rows: under the lock, noted in the head file before and confirmed there after."""
        rows: list[Row] = []
        with locked(self.home / "lock", exclusive=True, wait=self.wait):
            try:
                with opened(self.home, read_only=False, wait=self.wait) as session:
                    session.settle()
                    rows = list(make(session))
                    if rows:
                        session.append(rows)
            except StoreError:
                if not rows or not landed(self.home, rows[-1].head, self.wait):
                    raise
        return rows

    def broken(self) -> list[Problem]:
        """Every place where the chain does not hold; a wrong end, or a database that takes no more, raises."""
        with reading(self.home, self.wait) as session:
            problems = broken_links(statements.rows(session.connection))
            if not problems:
                session.end()
        if not problems:
            rehearse(self.home, self.wait)
        return problems

    def put(self, data: bytes) -> str:
        """Keep bytes as a file."""
        return self._artifacts.put(data)

    def get(self, digest: str) -> bytes:
        """Return the bytes of that hash."""
        return self._artifacts.get(digest)

    def names(self) -> list[str]:
        """Hashes of all artifacts, sorted."""
        return self._artifacts.names()

    def damaged(self) -> list[Problem]:
        """Every artifact that is not what its name says."""
        return self._artifacts.damaged()

    @property
    def _artifacts(self) -> Artifacts:
        return Artifacts(self.home / "artifacts")
