"""The Markov model whose order tells best where unseen users go.

Users are dealt into five folds (`attribution.users`; journeys of aggregated paths one by one, by a fixed seed). For
each fold the chain of the others says how likely each step of its journeys was, the end included. A context that was
seen ``n`` times says ``(n_x + p_shorter(x)) / (n + 1)`` of going on to ``x``: the context one channel shorter counts as
one journey (Dirichlet smoothing with back-off; MacKay & Peto 1995), so that nothing is impossible. The order of the
highest log-likelihood per journey is taken.
"""

from dataclasses import dataclass, replace

import numpy as np

from attribution.models import first_order, markov
from attribution.models.contexts import START, Contexts, contexts
from attribution.path_table import Paths
from attribution.sums import Prepared
from measurement.typing import Floats, Ints

ORDERS = (1, 2, 3, 4)
FOLDS = 5


def prepare(paths: Paths) -> Prepared:
    """The best order, and in ``about`` what each one was worth.

    Raises:
        DataError: As the Markov models do.
    """
    first_order.refuse(paths)
    score = held_out(paths)
    order = max(score, key=lambda each: (score[each], -each))
    about = {"order": order, "held_out_log_likelihood": {str(each): value for each, value in score.items()}}
    return replace(markov.prepare(paths, order), about=about)


def held_out(paths: Paths) -> dict[int, float]:
    """Log-likelihood per held-out journey by order."""
    won, lost = _folds(paths)
    journeys = won + lost
    word = _pooled(paths, journeys, won, lost)
    score = {}
    for order in ORDERS:
        known = contexts(paths, order)
        word = _longer(word, known, len(paths.channels) + 1, journeys, won, lost)
        parts = ((known.steps, journeys, word.step), (known.ends, won, word.win), (known.ends, lost, word.loss))
        likely = sum(float(((matrix.T @ counts) * np.log(chance)).sum()) for matrix, counts, chance in parts)
        score[order] = likely / float(journeys.sum())
    return score


@dataclass(frozen=True, eq=False)
class _Word:
    """What the contexts of one order say, by fold left out; its states and steps by their integers.

    Attributes:
        step: Chance of each step, shape (steps, folds).
        win: Chance that a journey converts in each state, shape (states, folds).
        loss: Chance that it ends there without.
        codes: The states.
        step_codes: The steps.
    """

    step: Floats
    win: Floats
    loss: Floats
    codes: Ints
    step_codes: Ints


def _pooled(paths: Paths, journeys: Floats, won: Floats, lost: Floats) -> _Word:
    """Order 0: every touch and every end alike, half a one more of each."""
    channels = len(paths.channels)
    touches = np.stack([np.bincount(paths.touches, each[paths.owner], channels) for each in journeys.T], axis=1)
    seen = _others(np.concatenate([touches, won.sum(axis=0)[None], lost.sum(axis=0)[None]])) + 0.5
    seen /= seen.sum(axis=0)
    return _Word(seen[:-2], seen[-2:-1], seen[-1:], np.zeros(1, dtype=np.int64), np.arange(1, channels + 1))


def _longer(shorter: _Word, known: Contexts, base: int, journeys: Floats, won: Floats, lost: Floats) -> _Word:
    """The next order: its own counts, and the shorter one's word as if it were one more journey."""
    flow = known.steps.T @ journeys
    visits = np.stack([np.bincount(known.target, each, len(known.last)) for each in flow.T], axis=1)
    before = np.where((known.source == START)[:, None], journeys.sum(axis=0), visits[known.source])
    state = np.searchsorted(shorter.codes, known.codes % base ** (known.order - 1))
    step = np.searchsorted(shorter.step_codes, known.step_codes % base**known.order)
    seen = _others(visits) + 1.0
    return _Word(
        step=(_others(flow) + shorter.step[step]) / (_others(before) + 1.0),
        win=(_others(known.ends.T @ won) + shorter.win[state]) / seen,
        loss=(_others(known.ends.T @ lost) + shorter.loss[state]) / seen,
        codes=known.codes,
        step_codes=known.step_codes,
    )


def _others(by_fold: Floats) -> Floats:
    """Sums over all other folds."""
    return np.asarray(np.maximum(by_fold.sum(axis=1, keepdims=True) - by_fold, 0.0))


def _folds(paths: Paths) -> tuple[Floats, Floats]:
    """Conversions and nulls of each path by fold, each of shape (paths, folds)."""
    users = paths.users
    if users is None:
        random = np.random.default_rng(FOLDS)
        won, lost = (_thinned(counts, random) for counts in (paths.conversions, paths.nulls))
        return won, lost
    size = len(paths) * FOLDS
    sold = users.sale_path.astype(np.int64) * FOLDS + users.sale_group % FOLDS
    left = users.null_path.astype(np.int64) * FOLDS + users.null_group % FOLDS
    won = np.bincount(sold, users.sale_conversions, size)
    return won.reshape(-1, FOLDS), np.bincount(left, minlength=size).astype(np.float64).reshape(-1, FOLDS)


def _thinned(counts: Floats, random: np.random.Generator) -> Floats:
    """Counts dealt into folds; what is left of a broken number goes to the first."""
    whole = np.floor(counts)
    dealt = random.multinomial(whole.astype(np.int64), np.full(FOLDS, 1 / FOLDS)).astype(np.float64)
    dealt[:, 0] += counts - whole
    return np.asarray(dealt)
