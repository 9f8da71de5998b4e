"""From raw events to clean ones: repeated events, bots, and touches of one session."""

import numpy as np

from attribution.events import CONVERSION, NO_USER, Clock, Events, Tally
from attribution.path_spec import PathSpec


def without_duplicates(events: Events, spec: PathSpec, tally: Tally) -> Events:
    """The events without those that equal another in every respect; all of them where ``spec`` keeps them."""
    at = np.flatnonzero((events.time[1:] == events.time[:-1]) & (events.user[1:] == events.user[:-1])) + 1
    user, kind, channel, value = (column[at] for column in (events.user, events.kind, events.channel, events.value))
    touch, before = kind != CONVERSION, events.value[at - 1]
    equal = (value == before) | (np.isnan(value) & np.isnan(before))
    same = kind == events.kind[at - 1]
    same &= np.where(touch, channel == events.channel[at - 1], equal & (user != NO_USER))
    tally.duplicate_touches = int((same & touch).sum())
    tally.duplicate_conversions = int(same.sum()) - tally.duplicate_touches
    if spec.duplicates == "keep" or not same.any():
        return events
    keep = np.ones(len(events), dtype=bool)
    keep[at[same]] = False
    return events.where(keep)


def without_bots(events: Events, spec: PathSpec, tally: Tally) -> Events:
    """The events without those of bots; all of them where ``spec`` keeps them."""
    first = np.flatnonzero(np.concatenate([[True], events.user[1:] != events.user[:-1]]))[: len(events)]
    if not first.size:
        return events
    size = np.diff(np.append(first, len(events)))
    tally.users = len(first) - int(events.user[0] == NO_USER)
    if size.max() <= spec.bot_touches:
        return events
    touches = np.add.reduceat((events.kind != CONVERSION).astype(np.int64), first)
    bots = touches > spec.bot_touches
    if not bots.any():
        return events
    tally.bot_users, tally.bot_touches = int(bots.sum()), int(touches[bots].sum())
    tally.bot_conversions = int(size[bots].sum()) - tally.bot_touches
    return events.where(np.repeat(~bots, size)) if spec.bots == "drop" else events


def one_per_session(events: Events, clock: Clock, spec: PathSpec, tally: Tally) -> Events:
    """The events with the first touch only of each session: a user's touches of one channel and kind, close in time."""
    touch = np.flatnonzero(events.kind != CONVERSION)
    if not spec.session_gap_minutes or not touch.size:
        return events
    user = np.cumsum(np.concatenate([[False], events.user[1:] != events.user[:-1]]))
    key = user[touch] << 17 | events.channel[touch].astype(np.int64) << 1 | events.kind[touch]
    order = np.argsort(key, kind="stable")
    time = events.time[touch][order]
    same = (np.diff(key[order]) == 0) & (np.diff(time) <= clock.minutes(spec.session_gap_minutes))
    tally.session_touches = int(same.sum())
    keep = np.ones(len(events), dtype=bool)
    keep[touch[order[1:][same]]] = False
    return events.where(keep)
