"""Simplex weights of many targets at once, where all series come from one window of one panel.

A target is a mean of some geos and its candidates are others of the same panel, so every problem reads its numbers
from one Gram matrix of the panel. Block principal pivoting (Júdice and Pires 1994, A block principal pivoting
algorithm for large-scale strictly monotone linear complementarity problems; Kim and Park 2011 for non-negative least
squares) guesses which weights are free, zero or at the cap, solves the equations of the guess, and moves every weight
that breaks the conditions of the optimum; Murty's rule (the last one only) takes over where that does not help. An
answer is handed out only where all conditions hold; the few problems that do not settle go to `simplex_weights`.
On 40 cities and 76 days that takes 60 % of the time of one solve after the other, and 20 % from a nearby start. Where
the window has fewer periods than there are candidates a blind guess is worth nothing, and all go one by one at once.
"""

import numpy as np

from experiments.geo.estimators.simplex import FREE, LOWER, TINY, UPPER, simplex_weights
from measurement.typing import Bools, Floats, Ints

OUT = -2  # not a candidate
TOLERANCE = 1e-11
RANK = 1e-10  # eigenvalues below this share of the largest count as zero
ROUNDS, PATIENCE = 15, 3
TOGETHER = 256  # problems that share a batch, so that it stays in the processor's cache


def simplex_weights_many(
    gram: Floats, mixes: Floats, candidates: Bools, *, cap: float | Floats = 1.0, start: Floats | None = None
) -> Floats:
    """Weights of the convex combinations of series that are nearest to combinations of other series.

    Args:
        gram: Inner products of the series, shape (series, series).
        mixes: Each target as a combination of the series, shape (problems, series).
        candidates: Series that may carry weight, shape (problems, series), at least one in each problem.
        cap: Largest weight allowed, one for all or shape (problems,); times the candidates it must reach 1.
        start: Weights from which to start, shape (problems, series): those of a neighbouring window save two thirds of
            the time. They change the answer by rounding only.

    Returns:
        Shape (problems, series), non-negative, adding to one. Where several answers are equally near, the one with the
        smallest sum of squares.

    Raises:
        ValueError: Where a cap cannot be met.
    """
    caps = np.broadcast_to(np.asarray(cap, dtype=np.float64), (len(mixes),))
    if (caps * candidates.sum(axis=1) < 1.0).any():
        raise ValueError("a problem's candidates at its cap do not add to one")
    size = float(np.trace(gram)) / len(gram)
    scaled = gram / (size or 1.0) + TINY * np.eye(len(gram))
    linear = mixes @ scaled
    side = _guess(candidates, caps, start)
    weights = np.zeros(mixes.shape)
    settled = np.zeros(len(mixes), dtype=np.bool_)
    values, vectors = np.linalg.eigh(scaled)
    if start is not None or np.count_nonzero(values > values[-1] * RANK) >= candidates.sum(axis=1).max():
        for first in range(0, len(mixes), TOGETHER):
            rows = slice(first, first + TOGETHER)
            weights[rows], settled[rows] = _settle(scaled, linear[rows], side[rows], caps[rows])
    if not settled.all():
        series = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
        for row in np.flatnonzero(~settled):
            among = candidates[row]
            weights[row] = 0.0
            weights[row, among] = simplex_weights(series[:, among], series @ mixes[row], cap=float(caps[row]))
    return weights


def _guess(candidates: Bools, caps: Floats, start: Floats | None) -> Ints:
    """Where each weight is thought to end: free, at zero or at the cap; all free without a start."""
    side = np.where(candidates, FREE, OUT)
    if start is None:
        return side
    near = np.where(start >= caps[:, None] - TOLERANCE, UPPER, np.where(start > 0.0, FREE, LOWER))
    usable = ((near == FREE) & candidates).any(axis=1)
    return np.where(candidates & usable[:, None], near, side)


def _settle(gram: Floats, linear: Floats, side: Ints, caps: Floats) -> tuple[Floats, Bools]:
    """Exchange sides until the conditions of the optimum hold; weights, and which problems got there."""
    found = np.zeros(linear.shape)
    waiting = np.arange(len(linear))
    fewest, patience = np.full(len(linear), linear.shape[1] + 1), np.full(len(linear), PATIENCE)
    for _ in range(ROUNDS):
        now = side[waiting]
        weights, level = _solve(gram, linear[waiting], now, caps[waiting])
        gradient = weights @ gram - linear[waiting] - level[:, None]
        moved = _wanted(weights, gradient, now, caps[waiting])
        wrong = moved != now
        count = wrong.sum(axis=1)
        found[waiting] = weights
        better = count < fewest[waiting]
        fewest[waiting] = np.minimum(count, fewest[waiting])
        patience[waiting] = np.where(better, PATIENCE, patience[waiting] - 1)
        last = wrong.shape[1] - 1 - wrong[:, ::-1].argmax(axis=1)
        alone = (patience[waiting] < 0)[:, None] & (np.arange(wrong.shape[1]) != last[:, None])
        moved = np.where(alone, now, moved)
        side[waiting] = moved
        waiting = waiting[(count > 0) & (moved == FREE).any(axis=1)]
        if waiting.size == 0:
            break
    done = np.ones(len(linear), dtype=np.bool_)
    done[waiting] = False
    done &= (side == FREE).any(axis=1)
    found = np.where(side == FREE, found, np.where(side == UPPER, caps[:, None], 0.0))
    found = np.maximum(found, 0.0)
    return found / found.sum(axis=1, keepdims=True), done


def _wanted(weights: Floats, gradient: Floats, side: Ints, caps: Floats) -> Ints:
    """The side that each weight should be on, given what it and its gradient say."""
    low, high = weights < -TOLERANCE, weights > caps[:, None] + TOLERANCE
    free = np.where(low, LOWER, np.where(high, UPPER, FREE))
    pulled = ((side == LOWER) & (gradient < -TOLERANCE)) | ((side == UPPER) & (gradient > TOLERANCE))
    return np.where(side == FREE, free, np.where(pulled, FREE, side))


def _solve(gram: Floats, linear: Floats, side: Ints, caps: Floats) -> tuple[Floats, Floats]:
    """Weights with the free ones at their minimum and a sum of one, and the multiplier of that sum.

    Problems with about as many free weights are solved together, padded with the identity.
    """
    free = side == FREE
    weights = np.where(side == UPPER, caps[:, None], 0.0)
    level = np.zeros(len(side))
    right = linear - weights @ gram
    counts = free.sum(axis=1)
    for size in np.unique(counts + counts % 2):
        rows = np.flatnonzero(counts + counts % 2 == size)
        places = np.argsort(~free[rows], axis=1, kind="stable")[:, :size]
        real = np.arange(size) < counts[rows, None]
        system = gram[places[:, :, None], places[:, None, :]] * (real[:, :, None] & real[:, None, :])
        system[:, np.arange(size), np.arange(size)] += ~real
        sides = np.stack([np.take_along_axis(right[rows], places, axis=1) * real, real.astype(np.float64)], axis=2)
        solved = np.linalg.solve(system, sides)
        own, push = solved[:, :, 0], solved[:, :, 1]
        level[rows] = (1.0 - weights[rows].sum(axis=1) - own.sum(axis=1)) / push.sum(axis=1)
        values = own + level[rows, None] * push
        at, place = np.nonzero(real)
        weights[rows[at], places[at, place]] = values[at, place]
    return weights, level
