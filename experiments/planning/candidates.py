"""Candidates: sets of geos worth rehearsing, all of them allowed by the goal.

Many allowed sets are drawn and looked at cheaply; three ways of looking make the candidates. *Similar*: the set's mean
moved like the mean of its controls in the history before any window (the pre-period error of difference in
differences, one quadratic form per set). *Stratified*: the set's geos are spread over the range of sizes. *Random*:
the rest, so that no way of looking rules out what it does not understand.
"""

import numpy as np

from experiments.planning.constraints import Feasible
from measurement.typing import Bools, Floats

DRAWN_PER_WANTED = 4


def candidates(history: Floats, feasible: Feasible, size: int, wanted: int, rng: np.random.Generator) -> Bools:
    """Up to so many different allowed sets of one size: all of them where there are few.

    Args:
        history: KPI before any held-back window, shape (geos, periods).
        feasible: The sets that the goal allows.
        size: Treated geos of each set.
        wanted: Sets wanted.
        rng: Source of chance.

    Returns:
        Shape (sets, geos); fewer than wanted where the goal allows no more.
    """
    drawn = feasible.random(rng, DRAWN_PER_WANTED * wanted, size)
    if len(drawn) <= wanted:
        return drawn
    third = wanted // 3
    alike = np.argsort(unlikeness(history, drawn, feasible.controls(drawn)), kind="stable")
    spread = np.argsort(-strata_covered(history, drawn, size), kind="stable")
    order = np.concatenate([alike[:third], spread[: 2 * third], np.arange(len(drawn))])
    _, first = np.unique(order, return_index=True)
    return np.asarray(drawn[order[np.sort(first)][:wanted]])


def unlikeness(history: Floats, sets: Bools, controls: Bools) -> Floats:
    """Root mean square difference of a set's mean and its controls' mean, relative to size and level, shape (sets,)."""
    sizes = np.maximum(np.abs(history).mean(axis=1), np.finfo(np.float64).tiny)
    changes = history / sizes[:, None]
    changes = changes - changes.mean(axis=1, keepdims=True)
    shares = sets * sizes / (sets @ sizes)[:, None]
    rows = shares - controls / np.maximum(controls.sum(axis=1, keepdims=True), 1)
    squares = np.einsum("sg,gh,sh->s", rows, changes @ changes.T / history.shape[1], rows, optimize=True)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def strata_covered(history: Floats, sets: Bools, size: int) -> Floats:
    """How many of as many strata of geo size as there are treated geos a set reaches, shape (sets,)."""
    ranks = np.argsort(np.argsort(history.mean(axis=1), kind="stable"), kind="stable")
    strata = ranks * size // len(ranks)
    counts = sets @ (strata[:, None] == np.arange(size)).astype(np.float64)
    return np.asarray((counts > 0).sum(axis=1, dtype=np.float64))
