"""From sorted events to journeys: segments, lookbacks and cleaning on whole arrays, some million events at a time.

Events come sorted by user, time, then kind (touches before conversions at the same instant), then channel; so ties are
broken the same way whatever the order of the rows was. A *journey* is a user's touches up to and including

- a conversion (all conversions of a user at one instant belong to the same journey), or
- a silence longer than the longest lookback.

Its path holds the touches that were still within their own lookback at its end: the time of the conversion, or of the
last touch where there was none. Where conversions do not reset the path (``after_conversion = reuse``) it holds all
such touches of the user, also those that earlier journeys counted.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from attribution import ages
from attribution.cleaning import one_per_session, without_bots, without_duplicates
from attribution.events import CONVERSION, NO_USER, Clock, Events, Tally
from attribution.path_spec import SECONDS_PER_DAY, PathSpec
from attribution.touches import by_choice, decay, exposed, in_reach, numbers
from attribution.users import GROUPS, code_of
from measurement.typing import Bools, Floats, Ints


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
        kinds: Kind of each of these touches.
        group: Group of the user of each journey (`attribution.users`).
        no_touch: Number and money of conversions before any touch by group, shape (2, groups).
        watched: Seconds for which users were watched, by group (`attribution.users.Users`, as the next three).
        alone: Conversions before any touch, of somebody.
        entered: Those with which users came into the log.
        exposed: Cell of exposure and group of each touch in one number (`attribution.users.code_of`).
        tally: What was counted.
    """

    channel: NDArray[np.uint16]
    lengths: Ints
    converting: int
    conversions: Floats
    value: Floats
    decay: Floats
    ages: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    group: NDArray[np.uint16]
    no_touch: Floats
    watched: Floats
    alone: Floats
    entered: Floats
    exposed: Ints
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
    events = without_bots(without_duplicates(events, spec, tally), spec, tally)
    events = one_per_session(events, clock, spec, tally)
    if not len(events):
        return nothing(tally)
    starts, at, number = _segments(events, clock, spec, tally)
    return _paths(events, (starts, at, number), clock, spec, direct, tally)


def nothing(tally: Tally) -> Journeys:
    """No journeys."""
    none, places = np.zeros(0), np.zeros(0, np.uint16)
    return Journeys(
        places,
        np.zeros(0, np.int64),
        0,
        none,
        none,
        none,
        np.zeros(0, np.uint8),
        np.zeros(0, np.uint8),
        places,
        np.zeros((2, GROUPS)),
        np.zeros(GROUPS),
        np.zeros(GROUPS),
        np.zeros(GROUPS),
        np.zeros(0, np.int64),
        tally,
    )


def _timed(time: Ints, clock: Clock) -> bool:
    return bool(((clock.origin + time * clock.tick) % (SECONDS_PER_DAY * 1_000_000)).any())


def _segments(events: Events, clock: Clock, spec: PathSpec, tally: Tally) -> tuple[Ints, Ints, Ints]:
    """First event of every journey; the touches within their lookback at its end, and the journey of each."""
    conversion = events.kind == CONVERSION
    gap = np.diff(events.time)
    opens = np.ones(len(events), dtype=bool)
    opens[1:] = (events.user[1:] != events.user[:-1]) | (gap > clock.days(spec.lookback_days))
    sale = np.flatnonzero(conversion[:-1])
    again, pause = conversion[sale + 1], gap[sale]
    after = (events.user[sale] == events.user[sale + 1]) & ~again
    tally.just_after = int((after & (pause <= clock.minutes(1))).sum())
    opens[sale[~again | (pause != 0)] + 1] = True
    starts = np.flatnonzero(opens)
    at, number = in_reach(events, starts, clock, spec)
    if spec.click_days != spec.impression_days:
        # every touch of a journey may have expired before its conversion came: then the conversion stands alone
        touched = np.bincount(number, minlength=len(starts)) > 0
        stop = np.append(starts[1:], len(events))
        lone = conversion[stop - 1] & ~touched & ~conversion[starts]
        if lone.any():
            sale = np.flatnonzero(conversion & np.repeat(lone, stop - starts))
            opens[sale[np.concatenate([[True], np.diff(sale) > 1])]] = True
            starts = np.flatnonzero(opens)
            at, number = in_reach(events, starts, clock, spec)
    return starts, at, number


def _paths(
    events: Events, cut: tuple[Ints, Ints, Ints], clock: Clock, spec: PathSpec, direct: Bools, tally: Tally
) -> Journeys:
    starts, at, owner = cut
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
    number = numbers(starts, len(events))
    group = _groups(events.user[stop - 1], end * clock.tick)
    sale = np.flatnonzero(events.kind == CONVERSION)
    touches = size - np.bincount(number[sale], minlength=len(starts))
    seen = np.flatnonzero((events.kind != CONVERSION) & (counted | open_)[number])
    kept = np.flatnonzero(counted[owner])
    at, owner = at[kept], owner[kept]
    tally.expired = int(touches[counted].sum()) - int((at >= starts[owner]).sum())
    last = np.flatnonzero(converts[owner])
    tally.same_instant = int((events.time[at[last]] == end[owner[last]]).sum())
    # a touch that is used again can lead to a conversion after the one it led to
    until = np.where(converts & (spec.after_conversion == "reset"), end, clock.log_end)
    seen, journey = by_choice(events.channel, seen, number[seen], spec, direct, Tally())
    cell = exposed(events, seen, until[journey], clock, spec)
    at, owner = by_choice(events.channel, at, owner, spec, direct, tally)
    lengths = np.bincount(owner, minlength=len(starts))
    tally.journeys = int((lengths > 0).sum())

    money = np.nan_to_num(events.value[sale])
    conversions, value = (np.bincount(number[sale], each, len(starts)) for each in (None, money))
    alone = counted & converts & (lengths == 0)
    won = counted & converts & (lengths > 0)
    lost = counted & ~converts & (lengths > 0)
    user = events.user[starts]
    opens = np.concatenate([[True], user[1:] != user[:-1]]) & (user != NO_USER)
    somebody, entered = alone & (user != NO_USER), alone & opens
    before, rest = (np.flatnonzero(each[owner]) for each in (won, lost))
    first = at[before]
    age = end[owner[before]] - events.time[first]
    return Journeys(
        channel=np.concatenate([events.channel[first], events.channel[at[rest]]]),
        lengths=np.concatenate([lengths[won], lengths[lost]]),
        converting=int(won.sum()),
        conversions=conversions[won],
        value=value[won],
        decay=decay(events.time[first], lengths[won], clock.days(spec.half_life_days)),
        ages=ages.bins(age, clock.tick),
        kinds=events.kind[first],
        group=np.concatenate([group[won], group[lost]]),
        no_touch=np.stack([np.bincount(group[alone], each[alone], GROUPS) for each in (conversions, value)]),
        watched=np.bincount(group[opens], clock.watched(events.time[starts[opens]]), GROUPS),
        alone=np.bincount(group[somebody], conversions[somebody], GROUPS),
        entered=np.bincount(group[entered], conversions[entered], GROUPS),
        exposed=code_of(cell, group[journey]),
        tally=tally,
    )


def _groups(user: NDArray[np.uint64], end: Ints) -> NDArray[np.uint16]:
    """The group of each journey's user; conversions without a user are dealt by their time."""
    nobody = (end.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return (np.where(user == NO_USER, nobody, user) % np.uint64(GROUPS)).astype(np.uint16)
