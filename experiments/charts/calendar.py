"""The calendar of a registry: every test over time, grouped by channel, coloured by state."""

from collections.abc import Sequence
from datetime import date

import altair as alt
import pandas as pd

from experiments.charts.style import NAMES
from experiments.registry.blackouts import Blackout
from measurement.charts import FIT, MUTED, Layers
from measurement.errors import shown
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
LATE = 0.75


def calendar(rows: Sequence[Json], today: date, blackouts: Sequence[Blackout] = ()) -> Layers:
    """Draw the tests, one bar each; the cool-down is the paler end of a bar, the dashed line is today.

    Args:
        rows: Tests as `experiments.registry.rows.row` writes them.
        today: The day of the dashed line.
        blackouts: Days on which no test may run, as grey bands.
    """
    frame = _frame(rows)
    blackouts = [each for each in blackouts if pd.Timestamp(each.end) >= frame["date"].min()]
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
    label = alt.Y("label:N", title=None, sort=order, axis=alt.Axis(**{**NAMES.to_dict(), "labelLimit": 250}))
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
    after = base.transform_filter(~alt.datum.late).mark_text(align="left", dx=5, color=MUTED, fontSize=11)
    before = base.transform_filter(alt.datum.late).mark_text(align="right", dx=-5, color=MUTED, fontSize=11)
    words = after.encode(x="until:T", y=label, text="where:N"), before.encode(x="date:T", y=label, text="where:N")
    line = alt.Chart(pd.DataFrame({"date": [pd.Timestamp(today)], "name": ["today"]}))
    now = line.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="date:T")
    name = line.mark_text(color=MUTED, fontSize=11, dy=-8, baseline="bottom").encode(
        x="date:T", y=alt.value(0), text="name:N"
    )
    chart: Layers = alt.layer(*_closed(blackouts), bars, pale, *words, now, name).properties(autosize=FIT)
    if blackouts:
        reasons = "; ".join(dict.fromkeys(shown(each.reason, 40) for each in blackouts))
        note = f"Grey bands: no test may run ({reasons})"
        title = alt.TitleParams(
            note, anchor="start", orient="bottom", offset=8, fontSize=11, fontWeight="normal", color=MUTED
        )
        chart = chart.properties(title=title)
    return chart


def _closed(blackouts: Sequence[Blackout]) -> list[alt.Chart]:
    """Bands from top to bottom; nothing where there are none."""
    if not blackouts:
        return []
    day = pd.Timedelta(days=1)
    made = [
        {"date": pd.Timestamp(each.start), "after": pd.Timestamp(each.end) + day, "reason": each.reason}
        for each in blackouts
    ]
    base = alt.Chart(pd.DataFrame(made))
    tips = [alt.Tooltip("reason:N", title="No test may run"), alt.Tooltip("date:T", title="From", format="%d %b %Y")]
    return [base.mark_rect(color=MUTED, opacity=0.25).encode(x="date:T", x2="after:T", tooltip=tips)]


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
    frame = pd.DataFrame(made, columns=columns).sort_values(["channel", "date", "test"], kind="stable")
    first, last = frame["date"].min(), frame["until"].max()
    return frame.assign(late=frame["until"] > first + LATE * (last - first))  # no room behind it for its markets


def _markets(geos: Sequence[str]) -> str:
    if not geos:
        return "whole market"
    more = f" and {len(geos) - LONGEST_LIST} more" if len(geos) > LONGEST_LIST else ""
    return ", ".join(geos[:LONGEST_LIST]) + more
