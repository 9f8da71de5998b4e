"""Exact least squares over the simplex: ``min |A w - b|^2 + ridge |w|^2`` with ``0 <= w <= cap`` and ``sum w = 1``.

Because the weights add to one, ``A w - b = (A - b 1') w``: the objective is a quadratic form ``w' Q w``. So the plain
non-negative least squares of ``[(A - b 1'); 1'] u`` against ``(0, ..., 0, 1)`` has the solution ``u = s w`` for some
scale ``s``, whatever weight the last row has: divide by the sum and the constrained problem is solved exactly (Lawson
and Hanson, Solving Least Squares Problems, chapter 23, on distance problems). Only where a weight passes the cap does
an active-set solve of the boxed problem follow. Where there are more candidates than rows a vanishing ridge picks,
among answers that are equally near, the one with the smallest sum of squares: the order of candidates does not matter.
"""

import numpy as np

from measurement.typing import Bools, Floats, Ints

LOWER, FREE, UPPER = -1, 0, 1
TINY = 1e-12  # the vanishing ridge, in the mean square of a candidate


def simplex_weights(columns: Floats, target: Floats, *, ridge: float = 0.0, cap: float = 1.0) -> Floats:
    """Weights of the convex combination of ``columns`` that is nearest to ``target``.

    Args:
        columns: Shape (rows, candidates), at least one candidate.
        target: Shape (rows,).
        ridge: Penalty on the sum of squared weights, ``>= 0``.
        cap: Largest weight allowed; ``cap * candidates`` must reach 1.

    Returns:
        Shape (candidates,), non-negative, adding to one.

    Raises:
        ValueError: Where the cap cannot be met.
    """
    candidates = columns.shape[1]
    if cap * candidates < 1.0:
        raise ValueError(f"{candidates} weights of at most {cap} cannot add to one")
    distances = columns - target[:, None]
    if len(target) < candidates:
        ridge = max(ridge, TINY * float(np.square(columns).sum()) / candidates)
    if ridge > 0.0:
        distances = np.vstack([distances, np.sqrt(ridge) * np.eye(candidates)])
    weights = _nearest_point(distances)
    if weights.max() > cap + 1e-9:
        return _boxed(distances.T @ distances, cap, weights)
    return weights


def _nearest_point(distances: Floats) -> Floats:
    """Convex weights with the smallest ``|distances @ w|``; equal weights where all columns are zero."""
    from scipy.optimize import nnls  # heavy, and only needed once there is something to solve

    rows, candidates = distances.shape
    size = float(np.sqrt((distances * distances).sum() / candidates))
    if size == 0.0:
        return np.full(candidates, 1.0 / candidates)
    system = np.vstack([distances / size, np.ones(candidates)])
    right = np.zeros(rows + 1)
    right[-1] = 1.0
    scaled, _ = nnls(system, right, maxiter=50 * candidates)
    return np.asarray(scaled / scaled.sum())


def _boxed(gram: Floats, cap: float, uncapped: Floats) -> Floats:
    """Minimise ``w' gram w`` with ``sum w = 1`` and ``0 <= w <= cap`` by a primal active set."""
    count = gram.shape[0]
    size = float(np.trace(gram)) / count
    gram = gram / size + TINY * np.eye(count)
    weights = _spread(uncapped, cap)
    bound = np.where(weights >= cap, UPPER, np.where(weights <= 0.0, LOWER, FREE))
    for _ in range(100 * count):
        free = bound == FREE
        gradient = gram @ weights
        step = _free_step(gram, gradient, free)
        if np.abs(step).max() < 1e-13:
            released = _release(gradient, bound)
            if released.size == 0:
                break
            bound[released] = FREE
            continue
        length, blocking = _longest(weights, step, cap)
        weights = weights + length * step
        if blocking >= 0:
            bound[blocking] = LOWER if step[blocking] < 0 else UPPER
            weights[blocking] = 0.0 if step[blocking] < 0 else cap
    weights = np.clip(weights, 0.0, cap)
    return np.asarray(weights / weights.sum())


def _spread(weights: Floats, cap: float) -> Floats:
    """Cut weights at the cap and hand the rest out by the room left, to those in use first."""
    cut = np.minimum(weights, cap)
    for able in (cut > 0.0, np.ones_like(cut, dtype=np.bool_)):
        room = np.where(able, cap - cut, 0.0)
        if room.sum() > 0.0:
            cut = cut + room * min((1.0 - cut.sum()) / room.sum(), 1.0)
    return np.asarray(cut)


def _free_step(gram: Floats, gradient: Floats, free: Bools) -> Floats:
    """Newton step of the free weights that keeps their sum."""
    step = np.zeros_like(gradient)
    count = int(free.sum())
    if count > 1:
        system = np.ones((count + 1, count + 1))
        system[:count, :count] = gram[np.ix_(free, free)]
        system[count, count] = 0.0
        step[free] = np.linalg.solve(system, np.append(-gradient[free], 0.0))[:count]
    return step


def _longest(weights: Floats, step: Floats, cap: float) -> tuple[float, int]:
    """How far along the step one may go, at most 1, and the weight that stops it (-1 for none)."""
    room = np.full_like(weights, np.inf)
    np.divide(-weights, step, out=room, where=step < 0)
    np.divide(cap - weights, step, out=room, where=step > 0)
    blocking = int(room.argmin())
    return (float(max(room[blocking], 0.0)), blocking) if room[blocking] < 1.0 else (1.0, -1)


def _release(gradient: Floats, bound: Ints) -> Ints:
    """Bound weights to set free: the worst one, or a pair where none is free; empty at the optimum."""
    tolerance = 1e-10
    free, low, high = (np.flatnonzero(bound == side) for side in (FREE, LOWER, UPPER))
    if free.size:
        level = gradient[free].mean()
        gain = np.where(bound == LOWER, level - gradient, np.where(bound == UPPER, gradient - level, 0.0))
        worst = int(gain.argmax())
        return np.array([worst] if gain[worst] > tolerance else [], dtype=np.int64)
    into, out_of = low[gradient[low].argmin()], high[gradient[high].argmax()]
    better = gradient[out_of] - gradient[into] > tolerance
    return np.array([into, out_of] if better else [], dtype=np.int64)
