"""Overview: the unified view in one table and one picture, what needs attention, what changed since the last view."""

import math
from collections.abc import Iterator

from measurement.errors import DataError, shown
from theodolite.app.blocks import Choice, Part, Reminder, Reminders, View
from theodolite.app.pages import plan_against
from theodolite.app.pages.ask import (
    Ask,
    channel_link,
    decision_link,
    kept_parts,
    link,
    linked,
    not_yet,
    notice,
    plan_link,
    state_of,
    study_name,
    test_link,
    today,
    work,
)
from theodolite.attention import SETTLED_BY_NO_TEST, Item, items
from theodolite.changes import Change, Changes, between, since
from theodolite.report import decide, hangs, understand
from theodolite.report.cells import joined, names, quantity
from theodolite.report.material import Material
from theodolite.report.page import Cell, Column, Name, Prose, TableBlock, Text
from theodolite.report.words import NOTHING, listed, percent

TESTS = {
    "in_review": "Approve it or send it back",
    "completed": "Analyse it",
    "analysed": "Accept or reject it",
    "approved": "Say that it has begun",
    "running": "Say how it went",
}


def view(ask: Ask) -> View:
    """The page."""
    reading, state = ask.reading, state_of(ask.reading)
    if state != "ready":
        return View(study_name(reading), parts=(Part("start", blocks=(not_yet(ask, state),)), _attention(ask, None)))
    material = reading.material()
    first, last = material.view.window
    channels = {channel.channel: channel_link(channel.channel) for channel in material.view.channels}
    told = kept_parts(ask, "overview", reading.numbers, lambda: _told(material, channels))
    return View(
        study_name(reading),
        f"What advertising brings, {first} to {last} · {material.markets} · {material.currency}",
        (
            _attention(ask, material),
            *told[:2],
            _changed(ask, channels),
            *told[2:],
        ),
        notice(material),
        work(ask, ("Bring the sources together again", "reconcile"), strong=False),
    )


def _told(material: Material, to: dict[str, str]) -> Iterator[Part]:
    more = (found for found in hangs.sections(material) if found.id == "hangs")
    told = (decide.change_section, decide.unified_section, understand.sources_section)
    for found in (*(section(material) for section in told), *more):
        yield Part(found.id, found.title, found.lead, tuple(linked(block, to) for block in found.blocks))


# -- what needs attention ---------------------------------------------------------------------------------------------


def _attention(ask: Ask, material: Material | None) -> Part:
    reading, ranked = ask.reading, ask.reading.next_tests_kept()
    found = items(
        None if material is None else material.view,
        None if material is None else material.diagnosis.converged,
        reading.check(),
        reading.tests(),
        today(),
        reading.decisions(),
        reading.plan_states(),
        None if ranked is None else ranked.pays,
    )
    reminders = [*_alerts(ask), *(_reminder(ask, item) for item in found)]
    if not reminders:
        fit = "data, fit, tests" if material is not None else "but for the missing numbers, data, tests"
        return Part("attention", "What needs attention", f"Nothing: {fit}, plans and decisions are in order.")
    return Part("attention", "What needs attention", blocks=(Reminders(tuple(reminders)),))


def _alerts(ask: Ask) -> list[Reminder]:
    """Committed plans that are off by more than a fifth and outside their interval."""
    states, reminders = ask.reading.plan_states(), []
    for plan in ask.reading.plans():
        if states[plan.name].state != "committed":
            continue
        found, _ = plan_against.came_of(ask, plan)
        if found is not None and found.alert:
            words = joined("The plan ", (Name(plan.name),), f": {lowered(plan_against.judged(found))}")
            reminders.append(Reminder(words, "See why", f"{plan_link(plan.name)}#came", "caution"))
    return reminders


def lowered(words: str) -> str:
    """A sentence that goes on after a colon."""
    return words[:1].lower() + words[1:]


