"""Holidays as columns of the design, through the ``holidays`` package.

A holiday has one effect wherever a country keeps it: Good Friday is one column for all its markets, All Saints' Day one
for its regions that close. The same name in two countries is two holidays.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

import holidays as calendars
import numpy as np
import pandas as pd

from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.panel import Period
from measurement.typing import Dates, Floats

HOLIDAY = 0.1  # prior standard deviation of one day's effect on its period, in means of the KPI
DAYS: dict[Period, int] = {"day": 1, "week": 7, "month": 30}
OTHERS = "*"
"""In a mapping of geos to calendars: every geo that is not named."""
EXAMPLES = "use an ISO code such as DE, FR, GB or US, and for a region its code after a hyphen, such as DE-BY"

type Codes = Sequence[str] | Mapping[str, Sequence[str]]
"""Country or region codes of all geos, or those of each geo."""


def holiday_columns(
    codes: Codes, geos: tuple[str, ...], dates: Dates, period: Period
) -> list[tuple[Floats, tuple[str, str]]]:
    """One prior-scaled column per named holiday: its days within each period. Names that never occur fall away.

    Args:
        codes: ISO 3166 codes, of all geos or by geo.
        geos: Geo names.
        dates: First day of each period.
        period: Cadence.

    Returns:
        By name, columns of shape (periods,) where all geos have the holiday on the same days, else (geos, periods).

    Raises:
        DataError: For geos and codes that are not known.
    """
    refuse(check_holidays(codes, geos))
    ends = np.append(dates[1:], dates[-1] + np.timedelta64(DAYS[period], "D"))
    years = (pd.Timestamp(dates[0]).year, pd.Timestamp(ends[-1]).year)
    counts: dict[str, Floats] = {}
    for g, geo in enumerate(geos):
        own = {day for code in _codes_of(codes, geo) for day in _calendar(code, years)}
        for name, day in own:
            at = int(np.searchsorted(dates, np.datetime64(day, "D"), side="right")) - 1
            if at >= 0 and np.datetime64(day, "D") < ends[at]:
                counts.setdefault(name, np.zeros((len(geos), len(dates))))[g, at] += 1.0
    return [
        (HOLIDAY * (column[0] if (column == column[0]).all() else column), ("holidays", name))
        for name, column in sorted(counts.items())
    ]


def check_holidays(codes: Codes, geos: tuple[str, ...]) -> list[Problem]:
    """Every geo and code that is not known, and every geo without a calendar."""
    problems = []
    if isinstance(codes, Mapping):
        problems += [
            Problem(f"holidays for an unknown geo '{shown(name)}'{did_you_mean(name, geos)}", code="unknown-geo")
            for name in codes
            if name not in geos and name != OTHERS
        ]
        lacking = [shown(geo) for geo in geos if geo not in codes and OTHERS not in codes]
        if lacking:
            named = ", ".join(f"'{geo}'" for geo in lacking[:5]) + (", ..." if len(lacking) > 5 else "")
            words = f"no holidays for {named}: name each geo, or all others as '{OTHERS}' (an empty list for none)"
            problems.append(Problem(words, code="missing-geo"))
        every = dict.fromkeys(code for own in codes.values() for code in own)
    else:
        every = dict.fromkeys(codes)
    return problems + [problem for code in every for problem in _unknown(code)]


def _codes_of(codes: Codes, geo: str) -> tuple[str, ...]:
    if isinstance(codes, Mapping):
        return tuple(codes[geo] if geo in codes else codes[OTHERS])
    return tuple(codes)


def _unknown(code: str) -> list[Problem]:
    """Why the package has no calendar of a code."""
    country, _, region = code.partition("-")
    known = calendars.list_supported_countries()
    if country not in known:
        words = f"unknown country '{shown(country)}' for holidays{did_you_mean(country, list(known))}; {EXAMPLES}"
        return [Problem(words, code="unknown-country")]
    try:
        _calendar(code, (2024, 2024))
    except NotImplementedError:
        regions = ", ".join(f"{country}-{name}" for name in known[country]) or "none"
        words = f"unknown region '{shown(region)}' of {country} for holidays; known are: {regions}"
        return [Problem(words, code="unknown-region")]
    return []


@lru_cache(maxsize=512)
def _calendar(code: str, years: tuple[int, int]) -> frozenset[tuple[str, date]]:
    """``(name, day)`` of a code's public holidays from the first to the last year; a name begins with its country."""
    country, _, region = code.partition("-")
    span = range(years[0], years[1] + 1)
    days = calendars.country_holidays(country, subdiv=region or None, years=span, language="en_US")
    return frozenset((f"{country}: {name}", day) for day, name in days.items())
