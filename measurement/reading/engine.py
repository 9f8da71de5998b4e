"""What DuckDB and Arrow raise where the machine, not the file, is in the way: a full disk, a key pressed."""

from collections.abc import Iterator
from contextlib import contextmanager

from measurement.errors import shown

_FULL = ("No space left", "File too large", "Disk quota", "failed to offload", "max_temp_directory_size")
_TIGHT = "Out of Memory"
_INTERRUPTED = ("InterruptException", "ArrowCancelled")


def no_room(error: BaseException) -> str | None:
    """What is too small, in words: the disk, or memory; ``None`` where it is something else."""
    text = str(error)
    first = shown(text.strip().partition("\n")[0], 300)
    if isinstance(error, MemoryError):
        return "does not fit into this machine's memory"
    if any(mark in text for mark in _FULL):
        return f"does not fit into memory, and the disk for what does not fit is full; free some room ({first})"
    return f"does not fit into the memory that is allowed; allow more ({first})" if _TIGHT in text else None


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C within a query be what it is everywhere else: DuckDB and Arrow make errors of their own of it."""
    try:
        yield
    except Exception as error:
        if str(error) == "Query interrupted" or type(error).__name__ in _INTERRUPTED:
            raise KeyboardInterrupt from None
        raise
