"""Read the table of a test on users: one row a user, or the sums of each arm."""

from collections.abc import Sequence
from pathlib import Path

from experiments.user_level.users import Users


def read_users(path: str | Path, kpis: Sequence[str] = (), *, denominator: str | None = None) -> Users:
    """Read the users of a test.

    Args:
        path: csv or parquet file, or a glob.
        kpis: KPI columns; all columns of numbers where none are named. Columns named ``pre_...`` are covariates.
        denominator: Column that the KPI is divided by where a ratio is wanted (sessions, orders).

    Raises:
        DataError: With every problem found: file, line and column.
    """
    raise NotImplementedError
