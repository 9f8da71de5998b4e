"""The store of a team: events and artifacts on PostgreSQL, in a schema of their own.

The events are the same rows that a workspace keeps in DuckDB, written by the same statements. A write keeps other
writers out, looks where the chain ends, adds its rows and commits, with the server told to have them on its disk first.

PostgreSQL can be changed by whoever administers it, so every workspace that uses the store keeps the last head that it
saw in its own ``.theodolite/head.json``: a chain that no longer holds that event was changed or cut, and is not served.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from measurement.errors import DataError, Problem, StoreError, shown
from measurement.store import statements
from measurement.store.chain import Head, Row, broken_links, wrong_tail
from measurement.store.files import SHA256, HeadFile, file_errors, locked, named, write_durably
from measurement.store.keeper import Server, Turn, end_of

type Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
ARTIFACTS = "create table artifacts (digest varchar primary key, content bytea not null)"
FULL = (errors.DiskFull, errors.OutOfMemory)
FORBIDDEN = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)
LARGEST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Turn:
    """One writer's or reader's look at the events (`Turn`)."""

    connection: Connection
    place: str
    last: Row | None

    def rows(self) -> list[Row]:
        """All events, after checking the whole chain."""
        found = statements.rows(self.connection)
        broken = broken_links(found)
        if broken:
            raise _damaged(self.place, broken[0])
        return found


@dataclass(frozen=True, slots=True)
class PostgresKeeper:
    """Tables in a schema of a PostgreSQL database (`Keeper`).

    Attributes:
        home: The workspace's ``.theodolite`` folder, for the last head that it saw and for backups.
        wait: Seconds to wait for the server and for other writers before giving up.
        server: Where it is.
    """

    home: Path
    wait: float
    server: Server

    def __post_init__(self) -> None:
        if not SCHEMA.fullmatch(self.server.schema):
            name = shown(self.server.schema)
            raise DataError(f"'{name}' cannot name a schema: a to z, 0 to 9 and _, not beginning with a digit")
        try:
            given = conninfo_to_dict(self.server.conninfo)
        except psycopg.ProgrammingError as error:
            raise DataError(f"this does not say how to reach a PostgreSQL database: {_words(error)}") from None
        if given.get("password"):
            raise DataError(
                "a password does not belong into the settings of a study: put it into ~/.pgpass, the variable "
                "PGPASSWORD or a service file, and leave it out here"
            )

    @property
    def address(self) -> str:
        """The database and the schema; not the server's name, which may change."""
        database = conninfo_to_dict(self.server.conninfo).get("dbname", "")
        return f"PostgreSQL, database {database or 'of the user'}, schema {self.server.schema}"

    def exists(self) -> bool:
        """Whether the schema holds a store."""
        with self._connected() as connection:
            return _has_tables(connection)

    def create(self, now: Callable[[], str]) -> None:
        """Make the schema and its tables, unless they are there."""
        with self._connected() as connection, connection.transaction():
            self._alone(connection)
            if _has_tables(connection):
                return
            encoding = connection.execute("show server_encoding").fetchone()
            if encoding != ("UTF8",):
                raise StoreError(f"the database of {self.address} must have the encoding UTF8, not {encoding}")
            quoted = psycopg.sql.Identifier(self.server.schema)
            connection.execute(psycopg.sql.SQL("create schema if not exists {}").format(quoted))
            for step in statements.migrations():
                statements.apply(connection, step, now())
            connection.execute(ARTIFACTS)

    def prepare(self, now: Callable[[], str]) -> None:
        """Bring older tables to this version, after a backup of their events into the workspace."""
        with self._connected() as connection:
            if not _has_tables(connection):
                raise StoreError(f"there is no store in {self.address}")
            if statements.known_version(connection, self.address) == len(statements.migrations()):
                return
            with connection.transaction():
                self._alone(connection)
                version = statements.version(connection)  # another process may have been first
                self._back_up(self._turn(connection).rows(), version)
                for step in statements.migrations()[version:]:
                    statements.apply(connection, step, now())

    def rows(self) -> list[Row]:
        """All events, after checking the whole chain and that it holds what this workspace saw."""
        with self._reading() as turn:
            return turn.rows()

    def head(self) -> Head:
        """Where the chain ends; it must hold the head that this workspace saw last."""
        with self._reading() as turn:
            return end_of(turn.last)

    def write(self, make: Callable[[Turn], Sequence[Row]]) -> list[Row]:
        """Add rows in one transaction that no other writer shares."""
        rows: list[Row] = []
        try:
            with self._connected() as connection, connection.transaction():
                connection.execute("set local synchronous_commit to on")
                self._alone(connection)
                statements.known_version(connection, self.address)
                rows = list(make(self._turn(connection)))
                statements.insert(connection, rows)
        except StoreError as error:
            if not rows or not self._landed(rows[-1], error):
                raise
        if rows:
            self._saw(rows[-1].head)
        return rows

    def broken(self) -> list[Problem]:
        """Every place where the chain does not hold; a wrong end raises."""
        with self._connected() as connection, connection.transaction():
            problems = broken_links(statements.rows(connection))
            if not problems:
                self._turn(connection)
        return problems

    def put(self, data: bytes) -> str:
        """Keep bytes as a row; a damaged row of that hash is put right."""
        if len(data) > LARGEST:
            raise StoreError(f"PostgreSQL keeps no artifact of more than {LARGEST:,} bytes; this one has {len(data):,}")
        digest = hashlib.sha256(data).hexdigest()
        with self._connected() as connection, connection.transaction():
            connection.execute("set local synchronous_commit to on")
            query = "select content = $2 from artifacts where digest = $1"
            found = connection.execute(query, [digest, data]).fetchone()
            if found is None:
                query = "insert into artifacts (digest, content) values ($1, $2) on conflict do nothing"
                connection.execute(query, [digest, data])
            elif found == (False,):
                connection.execute("update artifacts set content = $2 where digest = $1", [digest, data])
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of that hash, after checking them."""
        if not isinstance(digest, str) or not SHA256.fullmatch(digest):
            raise StoreError(f"'{shown(digest)}' is not an artifact's name: that is a SHA-256 in lower-case hex")
        with self._connected() as connection:
            found = connection.execute("select content from artifacts where digest = $1", [digest]).fetchone()
        if found is None:
            raise StoreError(f"the store holds no artifact {digest}")
        data = bytes(found[0])
        if hashlib.sha256(data).hexdigest() != digest:
            raise StoreError(f"the artifact {digest} is damaged: its content is not what was stored")
        return data

    def names(self) -> list[str]:
        """Hashes of all artifacts, sorted."""
        with self._connected() as connection:
            return sorted(name for (name,) in connection.execute("select digest from artifacts").fetchall())

    def damaged(self) -> list[Problem]:
        """Every artifact that is not what its name says; the server hashes them."""
        query = "select digest from artifacts where encode(sha256(content), 'hex') <> digest order by digest"
        with self._connected() as connection:
            wrong = connection.execute(query).fetchall()
        words = "the artifact {} is damaged: its content is not what was stored"
        return [Problem(words.format(digest), code="store.artifact") for (digest,) in wrong]

    # -- one operation ------------------------------------------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._server_errors():
            connection: Connection = psycopg.connect(
                self.server.conninfo,
                cursor_factory=psycopg.RawCursor,
                autocommit=True,
                connect_timeout=max(2, round(self.wait)),
                application_name="theodolite",
                client_encoding="UTF8",
            )
            with connection:
                for setting, value in (
                    ("search_path", f'"{self.server.schema}"'),
                    ("lock_timeout", f"{round(1000 * self.wait)}ms"),
                ):
                    connection.execute("select set_config($1, $2, false)", [setting, value])
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[_Turn]:
        with self._connected() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction():
                statements.known_version(connection, self.address)
                turn = self._turn(connection)
                yield turn
        self._saw(end_of(turn.last))

    def _alone(self, connection: Connection) -> None:
        """Keep other writers out; a lock on a name, so that writers need no right to change events."""
        connection.execute("select pg_advisory_xact_lock(hashtext($1))", [f"theodolite {self.server.schema}"])

    def _turn(self, connection: Connection) -> _Turn:
        """Look at the end of the chain, and for the head that this workspace saw."""
        last, count = statements.tail(connection)
        wrong = wrong_tail(last, count)
        if wrong:
            raise _damaged(self.address, wrong)
        seen, end = self._seen(), end_of(last)
        if seen.sequence > end.sequence:
            lost = f"the last {seen.sequence - end.sequence} of {seen.sequence} events are lost"
            raise _damaged(self.address, Problem(f"{lost} ({named(self._heads.path)} knows of them)"))
        if seen.sequence:
            there = statements.row(connection, seen.sequence)
            if there is None or there.hash != seen.hash:
                words = f"event {seen.sequence} is not the one that {named(self._heads.path)} names"
                raise _damaged(self.address, Problem(words))
        return _Turn(connection, self.address, last)

    # -- the head that this workspace saw -----------------------------------------------------------------------------

    @property
    def _heads(self) -> HeadFile:
        return HeadFile(self.home / f"postgres-{self.server.schema}")

    def _seen(self) -> Head:
        return self._heads.read() if self._heads.path.exists() else Head()

    def _saw(self, head: Head) -> None:
        """Note the head. Where the folder may not be written, what was read or committed stands all the same."""
        if head == self._seen():
            return
        with suppress(StoreError, OSError):
            self._heads.folder.mkdir(parents=True, exist_ok=True)
            with locked(self._heads.folder / "lock", exclusive=True, wait=self.wait):
                if head.sequence > self._seen().sequence:
                    self._heads.announce(head)
                    self._heads.promote()

    def _landed(self, row: Row, error: StoreError) -> bool:
        """Whether a write whose commit failed, perhaps only on the way back, is there all the same."""
        if not isinstance(error.__cause__, psycopg.OperationalError):
            return False
        try:
            with self._connected() as connection:
                return statements.row(connection, row.sequence) == row
        except StoreError:
            words = "the connection broke while the server committed; whether the write is there shows once it is back"
            raise StoreError(f"{error}; {words}") from error

    def _back_up(self, rows: Sequence[Row], version: int) -> None:
        folder = self.home / "backups" / f"{self.server.schema}-version-{version}-events-{len(rows)}"
        with file_errors(f"back the store up to {named(folder)}"):
            folder.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(row._asdict()) + "\n" for row in rows)
            write_durably(folder / "events.jsonl", lines.encode())

    @contextmanager
    def _server_errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, UnicodeError) as error:
            if isinstance(error, errors.LockNotAvailable):
                reason = f"it is busy: others held it for {self.wait:g} s"
            elif isinstance(error, FULL):
                reason = "the server's disk is full; nothing was changed"
            elif isinstance(error, FORBIDDEN):
                reason = f"this user may not do that there ({_words(error)})"
            elif isinstance(error, psycopg.OperationalError):
                reason = f"the server cannot be reached ({_words(error)})"
            else:
                reason = f"it may be damaged; run `theodolite doctor`. PostgreSQL says: {_words(error)}"
            raise StoreError(f"the store on {self.address} cannot be used: {reason}") from error


def _has_tables(connection: Connection) -> bool:
    return connection.execute("select to_regclass('events') is not null").fetchone() == (True,)


def _damaged(place: str, problem: Problem) -> StoreError:
    return StoreError(f"the store on {place} is damaged: {problem.message}; run `theodolite doctor`")


def _words(error: Exception) -> str:
    return shown(re.sub(r"\s+", " ", str(error)).strip(), 300)
