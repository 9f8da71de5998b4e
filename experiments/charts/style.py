"""What the charts of tests share: colours, dates, tooltips, frames of periods, the shade of a window.

Colours come from the ground floor's one set of sources. A user's names (KPI, geos, test) are titles and values of a
frame, never fields or expressions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from experiments.result import PeriodEffect
from measurement.charts import CHANNELS, MUTED, SOURCES, Layers

COLOUR = SOURCES["experiments"].colour
SECOND = SOURCES["unified"].colour
SHADE = {"test": "#cf62391f", "cooldown": "#8a8f9826"}
PHASES = {"test": "test", "cooldown": "cool-down"}
FEW = CHANNELS[:6]

NUMBER = ",.0f"
SHARE = ".1%"
NUMBERS = alt.Axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '~s')", tickCount=5)
SHARES = alt.Axis(format="~%", tickCount=6)
DATES = alt.X("date:T", title=None, axis=alt.Axis(format="%d %b %Y", labelOverlap=True, tickCount=6))
NAMES = alt.Axis(ticks=False, domain=False)
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
    fill = alt.condition(alt.datum.phase == PHASES["test"], *map(alt.value, SHADE.values()))
    band = alt.Chart(rows).mark_rect().encode(x=DATES, x2="until:T", color=fill)
    names = [_named(rows[rows["phase"] == PHASES["test"]], "left", "date:T", 4, 3)]
    names.append(_named(rows[rows["phase"] == PHASES["cooldown"]], "right", "until:T", -4, 16))
    return alt.layer(band, *names)


def _named(rows: pd.DataFrame, align: Literal["left", "right"], where: str, dx: int, y: int) -> alt.Chart:
    """The name of a phase at an upper corner of its band."""
    mark = alt.Chart(rows).mark_text(align=align, dx=dx, y=y, color=MUTED, fontSize=11, baseline="top")
    chart: alt.Chart = mark.encode(x=alt.X(where, title=None), text="phase:N")
    return chart


def windows(days: Sequence[date], phases: Sequence[str]) -> pd.DataFrame:
    """First day and end of each phase: columns ``date``, ``until``, ``phase``."""
    step = pd.Timedelta((days[-1] - days[0]) / (len(days) - 1)) if len(days) > 1 else UNKNOWN_TICK
    inside = {phase: [day for day, own in zip(days, phases, strict=True) if own == phase] for phase in phases}
    return pd.DataFrame(
        [
            {"date": pd.Timestamp(own[0]), "until": pd.Timestamp(own[-1]) + step, "phase": PHASES[phase]}
            for phase, own in inside.items()
        ]
    )
