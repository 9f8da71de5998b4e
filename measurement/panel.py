"""Panel: date × geo × channel arrays with labels, the only door to models.

Axes are always (geo, period, channel); money is in the study's currency, KPIs in their own unit.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.frames import NATIONAL, number_columns, tidy
from measurement.periods import Period, expected_dates, period_of
from measurement.typing import Bools, Dates, Floats, Ints

__all__ = ["NATIONAL", "Panel", "Period", "expected_dates"]


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

    def part(self, periods: slice) -> "Panel":
        """The same panel over a stretch of its periods."""
        return replace(
            self,
            dates=self.dates[periods],
            spend=self.spend[:, periods],
            exposure=self.exposure[:, periods],
            kpis={name: values[:, periods] for name, values in self.kpis.items()},
            controls=self.controls[:, periods],
        )

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
        exposures: Mapping[str, str | tuple[str, str]] | None = None,
        population: str | None = None,
        controls: Sequence[str] = (),
        period: Period = "week",
        currency: str = "EUR",
        kpi_value: float = 1.0,
    ) -> "Panel":
        """Build a panel from tidy frames (`measurement.tables` reads them from files).

        Args:
            outcome: Columns ``date``, ``geo`` (may be absent), the KPIs, population and controls. Other columns are
                KPIs too, if they hold finite numbers.
            media: Columns ``date``, ``geo`` (may be absent), ``channel``, ``spend`` and exposures; ``None`` for none.
                Every channel needs a row for every geo and date, with 0 where nothing was spent.
            kpi: The KPI column.
            exposures: Per channel, the media column that the model sees in place of spend, or the columns of reach
                (people) and frequency (contacts of each), whose product it sees.
            population: Name of the population column of ``outcome``.
            controls: Names of control columns of ``outcome``.
            period: Cadence.
            currency: Currency of all money.
            kpi_value: Money per unit of KPI.

        Raises:
            DataError: With every problem found: duplicates, gaps, geos that appear late, values that are not numbers.
        """
        money = float(kpi_value)
        if not (np.isfinite(money) and money > 0):
            raise DataError([Problem(f"is {kpi_value}; it must be above 0", column="kpi_value", code="kpi-value")])
        needed = [kpi, *controls, *([population] if population else [])]
        others = number_columns(outcome, {"date", "geo", *needed})
        sold = tidy(outcome, "outcome", ["geo"], dict.fromkeys([*needed, *others]))
        dates = np.unique(sold["date"].to_numpy().astype("datetime64[D]"))
        geos = tuple(sorted(sold["geo"].unique()))
        at = _Places(sold, dates, geos)
        refuse(_cadence(dates, period) or _gaps(at, dates, geos, period))
        people = at.grid(sold, population)[:, -1] if population else None
        if people is not None and not (people > 0).all():
            raise DataError([Problem("must be above 0 in every geo", column=population, code="population")])
        channels, spend, exposure = _media(media, outcome, exposures or {}, dates, geos)
        return cls(
            dates=dates,
            geos=geos,
            channels=channels,
            spend=spend,
            exposure=exposure,
            kpis={name: at.grid(sold, name) for name in (kpi, *others)},
            kpi=kpi,
            population=people,
            controls=np.stack([at.grid(sold, name) for name in controls], axis=-1) if controls else at.nothing,
            control_names=tuple(controls),
            period=period,
            currency=currency,
            kpi_value=money,
        )


class _Places:
    """Where each row of a tidy frame belongs on the grid of geos and dates."""

    def __init__(self, frame: pd.DataFrame, dates: Dates, geos: tuple[str, ...]) -> None:
        self.geo = pd.Index(geos).get_indexer(pd.Index(frame["geo"]))
        self.period = np.searchsorted(dates, frame["date"].to_numpy().astype("datetime64[D]"))
        self.shape = (len(geos), len(dates))
        self.nothing = np.zeros((*self.shape, 0))

    def grid(self, frame: pd.DataFrame, column: str) -> Floats:
        """A column of the frame, shape (geos, periods)."""
        grid = np.zeros(self.shape)
        grid[self.geo, self.period] = frame[column].to_numpy(dtype=np.float64)
        return grid


def _media(
    media: pd.DataFrame | None,
    outcome: pd.DataFrame,
    exposures: Mapping[str, str | tuple[str, str]],
    dates: Dates,
    geos: tuple[str, ...],
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Channels, spend and exposure, the latter two of shape (geos, periods, channels)."""
    shape = (len(geos), len(dates))
    if media is None:
        return (), np.zeros((*shape, 0)), np.zeros((*shape, 0))
    if ("geo" in media.columns) != ("geo" in outcome.columns) and len(geos) > 1:
        having, lacking = ("outcome", "media") if "geo" in outcome.columns else ("media", "outcome")
        words = f"the {having} table has a geo column and the {lacking} table has none; both need it, or neither"
        raise DataError([Problem(words, column="geo", code="missing-column")])
    if "geo" not in media.columns:
        media = media.assign(geo=geos[0])
    seen = {name: (given,) if isinstance(given, str) else given for name, given in exposures.items()}
    columns = ["spend", *(column for given in seen.values() for column in given)]
    spent = tidy(media, "media", ["geo", "channel"], dict.fromkeys(columns, 0.0))
    channels = tuple(sorted(spent["channel"].unique()))
    _positions(list(exposures), channels, "channel")
    refuse(_strangers(spent, dates, geos))
    channel = pd.Index(channels).get_indexer(pd.Index(spent["channel"]))
    at = _Places(spent, dates, geos)
    cell = (at.geo, at.period, channel)
    have = np.zeros((*shape, len(channels)), dtype=np.bool_)
    have[cell] = True
    refuse(_unspent(have, dates, geos, channels))
    spend = np.zeros(have.shape)
    spend[cell] = spent["spend"].to_numpy(dtype=np.float64)
    exposure = spend.copy()
    for name, given in seen.items():
        rows = channel == channels.index(name)
        values = spent.loc[rows, list(given)].to_numpy(dtype=np.float64).prod(axis=1)
        exposure[at.geo[rows], at.period[rows], channels.index(name)] = values
    return channels, spend, exposure


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


