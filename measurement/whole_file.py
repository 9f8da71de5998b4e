"""Files written whole or not at all: a draft beside the file takes its place once it is complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measurement.errors import DataError, shown


@contextmanager
def whole_file(target: Path, what: str, *, over: bool = True, folder: Path | None = None) -> Iterator[Path]:
    """A draft to write; it becomes ``target`` when the block ends, and vanishes when the block fails.

    Args:
        target: The file; its folder is made where it is not there.
        what: What is written, for the error ("the report").
        over: Whether a file that is there may be replaced. Otherwise none ever is, not even one that another process
            has written in the meantime.
        folder: Where the draft is written, on the disk of the file; beside it by default.

    Raises:
        DataError: Where it cannot be written, or is there already and ``over`` is not set.
    """
    draft: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder or target.parent, prefix=".draft-", suffix=target.suffix)
        os.close(handle)
        draft = Path(name)
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.chmod(0o644)
        _into_place(draft, target, over)
    except OSError as error:
        raise DataError(f"{what} cannot be written to {shown(target)}: {error.strerror or error}") from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _into_place(draft: Path, target: Path, over: bool) -> None:
    if over:
        draft.replace(target)
        return
    try:
        os.link(draft, target)  # unlike a rename, this never replaces
    except FileExistsError:
        raise DataError(f"{shown(target)} is there already, and is never overwritten: name another file") from None
