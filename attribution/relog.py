"""An event log opened for questions beyond its paths, and a log made from it with other users."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from attribution.paths import MEMORY, TOUCHPOINTS, limit, worked_through
from attribution.spill import spill_folder
from measurement.errors import refuse
from measurement.reading import source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def opened(log: str | Path | pd.DataFrame, spill: str | Path | None = None) -> "Iterator[DuckDBPyConnection]":
    """A connection in which the log is the relation ``touchpoints``.

    Args:
        log: Csv or parquet (a path or a glob), or a frame.
        spill: As in `read_paths`.

    Raises:
        DataError: With everything in the log that breaks the contract.
    """
    name = "frame" if isinstance(log, pd.DataFrame) else log
    with spill_folder(spill) as folder, source.connect() as connection, worked_through(name):
        limit(connection, folder, MEMORY)
        place = folder / "frame.parquet" if isinstance(log, pd.DataFrame) else log
        if isinstance(log, pd.DataFrame):
            log.to_parquet(folder / "frame.parquet", index=False)
        loaded = source.load(connection, TOUCHPOINTS, place, "touchpoints")
        refuse([problem for problem in loaded.problems if problem.level == "error"])
        yield connection


@contextmanager
def with_users(connection: "DuckDBPyConnection", user: str, spill: str | Path | None = None) -> Iterator[Path]:
    """The log of a connection with other users, in a parquet file that is removed afterwards.

    Args:
        connection: From `opened`.
        user: An expression for the user of a row.
        spill: As in `read_paths`.
    """
    there = {row[0] for row in connection.execute("DESCRIBE touchpoints").fetchall()}
    columns = [each.name for each in TOUCHPOINTS.columns if each.name in there and each.name != "user_id"]
    with spill_folder(spill) as folder:
        file = folder / "log.parquet"
        select = f"SELECT {user} AS user_id, {', '.join(columns)} FROM touchpoints"  # noqa: S608  ours, no user's text
        connection.sql(select).write_parquet(str(file))
        yield file
