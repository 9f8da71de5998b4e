"""Case: a schedule laid over a panel — which cells are on, which are read, and how the schedule was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.records import Block, Experiment
from experiments.records.schedules import laid, markets
from experiments.switchback.cells import of_market, of_markets, of_whole_history, usual_autocorrelation
from experiments.switchback.draws import Mechanism, Rule, paired, ways
from experiments.switchback.regression import Cells, Reduced, reduce, refuse_unseen
from measurement.errors import DesignError
from measurement.panel import Panel
from measurement.periods import last_day
from measurement.typing import Bools, Floats, Ints

FEWEST_OFF = 8
LONGEST_HISTORY = 3
"""An on-off test without off-blocks is read beside at most so many times its own length, before and after."""
FEWEST_HISTORY = {"day": 56, "week": 26, "month": 12}
"""Where it is shorter than that, beside so many periods."""
FEWEST_FOR_SCALE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A schedule with its names and dates turned into positions.

    Attributes:
        values: KPI over scale, shape (markets, periods): one row where all geos switch together.
        scale: KPI units per unit of ``values``, shape (markets,).
        treated: Rows of the panel that switch, shape (geos,).
        block: Block of each cell, shape (markets, periods); -1 outside the schedule and for control geos.
        exposed: Cells whose treatment is on, burn-in included, same shape.
        read: Cells that are read, same shape.
        mechanism: The blocks' states and how they were drawn.
        cells: What the regression reads.
        weighted: The regression, weighted for the autocorrelation before the test.
        rho: That autocorrelation.
        terms: Terms of the regression in the periods of ``shown``, for one market; empty for several.
        shown: Periods to show, the history that is read first, shape (shown,).
        onset: First period of the schedule, counted in the panel.
        notes: What a reader should know about how the schedule met the data.
    """

    values: Floats
    scale: Floats
    treated: Ints
    block: Ints
    exposed: Bools
    read: Bools
    mechanism: Mechanism
    cells: Cells
    weighted: Reduced
    rho: float
    terms: Floats
    shown: Ints
    onset: int
    notes: tuple[str, ...]

    @property
    def on(self) -> Bools:
        """State of each block, shape (blocks,)."""
        return self.mechanism.on

    @property
    def one_market(self) -> bool:
        """Whether all geos switch together."""
        return len(self.values) == 1

    def residuals(self) -> Floats:
        """What the regression with every cell alike leaves unexplained, shape (cells,)."""
        return reduce(self.cells, self.on.size).residuals(self.on)

    @property
    def exposure(self) -> float:
        """KPI units that an effect of one unit of ``values`` makes over all cells that are on."""
        return float((self.exposed * self.scale[:, None]).sum())

    @property
    def exposed_cells(self) -> int:
        """Geos times periods with the treatment on."""
        return int(self.exposed.sum()) * (len(self.treated) if self.one_market else 1)


def together(schedule: Sequence[Block]) -> bool:
    """Whether all geos of a schedule switch on the same days."""
    return len({_signature(blocks) for blocks in markets(schedule).values()}) <= 1


