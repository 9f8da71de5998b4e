"""Worlds with known truth: panel, lift tests, platform reports and user journeys from one cause.

``simulate(demo(seed=1))`` gives a `World`: the tables as a company would hold them, and the `Truth` behind them.
The causal story and the conventions stand in ``docs/worlds.md``.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from measurement.simulate.media import Response, adstock, adstock_weights, hill
    from measurement.simulate.presets import demo, geo, national
    from measurement.simulate.settings import ChannelTruth, Touches, TrialPlan, WorldSettings
    from measurement.simulate.truth import Truth
    from measurement.simulate.world import World, simulate

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "media": ["Response", "adstock", "adstock_weights", "hill"],
        "presets": ["demo", "geo", "national"],
        "settings": ["ChannelTruth", "Touches", "TrialPlan", "WorldSettings"],
        "truth": ["Truth"],
        "world": ["World", "simulate"],
    },
)

__all__ = [
    "ChannelTruth",
    "Response",
    "Touches",
    "TrialPlan",
    "Truth",
    "World",
    "WorldSettings",
    "adstock",
    "adstock_weights",
    "demo",
    "geo",
    "hill",
    "national",
    "simulate",
]
