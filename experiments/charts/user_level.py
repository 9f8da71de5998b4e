"""Charts of user-level tests: the arms side by side, and the effect as it was known on each day."""

import altair as alt
import pandas as pd

from experiments.charts.style import COLOUR, DATES, NAMES, day_tip, level, tips
from measurement.charts import FIT, Layers


def arms(frame: pd.DataFrame, unit: str) -> Layers:
    """The mean per user of each arm, with its interval.

    Args:
        frame: ``arm``, ``users``, ``mean``, ``low``, ``high`` (per user).
        unit: What the mean counts, with its unit.
    """
    base = alt.Chart(frame, width="container", height=alt.Step(34)).encode(
        y=alt.Y("arm:N", title=None, sort=None, axis=NAMES),
        tooltip=[
            alt.Tooltip("arm:N", title="Arm"),
            *tips({"users": "Users"}),
            *tips({"mean": "Mean per user", "low": "Low", "high": "High"}, ",.4~g"),
        ],
    )
    scale = alt.Scale(zero=False, padding=20)
    ends = base.mark_rule(color=COLOUR, strokeWidth=2).encode(x=alt.X("low:Q", title=unit, scale=scale), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, color=COLOUR, opacity=1).encode(x="mean:Q")
    words = base.mark_text(dy=-10, fontSize=11, color=COLOUR).encode(
        x="mean:Q", text=alt.Text("mean:Q", format=",.4~g")
    )
    return alt.layer(ends, dots, words, autosize=FIT)


def sequence(frame: pd.DataFrame, unit: str) -> Layers:
    """The effect per user as it was known at the end of each day; the interval holds at every look at once.

    Args:
        frame: ``date``, ``estimate``, ``low``, ``high`` (an always-valid interval).
        unit: What the effect counts, with its unit.
    """
    base = alt.Chart(frame.assign(date=pd.to_datetime(frame["date"])), width="container", height=200).encode(x=DATES)
    title = alt.Y("low:Q", title=unit, axis=alt.Axis(format="~g", tickCount=5))
    band = base.mark_area(color=COLOUR, opacity=0.2).encode(y=title, y2="high:Q")
    line = base.mark_line(color=COLOUR, strokeWidth=2).encode(
        y=alt.Y("estimate:Q", title=unit),
        tooltip=[day_tip("Until"), *tips({"estimate": "Effect so far", "low": "Low", "high": "High"}, ",.4~g")],
    )
    return alt.layer(band, level(0.0), line)
