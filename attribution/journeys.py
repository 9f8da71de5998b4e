"""From sorted events to journeys: segments, lookbacks and cleaning on whole arrays, some million events at a time.

Events come sorted by user, time, then kind (touches before conversions at the same instant), then channel; so ties are
broken the same way whatever the order of the rows was. A *journey* is a user's touches up to and including

- a conversion (all conversions of a user at one instant belong to the same journey), or
- a silence longer than the longest lookback.

Its path holds the touches that were still within their own lookback at its end: the time of the conversion, or of the
last touch where there was none.
"""

from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from attribution import ages
from attribution.path_spec import SECONDS_PER_DAY, PathSpec
from attribution.users import GROUPS, added_up
from measurement.typing import Bools, Floats, Ints

CLICK, IMPRESSION, CONVERSION = 0, 1, 2
NO_USER = 0


@dataclass(frozen=True, slots=True)
class Clock:
    """How event times are counted, and where the log ends; all in ticks after ``origin``.

    Attributes:
        origin: Microseconds since 1970 of tick 0.
        tick: Microseconds per tick.
        log_end: The last tick of the log, stray clocks aside.
        first: First tick whose journeys count.
        last: Last tick whose journeys count.
    """

    origin: int
    tick: int
    log_end: int
    first: int
    last: int

    def days(self, days: float) -> int:
        """A number of days in ticks."""
        return int(days * SECONDS_PER_DAY * 1_000_000) // self.tick


@dataclass(frozen=True, slots=True)
class Events:
    """Events of whole users, sorted as the module says.

    Attributes:
        user: Identity, ``uint64``; 0 for conversions without a user.
        time: Ticks, ``int64``.
        kind: `CLICK`, `IMPRESSION` or `CONVERSION`.
        channel: Position of the channel's name; any number for a conversion.
        value: Money of a conversion, NaN elsewhere.
    """

    user: NDArray[np.uint64]
    time: Ints
    kind: NDArray[np.uint8]
    channel: NDArray[np.uint16]
    value: Floats

    def __len__(self) -> int:
        return len(self.time)

    def where(self, keep: Bools) -> "Events":
        """The events for which ``keep`` holds."""
        return Events(self.user[keep], self.time[keep], self.kind[keep], self.channel[keep], self.value[keep])


@dataclass(slots=True)
class Tally:
    """Counts of what was found on the way; sums over parts of the log are sums over the log.

    Attributes:
        users: Users with an event.
        duplicate_touches: Touches that repeat another in every respect.
        duplicate_conversions: Conversions that do.
        bot_users: Users beyond the limit of touches.
        bot_touches: Their touches.
        bot_conversions: Their conversions.
        journeys: Journeys with at least one touch in their path, within the period.
        expired: Touches older than their lookback when their journey ended.
        unfinished: Journeys that may still convert.
        unfinished_touches: Their touches.
        direct: Touches taken out by the rule for direct traffic.
        repeats: Touches taken out by collapsing repeats.
        timed: Above 0 where an event has a time of day other than midnight (UTC).
    """

    users: int = 0
    duplicate_touches: int = 0
    duplicate_conversions: int = 0
    bot_users: int = 0
    bot_touches: int = 0
    bot_conversions: int = 0
    journeys: int = 0
    expired: int = 0
    unfinished: int = 0
    unfinished_touches: int = 0
    direct: int = 0
    repeats: int = 0
    timed: int = 0

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Journeys:
    """Journeys of one part of the log; those that converted come first.

    Attributes:
        channel: Channel positions of all touches, journey after journey.
        lengths: Touches per journey, at least 1.
        converting: How many of the journeys converted.
        conversions: Conversions of each of them.
        value: Their money (0 where the log has none).
        decay: Weight of each touch of the converting journeys in time decay; 1 per journey in all.
        ages: Bin of the age of each touch of the converting journeys (`attribution.ages`).
        group: Group of the user of each journey (`attribution.users`).
        no_touch: Number and money of conversions before any touch by group, shape (2, groups).
        exposed: Cells, groups and counts of exposure (`attribution.users.Users`).
        tally: What was counted.
    """

    channel: NDArray[np.uint16]
    lengths: Ints
    converting: int
    conversions: Floats
    value: Floats
    decay: Floats
    ages: NDArray[np.uint8]
    group: NDArray[np.uint16]
    no_touch: Floats
    exposed: tuple[NDArray[np.int32], NDArray[np.uint16], Floats]
    tally: Tally = field(default_factory=Tally)


