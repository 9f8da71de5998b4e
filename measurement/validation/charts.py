"""Charts of a validation, in Altair, from tidy frames with fixed field names; colours as in `measurement.charts`."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from measurement.charts import ACCENT, DATES, MUTED, SOURCES, Layers
from measurement.typing import Dates
from measurement.validation.loo import Loo
from measurement.validation.predictive import Predictive
from measurement.validation.residuals import Residuals
from measurement.validation.shift import Shift

WIDTH = 680
ODD = SOURCES["experiments"].colour
BEFORE, AFTER = "Before the data", "After the data"


@dataclass(frozen=True, eq=False)
class Labels:
    """What the axes are called.

    Attributes:
        dates: First day of each period.
        geos: Geo names.
        kpi: Name of the KPI.
    """

    dates: Dates
    geos: tuple[str, ...]
    kpi: str


def overview(
    fit: Predictive, residuals: Residuals, loo: Loo, shifts: Sequence[Shift], panel: Labels
) -> alt.VConcatChart:
    """Fit, errors, leave-one-out and what was learnt, one below the other."""
    over_time = [
        fit_over_time(fit_frame(fit, residuals, panel), panel.kpi),
        errors(error_frame(residuals, panel)),
        khat(khat_frame(loo, panel)),
    ]
    together = alt.vconcat(*over_time, spacing=24).resolve_scale(x="shared")
    stacked: alt.VConcatChart = alt.vconcat(together, learnt(shift_frame(shifts)), spacing=24).resolve_scale(
        color="independent"
    )
    return stacked


def fit_frame(fit: Predictive, residuals: Residuals, panel: Labels) -> pd.DataFrame:
    """``date, actual, low, median, high`` (demand given), ``known`` (without the demand) and ``odd``, over all geos."""
    made = fit.replicates
    low, median, high = np.quantile(made.given.sum(1), [0.05, 0.5, 0.95], axis=0)
    known = np.median(made.known.sum(1), axis=0)
    frame = pd.DataFrame(
        {"date": panel.dates, "actual": made.seen.sum(0), "low": low, "median": median, "high": high, "known": known}
    )
    return frame.assign(odd=frame["date"].astype(str).isin([o.date for o in residuals.outliers]))


def error_frame(residuals: Residuals, panel: Labels) -> pd.DataFrame:
    """``date, error``: one-step-ahead errors of all geos together, in standard deviations."""
    return pd.DataFrame({"date": panel.dates, "error": residuals.national})


def khat_frame(loo: Loo, panel: Labels) -> pd.DataFrame:
    """``date, geo, khat, limit`` of every cell that was judged."""
    geo, period = np.nonzero(loo.known)
    names = np.array(panel.geos, dtype=object)[geo]
    found = {"date": panel.dates[period], "geo": names, "khat": loo.khat[geo, period], "limit": loo.limit}
    return pd.DataFrame(found)


def shift_frame(shifts: Sequence[Shift]) -> pd.DataFrame:
    """``channel, what, low, median, high``: each channel's ROI before and after the data; organic ones have none."""
    roi = [shift for shift in shifts if shift.parameter == "ROI"]
    both = [(s.channel, what, known) for s in roi for what, known in ((BEFORE, s.prior), (AFTER, s.posterior))]
    rows = [{"channel": channel, "what": what} | known.to_dict() for channel, what, known in both]
    return pd.DataFrame(rows, columns=["channel", "what", "low", "median", "high"])


