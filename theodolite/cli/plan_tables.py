"""Plans in words and tables, for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from theodolite.cli import output
from theodolite.report.plan_words import NO_MARGIN, UNCONVERGED, cautions, proof, targeted

if TYPE_CHECKING:
    from measurement.estimate import Estimate
    from measurement.mmm.prior_predictive import PriorPredictive
    from measurement.plan.budget import Budget, Move
    from measurement.plan.flighting import Against, Flighting
    from measurement.plan.forecast import Forecast, Scenario
    from measurement.plan.response import ResponseCurves

SHOWN = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def budget(found: "Budget", period: str, with_margin: bool) -> None:
    """An advised budget: the moves, what they should bring, how sure that is, and what to be careful about."""
    by_geo = any(move.geo is not None for move in found.moves)
    columns = ["channel", *(["geo"] if by_geo else []), f"now ({found.currency})", "advised", "change"]
    columns += ["changes revenue by", "the next money returns", "sure of the direction"]
    many = len(found.horizon.dates)
    start = str(found.horizon.dates.astype("datetime64[D]")[0])
    rows = [_row(move, by_geo) for move in found.moves]
    output.table(f"Budget for {many} {period}s from {start} (median and 90 % interval)", columns, rows)
    usual = float(found.horizon.spend.sum())
    output.say(f"Now is business as usual, {found.horizon.like}: {usual:,.0f} {found.currency} in all.")
    output.say(
        f"The plan spends {found.total:,.0f} {found.currency} and should bring {span(found.revenue)} of revenue that "
        "would not be there without it."
    )
    output.say(
        f"Against business as usual: revenue {span(found.revenue_change, sign=True)}, profit "
        f"{span(found.profit_change, sign=True)}; profit rises with a probability of {found.better:.0%}."
    )
    if found.target is not None:
        output.say(targeted(found, found.target))
    output.say(proof(found))
    for line in cautions(found, with_margin):
        output.say(line, "yellow")
    if not found.converged:
        output.say(UNCONVERGED, "bold red")


def prior(found: "PriorPredictive") -> None:
    """What the priors claim, a row per channel, and what is odd about it."""
    rows = [
        [
            each.channel,
            each.about,
            span(each.yearly),
            _shares(each.share),
            "–" if each.iroas is None else output.interval(each.iroas.to_dict()),
            output.interval(each.half_life.to_dict(), 1),
        ]
        for each in found.channels
    ]
    columns = ["channel", "prior of", f"brings a year ({found.currency})", "share of the KPI", "iROAS"]
    title = "What the priors claim, before any fit (median and 90 % interval)"
    output.table(title, [*columns, f"half-life ({found.period}s)"], rows)
    output.say(
        f"All media: {_shares(found.share)} of the KPI, which is {found.kpi_yearly:,.0f} {found.currency} a year."
    )
    for line in found.cautions():
        output.say(line, "yellow")


def _shares(share: "Estimate") -> str:
    return f"{share.median:.0%} [{share.low:.0%}, {share.high:.0%}]"


def curves(found: "ResponseCurves") -> None:
    """Response and marginal curves at a few multiples of today's spend; a star marks what the data never saw."""
    rows = []
    for curve in found.channels:
        for k, at in enumerate(curve.multiples):
            if at in SHOWN:
                rows.append(
                    [
                        curve.channel if at == SHOWN[0] else "",
                        f"{at:g}x{'' if curve.seen[k] else ' *'}",
                        "–" if curve.spend is None else f"{at * curve.spend:,.0f}",
                        span(curve.revenue[k]),
                        output.interval(curve.mroas[k].to_dict()) if curve.mroas else "–",
                    ]
                )
    columns = ["channel", "of today", f"spend ({found.currency})", "brings", "the next money returns"]
    output.table(f"An average {found.period} (median and 90 % interval)", columns, rows)
    if any(not curve.seen[k] for curve in found.channels for k, at in enumerate(curve.multiples) if at in SHOWN):
        output.say(f"* No {found.period} of the data spent so little or so much: there the curve is the model's guess.")
    if not found.converged:
        output.say(UNCONVERGED, "bold red")


