"""What the platforms report about themselves: every order that had one of their touches, and then some."""

import numpy as np
import pandas as pd

from measurement.simulate.journeys import ACTIVITY, MOST_RELATIVE_SPEND
from measurement.simulate.settings import ChannelTruth, WorldSettings
from measurement.simulate.streams import stream
from measurement.typing import Dates, Floats


def platform_reports(
    settings: WorldSettings,
    channels: tuple[ChannelTruth, ...],
    dates: Dates,
    revenue: Floats,
    effect: Floats,
    relative: Floats,
) -> pd.DataFrame:
    """Platform-reported conversions and value of the online channels, all geos together.

    A platform claims the orders that its ads caused and those of people who would have bought anyway and met one of
    its ads, ``P(touch) = 1 - (1 + rate / shape) ** -shape`` for touches that are Poisson given a gamma-distributed
    activity; it knows nothing of the other channels' touches. The result is inflated by its ``overclaim``.

    Args:
        settings: The world's settings.
        channels: The channels in the world's order.
        dates: First day of each week, shape (weeks,).
        revenue: Shape (geos, weeks).
        effect: Revenue caused, shape (geos, weeks, channels).
        relative: Spend per person relative to the channel's mean positive one, same shape.
    """
    rng = stream(settings.seed, "platform")
    online = [j for j, channel in enumerate(channels) if channel.touches]
    reached = effect[..., online].sum(axis=-1)
    rows = []
    for i, channel in enumerate(channels):
        noise = rng.lognormal(0.0, 0.06, len(dates))
        if channel.touches is None:
            continue
        rate = channel.touches.on_orders * np.minimum(relative[..., i], MOST_RELATIVE_SPEND)
        anyone, active = (1.0 - (1.0 + rate / ACTIVITY) ** -shape for shape in (ACTIVITY, ACTIVITY + 1.0))
        own = effect[..., i]
        met = own + (reached - own) * active + (revenue - reached) * anyone
        claimed = met.sum(axis=0) * channel.touches.overclaim * noise
        conversions = np.rint(claimed / settings.order_value)
        value = np.round(conversions * settings.order_value, 2)
        rows.append(pd.DataFrame({"date": dates, "channel": channel.name, "conversions": conversions, "value": value}))
    if not rows:
        return pd.DataFrame({"date": dates[:0], "channel": pd.array([], dtype="str"), "conversions": [], "value": []})
    frame = pd.concat(rows, ignore_index=True).astype({"conversions": "int64"})
    return frame.sort_values(["date", "channel"], ignore_index=True)
