"""Contexts of up to ``order`` channels as states, and what happened between them on each path.

The state after a touch is the last ``order`` channels of the path so far (fewer near its start). A context is one
integer: the latest channel plus 1 is its lowest digit to the base of channels + 1, and 0 is before the start.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from attribution.path_table import Paths
from measurement.typing import Ints

START = -1


@dataclass(frozen=True, eq=False)
class Contexts:
    """States and steps of one order.

    Attributes:
        order: Channels that a state remembers.
        last: The latest channel of each state, shape (states,).
        source: The state that each step leaves, `START` where it is the first; shape (steps,).
        target: The state that it enters.
        steps: How often each path takes each step, shape (paths, steps); every touch is one.
        ends: The state in which each path ends, shape (paths, states).
        codes: The integers of the states, ascending.
        step_codes: Those of the steps: of the context one channel longer.
    """

    order: int
    last: Ints
    source: Ints
    target: Ints
    steps: sparse.csr_matrix
    ends: sparse.csr_matrix
    codes: Ints
    step_codes: Ints


def contexts(paths: Paths, order: int) -> Contexts:
    """The states and steps of some paths."""
    base = len(paths.channels) + 1
    place = np.arange(len(paths.touches)) - paths.offsets[:-1][paths.owner]
    code = paths.touches.astype(np.int64) + 1
    state = code
    for back in range(1, order + 1):
        earlier = np.zeros_like(code)
        earlier[back:] = np.where(place[back:] >= back, code[:-back], 0)
        longer = state + earlier * base**back
        if back < order:
            state = longer
    codes, at = numbered(state, base**order)
    step_codes, step = numbered(longer, base ** (order + 1))
    before = step_codes // base
    size = len(paths)
    return Contexts(
        order=order,
        last=codes % base - 1,
        source=np.where(before == 0, START, np.searchsorted(codes, before)),
        target=np.searchsorted(codes, step_codes % base**order),
        steps=sparse.csr_matrix((np.ones(len(step)), step, paths.offsets), shape=(size, len(step_codes))),
        ends=sparse.csr_matrix((np.ones(size), at[paths.offsets[1:] - 1], np.arange(size + 1)), (size, len(codes))),
        codes=codes,
        step_codes=step_codes,
    )


def numbered(code: Ints, limit: int) -> tuple[Ints, Ints]:
    """The distinct codes, ascending, and the position of each code among them."""
    if limit > max(4 * len(code), 1 << 16):
        found, at = np.unique(code, return_inverse=True)
        return found, at
    seen = np.bincount(code, minlength=limit) > 0
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[code]
