"""Charts of who is compared with whom: the treated geos beside the controls, before anything is estimated."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from experiments.charts.style import BELOW, COLOUR, DATES, day_tip, tips
from measurement.charts import MUTED, Layers
from measurement.panel import Panel

GROUPS = {"treated": "Treated geos", "control": "Control geos"}
COLOURS = alt.Scale(domain=list(GROUPS.values()), range=[COLOUR, MUTED])
USUAL = 100.0


def markets(panel: Panel, treated: Sequence[str], control: Sequence[str], kpi: str | None = None) -> Layers:
    """Both groups as an index: 100 is the group's own mean over the panel, so that their courses can be compared.

    Args:
        panel: The data.
        treated: Treated geos.
        control: Control geos; all others where there are none.
        kpi: The KPI; the panel's own otherwise.
    """
    rest = tuple(control) or tuple(geo for geo in panel.geos if geo not in set(treated))
    outcome = panel.kpis[kpi or panel.kpi]
    frames = []
    for group, geos in (("treated", tuple(treated)), ("control", rest)):
        total = outcome[panel.geo_index(geos)].sum(axis=0)
        usual = float(np.mean(total)) or 1.0
        frames.append(
            pd.DataFrame({"date": pd.to_datetime(panel.dates), "index": USUAL * total / usual, "group": GROUPS[group]})
        )
    chart = (
        alt.Chart(pd.concat(frames, ignore_index=True), width="container", height=200)
        .mark_line(strokeWidth=1.3)
        .encode(
            x=DATES,
            y=alt.Y("index:Q", title=f"{kpi or panel.kpi} (100 = own mean)", scale=alt.Scale(zero=False)),
            color=alt.Color("group:N", title=None, scale=COLOURS, legend=BELOW),
            tooltip=[alt.Tooltip("group:N", title="Group"), day_tip(), *tips({"index": "Index"}, ".1f")],
        )
    )
    return alt.layer(chart)
