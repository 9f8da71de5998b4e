"""User journeys from the panel's own orders: intent draws both touches and orders, ads cause some of them.

Every order of the last weeks is in the log, and the values of a geo's week add up to its revenue to the cent. Each
order has one cause, drawn in proportion to the true effects: an ad, or none (the baseline). An order caused by an
online channel holds the touch that caused it (as far as the log tracks such touches), in a week with spend, as long
before as the channel's adstock says. Beyond that, people about to buy touch channels because they are about to buy;
offline ads leave no touch. So attribution sees who was present and cannot see who caused what.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from measurement.simulate.settings import ChannelTruth, WorldSettings
from measurement.simulate.streams import stream
from measurement.typing import Bools, Floats, Ints

WEEK = 7 * 86_400
NOTHING, BASELINE = -2, -1
# Shape of the gamma trait (mean 1) by which people differ in how often they touch anything: most never, some a lot.
ACTIVITY = 0.2
PEOPLE_PER_EPISODE = 6
BUYERS_INTENT, OTHERS_INTENT = (4.0, 2.0), (1.5, 4.0)
MOST_RELATIVE_SPEND = 3.0
HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 7, 7, 8, 7, 6, 6, 6, 7, 8, 9, 10, 9, 6, 3], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Market:
    """What the journeys are drawn from; all arrays cover the logged weeks, axes (geos, weeks, channels).

    Attributes:
        revenue: Revenue in whole cents, shape (geos, weeks).
        effect: Revenue that each channel caused.
        spend: Money spent.
        relative: Spend per person, relative to the channel's mean positive one.
        weights: Adstock weights, shape (lags, channels).
        population: Shape (geos,).
        channels: The channels' settings.
    """

    revenue: Ints
    effect: Floats
    spend: Floats
    relative: Floats
    weights: Floats
    population: Floats
    channels: tuple[ChannelTruth, ...]


@dataclass(frozen=True, eq=False)
class Episodes:
    """Journeys before their touches are drawn; arrays of shape (episodes,), orders first.

    Attributes:
        cell: Position of geo and week in the flattened grid.
        end: Second of the order, or of the last touch where there is none; counted from the start of the log.
        cause: Position of the channel that caused the order, `BASELINE`, or `NOTHING` where nothing was bought.
        intent: Closeness to buying, 0 to 1.
        activity: How much this person touches anything; 1 is the mean of everybody.
    """

    cell: Ints
    end: Ints
    cause: Ints
    intent: Floats
    activity: Floats


@dataclass(frozen=True, eq=False)
class Events:
    """Touches: which episode, when, by which channel; arrays of shape (touches,)."""

    episode: Ints
    second: Ints
    channel: Ints


def journeys(market: Market, settings: WorldSettings) -> tuple[pd.DataFrame, dict[str, int]]:
    """Draw the event log.

    Returns:
        The touchpoints (``user_id, timestamp, channel, event, value, geo``) in order of time, timestamps in UTC without
        an offset, channel empty and value given on conversions only; and the number of orders by what caused them.
    """
    rng = stream(settings.seed, "journeys")
    counts = np.maximum(np.rint(market.revenue / (100 * settings.order_value)), market.revenue > 0).astype(np.int64)
    bought = _orders(market, counts, rng)
    value = _values(market.revenue.ravel(), bought.cell, rng)
    others, forced = _browsers(market, counts, settings, rng)
    episodes = Episodes(
        *(np.concatenate(pair) for pair in zip(vars(bought).values(), vars(others).values(), strict=True))
    )
    orders = len(bought.cell)
    forced_touches = Events(np.arange(len(others.cell)) + orders, others.end, forced)
    touches = [_caused(market, bought, rng), forced_touches]
    touches += [_drawn(market, episodes, orders, i, rng) for i, c in enumerate(market.channels) if c.touches]
    causes = np.bincount(bought.cause + 1, minlength=len(market.channels) + 1)
    names = ["baseline", *(channel.name for channel in market.channels)]
    frame = _log(market, settings, episodes, value, touches, rng)
    return frame, {name: int(n) for name, n in zip(names, causes, strict=True)}


def _orders(market: Market, counts: Ints, rng: np.random.Generator) -> Episodes:
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    caused = np.cumsum(market.effect / np.maximum(market.revenue, 1)[..., None] * 100, axis=-1)
    caused = caused.reshape(counts.size, -1)
    below = rng.random(len(cell))[:, None] >= caused[cell]
    cause = np.where(below[:, -1], BASELINE, below.sum(axis=1))
    hour = rng.choice(24, len(cell), p=HOURS / HOURS.sum())
    second = rng.integers(0, 7, len(cell)) * 86_400 + hour * 3_600 + rng.integers(0, 3_600, len(cell))
    end = cell % counts.shape[1] * WEEK + second
    online = np.array([*(channel.touches is not None for channel in market.channels), False])
    return Episodes(cell, end, cause, rng.beta(*BUYERS_INTENT, len(cell)), _activity(online[cause], rng))


def _values(revenue: Ints, cell: Ints, rng: np.random.Generator) -> Floats:
    """Order values in money that add up to each cell's revenue exactly."""
    weight = rng.lognormal(0.0, 0.5, len(cell))
    share = weight / np.bincount(cell, weight, minlength=len(revenue))[cell]
    cents = np.maximum(np.floor(share * revenue[cell]), 1).astype(np.int64)
    left = revenue - np.bincount(cell, cents, minlength=len(revenue)).astype(np.int64)
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    cents[first] += left[cell[first]]
    return np.asarray(cents / 100)


