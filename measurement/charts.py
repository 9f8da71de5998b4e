"""Charts of the data and of the model, in Altair, from tidy frames with fixed field names.

The colours and markers that every chart of the house uses for a *source* of evidence live here too, on the ground
floor. Channel and market names are only ever values of a frame: no field, title or expression is built from them.
Colours are middle tones (contrast of at least 3 to 1 on white and on near-black) after Okabe and Ito's set for
colour-blind readers (https://jfly.uni-koeln.de/color/), so that a chart reads on a light and on a dark page.
Fonts, axes and the palette of channels come from the page's theme and are not set here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd


@dataclass(frozen=True, slots=True)
class Source:
    """How a source of evidence is drawn.

    Attributes:
        label: Its name for readers.
        colour: Hex colour.
        shape: Vega point shape, so that colour is not the only sign.
    """

    label: str
    colour: str
    shape: str


SOURCES: dict[str, Source] = {
    "unified": Source("Unified view", "#2f74b5", "diamond"),
    "mmm": Source("Model without tests", "#8a8f98", "circle"),
    "mmm_calibrated": Source("Model with tests", "#3a9480", "circle"),
    "experiments": Source("Lift tests", "#cf6239", "square"),
    "attribution": Source("Attribution", "#a06bb0", "triangle-up"),
    "platform": Source("Platform reports", "#ab8420", "triangle-down"),
    "truth": Source("Known truth", "#5c6673", "stroke"),
}
type Layers = alt.LayerChart | alt.FacetChart

MUTED = "#8a8f98"
CHANNELS = (  # after Okabe and Ito, neighbours told apart by lightness as well as by hue; a longer list starts again
    "#2f74b5", "#cf6239", "#3a9480", "#ab8420", "#a06bb0", "#4a9cc2",
    "#b5496b", "#6f8f3a", "#7a6fd0", "#9c6b4e", "#5f8a99", "#bf7fa5",
)  # fmt: skip
ACCENT = SOURCES["unified"].colour
FIT = alt.AutoSizeParams(type="fit-x", contains="padding")  # as wide as the page, as high as its rows
DATES = alt.X("date:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, tickCount=8))


def source_colour(sources: Sequence[str]) -> alt.Scale:
    """The colour scale of the named sources, over their labels (`SOURCES`)."""
    known = [SOURCES[name] for name in sources]
    return alt.Scale(domain=[s.label for s in known], range=[s.colour for s in known])


def source_shape(sources: Sequence[str]) -> alt.Scale:
    """The point shapes of the named sources, over their labels (`SOURCES`)."""
    known = [SOURCES[name] for name in sources]
    return alt.Scale(domain=[s.label for s in known], range=[s.shape for s in known])


def spend_calendar(frame: pd.DataFrame, money: str) -> alt.Chart:
    """When each channel spent: one row per channel, darker where it spent more of its own maximum.

    Args:
        frame: ``date``, ``end`` (first day of the next period), ``channel``, ``spend`` (money), ``share`` (of
            the channel's largest period, 0 to 1).
        money: Unit of the spend, for the tooltip.
    """
    chart: alt.Chart = (
        alt.Chart(frame, width="container", height=alt.Step(22), autosize=FIT)
        .mark_bar(clip=True)
        .encode(
            x=DATES,
            x2="end:T",
            y=alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False)),
            color=alt.Color(
                "share:Q",
                title="Share of its maximum",
                scale=alt.Scale(domain=[0, 1], range=["#2f74b512", "#2f74b5"]),
                legend=alt.Legend(format=".0%", orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("channel:N", title="Channel"),
                alt.Tooltip("date:T", title="From"),
                alt.Tooltip("spend:Q", title=f"Spend ({money})", format=",.0f"),
            ],
        )
    )
    return chart


def fit(frame: pd.DataFrame, unit: str) -> Layers:
    """What the model says against what happened.

    Args:
        frame: ``date``, ``actual``, ``fitted`` (median), ``low``, ``high`` (90 % interval), all in ``unit``.
        unit: Unit of the outcome.
    """
    base = alt.Chart(frame, width="container", height=240).encode(x=DATES)
    value = alt.Y("low:Q", title=unit, axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    tips = [alt.Tooltip("date:T", title="Period")]
    tips += [
        alt.Tooltip(f"{field}:Q", title=title, format=",.0f")
        for field, title in (("actual", "Actual"), ("fitted", "Model"), ("low", "Low"), ("high", "High"))
    ]
    band = base.mark_area(opacity=0.25, color=ACCENT).encode(y=value, y2="high:Q")
    line = base.mark_line(color=ACCENT, strokeWidth=1.5).encode(y="fitted:Q")
    dots = base.mark_point(filled=True, size=14, opacity=0.9).encode(y="actual:Q", tooltip=tips)
    return alt.layer(band, line, dots)


def decomposition(frame: pd.DataFrame, unit: str, parts: Sequence[str]) -> alt.Chart:
    """Where the outcome came from, period by period: the baseline, then each channel stacked on it.

    Args:
        frame: ``date``, ``part``, ``value`` (median, in ``unit``), ``order`` (0 for the lowest layer).
        unit: Unit of the outcome.
        parts: The parts from the bottom up, the baseline first.
    """
    palette = ["#8a8f9859", *(CHANNELS[i % len(CHANNELS)] for i in range(len(parts) - 1))]
    colours = alt.Scale(domain=list(parts), range=palette)
    chart: alt.Chart = (
        alt.Chart(frame, width="container", height=260)
        .mark_area(opacity=0.85)
        .encode(
            x=DATES,
            y=alt.Y("value:Q", title=unit, stack=True, axis=alt.Axis(format="~s")),
            color=alt.Color("part:N", title=None, scale=colours, legend=alt.Legend(orient="bottom")),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("part:N", title="Part"),
                alt.Tooltip("date:T", title="Period"),
                alt.Tooltip("value:Q", title=unit, format=",.0f"),
            ],
        )
    )
    return chart


def contributions(frame: pd.DataFrame) -> Layers:
    """Each channel's share of the outcome over the whole panel, with its interval.

    Args:
        frame: ``channel``, ``median``, ``low``, ``high``: shares of the outcome, 0 to 1.
    """
    base = alt.Chart(frame, width="container", height=alt.Step(26)).encode(
        y=alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False)),
        tooltip=[
            alt.Tooltip("channel:N", title="Channel"),
            *(alt.Tooltip(f"{f}:Q", title=f.capitalize(), format=".1%") for f in ("median", "low", "high")),
        ],
    )
    share = alt.X("median:Q", title="Share of the outcome", axis=alt.Axis(format="~%", tickCount=6))
    bars = base.mark_bar(color=ACCENT, opacity=0.35, height=14).encode(x=share)
    whiskers = base.mark_rule(color=ACCENT, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    dots = base.mark_point(filled=True, color=ACCENT, size=36).encode(x="median:Q")
    return alt.layer(bars, whiskers, dots, autosize=FIT)


def claims(frame: pd.DataFrame, money: str) -> Layers:
    """What each channel brings in a year before any data are seen, with its 90 % interval, on a logarithmic scale.

    Args:
        frame: ``channel, low, median, high`` in money.
        money: Its unit.
    """
    base = alt.Chart(frame, width=520, height=alt.Step(26)).encode(
        y=alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220)),
        tooltip=[
            alt.Tooltip("channel:N", title="Channel"),
            *(alt.Tooltip(f"{f}:Q", title=f.capitalize(), format=",.0f") for f in ("low", "median", "high")),
        ],
    )
    x = alt.X(
        "low:Q", title=f"Brings a year, by its prior ({money})", scale=alt.Scale(type="log", nice=False, padding=12)
    )
    axis = alt.Axis(format="~s", tickCount=4)
    spans = base.mark_rule(color=ACCENT, strokeWidth=2).encode(x=x.axis(axis), x2="high:Q")
    return alt.layer(spans, base.mark_point(filled=True, color=ACCENT, size=60, opacity=1).encode(x="median:Q"))


def response_curves(frame: pd.DataFrame, now: pd.DataFrame, money: str) -> alt.FacetChart:
    """What more or less spend would bring, channel by channel; dashed and pale beyond what was ever spent.

    Args:
        frame: ``channel``, ``spend``, ``median``, ``low``, ``high`` (money per period) and ``seen``, true inside the
            range of spend that the data hold. Channels are drawn in the order in which they first occur.
        now: ``channel``, ``spend``, ``median``: the average period of today.
        money: Unit of both axes.
    """
    both = pd.concat([frame.assign(now=False), now.assign(now=True, seen=True)])
    both["order"] = pd.factorize(both["channel"])[0]
    x = alt.X("spend:Q", title=f"Spend per period ({money})", axis=alt.Axis(format="~s", tickCount=4))
    y = alt.Y("low:Q", title=f"Brings per period ({money})", axis=alt.Axis(format="~s", tickCount=4))
    curve = alt.Chart().transform_filter(~alt.datum.now).encode(x=x)
    seen = alt.datum.seen
    band = curve.mark_area(color=ACCENT).encode(y=y, y2="high:Q", opacity=alt.value(0.12))
    firm = band.transform_filter(seen).encode(opacity=alt.value(0.16))
    line = curve.mark_line(color=ACCENT, strokeDash=[4, 3], strokeWidth=1.2).encode(y="median:Q")
    solid = curve.mark_line(color=ACCENT, strokeWidth=2).transform_filter(seen).encode(y="median:Q")
    point = (
        alt.Chart()
        .transform_filter(alt.datum.now)
        .mark_point(filled=True, size=70, color=SOURCES["experiments"].colour)
        .encode(
            x="spend:Q",
            y="median:Q",
            tooltip=[
                alt.Tooltip("channel:N", title="Channel"),
                alt.Tooltip("spend:Q", title=f"Spend today ({money})", format=",.0f"),
                alt.Tooltip("median:Q", title=f"Brings ({money})", format=",.0f"),
            ],
        )
    )
    chart: alt.FacetChart = (
        alt.layer(band, firm, line, solid, point, data=both)
        .properties(width=240, height=150)
        .facet(facet=alt.Facet("channel:N", title=None, sort=alt.EncodingSortField("order", op="min")), columns=3)
        .resolve_scale(x="independent", y="independent")
    )
    return chart


def effect_over_time(frame: pd.DataFrame) -> alt.FacetChart:
    """How the effect of the same spend changed, channel by channel, with its interval; 1 is the panel's average.

    Args:
        frame: ``channel``, ``quarter``, ``relative_low``, ``relative_median``, ``relative_high`` and the same of
            ``iroas``. Channels are drawn in the order in which they first occur.
    """
    tips = [alt.Tooltip("channel:N", title="Channel"), alt.Tooltip("quarter:T", title="Quarter from")]
    tips += [
        alt.Tooltip(f"{name}_{end}:Q", title=f"{title}, {end}", format=".2f")
        for name, title in (("relative", "Effect"), ("iroas", "iROAS"))
        for end in ("median", "low", "high")
    ]
    quarter = alt.X("quarter:T", title=None, axis=alt.Axis(format="%b %y", labelOverlap=True, tickCount=4))
    effect = alt.Y(
        "relative_low:Q", title="Effect, average = 1", axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=False)
    )
    base = alt.Chart().encode(x=quarter, tooltip=tips)
    average = alt.Chart().mark_rule(color=MUTED, strokeDash=[4, 3]).encode(y=alt.datum(1.0))
    band = base.mark_area(color=ACCENT, opacity=0.16).encode(y=effect, y2="relative_high:Q")
    line = base.mark_line(color=ACCENT, strokeWidth=2, point=alt.OverlayMarkDef(color=ACCENT)).encode(
        y="relative_median:Q"
    )
    ordered = frame.assign(order=pd.factorize(frame["channel"])[0])
    chart: alt.FacetChart = (
        alt.layer(average, band, line, data=ordered)
        .properties(width=240, height=150)
        .facet(facet=alt.Facet("channel:N", title=None, sort=alt.EncodingSortField("order", op="min")), columns=3)
    )
    return chart