def whole_market(panel: Panel, design: Experiment, treated: Ints, controls: Ints) -> Case:
    """The case of geos that switch together, added up to one market.

    Args:
        panel: The data, with the KPI that counts.
        design: The test; without a schedule it is on from the first to the last day, and off before and after.
        treated: Rows of the geos that switch.
        controls: Rows of geos that never do; their KPI stands beside the treatment.
    """
    if design.schedule:
        blocks = next(iter(markets(design.schedule).values()))
        block, on = laid(panel, blocks), np.array([each.on for each in blocks])
        read = _past_burn_in(block, design.burn_in or 0)
    else:
        block, on = _implied(panel, design)
        read = _past_burn_in(block, design.burn_in or 0) | (block == 0)
    values = panel.outcome[treated].sum(axis=0)
    mechanism = Mechanism(on, np.zeros(on.size, dtype=np.int64), _rule(design, [on]))
    weekday = panel.dates.astype(np.int64) % 7 if panel.period == "day" else None
    others = panel.outcome[controls].sum(axis=0) if controls.size else None

    def cells(chosen: Bools) -> Cells:
        if design.schedule:
            return of_market(values, block, chosen, weekday, mechanism.rule, others)
        return of_whole_history(values, block, chosen, weekday, others)

    read_cells, shown = cells(read), cells(block >= 0)
    onset = int(np.argmax(block >= (0 if design.schedule else 1)))
    rho = usual_autocorrelation(values[None, :onset], weekday, _stretch(block, mechanism.rule))
    return Case(
        values=values[None],
        scale=np.ones(1),
        treated=treated,
        block=block[None],
        exposed=((block >= 0) & on[block])[None],
        read=read[None],
        mechanism=mechanism,
        cells=read_cells,
        weighted=_weighted(read_cells, on, rho),
        rho=rho,
        terms=shown.terms,
        shown=shown.time,
        onset=onset,
        notes=_straddling(panel, block) + _assumed(design, mechanism.rule),
    )


def apart(panel: Panel, design: Experiment, treated: Ints, controls: Ints) -> Case:
    """The case of geos with schedules of their own.

    Geos are drawn each by itself. Where only a few schedules occur among many geos (two groups that take turns, say),
    geos with one schedule, or its mirror image, were evidently drawn together and count as one unit.

    Args:
        panel: The data, with the KPI that counts.
        design: The test, with blocks for every treated geo.
        treated: Rows of the geos that switch, in the order of `markets`.
        controls: Rows of geos that never do.
    """
    schedules = list(markets(design.schedule).values())
    states = [np.array([each.on for each in blocks]) for blocks in schedules]
    rule = _rule(design, states)
    unit, sign = _units(schedules, states, rule)
    first = [int(np.argmax(unit == each)) for each in range(int(unit.max()) + 1)]
    sizes = [states[row].size for row in first]
    offset = np.append(0, np.cumsum(sizes))[:-1]
    inside = np.array([laid(panel, blocks) for blocks in schedules])
    inside = np.where(inside >= 0, inside + offset[unit][:, None], -1)
    on = np.concatenate([states[row] for row in first])
    read = np.array([_past_burn_in(row, design.burn_in or 0) for row in inside])
    span = (inside >= 0).any(axis=0)
    rows = np.concatenate([treated, controls])
    block = np.vstack([inside, np.full((controls.size, span.size), -1)])
    onset = int(np.argmax(span))
    history = slice(0, onset) if onset >= FEWEST_FOR_SCALE else slice(onset, None)
    scale = np.abs(panel.outcome[rows, history]).mean(axis=1)
    if not (scale > 0).all():
        names = ", ".join(panel.geos[row] for row in rows[scale == 0])
        raise DesignError(f"geos without any KPI before the test cannot be set beside others: {names}")
    values, signs = panel.outcome[rows] / scale[:, None], np.append(sign, np.ones(controls.size))
    read = np.vstack([read, np.repeat(span[None], controls.size, axis=0)])
    cells = of_markets(values, block, read, signs, rule)
    rho = usual_autocorrelation(values[: len(treated), :onset], None, _stretch(inside[0], rule))
    notes = _straddling(panel, block[0]) + _assumed(design, rule)
    if len(first) < len(treated):
        notes += (f"{len(treated)} geos follow {len(first)} schedule(s) or mirror images: drawn together",)
    return Case(
        values=values,
        scale=scale,
        treated=treated,
        block=block,
        exposed=(block >= 0) & (on[block] ^ (signs < 0)[:, None]),
        read=read,
        mechanism=Mechanism(on, np.repeat(np.arange(len(first)), sizes), rule),
        cells=cells,
        weighted=_weighted(cells, on, rho),
        rho=rho,
        terms=np.zeros((0, 0)),
        shown=np.flatnonzero(span),
        onset=onset,
        notes=notes,
    )


