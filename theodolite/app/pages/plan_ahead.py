"""Scenarios by sliders and the forecast on the plan page, and the way to make either a plan of record."""

from dataclasses import replace
from typing import TYPE_CHECKING

from measurement.errors import DataError, Problem, shown
from measurement.plan.budget import quarter
from measurement.plan.horizon import business_as_usual
from theodolite import plans
from theodolite.app.blocks import Block, Drawer, Form, Part
from theodolite.app.blocks import Field as Entry
from theodolite.app.fields import number as number_of
from theodolite.app.pages.ask import Ask
from theodolite.app.pages.pieces import Piece
from theodolite.app.plan_steps import RECORDS
from theodolite.keys import may
from theodolite.report.page import ChartBlock, Fact, Facts, Prose
from theodolite.report.words import chance, money, number, span

if TYPE_CHECKING:
    from measurement.estimate import Estimate
    from measurement.plan.forecast import Forecast, Scenario

LONGEST = 1_000
BUDGET = ("total", "at_most", "otherwise", "iroas", "aim", "bound")
"""Beginnings of the names of what the best split is asked for."""


def periods_of(ask: Ask) -> int:
    """How many periods are planned.

    Raises:
        DataError: Where that is no number.
    """
    found = number_of(ask.query, "periods", "the number of periods")
    if found is None:
        return quarter(ask.reading.panel)
    if not found.is_integer() or not 1 <= found <= LONGEST:
        words = f"the number of periods: found {found:g}, expected a whole number from 1 to {LONGEST}"
        raise DataError([Problem(words, code="periods")])
    return int(found)


def kept(ask: Ask, *names: str) -> tuple[Entry, ...]:
    """What the page was asked for besides a form's own fields, so that sending the form does not lose it.

    Args:
        ask: The request.
        names: Beginnings of the names of these fields.
    """
    return tuple(
        Entry(name, "", "hidden", value) for name, value in ask.query.items() if name.startswith(names) and value
    )


def made(ask: Ask) -> "Forecast | Scenario":
    """What the form of a plan asks for: the scenario of its sliders, or the forecast where none was moved."""
    periods, multiples = periods_of(ask), multiples_of(ask)
    return scenario_of(ask, periods, multiples) if multiples else forecast_of(ask, periods)


def signed_money(found: "Estimate", currency: str, sign: bool = False) -> tuple[str, str]:
    """An amount and its interval, in words."""
    plus = "+" if sign and found.median > 0 else ""
    return f"{plus}{money(found.median, currency)}", span(found.low, found.high, lambda x: money(x, currency))


def multiples_of(ask: Ask) -> dict[str, float]:
    """What the sliders say: per channel its multiple of business as usual, where it is not 1."""
    found = {}
    for i, name in enumerate(ask.reading.panel.channels):
        share = number_of(ask.query, f"share{i}", f"the spend of {shown(name)}")
        if share is not None and share != 100.0:
            found[name] = share / 100.0
    return found


def scenario_of(ask: Ask, periods: int, multiples: dict[str, float]) -> "Scenario":
    """What these multiples would change."""
    reading = ask.reading
    name = ("scenario", periods, tuple(sorted(multiples.items())))
    frame = plans.scaled(reading.panel, periods, multiples)
    return reading.kept(name, reading.of_fit, lambda: reading.study.scenario(frame))


def scenario(ask: Ask, periods: int) -> Piece | Part:
    """Sliders, and what they would bring; the sliders alone where none was moved."""
    multiples = multiples_of(ask)
    form = _sliders(ask, periods, multiples)
    lead = "Move each channel against business as usual: 100 % leaves it as it is. What you see can be made a plan."
    part = Part("scenario", "A scenario of your own", lead)
    if not multiples:
        return replace(part, blocks=(form,))
    return Piece(
        part,
        "Working out what this would bring",
        ("scenario", periods, *sorted(multiples.items())),
        lambda: _scenario(scenario_of(ask, periods, multiples)),
        before=(form,),
        after=_draft(ask, periods, multiples),
    )


def _sliders(ask: Ask, periods: int, multiples: dict[str, float]) -> Form:
    panel = ask.reading.panel
    usual = business_as_usual(panel, periods).by_channel
    moves = tuple(
        Entry(
            f"share{i}",
            name,
            "range",
            f"{100 * multiples.get(name, 1.0):g}",
            unit=f"as usual {money(float(usual[i]), panel.currency)}",
            limits=("0", f"{max(200.0, 100 * multiples.get(name, 1.0)):.0f}", "1"),
            money=round(float(usual[i]), 2),
        )
        for i, name in enumerate(panel.channels)
    )
    fields = (*kept(ask, *BUDGET), Entry("periods", "", "hidden", str(periods)), *moves)
    return Form("/plan#scenario", fields, "See what it would bring", "get", key="scenario", currency=panel.currency)


def _scenario(found: "Scenario") -> tuple[Block, ...]:
    change = float(found.plan.horizon.spend.sum() - found.usual.horizon.spend.sum())
    facts = Facts(
        (
            Fact("Spend", f"{'+' if change > 0 else ''}{money(change, found.currency)}", "against business as usual"),
            Fact("Revenue", *signed_money(found.revenue_change, found.currency, sign=True)),
            Fact("Profit", *signed_money(found.profit_change, found.currency, sign=True)),
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
    return facts, chart


# -- the forecast -----------------------------------------------------------------------------------------------------


def forecast_of(ask: Ask, periods: int) -> "Forecast":
    """The KPI of the periods ahead under business as usual."""
    reading = ask.reading
    return reading.kept(("forecast", periods), reading.of_fit, lambda: reading.study.forecast(periods))


def forecast(ask: Ask, periods: int) -> Piece:
    """The forecast under business as usual."""
    return Piece(
        Part("forecast", "What is to come"),
        "Working out what is to come",
        ("forecast", periods),
        lambda: _outlook(ask, forecast_of(ask, periods)),
        after=_draft(ask, periods, {}),
    )


def _outlook(ask: Ask, found: "Forecast") -> tuple[Block, ...]:
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
    return Prose((lead,)), chart


# -- into a plan ------------------------------------------------------------------------------------------------------


def _draft(ask: Ask, periods: int, multiples: dict[str, float]) -> tuple[Block, ...]:
    if not may(ask.who.role, RECORDS):
        return ()
    shares = tuple(
        Entry(f"share{i}", "", "hidden", f"{100 * multiples[name]:g}")
        for i, name in enumerate(ask.reading.panel.channels)
        if name in multiples
    )
    fields = (
        Entry("periods", "", "hidden", str(periods)),
        *shares,
        Entry("name", "Name of the plan", "text", "", "used once, and never changed", required=True),
    )
    what = "scenario" if multiples else "forecast"
    form = Form("/plan/record", fields, "Record it as a draft", key=f"record-{what}")
    return (Drawer(f"Make this {what} a plan of record", (form,)),)
