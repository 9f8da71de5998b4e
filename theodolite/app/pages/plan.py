"""Plan: the best split of a budget with its bound, a scenario by hand, the forecast, and plans of record."""

from typing import TYPE_CHECKING

from measurement.errors import DataError, Problem, shown
from measurement.plan.budget import quarter
from measurement.plan.horizon import business_as_usual
from theodolite import plans
from theodolite.app.blocks import Block, Drawer, Form, Part, View
from theodolite.app.blocks import Field as Entry
from theodolite.app.pages.ask import Ask, channel_link, linked, not_yet, state_of
from theodolite.keys import may
from theodolite.report.page import Cell, ChartBlock, Column, Fact, Facts, Points, TableBlock
from theodolite.report.plan_words import UNCONVERGED, cautions, proof
from theodolite.report.words import NOTHING, chance, money, number, percent, ratio, span

if TYPE_CHECKING:
    from measurement.estimate import Estimate
    from measurement.plan.budget import Budget, Move
    from measurement.plan.forecast import Forecast, Scenario

AIMS = (
    ("mean", "the expected profit"),
    ("worst", "the profit of the worst tenth of cases"),
    ("cautious", "the profit less its uncertainty"),
)
LONGEST = 1_000


def view(ask: Ask) -> View:
    """The page."""
    reading, state = ask.reading, state_of(ask.reading)
    if state in ("no fit", "data changed"):
        return View("Plan", parts=(Part("start", blocks=(not_yet(ask, state),)),))
    periods = periods_of(ask)
    made = _budget(ask, periods)
    ahead = forecast_of(ask, periods)
    first, last = ahead.horizon.dates[0], ahead.horizon.dates[-1]
    return View(
        "Plan",
        f"{periods} {reading.panel.period}s from {first} to {last} · {reading.panel.currency}",
        (
            _optimum(ask, made, periods),
            _scenario(ask, periods),
            _forecast(ask, ahead),
            _records(ask),
        ),
        "" if made.converged else UNCONVERGED,
    )


def periods_of(ask: Ask) -> int:
    """How many periods are planned.

    Raises:
        DataError: Where that is no number.
    """
    found = _number(ask, "periods", "the number of periods")
    if found is None:
        return quarter(ask.reading.panel)
    if not found.is_integer() or not 1 <= found <= LONGEST:
        words = f"the number of periods: found {found:g}, expected a whole number from 1 to {LONGEST}"
        raise DataError([Problem(words, code="periods")])
    return int(found)


def _number(ask: Ask, name: str, what: str) -> float | None:
    text = ask.query.get(name, "").strip()
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e15:
        raise DataError([Problem(f"{what}: found '{shown(text)}', expected a number such as 120000", code="number")])
    return found


# -- the optimum ------------------------------------------------------------------------------------------------------


def _budget(ask: Ask, periods: int) -> "Budget":
    bounds = {
        name: text
        for i, name in enumerate(ask.reading.panel.channels)
        if (text := ask.query.get(f"bound{i}", "").strip())
    }
    return ask.reading.study.budget(
        _number(ask, "total", "the total"),
        periods=periods,
        at_most=ask.query.get("at_most") == "yes",
        bounds=bounds,
        otherwise=ask.query.get("otherwise", "").strip() or "0.5:1.5",
        iroas=_number(ask, "iroas", "the least return"),
        aim=ask.query.get("aim", "mean") or "mean",
    )


def _optimum(ask: Ask, made: "Budget", periods: int) -> Part:
    currency, with_margin = made.currency, ask.reading.config.study.margin is not None
    usual = float(made.horizon.spend.sum())
    facts = Facts(
        (
            Fact("The plan spends", money(made.total, currency), f"business as usual: {money(usual, currency)}"),
            Fact("It should bring", *_money(made.revenue, currency)),
            Fact("Profit against as usual", *_money(made.profit_change, currency, sign=True)),
            Fact("Chance of more profit", chance(made.better), "than with business as usual"),
        )
    )
    chart = ChartBlock(
        made.chart().to_dict(validate=False),
        title="Now and advised, and what moving brings",
        caption="The pale bar shows where nine of ten draws of the model would put the money: how firm the advice is.",
        height=90 + 30 * len(made.moves),
        file="budget.csv",
    )
    to = {name: channel_link(name) for name in ask.reading.panel.channels}
    points = Points((proof(made), *cautions(made, with_margin)))
    form = Drawer("Change the budget and its limits", (_budget_form(ask, periods),), open="total" in ask.query)
    lead = f"Now is business as usual, {made.horizon.like}."
    blocks: tuple[Block, ...] = (form, facts, linked(_moves(made), to), chart, points)
    return Part("optimum", "The best split", lead, blocks)


