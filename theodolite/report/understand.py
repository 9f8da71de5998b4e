"""The second part of the report: where the numbers come from, channel by channel."""

from calibration import charts
from calibration.quantity import State
from measurement import charts as drawn
from theodolite.report import compare, hangs, journeys
from theodolite.report.material import Material
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Fold,
    Prose,
    Section,
    TableBlock,
)
from theodolite.report.words import count, listed, percent, ratio, span


def sections(material: Material) -> tuple[Section, ...]:
    """The sections for those who want to understand."""
    return (
        sources_section(material),
        *hangs.sections(material),
        *compare.sections(material),
        *journeys.sections(material.journeys),
        curves_section(material),
        *over_time_sections(material),
        where_section(material),
    )


# -- every source -----------------------------------------------------------------------------------------------------

_STATE_WORDS: tuple[tuple[State, str], ...] = (
    ("agree", "on {} the methods agree"),
    ("differ, same action", "on {} they differ without changing the advice"),
    ("differ, action changes", "on {} they differ and the advice depends on whom one believes"),
    ("single source", "on {} only one method speaks"),
    ("stale", "on {} the tests are old"),
    ("not comparable", "on {} they cannot be compared"),
    ("conflict, withheld", "on {} the number is withheld because a test contradicts the model"),
)


def sources_section(m: Material) -> Section:
    """Every source, channel by channel, and what each unified number rests on."""
    states = [c.state for c in m.view.channels]
    said = [words.format(states.count(state)) for state, words in _STATE_WORDS if state in states]
    lead = f"Of {count(len(states), 'channel')}: {listed(said)}."
    frame = m.view.to_frame()
    legend = "Each row is a source with its 90 % interval; the thick one is the unified view. An arrow: it goes on."
    if m.truth:
        legend += " Tick across the rows: the known truth."
    forest = ChartBlock(
        charts.forest(frame, m.view.break_even, m.truth or None).to_dict(validate=False),
        title="What every source says",
        caption=f"{legend}{m.caveat}",
        height=110 + 95 * len(states),
        file="sources.csv",
    )
    weights = ChartBlock(
        charts.weights(frame).to_dict(validate=False),
        title="What each unified number rests on",
        caption="How far the number would move if a source moved. The rest comes from the other channels and from what "
        f"was believed before the data.{m.caveat}",
        height=80 + 26 * len(states),
        file="weights.csv",
    )
    notes = tuple(f"{text[:1].upper()}{text[1:]}." for text in m.view.notes)
    blocks: list[Block] = [forest, weights]
    if notes:
        blocks.append(Prose(notes, tone="muted"))
    return Section("sources", "Every source, channel by channel", "understand", lead=lead, blocks=tuple(blocks))


# -- response and contribution ----------------------------------------------------------------------------------------


def curves_section(m: Material) -> Section:
    """What more or less spend would bring."""
    chart = ChartBlock(
        drawn.response_curves(m.frames.curves, m.frames.now, m.currency).to_dict(validate=False),
        title="Revenue by spend, channel by channel",
        caption=f"The dot is today's average {m.period}, all spend scaled alike; the band is the 90 % interval. Dashed "
        f"and pale: more than any {m.period} has ever seen, so the curve is a guess there. These curves are the model's"
        f"{', with the tests inside' if m.evidence else ''}; the unified view may differ from them.{m.caveat}",
        height=560,
        file="response.csv",
    )
    columns = (Column("Channel"), Column("Half of the effect is in after", f"{m.period}s", True))
    rows = tuple(
        (Cell(name), Cell(ratio(middle), detail=span(low, high), value=middle))
        for name, (low, middle, high) in m.frames.half_life.items()
    )
    fold = Fold(
        "How long the effect lasts",
        (TableBlock(columns, rows, "Carry-over: the effect of an ad goes on after it ran.", "carry-over.csv"),),
    )
    lead = (
        "A curve flattens where its channel nears saturation. The steeper it is at the dot, the more the next unit "
        "brings."
    )
    return Section("curves", "What more or less spend would bring", "understand", lead=lead, blocks=(chart, fold))


def over_time_sections(m: Material) -> tuple[Section, ...]:
    """How effects changed, of channels that the model lets change; none otherwise."""
    frame = m.frames.over_time
    names = list(dict.fromkeys(frame["channel"]))
    if not names:
        return ()
    chart = ChartBlock(
        drawn.effect_over_time(frame).to_dict(validate=False),
        title="The effect of the same spend, quarter by quarter",
        caption="1 is the channel's average over the data; the band is the 90 % interval. Where it holds 1 "
        f"throughout, nothing shows that the effect has changed.{m.caveat}",
        height=40 + 200 * -(-len(names) // 3),
        file="effect-over-time.csv",
    )
    lead = f"The model lets the effect of {listed(names)} change slowly. Read older results of these with that in mind."
    return (Section("over-time", "How effects changed", "understand", lead=lead, blocks=(chart,)),)


def where_section(m: Material) -> Section:
    """Where sales came from."""
    frame = m.frames.contributions
    low, middle, high = (x / m.outcome for x in m.frames.media)
    lead = f"Media brought {percent(middle)} of them ({span(low, high, percent)}); the rest would have come anyway."
    shares = ChartBlock(
        drawn.contributions(frame).to_dict(validate=False),
        title="Share of each channel",
        caption=f"Over all {m.period}s and markets, by the model, with 90 % intervals.{m.caveat}",
        height=70 + 26 * len(frame),
        file="contributions.csv",
    )
    layers = ChartBlock(
        drawn.decomposition(m.frames.decomposition, m.unit, m.frames.parts).to_dict(validate=False),
        title="Period by period",
        caption="The grey layer is what would have been sold without advertising: level, season, prices, and demand "
        f"that spend follows.{m.caveat}",
        height=320,
        file="decomposition.csv",
    )
    return Section("where", "Where sales came from", "understand", lead=lead, blocks=(shares, layers))
