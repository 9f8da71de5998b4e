"""Channel: everything known about one channel, source by source."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from attribution.labels import label
from calibration import charts
from calibration.quantity import Quantity
from calibration.view import ChannelView
from measurement import charts as drawn
from measurement.errors import DataError, did_you_mean, shown
from measurement.typing import Json
from theodolite.app.blocks import Actions, Button, Choice, Part, View
from theodolite.app.pages import conflict
from theodolite.app.pages.ask import (
    Ask,
    channel_link,
    kept_parts,
    link,
    linked,
    not_yet,
    notice,
    state_of,
    test_link,
)
from theodolite.plan_texts import quoted
from theodolite.report import compare, hangs
from theodolite.report.cells import ADVICE, STATES, STEP, advice, quantity, scale, step
from theodolite.report.material import Material
from theodolite.report.page import (
    Cell,
    ChartBlock,
    Column,
    Fact,
    Facts,
    Name,
    TableBlock,
    Tone,
)
from theodolite.report.words import NOTHING, chance, money, percent, ratio, span

SOURCES = {
    "unified": ("Unified", "iROAS"),
    "mmm_calibrated": ("Model with tests", "iROAS"),
    "mmm": ("Model without tests", "iROAS"),
    "experiments": ("Lift tests alone", "iROAS"),
    "attribution": ("Attribution", "ROAS"),
    "platform": ("As the platform reports", "ROAS"),
}

ON_THEIR_WAY = ("draft", "in_review", "approved", "running", "completed", "analysed")
"""States of tests that do not count yet."""


def view(ask: Ask) -> View:
    """The page; of the channel with most spend where none is named."""
    state = state_of(ask.reading)
    if state != "ready":
        return View("Channels", parts=(Part("start", blocks=(not_yet(ask, state),)),))
    m = ask.reading.material()
    found = _chosen(ask, m)
    links = tuple((c.channel, channel_link(c.channel), c is found) for c in m.view.channels)
    first, last = m.view.window
    name, version = ("channel", found.channel), ask.reading.numbers
    *sources, curve, tests, credit = kept_parts(ask, name, version, lambda: _told(found, m))
    return View(
        (Name(found.channel),),
        f"{first} to {last} · {m.markets} · {m.currency}",
        (
            Part("choice", blocks=(Choice("Channels", links),)),
            _answer(ask, found, m),
            *conflict.part(ask, found, m),
            *sources,
            curve,
            _with_planned(tests, ask, found),
            credit,
            _history(found, ask),
        ),
        notice(m),
    )


def _told(c: ChannelView, m: Material) -> tuple[Part, ...]:
    return (_sources(c, m), *_hangs(c, m), _curve(c, m), _tests(c, m), _attribution(c, m))


def _chosen(ask: Ask, m: Material) -> ChannelView:
    name = ask.query.get("name")
    if name is None:
        return max(m.view.channels, key=lambda c: c.spend)
    known = {c.channel: c for c in m.view.channels}
    if name not in known:
        raise DataError(f"the study has no channel '{shown(name)}'{did_you_mean(name, known)}")
    return known[name]


def _answer(ask: Ask, c: ChannelView, m: Material) -> Part:
    words, tone = ADVICE[advice(c, m.view.break_even)]
    per_period = c.spend / m.periods
    pays = None if c.next_above_break_even is None else chance(c.next_above_break_even)
    facts = Facts(
        (
            Fact("Spend", money(c.spend, m.currency), f"{money(per_period, m.currency)} a {m.period}"),
            Fact("Unified iROAS", *_figure(c.iroas, m.ratio_unit)),
            Fact("The next unit brings", *_figure(c.mroas, f"break-even at {ratio(m.view.break_even)}")),
            Fact("Advice", words, f"chance that the next unit pays: {pays}" if pays else "", _fact_tone(tone)),
            Fact("How the sources stand", STATES[c.state], c.reason, _fact_tone(_state_tone(c))),
        )
    )
    buttons = _decisions(ask, c, m)
    lead = c.action[:1].upper() + c.action[1:] + ("." if c.action else "")
    return Part("answer", "In short", lead, (facts, *((Actions(buttons),) if buttons else ())))


def _decisions(ask: Ask, c: ChannelView, m: Material) -> tuple[Button, ...]:
    """The ways on from here: a decision with the advised step filled in, a test."""
    if not ask.edits:
        return ()
    if advice(c, m.view.break_even) == "test first" or c.state == "stale":
        return (Button("See what to test next", "/next-tests"),)
    planned = step(c, m)
    if planned is None:
        return ()
    verb, less = ("Raise", "more") if planned.spend > 0 else ("Cut", "less")
    amount = money(abs(planned.spend), m.currency)
    filled = {
        "what": f"{verb} {c.channel} by {percent(STEP)} ({amount} {less} a {m.period})",
        "metric": f"revenue of {c.channel}, {m.currency} a {m.period}",
        "expected": f"{planned.revenue.median:.0f}",
        "low": f"{planned.revenue.low:.0f}",
        "high": f"{planned.revenue.high:.0f}",
        "channels": quoted(c.channel),
    }
    return (Button("Record a decision on it", link("/decisions", **filled) + "#record"),)


def _figure(q: Quantity | None, words: str) -> tuple[str, str]:
    cell = quantity(q, "withheld")
    return cell.text, f"{cell.detail}; {words}" if cell.detail else words


def _fact_tone(tone: Tone) -> Tone:
    return tone if tone in ("good", "caution") else "plain"


def _state_tone(c: ChannelView) -> Tone:
    return "caution" if c.state == "conflict, withheld" else "plain"


def _sources(c: ChannelView, m: Material) -> Part:
    frame = m.view.to_frame()
    own = frame[frame["channel"] == c.channel]
    forest = ChartBlock(
        charts.forest(own, m.view.break_even, {k: v for k, v in m.truth.items() if k == c.channel} or None).to_dict(
            validate=False
        ),
        title="What every source says",
        caption="Each row is a source with its 90 % interval; the thick one is the unified view. Dashed: break-even. "
        f"Of attribution every model is a point.{m.caveat}",
        height=220,
        file="sources.csv",
    )
    return Part("sources", "Every source", blocks=(forest, _source_table(c, m)))


def _source_table(c: ChannelView, m: Material) -> TableBlock:
    found = list(c.sources())
    columns = (
        Column("Source"),
        Column("What it is"),
        Column("Says", m.ratio_unit, True, scale(q for _, _, q in found), m.view.break_even),
        Column("Weight", "in the unified number", True),
    )
    rows = []
    for source, model, q in found:
        name, what = SOURCES[source]
        weighs = source in c.weights and (source != "attribution" or model == m.view.primary)
        share = c.weights[source] if weighs else None
        rows.append(
            (
                Cell(name, detail=label(model)),
                Cell(what),
                quantity(q, ranged=True),
                Cell(NOTHING, tone="muted") if share is None else Cell(percent(share), value=share),
            )
        )
    rest = c.weights.get("prior")
    caption = "iROAS counts what the spend caused; ROAS counts buyers who had seen the ad, caused by it or not. "
    if rest is not None:
        caption += (
            f"The other {percent(rest)} of the weight come from other channels and from what was believed before."
        )
    return TableBlock(columns, tuple(rows), caption, "sources-table.csv")


def _hangs(c: ChannelView, m: Material) -> tuple[Part, ...]:
    """What the channel's number hangs on, when and where it paid, and its campaigns."""
    alone = replace(m, view=hangs.of_channel(m.view, c.channel))
    return tuple(map(Part.of, hangs.sections(alone)))