def _money(found: "Estimate", currency: str, sign: bool = False) -> tuple[str, str]:
    plus = "+" if sign and found.median > 0 else ""
    return f"{plus}{money(found.median, currency)}", span(found.low, found.high, lambda x: money(x, currency))


def _moves(made: "Budget") -> TableBlock:
    columns = (
        Column("Channel"),
        Column("Now", made.currency, True),
        Column("Advised", made.currency, True),
        Column("Change", numeric=True),
        Column("Changes revenue by", made.currency, True),
        Column("The next unit brings", f"{made.currency} per {made.currency}", True),
        Column("Sure of the direction", numeric=True),
    )
    return TableBlock(columns, tuple(map(_move, made.moves)), "Medians with 90 % intervals.", "moves.csv")


def _move(move: "Move") -> tuple[Cell, ...]:
    change = move.advised / move.current - 1 if move.current > 0 else None
    stays = move.sign_holds is None
    words = "held" if move.held else "stays" if stays else "new" if change is None else f"{change:+.0%}"
    value, following = move.value, move.mroas_advised
    nothing = Cell(NOTHING, tone="muted")
    return (
        Cell(move.channel, detail=move.held or ""),
        Cell(number(move.current), value=move.current),
        Cell(number(move.advised), value=move.advised),
        Cell(words.replace("-", "−"), value=change),
        nothing if stays else Cell(number(value.median), span(value.low, value.high, number), value=value.median),
        Cell(ratio(following.median), span(following.low, following.high), value=following.median),
        nothing if move.sign_holds is None else Cell(percent(move.sign_holds), value=move.sign_holds),
    )


def _budget_form(ask: Ask, periods: int) -> Form:
    panel, query = ask.reading.panel, ask.query
    limit = "0.8:1.2 times as usual, or money as in 10000" + panel.currency + ":50000" + panel.currency
    fields = (
        Entry("total", "Total", "number", query.get("total", ""), "business as usual where left empty", panel.currency),
        Entry("periods", "Periods", "number", query.get("periods", str(periods)), "", f"{panel.period}s"),
        Entry("aim", "Make as large as possible", "select", query.get("aim", "mean"), options=AIMS),
        Entry("otherwise", "Every channel may move", "text", query.get("otherwise", "0.5:1.5"), limit),
        Entry("iroas", "Least return of the whole plan", "number", query.get("iroas", ""), "", panel.currency),
        Entry("at_most", "The total is the most, not what must be spent", "checkbox", query.get("at_most", "")),
    )
    own = tuple(
        Entry(f"bound{i}", name, "text", query.get(f"bound{i}", ""), unit="a limit of its own")
        for i, name in enumerate(panel.channels)
    )
    shown_open = any(query.get(field.name) for field in own)
    return Form("/plan", fields, "Work it out", "get", more=own, open=shown_open, key="budget")


# -- a scenario by hand -----------------------------------------------------------------------------------------------


def multiples_of(ask: Ask) -> dict[str, float]:
    """What the sliders say: per channel its multiple of business as usual, where it is not 1."""
    found = {}
    for i, name in enumerate(ask.reading.panel.channels):
        share = _number(ask, f"share{i}", f"the spend of {shown(name)}")
        if share is not None and share != 100.0:
            if not 0 <= share <= 1_000:
                raise DataError(f"the spend of {shown(name)}: found {share:g} %, expected 0 to 1000")
            found[name] = share / 100.0
    return found


def scenario_of(ask: Ask, periods: int, multiples: dict[str, float]) -> "Scenario":
    """What these multiples would change."""
    study = ask.reading.study
    return study.scenario(plans.scaled(study.panel, periods, multiples))


