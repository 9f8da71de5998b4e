"""Markov attribution of order 1, exact: an absorbing chain over channels, solved with one inverse, no simulation.

Journeys, those that did not convert included, are walks start -> channel -> ... -> conversion or null. With ``Q`` the
probabilities between channels, ``s`` those of the first touch and ``r`` those of conversion right after a channel,
``N = inv(I - Q)`` and ``P = s N r`` is the probability that a journey converts: exactly the observed rate. Taking a
channel ``c`` away (whoever reaches it is lost) leaves ``P - f_c h_c``, where ``f_c = (s N)_c / N_cc`` is the
probability of ever reaching ``c`` and ``h_c = (N r)_c`` that of converting from there; so all removal effects
``f_c h_c / P`` come from the one inverse. Credit is proportional to them. For money, ``r`` holds the money that a visit
to a channel brings right away, which makes ``P`` the money per journey.

Source: Anderl, Becker, von Wangenheim & Schumann (2016), Mapping the customer journey, IJRM 33(3), 457-474.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attribution.models.contexts import numbered
from attribution.path_table import Paths
from attribution.sums import Prepared, Solution, Term
from measurement.errors import DataError
from measurement.typing import Floats, Ints

MOST_CHANNELS = 2_000
"""Beyond this, one inverse takes longer than a second."""


def prepare(paths: Paths) -> Prepared:
    """Removal effects of the chain whose next touch depends on the present one.

    With ``null_journeys="optional"`` it goes on where no journey is known to have failed. Every walk then converts,
    and a removal effect is merely the share of converting walks that touch the channel.

    Raises:
        DataError: What `refuse` does.
    """
    refuse(paths)
    channels = len(paths.channels)
    heads = _one(paths.touches[paths.offsets[:-1]], channels)
    tails = _one(paths.touches[paths.offsets[1:] - 1], channels)
    steps, source, target = _steps(paths)
    terms = [Term("journeys", heads), Term("journeys", steps), Term("conversions", tails)]
    if paths.value is not None:
        terms.append(Term("value", tails))

    def solve(sums: Sequence[Floats]) -> Solution:
        begin, between, converted = sums[0].T, sums[1].T, sums[2].T
        draws = begin.shape[0]
        flow = np.zeros((draws, channels, channels))
        flow[:, source, target] = between
        visits = begin + flow.sum(axis=1)
        seen = np.where(visits > 0, visits, 1.0)
        inverse = np.linalg.inv(np.eye(channels) - flow / seen[:, :, None])
        reach = _reach(begin, inverse)
        effect, probability = _removal(begin, reach, inverse, converted / seen)
        conversions = _shares(effect) * converted.sum(axis=1)[:, None]
        if paths.value is None:
            return Solution(conversions.T, None, effect.T, probability)
        money = sums[3].T
        worth, _ = _removal(begin, reach, inverse, money / seen)
        return Solution(conversions.T, (_shares(worth) * money.sum(axis=1)[:, None]).T, effect.T, probability)

    return Prepared(tuple(terms), solve, cells=channels**2)


def refuse(paths: Paths) -> None:
    """Refuse paths that no chain can be made of.

    Raises:
        DataError: Where there are no null paths and the paths' spec does not make them optional, or too many channels.
    """
    if paths.spec.null_journeys == "needed" and not paths.nulls.sum() > 0:
        raise DataError(
            "a Markov model needs journeys that did not convert, and there are none: give the log of all users "
            "(longer than the lookback) or a column 'nulls' of aggregated paths, or set null_journeys to 'optional'"
        )
    channels = len(paths.channels)
    if channels > MOST_CHANNELS:
        raise DataError(
            f"an exact chain over {channels:,} channels is out of reach, {MOST_CHANNELS:,} are not; alias them"
        )


def _one(column: NDArray[np.int32], width: int) -> sparse.csr_matrix:
    size = len(column)
    return sparse.csr_matrix((np.ones(size), column, np.arange(size + 1)), shape=(size, width))


def _steps(paths: Paths) -> tuple[sparse.csr_matrix, Ints, Ints]:
    """Steps from touch to touch, a column per pair of channels that occurs; and the pairs."""
    inside = np.ones(len(paths.touches), dtype=bool)
    inside[paths.offsets[1:] - 1] = False
    at = np.flatnonzero(inside)
    width = len(paths.channels)
    code = paths.touches[at].astype(np.int64) * width + paths.touches[at + 1]
    pairs, column = numbered(code, width**2)
    begins = paths.offsets - np.arange(len(paths) + 1)
    steps = sparse.csr_matrix((np.ones(len(at)), column, begins), shape=(len(paths), len(pairs)))
    return steps, pairs // width, pairs % width


def _reach(begin: Floats, inverse: Floats) -> Floats:
    """Probability of ever reaching each channel, shape (draws, channels)."""
    starts = begin / np.maximum(begin.sum(axis=1, keepdims=True), 1e-300)
    visits = np.einsum("di,dij->dj", starts, inverse)
    return np.asarray(visits / np.einsum("dii->di", inverse))


def _removal(begin: Floats, reach: Floats, inverse: Floats, reward: Floats) -> tuple[Floats, Floats]:
    """Removal effects, shape (draws, channels), and the reward per journey, shape (draws,)."""
    starts = begin / np.maximum(begin.sum(axis=1, keepdims=True), 1e-300)
    ahead = np.einsum("dij,dj->di", inverse, reward)
    whole = np.einsum("di,di->d", starts, ahead)
    effect = np.divide(reach * ahead, whole[:, None], out=np.zeros_like(ahead), where=whole[:, None] > 0)
    return effect, whole


def _shares(effect: Floats) -> Floats:
    total = effect.sum(axis=1, keepdims=True)
    return np.divide(effect, total, out=np.zeros_like(effect), where=total > 0)
