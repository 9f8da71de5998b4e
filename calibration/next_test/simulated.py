"""A test that has not run, simulated in the model: what it would change, draw by draw and geo by geo.

The treated geos' spend of the test is business as usual times one plus the change, run through the channel's own
carry-over and saturation from where the panel ends; other geos do not matter, since a geo's effect is its own.
"""

from dataclasses import dataclass

import numpy as np

from measurement.mmm import Posterior
from measurement.mmm.counterfactual import channel_effect
from measurement.panel import Panel
from measurement.plan.horizon import following
from measurement.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What a change of spend brings by geo, KPI units, were that geo treated.

    Attributes:
        read_out: During test and cool-down, shape (draws, geos).
        whole: With all that is carried over afterwards, same shape.
    """

    read_out: Floats
    whole: Floats


def changed(
    post: Posterior, panel: Panel, channel: str, usual: Floats, change: float, duration: int, cooldown: int
) -> Change:
    """Simulate a change of a channel's spend in every geo, right after the panel.

    Args:
        post: The fit.
        panel: Its data.
        channel: The channel.
        usual: Money per period of business as usual, shape (geos,), flat over the test: when a test of a channel that
            runs in flights takes place is settled later.
        change: Change as a share of it.
        duration: Periods of changed spend.
        cooldown: Periods read out afterwards.
    """
    post.check(panel)
    c = panel.channels.index(channel)
    reach = post.spec.channels[channel].l_max
    carried = panel.exposure[:, max(0, panel.shape[1] - reach) :]
    ahead = duration + cooldown + reach
    dates = np.concatenate([panel.dates[-carried.shape[1] :], following(panel, ahead)])
    before, size = carried.shape[1], post.scales.size * post.scales.outcome
    read_out = slice(before, before + duration + cooldown)

    def run(factor: float) -> Floats:
        exposure = np.zeros((len(panel.geos), before + ahead, len(panel.channels)))
        exposure[:, :before] = carried
        exposure[:, before:, c] = (usual * post.scales.exposure_per_money[c])[:, None]
        exposure[:, before : before + duration, c] *= factor
        return channel_effect(post, exposure, dates, c, summed)

    def summed(effect: Floats) -> Floats:
        return np.stack([size * effect[..., read_out].sum(-1), size * effect[..., before:].sum(-1)], axis=-1)

    both = run(1.0 + change) - run(1.0)
    return Change(both[..., 0], both[..., 1])
