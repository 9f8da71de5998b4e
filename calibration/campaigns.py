"""Campaigns below channels: the channel's unified total, split as attribution splits its credit.

Attribution cannot say how much a channel brings, but between campaigns of one channel its bias is much the same, so
that their shares are the best that there is. Its own error goes in by its bootstrap; how far the bias differs between
campaigns is not known and not in the interval.
"""

import numpy as np

from calibration.parts import Campaign
from calibration.quantity import Quantity
from calibration.sources import Attributed
from measurement.panel import Panel
from measurement.typing import Floats


def split(panel: Panel, attributed: Attributed, credited: Floats, withheld: frozenset[str]) -> tuple[Campaign, ...]:
    """Split the channels whose credit is known by campaign.

    Args:
        panel: The study's panel.
        attributed: The credit.
        credited: Unified iROAS over attribution's window, shape (draws, channels).
        withheld: Channels whose numbers are withheld.

    Returns:
        The campaigns in attribution's order; each draw of a channel's values adds up to the channel's own.
    """
    window = panel.window(attributed.start, attributed.end)
    found = []
    for channel, parts in attributed.campaigns.items():
        c = panel.channels.index(channel)
        spend = float(panel.spend[:, window, c].sum())
        total = parts.value.sum(axis=1, keepdims=True)
        if channel in withheld or not spend > 0 or not np.all(total > 0):
            continue
        share = (parts.value / total)[np.resize(np.arange(len(total)), len(credited))]
        value = share * (credited[:, [c]] * spend)
        for i, name in enumerate(parts.names):
            paid = parts.spend.get(name)
            brought = _quantity(value[:, i])
            iroas = _quantity(value[:, i] / paid) if paid else None
            found.append(Campaign(channel, name, _quantity(share[:, i]), brought, paid, iroas))
    return tuple(found)


def _quantity(draws: Floats) -> Quantity:
    low, middle, high = (float(end) for end in np.quantile(draws, [0.05, 0.5, 0.95]))
    return Quantity(middle, low, high)
