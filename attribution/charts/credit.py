"""What models credit, side by side, with intervals."""

from typing import Literal

import altair as alt
import pandas as pd

from attribution.labels import label
from attribution.path_table import NO_TOUCH
from measurement.charts import CHANNELS, FIT, MUTED, Layers

IN_SHORT = "format(datum.value, '~s')"
"""Labels of an axis of counts: 0, 2k, 4k; Vega's own have the letter on the nought too."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def models(frame: pd.DataFrame, quantity: Literal["conversions", "value"] = "conversions", unit: str = "") -> Layers:
    """What each model credits to each channel, side by side, with 90 % intervals.

    Args:
        frame: `Attribution.to_frame()`, of `attribution.views.leading` where there are many channels; conversions that
            no touch preceded are left out.
        quantity: What is credited.
        unit: Unit of the money, for the axis.
    """
    title = "Credited conversions" if quantity == "conversions" else f"Credited value{f' ({unit})' if unit else ''}"
    return _side_by_side(frame[frame["channel"] != NO_TOUCH], quantity, title, ",.1f")


def returns(
    frame: pd.DataFrame, quantity: Literal["roas", "cpa"] = "roas", unit: str = "", *, reference: float | None = None
) -> Layers:
    """Credit against cost: attributed money per money spent, or money per attributed conversion, by model.

    Args:
        frame: `attribution.cost.returns`.
        quantity: Which of the two.
        unit: Unit of the money, for the axis.
        reference: A value drawn across: break-even.
    """
    money = unit or "money"
    title = f"Attributed {money} per {money} spent (ROAS)" if quantity == "roas" else f"Spend per conversion ({money})"
    return _side_by_side(frame, quantity, title, ",.2f", reference)


def _side_by_side(
    frame: pd.DataFrame, quantity: str, title: str, number: str, reference: float | None = None
) -> Layers:
    names = {"model": "model", "channel": "channel", quantity: "estimate"}
    names |= {f"{quantity}_low": "low", f"{quantity}_high": "high"}
    drawn = frame[list(names)].rename(columns=names).dropna(subset="estimate")
    present = list(dict.fromkeys(drawn["model"]))
    drawn["label"] = drawn["model"].map(label)
    labels = [label(name) for name in present]
    order = drawn.groupby("channel")["estimate"].mean().sort_values(ascending=False).index.to_list()
    colours = alt.Scale(domain=labels, range=[CHANNELS[i % len(CHANNELS)] for i in range(len(labels))])
    shapes = alt.Scale(domain=labels, range=[SHAPES[i % len(SHAPES)] for i in range(len(labels))])
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="circle")
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=240)
    base = alt.Chart(drawn).encode(
        y=alt.Y("channel:N", title=None, sort=order, axis=axis),
        yOffset=alt.YOffset("label:N", sort=labels),
        color=alt.Color("label:N", scale=colours, legend=legend, sort=None),
        tooltip=[
            alt.Tooltip("channel:N", title="Channel"),
            alt.Tooltip("label:N", title="Model"),
            *(
                alt.Tooltip(f"{field}:Q", title=field.capitalize(), format=number)
                for field in ("estimate", "low", "high")
            ),
        ],
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(domainMin=0), axis=alt.Axis(labelExpr=IN_SHORT, tickCount=6))
    whiskers = base.mark_rule(strokeWidth=1.6).encode(x=x, x2="high:Q")
    dots = base.mark_point(filled=True, opacity=1, size=48).encode(
        x="estimate:Q", shape=alt.Shape("label:N", scale=shapes, legend=None)
    )
    layers = [whiskers, dots]
    if reference is not None:
        rule = alt.Chart(pd.DataFrame({"at": [reference]})).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="at:Q")
        layers.append(rule)
    return alt.layer(*layers, autosize=FIT).properties(width="container", height=alt.Step(13, **{"for": "offset"}))
