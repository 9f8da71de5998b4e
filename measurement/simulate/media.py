"""What spend causes: adstock, Hill saturation, and the response of a whole panel.

Written in numpy on its own, apart from the model's transforms, so that a mistake in one does not hide in the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from measurement.simulate.settings import ChannelTruth
from measurement.typing import Floats


def adstock_weights(decay: float, l_max: int, peak: float = 0.0) -> Floats:
    """Share of an effect that lands 0, 1, ... weeks after the spend, shape (l_max,), sum 1.

    Geometric (``decay ** lag``), or delayed geometric (``decay ** (lag - peak) ** 2``) where ``peak`` is above 0
    (Jin et al., 2017, "Bayesian Methods for Media Mix Modeling with Carryover and Shape Effects").
    """
    lags = np.arange(l_max, dtype=np.float64)
    weights = decay ** ((lags - peak) ** 2) if peak > 0 else decay**lags
    return np.asarray(weights / weights.sum())


def adstock(exposure: Floats, weights: Floats) -> Floats:
    """Carry exposure over.

    Args:
        exposure: Shape (geos, periods, channels); nothing is assumed before the first period.
        weights: Shape (lags, channels), each column summing to 1.

    Returns:
        Shape (geos, periods, channels).
    """
    carried = np.zeros_like(exposure)
    periods = exposure.shape[1]
    for lag in range(min(len(weights), periods)):
        carried[:, lag:] += exposure[:, : periods - lag] * weights[lag]
    return carried


def hill(exposure: Floats, half_saturation: Floats | float, slope: Floats | float) -> Floats:
    """``x^s / (x^s + h^s)``: 0 at 0, a half at the half-saturation point, towards 1."""
    raised = np.maximum(exposure, 0.0) ** slope
    return np.asarray(raised / (raised + half_saturation**slope))


@dataclass(frozen=True, eq=False)
class Response:
    """How a world turns spend into revenue. Exposure is spend per person and week.

    Attributes:
        weights: Adstock weights, shape (lags, channels), padded with zeros.
        half_saturation: Money per person and week, shape (channels,).
        slope: Shape (channels,).
        strength: Revenue per person and week at full saturation, shape (geos, channels).
        population: Shape (geos,).
        history: Spend before the first period, shape (geos, history, channels).
    """

    weights: Floats
    half_saturation: Floats
    slope: Floats
    strength: Floats
    population: Floats
    history: Floats

    def effects(self, spend: Floats) -> Floats:
        """Revenue that ``spend`` causes, in the period where it lands, over what the history alone leaves behind.

        Args:
            spend: Money, shape (geos, periods, channels).

        Returns:
            Same shape. Carry-over beyond the last period is not counted.
        """
        return self._level(spend) - self._level(np.zeros_like(spend))

    def left_over(self, periods: int) -> Floats:
        """Revenue in the first periods that the spend before them still causes, shape (geos, periods, channels)."""
        return self._level(np.zeros((len(self.population), periods, len(self.slope))))

    def _level(self, spend: Floats) -> Floats:
        people = self.population[:, None, None]
        carried = adstock(np.concatenate([self.history, spend], axis=1) / people, self.weights)
        saturated = hill(carried[:, self.history.shape[1] :], self.half_saturation, self.slope)
        return np.asarray(self.strength[:, None, :] * people * saturated)


def calibrated(
    channels: Sequence[ChannelTruth], spend: Floats, history: Floats, population: Floats, geo_factor: Floats
) -> Response:
    """The response under which each channel's iROAS on ``spend`` is the one that its settings ask for.

    Args:
        channels: Settings, in the order of the last axis.
        spend: Business-as-usual money, shape (geos, periods, channels).
        history: Money before it, shape (geos, history, channels).
        population: Shape (geos,).
        geo_factor: Relative strength of each channel in each geo, shape (geos, channels).
    """
    weights = np.zeros((max(channel.l_max for channel in channels), len(channels)))
    for i, channel in enumerate(channels):
        weights[: channel.l_max, i] = adstock_weights(channel.decay, channel.l_max, channel.peak)
    exposure = spend / population[:, None, None]
    positive = (exposure > 0).sum(axis=(0, 1))
    mean_positive = exposure.sum(axis=(0, 1)) / np.maximum(positive, 1)
    half = np.array([channel.half_saturation for channel in channels]) * mean_positive
    slope = np.array([channel.slope for channel in channels])
    unit = Response(weights, half, slope, geo_factor, population, history)
    wanted = np.array([channel.iroas for channel in channels]) * spend.sum(axis=(0, 1))
    factor = wanted / unit.effects(spend).sum(axis=(0, 1))
    return Response(weights, half, slope, geo_factor * factor, population, history)
