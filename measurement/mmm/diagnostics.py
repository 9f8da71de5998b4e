"""The convergence gate: R-hat, bulk effective sample size and divergences, all by ArviZ's definitions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from measurement.typing import Floats

RHAT_LIMIT = 1.01
ESS_LIMIT = 400.0
DIVERGENT_LIMIT = 2 / 1000


@dataclass(frozen=True, slots=True)
class Quantity:
    """Diagnostics of one reported quantity."""

    name: str
    channel: str
    rhat: float
    ess_bulk: float


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Whether a fit may be used, and what it cost.

    A fit is not converged when any reported quantity has R-hat >= 1.01 or bulk-ESS < 400, or more than 2 draws in 1,000
    diverged (Vehtari et al. 2021 for the first two).

    Attributes:
        converged: The verdict.
        rhat: Largest R-hat of the reported quantities.
        ess_bulk: Smallest bulk effective sample size.
        divergences: Number of divergent draws.
        draws: Number of draws.
        steps: Mean leapfrog steps per draw.
        seconds: Wall seconds of the fit.
        compile_seconds: Those spent on compiling.
        quantities: Each reported quantity: iROAS and contribution of every channel.
    """

    converged: bool
    rhat: float
    ess_bulk: float
    divergences: int
    draws: int
    steps: float
    seconds: float
    compile_seconds: float
    quantities: tuple[Quantity, ...]

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the plain form (`dataclasses.asdict`)."""
        return cls(**{**raw, "quantities": tuple(Quantity(**quantity) for quantity in raw["quantities"])})

    @property
    def diverged(self) -> bool:
        """Whether more draws diverged than may."""
        return self.divergences > DIVERGENT_LIMIT * self.draws

    @property
    def reasons(self) -> list[str]:
        """Why it is not converged, in words; empty where it is."""
        found = []
        if not self.rhat < RHAT_LIMIT:
            found.append(f"R-hat is {self.rhat:.3f} (must be below {RHAT_LIMIT})")
        if not self.ess_bulk >= ESS_LIMIT:
            found.append(f"bulk-ESS is {self.ess_bulk:.0f} (must be at least {ESS_LIMIT:.0f})")
        if self.diverged:
            found.append(f"{self.divergences} of {self.draws} draws diverged (at most 2 in 1,000 may)")
        return found


def diagnose(
    reported: Mapping[str, Floats],
    channels: tuple[str, ...],
    divergent: int,
    steps: float,
    seconds: float,
    compile_seconds: float,
    free: Collection[str] = (),
) -> Diagnostics:
    """Diagnose a fit.

    Args:
        reported: Draws of each reported quantity, shape (chains, draws, channels).
        channels: Channel names.
        divergent: Number of divergent draws.
        steps: Mean leapfrog steps.
        seconds: Wall seconds.
        compile_seconds: Those of them spent on compiling.
        free: Channels that cost nothing and so have no iROAS to judge.
    """
    from arviz_stats.base import array_stats

    quantities = []
    for name, draws in reported.items():
        rhats = np.atleast_1d(array_stats.rhat(draws, chain_axis=0, draw_axis=1))
        sizes = np.atleast_1d(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))
        quantities += [
            Quantity(name, channel, float(r), float(e))
            for channel, r, e in zip(channels, rhats, sizes, strict=True)
            if not (name == "iroas" and channel in free)
        ]
    count = int(np.prod(next(iter(reported.values())).shape[:2]))
    worst = max(q.rhat for q in quantities)
    least = min(q.ess_bulk for q in quantities)
    # Written so that a NaN fails the gate.
    good = worst < RHAT_LIMIT and least >= ESS_LIMIT and divergent <= DIVERGENT_LIMIT * count
    return Diagnostics(
        good, worst, least, divergent, count, steps, round(seconds, 3), round(compile_seconds, 3), tuple(quantities)
    )
