"""Charts of a view's cells and campaigns, in Altair, from the frames of `calibration.part_frames`.

Names are only ever values.
"""

import altair as alt
import pandas as pd

from calibration.ratio_charts import axis_x, axis_y, break_even_line, domain, named_rows, placed, tips, unit_of
from measurement.charts import ACCENT, FIT, MUTED, SOURCES, Layers

CUTS, RAISES = SOURCES["experiments"].colour, SOURCES["unified"].colour
ROW = 15


def over_time(frame: pd.DataFrame, break_even: float, columns: int = 3) -> alt.FacetChart:
    """The unified return of each channel, stretch by stretch of time, all markets together.

    Args:
        frame: `part_frames.cells`; the rows of all markets together are drawn.
        break_even: iROAS at which the margin just pays.
        columns: Small charts in a row.
    """
    drawn = placed(frame[frame["market"] == ""]).assign(even=break_even)
    scale, unit = domain([drawn], break_even), unit_of(frame)
    base = alt.Chart().encode(
        x=alt.X("start:T", title=None, axis=alt.Axis(format="%b %y", labelOverlap=True, tickCount=5)), x2="until:T"
    )
    line = alt.Chart().mark_rule(strokeDash=[5, 4], color=MUTED).encode(y=axis_y("even", scale, unit))
    spans = base.mark_bar(opacity=0.22, color=ACCENT).encode(y=axis_y("from", scale, unit), y2="to:Q")
    named = [("channel:N", "Channel"), ("start:T", "From")]
    middle = base.mark_rule(strokeWidth=2.5, color=ACCENT).encode(
        y=axis_y("shown", scale, unit),
        tooltip=[*tips(named, ".2f"), alt.Tooltip("pays:Q", title="Chance that it pays", format=".0%")],
    )
    chart: alt.FacetChart = (
        alt.layer(line, spans, middle, data=drawn)
        .properties(width=230, height=130)
        .facet(facet=alt.Facet("channel:N", title=None, sort=None), columns=min(columns, drawn["channel"].nunique()))
        .resolve_axis(x="independent")
    )
    return chart


def by_market(frame: pd.DataFrame, columns: int = 2) -> alt.FacetChart:
    """Where and when each channel paid: the chance that a market's return exceeds break-even, stretch by stretch.

    Args:
        frame: `part_frames.cells`; the rows of single markets are drawn.
        columns: Charts in a row.
    """
    drawn = frame[frame["market"] != ""].assign(label=lambda rows: rows["start"].dt.strftime("%Y-%m"))
    markets = int(drawn["market"].nunique())
    named = [("channel:N", "Channel"), ("market:N", "Market"), ("label:N", "From")]
    chart: alt.FacetChart = (
        alt.Chart(drawn)
        .mark_rect()
        .encode(
            x=alt.X("label:O", title=None, axis=alt.Axis(labelAngle=-60, labelOverlap=True)),
            y=alt.Y("market:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=160)),
            color=alt.Color(
                "pays:Q",
                title="Chance that it pays",
                scale=alt.Scale(domain=[0, 0.5, 1], range=[CUTS, "#e8e8ea", RAISES], interpolate="lab"),
                legend=alt.Legend(format=".0%", orient="top", gradientLength=180),
            ),
            tooltip=[
                *tips(named, ".2f"),
                alt.Tooltip("pays:Q", title="Chance that it pays", format=".0%"),
                alt.Tooltip("spend:Q", title="Spend", format=",.0f"),
            ],
        )
        .properties(width=320, height=max(40, ROW * markets))
        .facet(facet=alt.Facet("channel:N", title=None, sort=None), columns=min(columns, drawn["channel"].nunique()))
        .resolve_axis(x="independent")
    )
    return chart


def campaigns(frame: pd.DataFrame, break_even: float) -> Layers:
    """What each campaign whose spend is known returned.

    Args:
        frame: `part_frames.campaigns`; its iROAS rows are drawn.
        break_even: iROAS at which the margin just pays.
    """
    drawn = placed(frame[frame["quantity"] == "iroas"])
    scale, unit = domain([drawn], break_even), unit_of(drawn)
    base = alt.Chart(drawn).encode(y=named_rows("campaign"), tooltip=tips([("campaign:N", "Campaign")], ".2f"))
    lines = base.mark_rule(color=ACCENT, strokeWidth=2).encode(x=axis_x("from", scale, unit), x2="to:Q")
    points = _dots(base).encode(x=axis_x("shown", scale, unit))
    return _wide(lines, *break_even_line(break_even, scale, unit), points)


def campaign_values(frame: pd.DataFrame) -> Layers:
    """What each campaign brought.

    Args:
        frame: `part_frames.campaigns`; its rows of money are drawn.
    """
    drawn = frame[frame["quantity"] == "value"]
    base = alt.Chart(drawn).encode(y=named_rows("campaign"), tooltip=tips([("campaign:N", "Campaign")], ",.0f"))
    x = alt.X("low:Q", title=f"Brought ({unit_of(drawn)})", axis=alt.Axis(format="~s", grid=True, tickCount=8))
    lines = base.mark_rule(color=ACCENT, strokeWidth=2).encode(x=x, x2="high:Q")
    return _wide(lines, _dots(base).encode(x="median:Q"))


def _wide(*layers: alt.Chart) -> Layers:
    return alt.layer(*layers, autosize=FIT).properties(width="container", height=alt.Step(22))


def _dots(base: alt.Chart) -> alt.Chart:
    chart: alt.Chart = base.mark_point(filled=True, color=ACCENT, size=60, opacity=1, shape="diamond")
    return chart
