"""Charts of evidence and reconciliation, in Altair, from tidy frames with fixed field names.

Colours, shapes and labels of the sources are the house's (`measurement.charts.SOURCES`). Channels, tests and models are
only ever values. Ratios stand on a log scale, so that 0.5 and 2 are equally far from 1; a number at or below the left
edge (a test may say less than 0) is drawn on the edge, its true value in the tooltip.
"""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from measurement.charts import MUTED, SOURCES, Layers, source_colour, source_shape

ORDER = ("unified", "mmm_calibrated", "mmm", "experiments", "attribution", "platform")
WEIGHTS = ("mmm", "experiments", "attribution", "prior")
PRIOR = "Prior and other channels"
EDGE = 0.05
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def forest(frame: pd.DataFrame, break_even: float, truth: Mapping[str, float] | None = None) -> Layers:
    """Every source of every channel: a point and its 90 % interval, the unified view in front.

    Args:
        frame: `View.to_frame()`: ``channel, source, model, quantity, median, low, high``; its iROAS and ROAS rows are
            drawn, all attribution models in one row of points.
        break_even: iROAS at which the margin just pays: a dashed line.
        truth: Known iROAS by channel, drawn as a tick across the channel's rows.
    """
    ratios = frame[frame["quantity"].isin(["iroas", "roas"]) & frame["source"].isin(ORDER)]
    present = [name for name in ORDER if name in set(ratios["source"])]
    drawn = _on_scale(ratios, present)
    known = pd.DataFrame({"channel": list((truth or {}).keys()), "median": list((truth or {}).values())})
    known = _on_scale(known[known["channel"].isin(set(drawn["channel"]))].assign(low=np.nan, high=np.nan), present)
    domain = _domain([drawn, known], break_even)
    x = alt.X("shown:Q", title="Return per unit of spend (log scale)", scale=domain, axis=_ratio_axis())
    rows = alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    offset = alt.YOffset("label:N", sort=[SOURCES[name].label for name in present])
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="circle")
    named = [*present, "truth"] if len(known) else present
    colour = alt.Color("label:N", scale=source_colour(named), legend=legend, sort=None)
    base = alt.Chart(drawn).encode(y=rows, yOffset=offset, color=colour)
    bars = base.mark_rule().encode(
        x=x.copy(),
        x2="to:Q",
        strokeWidth=alt.condition(alt.datum.source == "unified", alt.value(4), alt.value(1.6)),
    )
    bars = bars.encode(
        x=alt.X("from:Q", scale=domain, axis=_ratio_axis(), title="Return per unit of spend (log scale)")
    )
    points = base.mark_point(filled=True, opacity=1).encode(
        x=x,
        shape=alt.Shape("label:N", scale=source_shape(named), legend=None),
        size=alt.condition(alt.datum.source == "unified", alt.value(110), alt.value(48)),
        tooltip=_tips([("channel:N", "Channel"), ("label:N", "Source"), ("model:N", "Model")], ".2f"),
    )
    layers: list[alt.Chart] = [_line(break_even, domain), bars, points]
    if len(known):
        ticks = alt.Chart(known.assign(label=SOURCES["truth"].label)).mark_tick(thickness=2.5)
        tips = [alt.Tooltip("channel:N", title="Channel"), alt.Tooltip("median:Q", title="Truth", format=".2f")]
        layers.append(ticks.encode(y=rows, x=x, color=colour, tooltip=tips))
    return alt.layer(*layers).properties(width="container", height=alt.Step(15, **{"for": "offset"}))


