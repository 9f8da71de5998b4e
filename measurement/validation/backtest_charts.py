"""Charts of a backtest, in Altair, from tidy frames with fixed field names; colours as in `measurement.charts`."""

import altair as alt
import pandas as pd

from measurement.charts import ACCENT, DATES, MUTED, Layers


def predicted_and_came(frame: pd.DataFrame, kpi: str) -> Layers:
    """What was predicted at each origin, with 50 and 90 % intervals, and what came; a dashed rule at every origin.

    Args:
        frame: ``origin, date, came, low, q25, median, q75, high`` in units of the KPI, all geos together; without
            ``q25`` and ``q75`` there is no 50 % interval.
        kpi: Name of the KPI.
    """
    drawn = frame.assign(held=(frame["low"] <= frame["came"]) & (frame["came"] <= frame["high"]))
    base = alt.Chart(drawn, width=680, height=260).encode(x=DATES, detail="origin:T")
    y = alt.Y("low:Q", title=[kpi], axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    words = {"came": "Came", "median": "Predicted", "low": "Low", "high": "High"}
    tips = [alt.Tooltip("date:T", title="Period")]
    tips += [alt.Tooltip(f"{field}:Q", title=title, format=",.0f") for field, title in words.items()]
    held = alt.Color(
        "held:N",
        title="What came lies",
        scale=alt.Scale(domain=[True, False], range=[MUTED, "#cf6239"]),
        legend=alt.Legend(orient="top", labelExpr="datum.value ? 'inside the 90 % interval' : 'outside'"),
    )
    shape = alt.Shape(
        "held:N",
        title="What came lies",
        scale=alt.Scale(domain=[True, False], range=["circle", "diamond"]),
        legend=alt.Legend(orient="top", labelExpr="datum.value ? 'inside the 90 % interval' : 'outside'"),
    )
    origins = alt.Chart(drawn.drop_duplicates("origin")).mark_rule(color=MUTED, strokeDash=[3, 3], opacity=0.6)
    half = [base.mark_area(color=ACCENT, opacity=0.22).encode(y="q25:Q", y2="q75:Q")] if "q25" in drawn else []
    return alt.layer(
        origins.encode(x="origin:T"),
        base.mark_area(color=ACCENT, opacity=0.16).encode(y=y, y2="high:Q"),
        *half,
        base.mark_line(color=ACCENT, strokeWidth=1.6).encode(y="median:Q"),
        alt.Chart(drawn)
        .mark_point(filled=True, size=34, opacity=1)
        .encode(x=DATES, y="came:Q", color=held, shape=shape, tooltip=tips),
    )


def iroas_by_candidate(frame: pd.DataFrame) -> alt.FacetChart:
    """The iROAS with its 90 % interval under each model, one row of panels per channel.

    Args:
        frame: ``channel, candidate, low, median, high``; the candidates in the order to be shown.
    """
    base = alt.Chart(frame).encode(
        y=alt.Y("candidate:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=320)),
        x=alt.X("low:Q", title="iROAS", axis=alt.Axis(format=".1f", tickCount=6)),
    )
    tips = [alt.Tooltip("channel:N", title="Channel"), alt.Tooltip("candidate:N", title="Model")]
    words = {"median": "iROAS", "low": "Low", "high": "High"}
    tips += [alt.Tooltip(f"{field}:Q", title=title, format=".2f") for field, title in words.items()]
    layers = alt.layer(
        base.mark_rule(color=ACCENT, strokeWidth=1.6).encode(x2="high:Q"),
        base.mark_point(filled=True, color=ACCENT, size=60, opacity=1).encode(x="median:Q", tooltip=tips),
    ).properties(width=420, height=alt.Step(18))
    facet = alt.Facet("channel:N", title=None, header=alt.Header(labelAnchor="start", labelFontWeight="bold"))
    drawn: alt.FacetChart = layers.facet(facet, columns=1).resolve_scale(x="independent")
    return drawn
