"""The calendar of a registry: every test over time, grouped by channel, coloured by state."""

from collections.abc import Sequence
from datetime import date

import altair as alt
import pandas as pd

from experiments.charts.style import NAMES
from measurement.charts import FIT, MUTED, Layers
from measurement.typing import Json

COLOURS = {
    "draft": "#b9bdc4",
    "in review": "#8a8f98",
    "approved": "#4a9cc2",
    "running": "#2f74b5",
    "completed": "#ab8420",
    "analysed": "#cf6239",
    "accepted": "#3a9480",
    "rejected": "#b5496b",
    "cancelled": "#5c6673",
    "superseded": "#a06bb0",
}
LONGEST_LIST = 2


def calendar(rows: Sequence[Json], today: date) -> Layers:
    """Draw the tests, one bar each; the cool-down is the paler end of a bar, the dashed line is today.

    Args:
        rows: Tests as `experiments.registry.rows.row` writes them.
        today: The day of the dashed line.
    """
    frame = _frame(rows)
    order = frame["label"].tolist()
    used = [state for state in COLOURS if state in set(frame["state"])]
    colour = alt.Color(
        "state:N",
        title="State",
        scale=alt.Scale(domain=used, range=[COLOURS[state] for state in used]),
        legend=alt.Legend(orient="bottom", symbolOpacity=1),
    )
    months = alt.X(
        "date:T",
        title=None,
        axis=alt.Axis(format="%b %Y", labelOverlap=True, labelSeparation=16, tickCount=9, grid=True),
    )
    label = alt.Y("label:N", title=None, sort=order, axis=alt.Axis(**{**NAMES.to_dict(), "labelLimit": 320}))
    base = alt.Chart(frame, width="container", height=alt.Step(26))
    tips = [
        alt.Tooltip("test:N", title="Test"),
        alt.Tooltip("channel:N", title="Channel"),
        alt.Tooltip("state:N", title="State"),
        alt.Tooltip("where:N", title="Markets"),
        alt.Tooltip("date:T", title="From", format="%d %b %Y"),
        alt.Tooltip("last:T", title="To", format="%d %b %Y"),
        alt.Tooltip("cooled:T", title="Cool-down to", format="%d %b %Y"),
        alt.Tooltip("grade:N", title="Grade"),
    ]
    bars = base.mark_bar(height=15).encode(x=months, x2="ended:T", y=label, color=colour, tooltip=tips)
    pale = base.mark_bar(height=15, opacity=0.35).encode(x="ended:T", x2="until:T", y=label, color=colour)
    words = base.mark_text(align="left", dx=5, color=MUTED, fontSize=11).encode(x="until:T", y=label, text="where:N")
    line = alt.Chart(pd.DataFrame({"date": [pd.Timestamp(today)], "name": ["today"]}))
    now = line.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="date:T")
    name = line.mark_text(color=MUTED, fontSize=11, dy=-8, baseline="bottom").encode(
        x="date:T", y=alt.value(0), text="name:N"
    )
    chart: Layers = alt.layer(bars, pale, words, now, name).properties(autosize=FIT)
    return chart


def _frame(rows: Sequence[Json]) -> pd.DataFrame:
    """One row per test: channels in alphabetical order, within each by first day."""
    day = pd.Timedelta(days=1)
    made = [
        {
            "test": row["experiment_id"],
            "channel": ", ".join(row["channel"]),
            "label": f"{', '.join(row['channel'])}: {row['experiment_id']}",
            "state": row["state"].replace("_", " "),
            "where": _markets(row["treatment_geos"]),
            "date": pd.Timestamp(row["start_date"]),
            "last": pd.Timestamp(row["end_date"]),
            "cooled": pd.Timestamp(row["read_out_end"]),
            "ended": pd.Timestamp(row["end_date"]) + day,
            "until": pd.Timestamp(row["read_out_end"]) + day,
            "grade": row["grade"] or "–",
        }
        for row in rows
    ]
    columns = ["test", "channel", "label", "state", "where", "date", "last", "cooled", "ended", "until", "grade"]
    return pd.DataFrame(made, columns=columns).sort_values(["channel", "date", "test"], kind="stable")


def _markets(geos: Sequence[str]) -> str:
    if not geos:
        return "whole market"
    more = f" and {len(geos) - LONGEST_LIST} more" if len(geos) > LONGEST_LIST else ""
    return ", ".join(geos[:LONGEST_LIST]) + more
