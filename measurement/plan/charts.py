"""Charts of plans, in Altair, from tidy frames with fixed field names; colours as in `measurement.charts`."""

import altair as alt
import pandas as pd

from measurement.charts import ACCENT, DATES, MUTED, SOURCES, Layers

NOW, ADVISED = "Now", "Advised"


def budget_moves(frame: pd.DataFrame, money: str) -> alt.HConcatChart:
    """Spend now and advised on the left, what moving brings on the right; one row per channel (and geo).

    The thin bar behind an advised spend is where 90 % of the draws' own best plans lie: how firm the advice is.

    Args:
        frame: ``channel, geo, current, advised, own_low, own_high, value_low, value_median, value_high`` in money, and
            ``extrapolates``.
        money: Unit of money.
    """
    named = frame["channel"].where(frame["geo"] == "", frame["channel"] + ", " + frame["geo"])
    drawn = frame.assign(item=named)
    points = pd.concat(
        [drawn.assign(what=what, spend=drawn[column]) for what, column in ((NOW, "current"), (ADVISED, "advised"))]
    )
    rows = alt.Y("item:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    height = alt.Step(30)
    x = alt.X("spend:Q", title=f"Spend ({money})", axis=alt.Axis(format="~s", tickCount=5))
    bars = alt.Chart(drawn).mark_rule(color=ACCENT, strokeWidth=6, opacity=0.25)
    moves = alt.Chart(drawn).mark_rule(color=MUTED, strokeWidth=1)
    kinds = [NOW, ADVISED]
    marks = (
        alt.Chart(points)
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            y=rows,
            x=x,
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=kinds, range=[MUTED, ACCENT]),
                legend=alt.Legend(orient="top"),
            ),
            shape=alt.Shape("what:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "diamond"])),
            tooltip=_tips({"item": "Channel", "what": "What"}, {"spend": f"Spend ({money})"}),
        )
    )
    left = alt.layer(
        bars.encode(y=rows, x=alt.X("own_low:Q", title=f"Spend ({money})"), x2="own_high:Q"),
        moves.encode(y=rows, x="current:Q", x2="advised:Q"),
        marks,
    ).properties(width=300, height=height)
    hidden = alt.Y("item:N", title=None, sort=None, axis=alt.Axis(labels=False, ticks=False, domain=False))
    change = alt.X("value_low:Q", title=f"Change of revenue ({money})", axis=alt.Axis(format="~s", tickCount=5))
    base = alt.Chart(drawn).encode(y=hidden)
    values = {"value_median": "Change of revenue", "value_low": "Low", "value_high": "High"}
    right = alt.layer(
        alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="at:Q"),
        base.mark_rule(color=ACCENT, strokeWidth=1.6).encode(x=change, x2="value_high:Q"),
        base.mark_point(filled=True, color=ACCENT, size=60, opacity=1).encode(
            x="value_median:Q", tooltip=_tips({"item": "Channel"}, values)
        ),
    ).properties(width=260, height=height)
    both: alt.HConcatChart = alt.hconcat(left, right).resolve_scale(y="shared")
    return both


def response_and_margin(frame: pd.DataFrame, money: str, period: str) -> alt.VConcatChart:
    """Per channel what spend brings, and what the next money returns; dashed and pale outside what the data hold.

    Args:
        frame: ``channel, multiple, spend, low, median, high`` (money per period), ``mroas_low, mroas_median,
            mroas_high`` and ``seen``.
        money: Unit of money.
        period: Cadence.
    """
    rows = []
    for name, part in frame.groupby("channel", sort=False):
        brings = _curve(part, ("low", "median", "high"), f"Brings ({money} a {period})", money, period, "~s")
        margin = _curve(part, ("mroas_low", "mroas_median", "mroas_high"), "Next money returns", money, period, ".1f")
        rows.append(alt.hconcat(brings.properties(title=_literal(str(name))), margin))
    stacked: alt.VConcatChart = alt.vconcat(*rows)
    return stacked


