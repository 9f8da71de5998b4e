"""Rules that share each conversion among the touches of its path: the first, the last, all alike, by place, by age.

Every rule gives the touches of a path weights that sum to one, so credits sum to the conversions (and to their money).
Each function takes the paths and returns the model ready for weights; `attribution.models` names them.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from attribution.path_table import Paths
from attribution.sums import Prepared, Solution, Term
from attribution.taxonomy import is_direct
from measurement.errors import DataError
from measurement.typing import Floats, Ints


def unique(paths: Paths) -> Prepared:
    """Equal shares to the channels of a path, however often each is in it: Shapley of the unanimity games."""
    channels = len(paths.channels)
    touches = paths.touches.copy()  # adding up sorts in place
    met = sparse.csr_matrix((np.ones(len(touches)), touches, paths.offsets), shape=(len(paths), channels))
    met.sum_duplicates()
    each = np.repeat(1.0 / np.diff(met.indptr), np.diff(met.indptr))
    matrix = sparse.csr_matrix((each, met.indices, met.indptr), shape=met.shape)
    return _prepared(paths, matrix, matrix)


def first(paths: Paths) -> Prepared:
    """All to the first touch."""
    return _whole(paths, paths.offsets[:-1])


def last(paths: Paths) -> Prepared:
    """All to the last touch."""
    return _whole(paths, paths.offsets[1:] - 1)


def last_non_direct(paths: Paths) -> Prepared:
    """All to the last touch that is no direct traffic; to the last touch where the path has nothing else."""
    direct = np.array([is_direct(name) for name in paths.channels], dtype=np.bool_)
    places = np.where(direct[paths.touches], -1, np.arange(len(paths.touches)))
    latest = np.maximum.reduceat(places, paths.offsets[:-1]) if len(paths) else places
    return _whole(paths, np.where(latest < 0, paths.offsets[1:] - 1, latest))


def linear(paths: Paths) -> Prepared:
    """Equal shares to all touches; a channel with two touches has two shares."""
    return _shared(paths, 1.0 / paths.lengths[paths.owner])


def position(paths: Paths) -> Prepared:
    """Fixed weights to the first touch, to all between in equal parts, and to the last (``position_weights``).

    A path of one touch gives it everything; in a path of two, first and last keep their proportion (halves where both
    weigh nothing); where the touches' weights sum to nothing in a longer path, they share equally.
    """
    head, middle, tail = paths.spec.position_weights
    lengths = paths.lengths
    inner = np.divide(middle, lengths - 2, out=np.zeros(len(paths)), where=lengths > 2)
    weights = np.repeat(inner, lengths)
    weights[paths.offsets[1:] - 1] = tail
    weights[paths.offsets[:-1]] = np.where(lengths == 1, 1.0, head)
    sums = np.add.reduceat(weights, paths.offsets[:-1]) if len(paths) else np.zeros(0)
    weights[(sums == 0)[paths.owner]] = 1.0
    sums = np.where(sums == 0, lengths, sums)
    return _shared(paths, weights / sums[paths.owner])


def time_decay(paths: Paths) -> Prepared:
    """Weight ``2 ** (-age / half_life)`` to a touch, by its age at the conversion (`PathSpec.half_life_days`).

    The weights are made while journeys are built, from each touch's own time, and summed per place of the distinct
    path; so the credit is exact. Draws resample journeys at their path's mean weights.

    Raises:
        DataError: Where the paths hold no times (aggregated paths).
    """
    if paths.decay is None or paths.decay_value is None:
        raise DataError("time decay needs the times of the touches: aggregated paths have none; give it the event log")
    owner = paths.owner
    share = _ratio(paths.decay, paths.conversions[owner])
    if paths.value is None:
        return _shared(paths, share)
    money = paths.value[owner]
    return _shared(paths, share, np.where(money > 0, _ratio(paths.decay_value, money), share))


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def _whole(paths: Paths, at: Ints) -> Prepared:
    """A model that gives each path's all to the touch at ``at``."""
    size = len(paths)
    matrix = sparse.csr_matrix(
        (np.ones(size), paths.touches[at], np.arange(size + 1)), shape=(size, len(paths.channels))
    )
    return _prepared(paths, matrix, matrix)


def _shared(paths: Paths, weights: Floats, value_weights: Floats | None = None) -> Prepared:
    """A model that gives each touch its weight of its path's conversions (and of the money, if that differs)."""
    shape = (len(paths), len(paths.channels))
    matrix = sparse.csr_matrix((weights, paths.touches, paths.offsets), shape=shape)
    if value_weights is None:
        return _prepared(paths, matrix, matrix)
    return _prepared(paths, matrix, sparse.csr_matrix((value_weights, paths.touches, paths.offsets), shape=shape))


def _prepared(paths: Paths, matrix: sparse.csr_matrix, value_matrix: sparse.csr_matrix) -> Prepared:
    rows = np.flatnonzero(paths.conversions > 0)
    if len(rows) and rows[-1] == len(rows) - 1:  # converting paths come first: a slice does not copy the rest
        stop = len(rows)
        matrix, value_matrix = _head(matrix, stop, len(paths)), _head(value_matrix, stop, len(paths))
    terms = [Term("conversions", matrix)] + ([] if paths.value is None else [Term("value", value_matrix)])

    def solve(sums: Sequence[Floats]) -> Solution:
        return Solution(sums[0], sums[1] if paths.value is not None else None)

    return Prepared(tuple(terms), solve)


def _head(matrix: sparse.csr_matrix, stop: int, size: int) -> sparse.csr_matrix:
    """The same with empty rows from ``stop`` on: nulls get no credit."""
    ends = np.minimum(matrix.indptr, matrix.indptr[stop])
    end = int(matrix.indptr[stop])
    return sparse.csr_matrix((matrix.data[:end], matrix.indices[:end], ends), shape=(size, matrix.shape[1]))
