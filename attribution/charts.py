"""Charts of attribution, in Altair, from tidy frames with fixed field names; names are only ever values."""

from typing import Literal

import altair as alt
import pandas as pd

from attribution.path_table import NO_TOUCH
from measurement.charts import ACCENT, CHANNELS, FIT, MUTED, Layers

LABELS = {
    "first": "First touch",
    "last": "Last touch",
    "linear": "Linear",
    "position": "Position",
    "time_decay": "Time decay",
    "last_non_direct": "Last non-direct",
    **{f"markov:{order}": f"Markov, order {order}" for order in range(1, 5)},
    "markov:auto": "Markov, best order",
    "shapley": "Shapley",
    "shapley:unanimity": "Shapley, unanimity",
    "shapley:ordered": "Shapley, ordered",
    "hazard": "Additive hazard",
}
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def models(frame: pd.DataFrame, quantity: Literal["conversions", "value"] = "conversions", unit: str = "") -> Layers:
    """What each model credits to each channel, side by side, with 90 % intervals.

    Args:
        frame: `Attribution.to_frame()`; conversions that no touch preceded are left out.
        quantity: What is credited.
        unit: Unit of the money, for the axis.
    """
    names = {"model": "model", "channel": "channel", quantity: "estimate"}
    names |= {f"{quantity}_low": "low", f"{quantity}_high": "high"}
    drawn = frame.loc[frame["channel"] != NO_TOUCH, list(names)].rename(columns=names)
    present = list(dict.fromkeys(drawn["model"]))
    drawn["label"] = drawn["model"].map(lambda name: LABELS.get(name, name))
    labels = [LABELS.get(name, name) for name in present]
    order = drawn.groupby("channel")["estimate"].mean().sort_values(ascending=False).index.to_list()
    title = "Credited conversions" if quantity == "conversions" else f"Credited value{f' ({unit})' if unit else ''}"
    colours = alt.Scale(domain=labels, range=[CHANNELS[i % len(CHANNELS)] for i in range(len(labels))])
    shapes = alt.Scale(domain=labels, range=[SHAPES[i % len(SHAPES)] for i in range(len(labels))])
    legend = alt.Legend(title=None, orient="top", columns=3, symbolType="circle")
    base = alt.Chart(drawn).encode(
        y=alt.Y("channel:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False, labelPadding=8)),
        yOffset=alt.YOffset("label:N", sort=labels),
        color=alt.Color("label:N", scale=colours, legend=legend, sort=None),
        tooltip=[
            alt.Tooltip("channel:N", title="Channel"),
            alt.Tooltip("label:N", title="Model"),
            *(
                alt.Tooltip(f"{field}:Q", title=field.capitalize(), format=",.1f")
                for field in ("estimate", "low", "high")
            ),
        ],
    )
    x = alt.X("low:Q", title=title, scale=alt.Scale(domainMin=0), axis=alt.Axis(format="~s", tickCount=6))
    whiskers = base.mark_rule(strokeWidth=1.6).encode(x=x, x2="high:Q")
    dots = base.mark_point(filled=True, opacity=1, size=48).encode(
        x="estimate:Q", shape=alt.Shape("label:N", scale=shapes, legend=None)
    )
    return alt.layer(whiskers, dots, autosize=FIT).properties(
        width="container", height=alt.Step(13, **{"for": "offset"})
    )


def top_paths(frame: pd.DataFrame, top: int = 15) -> Layers:
    """The commonest paths: how many conversions they brought, and how often a journey on them converted.

    Args:
        frame: `Paths.to_frame()`; conversions that no touch preceded are left out.
        top: How many paths.
    """
    drawn = frame.loc[(frame["path"] != NO_TOUCH) & (frame["conversions"] > 0)].head(top)
    drawn = drawn.assign(rate=drawn["conversions"] / (drawn["conversions"] + drawn["nulls"]))
    base = alt.Chart(drawn).encode(
        y=alt.Y("path:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=320)),
        tooltip=[
            alt.Tooltip("path:N", title="Path"),
            alt.Tooltip("conversions:Q", title="Conversions", format=",.0f"),
            alt.Tooltip("nulls:Q", title="Journeys without one", format=",.0f"),
            alt.Tooltip("rate:Q", title="Share that converted", format=".1%"),
        ],
    )
    x = alt.X(
        "conversions:Q",
        title="Conversions (share of the path's journeys that converted)",
        axis=alt.Axis(format="~s", tickCount=6),
    )
    bars = base.mark_bar(color=ACCENT, opacity=0.6, height=14).encode(x=x)
    rates = base.mark_text(align="left", dx=4, color=MUTED).encode(
        x="conversions:Q", text=alt.Text("rate:Q", format=".1%")
    )
    return alt.layer(bars, rates, autosize=FIT).properties(width="container", height=alt.Step(22))