def before_after(frame: pd.DataFrame, break_even: float, truth: Mapping[str, float] | None = None) -> Layers:
    """What the tests did to the model: each channel's iROAS without and with them.

    Args:
        frame: `View.to_frame()`.
        break_even: iROAS at which the margin just pays.
        truth: Known iROAS by channel.
    """
    return forest(frame[frame["source"].isin(["mmm", "mmm_calibrated", "experiments"])], break_even, truth)


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
            alt.Tooltip("std_error:Q", title=f"Standard error ({unit})", format=",.4~g"),
            alt.Tooltip("reason:N", title="Why"),
        ],
    )
    colour = alt.Color(
        "kind:N",
        legend=None,
        scale=alt.Scale(domain=["total", "widening"], range=[SOURCES["experiments"].colour, MUTED]),
    )
    bars = base.mark_bar(size=22).encode(
        y=alt.Y("before:Q", title=f"Standard error ({unit})", axis=alt.Axis(format="~s", tickCount=4)),
        y2="std_error:Q",
        color=colour,
    )
    caps = base.mark_tick(thickness=2, size=22).encode(y="std_error:Q", color=colour)
    chart: alt.FacetChart = (
        alt.layer(bars, caps, data=drawn)
        .properties(width=200, height=130)
        .facet(facet=alt.Facet("experiment_id:N", title=None, sort=None), columns=3)
        .resolve_scale(y="independent")
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
                axis=alt.Axis(format="%"),
            ),
            color=alt.Color(
                "label:N",
                sort=None,
                scale=alt.Scale(domain=list(labels.values()), range=colours),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order=alt.Order("order:Q"),
            tooltip=_tips([("channel:N", "Channel"), ("label:N", "Source")], ".0%")[:3],
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
    picked = ["attribution", "mmm", "unified"]
    ratios = frame[frame["quantity"].isin(["iroas", "roas"]) & frame["source"].isin(picked)]
    ratios = ratios[(ratios["source"] != "attribution") | (ratios["model"] == model)]
    online = set(ratios.loc[ratios["source"] == "attribution", "channel"])
    drawn = _on_scale(ratios[ratios["channel"].isin(online)], picked)
    span = drawn.groupby("channel", sort=False)["shown"].agg(["min", "max"]).reset_index()
    domain = _domain([drawn], break_even)
    rows = alt.Y("channel:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False))
    x = alt.X("shown:Q", title="Return per unit of spend (log scale)", scale=domain, axis=_ratio_axis())
    link = (
        alt.Chart(span)
        .mark_rule(strokeWidth=3, color="#c9ccd1")
        .encode(
            y=rows,
            x=alt.X("min:Q", scale=domain, title="Return per unit of spend (log scale)", axis=_ratio_axis()),
            x2="max:Q",
        )
    )
    points = (
        alt.Chart(drawn)
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            y=rows,
            x=x,
            color=alt.Color(
                "label:N", scale=source_colour(picked), legend=alt.Legend(title=None, orient="top"), sort=None
            ),
            shape=alt.Shape("label:N", scale=source_shape(picked), legend=None),
            tooltip=_tips([("channel:N", "Channel"), ("label:N", "Source")], ".2f"),
        )
    )
    return alt.layer(_line(break_even, domain), link, points).properties(width="container", height=alt.Step(30))


def _on_scale(frame: pd.DataFrame, present: Sequence[str]) -> pd.DataFrame:
    """Labels, and positions that a log scale can hold."""
    labels = {name: SOURCES[name].label for name in present}
    edges = {"shown": "median", "from": "low", "to": "high"}
    placed = {field: frame[column].astype(float).clip(lower=EDGE) for field, column in edges.items()}
    source = frame["source"] if "source" in frame.columns else pd.Series("truth", index=frame.index)
    return frame.assign(label=source.map(labels), **placed)


def _domain(frames: Sequence[pd.DataFrame], break_even: float) -> alt.Scale:
    ends = np.concatenate([frame[name].to_numpy(float) for frame in frames for name in ("shown", "from", "to")])
    ends = np.append(ends[np.isfinite(ends)], break_even)
    return alt.Scale(type="log", domain=[float(ends.min()) / 1.1, float(ends.max()) * 1.1], nice=False)


def _ratio_axis() -> alt.Axis:
    return alt.Axis(values=list(TICKS), format="~g", grid=True)


def _line(break_even: float, domain: alt.Scale) -> alt.Chart:
    data = pd.DataFrame({"at": [break_even]})
    line: alt.Chart = (
        alt.Chart(data)
        .mark_rule(strokeDash=[5, 4], color=MUTED, strokeWidth=1.4)
        .encode(
            x=alt.X("at:Q", scale=domain, axis=_ratio_axis(), title="Return per unit of spend (log scale)"),
            tooltip=[alt.Tooltip("at:Q", title="Break-even", format=".2f")],
        )
    )
    return line


def _tips(names: Sequence[tuple[str, str]], number: str) -> list[alt.Tooltip]:
    ends = [("median:Q", "Median"), ("low:Q", "Low"), ("high:Q", "High")]
    return [alt.Tooltip(field, title=title) for field, title in names] + [
        alt.Tooltip(field, title=title, format=number) for field, title in ends
    ]
