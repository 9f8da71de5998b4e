"""What came against plans of record: what other spend explains, apart from what the model missed."""

from typing import TYPE_CHECKING

from measurement.errors import DataError
from theodolite.app.blocks import Button, Empty, Part
from theodolite.app.pages.ask import Ask, channel_link, linked, plan_link
from theodolite.report.page import Cell, ChartBlock, Column, Fact, Facts, Prose, TableBlock, Tone
from theodolite.report.words import NOTHING, count, number, percent, span

if TYPE_CHECKING:
    from measurement.estimate import Estimate
    from measurement.plan.deviation import Deviation, Met
    from theodolite.plan_records import PlanOfRecord

TONES: dict[str, Tone] = {"draft": "muted", "submitted": "caution", "committed": "good", "withdrawn": "muted"}


def parts(ask: Ask, plan: "PlanOfRecord") -> tuple[Part, ...]:
    """What came of one plan."""
    found, why = came_of(ask, plan)
    return (_nothing_yet(why),) if found is None else _came(found, ask.reading.panel.period)


def came_of(ask: Ask, plan: "PlanOfRecord") -> "tuple[Deviation | None, str]":
    """What came of a plan; why nothing can be said, where nothing came or the data are no longer those of the plan."""
    try:
        found = ask.reading.against(plan)
    except DataError as error:
        return None, str(error)
    return found, "" if found is not None else f"It begins on {plan.told['from']}: nothing of it has come yet."


def _nothing_yet(why: str) -> Part:
    words = "Once your tables hold days of it, what came stands here beside what was promised; no new fit is needed."
    return Part("came", "Promised and came", blocks=(Empty("Nothing can be held against it yet", f"{why} {words}"),))


def _came(found: "Deviation", period: str) -> tuple[Part, ...]:
    total = found.total
    of = count(len(found.periods), period)
    facts = Facts(
        (
            Fact(
                f"{found.kpi}, {found.came} of {of}",
                number(total.actual or 0.0),
                f"promised {number(total.predicted.median)} ({_span(total.predicted)})",
                "caution" if found.alert else "plain",
            ),
            Fact("Difference", _signed_number(total), _where(found), "caution" if found.alert else "plain"),
            Fact("Spend differed", *_explained(found.spend)),
            *((Fact("Prices and other controls", *_explained(found.controls)),) if _moved(found.controls) else ()),
            Fact("The model missed", *_explained(found.missed)),
        )
    )
    band, money_chart = charts(found)
    notes = ["Spend differed: what other spend than planned brought or cost, by the fit behind the plan. The model "]
    notes[0] += "missed: the rest, which is demand, competitors, an effect that has changed, or luck."
    if found.revised:
        notes.append("The data before the plan were revised since; the plan stays on those it was made with.")
    came = Part("came", "Promised and came", judged(found), (facts, band, Prose(tuple(notes), "muted")))
    spent = Part(
        "spent", "Which money was spent otherwise", blocks=(linked(_spent(found), _channels(found)), money_chart)
    )
    return came, spent, Part("periods", f"{period.capitalize()} by {period}", blocks=(_periods(found, period),))


def charts(found: "Deviation") -> tuple[ChartBlock, ChartBlock]:
    """The promised band with what came, and each channel's money: the halves of its chart, as wide as they can be."""
    whole = found.chart().to_dict(validate=False)
    shared = {name: value for name, value in whole.items() if name not in ("vconcat", "title")}
    halves = [{k: v for k, v in half.items() if k != "title"} | {"width": "container"} for half in whole["vconcat"]]
    top, bottom = (shared | half for half in halves)
    band = ChartBlock(
        top,
        title=f"What was promised of {found.kpi}, and what came",
        caption="The band is the promised 90 % interval; a ring lies outside of it. Of ten single periods one does by "
        "chance alone.",
        height=290,
        file="against.csv",
    )
    caption = "In the periods that have come."
    title = "What was planned to be spent, and what was spent"
    return band, ChartBlock(
        bottom, title=title, caption=caption, height=80 + 26 * len(found.channels), file="money.csv"
    )


def judged(found: "Deviation") -> str:
    """The difference in a sentence, with its larger cause."""
    share = found.total.share or 0.0
    if not found.total.outside:
        return "What came lies within the promised 90 % interval: as planned."
    far = f"{percent(abs(share))} {'more' if share > 0 else 'less'} than promised, outside the 90 % interval"
    if not found.alert:
        return f"{far}, though by no more than a fifth: keep an eye on it."
    if abs(found.spend.median) > abs(found.missed.median):
        return f"{far}, mostly because spend differed from the plan: see which channels below."
    return f"{far}, and spend does not explain it: the model missed. Look for an event, then fit again."


