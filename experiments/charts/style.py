"""What the charts of tests share: colours, dates, tooltips, frames of periods, the shade of a window.

Colours come from the ground floor's one set of sources. A user's names (KPI, geos, test) are titles and values of a
frame, never fields or expressions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from experiments.result import PeriodEffect
from measurement.charts import CHANNELS, MUTED, SOURCES, Layers

COLOUR = SOURCES["experiments"].colour
SECOND = SOURCES["unified"].colour
PALE, GREY = "#cf62391f", "#8a8f9826"
PHASES = {  # name for readers and shade of each phase that is shaded
    "test": ("test", PALE),
    "cooldown": ("cool-down", GREY),
    "on": ("on", PALE),
    "mixed": ("on in some", "#cf623910"),
    "burn_in": ("not read", GREY),
}
FEW = CHANNELS[:6]

NUMBER = ",.0f"
SHARE = ".1%"
NUMBERS = alt.Axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '~s')", tickCount=5)
SHARES = alt.Axis(format="~%", tickCount=6)
DATES = alt.X("date:T", title=None, axis=alt.Axis(format="%d %b %Y", labelOverlap=True, tickCount=6))
NAMES = alt.Axis(ticks=False, domain=False, labelLimit=190)
BELOW = alt.Legend(orient="bottom")
UNKNOWN_TICK = pd.Timedelta(days=1)


def periods(found: Sequence[PeriodEffect]) -> pd.DataFrame:
    """Periods as a frame of finite numbers: an end that is infinite is left empty and not drawn."""
    frame = pd.DataFrame([asdict(period) for period in found]).rename(columns={"day": "date"})
    numbers = frame.columns.difference(["date", "phase"])
    frame = frame.assign(date=pd.to_datetime(frame["date"])).astype(dict.fromkeys(numbers, "float64"))
    return frame.replace([np.inf, -np.inf], np.nan)


def tips(fields: Mapping[str, str], form: str = NUMBER) -> list[alt.Tooltip]:
    """Tooltips of number fields, by field and title."""
    return [alt.Tooltip(f"{field}:Q", title=title, format=form) for field, title in fields.items()]


def day_tip(title: str = "Period") -> alt.Tooltip:
    """Tooltip of the date."""
    return alt.Tooltip("date:T", title=title, format="%d %b %Y")


def level(value: float, axis: str = "y") -> alt.Chart:
    """A thin line across the whole chart at a value of its ``y`` or ``x`` axis (zero, a target)."""
    rule = alt.Chart(pd.DataFrame({"level": [value]})).mark_rule(color=MUTED, strokeDash=[2, 2])
    chart: alt.Chart = rule.encode(y="level:Q") if axis == "y" else rule.encode(x="level:Q")
    return chart


def shade(found: Sequence[PeriodEffect]) -> Layers:
    """The read-out as a shaded band per phase, named, from its first day to the end of its last period."""
    rows = windows([period.day for period in found], [period.phase for period in found])
    fill = alt.Color("shade:N", scale=None, legend=None)
    band = alt.Chart(rows).mark_rect().encode(x=DATES, x2="until:T", color=fill)
    first = rows.drop_duplicates("phase")
    after = first["phase"] == PHASES["cooldown"][0]
    names = [_named(first[~after], "left", "date:T", 4, 3), _named(first[after], "right", "until:T", -4, 16)]
    return alt.layer(band, *names)


def _named(rows: pd.DataFrame, align: Literal["left", "right"], where: str, dx: int, y: int) -> alt.Chart:
    """The name of a phase at an upper corner of its band."""
    mark = alt.Chart(rows).mark_text(align=align, dx=dx, y=y, color=MUTED, fontSize=11, baseline="top")
    chart: alt.Chart = mark.encode(x=alt.X(where, title=None), text="phase:N")
    return chart


def windows(days: Sequence[date], phases: Sequence[str]) -> pd.DataFrame:
    """Each stretch of one phase, with its first day and its end: ``date``, ``until``, ``phase``, ``shade``."""
    step = pd.Timedelta((days[-1] - days[0]) / (len(days) - 1)) if len(days) > 1 else UNKNOWN_TICK
    rows = []
    for phase, run in groupby(zip(days, phases, strict=True), key=itemgetter(1)):
        inside = [day for day, _ in run]
        if phase in PHASES:
            name, colour = PHASES[phase]
            ends = {"date": pd.Timestamp(inside[0]), "until": pd.Timestamp(inside[-1]) + step}
            rows.append(ends | {"phase": name, "shade": colour})
    return pd.DataFrame(rows, columns=["date", "until", "phase", "shade"])
