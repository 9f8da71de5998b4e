"""Charts of one analysed test, in Altair, from tidy frames with fixed field names.

Colours come from the ground floor's one set of sources. The KPI's name is only ever an axis title, never a field.
"""

from collections.abc import Sequence
from dataclasses import asdict

import altair as alt
import numpy as np
import pandas as pd

from experiments.result import PeriodEffect, Result
from measurement.charts import MUTED, SOURCES, Layers

COLOUR = SOURCES["experiments"].colour
SHADE = {"test": "#cf623926", "cooldown": "#8a8f9826"}
DATES = alt.X("date:T", title=None, axis=alt.Axis(format="%d %b %Y", labelOverlap=True, tickCount=6))
SERIES = {"observed": "Observed", "counterfactual": "Without the test"}
LINES = alt.Scale(domain=list(SERIES.values()), range=[MUTED, COLOUR])
DASHES = alt.Scale(domain=list(SERIES.values()), range=[[1, 0], [4, 3]])
NUMBER = ",.0f"


def fit(result: Result) -> Layers:
    """What the treated geos sold against what they would have sold; the test's window shaded."""
    frame = _frame([*result.pre_periods, *result.periods])
    frame["usual_low"], frame["usual_high"] = frame["observed"] - frame["high"], frame["observed"] - frame["low"]
    base = alt.Chart(frame, width="container", height=240).encode(x=DATES)
    scale, title = alt.Scale(zero=False), f"{result.kpi}, treated geos"

    value = alt.Y("value:Q", title=title, axis=_NUMBERS, scale=scale)
    lines = (
        alt.Chart(_long(frame))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=DATES,
            y=value,
            color=alt.Color("series:N", title=None, scale=LINES, legend=alt.Legend(orient="bottom")),
            strokeDash=alt.StrokeDash("series:N", title=None, scale=DASHES),
            tooltip=[alt.Tooltip("series:N", title="Series"), *_tips(("value", "KPI"))],
        )
    )
    band = base.mark_area(opacity=0.2, color=COLOUR).encode(
        y=alt.Y("usual_low:Q", title=title, scale=scale), y2="usual_high:Q"
    )
    return alt.layer(_shade(result.periods), band, lines)


def gap(result: Result) -> Layers:
    """Observed minus counterfactual, period by period, with the interval of each read-out period."""
    frame = _frame([*result.pre_periods, *result.periods])
    base = alt.Chart(frame, width="container", height=160).encode(x=DATES)
    title = f"Effect on {result.kpi}"
    value = alt.Y("effect:Q", title=title, axis=_NUMBERS)
    zero = alt.Chart(pd.DataFrame({"effect": [0.0]})).mark_rule(color=MUTED, strokeDash=[2, 2]).encode(y=value)
    whiskers = base.mark_rule(color=COLOUR, opacity=0.6).encode(y=alt.Y("low:Q", title=title), y2="high:Q")
    line = base.mark_line(color=COLOUR, strokeWidth=1.2).encode(y=value)
    dots = base.mark_point(filled=True, size=18, color=COLOUR, opacity=1).encode(
        y=value, tooltip=_tips(("effect", "Effect"), ("low", "Low"), ("high", "High"))
    )
    return alt.layer(_shade(result.periods), zero, whiskers, line, dots)


def cumulative(result: Result) -> Layers:
    """The effect added up since the test began, with its interval; the last point is the result."""
    base = alt.Chart(_frame(result.periods), width="container", height=160).encode(x=DATES)
    title = f"Effect on {result.kpi} since the start"
    value = alt.Y("cumulative:Q", title=title, axis=_NUMBERS)
    zero = alt.Chart(pd.DataFrame({"cumulative": [0.0]})).mark_rule(color=MUTED, strokeDash=[2, 2]).encode(y=value)
    band = base.mark_area(opacity=0.2, color=COLOUR).encode(
        y=alt.Y("cumulative_low:Q", title=title), y2="cumulative_high:Q"
    )
    line = base.mark_line(color=COLOUR, strokeWidth=2).encode(
        y=value, tooltip=_tips(("cumulative", "So far"), ("cumulative_low", "Low"), ("cumulative_high", "High"))
    )
    return alt.layer(zero, band, line)


def placebos(result: Result) -> Layers:
    """Where the test stands among tests that never happened; empty where inference used none."""
    effects = result.placebo_effects
    counts, edges = np.histogram(effects, bins=min(40, max(10, effects.size // 8))) if effects.size else _NOTHING
    bars = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "count": counts})
    change = result.outcome_change
    here = pd.DataFrame(
        {"effect": [change.estimate], "low": [change.low], "high": [change.high], "label": ["this test"]}
    )
    histogram = (
        alt.Chart(bars, width="container", height=180)
        .mark_bar(color=MUTED, opacity=0.55)
        .encode(
            x=alt.X("start:Q", title=f"Change of {result.kpi} over the read-out", axis=_NUMBERS),
            x2="end:Q",
            y=alt.Y("count:Q", title="Placebo sets"),
            y2=alt.datum(0),
            tooltip=[alt.Tooltip("count:Q", title="Placebo sets"), alt.Tooltip("start:Q", title="From", format=NUMBER)],
        )
    )
    span = (
        alt.Chart(here)
        .mark_rule(color=COLOUR, strokeWidth=3, opacity=0.5)
        .encode(x="low:Q", x2="high:Q", y=alt.value(8))
    )
    rule = alt.Chart(here).mark_rule(color=COLOUR, strokeWidth=2).encode(x="effect:Q", tooltip=_RESULT_TIPS)
    label = alt.Chart(here).mark_text(color=COLOUR, align="left", dx=5, y=20).encode(x="effect:Q", text="label:N")
    return alt.layer(histogram, span, rule, label)


_NUMBERS = alt.Axis(format="~s", tickCount=5)
_NOTHING = (np.zeros(0), np.zeros(1))
_RESULT_TIPS = [
    alt.Tooltip(f"{field}:Q", title=title, format=NUMBER)
    for field, title in (("effect", "This test"), ("low", "Low"), ("high", "High"))
]


def _frame(periods: Sequence[PeriodEffect]) -> pd.DataFrame:
    frame = pd.DataFrame([asdict(period) for period in periods]).rename(columns={"day": "date"})
    numbers = frame.columns.difference(["date", "phase"])
    return frame.assign(date=pd.to_datetime(frame["date"])).astype(dict.fromkeys(numbers, "float64"))


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    """The two lines of the fit, one row per period and series."""
    lines = [frame[["date", field]].rename(columns={field: "value"}).assign(series=SERIES[field]) for field in SERIES]
    return pd.concat(lines, ignore_index=True)


def _tips(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    numbers = [alt.Tooltip(f"{field}:Q", title=title, format=NUMBER) for field, title in fields]
    return [alt.Tooltip("date:T", title="Period"), *numbers]


def _shade(periods: Sequence[PeriodEffect]) -> alt.Chart:
    """The read-out as a shaded band per phase, from its first day to the end of its last period."""
    days = [period.day for period in periods]
    step = (days[-1] - days[0]) / max(len(days) - 1, 1) if len(days) > 1 else pd.Timedelta(days=1)
    rows = []
    for phase in dict.fromkeys(period.phase for period in periods):
        inside = [period.day for period in periods if period.phase == phase]
        rows.append({"date": pd.Timestamp(inside[0]), "until": pd.Timestamp(inside[-1]) + step, "phase": phase})
    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_rect()
        .encode(x=DATES, x2="until:T", color=alt.condition(alt.datum.phase == "test", *map(alt.value, SHADE.values())))
    )
    return chart