def _scenario(ask: Ask, periods: int) -> Part:
    panel, multiples = ask.reading.panel, multiples_of(ask)
    usual = business_as_usual(panel, periods).by_channel
    sliders = tuple(
        Entry(
            f"share{i}",
            name,
            "range",
            f"{100 * multiples.get(name, 1.0):g}",
            unit=f"of {money(float(usual[i]), panel.currency)}",
            limits=("0", "200", "5"),
        )
        for i, name in enumerate(panel.channels)
    )
    fields = (Entry("periods", "", "hidden", str(periods)), *sliders)
    form = Form("/plan#scenario", fields, "See what it would bring", "get", key="scenario")
    lead = "Move each channel against business as usual: 100 % leaves it as it is."
    if not multiples:
        return Part("scenario", "A scenario of your own", lead, (form,))
    found = scenario_of(ask, periods, multiples)
    change = float(found.plan.horizon.spend.sum() - found.usual.horizon.spend.sum())
    facts = Facts(
        (
            Fact("Spend", f"{'+' if change > 0 else ''}{money(change, found.currency)}", "against business as usual"),
            Fact("Revenue", *_money(found.revenue_change, found.currency, sign=True)),
            Fact("Profit", *_money(found.profit_change, found.currency, sign=True)),
            Fact("Chance of more profit", chance(found.better)),
        )
    )
    chart = ChartBlock(
        found.chart().to_dict(validate=False) | {"width": "container"},
        title=f"Change of {found.plan.kpi}, period by period",
        caption="Median and 90 % interval. What is carried over the end counts in revenue and profit above.",
        height=260,
        file="scenario.csv",
    )
    blocks: tuple[Block, ...] = (form, facts, chart, *_sign_off(ask, periods, multiples))
    return Part("scenario", "A scenario of your own", lead, blocks)


# -- the forecast -----------------------------------------------------------------------------------------------------


def forecast_of(ask: Ask, periods: int) -> "Forecast":
    """The KPI of the periods ahead under business as usual."""
    reading = ask.reading
    return reading.kept(("forecast", periods), reading.numbers, lambda: reading.study.forecast(periods))


def _forecast(ask: Ask, found: "Forecast") -> Part:
    total, ago = found.total, found.year_ago
    lead = f"{number(total.median)} {found.kpi} in all ({span(total.low, total.high, number)})"
    lead += "." if ago is None else f"; a year ago it was {number(float(ago.sum()))}."
    chart = ChartBlock(
        found.chart(ask.reading.panel).to_dict(validate=False) | {"width": "container"},
        title=f"{found.kpi}, with business as usual",
        caption="Median and 90 % interval of what is to come, after what happened.",
        height=280,
        file="forecast.csv",
    )
    return Part("forecast", "What is to come", lead, (chart, *_sign_off(ask, len(found.horizon.dates), {})))


# -- plans of record --------------------------------------------------------------------------------------------------


def _sign_off(ask: Ask, periods: int, multiples: dict[str, float]) -> tuple[Block, ...]:
    if not may(ask.who.role, "approver"):
        return ()
    shares = tuple(
        Entry(f"share{i}", "", "hidden", f"{100 * multiples[name]:g}")
        for i, name in enumerate(ask.reading.panel.channels)
        if name in multiples
    )
    fields = (
        Entry("periods", "", "hidden", str(periods)),
        *shares,
        Entry("name", "Name of the plan", "text", "", "frozen for good under this name", required=True),
    )
    what = "scenario" if multiples else "forecast"
    form = Form("/plan/record", fields, "Sign it off", key=f"record-{what}")
    return (Drawer(f"Sign this {what} off as the plan of record", (form,)),)


def _records(ask: Ask) -> Part:
    found = ask.reading.kept("plans", ask.reading.since("plan."), ask.reading.study.plans.all)
    title = "Plans of record"
    if not found:
        words = "None yet. A forecast or scenario that is signed off is frozen here, and held against what comes."
        return Part("records", title, words)
    columns = (
        Column("Plan"),
        Column("Of"),
        Column("From"),
        Column("To"),
        Column("Promised", numeric=True),
        Column("By"),
    )
    rows = tuple(
        (
            Cell(plan.name),
            Cell(str(plan.told["of"])),
            Cell(str(plan.told["from"])),
            Cell(str(plan.told["to"])),
            _promised(plan.told["promised"]["total"]),
            Cell(plan.actor, detail=plan.at[:10]),
        )
        for plan in reversed(found)
    )
    return Part("records", title, blocks=(TableBlock(columns, rows, "", "plans.csv"),))


def _promised(total: dict[str, float]) -> Cell:
    return Cell(number(total["median"]), span(total["low"], total["high"], number), value=total["median"])
