"""What journeys are like: which paths, how long, how slow, where they go."""

import altair as alt
import numpy as np
import pandas as pd

from attribution.charts.credit import IN_SHORT
from attribution.path_table import NO_TOUCH
from attribution.views import CONVERSION, MORE, OTHER
from measurement.charts import ACCENT, CHANNELS, FIT, MUTED, SOURCES, Layers

WIN = SOURCES["truth"].colour
GAP = 0.025
"""Between the nodes of one step of the flows, as a share of the height."""
LONGEST = 15
"""Letters of a name beside a node."""
CURVE = 9
"""Points along a band."""


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
    room = alt.Scale(domainMax=float(drawn["conversions"].max()) * 1.1)
    x = alt.X(
        "conversions:Q",
        scale=room,
        title="Conversions (share of the path's journeys that converted)",
        axis=alt.Axis(labelExpr=IN_SHORT, tickCount=6),
    )
    bars = base.mark_bar(color=ACCENT, opacity=0.6, height=14).encode(x=x)
    rates = base.mark_text(align="left", dx=4, color=MUTED).encode(x=x, text=alt.Text("rate:Q", format=".1%"))
    return alt.layer(bars, rates, autosize=FIT).properties(width="container", height=alt.Step(22))


def path_lengths(frame: pd.DataFrame) -> Layers:
    """Conversions by number of touches, and beside each bar the share of such journeys that converted.

    Args:
        frame: `attribution.views.path_lengths`.
    """
    labels = frame.assign(
        words=[
            f"{row.rate:.1%} converted ({row.rate_low:.1%} to {row.rate_high:.1%})"
            for row in frame.itertuples(index=False)
        ]
    )
    base = alt.Chart(labels).encode(
        y=alt.Y("length:N", title="Touches", sort=None, axis=alt.Axis(ticks=False, domain=False)),
        tooltip=[
            alt.Tooltip("length:N", title="Touches"),
            alt.Tooltip("conversions:Q", title="Conversions", format=",.0f"),
            alt.Tooltip("journeys:Q", title="Journeys", format=",.0f"),
            alt.Tooltip("words:N", title="Rate"),
        ],
    )
    room = alt.Scale(domainMax=float(frame["conversions"].max()) * 1.45)
    x = alt.X("conversions:Q", title="Conversions", scale=room, axis=alt.Axis(labelExpr=IN_SHORT, tickCount=6))
    bars = base.mark_bar(color=ACCENT, opacity=0.6, height=14).encode(x=x)
    words = base.mark_text(align="left", dx=4, color=MUTED).encode(x=x, text="words:N")
    return alt.layer(bars, words, autosize=FIT).properties(width="container", height=alt.Step(22))


def time_lags(frame: pd.DataFrame) -> Layers:
    """How long before the conversion the first and the last touch were.

    Args:
        frame: `attribution.views.time_lags`.
    """
    since, lags = ["first touch", "last touch"], frame["lag"].drop_duplicates().to_list()
    colours = alt.Scale(domain=since, range=[ACCENT, SOURCES["experiments"].colour])
    base = alt.Chart(frame).encode(
        y=alt.Y("lag:N", title="Before the conversion", sort=lags, axis=alt.Axis(ticks=False, domain=False)),
        yOffset=alt.YOffset("since:N", sort=since),
        color=alt.Color("since:N", scale=colours, legend=alt.Legend(title=None, orient="top"), sort=since),
        tooltip=[
            alt.Tooltip("since:N", title="Since"),
            alt.Tooltip("lag:N", title="Lag"),
            alt.Tooltip("conversions:Q", title="Conversions", format=",.0f"),
            *(
                alt.Tooltip(f"{name}:Q", title=title, format=".1%")
                for name, title in (("share", "Share"), ("share_low", "Low"), ("share_high", "High"))
            ),
        ],
    )
    x = alt.X("share:Q", title="Share of conversions with a touch", axis=alt.Axis(format=".0%", tickCount=6))
    bars = base.mark_bar(opacity=0.55, height=10).encode(x=x)
    whiskers = base.mark_rule(strokeWidth=1.6).encode(x="share_low:Q", x2="share_high:Q")
    step = alt.Step(13, **{"for": "offset"})
    return alt.layer(bars, whiskers, autosize=FIT).properties(width="container", height=step)


