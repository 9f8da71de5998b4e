"""Files that survive a crash: durable writing, a lock between processes, and the file that keeps a chain's head."""

import errno
import json
import os
import random
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from measurement.errors import StoreError, shown
from measurement.store.chain import Head

if sys.platform != "win32":
    import fcntl

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
SHA256 = re.compile(r"[0-9a-f]{64}")


def named(path: Path) -> str:
    """A path as it is shown in a message, in quotes and long enough to keep its file name."""
    return f"'{shown(path, 400)}'"


@contextmanager
def file_errors(doing: str) -> Iterator[None]:
    """Turn an `OSError` into a `StoreError` that says what was being done and what is in the way."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            reason = "the disk (or the room granted on it) is full; nothing was changed"
        elif error.errno in FORBIDDEN:
            reason = "it may not be written or read here (read-only folder, or another user's)"
        else:
            reason = error.strerror or str(error)
        raise StoreError(f"cannot {doing}: {reason}") from error


def sync_folder(folder: Path) -> None:
    """Make new, renamed and removed names in a folder durable (where the system lets a folder be synced)."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk; its name too."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file under a new name that appears only once the copy is whole and on the disk."""
    draft = target.with_name(target.name + ".new")
    write_durably(draft, source.read_bytes())
    draft.replace(target)
    sync_folder(target.parent)


@contextmanager
def locked(path: Path, *, exclusive: bool, wait: float) -> Iterator[None]:
    """Hold a lock between processes and threads; the system frees it when its holder dies.

    Args:
        path: The lock file, made by the first writer; a reader that finds none goes on without.
        exclusive: Alone, or together with other readers.
        wait: Seconds to wait for others.

    Raises:
        StoreError: When others held it all that time, or a writer may not open it.
    """
    if not exclusive and not path.exists():
        yield
        return
    with file_errors(f"{'write to' if exclusive else 'read'} the store {named(path.parent)}"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT if exclusive else os.O_RDONLY, 0o666)
    try:
        deadline = time.monotonic() + wait
        with file_errors(f"lock the store {named(path.parent)}"), _in_line(path, exclusive, deadline, wait):
            _take(handle, path, exclusive, deadline, wait)
        yield
    finally:
        os.close(handle)


@contextmanager
def _in_line(path: Path, exclusive: bool, deadline: float, wait: float) -> Iterator[None]:
    """Stand first in the line for a lock: who has just held it cannot take it again before one who waited meanwhile.

    Without it, a program that writes all the time starves another one on a busy machine.
    """
    line = path.with_name(path.name + ".next")
    if not exclusive and not line.exists():
        yield
        return
    handle = os.open(line, os.O_RDWR | os.O_CREAT if exclusive else os.O_RDONLY, 0o666)
    try:
        _take(handle, path, True, deadline, wait)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path, exclusive: bool, deadline: float, wait: float) -> None:
    if sys.platform == "win32":  # DuckDB's own lock is left, see `Store`
        return
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreError(f"the store {named(path.parent)} is busy: others held it for {wait:g} s") from None
            time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 (jitter, no secret)
        else:
            return


@dataclass(frozen=True, slots=True)
class HeadFile:
    """The chain's head, kept outside the database: ``head.json``, and ``head.next.json`` while a write is under way.

    ``head.next.json`` is on the disk before the database commits, and is renamed over ``head.json`` after. A rename
    needs no room, so a full disk cannot come between a commit and its head.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The file that holds the head."""
        return self.folder / "head.json"

    @property
    def coming_path(self) -> Path:
        """The file that holds the head to come."""
        return self.folder / "head.next.json"

    def read(self) -> Head:
        """Return the head.

        Raises:
            StoreError: When the file is missing or unreadable.
        """
        try:
            return _parsed(self.path.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"{named(self.path)} is missing: the store's end cannot be checked") from None
        except OSError as error:
            raise StoreError(f"{named(self.path)} cannot be read: {error.strerror}") from error
        except ValueError:
            raise StoreError(f"{named(self.path)} is damaged: it does not name a head") from None

    def coming(self) -> Head | None:
        """Return the head that a writer was about to reach; ``None`` when there is none, or not all of it.

        A partial file means that its writer never came to commit.
        """
        try:
            return _parsed(self.coming_path.read_bytes())
        except (OSError, ValueError):
            return None

    def first(self) -> None:
        """Write the head of an empty chain."""
        with file_errors(f"write {named(self.path)}"):
            self._write(Head())
            self.promote()

    def announce(self, head: Head) -> None:
        """Note the head to come."""
        with file_errors(f"write {named(self.coming_path)}"):
            self._write(head)

    def promote(self) -> None:
        """Let the head to come be the head."""
        with file_errors(f"write {named(self.path)}"):
            self.coming_path.replace(self.path)
            sync_folder(self.folder)

    def withdraw(self) -> None:
        """Forget the head to come, if there is one. It does no harm where it cannot be removed."""
        with suppress(OSError):
            self.coming_path.unlink(missing_ok=True)

    def _write(self, head: Head) -> None:
        write_durably(self.coming_path, _text(head))


def _text(head: Head) -> bytes:
    return json.dumps({"format": 1, **asdict(head)}).encode() + b"\n"


def _parsed(raw: bytes) -> Head:
    """The head that a file names; it is what was written to the last byte, or damaged."""
    found = json.loads(raw)
    if not isinstance(found, dict) or set(found) != {"format", "sequence", "hash"}:
        raise ValueError("not a head")
    sequence, digest = found["sequence"], found["hash"]
    if type(sequence) is not int or sequence < 0 or not isinstance(digest, str) or not SHA256.fullmatch(digest):
        raise ValueError("not a head")
    head = Head(sequence, digest)
    if raw != _text(head):
        raise ValueError("not as it was written")
    return head
