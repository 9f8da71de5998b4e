"""Truth: what a world's tables do not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from measurement.errors import DataError, did_you_mean, shown
from measurement.simulate.media import Response
from measurement.simulate.settings import ChannelTruth
from measurement.typing import Dates, Floats, Json

MARGINAL_STEP = 0.01
CONVENTION = (
    "contribution: revenue of the panel's weeks that would be missing had the channel spent nothing in all of them "
    "(carry-over that lands after the last week is not counted, carry-over of earlier spend belongs to the baseline); "
    "iroas: contribution / spend; mroas: extra revenue / extra spend when all of its spend rises by 1 %; "
    "test_effects: revenue with the test minus without it, over its geos from start to the end of its cool-down"
)


@dataclass(frozen=True, eq=False)
class Truth:
    """The known truth. Axes are those of ``World.panel()``: geos and channels in the order of their names.

    Attributes:
        dates: First day of each week, shape (weeks,).
        geos: Geo names.
        channels: Channel names.
        settings: The channels' settings, in the order of ``channels``.
        spend: Money spent, tests included, shape (geos, weeks, channels).
        usual_spend: Money that would have been spent without tests, same shape.
        effect: Revenue that spend caused, where it landed, same shape.
        baseline: Revenue without the panel's advertising, shape (geos, weeks).
        expected_baseline: The part of it that level, trend, season and controls explain, same shape.
        demand: Latent demand in standard deviations, same shape.
        response: How spend becomes revenue; ``response.effects(spend)`` answers any what-if.
        test_effects: True outcome change of each test, by experiment id.
        orders: Orders of the journeys by what caused them: a channel or ``"baseline"``; empty without journeys.
    """

    dates: Dates
    geos: tuple[str, ...]
    channels: tuple[str, ...]
    settings: tuple[ChannelTruth, ...]
    spend: Floats
    usual_spend: Floats
    effect: Floats
    baseline: Floats
    expected_baseline: Floats
    demand: Floats
    response: Response
    test_effects: Mapping[str, float]
    orders: Mapping[str, int]

    @property
    def contribution(self) -> dict[str, float]:
        """Incremental revenue of each channel over the panel."""
        return self._named(self.effect.sum(axis=(0, 1)))

    @property
    def total_spend(self) -> dict[str, float]:
        """Spend of each channel over the panel."""
        return self._named(self.spend.sum(axis=(0, 1)))

    @property
    def iroas(self) -> dict[str, float]:
        """Contribution / spend of each channel over the panel."""
        return self._named(self.effect.sum(axis=(0, 1)) / self.spend.sum(axis=(0, 1)))

    @property
    def mroas(self) -> dict[str, float]:
        """Extra revenue / extra spend when all of a channel's spend rises by 1 %."""
        more = self.response.effects(self.spend * (1.0 + MARGINAL_STEP)) - self.effect
        return self._named(more.sum(axis=(0, 1)) / (MARGINAL_STEP * self.spend.sum(axis=(0, 1))))

    @property
    def outcome(self) -> Floats:
        """The revenue of the outcome table but for rounding to cents, shape (geos, weeks)."""
        return np.asarray(self.baseline + self.effect.sum(axis=-1))

    def increment(self, channel: str, start: date | str | None = None, end: date | str | None = None) -> float:
        """Revenue that the channel's spend in a window caused, wherever in the panel it landed.

        Args:
            channel: A channel name.
            start: First day of the window; the panel's first by default.
            end: Its last day; the panel's last by default.
        """
        return float(self.increments(channel, start, end).sum())

    def increments(self, channel: str, start: date | str | None = None, end: date | str | None = None) -> Floats:
        """`increment` by geo and week, shape (geos, weeks)."""
        if channel not in self.channels:
            raise DataError(f"unknown channel '{shown(channel)}'{did_you_mean(channel, self.channels)}")
        place = self.channels.index(channel)
        inside = np.ones(len(self.dates), dtype=np.bool_)
        if start is not None:
            inside &= self.dates >= np.datetime64(start, "D")
        if end is not None:
            inside &= self.dates <= np.datetime64(end, "D")
        without = self.spend.copy()
        without[:, inside, place] = 0.0
        return np.asarray((self.effect - self.response.effects(without))[:, :, place])

    def to_dict(self) -> Json:
        """As plain JSON values, without the arrays by geo and week."""
        revenue = float(self.outcome.sum())
        spend, contribution, iroas, mroas = self.total_spend, self.contribution, self.iroas, self.mroas
        channels = {
            channel.name: {
                "spend": spend[channel.name],
                "contribution": contribution[channel.name],
                "contribution_share": contribution[channel.name] / revenue,
                "iroas": iroas[channel.name],
                "mroas": mroas[channel.name],
                "demand_driven": channel.demand_driven,
                "offline": channel.touches is None,
                "adstock": {"decay": channel.decay, "peak": channel.peak, "l_max": channel.l_max},
                "saturation": {
                    "kind": "hill",
                    "half_saturation": float(self.response.half_saturation[i]),
                    "slope": float(self.response.slope[i]),
                },
            }
            for i, channel in enumerate(self.settings)
        }
        return {
            "convention": CONVENTION,
            "revenue": revenue,
            "baseline": float(self.baseline.sum()),
            "channels": channels,
            "test_effects": dict(self.test_effects),
            "orders": dict(self.orders),
        }

    def _named(self, values: Sequence[float] | Floats) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.channels, values, strict=True)}
