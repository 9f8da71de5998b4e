"""Holidays as columns of the design, through the ``holidays`` package."""

from datetime import date

import holidays as calendars
import numpy as np
import pandas as pd

from measurement.errors import DataError, shown
from measurement.panel import Period
from measurement.typing import Dates, Floats

HOLIDAY = 0.1  # prior standard deviation of one day's effect on its period, in means of the KPI
DAYS: dict[Period, int] = {"day": 1, "week": 7, "month": 30}


def holiday_columns(countries: tuple[str, ...], dates: Dates, period: Period) -> list[tuple[Floats, tuple[str, str]]]:
    """One prior-scaled column per named holiday: its days within each period. Names that never occur fall away.

    Args:
        countries: ISO 3166 codes.
        dates: First day of each period.
        period: Cadence.

    Raises:
        DataError: For a country that the package does not know.
    """
    ends = np.append(dates[1:], dates[-1] + np.timedelta64(DAYS[period], "D"))
    years = range(pd.Timestamp(dates[0]).year, pd.Timestamp(ends[-1]).year + 1)
    counts: dict[str, Floats] = {}
    for country in countries:
        for day, name in _calendar(country, years).items():
            at = int(np.searchsorted(dates, np.datetime64(day, "D"), side="right")) - 1
            if at >= 0 and np.datetime64(day, "D") < ends[at]:
                counts.setdefault(f"{country}: {name}", np.zeros(len(dates)))[at] += 1.0
    return [(HOLIDAY * column, ("holidays", name)) for name, column in sorted(counts.items())]


def _calendar(country: str, years: range) -> dict[date, str]:
    try:
        days = calendars.country_holidays(country, years=years, language="en_US")
        return {day: str(name) for day, name in days.items()}
    except NotImplementedError:
        raise DataError(
            f"unknown country '{shown(country)}' for holidays; use an ISO code such as DE, FR, GB or US"
        ) from None
