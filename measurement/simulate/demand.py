"""What would be sold without advertising: level, trend, season, controls, latent demand and noise."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from measurement.simulate.settings import WorldSettings
from measurement.simulate.streams import autoregressive, standardised, stream
from measurement.typing import Dates, Floats

CONTROLS = ("price_index", "retail_peak")
NATIONAL_PERSISTENCE = 0.75
LOCAL_PERSISTENCE = 0.6


@dataclass(frozen=True, eq=False)
class Sales:
    """Revenue without the panel's advertising, in its parts.

    Attributes:
        level: Mean baseline revenue per week of each geo, shape (geos,).
        expected: What level, trend, season and controls explain, shape (geos, weeks).
        demand: The latent demand in standard deviations, shape (geos, history + weeks): it starts in the history.
        demand_revenue: What it adds to revenue, shape (geos, weeks).
        noise: What nothing explains, shape (geos, weeks).
        controls: ``CONTROLS``, shape (geos, weeks, controls).
    """

    level: Floats
    expected: Floats
    demand: Floats
    demand_revenue: Floats
    noise: Floats
    controls: Floats

    @property
    def baseline(self) -> Floats:
        """Revenue without the panel's advertising, shape (geos, weeks)."""
        return np.asarray(self.expected + self.demand_revenue + self.noise)


def week_starts(settings: WorldSettings) -> Dates:
    """First day of each week of the panel, ``datetime64[D]``."""
    return np.asarray(np.datetime64(settings.start, "D") + (7 * np.arange(settings.weeks)).astype("timedelta64[D]"))


def retail_peak(dates: Dates) -> Floats:
    """How much of the pre-Christmas trade falls into each week, 0 to 1: a rise to mid-December and Black Friday."""
    index = np.zeros(len(dates))
    for i, day in enumerate(dates.astype(object)):
        for year in (day.year - 1, day.year):
            weeks_to_christmas = (date(year, 12, 24) - day).days / 7
            index[i] = max(index[i], np.exp(-0.5 * ((weeks_to_christmas - 1.5) / 1.2) ** 2))
            black_friday = 30 - (date(year, 11, 30).weekday() - 4) % 7
            if 0 <= (date(year, 11, black_friday) - day).days < 7:
                index[i] = max(index[i], 0.8)
    return np.where(index < 0.01, 0.0, index)


def latent_demand(settings: WorldSettings) -> Floats:
    """Demand that no table shows, in standard deviations, shape (geos, history + weeks).

    A national and a local autoregression, each of mean 0 and standard deviation 1 over the world's life.
    """
    rng = stream(settings.seed, "demand")
    periods = settings.history + settings.weeks
    national = standardised(autoregressive(rng.standard_normal(periods), NATIONAL_PERSISTENCE))
    if len(settings.geos) == 1:
        return national[None]
    local = standardised(autoregressive(rng.standard_normal((len(settings.geos), periods)), LOCAL_PERSISTENCE))
    share = settings.demand_local
    return np.asarray(np.sqrt(1.0 - share) * national + np.sqrt(share) * local)


def sales_without_ads(settings: WorldSettings, population: Floats) -> Sales:
    """Draw everything but advertising.

    Args:
        settings: The world's settings; the mean baseline is its revenue less what its channels are to cause.
        population: People per geo in the world's order, shape (geos,).
    """
    rng = stream(settings.seed, "sales")
    geos, weeks = len(population), settings.weeks
    taste = np.exp(0.1 * rng.standard_normal(geos))
    own = 1.0 - sum(channel.share * channel.iroas for channel in settings.channels)
    level = settings.revenue * own * population * taste / np.sum(population * taste)
    dates = week_starts(settings)
    years = np.arange(weeks) / (365.25 / 7)
    day = (dates - dates.astype("datetime64[Y]")).astype(np.float64) / 365.25
    season = np.cos(2 * np.pi * (day - 0.9)) + 0.35 * np.cos(4 * np.pi * (day - 0.35))
    moving = standardised(autoregressive(rng.standard_normal(weeks), 0.9))
    price = 1.0 + 0.03 * moving + 0.01 * rng.standard_normal((geos, weeks))
    price = np.round(price, 4)
    peak = np.round(retail_peak(dates), 4)
    shape = 1.0 + settings.trend * (years - years.mean()) + settings.seasonality * season
    shape = shape + settings.peak_effect * peak + settings.price_effect * (price - 1.0)
    demand = latent_demand(settings)
    return Sales(
        level=level,
        expected=level[:, None] * shape,
        demand=demand,
        demand_revenue=level[:, None] * settings.demand_sd * demand[:, settings.history :],
        noise=level[:, None] * settings.noise_sd * rng.standard_normal((geos, weeks)),
        controls=np.stack([price, np.broadcast_to(peak, price.shape)], axis=-1),
    )
