"""What makes the analysis of a switchback impossible, all of it together, before a schedule is laid over a panel."""

from collections.abc import Sequence

import numpy as np

from experiments.records import Experiment
from experiments.records.schedules import faults, markets, misplaced
from experiments.switchback.layout import Case, apart, together, whole_market
from measurement.errors import DesignError, Problem, did_you_mean, refuse, shown
from measurement.panel import Panel
from measurement.periods import last_day


def resolve(panel: Panel, design: Experiment, burn_in: int | None = None) -> Case:
    """Lay a schedule over a panel.

    Args:
        panel: The data.
        design: The test.
        burn_in: Another burn-in than the record's.

    Raises:
        DataError: No schedule, a schedule that makes no sense or does not fit the data, unknown geos or KPI.
        DesignError: Too little left to read, or a schedule that cannot be told apart from trend and week.
    """
    if design.off_panel:
        words = f"test '{shown(design.experiment_id)}' took place outside the panel: import its result instead"
        raise DesignError(words)
    if burn_in is not None:
        design = design.model_copy(update={"burn_in": burn_in})
    panel = panel.with_kpi(design.kpi) if design.kpi else panel
    refuse([*_own_problems(design), *_geo_problems(panel, design), *_window_problems(panel, design)])
    refuse([Problem(words, column=name, code=code) for name, words, code in misplaced(design, panel)])
    treated, controls = _arms(panel, design)
    refuse(_not_sound(panel, [*treated, *controls]))
    lay = whole_market if together(design.schedule) else apart
    return lay(panel, design, panel.geo_index(treated), panel.geo_index(controls))


def _own_problems(design: Experiment) -> list[Problem]:
    record = dict(design) | {"estimate": None}  # to be analysed, a record with a result needs its schedule too
    problems = [Problem(words, column=name, code=code) for name, words, code in faults(record)]
    if not design.start_date <= design.end_date <= design.read_out_end:
        words = (
            f"the test starts {design.start_date}, ends {design.end_date} and is read out until "
            f"{design.read_out_end}: these must not go backwards"
        )
        problems.append(Problem(words, column="end_date", code="reversed-window"))
    return problems


def _geo_problems(panel: Panel, design: Experiment) -> list[Problem]:
    problems = [
        Problem(
            f"unknown geo '{shown(geo)}'{did_you_mean(geo, panel.geos)}; the outcome table has {len(panel.geos)} geos",
            column=field,
            code="unknown-geo",
        )
        for field, geos in (("treatment_geos", design.treatment_geos), ("control_geos", design.control_geos))
        for geo in geos
        if geo not in panel.geos
    ]
    problems += [
        Problem(f"geo '{shown(geo)}' is in both arms", column="control_geos", code="geo-in-both-arms")
        for geo in design.control_geos
        if geo in design.treatment_geos
    ]
    return problems


def _window_problems(panel: Panel, design: Experiment) -> list[Problem]:
    first, last = panel.dates[0], last_day(panel.dates[-1], panel.period)
    named = [(name, getattr(design, name)) for name in ("start_date", "end_date", "cooldown_end_date")]
    return [
        Problem(f"{day} lies outside the data, which run from {first} to {last}", column=name, code="window-outside")
        for name, day in named
        if day is not None and not first <= np.datetime64(day, "D") <= last
    ]


def _arms(panel: Panel, design: Experiment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Geos that switch (in the order of `markets` where each has blocks), and geos that never do."""
    control = design.control_geos
    named = tuple(geo for geo in markets(design.schedule) if geo) or design.treatment_geos
    treated = named or tuple(geo for geo in panel.geos if geo not in set(control))
    if not treated:
        raise DesignError("every geo is a control, so nothing switches: name fewer control_geos")
    return treated, control


def _not_sound(panel: Panel, geos: Sequence[str]) -> list[Problem]:
    problems = []
    for geo, row in zip(geos, panel.geo_index(tuple(geos)), strict=True):
        if not np.isfinite(panel.outcome[row]).all():
            words = f"geo '{shown(geo)}' has no number for its KPI in some periods"
            problems.append(Problem(words, code="not-finite"))
        elif np.ptp(panel.outcome[row]) == 0.0:
            words = f"geo '{shown(geo)}' has the same KPI ({panel.outcome[row, 0]:g}) in every period: leave it out"
            problems.append(Problem(words, code="zero-variance-geo"))
    return problems
