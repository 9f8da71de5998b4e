"""Sums of a test on users, as platforms report them: one row an arm, or an arm and day.

Columns: ``arm`` (treatment or control), ``users``, and either ``conversions`` (users that converted: a KPI of 0 and 1)
or ``sum`` and ``sum_of_squares`` of the KPI over the users. Optional ``exposed`` splits an arm by exposure, ``date`` by
day of enrolment.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.user_level.moments import Cells
from experiments.user_level.users import Users
from measurement.errors import DataError, Problem, refuse, shown
from measurement.reading import source
from measurement.reading.source import MOST, Column, Contract, Loaded

ARMS = ("treatment", "control")
_CONVERSIONS = Column("conversions", "number", minimum=0.0)
_SUMS = (Column("sum", "number"), Column("sum_of_squares", "number", minimum=0.0))
_SLACK = 1e-9
_LARGEST = 1e48


def read(path: str | Path, kpis: Sequence[str] = ()) -> Users:
    """Read sums.

    Args:
        path: csv or parquet file, or a glob.
        kpis: The KPI's name, where it is not ``conversions`` (or ``outcome``, for other sums).

    Raises:
        DataError: With every problem found: counts that are no whole numbers, more conversions than users, sums of
            squares smaller than their sums allow, an arm without users.
    """
    if len(kpis) > 1:
        raise DataError("a table of sums holds one KPI; give a table with a row for each user, or one table a KPI")
    header = source.header(path)
    binary = "conversions" in header
    if binary and "sum" in header:
        problem = Problem("stands beside 'conversions'; a table of sums holds one KPI", str(path), 1, "sum")
        raise DataError([problem])
    own = (
        Column("arm", "text", choices=ARMS),
        Column("users", "number", minimum=1.0),
        Column("exposed", "flag", required=False),
        Column("date", "date", required=False),
        *((_CONVERSIONS,) if binary else _SUMS),
    )
    frame = source.read(Contract("users", own, key=("arm", "exposed", "date")), path, _rules).frame
    missing = [arm for arm in ARMS if not (frame["arm"] == arm).any()]
    refuse([Problem(f"no row is of the arm '{arm}'", str(path), column="arm", code="no-arm") for arm in missing])
    name = kpis[0] if kpis else "conversions" if binary else "outcome"
    count = frame["users"].to_numpy().astype(np.int64)
    total = frame["conversions" if binary else "sum"].to_numpy()
    squares = total if binary else frame["sum_of_squares"].to_numpy()
    nothing = np.zeros(len(frame), dtype=bool)
    cells = Cells(
        treatment=(frame["arm"] == "treatment").to_numpy(),
        exposed=frame["exposed"].to_numpy() if "exposed" in frame else nothing,
        predicted=nothing,
        day=frame["date"].to_numpy().astype("datetime64[D]")
        if "date" in frame
        else np.full(len(frame), np.datetime64("NaT", "D")),
        count=count,
        mean=(total / count)[:, None],
        scatter=np.maximum(squares - total**2 / count, 0.0)[:, None, None],
        nonzero=(total if binary else np.where(squares > 0, count, 0)).astype(np.int64)[:, None],
    )
    return Users(
        names=(name,),
        kpis=(name,),
        binary=frozenset([name] if binary else []),
        denominator=None,
        cells=cells,
        has_exposure="exposed" in frame,
        control_exposure="exposed" in frame,
        has_days="date" in frame,
        source=shown(path, 200),
    )


def _rules(loaded: Loaded) -> list[Problem]:
    rules = [("users <> floor(users)", "is no whole number of users", "not-whole", "users")]
    if "conversions" in loaded.aliases:
        rules += [
            ("conversions <> floor(conversions)", "is no whole number of users", "not-whole", "conversions"),
            ("conversions > users AND users >= 1", "is more than the users", "too-many", "conversions"),
        ]
    else:
        least = f"sum_of_squares < sum * sum / users * (1 - {_SLACK})"
        words = "is smaller than the square of the sum over the users, which no numbers give"
        rules.append((least, words, "sum-of-squares", "sum_of_squares"))
        rules.append(
            (f"sum_of_squares > {_LARGEST!r}", "is more than any KPI adds up to", "too-large", "sum_of_squares")
        )
    problems = []
    for rule, words, code, column in rules:
        rows = loaded.connection.execute(f"SELECT source_row FROM rows WHERE {rule} ORDER BY 1 LIMIT {MOST}")  # noqa: S608
        problems += loaded.at([row for (row,) in rows.fetchall()], words, code, column)
    return problems
