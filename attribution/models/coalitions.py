"""Coalitions: which channels the journeys of each path met, and how well each coalition converts, shrunk where rare.

The rate of a coalition ``S`` with ``J`` journeys and ``n`` conversions is pulled toward additive main effects ``m(S) =
sum of b_i over S`` (never below 0): ``(n + k m(S)) / (J + k)``, a beta-binomial mean. Main effects are least squares
with weights ``J B``, ``B = k / (J + k)``, as precise as a rate is that differs from them beyond chance, and one journey
without a conversion for each channel; so shrinking takes nothing from a channel in all. ``k`` comes from how much more
rates differ from main effects (those weighted by ``J``) than chance would have it (method of moments).

That is best for each rate alone. But credit adds up many rates, and what errs to one side adds up while what errs by
chance does not. So shrinking is *twiced*: what the pull took away is pulled in turn, and added back (Newey, Hsieh &
Robins 2004, Twicing kernels and a small bias property of semiparametric estimators, Econometrica 72), so that about
``B^2`` of what differs from main effects is lost in place of ``B``. Coalitions that nobody met have main effects.

Rates differ from main effects with variance ``m (1 - m) / k`` (Morris 1983, Parametric empirical Bayes inference). What
is lost of it no resample of users shows: it is drawn (`left_open`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attribution.path_table import FEW, Paths
from measurement.typing import Bools, Floats, Ints

STRENGTH = (1.0, 10_000.0)
"""Least and most journeys that main effects count for."""
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Coalitions:
    """The coalitions of some paths.

    Attributes:
        members: Channels of each, one coalition after another: ascending, or as they were first met; shape (members,).
        offsets: Where each begins, and the end of the last one, shape (coalitions + 1,).
        of_path: The coalition of each path, shape (paths,).
        channels: How many channels there are.
    """

    members: Ints
    offsets: Ints
    of_path: Ints
    channels: int

    @classmethod
    def of(cls, paths: Paths, ordered: bool) -> "Coalitions":
        """From paths; ``ordered`` tells coalitions apart by the order in which their channels were first met."""
        channels = len(paths.channels)
        if not ordered and channels <= FEW:
            return cls._of_few(paths)
        _, first = np.unique(paths.owner * channels + paths.touches, return_index=True)
        if ordered:
            first = np.sort(first)
        owner, members = paths.owner[first], paths.touches[first].astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(paths)))])
        _, example, of_path = np.unique(keys(members, starts), return_index=True, return_inverse=True)
        lengths = np.diff(starts)[example]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        at = np.arange(offsets[-1]) + np.repeat(starts[example] - offsets[:-1], lengths)
        return cls(members[at], offsets, of_path, channels)

    @classmethod
    def _of_few(cls, paths: Paths) -> "Coalitions":
        """Sets of few channels, as the bits of one number: several times as fast."""
        channels = len(paths.channels)
        mask = paths.masks
        seen = np.bincount(mask, minlength=1 << channels) > 0
        row, members = np.nonzero(np.flatnonzero(seen)[:, None] >> np.arange(channels) & 1)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=int(seen.sum())))])
        return cls(members, offsets, (np.cumsum(seen) - 1)[mask], channels)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Ints:
        """Channels of each, shape (coalitions,)."""
        return np.diff(self.offsets)

    @cached_property
    def holds(self) -> sparse.csr_matrix:
        """Which channels each holds, shape (coalitions, channels)."""
        shape = (len(self), self.channels)
        return sparse.csr_matrix((np.ones(len(self.members)), self.members, self.offsets), shape=shape)

    @cached_property
    def pairs(self) -> sparse.csr_matrix:
        """Which pairs of channels each holds, a channel with itself included, shape (coalitions, channels ** 2)."""
        times = np.repeat(self.lengths, self.lengths)
        one = np.repeat(self.members, times)
        starts = np.repeat(self.offsets[:-1], self.lengths)
        ends = np.concatenate([[0], np.cumsum(times)])
        other = self.members[np.arange(len(one)) - np.repeat(ends[:-1] - starts, times)]
        offsets = np.concatenate([[0], np.cumsum(self.lengths**2)])
        shape = (len(self), self.channels**2)
        return sparse.csr_matrix((np.ones(len(one)), one * self.channels + other, offsets), shape=shape)

    @cached_property
    def paths(self) -> sparse.csr_matrix:
        """The coalition of each path as a matrix, shape (paths, coalitions)."""
        size = len(self.of_path)
        return sparse.csr_matrix((np.ones(size), self.of_path, np.arange(size + 1)), shape=(size, len(self)))

    def added_up(self, weights: Floats) -> Floats:
        """Sums over the paths of each, shape (coalitions,), of weights of shape (paths,)."""
        return np.bincount(self.of_path, weights, len(self))


def keys(members: Ints, offsets: Ints) -> NDArray[np.uint64]:
    """A number that tells sequences of channels apart, shape (sequences,); 0 for none."""
    lengths = np.diff(offsets)
    found = np.zeros(len(lengths), dtype=np.uint64)
    for place in range(int(lengths.max(initial=0))):
        inside = np.flatnonzero(lengths > place)
        found[inside] = longer(found[inside], members[offsets[inside] + place])
    return found


def longer(key: NDArray[np.uint64], channel: Ints) -> NDArray[np.uint64]:
    """The keys of sequences with one more channel."""
    mixed = (channel.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    return key * _STEP + mixed * np.uint64(0xD6E8FEB86659FD93)


def main_effects(coalitions: Coalitions, journeys: Floats, reward: Floats, weight: float = np.inf) -> Floats:
    """Additive effects of the channels on the reward per journey, shape (channels, draws).

    Args:
        coalitions: The coalitions.
        journeys: Shape (coalitions, draws).
        reward: Conversions or money, shape (coalitions, draws).
        weight: Journeys for which main effects count: no coalition tells more about them than so many.
    """
    size = coalitions.channels
    told = 1 / (1 + journeys / weight)
    gram = (coalitions.pairs.T @ (journeys * told)).T.reshape(-1, size, size) + np.eye(size)
    return np.asarray(np.linalg.solve(gram, (coalitions.holds.T @ (reward * told)).T[:, :, None])[:, :, 0].T)


def strength(coalitions: Coalitions, journeys: Floats, reward: Floats) -> float:
    """For how many journeys main effects count; journeys and conversions of shape (coalitions,)."""
    seen = journeys > 0
    effects = main_effects(coalitions, journeys[:, None], reward[:, None])
    expected = np.clip((coalitions.holds @ effects)[seen, 0], 0.0, 1.0)
    count, rate = journeys[seen], reward[seen] / journeys[seen]
    noise = expected * (1 - expected)
    beyond = float((count * (rate - expected) ** 2 - noise).sum() / count.sum())
    typical = float((count * noise).sum() / count.sum())
    return float(np.clip(typical / beyond, *STRENGTH)) if beyond > 0 else STRENGTH[1]


def rates(
    coalitions: Coalitions,
    journeys: Floats,
    reward: Floats,
    weight: float,
    holds: sparse.csr_matrix | Floats,
    place: Ints,
) -> Floats:
    """Shrunk rates of any coalitions, shape (of those, draws).

    Args:
        coalitions: Those that were met.
        journeys: Theirs, shape (coalitions, draws).
        reward: Conversions or money, shape (coalitions, draws).
        weight: Journeys for which main effects count.
        holds: Which channels each coalition asked for holds, shape (of those, channels).
        place: Where each one that was met is among them, shape (coalitions,).
    """
    found = np.maximum(holds @ main_effects(coalitions, journeys, reward, weight), 0.0)
    once = (reward + weight * found[place]) / (journeys + weight)
    left = reward - journeys * once
    more = holds @ main_effects(coalitions, journeys, left, weight)
    found += more
    found[place] = once + (left + weight * more[place]) / (journeys + weight)
    return np.asarray(np.maximum(found, 0.0))


def lost(journeys: Floats, weight: float) -> Floats:
    """Share of what differs from main effects that shrunk rates lack, of the shape of ``journeys``."""
    return np.asarray((weight / (journeys + weight)) ** 2)


def left_open(
    coalitions: Coalitions, journeys: Floats, reward: Floats, weight: float
) -> Callable[[np.random.Generator, int], Floats]:
    """Factors on the rates of coalitions for what shrinking leaves open: mean 1, shape (coalitions, draws).

    Args:
        coalitions: The coalitions.
        journeys: Shape (coalitions,).
        reward: Conversions, shape (coalitions,).
        weight: Journeys for which main effects count.
    """
    seen, sold = journeys[:, None], reward[:, None]
    expected = np.clip((coalitions.holds @ main_effects(coalitions, seen, sold, weight))[:, 0], 0.0, 1.0)
    rate = rates(coalitions, seen, sold, weight, coalitions.holds, np.arange(len(coalitions)))[:, 0]
    spread = lost(journeys, weight) * np.sqrt(expected * (1 - expected) / weight)
    relative = np.divide(spread, rate, out=np.zeros_like(rate), where=rate > 0)[:, None]
    shape = 1 / np.maximum(relative, 1e-6) ** 2

    def draw(random: np.random.Generator, draws: int) -> Floats:
        return np.asarray(random.standard_gamma(np.broadcast_to(shape, (len(shape), draws))) / shape)

    return draw


def rare(coalitions: Coalitions, journeys: Floats, weight: float) -> Bools:
    """Coalitions that have fewer journeys than main effects count for."""
    found: Bools = (journeys > 0) & (journeys < weight)
    return found
