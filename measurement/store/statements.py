"""The store's tables in portable SQL: the same statements (``$1`` placeholders) run on DuckDB and on PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Protocol

from measurement.errors import StoreError
from measurement.store.chain import Row

COLUMNS = ", ".join(Row._fields)
PLACES = ", ".join(f"${place}" for place in range(1, len(Row._fields) + 1))


class Answer(Protocol):
    """What a statement answers."""

    def fetchone(self) -> Any:
        """The next row, as a tuple; ``None`` when there is none."""

    def fetchall(self) -> list[Any]:
        """All rows, as tuples."""


class Connection(Protocol):
    """What the statements need of a database: DuckDB's connection and psycopg's are both one."""

    def execute(self, query: str, parameters: Sequence[object] = ..., /) -> Answer:
        """Run a statement."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a version of the tables to the next.

    Attributes:
        version: The version that it leads to.
        sql: Its statements.
    """

    version: int
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """The steps that ship with this version, first to last."""
    folder = resources.files("measurement.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    steps = tuple(Migration(int(file.name.split("_")[0]), file.read_text("utf-8")) for file in files)
    if [step.version for step in steps] != list(range(1, len(steps) + 1)):
        raise StoreError("the installation is incomplete: the store's migrations are not numbered from 1 without a gap")
    return steps


def known_version(connection: Connection, place: str) -> int:
    """Return the version of the tables.

    Args:
        connection: An open database.
        place: The store, as a message names it.

    Raises:
        StoreError: When it is newer than this program.
    """
    found, known = version(connection), len(migrations())
    if found > known:
        message = f"the store {place} has version {found}; this Theodolite knows up to version {known}"
        raise StoreError(f"{message}: install the newer one that wrote it")
    return found


def version(connection: Connection) -> int:
    """Return the version of the tables, known or not."""
    found = connection.execute("select max(version) from schema_version").fetchone()
    if found is None or found[0] is None:
        raise StoreError("the store's database does not say which version its tables have")
    return int(found[0])


def rows(connection: Connection) -> list[Row]:
    """Return all events in order."""
    found = connection.execute(f"select {COLUMNS} from events order by sequence").fetchall()  # noqa: S608 (constants)
    return [Row(*values) for values in found]


def row(connection: Connection, sequence: int) -> Row | None:
    """Return one event; ``None`` when there is none of that number."""
    query = f"select {COLUMNS} from events where sequence = $1"  # noqa: S608 (constants)
    found = connection.execute(query, [sequence]).fetchone()
    return Row(*found) if found else None


def tail(connection: Connection) -> tuple[Row | None, int]:
    """Return the last event (``None`` when there is none) and how many there are."""
    counted = connection.execute("select count(*) from events").fetchone()
    last = connection.execute(
        f"select {COLUMNS} from events order by sequence desc limit 1"  # noqa: S608 (constants)
    ).fetchone()
    return (Row(*last) if last else None), int(counted[0]) if counted else 0


def insert(connection: Connection, new: Sequence[Row]) -> None:
    """Add events, inside the caller's transaction."""
    for values in new:
        connection.execute(f"insert into events ({COLUMNS}) values ({PLACES})", list(values))  # noqa: S608 (constants)


def apply(connection: Connection, step: Migration, applied_at: str) -> None:
    """Take one step of the tables, inside the caller's transaction."""
    connection.execute(step.sql)
    connection.execute("insert into schema_version (version, applied_at) values ($1, $2)", [step.version, applied_at])
