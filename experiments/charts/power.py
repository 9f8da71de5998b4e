"""Charts of designs: power against effect, the map of choices, cost against what can be detected."""

from math import isfinite

import altair as alt
import pandas as pd

from experiments.charts.style import BELOW, COLOUR, FEW, NAMES, NUMBER, NUMBERS, SECOND, SHARE, SHARES, level, tips
from measurement.charts import FIT, MUTED, Layers


def power_curve(frame: pd.DataFrame, mde: float, target: float, what: str, optimistic: float | None = None) -> Layers:
    """The chance of finding an effect, against its true size; the smallest that is found often enough is marked.

    Args:
        frame: ``effect`` (a share of what the treated geos sell), ``power``, ``low``, ``high`` (its 90 % band), in
            windows that did not choose the geos.
        mde: Smallest detectable effect, a share; infinite where there is none.
        target: The power that is asked for, a share.
        what: What the effect is a share of ("sales in the treated geos").
        optimistic: Power at that effect in the windows that did choose the geos; ``None`` where nothing was chosen.
    """
    base = alt.Chart(frame, width="container", height=240).encode(
        x=alt.X("effect:Q", title=f"True change of {what}", axis=SHARES)
    )
    title, scale = "Chance of finding it (power)", alt.Scale(domain=[0, 1])
    power = alt.Y("power:Q", title=title, axis=alt.Axis(format=".0%"), scale=scale)
    band = base.mark_area(opacity=0.18, color=COLOUR).encode(y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q")
    said = {"effect": "Effect", "power": "Chance", "low": "Low", "high": "High"}
    line = base.mark_line(strokeWidth=2, color=COLOUR).encode(y=power, tooltip=tips(said, SHARE))
    layers = [band, level(target), line]
    if isfinite(mde):
        layers += _marked(mde, target, f"MDE {mde:.1%}", COLOUR, 14)
        if optimistic is not None:
            layers += _marked(mde, optimistic, f"in the windows that chose the geos: {optimistic:.0%}", MUTED, -10)[1:]
    return alt.layer(*layers)


def _marked(effect: float, power: float, words: str, colour: str, dy: int) -> list[alt.Chart]:
    """A point of the curve with a line down to the axis and its name."""
    here = alt.Chart(pd.DataFrame({"effect": [effect], "power": [power], "from": [0.0], "label": [words]}))
    rule = here.mark_rule(color=colour, strokeDash=[3, 3]).encode(x="effect:Q", y="from:Q", y2="power:Q")
    dot = here.mark_point(filled=True, size=70, color=colour, opacity=1).encode(x="effect:Q", y="power:Q")
    text = here.mark_text(align="left", dx=9, dy=dy, color=colour, fontWeight="bold")
    return [rule, dot, text.encode(x="effect:Q", y="power:Q", text="label:N")]


def choices(frame: pd.DataFrame, period: str) -> Layers:
    """The map of choices: what can be detected with so many geos over so long; the chosen cell is framed.

    Args:
        frame: ``geos`` (number of treated geos), ``duration`` (periods), ``mde`` (a share) of the best design of each
            pair, ``cost`` (money or empty) and ``recommended``.
        period: Cadence, as in "21 days".
    """
    drawn = frame.assign(size=frame["geos"].map(lambda n: f"{n} treated"), length=frame["duration"].map(str))
    sizes = [f"{n} treated" for n in sorted(frame["geos"].unique())]
    lengths = [str(n) for n in sorted(frame["duration"].unique())]
    base = alt.Chart(drawn, width="container", height=alt.Step(34)).encode(
        x=alt.X("length:O", title=f"Duration ({period}s)", sort=lengths, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("size:O", title=None, sort=sizes, axis=NAMES),
    )
    shown = alt.Scale(range=["#2f74b559", "#2f74b50d"], zero=False)  # the smaller the effect found, the darker
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("mde:Q", scale=shown, legend=None),
        tooltip=[
            alt.Tooltip("size:N", title="Geos"),
            alt.Tooltip("duration:Q", title=f"Duration ({period}s)"),
            *tips({"mde": "Smallest detectable effect"}, SHARE),
            *tips({"cost": "Cost"}),
        ],
    )
    words = base.mark_text(fontSize=12).encode(text=alt.Text("mde:Q", format=SHARE))
    frames = (
        base.transform_filter(alt.datum.recommended)
        .mark_rect(fillOpacity=0, stroke=COLOUR, strokeWidth=2.5, cornerRadius=3)
        .encode()
    )
    return alt.layer(cells, words, frames, autosize=FIT)


def cost(frame: pd.DataFrame, money: str, period: str) -> Layers:
    """What each design costs against the smallest effect it detects; designs below and left of another beat it.

    Args:
        frame: ``name`` (the treated geos), ``mde`` (a share), ``cost`` (money), ``duration`` (periods) and
            ``recommended``, one row per design.
        money: Title of the cost with its unit.
        period: Cadence.
    """
    lengths = [f"{n} {period}s" for n in sorted(frame["duration"].unique())]
    drawn = frame.assign(length=frame["duration"].map(lambda n: f"{n} {period}s"))
    base = alt.Chart(drawn, width="container", height=260).encode(
        x=alt.X("mde:Q", title="Smallest detectable effect", axis=SHARES, scale=alt.Scale(zero=False)),
        y=alt.Y("cost:Q", title=money, axis=NUMBERS),
    )
    colour = alt.Scale(domain=lengths, range=[FEW[i % len(FEW)] for i in range(len(lengths))])
    dots = base.mark_point(filled=True, size=70, opacity=0.85).encode(
        color=alt.Color("length:N", title=None, scale=colour, legend=BELOW),
        tooltip=[
            alt.Tooltip("name:N", title="Treated geos"),
            alt.Tooltip("length:N", title="Duration"),
            *tips({"mde": "Smallest detectable effect"}, SHARE),
            *tips({"cost": "Cost"}, NUMBER),
        ],
    )
    best = base.transform_filter(alt.datum.recommended)
    ring = best.mark_point(size=190, color=SECOND, strokeWidth=2, filled=False, fillOpacity=0, opacity=1)
    words = best.mark_text(align="left", dx=12, color=SECOND, fontWeight="bold").encode(text=alt.value("chosen"))
    return alt.layer(dots, ring, words)