def fit_over_time(frame: pd.DataFrame, kpi: str) -> Layers:
    """What happened, the model's 90 % interval, and what it would say without the demand that it infers."""
    base = alt.Chart(frame, width=WIDTH, height=220, title=_title("The model against what happened")).encode(x=DATES)
    y = alt.Y("low:Q", title=[kpi], axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    names = {"actual": "Actual", "median": "Model", "low": "Low", "high": "High", "known": "Without demand"}
    tips = [alt.Tooltip("date:T", title="Period")]
    tips += [alt.Tooltip(f"{field}:Q", title=title, format=",.0f") for field, title in names.items()]
    kinds = ["actual", "actual, unexpected", "model, 90 %", "model without the demand it infers"]
    scale = alt.Scale(domain=kinds, range=[MUTED, ODD, ACCENT, SOURCES["platform"].colour])
    legend = alt.Legend(orient="top", labelLimit=300, symbolOpacity=1)
    actual, unexpected, model, known = (
        base.transform_calculate(kind=f"'{kind}'").encode(
            color=alt.Color("kind:N", title=None, scale=scale, legend=legend)
        )
        for kind in kinds
    )
    odd = unexpected.transform_filter(alt.datum.odd)
    return alt.layer(
        model.mark_area(opacity=0.25).encode(y=y, y2="high:Q"),
        model.mark_line(strokeWidth=1.5).encode(y="median:Q"),
        known.mark_line(strokeWidth=1.2, strokeDash=[4, 3]).encode(y="known:Q"),
        actual.mark_point(filled=True, size=16, opacity=0.9).encode(y="actual:Q", tooltip=tips),
        odd.mark_point(filled=True, size=60, opacity=1, shape="diamond").encode(y="actual:Q"),
    )


def errors(frame: pd.DataFrame) -> Layers:
    """One-step-ahead errors: about one in ten beyond the dashed lines, without a pattern, where the model is right."""
    title = "Errors one step ahead (without a pattern where the model is right)"
    base = alt.Chart(frame, width=WIDTH, height=120, title=_title(title)).encode(x=DATES)
    y = alt.Y("error:Q", title=["Standard", "deviations"])
    tips = [alt.Tooltip("date:T", title="Period"), alt.Tooltip("error:Q", title="Error", format="+.2f")]
    lines = alt.Chart(pd.DataFrame({"at": [-1.645, 0.0, 1.645]})).mark_rule(color=MUTED, strokeDash=[3, 3])
    bars = base.mark_bar(color=ACCENT, width=3).encode(y=y, tooltip=tips)
    return alt.layer(lines.encode(y="at:Q"), bars)


def khat(frame: pd.DataFrame) -> Layers:
    """Pareto k of each cell: above the line a cell decides alone."""
    base = alt.Chart(frame, width=WIDTH, height=120, title=_title("How much single cells decide (Pareto k)"))
    tips = [alt.Tooltip("date:T", title="Period"), alt.Tooltip("geo:N", title="Geo")]
    tips.append(alt.Tooltip("khat:Q", title="k-hat", format=".2f"))
    above = alt.condition(alt.datum.khat >= alt.datum.limit, alt.value(ODD), alt.value(ACCENT))
    points = base.mark_point(filled=True, size=16, opacity=0.7).encode(
        x=DATES, y=alt.Y("khat:Q", title="k-hat"), color=above, tooltip=tips
    )
    line = base.transform_aggregate(limit="max(limit)").mark_rule(color=ODD, strokeDash=[4, 3])
    return alt.layer(line.encode(y="limit:Q"), points)


def learnt(frame: pd.DataFrame) -> alt.FacetChart:
    """Each channel's ROI before and after the data, with 90 % intervals, on a logarithmic scale."""
    kinds = [BEFORE, AFTER]
    what = alt.Scale(domain=kinds, range=[MUTED, ACCENT])
    base = alt.Chart().encode(
        y=alt.Y("what:N", title=None, sort=kinds, axis=None),
        color=alt.Color("what:N", title=None, scale=what, legend=alt.Legend(orient="top")),
    )
    x = alt.X("low:Q", title="", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=5, format="~g"))
    tips = [alt.Tooltip("channel:N", title="Channel"), alt.Tooltip("what:N", title="What")]
    tips += [alt.Tooltip(f"{field}:Q", title=field.capitalize(), format=",.2f") for field in ("low", "median", "high")]
    rules = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", tooltip=tips)
    dots = base.mark_point(filled=True, size=50, opacity=1).encode(x="median:Q", tooltip=tips)
    header = alt.Header(labelAngle=0, labelAlign="left", labelLimit=160, title=None)
    drawn = alt.layer(rules, dots, data=frame).properties(width=WIDTH - 120, height=26)
    faceted: alt.FacetChart = drawn.facet(row=alt.Row("channel:N", sort=None, header=header), spacing=4)
    return faceted.properties(title=_title("What the data taught: return per money spent, 90 % intervals"))


def _title(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, anchor="start", fontSize=13)
