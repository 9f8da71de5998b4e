"""Which touches the path of a journey holds (lookbacks, reuse, direct traffic, repeats), and their time decay."""

import numpy as np
from numpy.typing import NDArray

from attribution import ages
from attribution.events import CLICK, CONVERSION, IMPRESSION, Clock, Events, Tally
from attribution.path_spec import PathSpec
from measurement.errors import DataError, Problem
from measurement.typing import Bools, Floats, Ints

MOST = 1 << 25
"""Touches in the paths of one portion of the log, where conversions share them; a guard against bots."""


def in_reach(events: Events, starts: Ints, clock: Clock, spec: PathSpec) -> tuple[Ints, Ints]:
    """The touches within their lookback at the end of each journey.

    Args:
        events: Sorted events.
        starts: First event of every journey.
        clock: The log's clock.
        spec: Where conversions reset the path only a journey's own touches count; else all of its user's before.

    Returns:
        Positions of the touches and the journey of each, in order of journey and time. Where touches are reused one
        stands in several journeys.

    Raises:
        DataError: Where reuse makes far more touches than the log has.
    """
    stop = np.append(starts[1:], len(events))
    end = events.time[stop - 1]
    touch = events.kind != CONVERSION
    limits = lookbacks(clock, spec)
    if spec.after_conversion == "reset":
        number = numbers(starts, len(events))
        at = np.flatnonzero(touch & (end[number] - events.time <= _limit(events.kind, limits)))
        return at, number[at]
    first = _oldest(events, starts, end - clock.days(spec.lookback_days))
    size = stop - first
    total = int(size.sum())
    if total > MOST + len(events):
        words = (
            "after_conversion = 'reuse' gives users of very many conversions too many touches to each of them; leave "
            "bots out (bots = 'drop' and a lower bot_touches), shorten the lookback, or reset"
        )
        raise DataError([Problem(words, code="too-many-reused")])
    number = np.repeat(np.arange(len(starts)), size)
    at = np.arange(total) + np.repeat(first - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
    live = np.flatnonzero(touch[at] & (end[number] - events.time[at] <= _limit(events.kind[at], limits)))
    return at[live], number[live]


def numbers(starts: Ints, events: int) -> Ints:
    """The journey of each event."""
    opens = np.zeros(events, dtype=np.int64)
    opens[starts[1:]] = 1
    return np.cumsum(opens)


def lookbacks(clock: Clock, spec: PathSpec) -> Ints:
    """Ticks that a touch counts, by its kind; 0 for a conversion."""
    return np.array([clock.days(spec.click_days), clock.days(spec.impression_days), 0])


def _limit(kind: NDArray[np.uint8], limits: Ints) -> Ints:
    """The lookback of each touch; one number where clicks and impressions have the same."""
    return limits[:1] if limits[CLICK] == limits[IMPRESSION] else limits[kind]


def _oldest(events: Events, starts: Ints, since: Ints) -> Ints:
    """For each journey, its user's first event at or after ``since``."""
    user = np.cumsum(np.concatenate([[False], events.user[1:] != events.user[:-1]]))
    journeys = len(starts)
    # one stable sort of the journeys' bounds among the events; a bound comes before the events of its instant
    order = np.lexsort((np.concatenate([since, events.time]), np.concatenate([user[starts], user])))
    event = order >= journeys
    before = np.cumsum(event)
    first = np.empty(journeys, dtype=np.int64)
    first[order[~event]] = before[~event]
    return first


def exposed(events: Events, at: Ints, until: Ints, clock: Clock, spec: PathSpec) -> NDArray[np.int32]:
    """The cell of exposure of each touch: its channel and kind, and how long it could have led to a conversion."""
    kind, limits = events.kind[at], lookbacks(clock, spec)
    spell, limit = until - events.time[at], _limit(kind, limits)
    short = np.flatnonzero(spell < limit)
    spells = ages.bins(limits, clock.tick)[kind]
    spells[short] = ages.bins(spell[short], clock.tick)
    return (events.channel[at].astype(np.int32) * 2 + kind) * ages.BINS + spells


def by_choice(
    channel: NDArray[np.uint16], at: Ints, number: Ints, spec: PathSpec, direct: Bools, tally: Tally
) -> tuple[Ints, Ints]:
    """What the rules for direct traffic and for repeats leave of touches ``at`` in journeys ``number``."""
    if spec.direct == "drop_unless_only" and direct.any() and at.size:
        others = np.bincount(number, weights=~direct[channel[at]], minlength=int(number[-1]) + 1) > 0
        out = direct[channel[at]] & others[number]
        tally.direct = int(out.sum())
        at, number = at[~out], number[~out]
    if spec.repeats == "collapse":
        out = np.append((np.diff(channel[at].astype(np.int64)) == 0) & (np.diff(number) == 0), False)[: len(at)]
        tally.repeats = int(out.sum())
        at, number = at[~out], number[~out]
    return at, number


def decay(time: Ints, lengths: Ints, half_life: int) -> Floats:
    """Weights ``2 ** (-age / half_life)``, brought to sum 1 in each journey.

    Ages are taken from the journey's last touch: the age of that touch itself cancels, and nothing underflows.
    """
    if not lengths.size:
        return np.zeros(0)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    last = np.repeat(time[starts + lengths - 1], lengths)
    weights = np.exp2((time - last) / half_life)
    return np.asarray(weights / np.repeat(np.add.reduceat(weights, starts), lengths))
