"""Case: a design laid over a panel — which rows are treated, which are donors, which periods come before and after.

Everything that makes an analysis impossible is refused here, all of it together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from experiments.geo.estimators.block import Block
from experiments.records import Experiment
from measurement.errors import DesignError, Problem, did_you_mean, refuse, shown
from measurement.panel import Panel
from measurement.periods import last_day
from measurement.typing import Dates, Floats, Ints

FEWEST_PRE_PERIODS = 8
FEWEST_DONORS = 2
WEEK = 7
ONE_MARKET = "say method on_off, or switchback with its schedule, which compare a market with itself over time"
GEO_METHODS = ("geo_holdout", "go_dark", "heavy_up", "scale")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A design with its names and dates turned into positions.

    Attributes:
        outcome: KPI, shape (geos, periods); a period that the test starts inside of is left out.
        dates: First day of each period, shape (periods,).
        geos: Names of the rows.
        treated: Rows of the treated geos.
        controls: Rows of the control geos.
        onset: First period of the read-out; the history before it runs from 0.
        cooldown: First period after the changed spend; equal to ``end`` without a cool-down.
        end: One past the last period of the read-out.
        weekly: Whether the data are daily with a weekly pattern.
        notes: What a reader should know about how the design met the data.
    """

    outcome: Floats
    dates: Dates
    geos: tuple[str, ...]
    treated: Ints
    controls: Ints
    onset: int
    cooldown: int
    end: int
    weekly: bool
    notes: tuple[str, ...]

    @property
    def units(self) -> Ints:
        """Rows of all geos that take part, in order."""
        return np.sort(np.concatenate([self.treated, self.controls]))

    def block(self, whole_weeks: bool) -> Block:
        """The real comparison; with ``whole_weeks`` a weekly pattern trims the start of the history."""
        return self.moved(self.treated, self.controls, self.onset, whole_weeks)

    def moved(self, treated: Ints, donors: Ints, onset: int, whole_weeks: bool) -> Block:
        """The same comparison for other geos and another onset, with a read-out of the same length."""
        start = onset % WEEK if whole_weeks and self.weekly else 0
        return Block(self.outcome, treated, donors, start, onset, onset + self.end - self.onset)


def resolve(panel: Panel, design: Experiment) -> Case:
    """Lay a design over a panel.

    Raises:
        DataError: Unknown geos or KPI, a geo in both arms, a window outside the data, a geo whose KPI never moves.
        DesignError: No control geos, too few of them, too little history, or a method that is no geo test.
    """
    _refuse_method(design)
    if len(panel.geos) == 1:
        raise DesignError(
            f"the data have one geo, '{shown(panel.geos[0])}', and a {design.method} test compares geos: {ONE_MARKET}"
        )
    panel = panel.with_kpi(design.kpi) if design.kpi else panel
    treatment, control = _arms(panel, design)
    refuse([*_geo_problems(panel, treatment, control), *_window_problems(panel, design)])
    treated, controls = panel.geo_index(treatment), panel.geo_index(control)
    keep, notes = _whole_periods(panel, design)
    outcome, dates = panel.outcome[:, keep], panel.dates[keep]
    onset = int(np.searchsorted(dates, np.datetime64(design.start_date, "D"), side="left"))
    cooldown, end = (
        int(np.searchsorted(dates, np.datetime64(day, "D"), side="right"))
        for day in (design.end_date, design.read_out_end)
    )
    _refuse_small(treated, controls, onset, end, panel.period)
    rows = np.concatenate([treated, controls])
    refuse([*_not_finite(outcome[:, :end], panel.geos, rows), *_flat(outcome[:, :onset], panel.geos, rows)])
    weekly = panel.period == "day" and weekly_pattern(outcome[controls, :onset])
    if weekly and (end - onset) % WEEK:
        notes.append(f"the read-out of {end - onset} days is not whole weeks, and the KPI has a weekly pattern")
    return Case(outcome, dates, panel.geos, treated, controls, onset, cooldown, end, weekly, tuple(notes))


