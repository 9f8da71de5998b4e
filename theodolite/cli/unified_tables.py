"""The unified view as tables for people."""

from itertools import groupby
from typing import TYPE_CHECKING

from calibration.verdict import FARTHEST, NAMES
from theodolite.cli import output

if TYPE_CHECKING:
    from calibration.parts import Tipping
    from calibration.view import ChannelView, View

SOURCES = ("mmm", "experiments", "attribution")


def unified(view: "View") -> None:
    """The unified view: one row per channel, what to do, what each number rests on, and where the methods differ."""
    found = view.to_dict()
    rows = []
    for channel in found["channels"]:
        sources = channel["sources"]
        rows.append(
            [
                channel["channel"],
                f"{channel['spend']:,.0f}",
                output.interval(sources["mmm"]),
                output.interval(sources["experiments"]),
                output.interval(sources["attribution"].get(view.primary)),
                output.interval(channel["iroas"]),
                channel["state"].split(":")[0],
            ]
        )
    credit = f"attribution, {view.primary}" if view.primary else "attribution"
    columns = ["channel", f"spend, {view.currency}", "MMM alone", "lift tests", credit, "unified", "the methods"]
    output.table(f"iROAS, {view.window[0]} to {view.window[1]} (median and 90 % interval)", columns, rows)
    output.say(f"Break-even is {view.break_even:.2f}. What the next unit of money should do:")
    for entry in view.channels:
        output.say(f"  {entry.channel}: {entry.action}")
    _rests_on(view)
    apart = [entry for entry in view.channels if entry.state in ("differ, action changes", "stale")]
    if apart:
        output.say("Where it matters which method is believed:")
        for entry in apart:
            output.say(f"  {entry.channel}: {entry.reason}")
    tests = [name for name in found["derived_from"] if not name.startswith(("data:", "fit:", "paths:"))]
    output.say(f"Tests inside, each counted once: {', '.join(tests) or 'none'}. Seed {found['seed']}.")
    for note in view.notes:
        output.say(note)
    if not found["converged"]:
        output.say("NOT converged: do not decide on these numbers.", "bold red")


def _rests_on(view: "View") -> None:
    """What each number follows, what it would be without each method, and how wrong one would have to be."""
    heard = [source for source in SOURCES if any(source in entry.without for entry in view.channels)]
    rows = [
        [
            entry.channel,
            " ".join(f"{entry.weights.get(source, 0.0):.0%}" for source in heard),
            *(_without(entry, source) for source in heard),
        ]
        for entry in view.channels
        if entry.without
    ]
    if rows:
        follows = f"follows {', '.join(NAMES[source].removeprefix('the ') for source in heard)}"
        columns = ["channel", follows, *(f"without {NAMES[source]}" for source in heard)]
        output.table("What the unified iROAS rests on", columns, rows)
        output.say(f"The money would move otherwise if (errors up to {FARTHEST:.0f} times):")
        for entry in view.channels:
            if entry.tipping:
                words = "; or ".join(in_words(source, tip) for source, tip in entry.tipping.items())
                output.say(f"  {entry.channel}: {words}")


def _without(entry: "ChannelView", source: str) -> str:
    rest = entry.without.get(source)
    return "–" if rest is None else f"{output.interval(rest.iroas.to_dict())} {rest.action}"


def in_words(source: str, tip: "Tipping") -> str:
    """What it would take for an action to change, in words."""
    how, factor = "much" if tip.overstates > 1 else "little", max(tip.overstates, 1 / tip.overstates)
    size = f"{factor:.1f} times" if factor >= 1.5 else f"{factor - 1:.0%}"
    return f"{NAMES[source]} says {size} too {how} (then {tip.becomes})"


def cells(view: "View") -> None:
    """The channels by month or quarter, and by market where asked for."""
    columns = ["channel", "market", "from", f"spend, {view.currency}", "unified iROAS", "chance above break-even"]
    rows = [
        [
            channel if i == 0 else "",
            cell.market or "all",
            cell.start,
            f"{cell.spend:,.0f}",
            output.interval(None if cell.iroas is None else cell.iroas.to_dict()),
            "–" if cell.above_break_even is None else f"{cell.above_break_even:.0%}",
        ]
        for channel, own in groupby(view.cells, key=lambda cell: cell.channel)
        for i, cell in enumerate(own)
    ]
    output.table("By period and market (median and 90 % interval)", columns, rows)
