"""What the data taught: each channel's parameters before and after, from the prior's draws and the posterior's.

Everything is compared on the logarithm (every parameter here is positive): how much narrower it became (contraction,
one less the ratio of the standard deviations), and how far its centre moved, in standard deviations of the prior. A
contraction near 0 means that the printed interval is the prior's; a long way means that data and prior disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from measurement.estimate import Estimate
from measurement.mmm.counterfactual import half_life
from measurement.mmm.posterior import Posterior
from measurement.mmm.prior import prior
from measurement.mmm.transforms import WITH_HALF, WITH_SLOPE
from measurement.panel import Panel
from measurement.typing import Floats, Json

NOTHING, LITTLE = 0.1, 0.35
"""Contraction up to which the data taught nothing, and little."""
FAR = 2.5
"""Movement, in standard deviations of the prior, from which data and prior disagree."""
DRAWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """One parameter of one channel before and after the data.

    Attributes:
        channel: The channel.
        parameter: ``ROI`` (``contribution`` for an organic channel), ``half-life``, ``half-saturation``, ``steepness``.
        prior: Before, in its own unit.
        posterior: After.
        contraction: One less posterior sd over prior sd, of the logarithm; below 0 where it became wider.
        moved: Change of the logarithm's mean, in prior standard deviations.
    """

    channel: str
    parameter: str
    prior: Estimate
    posterior: Estimate
    contraction: float
    moved: float

    @property
    def verdict(self) -> str:
        """``nothing``, ``little`` or ``much``: what the data taught about it."""
        return "nothing" if self.contraction <= NOTHING else "little" if self.contraction <= LITTLE else "much"

    @property
    def words(self) -> str:
        """The same as a sentence."""
        name = f"{self.parameter} of '{self.channel}'"
        if abs(self.moved) >= FAR:
            way = "above" if self.moved > 0 else "below"
            return f"the data put the {name} {abs(self.moved):.1f} prior standard deviations {way} what was believed"
        if self.verdict == "nothing":
            return f"the data taught nothing about the {name}: its interval is the prior's"
        if self.verdict == "little":
            return f"the data taught little about the {name}: its interval is {self.contraction:.0%} narrower"
        return f"the data made the {name} {self.contraction:.0%} surer"

    def to_dict(self) -> Json:
        """As plain values."""
        return {
            "channel": self.channel,
            "parameter": self.parameter,
            "prior": self.prior.to_dict(),
            "posterior": self.posterior.to_dict(),
            "contraction": self.contraction,
            "moved": self.moved,
            "taught": self.verdict,
        }


def shifts(post: Posterior, panel: Panel, *, draws: int = DRAWS, seed: int = 0) -> tuple[Shift, ...]:
    """Compare every channel's parameters with their priors.

    Args:
        post: The fit.
        panel: Its panel.
        draws: Draws of the prior.
        seed: Seed of the prior's draws.
    """
    before, after = _parameters(prior(panel, post.spec, draws=draws, seed=seed), panel), _parameters(post, panel)
    found = []
    for c, channel in enumerate(panel.channels):
        for name, (values, unit) in after.items():
            first, last = before[name][0][:, c], values[:, c]
            if not (np.isfinite(first).all() and np.isfinite(last).all() and np.log(first).std() > 1e-9):
                continue
            sd, centre = np.log(first).std(), np.log(first).mean()
            found.append(
                Shift(
                    channel=channel,
                    parameter=name,
                    prior=Estimate.from_draws(first, unit),
                    posterior=Estimate.from_draws(last, unit),
                    contraction=float(1.0 - np.log(last).std() / sd),
                    moved=float((np.log(last).mean() - centre) / sd),
                )
            )
    return tuple(found)


def _parameters(post: Posterior, panel: Panel) -> Mapping[str, tuple[Floats, str]]:
    """Draws of each parameter by channel and its unit; NaN where a channel has no such parameter."""
    spec = [post.spec.channels[name] for name in post.channels]
    organic = np.array([own.organic for own in spec])
    curved = np.array([own.saturation in WITH_HALF for own in spec])
    sloped = np.array([own.saturation in WITH_SLOPE for own in spec])
    carried = np.array([own.adstock != "none" for own in spec])
    return {
        "ROI": (np.where(organic, np.nan, post.draws["iroas"]), f"{panel.currency} per {panel.currency}"),
        "contribution": (np.where(organic, post.draws["contribution"], np.nan), panel.kpi),
        "half-life": (np.where(carried, half_life(post), np.nan), f"{panel.period}s"),
        "half-saturation": (_or_nan(post, "half_saturation", curved), "mean positive exposures"),
        "steepness": (_or_nan(post, "slope", sloped), "exponent"),
    }


def _or_nan(post: Posterior, name: str, has: Floats) -> Floats:
    shape = post.draws["iroas"].shape
    return np.where(has, np.broadcast_to(post.draws.get(name, np.nan), shape), np.nan)