def build(events: Events, clock: Clock, spec: PathSpec, direct: Bools) -> Journeys:
    """Cut the events of whole users into journeys.

    Args:
        events: Sorted events.
        clock: The log's clock.
        spec: The choices.
        direct: Per channel position, whether it is direct traffic.
    """
    tally = Tally(timed=int(_timed(events.time[:1_000], clock) or _timed(events.time, clock)))
    events = _without_bots(_without_duplicates(events, spec, tally), spec, tally)
    if not len(events):
        return nothing(tally)
    starts, live = _segments(events, clock, spec)
    return _paths(events, starts, live, clock, spec, direct, tally)


def nothing(tally: Tally) -> Journeys:
    """No journeys."""
    none, places = np.zeros(0), np.zeros(0, np.uint16)
    exposed = added_up(np.zeros(0, np.int32), places)
    return Journeys(
        places,
        np.zeros(0, np.int64),
        0,
        none,
        none,
        none,
        np.zeros(0, np.uint8),
        places,
        np.zeros((2, GROUPS)),
        exposed,
        tally,
    )


def _timed(time: Ints, clock: Clock) -> bool:
    return bool(((clock.origin + time * clock.tick) % (SECONDS_PER_DAY * 1_000_000)).any())


def _without_duplicates(events: Events, spec: PathSpec, tally: Tally) -> Events:
    same = (np.diff(events.time) == 0) & (events.user[1:] == events.user[:-1]) & (events.kind[1:] == events.kind[:-1])
    touch = events.kind[1:] != CONVERSION
    value = events.value
    equal = (value[1:] == value[:-1]) | (np.isnan(value[1:]) & np.isnan(value[:-1]))
    same &= np.where(touch, events.channel[1:] == events.channel[:-1], equal & (events.user[1:] != NO_USER))
    tally.duplicate_touches = int((same & touch).sum())
    tally.duplicate_conversions = int(same.sum()) - tally.duplicate_touches
    if spec.duplicates == "keep" or not same.any():
        return events
    return events.where(np.concatenate([[True], ~same]))


def _without_bots(events: Events, spec: PathSpec, tally: Tally) -> Events:
    first = np.flatnonzero(np.concatenate([[True], events.user[1:] != events.user[:-1]]))[: len(events)]
    if not first.size:
        return events
    touches = np.add.reduceat((events.kind != CONVERSION).astype(np.int64), first)
    tally.users = len(first) - int(events.user[0] == NO_USER)
    bots = touches > spec.bot_touches
    if not bots.any():
        return events
    size = np.diff(np.append(first, len(events)))
    tally.bot_users, tally.bot_touches = int(bots.sum()), int(touches[bots].sum())
    tally.bot_conversions = int(size[bots].sum()) - tally.bot_touches
    return events.where(np.repeat(~bots, size)) if spec.bots == "drop" else events


def _segments(events: Events, clock: Clock, spec: PathSpec) -> tuple[Ints, Bools]:
    """First event of every journey, and which touches are within their lookback at its end."""
    conversion = events.kind == CONVERSION
    gap = np.diff(events.time)
    same_user = events.user[1:] == events.user[:-1]
    opens = np.ones(len(events), dtype=bool)
    same_instant = conversion[1:] & conversion[:-1] & (gap == 0)
    opens[1:] = ~same_user | (conversion[:-1] & ~same_instant) | (gap > clock.days(spec.lookback_days))
    lookback = np.array([clock.days(spec.click_lookback_days), clock.days(spec.impression_lookback_days), 0])
    starts = np.flatnonzero(opens)
    live = _live(events, starts, lookback)
    if lookback[0] != lookback[1]:
        # every touch of a journey may have expired before its conversion came: then the conversion stands alone
        touched = np.logical_or.reduceat(live, starts)
        stop = np.append(starts[1:], len(events))
        lone = conversion[stop - 1] & ~touched & ~conversion[starts]
        if lone.any():
            at = np.flatnonzero(conversion & np.repeat(lone, stop - starts))
            opens[at[np.concatenate([[True], np.diff(at) > 1])]] = True
            starts = np.flatnonzero(opens)
            live = _live(events, starts, lookback)
    return starts, live


def _live(events: Events, starts: Ints, lookback: Ints) -> Bools:
    stop = np.append(starts[1:], len(events))
    end = np.repeat(events.time[stop - 1], stop - starts)
    live: Bools = (end - events.time <= lookback[events.kind]) & (events.kind != CONVERSION)
    return live


