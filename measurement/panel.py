"""Panel: date × geo × channel arrays with labels, the only door to models.

Axes are always (geo, period, channel); money is in the study's currency, KPIs in their own unit.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.typing import Dates, Floats, Ints

Period = Literal["day", "week", "month"]
NATIONAL = "national"


@dataclass(frozen=True, eq=False)
class Panel:
    """What was spent and what was sold, by geo and period.

    Attributes:
        dates: First day of each period, ``datetime64[D]``, shape (periods,), strictly increasing.
        geos: Geo names, sorted, shape (geos,).
        channels: Channel names, sorted, shape (channels,); may be empty (an outcome-only panel).
        spend: Money, shape (geos, periods, channels).
        exposure: What the model sees of a channel (spend unless a column of the media table was named), same shape.
        kpis: Each KPI, shape (geos, periods).
        kpi: The name of the study's KPI.
        population: People per geo, shape (geos,), or ``None``.
        controls: Control series, shape (geos, periods, controls).
        control_names: Their names.
        period: Cadence.
        currency: Currency of the money columns.
        kpi_value: Money per unit of the KPI.
    """

    dates: Dates
    geos: tuple[str, ...]
    channels: tuple[str, ...]
    spend: Floats
    exposure: Floats
    kpis: Mapping[str, Floats]
    kpi: str
    population: Floats | None = None
    controls: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))
    control_names: tuple[str, ...] = ()
    period: Period = "week"
    currency: str = "EUR"
    kpi_value: float = 1.0

    @property
    def outcome(self) -> Floats:
        """The study's KPI, shape (geos, periods)."""
        return self.kpis[self.kpi]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(geos, periods, channels)."""
        return len(self.geos), len(self.dates), len(self.channels)

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of labels and values; the order of rows in the source files does not change it."""
        digest = hashlib.sha256()
        labels = [
            self.geos,
            self.channels,
            self.control_names,
            tuple(sorted(self.kpis)),
            self.kpi,
            self.period,
            self.currency,
        ]
        digest.update(repr((labels, self.kpi_value)).encode("utf-8", "surrogatepass"))
        arrays = [self.dates.astype("datetime64[D]").astype(np.int64), self.spend, self.exposure, self.controls]
        arrays += [self.kpis[name] for name in sorted(self.kpis)]
        if self.population is not None:
            arrays.append(self.population)
        for array in arrays:
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def geo_index(self, geos: Sequence[str]) -> Ints:
        """Positions of the named geos; an unknown one is an error that names the nearest."""
        return _positions(geos, self.geos, "geo")

    def channel_index(self, channels: Sequence[str]) -> Ints:
        """Positions of the named channels; an unknown one is an error that names the nearest."""
        return _positions(channels, self.channels, "channel")

    def window(self, start: date | str, end: date | str) -> slice:
        """Periods whose first day lies in [start, end], both inclusive.

        Raises:
            DataError: Where no period of the panel lies there.
        """
        first = int(np.searchsorted(self.dates, np.datetime64(start, "D"), side="left"))
        last = int(np.searchsorted(self.dates, np.datetime64(end, "D"), side="right"))
        if last <= first:
            raise DataError(
                f"no period lies between {start} and {end}: the data run from {self.dates[0]} to {self.dates[-1]}"
            )
        return slice(first, last)

    def with_kpi(self, kpi: str) -> "Panel":
        """The same panel with another of its KPIs as the outcome."""
        _positions([kpi], tuple(self.kpis), "KPI")
        return replace(self, kpi=kpi)

    @classmethod
    def from_frames(
        cls,
        outcome: pd.DataFrame,
        media: pd.DataFrame | None = None,
        *,
        kpi: str = "outcome",
        exposures: Mapping[str, str] | None = None,
        population: str | None = None,
        controls: Sequence[str] = (),
        period: Period = "week",
        currency: str = "EUR",
        kpi_value: float = 1.0,
    ) -> "Panel":
        """Build a panel from tidy frames (`measurement.tables` reads them from files).

        Args:
            outcome: Columns ``date``, ``geo`` (may be absent), the KPIs, population and controls.
            media: Columns ``date``, ``geo`` (may be absent), ``channel``, ``spend`` and exposures; ``None`` for none.
                Every channel needs a row for every geo and date, with 0 where nothing was spent.
            kpi: The KPI column.
            exposures: Per channel, the media column that the model sees in place of spend.
            population: Name of the population column of ``outcome``.
            controls: Names of control columns of ``outcome``.
            period: Cadence.
            currency: Currency of all money.
            kpi_value: Money per unit of KPI.

        Raises:
            DataError: With every problem found: duplicates, gaps, geos that appear late, values that are not numbers.
        """
        outcome = _with_geo(outcome)
        refuse(_missing(outcome, ["date", "geo", kpi, *controls, *([population] if population else [])], "outcome"))
        refuse(_duplicated(outcome, ["date", "geo"], "outcome"))
        dates = np.unique(outcome["date"].to_numpy().astype("datetime64[D]"))
        geos = tuple(sorted(outcome["geo"].unique()))
        refuse(_gaps(outcome, dates, geos, period))
        extra = {"date", "geo", population, *controls}
        kpis = {name: _grid(outcome, name, dates, geos) for name in outcome.columns if name not in extra}
        people = _grid(outcome, population, dates, geos)[:, -1] if population else None
        series = [_grid(outcome, name, dates, geos) for name in controls]
        channels: tuple[str, ...] = ()
        spend = exposure = np.zeros((len(geos), len(dates), 0))
        if media is not None:
            media = _with_geo(media)
            refuse(_missing(media, ["date", "geo", "channel", "spend", *(exposures or {}).values()], "media"))
            refuse(_duplicated(media, ["date", "geo", "channel"], "media"))
            channels = tuple(sorted(media["channel"].unique()))
            refuse(_strangers(media, dates, geos))
            spend = np.stack([_media_grid(media, c, "spend", dates, geos) for c in channels], axis=-1)
            seen = [_media_grid(media, c, (exposures or {}).get(c, "spend"), dates, geos) for c in channels]
            exposure = np.stack(seen, axis=-1)
        return cls(
            dates=dates,
            geos=geos,
            channels=channels,
            spend=spend,
            exposure=exposure,
            kpis=kpis,
            kpi=kpi,
            population=people,
            controls=np.stack(series, axis=-1) if series else np.zeros((len(geos), len(dates), 0)),
            control_names=tuple(controls),
            period=period,
            currency=currency,
            kpi_value=kpi_value,
        )


