"""The first part of the report: what to change, how sure, what it should bring; one number per channel."""

import math

from attribution.labels import label
from calibration.quantity import Quantity
from calibration.view import ChannelView
from theodolite.report.cells import ADVICE, STATES, STEP, advice, amount, joined, names, quantity, scale, step
from theodolite.report.experiment_words import GRADES
from theodolite.report.material import Material
from theodolite.report.page import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Name,
    Points,
    Prose,
    Section,
    Strong,
    TableBlock,
    Text,
)
from theodolite.report.words import NOTHING, chance, count, listed, money, number, percent, ratio, span

SOURCE_WORDS = {"experiments": "tests", "mmm": "model", "attribution": "attribution", "prior": "prior"}


def sections(material: Material) -> tuple[Section, ...]:
    """The sections for those who decide."""
    return (change_section(material), unified_section(material))


# -- what to change ---------------------------------------------------------------------------------------------------


def change_section(m: Material) -> Section:
    """What to change, what it should bring, and what has to wait."""
    blocks: list[Block] = [_facts(m)]
    if any(step(c, m) for c in m.view.channels):
        blocks += [_steps(m), _small_steps(m)]
    if waiting := tuple(said for c in m.view.channels if (said := _waiting(c, m)) is not None):
        blocks.append(Points(waiting))
    return Section("change", "What to change", "decide", lead=_lead(m), blocks=tuple(blocks))


def _lead(m: Material) -> Text:
    groups: dict[str, list[str]] = {}
    for channel in sorted(m.view.channels, key=lambda c: -c.spend):
        groups.setdefault(advice(channel, m.view.break_even), []).append(channel.channel)
    said: list[Text] = []
    for key, words in (("raise", "Spend more on "), ("cut", "Spend less on "), ("test first", "Test before moving: ")):
        if found := groups.get(key):
            said.append(joined(words, names(found), ". "))
    if found := groups.get("withheld"):
        said.append(joined("No advice yet on ", names(found), ". "))
    if steps := [planned for c in m.view.channels if (planned := step(c, m)) is not None]:
        profit = money(sum(planned.profit for planned in steps), m.currency)
        said.append((f"Steps of {percent(STEP)} should raise profit by about ", Strong(f"{profit} a {m.period}"), "."))
    if not said:
        return "No channel calls for a change: each is close to break-even, or too little is known of it."
    return joined(*said)


def _facts(m: Material) -> Facts:
    spend = sum(c.spend for c in m.view.channels)
    low, middle, high = m.frames.media
    back = Quantity(*(x / m.media_spend if m.media_spend > 0 else math.nan for x in (middle, low, high)))
    tested = sum(c.experiments is not None for c in m.view.channels)
    left = len(m.view.channels) - tested
    return Facts(
        (
            Fact("Spend", money(spend, m.currency), f"{count(m.periods, m.period)}, {m.markets}"),
            Fact(
                "Revenue that media brought",
                money(middle, m.currency),
                f"{span(low, high, lambda x: money(x, m.currency))}; {percent(middle / m.outcome)} of all",
            ),
            Fact(
                "Return of all media",
                ratio(back.median),
                f"{span(back.low, back.high)}; break-even at {ratio(m.view.break_even)}",
                tone="good" if back.median >= m.view.break_even else "caution",
            ),
            Fact(
                "Channels with a lift test",
                f"{tested} of {len(m.view.channels)}",
                f"{count(left, 'channel rests', 'channels rest')} on observation alone" if left else "every channel",
            ),
        )
    )


def _steps(m: Material) -> TableBlock:
    """One row per channel to change, those that move most profit first."""
    planned = [(c, p) for c in m.view.channels if (p := step(c, m)) is not None]
    planned.sort(key=lambda pair: -abs(pair[1].profit))
    per = f"{m.currency} a {m.period}"
    columns = (
        Column("Channel"),
        Column("Advice"),
        Column("The next unit brings", m.ratio_unit, True, _next_scale(m), m.view.break_even),
        Column("Chance", "that it pays", True),
        Column(f"A step of {percent(STEP)}", per, True),
        Column("Revenue change", per, True),
        Column("Profit change", per, True),
    )
    rows = []
    for c, p in planned:
        words, tone = ADVICE[advice(c, m.view.break_even)]
        ends = span(p.revenue.low, p.revenue.high, _signed)
        rows.append(
            (
                Cell(c.channel),
                Cell(words, tone=tone),
                quantity(c.mroas, ranged=True),
                Cell(chance(c.next_above_break_even or 0.0), value=c.next_above_break_even),
                Cell(_signed(p.spend), value=p.spend),
                Cell(_signed(p.revenue.median), detail=ends, value=p.revenue.median),
                Cell(_signed(p.profit), value=p.profit),
            )
        )
    caption = (
        f"The next unit: what one more {m.currency} of spend would bring today, with its 90 % interval. It pays right "
        f"of the dashed line ({ratio(m.view.break_even)}, break-even).{m.caveat}"
    )
    return TableBlock(columns, tuple(rows), caption, "steps.csv")