def _paths(
    events: Events, starts: Ints, live: Bools, clock: Clock, spec: PathSpec, direct: Bools, tally: Tally
) -> Journeys:
    stop = np.append(starts[1:], len(events))
    size = stop - starts
    end = events.time[stop - 1]
    converts = events.kind[stop - 1] == CONVERSION
    followed = np.append(events.user[starts[1:]] == events.user[stop[:-1] - 1], False)
    counted = (end >= clock.first) & (end <= clock.last)
    open_ = counted & ~converts & ~followed & (clock.log_end - end < clock.days(spec.lookback_days))
    tally.unfinished, tally.unfinished_touches = int(open_.sum()), int(size[open_].sum())
    if spec.unfinished == "leave_out":
        counted &= ~open_
    touch = (events.kind != CONVERSION) & np.repeat(counted, size)
    at = np.flatnonzero(touch & live)
    tally.expired = int(touch.sum()) - len(at)
    number = np.repeat(np.arange(len(starts)), size)
    group = _groups(events.user[stop - 1], end)
    seen = np.flatnonzero((events.kind != CONVERSION) & np.repeat(counted | open_, size))
    seen = _by_choice(events.channel, seen, number, spec, direct, Tally())
    exposed = _exposed(events, seen, np.where(converts, end, clock.log_end)[number[seen]], clock, spec)
    at = _by_choice(events.channel, at, number, spec, direct, tally)
    lengths = np.bincount(number[at], minlength=len(starts))
    tally.journeys = int((lengths > 0).sum())

    sale = np.flatnonzero(events.kind == CONVERSION)
    money = np.nan_to_num(events.value[sale])
    conversions, value = (np.bincount(number[sale], each, len(starts)) for each in (None, money))
    alone = counted & converts & (lengths == 0)
    won = counted & converts & (lengths > 0)
    lost = counted & ~converts & (lengths > 0)
    first = at[won[number[at]]]
    age = np.repeat(end[won], lengths[won]) - events.time[first]
    return Journeys(
        channel=np.concatenate([events.channel[first], events.channel[at[lost[number[at]]]]]),
        lengths=np.concatenate([lengths[won], lengths[lost]]),
        converting=int(won.sum()),
        conversions=conversions[won],
        value=value[won],
        decay=_decay(events.time[first], lengths[won], clock.days(spec.half_life_days)),
        ages=ages.bins(age, clock.tick),
        group=np.concatenate([group[won], group[lost]]),
        no_touch=np.stack([np.bincount(group[alone], each[alone], GROUPS) for each in (conversions, value)]),
        exposed=added_up(exposed, group[number[seen]]),
        tally=tally,
    )


def _groups(user: NDArray[np.uint64], end: Ints) -> NDArray[np.uint16]:
    """The group of each journey's user; conversions without a user are dealt by their time."""
    nobody = (end.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return (np.where(user == NO_USER, nobody, user) % np.uint64(GROUPS)).astype(np.uint16)


def _exposed(events: Events, at: Ints, until: Ints, clock: Clock, spec: PathSpec) -> NDArray[np.int32]:
    """The cell of exposure of each touch: its channel, and how long it could have led to a conversion."""
    lookback = np.array([clock.days(spec.click_lookback_days), clock.days(spec.impression_lookback_days)])
    spell = np.minimum(until - events.time[at], lookback[events.kind[at]])
    return events.channel[at].astype(np.int32) * ages.BINS + ages.bins(spell, clock.tick)


def _by_choice(
    channel: NDArray[np.uint16], at: Ints, number: Ints, spec: PathSpec, direct: Bools, tally: Tally
) -> Ints:
    """Positions of the touches that the rules for direct traffic and for repeats leave."""
    if spec.direct == "drop_unless_only" and direct.any():
        others = np.bincount(number[at], weights=~direct[channel[at]], minlength=int(number[-1]) + 1) > 0
        out = direct[channel[at]] & others[number[at]]
        tally.direct = int(out.sum())
        at = at[~out]
    if spec.repeats == "collapse":
        out = np.append((np.diff(channel[at].astype(np.int64)) == 0) & (np.diff(number[at]) == 0), False)
        tally.repeats = int(out.sum())
        at = at[~out[: len(at)]]
    return at


def _decay(time: Ints, lengths: Ints, half_life: int) -> Floats:
    """Weights ``2 ** (-age / half_life)``, brought to sum 1 in each journey.

    Ages are taken from the journey's last touch: the age of that touch itself cancels, and nothing underflows.
    """
    if not lengths.size:
        return np.zeros(0)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    last = np.repeat(time[starts + lengths - 1], lengths)
    weights = np.exp2((time - last) / half_life)
    return np.asarray(weights / np.repeat(np.add.reduceat(weights, starts), lengths))
