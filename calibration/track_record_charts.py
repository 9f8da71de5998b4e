"""The chart of a track record, in Altair: what each method said of a test beside what the test then measured."""

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from measurement.charts import FIT, SOURCES, Layers, source_colour, source_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.track_record import Scored

FIELDS = ("median", "low", "high", "measured", "measured_low", "measured_high")


def frame_of(scores: "Sequence[Scored]") -> pd.DataFrame:
    """Scores as a tidy frame: ``experiment_id, source, median, low, high, measured, measured_low, measured_high``."""
    rows = [
        {
            "experiment_id": score.experiment_id,
            "source": score.method,
            **score.predicted.to_dict(),
            "measured": score.measured.median,
            "measured_low": score.measured.low,
            "measured_high": score.measured.high,
        }
        for score in scores
    ]
    return pd.DataFrame(rows, columns=["experiment_id", "source", *FIELDS])


def foreseen(frame: pd.DataFrame) -> Layers:
    """What each method said of a test, with its 90 % interval, before the read-out; behind it, what the test measured.

    Args:
        frame: As `frame_of` makes it, iROAS.
    """
    present = [name for name in SOURCES if name in set(frame["source"])]
    drawn = frame.assign(label=frame["source"].map({name: SOURCES[name].label for name in present}))
    tests = drawn.drop_duplicates("experiment_id")
    rows = alt.Y("experiment_id:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    offset = alt.YOffset("label:N", sort=[SOURCES[name].label for name in present])
    title = "iROAS (dark line and band: what the test measured)"
    colour = alt.Color(
        "label:N",
        sort=None,
        scale=source_colour(present),
        legend=alt.Legend(title=None, orient="top", columns=3, symbolType="circle"),
    )
    names = {"median": "Said", "low": "Low", "high": "High", "measured": "Measured"}
    tips = [alt.Tooltip("experiment_id:N", title="Test"), alt.Tooltip("label:N", title="Source")]
    tips += [alt.Tooltip(f"{name}:Q", title=title, format=",.2f") for name, title in names.items()]
    base = alt.Chart(drawn).encode(y=rows, yOffset=offset, color=colour)
    measured = alt.Chart(tests).encode(y=rows)
    chart: Layers = alt.layer(
        measured.mark_bar(opacity=0.15, color=SOURCES["mmm"].colour).encode(
            x=alt.X("measured_low:Q", title=title), x2="measured_high:Q"
        ),
        measured.mark_tick(thickness=2.5, orient="vertical", bandSize=16 * len(present)).encode(x="measured:Q"),
        base.mark_rule(strokeWidth=1.8).encode(x="low:Q", x2="high:Q"),
        base.mark_point(filled=True, opacity=1, size=60).encode(
            x=alt.X("median:Q", title=title),
            shape=alt.Shape("label:N", scale=source_shape(present), legend=None),
            tooltip=tips,
        ),
    ).properties(width="container", height=len(tests) * (16 * len(present) + 8), autosize=FIT)
    return chart
