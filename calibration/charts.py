"""Charts of evidence and reconciliation, in Altair, from tidy frames with fixed field names.

Colours, shapes and labels of the sources are the house's (`measurement.charts.SOURCES`). Channels, tests and models are
only ever values. The scale of returns is that of `calibration.ratio_charts`.
"""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from calibration.ratio_charts import (
    ABOVE,
    arrows,
    axis_x,
    bands,
    break_even_line,
    domain,
    height_of,
    named_rows,
    placed,
    tips,
    unit_of,
)
from measurement.charts import FIT, MUTED, SOURCES, Layers, source_colour, source_shape

ORDER = ("unified", "mmm_calibrated", "mmm", "experiments", "attribution", "platform")
BEFORE_AFTER = ("mmm", "experiments", "mmm_calibrated")
AGAINST = ("attribution", "mmm", "unified")
WEIGHTS = ("mmm", "experiments", "attribution", "prior")
PRIOR = "Prior and other channels"


def forest(
    frame: pd.DataFrame,
    break_even: float,
    truth: Mapping[str, float] | None = None,
    order: Sequence[str] = ORDER,
) -> Layers:
    """Every source of every channel: a point and its 90 % interval, the unified view in front.

    Args:
        frame: `View.to_frame()`: ``channel, source, model, quantity, median, low, high, unit``; its iROAS and ROAS rows
            are drawn, all attribution models in one row of points.
        break_even: iROAS at which the margin just pays: a dashed line.
        truth: Known iROAS by channel, drawn as a tick across the channel's rows.
        order: The sources to draw, from the top down.
    """
    ratios = frame[frame["quantity"].isin(["iroas", "roas"]) & frame["source"].isin(order)]
    present = [name for name in order if name in set(ratios["source"])]
    drawn = placed(ratios.assign(label=ratios["source"].map({name: SOURCES[name].label for name in present})))
    known = pd.DataFrame({"channel": list((truth or {}).keys()), "median": list((truth or {}).values())})
    known = placed(known[known["channel"].isin(set(drawn["channel"]))].assign(low=np.nan, high=np.nan))
    scale, unit = domain([drawn, known], break_even), unit_of(ratios)
    channels = list(dict.fromkeys(drawn["channel"]))
    rows, x = named_rows(), axis_x("shown", scale, unit)
    offset = alt.YOffset("label:N", sort=[SOURCES[name].label for name in present])
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="circle", offset=ABOVE)
    named = [*present, "truth"] if len(known) else present
    colour = alt.Color("label:N", scale=source_colour(named), legend=legend, sort=None)
    base = alt.Chart(drawn).encode(y=rows, yOffset=offset, color=colour)
    width = alt.condition(alt.datum.source == "unified", alt.value(4), alt.value(1.6))
    bars = base.mark_rule().encode(x=axis_x("from", scale, unit), x2="to:Q", strokeWidth=width)
    points = base.mark_point(filled=True, opacity=1).encode(
        x=x,
        shape=alt.Shape("label:N", scale=source_shape(named), legend=None),
        size=alt.condition(alt.datum.source == "unified", alt.value(110), alt.value(48)),
        tooltip=tips([("channel:N", "Channel"), ("label:N", "Source"), ("model:N", "Model")], ".2f"),
    )
    layers = [bands(channels, scale, unit), *break_even_line(break_even, scale, unit), bars, points]
    if drawn["beyond"].any():
        layers.append(arrows(base, scale, unit))
    if len(known):
        ticks = alt.Chart(known.assign(label=SOURCES["truth"].label)).mark_tick(thickness=2.5)
        tip = [alt.Tooltip("channel:N", title="Channel"), alt.Tooltip("median:Q", title="Truth", format=".2f")]
        layers.append(ticks.encode(y=rows, x=x, color=colour, tooltip=tip))
    return alt.layer(*layers, autosize=FIT).properties(width="container", height=height_of(len(channels), len(present)))