def _browsers(market: Market, counts: Ints, settings: WorldSettings, rng: np.random.Generator) -> tuple[Episodes, Ints]:
    """People who buy nothing, as many as the spend reaches, and the channel of their last touch."""
    reach = np.array([channel.touches.reach if channel.touches else 0.0 for channel in market.channels])
    weight = (market.relative * reach).reshape(counts.size, -1)
    if reach.sum() == 0:
        weight = np.zeros_like(weight)
    per_person = settings.nulls_per_order * counts.sum() / counts.shape[1] / market.population.sum()
    people = np.repeat(market.population, counts.shape[1]) * per_person
    number = rng.poisson(people * weight.sum(axis=1) / max(reach.sum(), 1e-12))
    cell = np.repeat(np.arange(counts.size), number)
    sums = np.cumsum(weight, axis=1)
    channel = (rng.random(len(cell))[:, None] * sums[cell, -1:] >= sums[cell]).sum(axis=1)
    end = cell % counts.shape[1] * WEEK + rng.integers(0, WEEK, len(cell))
    cause = np.full(len(cell), NOTHING)
    activity = _activity(np.ones(len(cell), dtype=np.bool_), rng)
    return Episodes(cell, end, cause, rng.beta(*OTHERS_INTENT, len(cell)), activity), channel


def _activity(reached: Bools, rng: np.random.Generator) -> Floats:
    """The gamma trait; among people of whom one touch is known it is size-biased, which adds 1 to its shape."""
    return np.asarray(rng.gamma(ACTIVITY + reached, 1.0 / ACTIVITY))


def _caused(market: Market, bought: Episodes, rng: np.random.Generator) -> Events:
    """The touch behind each order that an online channel caused; lost where it lies before the log."""
    weeks = market.spend.shape[1]
    parts = []
    for i, channel in enumerate(market.channels):
        mine = np.flatnonzero(bought.cause == i)
        if channel.touches is None or not mine.size:
            continue
        past = np.zeros((len(market.weights), *market.spend.shape[:2]))
        for lag in range(min(len(past), weeks)):
            past[lag, :, lag:] = market.weights[lag, i] * market.spend[:, : weeks - lag, i]
        sums = np.cumsum(past.reshape(len(past), -1), axis=0)
        cell = bought.cell[mine]
        lag = (rng.random(len(mine)) * sums[-1, cell] >= sums[:, cell]).sum(axis=0)
        start = (cell % weeks - lag) * WEEK
        room = np.where(lag == 0, bought.end[mine] - start, WEEK)
        second = start + np.floor(rng.random(len(mine)) * room).astype(np.int64)
        kept = (second >= 0) & (second < bought.end[mine]) & (rng.random(len(mine)) < channel.touches.tracked)
        parts.append(Events(mine[kept], second[kept], np.full(kept.sum(), i)))
    return _joined(parts)


