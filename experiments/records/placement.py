"""Place tests on a panel: every channel, geo, date and KPI they name must be there. None is ever skipped."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.records import schedules
from experiments.records.experiment import Experiment, resolved
from measurement.errors import Level, Problem, did_you_mean, shown
from measurement.panel import Panel
from measurement.periods import last_day

_SHORTEST = {"day": 1, "week": 7, "month": 28}
_ON_GEOS = ("geo_holdout", "go_dark", "heavy_up", "scale")


def place(experiments: Sequence[Experiment], panel: Panel, aliases: Mapping[str, str]) -> list[Problem]:
    """What keeps tests from being placed on a panel (errors), and what to know about it (warnings).

    Args:
        experiments: The records.
        panel: The data.
        aliases: From another name of a channel to the panel's.
    """
    return [problem for test in experiments for problem in _problems(test, panel, aliases)]


def _problems(test: Experiment, panel: Panel, aliases: Mapping[str, str]) -> Iterator[Problem]:
    def problem(field: str, words: str, code: str, level: Level = "error") -> Problem:
        message = f"experiment '{shown(test.experiment_id)}': {words}"
        return Problem(message, column=field, level=level, code=code)

    for name in resolved(test, aliases).channel:
        if name not in panel.channels:
            near = did_you_mean(name, [*panel.channels, *aliases])
            words = f"unknown channel '{shown(name)}'{near}; {_listed(panel.channels, 'channels')}"
            yield problem("channel", words, "unknown-channel")
    if test.kpi is not None and test.kpi not in panel.kpis:
        words = f"unknown KPI '{shown(test.kpi)}'{did_you_mean(test.kpi, panel.kpis)}"
        yield problem("kpi", f"{words}; {_listed(sorted(panel.kpis), 'KPIs')}", "unknown-kpi")
    if test.off_panel:
        return
    for field in ("treatment_geos", "control_geos"):
        for geo in getattr(test, field):
            if geo not in panel.geos:
                words = f"unknown geo '{shown(geo)}'{did_you_mean(geo, panel.geos)}; {_listed(panel.geos, 'geos')}"
                yield problem(field, words, "unknown-geo")
    if not test.treatment_geos and not test.pairs and test.method in _ON_GEOS and len(panel.geos) > 1:
        words = f"is missing; a {test.method} test on a panel of {len(panel.geos)} geos names those it treated"
        yield problem("treatment_geos", words, "missing-field")
    for pair in test.pairs:
        for geo in pair:
            if geo not in panel.geos:
                words = f"unknown geo '{shown(geo)}'{did_you_mean(geo, panel.geos)}"
                yield problem("pairs", words, "unknown-geo")
    yield from (problem(*fault) for fault in _window(test, panel))
    yield from (problem(*fault) for fault in schedules.misplaced(test, panel))


def _window(test: Experiment, panel: Panel) -> Iterator[tuple[str, str, str] | tuple[str, str, str, Level]]:
    first, last = panel.dates[0], last_day(panel.dates[-1], panel.period)
    named = (
        ("start_date", test.start_date),
        ("end_date", test.end_date),
        ("cooldown_end_date", test.cooldown_end_date),
    )
    outside = [(field, day) for field, day in named if day and not first <= np.datetime64(day, "D") <= last]
    for field, day in outside:
        words = f"{day} lies outside the data, which run from {first} to {last}"
        yield field, f"{words}; say off_panel: true for another time or market", "window-outside"
    if outside:
        return
    days = (test.end_date - test.start_date).days + 1
    if days < _SHORTEST[panel.period]:
        words = f"the test lasts {days} {'day' if days == 1 else 'days'}, less than one {panel.period} of the data"
        yield "end_date", words, "window-too-short"
        return
    begins = np.datetime64(test.start_date, "D") in panel.dates
    ends = np.datetime64(test.end_date, "D") + np.timedelta64(1, "D")
    if not begins:
        words = f"the test begins on {test.start_date}, inside a {panel.period} of the data"
        yield "start_date", words, "window-inside-period", "warning"
    if ends <= panel.dates[-1] and ends not in panel.dates:
        words = f"the test ends on {test.end_date}, inside a {panel.period} of the data"
        yield "end_date", words, "window-inside-period", "warning"


def _listed(names: Sequence[str], what: str) -> str:
    if len(names) > 12:
        return f"the data have {len(names)} {what}"
    return f"the data have the {what} {', '.join(shown(name, 30) for name in names)}"
