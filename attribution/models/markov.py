"""Markov attribution of order 1 to 4, exact: an absorbing chain over contexts of up to ``order`` channels.

Journeys, those that did not convert included, are walks start -> context -> ... -> conversion or null (`contexts`).
With ``Q`` the probabilities between contexts, ``r`` those of conversion right after one, and ``h = Q h + r`` the chance
of converting from each, taking a channel away (whoever reaches it is lost) costs what converts *through* it: ``D = h``
in the contexts that end with the channel and ``D = Q D`` in all others, one column per channel (`fixed_point`). The
loss ``s D``, with ``s`` where journeys start, over ``P = s h`` is the removal effect, and credit is in proportion. For
money, ``r`` holds the money that a visit to a context brings right away.

Draws are first-order: each group of users moves the losses along their exact derivative (an infinitesimal jackknife;
Efron & Tibshirani 1993, ch. 21). It needs the chance ``B`` that a journey now in a context went through the channel
before, which is the same kind of equation on the chain run backwards.

Source: Anderl, Becker, von Wangenheim & Schumann (2016), Mapping the customer journey, IJRM 33(3), 457-474.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from attribution.models import first_order
from attribution.models.contexts import START, Contexts, contexts
from attribution.models.fixed_point import CELLS, Matrix, solve, through
from attribution.path_table import Paths
from attribution.sums import Prepared, Solution, Term
from measurement.typing import Floats, Ints


def prepare(paths: Paths, order: int) -> Prepared:
    """Removal effects of the chain whose next touch depends on the last ``order`` ones.

    Raises:
        DataError: Where there are no null paths and the paths' spec does not make them optional, or too many channels.
    """
    if order == 1:
        return first_order.prepare(paths)
    first_order.refuse(paths)
    known = contexts(paths, order)
    rewards = [paths.conversions] + ([] if paths.value is None else [paths.value])
    chain = Chain.of(known, paths.conversions + paths.nulls, rewards, len(paths.channels))
    terms = [Term("journeys", known.steps), Term("conversions", known.ends)]
    if paths.value is not None:
        terms.append(Term("value", known.ends))

    def point(_: Sequence[Floats]) -> Solution:
        totals = [np.array([reward.sum()]) for reward in rewards]
        return _solution(chain.loss[:, :, None], totals, chain.begin @ chain.ahead[:, [0]])

    def draws(sums: Sequence[Matrix], times: Floats) -> Solution:
        steps, ends = sums[0], sums[1:]
        moved = chain.loss[:, :, None] + chain.influence(steps, ends) @ (times - 1.0)
        totals = [np.asarray(end.sum(axis=0)).ravel() @ times for end in ends]
        journeys = np.asarray(steps[np.flatnonzero(known.source == START)].sum(axis=0)).ravel() @ times
        return _solution(np.maximum(moved, 0.0), totals, totals[0] / np.maximum(journeys, 1.0))

    return Prepared(tuple(terms), point, draws=draws)


@dataclass(frozen=True)
class Chain:
    """The chain of some journeys.

    Attributes:
        known: Its states and steps.
        channels: How many channels there are.
        journeys: Journeys in all.
        visits: How often they enter each state, shape (states,).
        flow: How often they take each step, shape (steps,).
        begin: s, shape (states,).
        moves: Q, shape (states, states).
        ahead: h of each reward, shape (states, rewards).
    """

    known: Contexts
    channels: int
    journeys: float
    visits: Floats
    flow: Floats
    begin: Floats
    moves: sparse.csr_matrix
    ahead: Floats

    @classmethod
    def of(cls, known: Contexts, journeys: Floats, rewards: Sequence[Floats], channels: int) -> "Chain":
        """From journeys per path, shape (paths,), and what they bring in conversions (and money)."""
        states = len(known.last)
        flow = known.steps.T @ journeys
        visits = np.bincount(known.target, flow, states)
        visits = np.where(visits > 0, visits, 1.0)
        outer = known.source == START
        begin = np.bincount(known.target[outer], flow[outer], states) / journeys.sum()
        moves = _between(flow / visits[known.source], known.source, known.target, states)
        right_away = np.stack([known.ends.T @ reward / visits for reward in rewards], axis=1)
        return cls(known, channels, float(journeys.sum()), visits, flow, begin, moves, solve(moves, right_away))

    @cached_property
    def lost(self) -> list[Matrix]:
        """D of each reward: what passes through each channel from each state on, shape (states, channels)."""
        return [through(self.moves, self.known.last, ahead, self.channels) for ahead in self.ahead.T]

    @cached_property
    def loss(self) -> Floats:
        """Reward per journey that is lost without each channel, shape (rewards, channels)."""
        return np.stack([np.asarray(lost.T @ self.begin) for lost in self.lost])

    def influence(self, steps: Matrix, ends: Sequence[Matrix]) -> Floats:
        """What the journeys of each group add to each loss, shape (rewards, channels, groups).

        Args:
            steps: Steps by group, shape (steps, groups).
            ends: Rewards by the state in which they were had, each of shape (states, groups).
        """
        known, states = self.known, len(self.visits)
        backwards = _between(self.flow / self.visits[known.target], known.target, known.source, states, known.source)
        before = through(backwards, known.last, np.full(states, 1.0 / self.journeys), self.channels)
        source, target = _rows(known.source, states), _rows(known.target, states)
        first = np.asarray(steps[np.flatnonzero(known.source == START)].sum(axis=0)).ravel() / self.journeys
        found = [-loss[:, None] * first for loss in self.loss]
        for part in _parts([before, *self.lost], len(known.source)):
            arrived = _columns(before, part)
            rise = source @ arrived - target @ arrived
            for i, end in enumerate(ends):
                left = self.ahead[known.target, i]
                by_step = _product(rise, left[:, None]) - _product(rise, target @ _columns(self.lost[i], part))
                found[i][part] += (_filled(steps.T @ by_step) + _filled(end.T @ arrived)).T
        return np.stack(found)


def _parts(matrices: Sequence[Matrix], steps: int) -> list[slice]:
    """Channels that are looked at together: all where everything is sparse, else as many as there is room for."""
    channels = matrices[0].shape[1]
    room = channels if all(map(sparse.issparse, matrices)) else max(CELLS // steps, 1)
    return [slice(first, min(first + room, channels)) for first in range(0, channels, room)]


def _columns(matrix: Matrix, part: slice) -> Matrix:
    """Some columns of a matrix: those of a sparse one too are full where others are."""
    whole = part == slice(0, matrix.shape[1])
    return matrix if whole else matrix[:, part].toarray() if sparse.issparse(matrix) else matrix[:, part]


def _between(data: Floats, row: Ints, column: Ints, states: int, source: Ints | None = None) -> sparse.csr_matrix:
    """A matrix of steps between states, without those from the start."""
    inner = np.flatnonzero(((row if source is None else source) != START) & (data > 0))
    return sparse.csr_matrix(sparse.coo_matrix((data[inner], (row[inner], column[inner])), shape=(states, states)))


def _rows(place: Ints, states: int) -> sparse.csr_matrix:
    """What takes the rows ``place`` of a matrix; nothing for the start."""
    inside = (place != START).astype(np.int64)
    data, indptr = np.ones(int(inside.sum())), np.concatenate([[0], np.cumsum(inside)])
    return sparse.csr_matrix((data, place[place != START], indptr), shape=(len(place), states))


def _product(one: Matrix, other: Matrix) -> Matrix:
    return sparse.csr_matrix(one.multiply(other)) if sparse.issparse(one) else one * other


def _filled(matrix: Any) -> Floats:
    """As a full array."""
    full: Floats = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return full


def _solution(loss: Floats, totals: Sequence[Floats], probability: Floats) -> Solution:
    """Credit from losses of shape (rewards, channels, draws)."""
    sums = loss.sum(axis=1, keepdims=True)
    shares = np.divide(loss, sums, out=np.zeros_like(loss), where=sums > 0)
    effect = np.divide(loss[0], probability, out=np.zeros_like(loss[0]), where=probability > 0)
    value = shares[1] * totals[1] if len(totals) > 1 else None
    return Solution(shares[0] * totals[0], value, effect, probability)