def _curve(c: ChannelView, m: Material) -> Part:
    curves, now = m.frames.curves, m.frames.now
    own, dot = curves[curves["channel"] == c.channel], now[now["channel"] == c.channel]
    low, middle, high = m.frames.half_life[c.channel]
    chart = ChartBlock(
        drawn.response_curves(own, dot, m.currency).to_dict(validate=False) | {"columns": 1},
        title=f"Revenue by spend a {m.period}",
        caption=f"The dot is today's average {m.period}; the band is the 90 % interval. Dashed and pale: more than any "
        f"{m.period} has ever seen. The curve is the model's; the unified view may differ from it.{m.caveat}",
        height=240,
        file="response.csv",
    )
    lead = f"Half of its effect is in after {ratio(middle)} {m.period}s ({span(low, high)})."
    return Part("curve", "What more or less spend would bring", lead, (chart,))


def _tests(c: ChannelView, m: Material) -> Part:
    title = "Its tests"
    own = [e for e in m.evidence if c.channel in e["channels"]]
    if not own:
        words = "No lift test has moved this channel: its number rests on observation alone."
        return Part("tests", title, words)
    ids = {e["experiment_id"] for e in own}
    few = replace(m, evidence=own, conflicts=[x for x in m.conflicts if x.experiment_id in ids])
    to = {name: test_link(name) for name in ids}
    tables = [linked(block, to) for block in compare.tests_section(few).blocks if isinstance(block, TableBlock)]
    return Part("tests", title, blocks=(*tables, _widening(own, m)))


