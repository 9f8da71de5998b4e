"""Charts of what numbers hang on, in Altair, from the frames of `calibration.part_frames`.

Sources left out one by one, how far off one would have to be, and each test beside the model that has not seen it.
Names are only ever values.
"""

from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from calibration.ratio_charts import (
    ABOVE,
    arrows,
    axis_x,
    bands,
    break_even_line,
    domain,
    height_of,
    named_rows,
    placed,
    tips,
    unit_of,
)
from measurement.charts import FIT, MUTED, SOURCES, Layers, Source

WITHOUT = {
    "": Source("All sources", SOURCES["unified"].colour, "diamond"),
    "mmm": Source("Without the model", SOURCES["mmm"].colour, "circle"),
    "experiments": Source("Without lift tests", SOURCES["experiments"].colour, "square"),
    "attribution": Source("Without attribution", SOURCES["attribution"].colour, "triangle-up"),
}
TIPPED = {name: SOURCES[name] for name in ("mmm", "attribution")}
UNSEEN = {
    "mmm": Source("Model without the test", SOURCES["mmm"].colour, "circle"),
    "experiments": Source("The test", SOURCES["experiments"].colour, "square"),
    "panel": Source("Sales of its markets", SOURCES["mmm_calibrated"].colour, "triangle-up"),
}
WORDS = 1.5
"""Room for words on the right of a log scale, as a factor."""
FARTHEST = 10.0
TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TICK = "datum.value < 1 ? '÷ ' + format(1 / datum.value, '~g') : datum.value > 1 ? '× ' + datum.value : 'right'"


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The kinds of lines in each row of a chart: how each is drawn, in their order from the top down."""

    looks: tuple[Source, ...]

    @classmethod
    def of(cls, known: dict[str, Source], present: "pd.Series[str]") -> "_Kinds":
        """Those that occur."""
        return cls(tuple(look for name, look in known.items() if name in set(present)))

    def base(self, frame: pd.DataFrame, field: str) -> alt.Chart:
        """One row per name, in it one line per kind (``label``)."""
        labels = [look.label for look in self.looks]
        scale = alt.Scale(domain=labels, range=[look.colour for look in self.looks])
        legend = alt.Legend(title=None, orient="top", columns=4, offset=ABOVE)
        return alt.Chart(frame).encode(
            y=named_rows(field),
            yOffset=alt.YOffset("label:N", sort=labels),
            color=alt.Color("label:N", scale=scale, legend=legend, sort=None),
        )

    def points(self, base: alt.Chart, x: alt.X, tip: list[alt.Tooltip]) -> alt.Chart:
        """A point per line."""
        scale = alt.Scale(domain=[look.label for look in self.looks], range=[look.shape for look in self.looks])
        shape = alt.Shape("label:N", scale=scale, legend=None)
        size = alt.condition(alt.datum.label == self.looks[0].label, alt.value(90), alt.value(60))
        chart: alt.Chart = base.mark_point(filled=True, opacity=1).encode(x=x, shape=shape, size=size, tooltip=tip)
        return chart

    def drawn(self, layers: list[alt.Chart], rows: int) -> Layers:
        """The layers as wide as the page and as high as the rows."""
        height = height_of(rows, len(self.looks))
        return alt.layer(*layers, autosize=FIT).properties(width="container", height=height)


def left_out(frame: pd.DataFrame, break_even: float) -> Layers:
    """The unified number with all sources and with each left out; in words what would be done, where that changes.

    Args:
        frame: `part_frames.left_out`.
        break_even: iROAS at which the margin just pays.
    """
    kinds = _Kinds.of(WITHOUT, frame["left_out"])
    labels = frame["left_out"].map({name: look.label for name, look in WITHOUT.items()})
    drawn = placed(frame.assign(label=labels, says=np.where(frame["turns"], frame["action"], "")))
    scale, unit = domain([drawn], break_even, room=WORDS if frame["turns"].any() else 1.0), unit_of(frame)
    channels = list(dict.fromkeys(drawn["channel"]))
    base = kinds.base(drawn, "channel")
    width = alt.condition(alt.datum.left_out == "", alt.value(4), alt.value(1.6))
    names = [("channel:N", "Channel"), ("label:N", "From"), ("action:N", "Advice")]
    layers = [
        bands(channels, scale, unit),
        *break_even_line(break_even, scale, unit),
        base.mark_rule().encode(x=axis_x("from", scale, unit), x2="to:Q", strokeWidth=width),
        kinds.points(base, axis_x("shown", scale, unit), tips(names, ".2f")),
        base.mark_text(align="left", dx=6, fontSize=11).encode(x=axis_x("to", scale, unit), text="says:N"),
    ]
    if drawn["beyond"].any():
        layers.append(arrows(base, scale, unit))
    return kinds.drawn(layers, len(channels))


def tipping(frame: pd.DataFrame) -> Layers:
    """How far a source would have to be off before the money moved otherwise: the nearer to "right", the less it takes.

    Args:
        frame: `part_frames.tipping`.
    """
    kinds, none, today = _Kinds.of(TIPPED, frame["source"]), frame["overstates"].isna(), frame["action"].astype(str)
    drawn = frame.assign(
        label=frame["source"].map({name: look.label for name, look in TIPPED.items()}),
        at=frame["overstates"].fillna(1.0),
        right=1.0,
        words=np.where(none, today + " all the same", today + " → " + frame["becomes"]),
        rightward=frame["overstates"] > 1,
    )
    channels = list(dict.fromkeys(drawn["channel"]))
    scale = alt.Scale(type="log", domain=[0.5 / FARTHEST, 2 * FARTHEST], nice=False)

    def x(field: str) -> alt.X:
        title = "Times too little (÷) or too much (×)"
        return alt.X(
            f"{field}:Q", scale=scale, axis=alt.Axis(values=list(TICKS), labelExpr=TICK, grid=True), title=title
        )

    named = [("channel:N", "Channel"), ("label:N", "Source"), ("words:N", "Advice")]
    tip = [alt.Tooltip(field, title=name) for field, name in named]
    tip.append(alt.Tooltip("overstates:Q", title="Overstates by a factor of", format=".2f"))
    base = kinds.base(drawn, "channel")
    some = base.transform_filter("isValid(datum.overstates)")
    # The words stand on the half that the line leaves empty: beyond its end they would leave a narrow page.
    to_right, others = base.transform_filter(alt.datum.rightward), base.transform_filter(~alt.datum.rightward)
    layers = [
        bands(channels, scale, "").encode(x=x("from")),
        alt.Chart(pd.DataFrame({"at": [1.0]})).mark_rule(color=MUTED).encode(x=x("at")),
        some.mark_rule(strokeWidth=2).encode(x=x("at"), x2="right:Q"),
        kinds.points(some, x("at"), tip),
        to_right.mark_text(fontSize=11, align="right", dx=-8).encode(x=x("right"), text="words:N", tooltip=tip),
        others.mark_text(fontSize=11, align="left", dx=8).encode(x=x("right"), text="words:N", tooltip=tip),
    ]
    return kinds.drawn(layers, len(channels))


def unseen(frame: pd.DataFrame, unit: str) -> Layers:
    """Each test beside what the model says of it that has not seen it, and what its markets' sales say, read again.

    Args:
        frame: `part_frames.unseen`.
        unit: What a unit of money brought, in words: ``revenue (EUR) per EUR``.
    """
    kinds = _Kinds.of(UNSEEN, frame["source"])
    against = (frame["source"] == "experiments") & (frame["verdict"] != "agrees")
    labels = frame["source"].map({name: look.label for name, look in UNSEEN.items()})
    drawn = frame.assign(label=labels, says=np.where(against, frame["verdict"], ""))
    tests = list(dict.fromkeys(drawn["experiment_id"]))
    low, high = min(float(drawn["low"].min()), 0.0), max(float(drawn["high"].max()), 0.0)
    room = 0.03 * (high - low)
    scale = alt.Scale(domain=[low - room, high + (9 if against.any() else 1) * room], nice=False)

    def x(field: str) -> alt.X:
        return alt.X(
            f"{field}:Q",
            scale=scale,
            axis=alt.Axis(grid=True, tickCount=8),
            title=f"Change of {unit} that the test moved",
        )

    base = kinds.base(drawn, "experiment_id")
    named = [("experiment_id:N", "Test"), ("label:N", "Says"), ("verdict:N", "Verdict")]
    tip = [*tips(named, ".2f"), alt.Tooltip("p:Q", title="p", format=".2g")]
    layers = [
        bands(tests, scale, unit, "experiment_id").encode(x=x("from")),
        alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=MUTED).encode(x=x("at")),
        base.mark_rule(strokeWidth=1.8).encode(x=x("low"), x2="high:Q"),
        kinds.points(base, x("median"), tip),
        base.mark_text(align="left", dx=6, fontSize=11).encode(x=x("high"), text="says:N"),
    ]
    return kinds.drawn(layers, len(tests))