def _positions(names: Sequence[str], known: tuple[str, ...], what: str) -> Ints:
    place = {name: i for i, name in enumerate(known)}
    refuse(
        [
            Problem(f"unknown {what} '{shown(n)}'{did_you_mean(n, known)}", code=f"unknown-{what}")
            for n in names
            if n not in place
        ]
    )
    return np.array([place[name] for name in names], dtype=np.int64)


def expected_dates(first: np.datetime64, last: np.datetime64, period: Period) -> Dates:
    """First days of all periods from ``first`` to ``last``, both included where they fall on the cadence."""
    if period == "month":
        after = last.astype("datetime64[M]") + np.timedelta64(1, "M")
        months = np.arange(first.astype("datetime64[M]"), after, np.timedelta64(1, "M"))
        into_month = first - first.astype("datetime64[M]").astype("datetime64[D]")
        return np.asarray(months.astype("datetime64[D]") + into_month)
    step = np.timedelta64(7 if period == "week" else 1, "D")
    return np.arange(first, last + np.timedelta64(1, "D"), step)


def _with_geo(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if "geo" in frame.columns else frame.assign(geo=NATIONAL)


def _missing(frame: pd.DataFrame, wanted: Sequence[str], table: str) -> list[Problem]:
    return [
        Problem(
            f"the {table} table has no column '{shown(name)}'{did_you_mean(name, frame.columns)}", code="missing-column"
        )
        for name in wanted
        if name not in frame.columns
    ]


def _duplicated(frame: pd.DataFrame, keys: list[str], table: str) -> list[Problem]:
    twice = frame.loc[frame.duplicated(keys), keys].astype(str)
    return [
        Problem(f"the {table} table has more than one row for {', '.join(map(shown, row))}", code="duplicate-row")
        for row in twice.itertuples(index=False)
    ]


def _gaps(outcome: pd.DataFrame, dates: Dates, geos: tuple[str, ...], period: Period) -> list[Problem]:
    wanted = expected_dates(dates[0], dates[-1], period)
    odd = np.setdiff1d(dates, wanted)
    if odd.size:
        return [
            Problem(
                f"{day} is not the first day of a {period} counted from {dates[0]}", column="date", code="off-cadence"
            )
            for day in odd
        ]
    have = pd.MultiIndex.from_arrays([outcome["geo"], outcome["date"].to_numpy().astype("datetime64[s]")])
    need = pd.MultiIndex.from_product([geos, wanted.astype("datetime64[s]")])
    return [
        Problem(
            f"geo '{shown(geo)}' has no outcome on {pd.Timestamp(day).date()}; every geo needs every {period}",
            column="date",
            code="gap",
        )
        for geo, day in need.difference(have, sort=False)
    ]


def _strangers(media: pd.DataFrame, dates: Dates, geos: tuple[str, ...]) -> list[Problem]:
    lost = sorted(set(media["geo"].unique()) - set(geos))
    problems = [
        Problem(
            f"geo '{shown(g)}' is in the media table and not in the outcome table{did_you_mean(g, geos)}",
            code="unknown-geo",
        )
        for g in lost
    ]
    days = np.setdiff1d(media["date"].to_numpy().astype("datetime64[D]"), dates)
    return problems + [
        Problem(f"the media table has {day}, the outcome table has not", column="date", code="unknown-date")
        for day in days
    ]


def _grid(frame: pd.DataFrame, column: str, dates: Dates, geos: tuple[str, ...]) -> Floats:
    rows = np.searchsorted(np.array(geos, dtype=object), frame["geo"].to_numpy(dtype=object))
    cols = np.searchsorted(dates, frame["date"].to_numpy().astype("datetime64[D]"))
    grid = np.zeros((len(geos), len(dates)))
    grid[rows, cols] = frame[column].to_numpy(dtype=np.float64)
    return grid


def _media_grid(media: pd.DataFrame, channel: str, column: str, dates: Dates, geos: tuple[str, ...]) -> Floats:
    return _grid(media[media["channel"] == channel], column, dates, geos)