def _next_scale(m: Material) -> tuple[float, float]:
    low, high = scale(c.mroas for c in m.view.channels)
    return low, max(high, 1.1 * m.view.break_even)


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{number(value)}"


def _small_steps(m: Material) -> Prose:
    said = ["These are small steps from today's spend. Over larger ones the return of the next unit changes."]
    if m.margin is None:
        said.append("The study states no margin, so revenue counts as profit and break-even is 1.")
    return Prose((" ".join(said),), tone="muted")


def _waiting(channel: ChannelView, m: Material) -> Text | None:
    """Why a channel has to wait, and for what."""
    name = Name(channel.channel)
    match advice(channel, m.view.break_even):
        case "withheld":
            why = f"{channel.reason[:1].upper()}{channel.reason[1:]}. Find out which of the two is wrong first."
            return (Strong("No advice on "), name, Strong(" yet. "), why)
        case "test first" if channel.mroas is not None:
            again = "Test again: " if channel.experiments is not None else "Test first: "
            q = channel.mroas
            why = (
                f"the next unit brings {ratio(q.median)} ({span(q.low, q.high)}), with break-even "
                f"({ratio(m.view.break_even)}) well inside the interval. Too little is known to move money."
            )
            return (Strong(again), name, f". {why[:1].upper()}{why[1:]}")
        case _:
            return None


# -- one number per channel -------------------------------------------------------------------------------------------


def unified_section(m: Material) -> Section:
    """One number per channel beside what every source says."""
    found = m.view.channels
    columns = (
        Column("Channel"),
        Column("Spend", numeric=True),
        Column(
            "Unified iROAS", f"{m.currency} per {m.currency}", True, scale(c.iroas for c in found), m.view.break_even
        ),
        Column("Advice"),
        Column("Do the sources agree?", wide=True),
        Column("Lift tests", "iROAS", True),
        Column("Model", "without tests, iROAS", True),
        Column("Model", "with tests, iROAS", True),
        Column("Attribution", f"{label(m.view.primary)}, ROAS" if m.view.primary else "ROAS", True),
        Column("Platform", "as reported, ROAS", True),
        Column("Rests on", wide=True),
    )
    caption = (
        f"{m.view.window[0]} to {m.view.window[1]}. Medians with 90 % intervals; the dashed line is break-even "
        f"({ratio(m.view.break_even)}).{m.caveat}"
    )
    table = TableBlock(columns, tuple(_row(c, m) for c in found), caption, "unified.csv")
    lead = "Each channel's unified number weighs every source by how far it can be trusted, and counts each test once."
    return Section("unified", "One number per channel", "decide", lead=lead, blocks=(table, _READING))


def _row(c: ChannelView, m: Material) -> tuple[Cell, ...]:
    words, tone = ADVICE[advice(c, m.view.break_even)]
    grade = f"best test: grade {c.evidence_grade}" if c.evidence_grade else "no test"
    return (
        Cell(c.channel, detail=grade),
        amount(c.spend, m.currency),
        quantity(c.iroas, "withheld", ranged=True),
        Cell(words, tone=tone),
        Cell(STATES[c.state], detail=c.reason, tone="caution" if c.state == "conflict, withheld" else "plain"),
        quantity(c.experiments, "no test"),
        quantity(c.mmm),
        quantity(c.mmm_calibrated, "no tests"),
        quantity(c.attribution.get(m.view.primary), "no journeys"),
        quantity(c.platform, "no report"),
        Cell(_weights(c)),
    )


def _weights(c: ChannelView) -> str:
    parts = [
        (share, SOURCE_WORDS[name]) for name, share in c.weights.items() if share >= 0.005 and name in SOURCE_WORDS
    ]
    parts.sort(reverse=True)
    return listed([f"{words} {percent(share)}" for share, words in parts]) or NOTHING


_READING = Prose(
    (
        "iROAS is the extra revenue that a channel's spend caused, per unit of money spent. ROAS, which attribution "
        "and platforms report, is the revenue of buyers who had seen the ad, caused by it or not; the two may not be "
        "compared as they stand. Advice follows the next unit (mROAS), which is lower than iROAS where a channel nears "
        "saturation.",
        "A 90 % interval holds the truth nine times in ten if its method is right. A test's grade says how far it can "
        f"be trusted: {'; '.join(f'{grade}, {words}' for grade, words in GRADES.items() if grade != 'E')}. Grade E is "
        "no evidence.",
    ),
    tone="muted",
)