def _drawn(market: Market, episodes: Episodes, orders: int, i: int, rng: np.random.Generator) -> Events:
    """Touches of one channel that come from interest: more with intent, thinned by what was spent in their week."""
    seen = market.channels[i].touches
    if seen is None:
        raise ValueError("an offline channel has no touches")
    weeks = market.spend.shape[1]
    pull = np.exp(seen.intent * episodes.intent)
    rate = seen.on_orders * pull / pull[:orders].mean() * episodes.activity
    episode = np.repeat(np.arange(len(rate)), rng.poisson(rate * MOST_RELATIVE_SPEND))
    lag = 1 + np.floor(rng.exponential(seen.lag_days * 86_400, len(episode))).astype(np.int64)
    second = episodes.end[episode] - lag
    week = second // WEEK
    geo = episodes.cell[episode] // weeks
    spent = np.where(second >= 0, market.relative[geo, np.maximum(week, 0), i], 0.0)
    kept = rng.random(len(episode)) * MOST_RELATIVE_SPEND < spent
    return Events(episode[kept], second[kept], np.full(kept.sum(), i))


def _joined(parts: list[Events]) -> Events:
    if not parts:
        return Events(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    return Events(
        np.concatenate([part.episode for part in parts]),
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.channel for part in parts]),
    )


def _log(
    market: Market,
    settings: WorldSettings,
    episodes: Episodes,
    value: Floats,
    touches: list[Events],
    rng: np.random.Generator,
) -> pd.DataFrame:
    events, orders = _joined(touches), len(value)
    clicks = np.array([channel.touches.click_share if channel.touches else 0.0 for channel in market.channels])
    kind = np.where(rng.random(len(events.channel)) < clicks[events.channel], 0, 1)
    episode = np.concatenate([np.arange(orders), events.episode])
    second = np.concatenate([episodes.end[:orders], events.second])
    geo = episodes.cell // market.spend.shape[1]
    user = _users(geo, len(market.population), rng)[episode]
    order = np.lexsort((user, second))
    before = np.timedelta64(settings.weeks - settings.journey_weeks, "W")
    first_day = np.datetime64(settings.start, "us") + before.astype("timedelta64[us]")
    names = pd.array([*(channel.name for channel in market.channels), None], dtype="str")
    channel = np.concatenate([np.full(orders, len(market.channels)), events.channel])
    event = np.concatenate([np.full(orders, 2), kind])
    money = np.concatenate([value, np.full(len(kind), np.nan)])
    people, person = np.unique(user[order], return_inverse=True)
    ids = pd.array([f"u{n:08d}" for n in people], dtype="str")
    frame = pd.DataFrame(
        {
            "user_id": ids.take(person),
            "timestamp": first_day + second[order].astype("timedelta64[s]"),
            "channel": names.take(channel[order]),
            "event": pd.array(["click", "impression", "conversion"], dtype="str").take(event[order]),
            "value": money[order],
        }
    )
    if len(settings.geos) > 1:
        frame["geo"] = pd.array(sorted(settings.geos), dtype="str").take(geo[episode][order])
    return frame


def _users(geo: Ints, geos: int, rng: np.random.Generator) -> Ints:
    """One person per episode, a few with more than one, each in one geo; numbers that tell nothing else."""
    pool = PEOPLE_PER_EPISODE * np.bincount(geo, minlength=geos)
    first = np.concatenate([[0], np.cumsum(pool)])
    person = first[geo] + np.floor(rng.random(len(geo)) * pool[geo]).astype(np.int64)
    return np.asarray(rng.permutation(int(first[-1]))[person])
