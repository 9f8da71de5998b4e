"""The store's tables in DuckDB: opened for one operation at a time.

DuckDB lets one process write or several read, so a connection lives as long as one operation does, and opening is tried
again while another process holds the file.
"""

import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from measurement.errors import StoreError, shown
from measurement.store import statements
from measurement.store.chain import Row
from measurement.store.files import named

type Connection = duckdb.DuckDBPyConnection

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
HELD = ("Could not set lock", "Conflicting lock", "being used by another process", "different configuration")
NO_ROOM = ("No space left", "Disk quota", "File too large", "disk is full")


@contextmanager
def connected(path: Path, *, read_only: bool, wait: float) -> Iterator[Connection]:
    """Open the database for one operation.

    Args:
        path: The DuckDB file.
        read_only: Whether the file stays as it is.
        wait: Seconds to wait while another process holds it.

    Raises:
        StoreError: When it is held all that time, or cannot be read: then, or in any statement before it is closed.
    """
    with _database_errors(path):
        connection = _opened(path, read_only=read_only, wait=wait)
        try:
            yield connection
        finally:
            with suppress(duckdb.Error):  # after a failure, closing fails with the same words again
                connection.close()


def _opened(path: Path, *, read_only: bool, wait: float) -> Connection:
    if "?" in str(path):  # DuckDB takes what follows for parameters and looks for its log in the wrong place
        raise StoreError(f"a store cannot lie in {named(path.parent)}: DuckDB allows no '?' in a path")
    deadline = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only, config=SETTINGS)
        except RuntimeError as error:  # the binding's own, for a name that is not Unicode
            raise StoreError(f"the store's database {named(path)} cannot be opened: {shown(error)}") from error
        except duckdb.Error as error:
            if not any(sign in str(error) for sign in HELD):
                raise
            if time.monotonic() > deadline:
                message = f"the store's database {named(path)} is busy: another program held it for {wait:g} s"
                raise StoreError(message) from None
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 (jitter, no secret)


def add(connection: Connection, new: Sequence[Row]) -> None:
    """Add events, all or none, and move them from the log into the file.

    A flipped byte in DuckDB's log silently drops what follows, while the file's blocks carry checksums.
    """
    connection.execute("begin transaction")
    statements.insert(connection, new)
    connection.execute("commit")
    connection.execute("checkpoint")


def migrate(connection: Connection, step: statements.Migration, applied_at: str) -> None:
    """Take one step, all of it or nothing."""
    connection.execute("begin transaction")
    statements.apply(connection, step, applied_at)
    connection.execute("commit")
    connection.execute("checkpoint")


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, UnicodeError) as error:
        words = re.sub(r"\s+", " ", str(error).split("\n")[0])
        if any(sign in words for sign in NO_ROOM):
            reason = "the disk (or the room granted on it) is full"
        elif "ermission denied" in words or "Read-only file system" in words:
            reason = "it may not be written or read here (read-only folder, or another user's)"
        else:
            reason = f"it may be damaged; run `theodolite doctor`. DuckDB says: {shown(words, 300)}"
        raise StoreError(f"the store's database {named(path)} cannot be used: {reason}") from error