def _where(found: "Deviation") -> str:
    return "outside the 90 % interval" if found.total.outside else "within the 90 % interval"


def _signed_number(met: "Met") -> str:
    share = met.share
    return NOTHING if share is None else f"{'+' if share > 0 else ''}{percent(share)}"


def _explained(found: "Estimate") -> tuple[str, str]:
    plus = "+" if found.median > 0 else ""
    return f"{plus}{number(found.median)}", _span(found)


def _span(found: "Estimate") -> str:
    return span(found.low, found.high, number)


def _moved(found: "Estimate") -> bool:
    return found.low != found.high


def _channels(found: "Deviation") -> dict[str, str]:
    return {each.channel: channel_link(each.channel) for each in found.channels}


def _spent(found: "Deviation") -> TableBlock:
    columns = (
        Column("Channel"),
        Column("Planned", found.currency, True),
        Column("Spent", found.currency, True),
        Column("Difference", numeric=True),
        Column(f"So {found.kpi} differs by", numeric=True),
    )
    rows = tuple(
        (
            Cell(each.channel, detail="off the plan" if each.off else ""),
            Cell(number(each.planned), value=each.planned),
            Cell(number(each.actual), value=each.actual),
            _share(each.share, each.off),
            Cell(*_explained(each.explains), value=each.explains.median),
        )
        for each in found.channels
        if each.planned > 0 or each.actual > 0
    )
    return TableBlock(columns, rows, "Off the plan: by more than a fifth.", "spent.csv")


def _share(share: float | None, odd: bool) -> Cell:
    if share is None:
        return Cell(NOTHING, tone="muted")
    return Cell(f"{'+' if share > 0 else ''}{percent(share)}", value=share, tone="caution" if odd else "plain")


def _periods(found: "Deviation", period: str) -> TableBlock:
    columns = (
        Column(f"{period.capitalize()} from"),
        Column("Promised", found.kpi, True),
        Column("Came", found.kpi, True),
        Column("Difference", numeric=True),
    )
    rows = tuple(
        (
            Cell(each.what),
            Cell(number(each.predicted.median), _span(each.predicted), value=each.predicted.median),
            Cell(NOTHING, "still to come", "muted")
            if each.actual is None
            else Cell(number(each.actual), "outside its interval" if each.outside else "", value=each.actual),
            _share(each.share, each.outside),
        )
        for each in found.periods
    )
    return TableBlock(columns, rows, "", "periods.csv")


# -- every plan -------------------------------------------------------------------------------------------------------


def held_against(ask: Ask) -> Part:
    """Every plan of record with what came of it."""
    title, plans = "Plans of record: promised and came", ask.reading.plans()
    if not plans:
        words = (
            "A forecast or a scenario that is frozen as a plan of record stands here, and is held against what comes: "
            "what other spend explains apart from what the model missed."
        )
        return Part(
            "plans", title, blocks=(Empty("No plan is recorded yet", words, (Button("Make a plan", "/plan"),)),)
        )
    columns = (
        Column("Plan"),
        Column("State"),
        Column("Promised", "the whole plan", True),
        Column("Came", "against the same days", True),
        Column("Difference", numeric=True),
        Column("Spend differed", numeric=True),
        Column("The model missed", numeric=True),
        Column("By"),
    )
    rows = tuple(_row(ask, plan) for plan in reversed(plans))
    caption = "Medians with 90 % intervals. A difference is marked where it is above a fifth and outside the interval."
    return Part("plans", title, blocks=(TableBlock(columns, rows, caption, "plans.csv"),))


def _row(ask: Ask, plan: "PlanOfRecord") -> tuple[Cell, ...]:
    state, (found, why) = ask.reading.plan_states()[plan.name].state, came_of(ask, plan)
    total = plan.told["promised"]["total"]
    head = (
        Cell(plan.name, detail=f"{plan.told['from']} to {plan.told['to']}", link=plan_link(plan.name)),
        Cell(state, tone=TONES.get(state, "plain")),
        Cell(number(total["median"]), span(total["low"], total["high"], number), value=total["median"]),
    )
    by = Cell(plan.actor)
    if found is None:
        nothing = Cell(NOTHING, tone="muted")
        later = str(plan.told["from"]) > str(ask.reading.panel.dates[-1])[:10]
        return (*head, Cell(NOTHING, "nothing yet" if later else why, "muted"), nothing, nothing, nothing, by)
    came = f"{found.came} of {len(found.periods)}, promised {number(found.total.predicted.median)}"
    return (
        *head,
        Cell(number(found.total.actual or 0.0), came, value=found.total.actual),
        _share(found.total.share, found.alert),
        Cell(*_explained(found.spend), value=found.spend.median),
        Cell(*_explained(found.missed), value=found.missed.median),
        by,
    )
