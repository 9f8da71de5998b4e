"""From sorted rows to events of whole users, in portions whose bounds depend on the rows alone."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from attribution.events import CONVERSION, NO_USER, Events
from measurement.typing import Bools, Floats, Ints

type Rows = tuple[NDArray[np.uint64], Ints, NDArray[np.uint32], Floats]
"""User (a hash, 0 for nobody), key (time and code in one), second hash of the user, value."""


def whole_users(
    batches: Iterable[pa.RecordBatch],
    kinds: NDArray[np.uint8],
    channels: NDArray[np.uint16],
    bits: int,
    chunk: int,
) -> Iterator[Events]:
    """Decode rows sorted by user and key, about ``chunk`` at a time, never parting a user.

    Args:
        batches: Columns ``user, key, twin, value``.
        kinds: Kind of event of each code.
        channels: Channel position of each code.
        bits: Bits of a key that hold its code; the time is above them.
        chunk: Rows of a portion, unless one user has more.
    """
    for rows in _portions(batches, chunk):
        user, key, _, value = _settled(rows, kinds, bits)
        code = key & ((1 << bits) - 1)
        yield Events(user, key >> bits, kinds[code], channels[code], value)


def _portions(batches: Iterable[pa.RecordBatch], chunk: int) -> Iterator[Rows]:
    held: list[Rows] = []
    size, wanted = 0, chunk
    for batch in batches:
        held.append(_columns(batch))
        size += batch.num_rows
        while size > wanted:
            rows = _joined(held)
            cut = _bound(rows[0], chunk)
            if cut is None:  # one user fills everything held so far
                held, wanted = [rows], size + chunk
                break
            yield _slice(rows, 0, cut)
            held, size, wanted = [_slice(rows, cut, size)], size - cut, chunk
    if size:
        yield _joined(held)


def _columns(batch: pa.RecordBatch) -> Rows:
    user, key, twin, value = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
    return user, key, twin, value.astype(np.float64, copy=False)


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    user, key, twin, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return user, key, twin, value


def _slice(rows: Rows, first: int, stop: int) -> Rows:
    user, key, twin, value = rows
    return user[first:stop], key[first:stop], twin[first:stop], value[first:stop]


def _bound(user: NDArray[np.uint64], chunk: int) -> int | None:
    """Where the last user begins that begins within ``chunk`` rows; else where the next one begins; never 0."""
    within = np.flatnonzero(user[1 : chunk + 1] != user[:chunk]) + 1
    if within.size:
        return int(within[-1])
    beyond = np.flatnonzero(user[chunk + 1 :] != user[chunk:-1])
    return int(beyond[0]) + chunk + 1 if beyond.size else None


def _settled(rows: Rows, kinds: NDArray[np.uint8], bits: int) -> Rows:
    """Settle what the sort left open: users who share a hash, and conversions of one instant."""
    user, key, twin, value = rows
    same_user = user[1:] == user[:-1]
    if (same_user & (twin[1:] != twin[:-1])).any():
        order = np.lexsort((value, key, twin, user))
        user, key, twin, value = user[order], key[order], twin[order], value[order]
        opens = np.concatenate([[True], (user[1:] != user[:-1]) | (twin[1:] != twin[:-1])])
        return np.where(user == NO_USER, user, np.cumsum(opens).astype(np.uint64)), key, twin, value
    ties = same_user & (key[1:] == key[:-1])
    ties &= kinds[key[1:] & ((1 << bits) - 1)] == CONVERSION
    if (ties & (value[1:] != value[:-1])).any():
        at = np.flatnonzero(_either_side(ties))
        value = value.copy()
        value[at] = value[at][np.lexsort((value[at], key[at], user[at]))]
    return user, key, twin, value


def _either_side(ties: Bools) -> Bools:
    """The rows that a tie with the row before them joins."""
    joined: Bools = np.concatenate([[False], ties]) | np.concatenate([ties, [False]])
    return joined
