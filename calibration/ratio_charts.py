"""What charts of returns share: a log scale with an edge, the break-even line, bands behind every other row.

Ratios stand on a log scale, so that 0.5 and 2 are equally far from 1; a number at or below the left edge (a test may
say less than 0) is drawn on the edge with an arrow, its true value in the tooltip.
"""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from measurement.charts import MUTED

EDGE = 0.05
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50)
ABOVE = 22
"""Pixels between a chart and its legend, where the break-even's name stands."""
POSITIONS = {"shown": "median", "from": "low", "to": "high"}


def placed(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of ``median, low, high`` with its positions ``shown, from, to``; ``beyond``: it goes on past the edge."""
    positions = {field: frame[column].astype(float).clip(lower=EDGE) for field, column in POSITIONS.items()}
    return frame.assign(**positions, beyond=frame["low"].astype(float) < EDGE)


def domain(frames: Sequence[pd.DataFrame], break_even: float, room: float = 1.0) -> alt.Scale:
    """A log scale that holds every position of some frames, and break-even; with so much ``room`` on the right."""
    ends = np.concatenate([frame[name].to_numpy(float) for frame in frames for name in POSITIONS])
    ends = np.append(ends[np.isfinite(ends)], break_even)
    return alt.Scale(type="log", domain=[float(ends.min()) / 1.1, float(ends.max()) * 1.1 * room], nice=False)


def unit_of(frame: pd.DataFrame) -> str:
    """The unit of a frame's ratios; words where it holds none."""
    return str(frame["unit"].iloc[0]) if len(frame) and "unit" in frame.columns else "money per money"


def axis_x(field: str, scale: alt.Scale, unit: str) -> alt.X:
    """The horizontal axis of returns."""
    return alt.X(f"{field}:Q", scale=scale, axis=_axis(), title=f"Return ({unit}, log scale)")


def axis_y(field: str, scale: alt.Scale, unit: str) -> alt.Y:
    """The vertical axis of returns."""
    return alt.Y(f"{field}:Q", scale=scale, axis=_axis(), title=f"Return ({unit}, log)")


def break_even_line(break_even: float, scale: alt.Scale, unit: str) -> list[alt.Chart]:
    """A dashed line where the margin just pays, with its name above."""
    base = alt.Chart(pd.DataFrame({"at": [break_even], "name": [f"break-even {break_even:.2f}"]}))
    x = axis_x("at", scale, unit)
    line = base.mark_rule(strokeDash=[5, 4], color=MUTED, strokeWidth=1.4)
    name = base.mark_text(color=MUTED, fontSize=11, baseline="bottom", dy=-5)
    tip = [alt.Tooltip("at:Q", title="Break-even", format=".2f")]
    return [line.encode(x=x, tooltip=tip), name.encode(x=x.copy(), y=alt.value(0), text="name:N")]


def bands(rows: Sequence[str], scale: alt.Scale, unit: str, field: str = "channel") -> alt.Chart:
    """Pale bands behind every other row, so that the lines of a row are seen to belong together.

    As the first layer it settles the order of the rows, so that it holds all of them, the others with no width.
    """
    low, high = scale.domain
    ends = [high if place % 2 else low for place in range(len(rows))]
    base = alt.Chart(pd.DataFrame({field: list(rows), "from": low, "to": ends})).mark_bar(color=MUTED, opacity=0.08)
    chart: alt.Chart = base.encode(y=named_rows(field), x=axis_x("from", scale, unit), x2="to:Q")
    return chart


def arrows(base: alt.Chart, scale: alt.Scale, unit: str) -> alt.Chart:
    """An arrow where an interval goes on beyond the left edge."""
    chart: alt.Chart = (
        base.transform_filter(alt.datum.beyond)
        .mark_point(filled=True, shape="triangle-left", size=42, opacity=1)
        .encode(x=axis_x("from", scale, unit))
    )
    return chart


def named_rows(field: str = "channel") -> alt.Y:
    """One row per name, in the order of the first layer."""
    return alt.Y(f"{field}:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))


def height_of(rows: int, lines: int) -> int:
    """Pixels of a chart with so many rows of so many lines each."""
    return rows * (15 * lines + 9)


def tips(names: Sequence[tuple[str, str]], number: str) -> list[alt.Tooltip]:
    """A tooltip of names and of the interval."""
    ends = [("median:Q", "Median"), ("low:Q", "Low"), ("high:Q", "High")]
    return [alt.Tooltip(field, title=title) for field, title in names] + [
        alt.Tooltip(field, title=title, format=number) for field, title in ends
    ]


def _axis() -> alt.Axis:
    return alt.Axis(values=list(TICKS), format="~g", grid=True, labelOverlap="greedy")