def windows(frame: pd.DataFrame, top: int = 8) -> Layers:
    """What each channel is credited with, by lookback; dashed where the lookback is the one in use.

    Args:
        frame: `attribution.sweeps.windows`.
        top: Channels with most credit that are drawn.
    """
    seen = frame[frame["channel"] != NO_TOUCH]
    largest = seen.groupby("channel")["share"].max().sort_values(ascending=False, kind="stable").index[:top].to_list()
    drawn = seen[seen["channel"].isin(largest)]
    colours = alt.Scale(domain=largest, range=[CHANNELS[i % len(CHANNELS)] for i in range(len(largest))])
    x = alt.X("days:O", title="Lookback in days", axis=alt.Axis(labelAngle=0))
    lines = (
        alt.Chart(drawn)
        .mark_line(point=alt.OverlayMarkDef(size=40), strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y("share:Q", title="Share of all conversions", axis=alt.Axis(format="~%", tickCount=6)),
            color=alt.Color(
                "channel:N", scale=colours, legend=alt.Legend(title=None, orient="top", columns=4, labelLimit=160)
            ),
            tooltip=[
                alt.Tooltip("channel:N", title="Channel"),
                alt.Tooltip("days:O", title="Lookback, days"),
                alt.Tooltip("share:Q", title="Share of all conversions", format=".1%"),
            ],
        )
    )
    used = pd.DataFrame({"days": sorted(set(frame.loc[frame["current"], "days"]))})
    rule = alt.Chart(used).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x=x)
    return alt.layer(rule, lines, autosize=FIT).properties(width="container", height=260)


def transitions(frame: pd.DataFrame) -> Layers:
    """Where journeys go next from each channel, as shares of its steps; darker is more, on a scale of square roots.

    Args:
        frame: `attribution.views.transitions`.
    """
    base = alt.Chart(frame).encode(
        x=alt.X(
            "target:N",
            title="Goes on to",
            sort=_ordered(frame, "target"),
            axis=alt.Axis(orient="top", labelAngle=45, labelAlign="right", ticks=False, domain=False, labelLimit=150),
        ),
        y=alt.Y(
            "source:N",
            title="From",
            sort=_ordered(frame, "source"),
            axis=alt.Axis(ticks=False, domain=False, labelLimit=200),
        ),
        tooltip=[
            alt.Tooltip("source:N", title="From"),
            alt.Tooltip("target:N", title="To"),
            alt.Tooltip("count:Q", title="Steps", format=",.0f"),
            alt.Tooltip("share:Q", title="Share of all from there", format=".1%"),
        ],
    )
    # The darkest cell still bears words in the ink of the page, on light and on dark (4.5:1).
    scale = alt.Scale(type="sqrt", domain=[0, 1], range=["#2f74b50c", "#2f74b5cc"])
    cells = base.mark_rect().encode(color=alt.Color("share:Q", scale=scale, legend=None))
    text = alt.Text("share:Q", format=".0%")
    words = base.mark_text(fontSize=10).encode(text=text)
    return alt.layer(cells, words, autosize=FIT).properties(width="container", height=alt.Step(24))


def _ordered(frame: pd.DataFrame, end: str) -> list[str]:
    return list(frame.sort_values(f"{end}_order")[end].drop_duplicates())


