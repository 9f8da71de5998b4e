"""A folder for what does not fit into memory: removed after the run, and by the next run where that was killed.

Its owner holds a lock on a file in it, which the system frees when the owner dies, however it dies. So a folder whose
lock can be taken belongs to nobody, and is removed. Two runs at once never touch each other's.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from measurement.errors import DataError, shown

if sys.platform != "win32":
    import fcntl

PREFIX, UNDER_WAY = ".theodolite-spill-", ".theodolite-new-"
LOCK = "lock"


@contextmanager
def spill_folder(where: str | Path | None = None) -> Iterator[Path]:
    """A new folder, gone when the block ends; those of runs that were killed are removed first.

    Args:
        where: The folder that it lies in; the system's temporary folder where ``None``. Events of users pass through
            it, so it is readable by its owner alone.

    Raises:
        DataError: Where it cannot be made.
    """
    parent = Path(tempfile.gettempdir() if where is None else where)
    sweep(parent)
    try:
        draft = Path(tempfile.mkdtemp(prefix=UNDER_WAY, dir=parent))
        lock = os.open(draft / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        words = f"no folder for what does not fit into memory can be made in {shown(parent)}: {error.strerror or error}"
        raise DataError(words) from None
    folder = parent / draft.name.replace(UNDER_WAY, PREFIX)
    try:
        _taken(lock)
        draft.rename(folder)  # under this name it is locked from the first moment on
        yield folder
    finally:
        os.close(lock)
        for each in (draft, folder):
            shutil.rmtree(each, ignore_errors=True)


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Be the only one who changes something in a folder, among all processes; the system frees it when its holder dies.

    Raises:
        DataError: Where another process is at it, or the folder cannot be opened.
    """
    if sys.platform == "win32":  # folders cannot be locked there
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{shown(folder)} cannot be opened: {error.strerror or error}") from None
    try:
        if not _taken(handle):
            raise DataError(f"another process adds {what} in {shown(folder)} just now: try again when it is done")
        yield
    finally:
        os.close(handle)


def sweep(parent: Path) -> list[Path]:
    """Remove the folders whose owners are dead; what cannot be removed stays. Returns those that were found."""
    found = []
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another run was quicker, or it is another user's
            lock = os.open(folder / LOCK, os.O_RDWR)
            try:
                if _taken(lock):
                    found.append(folder)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
    return found


def _taken(lock: int) -> bool:
    """Take a lock that nobody holds; ``False`` where somebody does, or where the system has no such lock."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
