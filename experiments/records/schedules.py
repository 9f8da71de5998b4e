"""What the schedule of a switchback or on-off test must be, by itself and on a panel."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from experiments.records.experiment import Block, Experiment
from measurement.errors import did_you_mean, shown
from measurement.panel import Panel
from measurement.periods import last_day
from measurement.typing import Ints

type Fault = tuple[str, str, str]  # field, message, code

SCHEDULED = ("switchback", "on_off")


def markets(schedule: Sequence[Block]) -> dict[str, tuple[Block, ...]]:
    """The blocks of each market in order of time, under its geo; under "" where the whole market switches together."""
    ordered = sorted(schedule, key=lambda block: (block.geo, block.start, block.end))
    return {geo: tuple(blocks) for geo, blocks in groupby(ordered, key=lambda block: block.geo)}


def faults(record: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the schedule and burn-in of a record, its fields being sound one by one.

    Args:
        record: Fields by name; those left out are absent.
    """
    method, schedule = record.get("method"), record.get("schedule") or ()
    if method not in (None, *SCHEDULED):
        for name in ("schedule", "burn_in"):
            if record.get(name):
                yield name, f"is for switchback and on_off tests, and this is a {method}", "schedule"
        return
    if not schedule:
        if method == "switchback" and record.get("estimate") is None:
            words = "is missing; a switchback names its blocks, such as [{start, end, on}], and geo where geos switch"
            yield "schedule", f"{words} each by itself", "missing-field"
        return
    yield from _in_window(record, schedule)
    yield from _in_order(schedule)
    yield from _drawn(record, schedule)
    yield from _named(record, schedule)
    days = min((block.end - block.start).days + 1 for block in schedule)
    if (record.get("burn_in") or 0) >= days:
        words = f"is {record['burn_in']}, and the shortest block has {days} {'day' if days == 1 else 'days'}"
        yield "burn_in", f"{words}: nothing of it would be left to read", "burn-in"


def _in_window(record: Mapping[str, Any], schedule: Sequence[Block]) -> Iterator[Fault]:
    first, last = record.get("start_date"), record.get("cooldown_end_date") or record.get("end_date")
    for block in schedule:
        if (first and block.start < first) or (last and block.end > last):
            yield "schedule", f"the block from {block.start} to {block.end} lies outside the test", "schedule"
    states = {block.on for block in schedule}
    if len(states) == 1:
        word = "on" if states.pop() else "off"
        yield "schedule", f"is {word} in every block; a market must be on at times and off at times", "no-switch"


def _in_order(schedule: Sequence[Block]) -> Iterator[Fault]:
    for geo, blocks in markets(schedule).items():
        where = f" of geo '{shown(geo)}'" if geo else ""
        for one, next_one in pairwise(blocks):
            pair = f"the blocks{where} from {one.start} to {one.end} and from {next_one.start} to {next_one.end}"
            if next_one.start <= one.end:
                yield "schedule", f"{pair} overlap; a day is in one block", "overlapping-blocks"
            elif next_one.start > one.end + timedelta(days=1):
                words = f"{pair} leave a gap; say for every day between the first and the last block if it was on"
                yield "schedule", words, "gap-between-blocks"


def _drawn(record: Mapping[str, Any], schedule: Sequence[Block]) -> Iterator[Fault]:
    assignment = record.get("assignment")
    if assignment is None:
        return
    if assignment.rule == "near_best":
        words = "near_best draws a set of geos; a schedule is drawn by pairs (of neighbouring blocks) or uniform"
        yield "assignment", words, "assignment"
    for geo, blocks in markets(schedule).items():
        states = [block.on for block in blocks]
        if assignment.rule == "pairs" and (
            len(states) % 2 or any(a == b for a, b in zip(states[::2], states[1::2], strict=True))
        ):
            where = f"geo '{shown(geo)}'" if geo else "the market"
            words = f"was drawn within pairs, and {where} is not on in just one of every two neighbouring blocks"
            yield "assignment", f"{words} (keep two neighbours of one state as two blocks)", "assignment"
            return


def _named(record: Mapping[str, Any], schedule: Sequence[Block]) -> Iterator[Fault]:
    geos = {block.geo for block in schedule}
    if geos == {""}:
        return
    if "" in geos:
        yield "schedule", "names a geo for some blocks and none for others; name one for all, or for none", "schedule"
        return
    if record.get("method") == "on_off":
        words = "names geos, and an on_off test switches the whole market; where geos switch apart say switchback"
        yield "schedule", words, "schedule"
    treated = set(record.get("treatment_geos") or geos)
    for geo in sorted(geos ^ treated):
        words = "is in treatment_geos and has no blocks" if geo in treated else "has blocks and is no treatment geo"
        yield "schedule", f"geo '{shown(geo)}' {words}", "schedule-geos"
    for geo in sorted(geos & set(record.get("control_geos") or ())):
        yield "schedule", f"geo '{shown(geo)}' has blocks and is in control_geos too", "geo-in-both-arms"


def misplaced(test: Experiment, panel: Panel) -> Iterator[Fault]:
    """What keeps a schedule from being laid over a panel.

    Args:
        test: A record whose schedule is sound.
        panel: The data.
    """
    for geo, blocks in markets(test.schedule).items():
        if geo and geo not in panel.geos:
            words = f"unknown geo '{shown(geo)}'{did_you_mean(geo, panel.geos)}; the data have {len(panel.geos)} geos"
            yield "schedule", words, "unknown-geo"
        inside = laid(panel, blocks)
        lengths = np.bincount(inside[inside >= 0], minlength=len(blocks))
        at = int(lengths.argmin())
        block = blocks[at]
        what = f"the block from {block.start} to {block.end}{f' of geo {shown(geo)!r}' if geo else ''}"
        if lengths[at] == 0:
            yield "schedule", f"{what} holds no whole {panel.period} of the data", "block-too-short"
        elif lengths[at] <= (test.burn_in or 0):
            words = f"is {test.burn_in}, and {what} has {lengths[at]} {panel.period}(s): nothing is left to read"
            yield "burn_in", words, "burn-in"


def laid(panel: Panel, blocks: Sequence[Block]) -> Ints:
    """The block that holds each whole period, shape (periods,); -1 where none does.

    Args:
        panel: The data.
        blocks: Blocks of one market.
    """
    found = np.full(panel.dates.size, -1)
    last = np.array([last_day(day, panel.period) for day in panel.dates])
    for i, block in enumerate(blocks):
        inside = (panel.dates >= np.datetime64(block.start, "D")) & (last <= np.datetime64(block.end, "D"))
        found[inside] = i
    return found