def flows(frame: pd.DataFrame) -> Layers:
    """Conversions from channel to channel over the first touches of their paths: a Sankey diagram made of areas.

    Args:
        frame: `attribution.views.flows`.
    """
    nodes = _nodes(frame)
    bands = _bands(frame, nodes)
    names = [name for name in dict.fromkeys(nodes.sort_values("order")["name"]) if name not in (CONVERSION, MORE)]
    shades = [MUTED if name == OTHER else CHANNELS[i % len(CHANNELS)] for i, name in enumerate(names)]
    colours = alt.Scale(domain=[*names, CONVERSION, MORE], range=[*shades, WIN, MUTED])
    tips = [
        alt.Tooltip("source:N", title="From"),
        alt.Tooltip("target:N", title="To"),
        alt.Tooltip("conversions:Q", title="Conversions", format=",.0f"),
    ]
    last = int(nodes["step"].max())
    titles = "datum.value == 1 ? 'First touch' : datum.value > " + f"{last - 1}" + " ? 'then' : 'Touch ' + datum.value"
    axis = alt.Axis(orient="top", values=list(range(1, last + 1)), labelExpr=titles, ticks=False, domain=False,
                    grid=False)  # fmt: skip
    x = alt.X("x:Q", title=None, axis=axis, scale=alt.Scale(domain=[0.9, last + 0.75], nice=False))
    y = alt.Y("low:Q", axis=None, scale=alt.Scale(reverse=True, nice=False))
    colour = alt.Color("source:N", scale=colours, legend=None)
    areas = alt.Chart(bands).mark_area(opacity=0.35).encode(
        x=x, y=y, y2="high:Q", detail="band:N", color=colour, tooltip=tips
    )  # fmt: skip
    bars = alt.Chart(nodes).mark_rect(opacity=1).encode(
        x=x, x2="right:Q", y=y, y2="high:Q", color=alt.Color("name:N", scale=colours, legend=None),
        tooltip=[alt.Tooltip("name:N", title="Step"), alt.Tooltip("conversions:Q", title="Conversions", format=",.0f")],
    )  # fmt: skip
    words = alt.Chart(nodes[nodes["high"] - nodes["low"] > 0.022]).mark_text(
        align="left", dx=3, fontSize=10, limit=112
    ).encode(x=alt.X("right:Q"), y="middle:Q", text="label:N")  # fmt: skip
    return alt.layer(areas, bars, words, autosize=FIT).properties(width="container", height=380)


def _nodes(frame: pd.DataFrame) -> pd.DataFrame:
    """The nodes of each step: how much goes through, and where they stand (shares of the height, from the top)."""
    into = frame.assign(step=frame["step"] + 1)[["step", "target", "target_order", "conversions"]]
    out = frame.loc[frame["step"] == 1, ["step", "source", "source_order", "conversions"]]
    parts = [part.set_axis(["step", "name", "order", "conversions"], axis=1) for part in (out, into)]
    nodes: pd.DataFrame = pd.concat(parts).groupby(["step", "order", "name"])[["conversions"]].sum().reset_index()
    total = float(out["conversions"].sum())
    size = nodes["conversions"] / total
    before = size.groupby(nodes["step"]).cumsum() - size
    nodes["low"] = before + GAP * nodes.groupby("step").cumcount()
    nodes["high"] = nodes["low"] + size
    nodes["middle"] = (nodes["low"] + nodes["high"]) / 2
    nodes["x"], nodes["right"] = nodes["step"], nodes["step"] + 0.04
    nodes["label"] = [f"{_short(name)} {share:.0%}" for name, share in zip(nodes["name"], size, strict=True)]
    return nodes


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _bands(frame: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    """The edge of every band at `CURVE` points, along a cubic that leaves and arrives level."""
    low = nodes.set_index(["step", "order"])["low"]
    share = frame["conversions"] / frame.loc[frame["step"] == 1, "conversions"].sum()
    flow = frame.assign(share=share, band=range(len(frame)))
    flow = flow.sort_values(["step", "source_order", "target_order"])
    flow["from"] = flow.groupby(["step", "source_order"])["share"].cumsum() - flow["share"]
    flow = flow.sort_values(["step", "target_order", "source_order"])
    flow["to"] = flow.groupby(["step", "target_order"])["share"].cumsum() - flow["share"]
    start = low.loc[list(zip(flow["step"], flow["source_order"], strict=True))].to_numpy() + flow["from"].to_numpy()
    stop = low.loc[list(zip(flow["step"] + 1, flow["target_order"], strict=True))].to_numpy() + flow["to"].to_numpy()
    along = np.linspace(0, 1, CURVE)
    ease = along**2 * (3 - 2 * along)
    edge = start[:, None] + (stop - start)[:, None] * ease
    again = flow.loc[flow.index.repeat(CURVE), ["band", "source", "target", "conversions"]].reset_index(drop=True)
    x = flow["step"].to_numpy()[:, None] + 0.04 + 0.96 * along
    made: pd.DataFrame = again.assign(
        x=x.ravel(), low=edge.ravel(), high=edge.ravel() + np.repeat(flow["share"].to_numpy(), CURVE)
    )
    return made