def _signature(blocks: Sequence[Block], mirrored: bool = False) -> tuple[object, ...]:
    return tuple((block.start, block.end, block.on ^ mirrored) for block in blocks)


def _units(schedules: Sequence[Sequence[Block]], states: Sequence[Bools], rule: Rule) -> tuple[Ints, Floats]:
    """Unit of each geo, and -1 for a geo that is on where the unit's first geo is off."""
    mirrored = [not own[0] for own in states]  # so that a schedule and its mirror image read alike
    own = [_signature(blocks, flip) for blocks, flip in zip(schedules, mirrored, strict=True)]
    places = {signature: i for i, signature in enumerate(dict.fromkeys(own))}
    fewest = min(ways(int(each.size), int(each.sum()), rule) for each in states)
    if 2 * len(places) > min(len(schedules), fewest // 2):
        return np.arange(len(schedules)), np.ones(len(schedules))
    unit = np.array([places[signature] for signature in own])
    flips = np.array(mirrored)
    return unit, np.where(flips == flips[[int(np.argmax(unit == each)) for each in unit]], 1.0, -1.0)


def _rule(design: Experiment, states: Sequence[Bools]) -> Rule:
    """The recorded rule; pairs where the schedule looks like it, uniform otherwise."""
    if design.assignment is not None:
        return "pairs" if design.assignment.rule == "pairs" else "uniform"
    return "pairs" if all(paired(own) for own in states) else "uniform"


def _assumed(design: Experiment, rule: Rule) -> tuple[str, ...]:
    if design.assignment is not None or not design.schedule:
        return ()
    taken = "one of every two neighbouring blocks on" if rule == "pairs" else "any as many blocks on"
    return (f"the record does not say how the schedule was drawn; taken as drawn by lot, {taken}",)


def _past_burn_in(block: Ints, burn_in: int) -> Bools:
    """Periods of each block but for its first ones, shape (periods,)."""
    read = block >= 0
    for each in np.unique(block[read]):
        read[np.flatnonzero(block == each)[:burn_in]] = False
    return np.asarray(read)


def _weighted(cells: Cells, on: Bools, rho: float) -> Reduced:
    reduced = reduce(cells, on.size, rho)
    refuse_unseen(reduced, on)
    return reduced


def _stretch(block: Ints, rule: Rule) -> int:
    """Periods that share a level in the test of one market."""
    inside = np.unique(block[block >= 0])
    length = int((block >= 0).sum())
    return max(2 * length // inside.size, 2) if rule == "pairs" else length


def _straddling(panel: Panel, block: Ints) -> tuple[str, ...]:
    inside = np.flatnonzero(block >= 0)
    lost = int((block[inside[0] : inside[-1] + 1] < 0).sum())
    return (f"{lost} {panel.period}(s) of the data hold the end of one block and the start of the next: left out",) * (
        lost > 0
    )


def _implied(panel: Panel, design: Experiment) -> tuple[Ints, Bools]:
    """Off before the test, on in it, off after the cool-down: block of each period, and the blocks' states."""
    first = panel.dates
    last = np.array([last_day(day, panel.period) for day in first])
    start, end, until = (np.datetime64(day, "D") for day in (design.start_date, design.end_date, design.read_out_end))
    block = np.full(first.size, -1)
    block[(first >= start) & (last <= end)] = 1
    length, burn_in = int((block == 1).sum()), design.burn_in or 0
    if length <= burn_in:
        raise DesignError(f"the test has {length} whole {panel.period}(s), and {burn_in} of them are burn-in")
    reach = max(LONGEST_HISTORY * length, FEWEST_HISTORY[panel.period])
    before, after = np.flatnonzero(last < start)[-reach:], np.flatnonzero(first > until)[:reach]
    if before.size < FEWEST_OFF:
        raise DesignError(
            f"{before.size} {panel.period}s before the test are too few to know what is usual: {FEWEST_OFF} or more"
        )
    block[before] = 0
    if after.size > burn_in:
        block[after] = 2
    return block, np.array([False, True, False][: int(block.max()) + 1])