def _reminder(ask: Ask, item: Item) -> Reminder:
    label, place = _place(item)
    subject: Text = (Name(item.subject),) if item.subject else ""
    if item.kind == "decision":
        told = next(each.decision.what for each in ask.reading.decisions() if each.id == item.subject)
        subject = joined("The decision “", (Name(told),), "”")
    elif item.kind == "plan":
        subject = joined("The plan ", subject)
    words: Text = joined(subject, f" {item.words}") if item.subject else item.words
    return Reminder(words, label, place, "caution" if item.pressing else "plain")


def _place(item: Item) -> tuple[str, str]:
    """Where an item is dealt with."""
    match item.kind, item.state:
        case "channel", "conflict, withheld":
            return "Decide whom to believe", f"{channel_link(item.subject)}#conflict"
        case "channel", state if state == SETTLED_BY_NO_TEST:
            return "See who says what", channel_link(item.subject)
        case "channel", _:
            return "See what to test", "/next-tests"
        case "test", state:
            return TESTS.get(state, "Say how it went"), f"{test_link(item.subject)}#next"
        case "decision", _:
            return "Say what came", f"{decision_link(item.subject)}#next"
        case "plan", state:
            return "Commit to it" if state == "approved" else "Approve it", f"{plan_link(item.subject)}#next"
        case "fit", _:
            return "See the model", "/model"
        case _:
            return "See the data", "/data"


# -- what changed -----------------------------------------------------------------------------------------------------


def _changed(ask: Ask, to: dict[str, str]) -> Part:
    title, views = "What changed", ask.reading.views()
    if len(views) < 2:
        words = "This is the first unified view. Once there is another, both stand here beside each other."
        return Part("changes", title, words)
    at, (_, later) = _compared(ask, [when for when, _ in views]), views[-1]
    made, earlier = views[at]
    found = between(earlier, later)
    columns = (
        Column("Channel"),
        Column("Before", f"iROAS, {made[:10]}", True),
        Column("Now", f"iROAS, {views[-1][0][:10]}", True),
        Column("Change", "of the median", True),
        Column("Advice", wide=True),
    )
    table = TableBlock(columns, tuple(map(_change_row, found.channels)), "", "changes.csv")
    lead: Text = "No channel left its earlier 90 % interval: what moved, moved within what was known before."
    if outside := [change.channel for change in found.channels if change.outside]:
        lead = joined("Outside the earlier 90 % interval now: ", names(outside), ".")
    links = tuple(
        (f"since {when[:16].replace('T', ' ')}", _since(i), i == at) for i, (when, _) in enumerate(views[:-1])
    )
    chooser: tuple[Choice, ...] = (Choice("Views to compare with", links[::-1]),) if len(links) > 1 else ()
    why = _why(found)
    return Part("changes", title, lead, (*chooser, linked(table, to), *((Prose((why,), "muted"),) if why else ())))


def _compared(ask: Ask, times: list[str]) -> int:
    """The position of the view that the last one is held against: last month's, or the one that is asked for."""
    text = ask.query.get("since", "")
    if not text:
        return since(times)
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) < len(times) - 1):
        raise DataError(f"since: found '{shown(text)}', expected a view from 0 to {len(times) - 2}")
    return int(text)


def _since(position: int) -> str:
    return link("/", since=str(position)) + "#changes"


def _why(found: Changes) -> str:
    """What went into the later view and not into the earlier, in words."""
    said = []
    for words, inputs in (("New", found.added), ("No longer", found.removed)):
        tests = [item for item in inputs if ":" not in item]
        if tests:
            said.append(f"{words} in it: {'the test' if len(tests) == 1 else 'the tests'} {listed(tests)}.")
    kinds = {item.partition(":")[0] for item in found.added if ":" in item}
    made = [word for kind, word in (("data", "data"), ("fit", "fits"), ("paths", "journeys")) if kind in kinds]
    if made:
        said.append(f"It rests on new {listed(made)}.")
    return " ".join(said)


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