def flight(found: "Flighting", period: str) -> None:
    """A plan over the periods, what its timing is worth, and how sure that is."""
    names = [each.channel for each in found.flights]
    days = found.horizon.dates.astype("datetime64[D]").astype(str).tolist()
    rows = [[day, *(f"{each.spend[t]:,.0f}" for each in found.flights)] for t, day in enumerate(days)]
    rows.append(["in all", *(f"{each.total:,.0f}" for each in found.flights)])
    output.table(f"When to spend ({found.currency})", [f"{period} from", *names], rows)
    columns = ["channel", "brings", "more than evenly", "better", "more than as usual", "better", "missing at most"]
    gains = []
    for each in found.flights:
        both = [each.even, each.usual]
        cells = [cell for other in both for cell in _against(other)]
        gains.append([each.channel, span(each.revenue), *cells, f"{each.gap:.1%}"])
    output.table(f"What the timing is worth ({found.currency} of revenue, median and 90 % interval)", columns, gains)
    output.say(f"As usual is the same money in the pattern of business as usual, {found.horizon.like}.")
    output.say(
        f"All channels: {span(found.gain_even, sign=True)} against even spending (more with a probability of "
        f"{found.better_even:.0%}), {span(found.gain_usual, sign=True)} against as usual ({found.better_usual:.0%})."
    )
    rest = "spend goes on as usual" if found.after == "usual" else "nothing is spent"
    output.say(f"What the plan carries over its end counts in full, by what it adds where {rest} afterwards.")
    output.say("Missing at most: proven; no timing within the limits brings more than that share on top.")
    for words, others in (
        ("Even spending", [(each.channel, each.even) for each in found.flights]),
        ("Spending as usual", [(each.channel, each.usual) for each in found.flights]),
    ):
        broken = [name for name, other in others if other is not None and not other.allowed]
        if broken:
            output.say(f"{words} breaks the limits that the plan keeps to: {', '.join(broken)}.", "yellow")
    beyond = [each.channel for each in found.flights if each.beyond]
    if beyond:
        output.say(
            f"A {period} of the plan costs more than any {period} of the data: {', '.join(beyond)}. There the curve is "
            "the model's guess.",
            "yellow",
        )
    if not found.converged:
        output.say(UNCONVERGED, "bold red")


def _against(other: "Against | None") -> list[str]:
    return ["–", "–"] if other is None else [span(other.gain, sign=True), f"{other.better:.0%}"]


def forecast(found: "Forecast", period: str, currency: str) -> None:
    """The KPI of the periods ahead, one row each, and what the whole is made of."""
    told = found.to_dict()
    ago = found.year_ago
    rows = [
        [each["date"], span(each), *([] if ago is None else [f"{ago[t]:,.0f}"])]
        for t, each in enumerate(told["periods"])
    ]
    columns = [period, found.kpi, *([] if ago is None else ["a year ago"])]
    output.table(f"Forecast of {found.kpi}, all geos together (median and 90 % interval)", columns, rows)
    output.table(
        "What it is made of", ["part", found.kpi], [[name, span(part)] for name, part in told["terms"].items()]
    )
    before = "" if ago is None else f" A year ago it was {ago.sum():,.0f}."
    output.say(f"In all {span(found.total)}.{before}")
    output.say(f"Spend {found.horizon.like}: {found.horizon.spend.sum():,.0f} {currency}.")
    if not found.converged:
        output.say(UNCONVERGED, "bold red")


def scenario(found: "Scenario", channels: tuple[str, ...], period: str, with_margin: bool) -> None:
    """A plan beside business as usual: spend by channel, the KPI, revenue and profit, and how sure."""
    both = zip(channels, found.usual.horizon.by_channel, found.plan.horizon.by_channel, strict=True)
    rows = [
        [name, f"{now:,.0f}", f"{planned:,.0f}", "–" if now <= 0 else f"{planned / now - 1:+.0%}"]
        for name, now, planned in both
        if now > 0 or planned > 0
    ]
    many, start = len(found.plan.horizon.dates), found.plan.horizon.dates.astype("datetime64[D]")[0]
    columns = ["channel", f"business as usual ({found.currency})", "the plan", "change"]
    output.table(f"Spend in {many} {period}s from {start}", columns, rows)
    output.say(f"Business as usual, {found.usual.horizon.like}, would see {span(found.usual.total)} {found.plan.kpi}.")
    output.say(f"The plan would see {span(found.plan.total)}: {span(found.change, sign=True)} within these {period}s.")
    output.say(
        f"With its carry-over it changes revenue by {span(found.revenue_change, sign=True)} and profit by "
        f"{span(found.profit_change, sign=True)} {found.currency}."
    )
    output.say(f"Profit is higher than with business as usual with a probability of {found.better:.0%}.")
    if not with_margin:
        output.say(NO_MARGIN, "yellow")
    if not found.plan.converged:
        output.say(UNCONVERGED, "bold red")


def span(quantity: "Estimate | Mapping[str, float]", sign: bool = False) -> str:
    """``120,000 [90,000, 160,000]``."""
    found = quantity if isinstance(quantity, Mapping) else quantity.to_dict()
    plus = "+" if sign else ""
    return f"{found['median']:{plus},.0f} [{found['low']:{plus},.0f}, {found['high']:{plus},.0f}]"


def _row(move: "Move", by_geo: bool) -> list[str]:
    if move.held is not None:
        change = "held"
    elif move.sign_holds is None:
        change = "stays"
    elif move.current > 0:
        change = f"{move.advised / move.current - 1:+.0%}"
    else:
        change = "new"
    return [
        move.channel,
        *([move.geo or ""] if by_geo else []),
        f"{move.current:,.0f}",
        f"{move.advised:,.0f}",
        change,
        "–" if move.sign_holds is None else span(move.value, sign=True),
        output.interval(move.mroas_advised.to_dict()),
        "–" if move.sign_holds is None else f"{move.sign_holds:.0%}",
    ]
