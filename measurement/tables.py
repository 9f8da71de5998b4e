"""The tables of a study: media, outcome and platform. Their contracts, and their reading from csv or parquet.

Every reader takes a path or a glob and returns a `Table`: ``frame`` (sorted by its key), ``problems`` (what looks odd
and is let pass: level ``warning`` or ``note``) and ``sha256`` (the same whatever the order of rows, columns and files).
What breaks the contract is a `DataError` that carries every problem with file, line and column.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import Problem, shown
from measurement.periods import Period
from measurement.reading import completeness, source
from measurement.reading.columns import Column, Contract
from measurement.reading.loaded import Loaded
from measurement.reading.source import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "odd_frequencies", "read_media", "read_outcome", "read_platform"]

_DATE = Column("date", "date")
_GEO = Column("geo", "text", required=False)
_CHANNEL = Column("channel", "text")
_SPEND = Column("spend", "number", minimum=0.0, advice="write 0 where nothing was spent")
_COUNT = "write 0 where there was nothing"


def read_media(path: str | Path, exposures: Sequence[str] = (), *, period: Period | None = None) -> Table:
    """Read the media table: what was spent per period, geo and channel.

    Args:
        path: csv or parquet file, or a glob.
        exposures: Further columns to take (impressions, GRP, reach, frequency): numbers, 0 or more.
        period: Cadence that the dates must keep; not looked at where ``None``.

    Returns:
        Columns ``date, (geo,) channel, spend`` and the exposures. ``geo`` is there where the file has it.

    Raises:
        DataError: With every problem found. Every channel needs a row for every geo and date.
    """
    named = tuple(Column(name, "number", minimum=0.0, advice=_COUNT) for name in dict.fromkeys(exposures))
    contract = Contract("media", (_DATE, _GEO, _CHANNEL, _SPEND), named, ("date", "geo", "channel"))

    def rules(loaded: Loaded) -> list[Problem]:
        return completeness.names(loaded, ("geo", "channel")) + completeness.media(loaded, period)

    return source.read(contract, path, rules)


def odd_frequencies(media: "pd.DataFrame", channel: str, reach: str, frequency: str) -> list[Problem]:
    """A warning where people were reached less than once each: reach and frequency cannot both be right.

    Args:
        media: The media table.
        channel: The channel.
        reach: Its column of people reached.
        frequency: Its column of contacts per person reached.
    """
    own = media[media["channel"] == channel]
    odd = own[(own[reach] > 0) & (own[frequency] < 1)]
    if odd.empty:
        return []
    words = (
        f"channel '{shown(channel)}' has a reach above 0 and a frequency below 1 in {len(odd)} of {len(own)} rows, "
        f"first on {odd['date'].iloc[0]:%Y-%m-%d}; frequency counts the contacts of a person reached: 1 or more"
    )
    return [Problem(words, column=frequency, level="warning", code="low-frequency")]


def read_outcome(
    path: str | Path,
    kpis: Sequence[str] = (),
    *,
    controls: Sequence[str] = (),
    population: str | None = None,
    period: Period | None = None,
) -> Table:
    """Read the outcome table: KPIs, controls and population per period and geo.

    Args:
        path: csv or parquet file, or a glob.
        kpis: KPI columns that must be there. Other columns of numbers are taken too; with ``kpis`` given, one that
            also holds something else is left out (a note says so), without it is an error.
        controls: Control columns that must be there.
        population: The population column, above 0.
        period: Cadence that the dates must keep; not looked at where ``None``.

    Returns:
        Columns ``date, (geo,)``, then the others. ``geo`` is there where the file has it.

    Raises:
        DataError: With every problem found. Every geo needs a row for every date.
    """
    columns = [Column(name, "number") for name in dict.fromkeys([*kpis, *controls]) if name != population]
    if population is not None:
        columns.append(Column(population, "number", minimum=0.0, above=True))
    key = ("date", "geo")
    contract = Contract("outcome", (_DATE, _GEO), tuple(columns), key, "sound_numbers" if kpis else "numbers")

    def rules(loaded: Loaded) -> list[Problem]:
        if set(loaded.aliases) <= {"date", "geo", population, *controls}:
            nothing = loaded.parts[0].file.problem("the outcome table needs a column of numbers: the KPI", "no-kpi")
            loaded.problems.append(nothing)
        return completeness.names(loaded, ("geo",)) + completeness.outcome(loaded, period)

    return source.read(contract, path, rules)


def read_platform(path: str | Path) -> Table:
    """Read what platforms report of themselves: conversions and value per period and channel.

    Args:
        path: csv or parquet file, or a glob.

    Returns:
        Columns ``date, (geo,) channel, conversions, value``. ``geo`` is there where the file has it.

    Raises:
        DataError: With every problem found. Periods may be missing: nothing was reported there.
    """
    counts = tuple(Column(name, "number", minimum=0.0, advice=_COUNT) for name in ("conversions", "value"))
    contract = Contract("platform", (_DATE, _GEO, _CHANNEL, *counts), key=("date", "geo", "channel"))
    return source.read(contract, path, lambda loaded: completeness.names(loaded, ("geo", "channel")))
