"""Chart of a switchback's schedule: when each market is on and off."""

import altair as alt
import pandas as pd

from experiments.charts.style import COLOUR, DATES, NAMES
from experiments.records import Experiment
from measurement.charts import FIT

EVERYWHERE = "whole market"
STATES = alt.Scale(domain=["on", "off"], range=[COLOUR, "#8a8f9840"])


def schedule(experiment: Experiment) -> alt.Chart:
    """The blocks of a switchback or on-off test, one row per geo."""
    rows = [
        {
            "geo": block.geo or EVERYWHERE,
            "date": pd.Timestamp(block.start),
            "until": pd.Timestamp(block.end) + pd.Timedelta(days=1),
            "last": pd.Timestamp(block.end),
            "state": "on" if block.on else "off",
        }
        for block in experiment.schedule
    ]
    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(rows), width="container", height=alt.Step(24), autosize=FIT)
        .mark_bar(height=16, stroke="white", strokeWidth=0.5)
        .encode(
            x=DATES,
            x2="until:T",
            y=alt.Y("geo:N", title=None, sort=None, axis=NAMES),
            color=alt.Color("state:N", title="Advertising", scale=STATES, legend=alt.Legend(orient="bottom")),
            tooltip=[
                alt.Tooltip("geo:N", title="Where"),
                alt.Tooltip("state:N", title="Advertising"),
                alt.Tooltip("date:T", title="From", format="%d %b %Y"),
                alt.Tooltip("last:T", title="To", format="%d %b %Y"),
            ],
        )
    )
    return chart
