"""Overview: the unified view in one table and one picture, what needs attention, what changed since the last view."""

import math
from datetime import date

from measurement.store import utc_now
from theodolite.app.blocks import Part, Reminder, Reminders, View
from theodolite.app.pages.ask import (
    Ask,
    channel_link,
    linked,
    not_yet,
    notice,
    state_of,
    study_name,
    test_link,
    work,
)
from theodolite.attention import Item, items
from theodolite.changes import Change, between
from theodolite.report import decide, understand
from theodolite.report.cells import joined, quantity
from theodolite.report.material import Material
from theodolite.report.page import Block, Cell, Column, Name, Prose, TableBlock, Text
from theodolite.report.words import NOTHING, percent

PLACES = {"data": ("See the data", "/data"), "fit": ("See the model", "/model")}


def view(ask: Ask) -> View:
    """The page."""
    reading, state = ask.reading, state_of(ask.reading)
    if state != "ready":
        return View(study_name(reading), parts=(Part("start", blocks=(not_yet(ask, state),)), _attention(ask, None)))
    material = reading.material()
    first, last = material.view.window
    channels = {channel.channel: channel_link(channel.channel) for channel in material.view.channels}
    unified, change = decide.unified_section(material), decide.change_section(material)
    return View(
        study_name(reading),
        f"What advertising brings, {first} to {last} · {material.markets} · {material.currency}",
        (
            _attention(ask, material),
            _with_links(Part.of(change), channels),
            _with_links(Part.of(unified), channels),
            Part.of(understand.sources_section(material)),
            _changed(ask, channels),
        ),
        notice(material),
        work(ask, ("Bring the sources together again", "reconcile"), strong=False),
    )


def _with_links(part: Part, to: dict[str, str]) -> Part:
    return Part(part.id, part.title, part.lead, tuple(linked(block, to) for block in part.blocks))


# -- what needs attention ---------------------------------------------------------------------------------------------


def _attention(ask: Ask, material: Material | None) -> Part:
    reading = ask.reading
    found = items(
        None if material is None else material.view,
        None if material is None else material.diagnosis.converged,
        reading.check(),
        reading.tests(),
        today(),
    )
    if not found:
        return Part("attention", "What needs attention", "Nothing: data, fit and tests are in order.")
    return Part("attention", "What needs attention", blocks=(Reminders(tuple(map(_reminder, found))),))


def _reminder(item: Item) -> Reminder:
    label, place = PLACES.get(item.kind, ("", ""))
    if item.kind == "channel":
        label, place = "See the channel", channel_link(item.subject)
    elif item.kind == "test":
        label, place = "See the test", test_link(item.subject)
    words: Text = joined((Name(item.subject),), f" {item.words}") if item.subject else item.words
    return Reminder(words, label, place, "caution" if item.pressing else "plain")


def today() -> date:
    """The day, in UTC."""
    return utc_now().date()


# -- what changed -----------------------------------------------------------------------------------------------------


def _changed(ask: Ask, to: dict[str, str]) -> Part:
    title, views = "What changed since the last view", ask.reading.views()
    if len(views) < 2:
        words = "This is the first unified view. Once there is another, both stand here beside each other."
        return Part("changes", title, words)
    (before, earlier), (_, later) = views[-2:]
    found = between(earlier, later)
    columns = (
        Column("Channel"),
        Column("Before", f"iROAS, {before[:10]}", True),
        Column("Now", "iROAS", True),
        Column("Change", "of the median", True),
        Column("Advice", wide=True),
    )
    table = TableBlock(columns, tuple(map(_change_row, found.channels)), "", "changes.csv")
    outside = [change.channel for change in found.channels if change.outside]
    lead: Text = "No channel left its earlier 90 % interval: what moved, moved within what was known before."
    if outside:
        names = ", ".join(outside)
        lead = joined("Outside the earlier 90 % interval now: ", (Name(names),), ".")
    inputs = [
        *(f"New in this view: {_short(item)}." for item in found.added),
        *(f"No longer in it: {_short(item)}." for item in found.removed),
    ]
    more: tuple[Block, ...] = (Prose(tuple(inputs), "muted"),) if inputs else ()
    return Part("changes", title, lead, (linked(table, to), *more))


def _short(item: str) -> str:
    """An id, or the beginning of a hash."""
    return item if len(item) <= 48 else f"{item[:24]}…"


def _change_row(change: Change) -> tuple[Cell, ...]:
    moved = change.moved
    same = change.action_before == change.action_now
    return (
        Cell(change.channel),
        quantity(change.before, "none"),
        quantity(change.now, "withheld"),
        Cell(NOTHING, tone="muted")
        if math.isnan(moved)
        else Cell(
            f"{'+' if moved > 0 else ''}{percent(moved)}", value=moved, tone="caution" if change.outside else "plain"
        ),
        Cell("as before" if same else change.action_now, detail="" if same else f"before: {change.action_before}"),
    )
