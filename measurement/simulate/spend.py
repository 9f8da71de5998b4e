"""Business-as-usual spend: own pattern, campaigns that several channels share, and the pull of demand."""

import numpy as np

from measurement.simulate.settings import ChannelTruth, WorldSettings
from measurement.simulate.streams import autoregressive, stream
from measurement.typing import Floats

# By how much the log of spend rises with one standard deviation of demand.
PULL = {"no": 0.0, "some": 0.16, "strong": 0.35}
OWN_PERSISTENCE = 0.5
WEEKS_BETWEEN_CAMPAIGNS = (7, 13)
CAMPAIGN_WEEKS = (3, 5)


def campaigns(settings: WorldSettings) -> Floats:
    """Weeks in which a campaign runs (1) or not (0), shape (history + weeks,); every channel with a burst joins it."""
    rng = stream(settings.seed, "campaigns")
    on = np.zeros(settings.history + settings.weeks)
    week = int(rng.integers(0, 8))
    while week < len(on):
        length = int(rng.integers(CAMPAIGN_WEEKS[0], CAMPAIGN_WEEKS[1] + 1))
        on[week : week + length] = 1.0
        week += length + int(rng.integers(*WEEKS_BETWEEN_CAMPAIGNS))
    return on


def usual_spend(
    settings: WorldSettings, channels: tuple[ChannelTruth, ...], population: Floats, demand: Floats
) -> Floats:
    """Spend without any test, history first, in cents-rounded money.

    Args:
        settings: The world's settings.
        channels: The channels in the world's order.
        population: Shape (geos,).
        demand: Standardised demand, shape (geos, history + weeks).

    Returns:
        Shape (geos, history + weeks, channels). Over the panel's weeks a channel spends its share of revenue.
    """
    together = campaigns(settings)
    series = []
    for channel in channels:
        rng = stream(settings.seed, f"spend of {channel.name}")
        pattern = _own_pattern(channel, rng, demand.shape) * (1.0 + channel.burst * together)
        pull = settings.confounding * PULL[channel.demand_driven]
        money = population[:, None] * pattern * np.exp(pull * demand)
        wanted = channel.share * settings.revenue * settings.weeks
        series.append(money * wanted / money[:, settings.history :].sum())
    return np.round(np.stack(series, axis=-1), 2)


def _own_pattern(channel: ChannelTruth, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    geos, periods = shape
    national = autoregressive(rng.standard_normal(periods), OWN_PERSISTENCE)
    local = autoregressive(rng.standard_normal((geos, periods)), OWN_PERSISTENCE)
    allocation = 0.15 * rng.standard_normal((geos, 1))
    share = channel.local if geos > 1 else 0.0
    wave = np.sqrt(1.0 - share) * national + np.sqrt(share) * local
    pattern = np.exp(channel.own_sd * wave + allocation)
    first = int(rng.integers(0, sum(channel.flight))) if channel.flight else 0
    if channel.flight:
        pattern = pattern * ((np.arange(periods) + first) % sum(channel.flight) < channel.flight[0])
    return np.asarray(pattern)
