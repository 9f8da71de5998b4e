"""Stacking: weights under which a mixture of models predicts each cell best (Yao, Vehtari, Simpson & Gelman 2018)."""

import numpy as np

from measurement.typing import Floats, Ints

STEPS = 5000
CLOSE = 1e-12


def stacking_weights(elpd: Floats) -> Floats:
    """Weights that maximise the summed log of the mixture's leave-one-out density.

    The problem is concave; the steps are those of EM for the weights of a mixture with known components, each of which
    raises it. They begin at equal weights, so models that predict the same share their weight equally.

    Args:
        elpd: Leave-one-out log density, shape (models, cells).

    Returns:
        Shape (models,), at least 0, adding up to 1.
    """
    density = np.exp(elpd - elpd.max(axis=0))
    weights = np.full(len(elpd), 1.0 / len(elpd))
    for _ in range(STEPS):
        update = weights * (density / (weights @ density)).mean(axis=1)
        done = np.abs(update - weights).max() < CLOSE
        weights = update
        if done:
            break
    return np.asarray(weights / weights.sum())


def share_out(weights: Floats, draws: int) -> Ints:
    """How many of ``draws`` each model contributes to the mixture: by weight, largest remainders first."""
    exact = weights * draws
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: draws - counts.sum()]] += 1
    return counts


def mixed(parts: list[Floats], weights: Floats, draws: int) -> Floats:
    """Draws of the mixture: each model's own draws, evenly taken, as many as its weight gives it.

    Args:
        parts: Each model's draws, shape (draws, ...).
        weights: Their weights.
        draws: How many to make.
    """
    counts = share_out(weights, draws)
    taken = [
        part[np.linspace(0, len(part) - 1, count).round().astype(np.int64)]
        for part, count in zip(parts, counts, strict=True)
    ]
    return np.concatenate(taken)
