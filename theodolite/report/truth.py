"""For a simulated company: every method against the known truth."""

import math

from calibration.quantity import Quantity
from theodolite.report.cells import quantity, scale
from theodolite.report.material import Material
from theodolite.report.page import Cell, Column, Section, Strong, TableBlock, Text
from theodolite.report.words import NOTHING, percent, ratio
from theodolite.scoreboard import LABELS, scoreboard


def sections(material: Material) -> tuple[Section, ...]:
    """One section where the truth is known, none otherwise."""
    return (_truth(material),) if material.truth else ()


def _truth(m: Material) -> Section:
    scores = scoreboard(m.view, m.truth)
    unified, others = scores[-1], scores[:-1]
    alone = next((s for s in others if s.method == LABELS["mmm"]), None)
    lead: Text = (
        "This company is simulated, so the truth is known. The unified view is typically off by ",
        Strong(percent(unified.typical_error)),
        f", the model alone by {percent(alone.typical_error)}." if alone else ".",
    )
    columns = (
        Column("Method"),
        Column("Channels", numeric=True),
        Column("Typical error", "of iROAS", numeric=True),
        Column("Unified view", "on its channels", numeric=True),
        Column("Intervals that hold the truth", numeric=True),
    )
    rows = tuple(
        (
            Cell(s.method[:1].upper() + s.method[1:]),
            Cell(str(s.channels), value=s.channels),
            Cell(percent(s.typical_error), value=s.typical_error),
            Cell(percent(math.expm1(s.unified_error)), value=math.expm1(s.unified_error)),
            Cell(f"{s.covered} of {s.channels}" if s.covered is not None else NOTHING),
        )
        for s in (unified, *others)
    )
    caption = (
        "Typical error: the root mean square of log(estimate / truth), as a percentage; 50 % means off by a factor "
        f"of 1.5.{m.caveat}"
    )
    table = TableBlock(columns, rows, caption, "errors.csv")
    return Section("truth", "Against the known truth", "decide", lead=lead, blocks=(table, _by_channel(m)))


def _by_channel(m: Material) -> TableBlock:
    known = [c for c in m.view.channels if c.channel in m.truth]
    ends = scale([*(c.iroas for c in known), *(Quantity(t, t, t) for t in m.truth.values())])
    columns = (
        Column("Channel"),
        Column("True iROAS", numeric=True),
        Column("Unified iROAS", "bar across: the truth", True, ends),
        Column("Inside the interval"),
    )
    rows = []
    for c in known:
        true = m.truth[c.channel]
        if c.iroas is None:
            inside = Cell("withheld", tone="muted")
        else:
            held = c.iroas.low <= true <= c.iroas.high
            inside = Cell("yes" if held else "no", tone="good" if held else "caution")
        rows.append(
            (
                Cell(c.channel),
                Cell(ratio(true), value=true),
                quantity(c.iroas, "withheld", ranged=True, mark=true),
                inside,
            )
        )
    return TableBlock(columns, tuple(rows), "", "truth.csv")
