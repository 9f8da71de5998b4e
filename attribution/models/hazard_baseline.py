"""Additive hazard with a baseline, and clicks told from impressions.

As `hazard`, but users also convert by themselves: at the rate ``m`` per day from a user's first event until the log
ends; and a touch of channel ``c`` adds ``b_c k w_c exp(-w_c age)``, where ``k`` is 1 for a click
and the same for every impression. A conversion is the baseline's with probability ``m`` over the whole intensity; those
that no touch preceded are its alone, and teach its rate, except those with which a user came into the log. With days
``T`` for which users were watched, ``n`` such conversions, and the rest as there, the log-likelihood is

    n log m  +  sum over conversions of log(m + sum_i b k w exp(-w a_i))
             -  m T  -  sum over touches of b k (1 - exp(-w e))

It is maximised by EM. Draws take one step of Newton along the scores of the groups of users, and credit its slope.

Sources: Zhang, Wei & Ren (2014), Multi-touch attribution in online advertising with survival theory, ICDM; Veen &
Schoenberg (2008), Estimation of space-time branching process models, JASA 103, for EM with a background rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from attribution.ages import BINS, DAYS
from attribution.models import hazard
from attribution.path_spec import SECONDS_PER_DAY
from attribution.path_table import Paths
from attribution.sums import Grouped, Matrix, Prepared, Solution
from attribution.users import GROUPS
from measurement.errors import Problem
from measurement.typing import Floats, Ints


@dataclass(frozen=True, eq=False)
class Data:
    """What the likelihood needs.

    Attributes:
        touches: What `hazard` needs of touches and conversions.
        kind: 0 for a click, 1 for an impression, of each touch of a converting journey, shape (touches,).
        watched: Touches by kind and spell, shape (2, channels, bins).
        watched_by_group: The same by group, shape (2 * channels * bins, groups); channels, then kinds, then bins.
        days: T by group, shape (groups,).
        alone: n by group, shape (groups,).
    """

    touches: hazard.Data
    kind: Ints
    watched: Floats
    watched_by_group: sparse.csr_matrix
    days: Floats
    alone: Floats

    @classmethod
    def of(cls, paths: Paths) -> "Data":
        """From paths of an event log.

        Raises:
            DataError: Where the paths hold no times.
        """
        touches, users = hazard.Data.of(paths), paths.users
        assert users is not None  # noqa: S101  else the line before has raised
        channels = len(paths.channels)
        cells = (users.exposed_touches, (users.exposed, users.exposed_group))
        by_group = sparse.csr_matrix(sparse.coo_matrix(cells, shape=(2 * channels * BINS, GROUPS)))
        watched = np.asarray(by_group.sum(axis=1)).reshape(channels, 2, BINS).transpose(1, 0, 2)
        return cls(
            touches=touches,
            kind=users.sale_kinds.astype(np.int64),
            watched=watched,
            watched_by_group=by_group,
            days=users.watched / SECONDS_PER_DAY,
            alone=np.maximum(users.alone - users.entered, 0.0),
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """The maximum of the likelihood.

    Attributes:
        effect: b of each channel, shape (channels,).
        rate: w of each channel, per day.
        base: m, per day.
        factor: k of an impression.
        share: Responsibility of each touch, shape (touches,).
        own: Responsibility of the baseline for each conversion with touches, shape (sales,).
    """

    effect: Floats
    rate: Floats
    base: float
    factor: float
    share: Floats
    own: Floats

    @property
    def factors(self) -> Floats:
        """Their k by kind, shape (2,)."""
        return np.array([1.0, self.factor])


def fit(data: Data) -> Fit:
    """Maximise the likelihood."""
    touches = data.touches
    channels, weight = len(touches.watched), touches.conversions[touches.sale]
    tells = data.watched.sum(axis=(1, 2)).min() > 0  # else there is one kind alone
    days, alone, total = data.days.sum(), data.alone.sum(), touches.conversions.sum()
    ended = 1 - np.exp(-np.outer(hazard.RATES, DAYS))
    effect, rate = np.full(channels, 0.1), np.full(channels, np.log(2) / 7)
    base, factor, before = (alone + 0.1 * total) / max(days, 1e-300), 1.0, np.zeros(channels + 1)
    for _ in range(hazard.ROUNDS):
        share, own = _shares(data, effect, rate, base, factor)
        due = np.bincount(touches.code, weight * share, channels * BINS).reshape(channels, BINS)
        credit = due.sum(axis=1)
        seen = data.watched[0] + factor * data.watched[1]
        gain = credit[:, None] * (np.log(hazard.RATES) - np.log(np.maximum(seen @ ended.T, 1e-300)))
        rate = hazard.best_rates(gain - (due @ DAYS)[:, None] * hazard.RATES)
        gone = 1 - np.exp(-rate[:, None] * DAYS)
        spent = (seen * gone).sum(axis=1)
        effect = np.divide(credit, spent, out=np.zeros(channels), where=spent > 0)
        expected = float((data.watched[1] * effect[:, None] * gone).sum())
        if tells and expected > 0:
            factor = float((weight * share)[data.kind == 1].sum()) / expected
        by_itself = float(touches.conversions @ own)
        base = (alone + by_itself) / max(days, 1e-300)
        now = np.append(credit, by_itself)
        if np.abs(now - before).max() <= hazard.STILL * total:
            break
        before = now
    return Fit(effect, rate, base, factor, *_shares(data, effect, rate, base, factor))


def _shares(data: Data, effect: Floats, rate: Floats, base: float, factor: float) -> tuple[Floats, Floats]:
    """Responsibilities of touches, shape (touches,), and of the baseline, shape (sales,)."""
    touches = data.touches
    table = np.maximum((effect * rate)[:, None] * np.exp(-rate[:, None] * DAYS), 1e-200).ravel()
    intensity = table[touches.code] * np.where(data.kind == 1, factor, 1.0)
    total = base + np.bincount(touches.sale, intensity, len(touches.conversions))
    return np.asarray(intensity / total[touches.sale]), np.asarray(base / total)


def prepare(paths: Paths) -> Prepared:
    """Credit by responsibility; what the baseline brought of the conversions with touches is a row of its own.

    Raises:
        DataError: Where the paths hold no times.
    """
    data = Data.of(paths)
    found, touches = fit(data), data.touches
    rewards = [touches.conversions] + ([] if paths.value is None else [touches.value])
    channels, group = len(paths.channels), touches.group

    def by_group(reward: Floats) -> sparse.csr_matrix:
        row = np.concatenate([touches.channel, np.full(len(reward), channels)])
        cells = np.concatenate([reward[touches.sale] * found.share, reward * found.own])
        column = np.concatenate([group[touches.sale], group])
        return sparse.csr_matrix(sparse.coo_matrix((cells, (row, column)), shape=(channels + 1, GROUPS)))

    def solve(sums: Sequence[Floats]) -> Solution:
        return _solution([*sums])

    def draws(sums: Sequence[Matrix], times: Floats) -> Solution:
        moved = _step(data, found)
        made = []
        for reward, total in zip(rewards, sums, strict=True):
            own = np.asarray(total @ np.eye(GROUPS))
            made.append(hazard.credit_drawn(own, _slope(data, found, reward) @ moved, times))
        return _solution(made)

    lives = np.log(2) / found.rate
    known = [i for i in range(channels) if found.effect[i] > 0]
    about = {
        "half_life_days": {paths.channels[i]: float(lives[i]) for i in known},
        "conversions_per_click": {name: float(b) for name, b in zip(paths.channels, found.effect, strict=True)},
        "impression_over_click": found.factor if data.watched[1].sum() > 0 else None,
        "baseline_per_user_and_year": found.base * 365.25,
    }
    terms = tuple(Grouped(by_group(reward)) for reward in rewards)
    said = (*hazard.said(paths, lives, known), *_said(data))
    return Prepared(terms, solve, draws=draws, about=about, findings=said)


def _solution(credit: Sequence[Floats]) -> Solution:
    """Credit per channel, and that of the last row: the baseline."""
    value = credit[1][:-1] if len(credit) > 1 else None
    return Solution(credit[0][:-1], value, baseline=np.stack([each[-1] for each in credit]))


def _said(data: Data) -> tuple[Problem, ...]:
    if data.alone.sum() >= hazard.FEW:
        return ()
    message = (
        f"only {data.alone.sum():,.0f} conversions of users who were known came without a touch: the baseline of "
        "'hazard:baseline' rests on the shape of the fading alone"
    )
    return (Problem(message, level="note", code="hazard-baseline"),)


def _gradient(data: Data, found: Fit) -> tuple[Floats, sparse.csr_matrix, sparse.csr_matrix]:
    """How log intensities move with log b, log w, log k and log m, in this order: 2 channels + 2 columns.

    Returns:
        Slopes of the log rates, shape (touches,); those of each touch, and their means per sale, as sparse rows.
    """
    touches, channels = data.touches, len(found.rate)
    slope = 1 - found.rate[touches.channel] * DAYS[touches.age]
    at, width = np.arange(len(slope)), 2 * channels + 2
    cells = np.concatenate([np.ones_like(slope), slope, data.kind.astype(np.float64)])
    column = np.concatenate([touches.channel, touches.channel + channels, np.full(len(slope), 2 * channels)])
    each = sparse.csr_matrix((cells, (np.tile(at, 3), column)), shape=(len(slope), width))
    sales = len(touches.conversions)
    mean = sparse.csr_matrix((found.share, (touches.sale, at)), shape=(sales, len(slope))) @ each
    alone = sparse.csr_matrix((found.own, (np.arange(sales), np.full(sales, width - 1))), shape=(sales, width))
    return slope, each, sparse.csr_matrix(mean + alone)


def _step(data: Data, found: Fit) -> Floats:
    """How each group of users moves the logs of b, w, k and m: inverse information × its score, (width, groups)."""
    touches, channels = data.touches, len(found.rate)
    slope, each, mean = _gradient(data, found)
    aged = found.rate[:, None] * DAYS
    gone, leaving = found.effect[:, None] * (1 - np.exp(-aged)), found.effect[:, None] * aged * np.exp(-aged)
    by_kind = [_by_channel(found.factors[:, None, None] * kernel, data) for kernel in (gone, leaving)]
    expected = np.concatenate(
        [by_kind[0].sum(axis=0), by_kind[1].sum(axis=0), by_kind[0][1].sum(axis=0)[None], found.base * data.days[None]]
    )
    sales = sparse.csr_matrix(
        (touches.conversions, (np.arange(len(touches.group)), touches.group)), shape=(len(touches.group), GROUPS)
    )
    score = np.asarray((mean.T @ sales).toarray()) - expected
    score[-1] += data.alone

    weight = touches.conversions[touches.sale] * found.share
    own = np.asarray((each.T @ each.multiply(weight[:, None]).tocsr()).toarray())
    own[-1, -1] += float(touches.conversions @ found.own)
    rates = np.arange(channels, 2 * channels)
    own[rates, rates] -= np.bincount(touches.channel, weight * (1 - slope), channels)
    spent, fading = (each_kind.sum(axis=2) for each_kind in by_kind)  # (kinds, channels)
    bent = _by_channel(found.factors[:, None, None] * leaving * (1 - aged), data).sum(axis=(0, 2))
    curve = np.zeros_like(own)
    first = np.arange(channels)
    curve[first, first], curve[rates, rates] = spent.sum(axis=0), bent
    curve[first, rates] = curve[rates, first] = fading.sum(axis=0)
    curve[first, -2] = curve[-2, first] = spent[1]
    curve[rates, -2] = curve[-2, rates] = fading[1]
    curve[-2, -2], curve[-1, -1] = spent[1].sum(), found.base * data.days.sum()
    outer = np.asarray((mean.T @ mean.multiply(touches.conversions[:, None]).tocsr()).toarray())
    information = curve - own + outer
    if found.factor == 1.0:  # one kind alone: nothing moves its factor
        information[-2], information[:, -2], score[-2] = 0.0, 0.0, 0.0
    return np.asarray(np.linalg.pinv(information, rcond=1e-9, hermitian=True) @ score)


def _by_channel(kernel: Floats, data: Data) -> Floats:
    """Sums over watched touches by group: from (kinds, channels, bins) to (kinds, channels, groups)."""
    kinds, channels, _ = kernel.shape
    place = np.arange(kernel.size)
    cells = kernel.transpose(1, 0, 2).ravel()
    rows = sparse.csr_matrix((cells, (place // BINS, place)), shape=(channels * kinds, kernel.size))
    return np.asarray((rows @ data.watched_by_group).toarray()).reshape(channels, kinds, GROUPS).transpose(1, 0, 2)


def _slope(data: Data, found: Fit, reward: Floats) -> Floats:
    """How the credit of channels and baseline moves with the logs of b, w, k and m: (channels + 1, width)."""
    touches, channels = data.touches, len(found.rate)
    _, each, mean = _gradient(data, found)
    sales = np.arange(len(reward))
    row = np.concatenate([touches.sale, sales])
    column = np.concatenate([touches.channel, np.full(len(sales), channels)])
    cells = (np.concatenate([found.share, found.own]), (row, column))
    credit = sparse.csr_matrix(sparse.coo_matrix(cells, shape=(len(sales), channels + 1)))
    weight = reward[touches.sale] * found.share
    size = (channels + 1, len(weight))
    mine = sparse.csr_matrix((weight, (touches.channel, np.arange(len(weight)))), shape=size)
    own = np.asarray((mine @ each).toarray())
    own[-1, -1] = float(reward @ found.own)
    return own - np.asarray((credit.T @ mean.multiply(reward[:, None]).tocsr()).toarray())
