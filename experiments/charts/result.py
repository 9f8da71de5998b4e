"""Charts of an analysed geo test over time: fit, effect by period, effect so far."""

import altair as alt
import pandas as pd

from experiments.charts.style import COLOUR, DATES, NUMBERS, day_tip, level, periods, shade, tips
from experiments.result import Result
from measurement.charts import MUTED, Layers

SERIES = {"observed": "Observed", "counterfactual": "Without the test"}
LINES = alt.Scale(domain=list(SERIES.values()), range=[MUTED, COLOUR])
DASHES = alt.Scale(domain=list(SERIES.values()), range=[[1, 0], [4, 3]])


def fit(result: Result) -> Layers:
    """What the treated geos sold against what they would have sold; the test's window shaded."""
    frame = periods([*result.pre_periods, *result.periods])
    frame["usual_low"], frame["usual_high"] = frame["observed"] - frame["high"], frame["observed"] - frame["low"]
    base = alt.Chart(frame, width="container", height=240).encode(x=DATES)
    scale, title = alt.Scale(zero=False), f"{result.kpi}, treated geos"
    lines = (
        alt.Chart(_long(frame))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=DATES,
            y=alt.Y("value:Q", title=title, axis=NUMBERS, scale=scale),
            color=alt.Color("series:N", title=None, scale=LINES, legend=alt.Legend(orient="bottom")),
            strokeDash=alt.StrokeDash("series:N", title=None, scale=DASHES),
            tooltip=[alt.Tooltip("series:N", title="Series"), day_tip(), *tips({"value": result.kpi})],
        )
    )
    band = base.mark_area(opacity=0.2, color=COLOUR).encode(
        y=alt.Y("usual_low:Q", title=title, scale=scale), y2="usual_high:Q"
    )
    return alt.layer(shade(result.periods), band, lines)


def gap(result: Result) -> Layers:
    """Observed minus counterfactual, period by period, with the interval of each read-out period."""
    frame = periods([*result.pre_periods, *result.periods])
    base = alt.Chart(frame, width="container", height=160).encode(x=DATES)
    title = f"Change of {result.kpi}"
    value = alt.Y("effect:Q", title=title, axis=NUMBERS)
    whiskers = base.mark_rule(color=COLOUR, opacity=0.6).encode(y=alt.Y("low:Q", title=title), y2="high:Q")
    line = base.mark_line(color=COLOUR, strokeWidth=1.2).encode(y=value)
    dots = base.mark_point(filled=True, size=18, color=COLOUR, opacity=1).encode(
        y=value, tooltip=[day_tip(), *tips({"effect": "Change", "low": "Low", "high": "High"})]
    )
    return alt.layer(shade(result.periods), level(0.0), whiskers, line, dots)


def cumulative(result: Result) -> Layers:
    """The effect added up since the test began, with its interval; the last point is the result."""
    frame = periods(result.periods)
    base = alt.Chart(frame, width="container", height=160).encode(x=DATES)
    title = f"Change of {result.kpi} since the start"
    value = alt.Y("cumulative:Q", title=title, axis=NUMBERS)
    band = base.mark_area(opacity=0.2, color=COLOUR).encode(
        y=alt.Y("cumulative_low:Q", title=title), y2="cumulative_high:Q"
    )
    said = tips({"cumulative": "So far", "cumulative_low": "Low", "cumulative_high": "High"})
    line = base.mark_line(color=COLOUR, strokeWidth=2, point=len(frame) < 3).encode(y=value, tooltip=[day_tip(), *said])
    return alt.layer(shade(result.periods), level(0.0), band, line)


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    """The two lines of the fit, one row per period and series."""
    lines = [frame[["date", field]].rename(columns={field: "value"}).assign(series=SERIES[field]) for field in SERIES]
    return pd.concat(lines, ignore_index=True)
