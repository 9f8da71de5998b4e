"""Charts of how sure a result is: the test among placebo sets, and what each estimator says."""

import altair as alt
import numpy as np
import pandas as pd

from experiments.charts.labels import readable
from experiments.charts.style import COLOUR, NAMES, NUMBER, NUMBERS, SECOND, level, tips
from experiments.result import Result
from measurement.charts import FIT, MUTED, Layers

_NOTHING = (np.zeros(0), np.zeros(1))
LONGEST = 4.0
"""An estimator's interval is drawn up to this many widths of the result's own, so that one wild interval does not
squeeze all others; its tooltip and the table hold the whole of it."""


def placebos(result: Result) -> Layers:
    """Where the test stands among draws that might have been and were not; empty where inference used none."""
    effects = result.placebo_effects[np.isfinite(result.placebo_effects)]
    counts, edges = np.histogram(effects, bins=min(40, max(10, effects.size // 8))) if effects.size else _NOTHING
    bars = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "count": counts})
    change = result.outcome_change
    here = pd.DataFrame({"effect": [change.estimate], "label": ["this test"]})
    histogram = (
        alt.Chart(bars, width="container", height=180)
        .mark_bar(color=MUTED, opacity=0.55)
        .encode(
            x=alt.X("start:Q", title=f"Change of {result.kpi} over the read-out", axis=NUMBERS),
            x2="end:Q",
            y=alt.Y("count:Q", title="Other draws", axis=alt.Axis(tickMinStep=1)),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("count:Q", title="Other draws"),
                *tips({"start": "From", "end": "To"}),
            ],
        )
    )
    mark = alt.Chart(here).encode(x="effect:Q")
    rule = mark.mark_rule(color=COLOUR, strokeWidth=2).encode(tooltip=tips({"effect": "This test"}))
    right = bool(effects.size) and change.estimate > np.quantile(effects, 0.75)
    label = mark.mark_text(
        color=COLOUR, align="right" if right else "left", dx=-6 if right else 6, y=8, fontWeight="bold"
    ).encode(text="label:N")
    return alt.layer(histogram, rule, label)


def estimators(result: Result) -> Layers:
    """What each estimator says of the same test, the one that counts on top."""
    frame = estimates(result)
    width = result.outcome_change.high - result.outcome_change.low
    reach = LONGEST * max(width, 1e-12) if np.isfinite(width) else np.inf
    centre = result.outcome_change.estimate
    drawn = frame.assign(
        shown_low=frame["low"].clip(lower=centre - reach), shown_high=frame["high"].clip(upper=centre + reach)
    )
    base = alt.Chart(drawn, width="container", height=alt.Step(30)).encode(
        y=alt.Y("estimator:N", title=None, sort=None, axis=NAMES),
        color=alt.condition(alt.datum.main, alt.value(COLOUR), alt.value(SECOND)),
        tooltip=[
            alt.Tooltip("estimator:N", title="Estimator"),
            *tips({"estimate": "Estimate", "low": "Low", "high": "High"}),
        ],
    )
    title = f"Change of {result.kpi} over the read-out ({1 - result.alpha:.0%} interval)"
    ends = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("shown_low:Q", title=title, axis=NUMBERS), x2=alt.X2("shown_high:Q")
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x="estimate:Q")
    words = base.mark_text(dy=-10, fontSize=11).encode(x="estimate:Q", text=alt.Text("estimate:Q", format=NUMBER))
    return alt.layer(level(0.0, "x"), ends, dots, words, autosize=FIT)


def estimates(result: Result) -> pd.DataFrame:
    """Estimate and interval of every estimator: ``estimator``, ``estimate``, ``low``, ``high``, ``main``."""
    own = {"estimator": readable(result.estimator), **result.outcome_change.to_dict(), "main": True}
    others = [
        {"estimator": readable(name), **other["outcome_change"], "main": False}
        for name, other in result.alternates.items()
    ]
    columns = ["estimator", "estimate", "low", "high", "main"]
    numbers = dict.fromkeys(["estimate", "low", "high"], "float64")
    return pd.DataFrame([own, *others])[columns].astype(numbers).replace([np.inf, -np.inf], np.nan)