def _curve(
    frame: pd.DataFrame, fields: tuple[str, str, str], title: str, money: str, period: str, shape: str
) -> Layers:
    low, median, high = fields
    x = alt.X("spend:Q", title=f"Spend ({money} a {period})", axis=alt.Axis(format="~s", tickCount=5))
    y = alt.Y(f"{low}:Q", title=title, axis=alt.Axis(format=shape, tickCount=5))
    base = alt.Chart(frame).encode(x=x)
    seen = base.transform_filter(alt.datum.seen)
    now = alt.Chart(frame[frame["multiple"] == 1.0]).mark_point(filled=True, size=70, color=MUTED, opacity=1)
    numbers = {"spend": f"Spend ({money})", median: title, low: "Low", high: "High"}
    tips = [alt.Tooltip(f"{field}:Q", title=words, format=",.2f") for field, words in numbers.items()]
    layers = [
        base.mark_area(color=ACCENT, opacity=0.10).encode(y=y, y2=f"{high}:Q"),
        seen.mark_area(color=ACCENT, opacity=0.16).encode(y=y, y2=f"{high}:Q"),
        base.mark_line(color=ACCENT, strokeDash=[4, 3], strokeWidth=1.2).encode(y=f"{median}:Q"),
        seen.mark_line(color=ACCENT, strokeWidth=2).encode(y=f"{median}:Q"),
        now.encode(x=x, y=f"{median}:Q", tooltip=tips),
    ]
    return alt.layer(*layers).properties(width=280, height=150)


def _literal(text: str) -> alt.TitleParams:
    """A name as a title; in an array it is no expression and no line is broken."""
    return alt.TitleParams([text], anchor="start", fontSize=12)


