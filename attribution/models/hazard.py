"""Additive hazard: every touch adds its own, fading chance of a conversion; credit by who was responsible.

A touch of channel ``c`` adds the intensity ``b_c w_c exp(-w_c age)``: in the end ``b_c`` conversions are expected of
it, half of them within ``log(2) / w_c`` days. Touches compete: a conversion is due to touch ``i`` with probability
``intensity_i / sum of intensities``, and credit is the sum of these. Likelihood of the log, with ages ``a`` of the
touches before each conversion and spells ``e`` for which each touch was watched (until its journey converted, its
lookback ended or the log did, so that unfinished journeys count for what is known of them):

    sum over conversions of log(sum_i b w exp(-w a_i))  -  sum over touches of b (1 - exp(-w e))

It is maximised by EM: responsibilities, then ``b = credit / sum (1 - exp(-w e))`` and a line search for ``w``. Ages and
spells are known to within 9 % (`attribution.ages`). Draws move along the scores of the groups of users (one step of
Newton from the estimate), and responsibilities with them.

Source: Zhang, Wei & Ren (2014), Multi-touch attribution in online advertising with survival theory, ICDM.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from attribution.ages import BINS, DAYS
from attribution.path_table import Paths
from attribution.sums import Grouped, Matrix, Prepared, Solution
from attribution.users import GROUPS
from measurement.errors import DataError, Problem, shown
from measurement.typing import Floats, Ints

RATES = np.log(2) / np.geomspace(1 / 48, 180, 160)
"""Rates of decay that are looked at, per day: half-lives of half an hour to 180 days."""
ROUNDS = 1_000
FEW = 20
"""Conversions without a touch below which the baseline is called uncertain."""
STILL = 1e-9
"""Change of credit, as a share of all conversions, at which EM stops."""


@dataclass(frozen=True, eq=False)
class Data:
    """What the likelihood needs.

    Attributes:
        sale: The converting journey of each touch, shape (touches,).
        channel: Its channel.
        age: Its bin of age.
        conversions: Of each journey, shape (sales,).
        value: Their money.
        group: Group of its user.
        watched: Touches by spell, shape (channels, bins).
        watched_by_group: The same by group, shape (channels * bins, groups).
    """

    sale: Ints
    channel: Ints
    age: Ints
    conversions: Floats
    value: Floats
    group: Ints
    watched: Floats
    watched_by_group: sparse.csr_matrix

    @classmethod
    def of(cls, paths: Paths) -> "Data":
        """From paths of an event log.

        Raises:
            DataError: Where the paths hold no times.
        """
        users = paths.users
        if users is None:
            raise DataError(
                "a hazard needs the times of the touches: aggregated paths have none; give it the event log"
            )
        channels = len(paths.channels)
        lengths = paths.lengths[users.sale_path]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        at = np.arange(ends[-1]) + np.repeat(paths.offsets[users.sale_path] - ends[:-1], lengths)
        by_channel = users.exposed // (2 * BINS) * BINS + users.exposed % BINS
        cells = sparse.coo_matrix(
            (users.exposed_touches, (by_channel, users.exposed_group)), shape=(channels * BINS, GROUPS)
        )
        watched = sparse.csr_matrix(cells)
        return cls(
            sale=np.repeat(np.arange(len(lengths)), lengths),
            channel=paths.touches[at].astype(np.int64),
            age=users.sale_ages.astype(np.int64),
            conversions=users.sale_conversions,
            value=users.sale_value,
            group=users.sale_group.astype(np.int64),
            watched=np.asarray(watched.sum(axis=1)).reshape(channels, BINS),
            watched_by_group=watched,
        )

    @property
    def code(self) -> Ints:
        """Channel and bin of each touch in one number."""
        return self.channel * BINS + self.age


@dataclass(frozen=True, eq=False)
class Fit:
    """The maximum of the likelihood.

    Attributes:
        effect: b of each channel, shape (channels,).
        rate: w of each channel, per day.
        share: Responsibility of each touch, shape (touches,).
    """

    effect: Floats
    rate: Floats
    share: Floats


def fit(data: Data) -> Fit:
    """Maximise the likelihood."""
    channels, code = len(data.watched), data.code
    starts = np.flatnonzero(np.diff(data.sale, prepend=-1))
    weight = data.conversions[data.sale]
    ended = np.log(np.maximum(data.watched @ (1 - np.exp(-np.outer(RATES, DAYS))).T, 1e-300))
    effect, rate, before = np.full(channels, 0.1), np.full(channels, np.log(2) / 7), np.zeros(channels)
    for _ in range(ROUNDS):
        share = _shares(effect, rate, code, starts)
        due = np.bincount(code, weight * share, channels * BINS).reshape(channels, BINS)
        credit = due.sum(axis=1)
        rate = best_rates(credit[:, None] * (np.log(RATES) - ended) - (due @ DAYS)[:, None] * RATES)
        watched = (data.watched * (1 - np.exp(-rate[:, None] * DAYS))).sum(axis=1)
        effect = np.divide(credit, watched, out=np.zeros(channels), where=watched > 0)
        if np.abs(credit - before).max(initial=0.0) <= STILL * weight.sum():
            break
        before = credit
    return Fit(effect, rate, _shares(effect, rate, code, starts))


def best_rates(gain: Floats) -> Floats:
    """The best rates: of a grid, then by the parabola through the best and its neighbours; shape (channels,)."""
    best = np.clip(np.argmax(gain, axis=1), 1, len(RATES) - 2)
    below, here, above = (np.take_along_axis(gain, (best + i)[:, None], axis=1)[:, 0] for i in (-1, 0, 1))
    bend = below - 2 * here + above
    shift = np.divide(below - above, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    return np.asarray(RATES[best] * np.exp(np.clip(shift, -1, 1) * np.log(RATES[1] / RATES[0])))


def _shares(effect: Floats, rate: Floats, code: Ints, starts: Ints) -> Floats:
    """Responsibility of each touch, shape (touches,); equal where no touch of a journey has any effect left."""
    table = np.maximum((effect * rate)[:, None] * np.exp(-rate[:, None] * DAYS), 1e-200).ravel()
    intensity = table[code]
    if not len(starts):
        return intensity
    total = np.add.reduceat(intensity, starts)
    return np.asarray(intensity / np.repeat(total, np.diff(starts, append=len(code))))


def prepare(paths: Paths) -> Prepared:
    """Credit by responsibility.

    Raises:
        DataError: Where the paths hold no times.
    """
    data = Data.of(paths)
    found = fit(data)
    rewards = [data.conversions] + ([] if paths.value is None else [data.value])
    shape = (len(paths.channels), GROUPS)

    def by_group(reward: Floats) -> sparse.csr_matrix:
        cells = (data.channel, data.group[data.sale])
        return sparse.csr_matrix(sparse.coo_matrix((reward[data.sale] * found.share, cells), shape=shape))

    def solve(sums: Sequence[Floats]) -> Solution:
        return Solution(sums[0], sums[1] if len(sums) > 1 else None)

    def draws(sums: Sequence[Matrix], times: Floats) -> Solution:
        moved = _step(data, found)
        made = []
        for reward, total in zip(rewards, sums, strict=True):
            own = np.asarray(total @ np.eye(GROUPS))
            made.append(credit_drawn(own, _slope(data, found, reward) @ moved, times))
        return Solution(made[0], made[1] if len(made) > 1 else None)

    lives = np.log(2) / found.rate
    known = [i for i in range(len(lives)) if found.effect[i] > 0]
    about = {
        "half_life_days": {paths.channels[i]: float(lives[i]) for i in known},
        "conversions_per_touch": {name: float(b) for name, b in zip(paths.channels, found.effect, strict=True)},
    }
    terms = tuple(Grouped(by_group(reward)) for reward in rewards)
    return Prepared(terms, solve, draws=draws, about=about, findings=said(paths, lives, known))


def said(paths: Paths, lives: Floats, known: list[int]) -> tuple[Problem, ...]:
    """A note on each of the known channels whose half-life ends at the edge of what is looked at."""
    shortest, longest = np.log(2) / RATES[1], np.log(2) / RATES[-2]
    return tuple(
        Problem(
            f"how fast '{shown(paths.channels[i])}' fades cannot be told: its half-life ends at the edge of what is "
            f"looked at, {lives[i]:.3g} days",
            column="channel",
            level="note",
            code="hazard-edge",
        )
        for i in known
        if not shortest < lives[i] < longest
    )


def _gradient(data: Data, found: Fit) -> tuple[Floats, sparse.csr_matrix]:
    """Slope of each touch's log intensity in its channel's log rate, and mean slopes per sale (log b, then log w)."""
    slope = 1 - found.rate[data.channel] * DAYS[data.age]
    channels = len(found.rate)
    row = np.concatenate([data.sale, data.sale])
    column = np.concatenate([data.channel, data.channel + channels])
    cells = np.concatenate([found.share, found.share * slope])
    shape = (len(data.conversions), 2 * channels)
    return slope, sparse.csr_matrix(sparse.coo_matrix((cells, (row, column)), shape=shape))


def credit_drawn(own: Floats, moved: Floats, times: Floats) -> Floats:
    """Credit under redrawn weights of the user groups, to first order; none below 0, the whole as it was drawn.

    Args:
        own: Credit by channel and group at weights of 1, (rows, groups).
        moved: How the fit's own move changes credit, per unit of each group's weight, (rows, groups).
        times: Weights of the groups, (groups, draws).
    """
    credit = own.sum(axis=1)[:, None] + (own + moved) @ (times - 1.0)
    kept = np.maximum(credit, 0.0)
    whole: Floats = own.sum(axis=0) @ times
    drawn: Floats = kept * (whole / np.maximum(kept.sum(axis=0), 1e-300))
    return drawn


def _step(data: Data, found: Fit) -> Floats:
    """How each group of users moves the logs of b and w: inverse information times its score, (2 channels, groups)."""
    channels = len(found.rate)
    slope, mean = _gradient(data, found)
    sales = sparse.csr_matrix(
        (data.conversions, (np.arange(len(data.group)), data.group)), shape=(len(data.group), GROUPS)
    )
    aged = found.rate[:, None] * DAYS
    gone, leaving = found.effect[:, None] * (1 - np.exp(-aged)), found.effect[:, None] * aged * np.exp(-aged)
    expected = np.concatenate([_by_channel(gone, data), _by_channel(leaving, data)])
    score = np.asarray((mean.T @ sales).toarray()) - expected
    weight = data.conversions[data.sale] * found.share

    def own(each: Floats, watched: Floats) -> Floats:
        return np.diag(np.bincount(data.channel, weight * each, channels) - (data.watched * watched).sum(axis=1))

    both = own(slope, leaving)
    rates = own(slope**2 - (1 - slope), leaving * (1 - aged))
    blocks = np.block([[own(np.ones_like(slope), gone), both], [both, rates]])
    outer = mean.T @ mean.multiply(data.conversions[:, None]).tocsr()
    information = np.asarray(outer.toarray()) - blocks
    return np.asarray(np.linalg.pinv(information, rcond=1e-9, hermitian=True) @ score)


def _by_channel(kernel: Floats, data: Data) -> Floats:
    """Sums over watched touches by group, shape (channels, groups)."""
    channels = len(kernel)
    place = np.arange(channels * BINS)
    rows = sparse.csr_matrix((kernel.ravel(), (place // BINS, place)), shape=(channels, channels * BINS))
    return np.asarray((rows @ data.watched_by_group).toarray())


def _slope(data: Data, found: Fit, reward: Floats) -> Floats:
    """How credit moves with the logs of b and w, shape (channels, 2 channels)."""
    channels = len(found.rate)
    slope, mean = _gradient(data, found)
    weight = reward[data.sale] * found.share
    own = [np.diag(np.bincount(data.channel, weight * each, channels)) for each in (np.ones_like(slope), slope)]
    shared = mean[:, :channels].T @ mean.multiply(reward[:, None]).tocsr()
    return np.asarray(np.concatenate(own, axis=1) - shared.toarray())
