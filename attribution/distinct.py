"""Distinct paths: equal journeys counted once, exactly, by Arrow's hash table over the bytes of the paths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from attribution.journeys import Journeys
from attribution.users import Users
from measurement.typing import Floats, Ints


@dataclass(frozen=True, slots=True)
class Distinct:
    """Distinct paths with what happened on them; those with a conversion come first.

    Attributes:
        channel: Channel positions of all touches, path after path, shape (touches,).
        offsets: Where each path begins, and the end of the last one, shape (paths + 1,).
        converting: How many of the paths have a conversion.
        conversions: Conversions, shape (converting,).
        value: Their money, shape (converting,).
        decay: Per touch of the converting paths, conversions credited by time decay, shape (touches of those,).
        decay_value: The same for money.
        nulls: Journeys without conversion, shape (paths,).
        users: The journeys by group of users.
    """

    channel: NDArray[np.uint16]
    offsets: Ints
    converting: int
    conversions: Floats
    value: Floats
    decay: Floats
    decay_value: Floats
    nulls: Floats
    users: Users


def of(journeys: Journeys) -> Distinct:
    """The distinct paths of some journeys; their exposure is added up apart, over many portions of a log."""
    offsets = _offsets(journeys.lengths)
    n = journeys.converting
    owner, channel, places = _unique(journeys.channel, offsets)
    converting = int(owner[:n].max()) + 1 if n else 0
    # every touch of a converting journey adds to the touch at its place in the distinct path
    touch = np.arange(offsets[n]) - np.repeat(offsets[:n] - places[owner[:n]], journeys.lengths[:n])
    width, size = int(places[converting]), len(places) - 1
    by_path = owner[:n]
    return Distinct(
        channel=channel,
        offsets=places,
        converting=converting,
        conversions=np.bincount(by_path, journeys.conversions, converting),
        value=np.bincount(by_path, journeys.value, converting),
        decay=np.bincount(touch, journeys.decay * np.repeat(journeys.conversions, journeys.lengths[:n]), width),
        decay_value=np.bincount(touch, journeys.decay * np.repeat(journeys.value, journeys.lengths[:n]), width),
        nulls=np.bincount(owner[n:], minlength=size).astype(np.float64),
        users=_users(journeys, owner),
    )


def _users(journeys: Journeys, owner: Ints) -> Users:
    n = journeys.converting
    none = np.zeros(0)
    return Users(
        sale_path=owner[:n].astype(np.int32),
        sale_group=journeys.group[:n],
        sale_conversions=journeys.conversions,
        sale_value=journeys.value,
        sale_ages=journeys.ages,
        sale_kinds=journeys.kinds,
        null_path=owner[n:].astype(np.int32),
        null_group=journeys.group[n:],
        no_touch=journeys.no_touch,
        watched=journeys.watched,
        alone=journeys.alone,
        entered=journeys.entered,
        exposed=none.astype(np.int32),
        exposed_group=none.astype(np.uint16),
        exposed_touches=none,
    )


def merge(parts: Sequence[Distinct]) -> Distinct:
    """One table out of several (path tables are additive), in canonical order: that of `_fingerprint`."""
    won = [_cut(part, 0, part.converting) for part in parts]
    lost = [_cut(part, part.converting, len(part.offsets) - 1) for part in parts]
    pieces = won + lost
    lengths = np.concatenate([np.diff(offsets) for _, offsets in pieces]) if pieces else np.zeros(0, np.int64)
    channel = np.concatenate([piece for piece, _ in pieces]) if pieces else np.zeros(0, np.uint16)
    owner, channel, places = _unique(channel, _offsets(lengths))
    n = sum(part.converting for part in parts)
    converting = int(owner[:n].max()) + 1 if n else 0
    size = len(places) - 1
    order = _canonical(channel, places, converting)
    rank = np.empty(size, dtype=np.int64)
    rank[order] = np.arange(size)
    channel, offsets = _take(channel, places, order)
    owner = rank[owner]
    touch = _spread(owner[:n], lengths[:n], offsets)
    width = int(offsets[converting])

    def add(name: str, where: Ints, length: int) -> Floats:
        weights = np.concatenate([getattr(part, name) for part in parts]) if parts else np.zeros(0)
        return np.bincount(where, weights, length)

    tails = np.concatenate([part.nulls[: part.converting] for part in parts]) if parts else np.zeros(0)
    rests = np.concatenate([part.nulls[part.converting :] for part in parts]) if parts else np.zeros(0)
    return Distinct(
        channel=channel,
        offsets=offsets,
        converting=converting,
        conversions=add("conversions", owner[:n], converting),
        value=add("value", owner[:n], converting),
        decay=add("decay", touch, width),
        decay_value=add("decay_value", touch, width),
        nulls=np.bincount(owner, np.concatenate([tails, rests]), size),
        users=Users.joined([part.users for part in parts], _places(parts, owner)),
    )


def _places(parts: Sequence[Distinct], owner: Ints) -> list[Ints]:
    """What the paths of each part are called in the merged table; ``owner`` lists those of all won parts first."""
    won = np.cumsum([0, *(part.converting for part in parts)])
    lost = won[-1] + np.cumsum([0, *(len(part.nulls) - part.converting for part in parts)])
    return [np.concatenate([owner[won[i] : won[i + 1]], owner[lost[i] : lost[i + 1]]]) for i in range(len(parts))]


def _cut(part: Distinct, first: int, stop: int) -> tuple[NDArray[np.uint16], Ints]:
    offsets = part.offsets[first : stop + 1]
    return part.channel[offsets[0] : offsets[-1]], offsets - offsets[0]


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _unique(channel: NDArray[np.uint16], offsets: Ints) -> tuple[Ints, NDArray[np.uint16], Ints]:
    """The distinct path of every path, in order of first appearance; their touches; where each begins."""
    if len(offsets) < 2:
        return np.zeros(0, np.int64), channel[:0], np.zeros(1, np.int64)
    # one byte a touch where that is enough: half the bytes to hash
    narrow = not channel.size or int(channel.max()) < 256
    codes = channel.astype(np.uint8) if narrow else np.ascontiguousarray(channel)
    places = pa.py_buffer(np.ascontiguousarray(offsets * codes.itemsize))
    paths = pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [None, places, pa.py_buffer(codes)])
    encoded = paths.dictionary_encode()
    found = encoded.dictionary
    _, at, data = found.buffers()
    begin = np.frombuffer(at, np.int64)[found.offset : found.offset + len(found) + 1] // codes.itemsize
    touches = np.frombuffer(data, codes.dtype)[begin[0] : begin[-1]].astype(np.uint16)
    return encoded.indices.to_numpy().astype(np.int64), touches, begin - begin[0]


def _spread(owner: Ints, lengths: Ints, offsets: Ints) -> Ints:
    """For the touches of paths laid end to end, the place of each in the table of their owners."""
    mine = _offsets(lengths)[:-1]
    return np.arange(int(lengths.sum())) - np.repeat(mine - offsets[owner], lengths)


def _take(channel: NDArray[np.uint16], offsets: Ints, order: Ints) -> tuple[NDArray[np.uint16], Ints]:
    """The paths in another order."""
    lengths = np.diff(offsets)[order]
    at = np.arange(int(lengths.sum())) + np.repeat(offsets[order] - _offsets(lengths)[:-1], lengths)
    return channel[at], _offsets(lengths)


def _canonical(channel: NDArray[np.uint16], offsets: Ints, converting: int) -> Ints:
    """An order of the paths that depends on nothing but the paths: converting first, then by two polynomial hashes."""
    starts = offsets[:-1]
    if not starts.size:
        return np.zeros(0, np.int64)
    lengths = np.diff(offsets)
    place = np.arange(len(channel)) - np.repeat(starts, lengths)
    keys = []
    for base in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F):
        powers = np.cumprod(np.full(int(lengths.max()), base, dtype=np.uint64))
        keys.append(np.add.reduceat((channel.astype(np.uint64) + np.uint64(1)) * powers[place], starts))
    # by whether they convert, by length, then by the hashes: the first of them in the same number as far as it goes
    lost = np.arange(len(starts)) >= converting
    high = (lost.astype(np.uint64) << np.uint64(20)) | np.minimum(lengths, (1 << 20) - 1).astype(np.uint64)
    first = (high << np.uint64(43)) | (keys[0] >> np.uint64(21))
    order = np.argsort(first)
    in_order = first[order]
    if (in_order[1:] != in_order[:-1]).all():
        return order
    return np.lexsort((keys[1], keys[0], lengths, first))