def weekly_pattern(outcome: Floats, least: float = 0.1) -> bool:
    """Whether the day of the week explains at least a tenth of the detrended total, shape (geos, days)."""
    total = outcome.sum(axis=0)
    if total.size < 3 * WEEK:
        return False
    trend = np.convolve(total, np.full(WEEK, 1.0 / WEEK), mode="valid")
    rest = total[WEEK // 2 : -(WEEK // 2)] - trend
    day = np.arange(rest.size) % WEEK
    means = np.bincount(day, rest) / np.bincount(day)
    spread = float(rest.var())
    return spread > 0 and float(means[day].var()) / spread >= least


def _refuse_method(design: Experiment) -> None:
    if design.off_panel:
        raise DesignError(
            f"test '{shown(design.experiment_id)}' took place outside the panel: import its result instead"
        )
    if design.method not in GEO_METHODS:
        raise DesignError(
            f"test '{shown(design.experiment_id)}' has the method '{design.method}', which this analysis does not "
            f"cover: it takes tests on geos ({', '.join(GEO_METHODS)}); import the result of others"
        )


def _arms(panel: Panel, design: Experiment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Treated and control geos by name; without named controls all other geos are controls."""
    if design.cell_of is not None and not design.control_geos and not design.pairs:
        raise DesignError(
            f"test '{shown(design.experiment_id)}' is one cell of '{shown(design.cell_of)}': name its control_geos, or "
            "analyse all cells together, so that no geo that another cell treats is a control"
        )
    treatment = design.treatment_geos or tuple(pair[0] for pair in design.pairs)
    control = design.control_geos
    if not design.treatment_geos and not control:
        control = tuple(pair[1] for pair in design.pairs)
    return treatment, control or tuple(geo for geo in panel.geos if geo not in set(treatment))


def _geo_problems(panel: Panel, treatment: Sequence[str], control: Sequence[str]) -> list[Problem]:
    problems = [
        Problem(
            f"unknown geo '{shown(geo)}'{did_you_mean(geo, panel.geos)}; the outcome table has {len(panel.geos)} geos",
            column=field,
            code="unknown-geo",
        )
        for field, geos in (("treatment_geos", treatment), ("control_geos", control))
        for geo in geos
        if geo not in panel.geos
    ]
    problems += [
        Problem(f"geo '{shown(geo)}' is in both arms", column="control_geos", code="geo-in-both-arms")
        for geo in treatment
        if geo in control
    ]
    problems += [
        Problem(f"geo '{shown(geo)}' is listed twice", column=field, code="duplicate-geo")
        for field, geos in (("treatment_geos", treatment), ("control_geos", control))
        for geo in sorted({geo for geo in geos if geos.count(geo) > 1})
    ]
    if not treatment:
        problems.append(Problem("the test names no treated geos", column="treatment_geos", code="missing-geos"))
    return problems


def _window_problems(panel: Panel, design: Experiment) -> list[Problem]:
    first, last = panel.dates[0], last_day(panel.dates[-1], panel.period)
    problems = [
        Problem(f"{day} lies outside the data, which run from {first} to {last}", column=field, code="window-outside")
        for field, day in (
            ("start_date", design.start_date),
            ("end_date", design.end_date),
            ("cooldown_end_date", design.cooldown_end_date),
        )
        if day is not None and not first <= np.datetime64(day, "D") <= last
    ]
    if not design.start_date <= design.end_date <= design.read_out_end:
        problems.append(
            Problem(
                f"the test starts {design.start_date}, ends {design.end_date} and is read out until "
                f"{design.read_out_end}: these must not go backwards",
                column="end_date",
                code="reversed-window",
            )
        )
    return problems


def _whole_periods(panel: Panel, design: Experiment) -> tuple[Ints, list[str]]:
    """Periods to keep: all but one that the test starts inside of, which is neither before nor after."""
    everything, notes = np.arange(len(panel.dates)), []
    ends = {design.read_out_end: "read-out", design.end_date: "test"}
    for day, what in ends.items():
        holds = _holding(panel, day)
        if np.datetime64(day, "D") < last_day(panel.dates[holds], panel.period):
            notes.append(f"the {what} ends inside the {panel.period} of {panel.dates[holds]}, which is read whole")
    start = np.datetime64(design.start_date, "D")
    holds = _holding(panel, design.start_date)
    if panel.dates[holds] == start:
        return everything, notes
    note = (
        f"the test starts inside the {panel.period} of {panel.dates[holds]}, which is left out: "
        f"the read-out begins with the next {panel.period}"
    )
    return np.delete(everything, holds), [note, *notes]


def _holding(panel: Panel, day: date) -> int:
    """The period that holds a day."""
    return int(np.searchsorted(panel.dates, np.datetime64(day, "D"), side="right")) - 1


def _refuse_small(treated: Ints, controls: Ints, onset: int, end: int, period: str) -> None:
    length = end - onset
    problems = []
    if length < 1:
        problems.append(f"no {period} begins between the test's first and last day")
    if len(controls) == 0:
        problems.append(f"every geo is treated, so there is nothing to compare with: name controls, or {ONE_MARKET}")
    elif len(controls) < FEWEST_DONORS:
        problems.append(f"{len(controls)} control geo is too few: a comparison needs {FEWEST_DONORS} or more")
    needed = max(FEWEST_PRE_PERIODS, (length + 1) // 2)
    if onset < needed:
        problems.append(
            f"{onset} {period}s before the test are too few: a read-out of {length} needs at least {needed}, "
            f"better {3 * max(length, FEWEST_PRE_PERIODS)}"
        )
    if problems:
        raise DesignError("; ".join(problems))


def _not_finite(outcome: Floats, geos: Sequence[str], rows: Ints) -> list[Problem]:
    return [
        Problem(f"geo '{shown(geos[row])}' has no number for its KPI in some periods", code="not-finite")
        for row in rows
        if not np.isfinite(outcome[row]).all()
    ]


def _flat(history: Floats, geos: Sequence[str], rows: Ints) -> list[Problem]:
    return [
        Problem(
            f"geo '{shown(geos[row])}' has the same KPI ({history[row, 0]:g}) in every period before the test: "
            "it can neither be treated nor a control; leave it out",
            code="zero-variance-geo",
        )
        for row in rows
        if np.ptp(history[row]) == 0.0
    ]
