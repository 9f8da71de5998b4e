"""The ranking of tests, in Altair, from a tidy frame with fixed field names."""

from typing import Literal

import altair as alt
import pandas as pd

from measurement.charts import ACCENT, MUTED, SOURCES, Layers

WORTH, COSTS, NET = "Its result is worth", "The test costs", "Left, with 90 % interval"
LEFT = SOURCES["truth"].colour
AXIS = alt.Axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '~s')", tickCount=6)


def ranking(frame: pd.DataFrame, money: str, width: int | Literal["container"] = 560) -> Layers:
    """What each test's result is worth, what the test costs, and what is left; one row per test, the best on top.

    The interval is that of the computation (Monte Carlo): how far another run of the sampler might end up.

    Args:
        frame: `NextTests.to_frame()`: ``test, value, cost, net, net_low, net_high`` in money, and ``best``, a chance.
        money: Unit of money.
        width: In pixels, or that of the page.
    """
    bars = pd.concat(
        [
            frame.assign(what=WORTH, amount=frame["value"]),
            frame[frame["cost"] > 0].assign(what=COSTS, amount=-frame["cost"]),
        ]
    )
    kinds = [WORTH, COSTS, NET]
    scale = alt.Scale(domain=kinds, range=[ACCENT, SOURCES["experiments"].colour, LEFT])
    colour = alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top", symbolType="square"))
    rows = alt.Y("test:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=240))
    x = alt.X("amount:Q", title=f"Over the horizon ({money})", axis=AXIS)
    tips = [
        alt.Tooltip("test:N", title="Test"),
        *(
            alt.Tooltip(f"{field}:Q", title=title, format=",.0f")
            for field, title in {
                "value": WORTH,
                "cost": COSTS,
                "net": "What is left",
                "evppi": "Worth without error",
            }.items()
        ),
        alt.Tooltip("best:Q", title="Chance to be the best", format=".0%"),
    ]
    net = frame.assign(what=NET)
    zero = alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=MUTED).encode(x="at:Q")
    drawn = alt.Chart(bars).mark_bar(height=14, opacity=0.55).encode(y=rows, x=x, color=colour, tooltip=tips)
    spans = alt.Chart(net).mark_rule(strokeWidth=2, color=LEFT).encode(y=rows, x="net_low:Q", x2="net_high:Q")
    points = (
        alt.Chart(net)
        .mark_point(filled=True, shape="diamond", size=90, opacity=1)
        .encode(y=rows, x="net:Q", color=colour, tooltip=tips)
    )
    return alt.layer(zero, drawn, spans, points).properties(width=width, height=alt.Step(28))