def _with_planned(tests: Part, ask: Ask, c: ChannelView) -> Part:
    """The tests of a channel, and those that are on their way."""
    rows = tuple(
        (
            Cell(str(t["experiment_id"]), link=test_link(str(t["experiment_id"]))),
            Cell(str(t["state"]).replace("_", " ")),
            Cell(f"{t['start_date']} to {t['read_out_end']}"),
        )
        for t in ask.reading.tests()
        if c.channel in t["channel"] and t["state"] in ON_THEIR_WAY
    )
    if not rows:
        return tests
    columns = (Column("Test on its way"), Column("State"), Column("When", "read-out included"))
    return replace(tests, blocks=(*tests.blocks, TableBlock(columns, rows)))


def _widening(own: Sequence[Json], m: Material) -> ChartBlock:
    rows = [{"experiment_id": e["experiment_id"], **step} for e in own for step in e["waterfall"]]
    frame = pd.DataFrame(rows)[["experiment_id", "step", "std_error", "reason"]]
    return ChartBlock(
        charts.waterfall(frame, m.unit).to_dict(validate=False),
        title="From the reported error to the one that is used",
        caption="A test counts for less where placebo runs spread wider than its stated error, where its design can "
        "mislead (grade), and as it ages.",
        height=200 + 120 * ((len(own) - 1) // 3),
        file="widening.csv",
    )


def _attribution(c: ChannelView, m: Material) -> Part:
    title = "Attribution"
    if not c.attribution:
        return Part("attribution", title, "Attribution says nothing of this channel: no journey shows it.")
    factor = c.incrementality_factor
    lead = "The unified number is withheld, so nothing can be said of what credited sales really bring."
    if factor is not None:
        ends = span(factor.low, factor.high)
        lead = f"One credited unit really brought {ratio(factor.median)} ({ends}), by {label(m.view.primary)}."
    columns = (Column("Model"), Column("ROAS", m.ratio_unit, True, scale(c.attribution.values()), m.view.break_even))
    rows = tuple((Cell(label(model)), quantity(q, ranged=True)) for model, q in c.attribution.items())
    return Part("attribution", title, lead, (TableBlock(columns, rows, "", "attribution.csv"),))


def _history(c: ChannelView, ask: Ask) -> Part:
    views = ask.reading.views()
    known = [(at, entry) for at, made in views for entry in made.channels if entry.channel == c.channel]
    columns = (
        Column("View of"),
        Column("Unified iROAS", numeric=True, scale=scale(entry.iroas for _, entry in known)),
        Column("Next unit", numeric=True),
        Column("State"),
        Column("Advice then", wide=True),
    )
    rows = tuple(
        (
            Cell(at[:16].replace("T", " ")),
            quantity(entry.iroas, "withheld", ranged=True),
            quantity(entry.mroas),
            Cell(STATES[entry.state]),
            Cell(entry.action),
        )
        for at, entry in reversed(known)
    )
    lead = "Every unified view that was kept, the newest first; times in UTC."
    return Part("history", "History", lead, (TableBlock(columns, rows, "", "history.csv"),))
