"""How long to sample, and how progress is told."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class Sampling(BaseModel):
    """Length of a fit.

    Attributes:
        chains: Independent chains; at least 2, so that they can be compared.
        warmup: Draws per chain that tune the sampler and are thrown away.
        draws: Draws per chain that are kept.
        target_accept: Acceptance that the step size is tuned to; higher means smaller steps and fewer divergences. By
            default 0.75, and 0.9 for counts, whose variance changes with their mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chains: int = Field(default=4, ge=2, le=64)
    warmup: int = Field(default=300, ge=20)
    draws: int = Field(default=500, ge=10)
    target_accept: float | None = Field(default=None, gt=0.5, lt=1.0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fit has come.

    Attributes:
        phase: ``prepare``, ``compile``, ``warm-up`` or ``sample``.
        done: Draws done, over all chains, warm-up included.
        total: Draws to do.
        seconds_left: Estimate of the time left; ``None`` while there is nothing to go by.
    """

    phase: str
    done: int
    total: int
    seconds_left: float | None


ProgressCallback = Callable[[Progress], None]