def _cadence(dates: Dates, period: Period) -> list[Problem]:
    odd = np.setdiff1d(dates, expected_dates(dates[0], dates[-1], period))
    found = period_of(dates)
    if found and found != period and dates.size > 2:
        words = f"the dates are a {found} apart; the period is '{period}'"
        return [Problem(words, column="date", code="off-cadence")]
    return [
        Problem(f"{day} is not the first day of a {period} counted from {dates[0]}", column="date", code="off-cadence")
        for day in odd
    ]


def _gaps(at: _Places, dates: Dates, geos: tuple[str, ...], period: Period) -> list[Problem]:
    have = np.zeros(at.shape, dtype=np.bool_)
    have[at.geo, at.period] = True
    missing = np.setdiff1d(expected_dates(dates[0], dates[-1], period), dates)
    problems = [
        Problem(f"no geo has an outcome on {day}; every {period} is needed", column="date", code="gap")
        for day in missing
    ]
    for i in np.flatnonzero(~have.all(axis=1)):
        days = dates[~have[i]]
        words = f"geo '{shown(geos[i])}' has no outcome on {_days(days)}; every geo needs every {period}"
        problems.append(Problem(words, column="date", code="gap"))
    return problems


def _days(days: Dates) -> str:
    return str(days[0]) if days.size == 1 else f"{days[0]}, nor on {days.size - 1} more up to {days[-1]}"


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
    if days.size:
        words = f"the media table has {days.size} dates that the outcome table has not, from {days[0]} to {days[-1]}"
        problems.append(Problem(words, column="date", code="unknown-date"))
    return problems


def _unspent(have: Bools, dates: Dates, geos: tuple[str, ...], channels: tuple[str, ...]) -> list[Problem]:
    """Cells of the media table without a row: whole dates first, then by geo and channel."""
    lacking = ~have.any(axis=(0, 2))
    problems = []
    if lacking.any():
        days = dates[lacking]
        words = f"the media table has no row on {_days(days)}, the outcome table has"
        problems.append(Problem(words, column="date", code="gap"))
    for g, c in np.argwhere(~have[:, ~lacking].all(axis=1)):
        days = dates[~have[g, :, c] & ~lacking]
        words = f"geo '{shown(geos[g])}', channel '{shown(channels[c])}' has no media row on {_days(days)}"
        problems.append(Problem(f"{words}; write rows with spend 0 where nothing was spent", code="gap"))
    return problems
