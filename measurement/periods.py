"""Periods: days, weeks and months, named by their first day."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np

from measurement.typing import Dates

Period = Literal["day", "week", "month"]

_STEPS: dict[int, Period] = {1: "day", 7: "week", 28: "month", 29: "month", 30: "month", 31: "month"}


def expected_dates(first: np.datetime64, last: np.datetime64, period: Period) -> Dates:
    """First days of all periods from ``first`` to ``last``, both included where they fall on the cadence."""
    if period == "month":
        after = last.astype("datetime64[M]") + np.timedelta64(1, "M")
        months = np.arange(first.astype("datetime64[M]"), after, np.timedelta64(1, "M"))
        into_month = first - first.astype("datetime64[M]").astype("datetime64[D]")
        return np.asarray(months.astype("datetime64[D]") + into_month)
    step = np.timedelta64(7 if period == "week" else 1, "D")
    return np.arange(first, last + np.timedelta64(1, "D"), step)


def periods_after(dates: Dates, period: Period, count: int) -> Dates:
    """First days of the ``count`` periods after those of ``dates``, shape (count,)."""
    days = {"day": 1, "week": 7, "month": 31}[period]
    last = dates[-1].astype("datetime64[D]")
    return np.asarray(expected_dates(last, last + np.timedelta64(days * (count + 1), "D"), period)[1 : count + 1])


def last_day(first: np.datetime64, period: Period) -> np.datetime64:
    """The last day of the period that begins on ``first``."""
    if period == "month":
        month = first.astype("datetime64[M]")
        into_month = first - month.astype("datetime64[D]")
        following = (month + np.timedelta64(1, "M")).astype("datetime64[D]")
        return np.datetime64(following + into_month - np.timedelta64(1, "D"), "D")
    return np.datetime64(first + np.timedelta64(6 if period == "week" else 0, "D"), "D")


def period_of(days: Sequence[date] | Dates) -> Period | None:
    """The cadence that most neighbouring dates keep; ``None`` where they keep none."""
    steps = np.diff(np.unique(np.asarray(days, dtype="datetime64[D]"))).astype(np.int64)
    return _STEPS.get(int(np.median(steps))) if steps.size else None
