"""Shapley values of the coalition game from the coalitions that journeys met, where a lattice of all is out of reach.

The game is a sum over journeys (`lattice`), so its values are those of the game on each coalition ``T`` that was met,
times its journeys. A small ``T`` is played out over all its parts, which keep their order; a large one in random orders
of entry and their reverses (Castro, Gomez & Tejada 2009; Mitchell et al. 2022 on antithetic orders), with a standard
error.
"""

from dataclasses import dataclass
from math import factorial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from attribution.models.coalitions import Coalitions, longer
from measurement.typing import Bools, Floats, Ints

LARGEST_EXACT = 10
"""Channels of a coalition that is played out over all its parts."""
MOST_PARTS = 6_000_000
"""Parts looked at in all; beyond, smaller coalitions are sampled too."""
MOST_FILLED = 20_000_000
"""Cells up to which slopes are added up in a full table."""
ORDERS = 64
SEED = 20


@dataclass(frozen=True, eq=False)
class Play:
    """Coalitions of one size, and how their parts make their values.

    Attributes:
        coalitions: Their positions, shape (number,).
        members: Their channels, shape (number, size).
        parts: Where their parts are among all that are looked at, shape (number, parts).
        weights: From the rates of the parts to the values of the members, shape (parts, size).
        orders: The orders of entry, each followed by its reverse, where they were sampled: shape (orders, size).
    """

    coalitions: Ints
    members: Ints
    parts: Ints
    weights: Floats
    orders: Ints | None


@dataclass(frozen=True, eq=False)
class Game:
    """Everything that is played.

    Attributes:
        plays: By size.
        holds: Which channels each part holds, shape (parts, channels).
        place: Where each coalition that was met is among the parts, shape (coalitions,).
        empty: Where the empty one is.
    """

    plays: tuple[Play, ...]
    holds: sparse.csr_matrix
    place: Ints
    empty: int

    def values(self, rate: Floats, journeys: Floats) -> Floats:
        """Shapley values, shape (channels,).

        Args:
            rate: v of each part, shape (parts,).
            journeys: Of each coalition, shape (coalitions,).
        """
        found = np.zeros(self.holds.shape[1])
        for play in self.plays:
            worth = (rate[play.parts] @ play.weights) * journeys[play.coalitions, None]
            found += np.bincount(play.members.ravel(), worth.ravel(), len(found))
        return found

    def by_journey(self, rate: Floats) -> sparse.csr_matrix:
        """What the values gain per journey of each coalition, shape (coalitions, channels)."""
        cells = [((rate[play.parts] @ play.weights).ravel(), play.coalitions, play.members) for play in self.plays]
        worth = np.concatenate([each for each, _, _ in cells])
        row = np.concatenate([np.repeat(mine, members.shape[1]) for _, mine, members in cells])
        column = np.concatenate([members.ravel() for _, _, members in cells])
        return sparse.csr_matrix((worth, (row, column)), shape=(len(self.place), self.holds.shape[1]))

    def by_rate(self, journeys: Floats) -> sparse.csr_matrix:
        """What the values gain per unit of rate of each part, shape (parts, channels)."""
        shape = self.holds.shape
        full = shape[0] * shape[1] <= MOST_FILLED
        found = np.zeros(shape[0] * shape[1] if full else 0)
        gains, cells = [], []
        for play in self.plays:
            for place, weights in enumerate(play.weights.T):
                gain = (journeys[play.coalitions, None] * weights).ravel()
                cell = (play.parts * shape[1] + play.members[:, [place]]).ravel()
                if full:
                    found += np.bincount(cell, gain, len(found))
                else:
                    gains.append(gain)
                    cells.append(cell)
        if full:
            return sparse.csr_matrix(found.reshape(shape))
        cell = np.concatenate(cells)
        return sparse.csr_matrix((np.concatenate(gains), (cell // shape[1], cell % shape[1])), shape=shape)

    def error(self, rate: Floats, journeys: Floats) -> Floats:
        """Standard error by sampling of `values`, shape (channels,); arguments of shape (parts,) and (coalitions,)."""
        variance = np.zeros(self.holds.shape[1])
        for play in self.plays:
            if play.orders is None:
                continue
            size = play.members.shape[1]
            along = np.diff(rate[play.parts].reshape(len(play.parts), -1, size + 1), axis=2)
            by_member = np.take_along_axis(along, np.argsort(play.orders, axis=1)[None], axis=2)
            pairs = by_member.reshape(len(play.parts), -1, 2, size).mean(axis=2) * journeys[play.coalitions, None, None]
            total = np.zeros((pairs.shape[1], len(variance)))
            for pair in range(pairs.shape[1]):
                np.add.at(total[pair], play.members, pairs[:, pair])
            variance += total.var(axis=0, ddof=1) / len(total)
        return np.asarray(np.sqrt(variance))


def game(coalitions: Coalitions) -> Game:
    """What must be looked at to play the game on some coalitions."""
    sizes = np.unique(coalitions.lengths)
    exact = LARGEST_EXACT
    while exact > 3 and sum(int((coalitions.lengths == m).sum()) << int(m) for m in sizes if m <= exact) > MOST_PARTS:
        exact -= 1
    random = np.random.default_rng(SEED)
    plays = []
    for size in sizes:
        mine = np.flatnonzero(coalitions.lengths == size)
        members = coalitions.members[coalitions.offsets[mine][:, None] + np.arange(size)]
        orders = None if size <= exact else _orders(int(size), random)
        masks, weights = _all_parts(int(size)) if orders is None else _prefixes(orders)
        plays.append((mine, members, masks, weights, orders))
    found = [_keys(members, masks) for _, members, masks, _, _ in plays]
    first, at = _numbered(np.concatenate([each.ravel() for each in found]))
    rows, columns = _members_of([each[1:3] for each in plays], first)
    holds = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(first), coalitions.channels))
    ends = np.cumsum([0, *(each.size for each in found)])
    placed = [at[ends[i] : ends[i + 1]].reshape(each.shape) for i, each in enumerate(found)]
    whole = np.empty(len(coalitions), dtype=np.int64)
    for (mine, *_), place in zip(plays, placed, strict=True):
        whole[mine] = place[:, -1]  # all parts, and all orders of entry, begin with nobody and end with everybody
    return Game(
        tuple(Play(mine, m, place, w, o) for (mine, m, _, w, o), place in zip(plays, placed, strict=True)),
        holds,
        whole,
        int(at[0]),
    )


def _numbered(found: NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Where each distinct key stands first, and the number of each key, by Arrow's hash table: no sort."""
    at = pa.array(found).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(at), prepend=-1))
    return first, at


