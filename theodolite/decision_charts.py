"""The chart of a log of decisions, in Altair: each outcome on the scale of what was expected of it."""

import altair as alt
import pandas as pd

from measurement.charts import ACCENT, FIT, MUTED, SOURCES, Layers

VERDICTS = ("as expected", "above", "below")
COLOURS = (ACCENT, SOURCES["experiments"].colour, SOURCES["platform"].colour)
SHAPES = ("circle", "triangle-up", "triangle-down")
FURTHEST = 3.0


def came_of_it(frame: pd.DataFrame) -> Layers:
    """What came of each decision, in units of its 90 % interval: decisions of every metric on one axis.

    Args:
        frame: ``decision, metric, expected, low, high, came, verdict``, one row per scored decision, in order. An
            outcome beyond three half widths of its interval is drawn at the edge; its value is in the tooltip.
    """
    half = ((frame["high"] - frame["low"]) / 2).where(lambda width: width > 0, 1.0)
    middle = (frame["high"] + frame["low"]) / 2
    drawn = frame.assign(
        at=((frame["came"] - middle) / half).clip(-FURTHEST, FURTHEST), told=(frame["expected"] - middle) / half
    )
    rows = alt.Y("decision:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=150))
    edges = alt.Scale(domain=[-FURTHEST - 0.2, FURTHEST + 0.2], nice=False)
    words = "datum.value == -1 ? 'low end' : datum.value == 1 ? 'high end' : datum.value == 0 ? 'middle' : ''"
    axis = alt.Axis(values=[-1, 0, 1], labelExpr=words, grid=False)
    title = ["What came, on the scale", "of what was expected (90 % interval)"]
    x = alt.X("at:Q", title=title, scale=edges, axis=axis)
    tips = [alt.Tooltip(f"{name}:N", title=name.capitalize()) for name in ("decision", "metric", "verdict")]
    tips += [alt.Tooltip(f"{name}:Q", title=name.capitalize(), format=",.4~g") for name in FIELDS]
    band = alt.Chart(drawn.assign(one=1.0, other=-1.0)).mark_bar(height=12, color=ACCENT, opacity=0.18)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=VERDICTS, range=COLOURS),
        legend=alt.Legend(title=None, orient="top", symbolType="circle"),
    )
    points = alt.Chart(drawn).mark_point(filled=True, size=80, opacity=1)
    chart: Layers = alt.layer(
        band.encode(y=rows, x=alt.X("other:Q", scale=edges, axis=axis), x2="one:Q"),
        alt.Chart(drawn).mark_tick(thickness=2, height=12, color=MUTED).encode(y=rows, x="told:Q"),
        points.encode(
            y=rows,
            x=x,
            color=colour,
            shape=alt.Shape("verdict:N", scale=alt.Scale(domain=VERDICTS, range=SHAPES), legend=None),
            tooltip=tips,
        ),
    ).properties(width="container", height=alt.Step(28), autosize=FIT)
    return chart


FIELDS = ("expected", "low", "high", "came")
