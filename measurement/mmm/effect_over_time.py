"""How a fitted channel's effect changed over the panel, by calendar quarter: a table with intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from measurement.estimate import LEVEL, Estimate
from measurement.mmm.counterfactual import effects, iroas
from measurement.mmm.posterior import Posterior
from measurement.mmm.variation import multiplier_at, varying_of
from measurement.panel import Panel
from measurement.typing import Dates, Floats, Json


@dataclass(frozen=True, eq=False)
class EffectOverTime:
    """What each channel's spend brought, quarter by quarter.

    Attributes:
        channels: Channel names.
        quarters: First day of each calendar quarter that the panel has periods of, shape (quarters,).
        relative: The effect of the same spend relative to its average over the panel: 1 throughout where a channel's
            effect does not vary, shape (draws, channels, quarters).
        iroas: The iROAS of the whole panel's spend, had its effect always been that of the quarter, same shape; NaN
            where nothing was spent.
        varying: Names of the channels whose effect varies.
        currency: Of all money.
        converged: Whether the fit behind it may be used.
    """

    channels: tuple[str, ...]
    quarters: Dates
    relative: Floats
    iroas: Floats
    varying: tuple[str, ...]
    currency: str
    converged: bool

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite mmm over-time --json`` prints."""
        days = self.quarters.astype(str).tolist()
        return {
            "converged": self.converged,
            "channels": [
                {
                    "channel": name,
                    "varies": name in self.varying,
                    "quarters": [
                        {"from": day, "relative": self._relative(c, q), "iroas": self._money(c, q)}
                        for q, day in enumerate(days)
                    ],
                }
                for c, name in enumerate(self.channels)
            ],
        }

    def _relative(self, c: int, q: int) -> Json:
        return Estimate.from_draws(self.relative[:, c, q], "of its average").to_dict()

    def _money(self, c: int, q: int) -> Json | None:
        draws = self.iroas[:, c, q]
        if not np.isfinite(draws).all():
            return None
        return Estimate.from_draws(draws, f"{self.currency} per {self.currency}").to_dict()

    def to_frame(self) -> pd.DataFrame:
        """``channel, quarter, relative_low, relative_median, relative_high, iroas_low, ...``; 90 % intervals, tidy."""
        tails = {"low": (1 - LEVEL) / 2, "median": 0.5, "high": (1 + LEVEL) / 2}
        shape = self.relative.shape[1:]
        frame: dict[str, object] = {
            "channel": np.repeat(np.array(self.channels, dtype=object), shape[1]),
            "quarter": np.tile(self.quarters.astype("datetime64[s]"), shape[0]),
        }
        for name, draws in (("relative", self.relative), ("iroas", self.iroas)):
            frame |= {f"{name}_{end}": np.quantile(draws, tail, axis=0).ravel() for end, tail in tails.items()}
        return pd.DataFrame(frame)

    def chart(self) -> Any:
        """The effect by quarter with its interval, one small picture per channel that varies (an Altair chart)."""
        from measurement import charts

        frame = self.to_frame()
        return charts.effect_over_time(frame[frame["channel"].isin(self.varying or self.channels)])


def effect_over_time(post: Posterior, panel: Panel) -> EffectOverTime:
    """How each channel's effect changed over the panel, by calendar quarter.

    A channel's average over the panel is that of its own effects: what it brought by what it would have brought with
    a multiplier of 1.

    Args:
        post: The fit.
        panel: Its data.
    """
    post.check(panel)
    months = panel.dates.astype("datetime64[M]")
    quarter = months - (months.astype(np.int64) % 3).astype("timedelta64[M]")
    quarters, at = np.unique(quarter.astype("datetime64[D]"), return_inverse=True)
    mean = np.eye(len(quarters))[at] / np.bincount(at)  # (periods, quarters)
    by_period = effects(post, panel)
    relative = np.ones((post.size, len(panel.channels), len(quarters)))
    for c in range(len(panel.channels)):
        moved = multiplier_at(post, c, panel.dates)
        if moved is not None:
            average = by_period[:, c].sum(-1) / (by_period[:, c] / moved).sum(-1)
            relative[:, c] = moved @ mean / average[:, None]
    return EffectOverTime(
        channels=panel.channels,
        quarters=quarters,
        relative=relative,
        iroas=iroas(post, panel)[..., None] * relative,
        varying=tuple(panel.channels[c] for c in varying_of(post.spec, panel.channels)),
        currency=panel.currency,
        converged=post.converged,
    )
