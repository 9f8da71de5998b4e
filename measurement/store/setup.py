"""How a store comes to be, and how an older one is brought to this version."""

from collections.abc import Callable
from pathlib import Path

from measurement.errors import StoreError
from measurement.store import database, statements
from measurement.store.chain import Head
from measurement.store.files import HeadFile, copy_durably, file_errors, locked, named, sync_folder
from measurement.store.session import database_path, opened, reading


def exists(home: Path) -> bool:
    """Whether there is a store, damaged or not."""
    with file_errors(f"look for a store in {named(home)}"):
        return HeadFile(home).path.exists() or database_path(home).exists()


def begin(home: Path, wait: float) -> None:
    """Make the folder and the head of an empty chain, unless there is a store. `build` does the rest."""
    with file_errors(f"make the store {named(home)}"):
        home.mkdir(parents=True, exist_ok=True)
    with locked(home / "lock", exclusive=True, wait=wait):
        if not exists(home):
            HeadFile(home).first()


def build(home: Path, now: Callable[[], str], wait: float) -> None:
    """Make the database of an empty chain: under another name first, so that it is there whole or not at all.

    Raises:
        StoreError: When the head file knows of events, so that a database is lost and not just yet to be made.
    """
    path = database_path(home)
    if path.exists():
        return
    draft = path.with_name(path.name + ".new")
    with locked(home / "lock", exclusive=True, wait=wait):
        if path.exists():  # another process was first
            return
        if HeadFile(home).read() != Head():
            raise StoreError(f"the store's database {named(path)} is missing")
        with file_errors(f"write {named(draft)}"):
            for left in (draft, draft.with_name(draft.name + ".wal")):
                left.unlink(missing_ok=True)
        with database.connected(draft, read_only=False, wait=wait) as connection:
            for step in statements.migrations():
                database.migrate(connection, step, now())
        with file_errors(f"write {named(path)}"):
            draft.replace(path)
            sync_folder(home)


def upgrade(home: Path, now: Callable[[], str], wait: float) -> None:
    """Bring older tables to this version, one step after the other, each after a backup of the checked store."""
    newest = len(statements.migrations())
    with reading(home, wait) as session:
        if statements.version(session.connection) == newest:
            return
    with locked(home / "lock", exclusive=True, wait=wait):
        while (version := _backed_up(home, wait)) < newest:
            with opened(home, read_only=False, wait=wait) as session:
                database.migrate(session.connection, statements.migrations()[version], now())


def _backed_up(home: Path, wait: float) -> int:
    """Copy database and head as they are, if a migration is to come, and read the copy; return the version."""
    with opened(home, read_only=False, wait=wait) as session:
        version, head = statements.version(session.connection), session.settle()
        session.rows()
        session.connection.execute("checkpoint")  # so that the file is all there is to copy
    if version < len(statements.migrations()):
        folder = home / "backups" / f"version-{version}-events-{head.sequence}"
        with file_errors(f"back the store up to {named(folder)}"):
            folder.mkdir(parents=True, exist_ok=True)
            copy_durably(database_path(home), folder / database_path(home).name)
            copy_durably(HeadFile(home).path, folder / HeadFile(home).path.name)
        with opened(folder, read_only=True, wait=wait) as copy:
            copy.end()
            copy.rows()
    return version
