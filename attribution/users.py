"""What users did, by group: enough to resample users and to see ages of touches, and nobody can be told from it.

Every user is dealt into one of `GROUPS` groups by a hash of the id. Groups drawn at random with replacement give the
sampling distribution of any sum over users, journeys of one user kept together, to 2 % of its standard deviation; and
tables of adjoining periods still add up, as a user always falls into the same group.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from measurement.typing import Floats, Ints

BITS = 10
GROUPS = 1 << BITS
MANY = 1 << 22
"""Touches whose exposure is held before it is added up."""


@dataclass(frozen=True, eq=False)
class Users:
    """Journeys of a path table by group of users.

    Attributes:
        sale_path: The distinct path of each journey that converted, shape (sales,).
        sale_group: Its user's group.
        sale_conversions: Its conversions.
        sale_value: Their money.
        sale_ages: Bins of the ages of its touches at the conversion (`attribution.ages`), sale after sale, each sale's
            in the order of its path.
        sale_kinds: The kind of each of these touches: `CLICK` or `IMPRESSION`.
        null_path: The distinct path of each journey that did not convert, shape (nulls,).
        null_group: Its user's group.
        no_touch: Conversions that no touch preceded and their money, shape (2, groups).
        watched: Seconds between a user's first event and the end of the log, within the period, shape (groups,).
        alone: Conversions that no touch preceded of somebody who is known, shape (groups,).
        entered: Those of them with which a user came into the log.
        exposed: How long touches could have led to a conversion: the cell ``(2 * channel + kind) * BINS + bin`` of each
            count. A touch is exposed until its journey converts, its lookback ends, or the log does.
        exposed_group: The group of each count.
        exposed_touches: The counts.
    """

    sale_path: NDArray[np.int32]
    sale_group: NDArray[np.uint16]
    sale_conversions: Floats
    sale_value: Floats
    sale_ages: NDArray[np.uint8]
    sale_kinds: NDArray[np.uint8]
    null_path: NDArray[np.int32]
    null_group: NDArray[np.uint16]
    no_touch: Floats
    watched: Floats
    alone: Floats
    entered: Floats
    exposed: NDArray[np.int32]
    exposed_group: NDArray[np.uint16]
    exposed_touches: Floats

    def arrays(self) -> list[NDArray[Any]]:
        """Everything in it, in a fixed order."""
        return [getattr(self, each.name) for each in fields(self)]

    @classmethod
    def joined(cls, parts: "Sequence[Users]", paths: Sequence[Ints]) -> Self:
        """Those of several tables as one.

        Args:
            parts: At least one.
            paths: What path ``i`` of each table is called in the one, each of shape (its paths,).
        """
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _JOINED}
        for name in ("sale_path", "null_path"):
            renumbered = [place[getattr(part, name)] for part, place in zip(parts, paths, strict=True)]
            arrays[name] = np.concatenate(renumbered).astype(np.int32)
        code = code_of(arrays["exposed"], arrays["exposed_group"])
        cell, group, touches = added_up(code, arrays["exposed_touches"])
        arrays |= {"exposed": cell, "exposed_group": group, "exposed_touches": touches}
        return cls(**arrays, **{name: np.sum([getattr(part, name) for part in parts], axis=0) for name in _ADDED})


_ADDED = ("no_touch", "watched", "alone", "entered")
_JOINED = [each.name for each in fields(Users) if each.name not in _ADDED]


class Exposure:
    """Exposure of touches as it comes, portion by portion; added up now and then, so that memory stays."""

    def __init__(self) -> None:
        """None so far."""
        self._codes: list[Ints] = []
        self._sums: list[tuple[NDArray[np.int32], NDArray[np.uint16], Floats]] = []

    def add(self, codes: Ints) -> None:
        """Take the cells and groups of some touches (`code_of`), each of which counts 1."""
        self._codes.append(codes)
        if sum(len(each) for each in self._codes) > MANY:
            self._sums = [self.sums()]
            self._codes = []

    def sums(self) -> tuple[NDArray[np.int32], NDArray[np.uint16], Floats]:
        """Cells, groups and counts of all so far, in order of both."""
        news = added_up(np.concatenate([np.zeros(0, np.int64), *self._codes]))
        cell, group, touches = (np.concatenate(each) for each in zip(*self._sums, news, strict=True))
        return added_up(code_of(cell, group), touches) if self._sums else news


def code_of(cell: NDArray[np.int32], group: NDArray[np.uint16]) -> Ints:
    """A cell and a group of users in one number."""
    return (cell.astype(np.int64) << BITS) + group


def added_up(code: Ints, touches: Floats | None = None) -> tuple[NDArray[np.int32], NDArray[np.uint16], Floats]:
    """Exposure with equal cells and groups added up (each counting 1 without ``touches``), in order of both."""
    size = int(code.max()) + 1 if code.size else 0
    if size > 8 * code.size:
        found, place = np.unique(code, return_inverse=True)
        total = np.bincount(place, touches, len(found))
    else:
        total = np.bincount(code, touches, size)
        found = np.flatnonzero(total)
        total = total[found]
    return (found >> BITS).astype(np.int32), (found & (GROUPS - 1)).astype(np.uint16), total.astype(np.float64)
