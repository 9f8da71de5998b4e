"""The best split of a budget on the plan page: its limits, what it brings, and the proof of how good it is."""

from typing import TYPE_CHECKING

from theodolite.app.blocks import Actions, Block, Button, Drawer, Form, Part
from theodolite.app.blocks import Field as Entry
from theodolite.app.fields import number as number_of
from theodolite.app.pages.ask import Ask, channel_link, link, linked
from theodolite.app.pages.pieces import Piece
from theodolite.app.pages.plan_ahead import kept, signed_money
from theodolite.report.page import Cell, ChartBlock, Column, Fact, Facts, Points, Prose, TableBlock
from theodolite.report.plan_words import cautions, proof
from theodolite.report.words import NOTHING, chance, money, number, percent, ratio, span

if TYPE_CHECKING:
    from measurement.plan.budget import Budget, Move

AIMS = (
    ("mean", "the expected profit"),
    ("worst", "the profit of the worst tenth of cases"),
    ("cautious", "the profit less its uncertainty"),
)
OWN = ("total", "at_most", "otherwise", "iroas", "aim")


def piece(ask: Ask, periods: int) -> Piece:
    """The best split within the limits that the page is asked for: what it spends, brings and changes."""
    name = ("budget", periods, *sorted((name, text) for name, text in ask.query.items() if _limits(name)))
    form = Drawer("Change the budget and its limits", (_form(ask, periods),), open="total" in ask.query)
    part = Part("optimum", "The best split")
    return Piece(part, "Working out the best split", name, lambda: _told(ask, periods), before=(form,))


def _limits(name: str) -> bool:
    """Whether a field of the address says what the best split is asked for."""
    return name in OWN or (name.startswith("bound") and name[5:].isdecimal())


def _made(ask: Ask, periods: int) -> "Budget":
    bounds = {
        name: text
        for i, name in enumerate(ask.reading.panel.channels)
        if (text := ask.query.get(f"bound{i}", "").strip())
    }
    return ask.reading.study.budget(
        number_of(ask.query, "total", "the total"),
        periods=periods,
        at_most=ask.query.get("at_most") == "yes",
        bounds=bounds,
        otherwise=ask.query.get("otherwise", "").strip() or "0.5:1.5",
        iroas=number_of(ask.query, "iroas", "the least return"),
        aim=ask.query.get("aim", "mean") or "mean",
    )


def _told(ask: Ask, periods: int) -> tuple[Block, ...]:
    made = _made(ask, periods)
    currency, with_margin = made.currency, ask.reading.config.study.margin is not None
    usual = float(made.horizon.spend.sum())
    facts = Facts(
        (
            Fact("The plan spends", money(made.total, currency), f"business as usual: {money(usual, currency)}"),
            Fact("It should bring", *signed_money(made.revenue, currency)),
            Fact("Profit against as usual", *signed_money(made.profit_change, currency, sign=True)),
            Fact("Chance of more profit", chance(made.better), "than with business as usual"),
            Fact("Another split is better by", _bound(made), "proven for every split within the limits"),
        )
    )
    chart = ChartBlock(
        made.chart().to_dict(validate=False),
        title="Now and advised, and what moving brings",
        caption="The pale bar shows where nine of ten draws of the model would put the money: how firm the advice is.",
        height=90 + 30 * len(made.moves),
        file="budget.csv",
        least=640,
    )
    to = {name: channel_link(name) for name in ask.reading.panel.channels}
    points = Points((proof(made), *cautions(made, with_margin)))
    take = Actions((Button("Take this split into the sliders", _sliders(made, ask, periods)),))
    now = Prose((f"Now is business as usual, {made.horizon.like}.",))
    return now, facts, linked(_moves(made), to), take, chart, points


def _bound(made: "Budget") -> str:
    return f"under {percent(0.001, 1)}" if made.gap < 0.001 else f"at most {percent(made.gap, 1)}"


def _sliders(made: "Budget", ask: Ask, periods: int) -> str:
    """The scenario of this split: its multiples of business as usual, in whole percent."""
    moves = {move.channel: move for move in made.moves if move.current > 0}
    shares = {
        f"share{i}": f"{100 * moves[name].advised / moves[name].current:.0f}"
        for i, name in enumerate(ask.reading.panel.channels)
        if name in moves
    }
    own = {name: value for name, value in ask.query.items() if _limits(name)}
    return link("/plan", **own | {"periods": str(periods)} | shares) + "#scenario"


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
    words = (
        "held"
        if move.held
        else "stays"
        if stays
        else "new"
        if change is None
        else f"{'+' if change > 0 else ''}{percent(change)}"
    )
    value, following = move.value, move.mroas_advised
    nothing = Cell(NOTHING, tone="muted")
    return (
        Cell(move.channel, detail=move.held or ""),
        Cell(number(move.current), value=move.current),
        Cell(number(move.advised), value=move.advised),
        Cell(words, value=change),
        nothing if stays else Cell(number(value.median), span(value.low, value.high, number), value=value.median),
        Cell(ratio(following.median), span(following.low, following.high), value=following.median),
        nothing if move.sign_holds is None else Cell(chance(move.sign_holds), value=move.sign_holds),
    )


def _form(ask: Ask, periods: int) -> Form:
    panel, query = ask.reading.panel, ask.query
    limit = "0.8:1.2 times as usual, or money as in 10000" + panel.currency + ":50000" + panel.currency
    fields = (
        *kept(ask, "share"),
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
