"""Shapley values of the coalition game over all ``2 ** channels`` coalitions, by subset sums.

With rates ``v`` and ``J`` journeys per coalition the game is ``V(S) = sum over T of J_T v(T and S)``: what all journeys
would bring if only the channels in ``S`` were left. It is a sum of unanimity games with weights ``d(U) J(U and more)``,
``d`` the Moebius transform of ``v`` and ``J(U and more)`` the journeys that met at least ``U``; a unanimity game shares
its weight equally (Harsanyi 1963; Grabisch 2016, Set Functions, Games and Capacities, ch. 2). Both transforms take
``channels * 2 ** channels`` additions.
"""

import numpy as np

from measurement.typing import Floats

MOST_CHANNELS = 20


def shapley(rate: Floats, journeys: Floats) -> Floats:
    """Shapley values, shape (channels, draws).

    Args:
        rate: v of each coalition, a bit per channel, shape (2 ** channels, draws); 0 for the empty one.
        journeys: J, of the same shape.
    """
    size, draws = rate.shape
    channels = size.bit_length() - 1
    dividend, met = rate.copy(), journeys.copy()
    for bit in range(channels):
        halves = dividend.reshape(-1, 2, 1 << bit, draws)
        halves[:, 1] -= halves[:, 0]
        halves = met.reshape(-1, 2, 1 << bit, draws)
        halves[:, 0] += halves[:, 1]
    dividend *= met
    dividend[1:] /= np.bitwise_count(np.arange(1, size))[:, None]
    return np.stack([dividend.reshape(-1, 2, 1 << bit, draws)[:, 1].sum(axis=(0, 1)) for bit in range(channels)])