def _all_parts(size: int) -> tuple[Bools, Floats]:
    """All parts, shape (parts, size), and Shapley's weights."""
    masks = (np.arange(1 << size)[:, None] >> np.arange(size) & 1).astype(np.bool_)
    count = masks.sum(axis=1)
    share = np.array([factorial(k) * factorial(size - k - 1) / factorial(size) for k in range(size)] + [0.0])
    weights = np.where(masks, share[count - 1][:, None], -share[count][:, None])
    return masks, weights


def _orders(size: int, random: np.random.Generator) -> Ints:
    forth = np.stack([random.permutation(size) for _ in range(ORDERS // 2)])
    return np.stack([forth, forth[:, ::-1]], axis=1).reshape(-1, size)


def _prefixes(orders: Ints) -> tuple[Bools, Floats]:
    """Who is in after each entry, and what the entries are worth to each member on average."""
    size = orders.shape[1]
    rank = np.argsort(orders, axis=1)
    masks = rank[:, None, :] < np.arange(size + 1)[None, :, None]
    came = np.diff(masks.astype(np.float64), axis=1)
    weights = np.zeros(masks.shape)
    weights[:, 1:] += came
    weights[:, :-1] -= came
    return masks.reshape(-1, size), weights.reshape(-1, size) / len(orders)


def _keys(members: Ints, masks: Bools) -> NDArray[np.uint64]:
    """The key of each part, shape (coalitions, parts)."""
    found = np.zeros((len(members), len(masks)), dtype=np.uint64)
    for place in range(members.shape[1]):
        inside = masks[:, place]
        found[:, inside] = longer(found[:, inside], members[:, place][:, None])
    return found


def _members_of(plays: list[tuple[Ints, Bools]], first: Ints) -> tuple[Ints, Ints]:
    """Part and channel of all members of the parts whose first occurrences, over all plays, are ``first``."""
    rows, columns, passed = [], [], 0
    for members, masks in plays:
        mine = np.flatnonzero((first >= passed) & (first < passed + len(members) * len(masks)))
        coalition, part = np.divmod(first[mine] - passed, len(masks))
        which, member = np.nonzero(masks[part])
        rows.append(mine[which])
        columns.append(members[coalition[which], member])
        passed += len(members) * len(masks)
    return np.concatenate(rows), np.concatenate(columns)