def forecast_band(frame: pd.DataFrame, past: pd.DataFrame | None, kpi: str) -> Layers:
    """The forecast with its 90 % interval, after what happened.

    Args:
        frame: ``date, low, median, high`` and perhaps ``year_ago``, in units of the KPI.
        past: ``date, actual``.
        kpi: Name of the KPI.
    """
    base = alt.Chart(frame, width=680, height=260).encode(x=DATES)
    y = alt.Y("low:Q", title=_one_line(kpi), axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    names = {"median": "Forecast", "low": "Low", "high": "High"}
    tips = [alt.Tooltip("date:T", title="Period"), *_tips({}, names)]
    layers = [
        base.mark_area(color=ACCENT, opacity=0.2).encode(y=y, y2="high:Q"),
        base.mark_line(color=ACCENT, strokeWidth=2).encode(y="median:Q"),
        base.mark_point(color=ACCENT, filled=True, size=18).encode(y="median:Q", tooltip=tips),
    ]
    if past is not None:
        layers.append(alt.Chart(past).mark_line(color=MUTED, strokeWidth=1.4).encode(x=DATES, y="actual:Q"))
    return alt.layer(*layers)


def against_plan(frame: pd.DataFrame, money: pd.DataFrame, kpi: str, currency: str) -> alt.VConcatChart:
    """What a plan promised, with its 90 % interval, and what came; below, each channel's money beside its plan.

    Args:
        frame: ``date, low, median, high`` of every period, and ``actual, outside`` of those that have come.
        money: ``channel, planned, actual`` in the periods that have come.
        kpi: Name of the KPI.
        currency: Unit of money.
    """
    kinds = ["Promised", "Came"]
    came_colour = SOURCES["experiments"].colour
    colours = alt.Scale(domain=kinds, range=[ACCENT, came_colour])
    legend = alt.Legend(orient="top")
    names = {"median": "Promised", "low": "Low", "high": "High", "actual": "Came"}
    tips = [alt.Tooltip("date:T", title="Period"), *_tips({}, names)]
    days = alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b %y", labelOverlap=True, labelSeparation=8))
    base = alt.Chart(frame, width=680, height=240).encode(x=days)
    y = alt.Y("low:Q", title=_one_line(kpi), axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    came = frame[frame["actual"].notna()]
    told = pd.concat(
        [frame.assign(what=kinds[0], value=frame["median"]), came.assign(what=kinds[1], value=came["actual"])]
    )
    colour = alt.Color("what:N", title=None, scale=colours, legend=legend)
    lines = alt.Chart(told).encode(x=days, y="value:Q", color=colour)
    odd = came[came["outside"]]
    top = alt.layer(
        base.mark_area(color=ACCENT, opacity=0.2).encode(y=y, y2="high:Q"),
        lines.mark_line(strokeWidth=2),
        lines.mark_point(filled=True, size=30, opacity=1).encode(tooltip=tips),
        alt.Chart(odd)
        .mark_point(size=160, strokeWidth=2, color=came_colour, fillOpacity=0)
        .encode(x=days, y="actual:Q"),
    ).properties(title=_literal("What the plan promised (90 % interval) and what came; a ring: outside the interval"))
    both = pd.concat(
        [money.assign(what=what, spend=money[column]) for what, column in ((kinds[0], "planned"), (kinds[1], "actual"))]
    )
    rows = alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    axis = alt.Axis(format="~s", tickCount=6, labelOverlap=True)
    x = alt.X("spend:Q", title=f"Spend in the periods that have come ({currency})", axis=axis)
    tips = _tips({"channel": "Channel", "what": "What"}, {"spend": f"Spend ({currency})"})
    bottom = alt.layer(
        alt.Chart(money).mark_rule(color=MUTED).encode(y=rows, x=alt.X("planned:Q"), x2="actual:Q"),
        alt.Chart(both).mark_point(filled=True, size=80, opacity=1).encode(y=rows, x=x, color=colour, tooltip=tips),
    ).properties(width=680, height=alt.Step(26), title=_literal("What was planned to be spent, and what was spent"))
    stacked: alt.VConcatChart = alt.vconcat(top, bottom)
    return stacked


def change_band(frame: pd.DataFrame, kpi: str) -> Layers:
    """What a plan changes period by period, with its 90 % interval.

    Args:
        frame: ``date, low, median, high`` in units of the KPI.
        kpi: Name of the KPI.
    """
    days = alt.X("date:T", title=None, axis=alt.Axis(format="%-d %b %Y", labelOverlap=True, tickCount=7))
    base = alt.Chart(frame, width=680, height=220).encode(x=days)
    y = alt.Y("low:Q", title=["Change", kpi], axis=alt.Axis(format="~s"))
    names = {"median": "Change", "low": "Low", "high": "High"}
    tips = [alt.Tooltip("date:T", title="Period"), *_tips({}, names)]
    return alt.layer(
        alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="at:Q"),
        base.mark_area(color=ACCENT, opacity=0.2).encode(y=y, y2="high:Q"),
        base.mark_line(color=ACCENT, strokeWidth=2).encode(y="median:Q"),
        base.mark_point(color=ACCENT, filled=True, size=24).encode(y="median:Q", tooltip=tips),
    )


def flights(frame: pd.DataFrame, money: str) -> alt.VConcatChart:
    """When each channel spends: bars of the plan, a line for even spending, a dashed one for business as usual.

    Args:
        frame: ``date, channel, what, spend``, ``what`` being "planned", "evenly" or "as usual".
        money: Unit of money.
    """
    days = frame["date"].drop_duplicates()
    ticks = [alt.DateTime(year=d.year, month=d.month, date=d.day) for d in days.iloc[:: -(-len(days) // 13)]]
    axis = alt.Axis(format="%-d %b", values=ticks, labelOverlap=True, grid=False)
    x = alt.X("date:T", title=None, axis=axis, scale=alt.Scale(padding=24))
    y = alt.Y("spend:Q", title=f"Spend ({money})", axis=alt.Axis(format="~s", tickCount=4))
    dashes = alt.StrokeDash(
        "what:N",
        title="The same money spent",
        scale=alt.Scale(domain=["evenly", "as usual"], range=[[1, 0], [4, 3]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=MUTED),
    )
    rows = []
    for name, part in frame.groupby("channel", sort=False):
        planned, others = part[part["what"] == "planned"], part[part["what"] != "planned"]
        tips = [alt.Tooltip("date:T", title="From"), alt.Tooltip("spend:Q", title=f"Planned ({money})", format=",.0f")]
        width = max(2.0, 440.0 / max(len(planned), 1))
        bars = alt.Chart(planned).mark_bar(color=ACCENT, opacity=0.55, width=width).encode(x=x, y=y, tooltip=tips)
        lines = alt.Chart(others).mark_line(color=MUTED, strokeWidth=1.8).encode(x=x, y=y, strokeDash=dashes)
        rows.append(alt.layer(bars, lines).properties(width=640, height=120, title=_literal(str(name))))
    stacked: alt.VConcatChart = alt.vconcat(*rows)
    return stacked


def _one_line(text: str) -> list[str]:
    """A name in an array is drawn as it is."""
    return [text]


def _tips(names: dict[str, str], numbers: dict[str, str]) -> list[alt.Tooltip]:
    texts = [alt.Tooltip(f"{field}:N", title=title) for field, title in names.items()]
    return [*texts, *(alt.Tooltip(f"{field}:Q", title=title, format=",.0f") for field, title in numbers.items())]
