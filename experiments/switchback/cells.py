"""The cells of a switchback's regression: which periods are read, and beside what the treatment stands.

One market: a level for every pair of neighbouring blocks (one level and a trend for the whole test where blocks were
not drawn in pairs), days of the week, and the KPI of the control geos where there are any. Up to twelve weeks before
the test, each with a level of its own, help to tell the days of the week; whether the ads ran then does not matter.
Several markets: a level for every market and pair of blocks, and one for every period. Nothing here reads the states
of the blocks, so the randomisation test stays exact.
"""

import numpy as np

from experiments.switchback.draws import Rule
from experiments.switchback.regression import Cells, autocorrelation
from measurement.typing import Bools, Floats, Ints

WEEK = 7
MOST_PRE = 84
FEWEST_FOR_WEEKDAYS = 28
FEWEST_FOR_NOISE = 28
MOST_MARKETS = 12
GUESSED = 0.5


def of_market(
    values: Floats, block: Ints, read: Bools, weekday: Ints | None, rule: Rule, covariate: Floats | None = None
) -> Cells:
    """The cells of one market.

    Args:
        values: KPI, shape (periods,).
        block: Block of each period, shape (periods,); -1 outside the schedule.
        read: Periods of the schedule that are read (no burn-in), shape (periods,).
        weekday: Day of the week, shape (periods,); ``None`` where the periods are longer.
        rule: Rule of the draw.
        covariate: KPI of the control geos, shape (periods,).
    """
    onset = int(np.argmax(block >= 0))
    history = min(onset, MOST_PRE) // (WEEK if weekday is not None else 1) * (WEEK if weekday is not None else 1)
    before, during = np.arange(onset - history, onset), np.flatnonzero(read)
    time = np.concatenate([before, during])
    test = time >= onset
    stretch = np.where(test, _stretches(block[time], rule), -1 - (onset - 1 - time) // WEEK * (weekday is not None))
    terms = [_dummies(stretch)]
    if rule != "pairs":  # beside pairs a trend takes out much of the schedules that mostly turn one way
        terms.append(_trend(time, test))
    if weekday is None:
        terms.append(_trend(time, ~test))
    elif time.size >= FEWEST_FOR_WEEKDAYS:
        terms.append(_dummies(weekday[time])[:, 1:])
    if covariate is not None:
        terms.append(covariate[time, None])
    market = np.zeros_like(time)
    return Cells(values[time], market, time, np.where(test, block[time], -1), np.ones(time.size), np.hstack(terms))


def of_markets(values: Floats, block: Ints, read: Bools, sign: Floats, rule: Rule) -> Cells:
    """The cells of several markets that do not all switch together.

    Args:
        values: KPI over the market's scale, shape (markets, periods).
        block: Block of each cell, shape (markets, periods); -1 outside the schedule (control geos throughout).
        read: Cells that are read, same shape.
        sign: +1, or -1 for a market that is on where its unit is off, shape (markets,).
        rule: Rule of the draw.
    """
    market, time = np.nonzero(read)
    inside = block[market, time]
    stretch = np.where(inside >= 0, _stretches(inside, rule), 0)
    levels = _dummies(market * (stretch.max() + 1) + stretch)
    terms = np.hstack([levels, _dummies(time)[:, 1:]])
    return Cells(values[market, time], market, time, inside, sign[market], terms)


def of_whole_history(
    values: Floats, block: Ints, read: Bools, weekday: Ints | None, covariate: Floats | None = None
) -> Cells:
    """The cells of an on-off test whose history counts as off: one level, one trend, days of the week.

    Args and shapes are those of `of_market`.
    """
    time = np.flatnonzero(read)
    everything = np.ones(time.size, dtype=np.bool_)
    terms = [np.ones((time.size, 1)), _trend(time, everything)]
    if weekday is not None and time.size >= FEWEST_FOR_WEEKDAYS:
        terms.append(_dummies(weekday[time])[:, 1:])
    if covariate is not None:
        terms.append(covariate[time, None])
    return Cells(values[time], np.zeros_like(time), time, block[time], np.ones(time.size), np.hstack(terms))


def usual_autocorrelation(values: Floats, weekday: Ints | None, stretch: int) -> float:
    """How alike neighbouring periods were before the test, beside levels that hold for a stretch of periods.

    Args:
        values: KPI before the test, shape (markets, periods).
        weekday: Day of the week, shape (periods,); ``None`` where the periods are longer.
        stretch: Periods that share a level in the test.

    Returns:
        The mean over up to twelve markets; one half where the history is shorter than 28 periods.
    """
    history = values.shape[1]
    if history < FEWEST_FOR_NOISE:
        return GUESSED
    time = np.arange(history)[-MOST_PRE:]
    terms = [_dummies((history - 1 - time) // stretch), _trend(time, np.ones(time.size, dtype=np.bool_))]
    if weekday is not None:
        terms.append(_dummies(weekday[time])[:, 1:])
    alone = values - (values.mean(axis=0) if len(values) > 1 else 0.0)
    return float(np.mean([autocorrelation(row[time], np.hstack(terms)) for row in alone[:MOST_MARKETS]]))


def _stretches(block: Ints, rule: Rule) -> Ints:
    return np.asarray(block // 2 if rule == "pairs" else np.zeros_like(block))


def _dummies(labels: Ints) -> Floats:
    return np.asarray(labels[:, None] == np.unique(labels), dtype=np.float64)


def _trend(time: Ints, where: Bools) -> Floats:
    """A straight line over the marked cells, from -1 to 1, shape (cells, 1)."""
    inside = time[where]
    if inside.size == 0:
        return np.zeros((time.size, 1))
    middle, half = (inside.min() + inside.max()) / 2, max((inside.max() - inside.min()) / 2, 1)
    return np.where(where, (time - middle) / half, 0.0)[:, None]