def before_after(frame: pd.DataFrame, break_even: float, truth: Mapping[str, float] | None = None) -> Layers:
    """What the tests did to the model: each channel's iROAS without and with them.

    Args:
        frame: `View.to_frame()`.
        break_even: iROAS at which the margin just pays.
        truth: Known iROAS by channel.
    """
    return forest(frame, break_even, truth, BEFORE_AFTER)


def waterfall(frame: pd.DataFrame, unit: str) -> alt.FacetChart:
    """How far each test's standard error was widened, step by step, and why.

    Args:
        frame: ``experiment_id, step, std_error`` (after the step, in ``unit``) and ``reason``, in the steps' order.
        unit: Unit of the KPI.
    """
    steps = list(dict.fromkeys(frame["step"]))
    drawn = frame.assign(
        before=frame.groupby("experiment_id", sort=False)["std_error"].shift(fill_value=0.0),
        kind=np.where(frame["step"].isin(["reported", "used"]), "total", "widening"),
    )
    drawn.loc[drawn["kind"] == "total", "before"] = 0.0
    base = alt.Chart().encode(
        x=alt.X("step:N", title=None, sort=steps, axis=alt.Axis(labelAngle=-35)),
        tooltip=[
            alt.Tooltip("experiment_id:N", title="Test"),
            alt.Tooltip("step:N", title="Step"),
            alt.Tooltip("std_error:Q", title=f"Standard error, {unit}", format=",.4~g"),
            alt.Tooltip("reason:N", title="Why"),
        ],
    )
    colour = alt.Color(
        "kind:N",
        legend=None,
        scale=alt.Scale(domain=["total", "widening"], range=[SOURCES["experiments"].colour, MUTED]),
    )
    bars = base.mark_bar(size=22).encode(
        y=alt.Y("before:Q", title="Standard error", axis=alt.Axis(format="~s", tickCount=4)),
        y2="std_error:Q",
        color=colour,
    )
    caps = base.mark_tick(thickness=2, size=22).encode(y="std_error:Q", color=colour)
    chart: alt.FacetChart = (
        alt.layer(bars, caps, data=drawn)
        .properties(width=200, height=130)
        .facet(facet=alt.Facet("experiment_id:N", title=None, sort=None), columns=3)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
        .properties(title=alt.TitleParams(f"In {unit}", anchor="start", fontWeight="normal", fontSize=12))
    )
    return chart


def weights(frame: pd.DataFrame) -> alt.Chart:
    """What each channel's unified number rests on: how far it follows each source, the rest being prior.

    Args:
        frame: `View.to_frame()`; its ``weight`` rows are drawn.
    """
    drawn = frame[frame["quantity"] == "weight"]
    labels = {name: SOURCES[name].label if name in SOURCES else PRIOR for name in WEIGHTS}
    drawn = drawn.assign(label=drawn["source"].map(labels), order=drawn["source"].map(WEIGHTS.index))
    colours = [SOURCES[name].colour if name in SOURCES else "#c9ccd1" for name in WEIGHTS]
    chart: alt.Chart = (
        alt.Chart(drawn, width="container", height=alt.Step(26))
        .mark_bar(height=16)
        .encode(
            y=alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False)),
            x=alt.X(
                "median:Q",
                title="Share of the unified number",
                stack="zero",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=4),
            ),
            color=alt.Color(
                "label:N",
                sort=None,
                scale=alt.Scale(domain=list(labels.values()), range=colours),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order=alt.Order("order:Q"),
            tooltip=tips([("channel:N", "Channel"), ("label:N", "Source")], ".0%")[:3],
        )
    )
    return chart


def attribution_against(frame: pd.DataFrame, break_even: float, model: str) -> Layers:
    """Attribution against the model and the unified view: how far apart they are, channel by channel.

    Args:
        frame: `View.to_frame()`.
        break_even: iROAS at which the margin just pays.
        model: The attribution model to show.
    """
    ratios = frame[(frame["source"] != "attribution") | (frame["model"] == model)]
    online = set(ratios.loc[ratios["source"] == "attribution", "channel"])
    return forest(ratios[ratios["channel"].isin(online)], break_even, order=AGAINST)
