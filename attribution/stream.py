"""From sorted rows to events of whole users, in portions whose bounds depend on the rows alone."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from attribution.events import CONVERSION, Events
from measurement.typing import Floats, Ints

type Rows = tuple[NDArray[np.uint64], Ints, Floats]
"""User (a hash, 0 for nobody), key (bits of a second hash, time and code in one), value."""
HALF = np.uint64(32)


def whole_users(
    batches: Iterable[pa.RecordBatch],
    kinds: NDArray[np.uint8],
    channels: NDArray[np.uint16],
    bits: int,
    room: int,
    chunk: int,
) -> Iterator[Events]:
    """Decode rows sorted by user and key, about ``chunk`` at a time, never parting a user.

    Args:
        batches: Columns ``user, key, value``, none of them with blanks. A user of 32 bits is the upper half of the
            hash; the key has the lower one in place of a second hash.
        kinds: Kind of event of each code.
        channels: Channel position of each code.
        bits: Bits of a key that hold its code; the time is above them.
        room: Bits of a key that hold time and code; a second hash of the user is above them.
        chunk: Rows of a portion, unless one user has more.
    """
    for rows in _portions(batches, chunk):
        user, key, value = _settled(_with_whole_users(rows, room), kinds, bits, room)
        code = key & ((1 << bits) - 1)
        yield Events(user, (key & ((1 << room) - 1)) >> bits, kinds[code], channels[code], value)


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
    user, key, value = (column.to_numpy() for column in batch.columns)
    return user, key, value


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    user, key, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return user, key, value


def _with_whole_users(rows: Rows, room: int) -> Rows:
    """Put the halves of the users' hashes together, where they are parted."""
    user, key, value = rows
    if user.dtype == np.uint64:
        return rows
    low = key >> np.uint64(room)
    whole = user.astype(np.uint64)
    whole <<= HALF
    whole |= low
    low <<= np.uint64(room)
    return whole, (key ^ low).view(np.int64), value


def _slice(rows: Rows, first: int, stop: int) -> Rows:
    user, key, value = rows
    return user[first:stop], key[first:stop], value[first:stop]


def _bound(user: NDArray[np.uint64], chunk: int) -> int | None:
    """Where the last user begins that begins within ``chunk`` rows; else where the next one begins; never 0."""
    within = np.flatnonzero(user[1 : chunk + 1] != user[:chunk]) + 1
    if within.size:
        return int(within[-1])
    beyond = np.flatnonzero(user[chunk + 1 :] != user[chunk:-1])
    return int(beyond[0]) + chunk + 1 if beyond.size else None


def _settled(rows: Rows, kinds: NDArray[np.uint8], bits: int, room: int) -> Rows:
    """Settle what the sort left open: users who share a hash, and conversions of one instant."""
    user, key, value = rows
    same_user = user[1:] == user[:-1]
    step = key[1:] ^ key[:-1]
    apart = same_user & (step >> room != 0)
    if apart.any():  # the sort parted them; each gets a number of its own
        shared = np.isin(user, user[1:][apart])
        user = np.where(shared, user + (key >> room).astype(np.uint64), user)
    ties = np.flatnonzero(same_user & (step == 0))
    ties = ties[kinds[key[ties] & ((1 << bits) - 1)] == CONVERSION]
    if (value[ties] != value[ties + 1]).any():
        at = np.unique(np.concatenate([ties, ties + 1]))
        value = value.copy()
        value[at] = value[at][np.lexsort((value[at], key[at], user[at]))]
    return user, key, value
