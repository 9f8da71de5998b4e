"""Rules that frames in memory must keep before they become a panel: types, missing values, repeated rows.

Files are judged by `measurement.tables`, value by value; here a user may come with any frame, so that a column is
judged as a whole and its first fault is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.typing import Bools

NATIONAL = "national"
"""The one geo of a table without a ``geo`` column."""


def tidy(frame: pd.DataFrame, table: str, names: Sequence[str], least: Mapping[str, float | None]) -> pd.DataFrame:
    """A frame of sound columns: ``date`` (``datetime64[D]`` values), names (texts) and numbers (``float64``).

    Args:
        frame: What the user gave; ``geo`` may be absent.
        table: What it is called in messages.
        names: Columns that hold names.
        least: Columns that hold numbers, and the least allowed one (``None`` for any).

    Raises:
        DataError: With every column that breaks a rule, and every row that repeats another's date and names.
    """
    if "geo" not in frame.columns:
        frame = frame.assign(geo=NATIONAL)
    refuse(_columns(frame, table, ["date", *names, *least]))
    problems: list[Problem] = []
    made: dict[str, object] = {"date": _dates(frame["date"], table, problems)}
    for name in names:
        made[name] = _names(frame[name], table, problems)
    for name, minimum in least.items():
        made[name] = _numbers(frame[name], table, minimum, problems)
    refuse(problems)
    result = pd.DataFrame(made)
    refuse(_repeated(result, ["date", *names], table))
    return result


def number_columns(frame: pd.DataFrame, leave_out: Iterable[str]) -> list[str]:
    """Columns of finite numbers, but for those to leave out."""
    out = set(leave_out)
    return [
        name
        for name in frame.columns
        if name not in out and _is_number(frame[name]) and np.isfinite(frame[name].to_numpy(dtype=np.float64)).all()
    ]


def _columns(frame: pd.DataFrame, table: str, wanted: Sequence[str]) -> list[Problem]:
    have = [str(name) for name in frame.columns]
    problems = [
        Problem(f"the {table} table has the column '{shown(name)}' {have.count(name)} times", code="column-twice")
        for name in dict.fromkeys(wanted)
        if have.count(name) > 1
    ]
    problems += [
        Problem(f"the {table} table has no column '{shown(name)}'{did_you_mean(name, have)}", code="missing-column")
        for name in dict.fromkeys(wanted)
        if name not in have
    ]
    if frame.empty and not problems:
        problems.append(Problem(f"the {table} table has no rows", code="no-rows"))
    return problems


def _faulty(series: "pd.Series[Any]", table: str, bad: Bools, allowed: str, code: str) -> list[Problem]:
    if not bad.any():
        return []
    at = int(np.argmax(bad))
    count = int(bad.sum())
    times = "" if count == 1 else f", and {count - 1} more like it"
    words = f"found {shown(series.iloc[at], 40)} in row {shown(series.index[at], 40)} of the {table} table{times}"
    return [Problem(f"{words}; {allowed}", column=str(series.name), code=code)]


def _dates(series: "pd.Series[Any]", table: str, problems: list[Problem]) -> object:
    allowed = "a date without a time of day or time zone is needed"
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        problems.append(Problem(f"holds times with a time zone; {allowed}", column="date", code="time-zone"))
        return series
    if not types.is_datetime64_dtype(series.dtype):
        is_day = np.array([type(value) is date for value in series], dtype=np.bool_)
        wrong = _faulty(series, table, ~is_day, f"{allowed} (pandas.to_datetime makes one)", "not-a-date")
        if wrong:
            problems += wrong
            return series
        series = series.astype("datetime64[s]")
    problems += _faulty(series, table, series.isna().to_numpy(), allowed, "blank")
    problems += _faulty(
        series, table, (series.notna() & (series != series.dt.normalize())).to_numpy(), allowed, "time-of-day"
    )
    return series.to_numpy().astype("datetime64[D]").astype("datetime64[s]")


def _names(series: "pd.Series[Any]", table: str, problems: list[Problem]) -> object:
    allowed = "a name is needed (a geo called NA? read it with keep_default_na=False)"
    blank = series.isna().to_numpy(dtype=np.bool_)
    problems += _faulty(series, table, blank, allowed, "blank")
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if types.is_integer_dtype(series.dtype):
        return series.astype("str")
    if isinstance(series.dtype, pd.StringDtype):
        return series.astype("str")
    odd = np.array([not isinstance(value, str) for value in series], dtype=np.bool_) & ~blank
    problems += _faulty(series, table, odd, "names are texts", "not-a-name")
    return series if odd.any() or blank.any() else series.astype("str")


def _is_number(series: "pd.Series[Any]") -> bool:
    return types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype)


def _numbers(series: "pd.Series[Any]", table: str, minimum: float | None, problems: list[Problem]) -> object:
    if not _is_number(series):
        words = f"holds values of type {series.dtype} in the {table} table; numbers are needed"
        problems.append(Problem(words, column=str(series.name), code="column-type"))
        return series
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    problems += _faulty(series, table, ~np.isfinite(values), "a finite number is needed", "not-finite")
    if minimum is not None:
        problems += _faulty(series, table, values < minimum, f"{minimum:g} or more is needed", "negative")
    return values


def _repeated(frame: pd.DataFrame, keys: list[str], table: str) -> list[Problem]:
    again = frame.duplicated(keys).to_numpy()
    if not again.any():
        return []
    problems = []
    for row in frame.loc[again, keys].head(1_000).itertuples(index=False):
        what = ", ".join(shown(value.date() if isinstance(value, pd.Timestamp) else value) for value in row)
        problems.append(Problem(f"the {table} table has more than one row for {what}", code="duplicate-row"))
    return problems
