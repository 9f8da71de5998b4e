"""What passes through a channel: ``X = w`` in its own states, ``X = Q X`` in all others; a column per channel.

Columns are solved densely, by steps of ``X <- C + M o (Q X)``; of many channels by sweeps from the ends of journeys
back to their beginnings (Gauss-Seidel). They converge like the chance that a journey goes on or comes back, so every
few of them the iterates are combined, column by column, such that their residual is least (reduced rank extrapolation:
Sidi 1991, J. Comput. Appl. Math. 36), which takes out the few slow directions. What stops it is how little a step still
changes: a poor extrapolation costs time and no accuracy; where even that fails, columns are solved directly. Of many
channels most may never meet: then their columns are kept sparse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from measurement.typing import Bools, Floats, Ints

type Matrix = sparse.csr_matrix | Floats

MOST_DENSE = 64
"""Channels beyond which columns are kept sparse."""
CELLS = 2_000_000
"""Cells of the columns that are solved at once, of many channels."""
LEVELS, FINE = 256, 4
"""Steps ahead by which states of many channels are put in order, longer lines take more sweeps; levels to a step."""
MOST_FILLED = 0.05
"""Share of cells beyond which sparse columns are slower than full ones."""
NEGLIGIBLE = 1e-17
DEPTH = 6
"""Steps between two extrapolations."""
CYCLES = 30
LOOKED_AT = 4_096
"""Most states by which residuals are weighed against each other."""
TOLERANCE = 1e-13
"""Largest residual, as a share of the largest number of its column."""


def through(matrix: sparse.csr_matrix, last: Ints, weight: Floats, channels: int) -> Matrix:
    """Find X.

    Args:
        matrix: Q, shape (states, states), no row summing to more than 1.
        last: The channel whose own state each one is, shape (states,).
        weight: w, shape (states,).
        channels: How many columns.

    Returns:
        X, shape (states, channels); sparse where there are many channels, most of which never meet.
    """
    few = channels <= MOST_DENSE
    found = None if few else _sparse(matrix, last, weight, channels)
    if found is not None:
        return found
    sweep = _Sweep.of(matrix, 0 if few else LEVELS)
    width = channels if few else min(max(CELLS // max(len(last), 1), 8), 64)
    parts = [np.arange(first, min(first + width, channels)) for first in range(0, channels, width)]
    return np.concatenate([_dense(matrix, last, weight, part, sweep) for part in parts], axis=1)


def solve(matrix: sparse.csr_matrix, constant: Floats) -> Floats:
    """``X = constant + matrix X``, shape (states, columns)."""

    def step(guess: Floats) -> Floats:
        found: Floats = matrix @ guess
        found += constant
        return found

    found = _iterated(step, constant)
    return _direct(matrix, np.ones(constant.shape, dtype=np.bool_), constant) if found is None else found


@dataclass(frozen=True, eq=False)
class _Sweep:
    """``X <- C + M o (Q X)``, level by level: what is nearer to its end goes first, and the others see it renewed.

    Along a line of states that only ever follow each other one sweep does what as many steps as it is long would do.

    Attributes:
        order: The states in order of the steps that are left after them, shape (states,).
        bounds: Where each level of equally many begins among them, and the end of the last.
        rows: Q by level, in that order.
    """

    order: Ints
    bounds: Ints
    rows: tuple[sparse.csr_matrix, ...]

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, steps: int) -> "_Sweep":
        """Put states in order by the steps that are expected after them, looking so many ahead; 0 for one level."""
        states = matrix.shape[0]
        left = np.ones(states)
        for _ in range(steps):
            left = np.asarray(1.0 + matrix @ left)
        level = np.floor(FINE * left).astype(np.int64)
        order = np.argsort(level, kind="stable")
        bounds = np.concatenate([[0], np.flatnonzero(np.diff(level[order])) + 1, [states]])
        sorted_ = sparse.csr_matrix(matrix[order][:, order])
        return cls(order, bounds, tuple(sorted_[first:stop] for first, stop in pairwise(bounds)))

    def __call__(self, guess: Floats, row: Ints, column: Ints, given: Floats) -> Floats:
        """One sweep over columns in this order; ``given`` stays at places in order of their rows."""
        found = guess.copy()
        cuts = np.searchsorted(row, self.bounds)
        for i, (first, stop) in enumerate(pairwise(self.bounds)):
            found[first:stop] = self.rows[i] @ found
            own = slice(cuts[i], cuts[i + 1])
            found[row[own], column[own]] = given[own]
        return found


def _dense(matrix: sparse.csr_matrix, last: Ints, weight: Floats, channels: Ints, sweep: _Sweep) -> Floats:
    own = last[sweep.order][:, None] == channels
    row, column = np.nonzero(own)
    given = weight[sweep.order][row]
    start = np.zeros(own.shape)
    start[row, column] = given
    found = _iterated(lambda guess: sweep(guess, row, column, given), start)
    if found is None:
        rearranged = matrix[sweep.order][:, sweep.order]
        found = _direct(rearranged, ~own, start)
    in_place = np.empty_like(found)
    in_place[sweep.order] = found
    return in_place


def _sparse(matrix: sparse.csr_matrix, last: Ints, weight: Floats, channels: int) -> sparse.csr_matrix | None:
    shape = (len(last), channels)
    own = sparse.csr_matrix((weight, last, np.arange(len(last) + 1)), shape=shape)
    scale = float(np.abs(weight).max(initial=0.0))
    guess = own
    for _ in range(DEPTH * CYCLES):
        after = sparse.csr_matrix(matrix @ guess)
        row = np.repeat(np.arange(shape[0]), np.diff(after.indptr))
        after.data[(after.indices == last[row]) | (after.data <= NEGLIGIBLE * scale)] = 0.0
        after.eliminate_zeros()
        after = sparse.csr_matrix(after + own)
        change = np.abs((after - guess).data).max(initial=0.0)
        guess = after
        if guess.nnz > MOST_FILLED * shape[0] * shape[1]:
            return None
        if change <= TOLERANCE * scale:
            return guess
    return None


def _iterated(step: Callable[[Floats], Floats], guess: Floats) -> Floats | None:
    """The fixed point of a step; ``None`` where it does not come near within the cycles."""
    for _ in range(CYCLES):
        ahead = [guess]
        for _ in range(DEPTH):
            ahead.append(step(ahead[-1]))
        rest = np.abs(ahead[-1] - ahead[-2]).max(axis=0, initial=0.0)
        if (rest <= TOLERANCE * np.abs(ahead[-1]).max(axis=0, initial=0.0)).all():
            return ahead[-1]
        guess = _extrapolated(ahead)
    return None


def _extrapolated(ahead: list[Floats]) -> Floats:
    every = -(-len(ahead[0]) // LOOKED_AT)
    residuals = [after[::every] - before[::every] for before, after in pairwise(ahead)]
    size, columns = len(residuals), ahead[0].shape[1]
    gram = np.empty((columns, size, size))
    for i in range(size):
        for j in range(i + 1):
            gram[:, i, j] = gram[:, j, i] = np.einsum("sc,sc->c", residuals[i], residuals[j])
    scale = np.sqrt(np.einsum("cii->ci", gram))
    still = scale[:, -1] == 0
    scale[scale == 0] = 1.0
    gram = gram / scale[:, :, None] / scale[:, None, :] + 1e-13 * np.eye(size)
    weights = np.linalg.solve(gram, np.ones((columns, size, 1)) / scale[:, :, None])[:, :, 0] / scale
    sums = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, sums, out=np.zeros_like(weights), where=np.isfinite(sums) & (sums != 0))
    weights[still | ~np.isfinite(weights).all(axis=1)] = np.eye(size)[-1]
    found = weights[:, 0] * ahead[1]
    for i in range(1, size):
        found += weights[:, i] * ahead[i + 1]
    return np.asarray(found)


def _direct(matrix: sparse.csr_matrix, keep: Bools, constant: Floats) -> Floats:
    unit = sparse.eye_array(matrix.shape[0], format="csc")
    found = np.empty_like(constant)
    for column in range(constant.shape[1]):
        masked = sparse.diags_array(keep[:, column].astype(np.float64)) @ matrix
        found[:, column] = spsolve(sparse.csc_matrix(unit - masked), constant[:, column])
    return found
