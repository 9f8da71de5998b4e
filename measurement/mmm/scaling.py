"""Scales: from money, exposure and KPI units to numbers near one, and back.

The model works on ``y[g, t] / (size[g] * outcome)``: per capita where populations are known, otherwise per unit of the
geo's mean outcome, so that geos of any size look alike. Exposure is divided by the same size and then by its mean
positive value. A posterior keeps its scales, so that it can be read on later panels.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from measurement.panel import Panel
from measurement.typing import Floats


@dataclass(frozen=True, eq=False)
class Scales:
    """The scales of a fit.

    Attributes:
        size: Relative size of each geo, mean 1, shape (geos,).
        outcome: KPI units of one scaled unit in a geo of size 1.
        exposure: Exposure units of one scaled unit in a geo of size 1, per channel, shape (channels,).
        exposure_per_money: Mean exposure that one unit of money buys, shape (channels,); 0 where none was spent.
        control_mean: Mean of each control, shape (controls,).
        control_sd: Its standard deviation, shape (controls,).
    """

    size: Floats
    outcome: float
    exposure: Floats
    exposure_per_money: Floats
    control_mean: Floats
    control_sd: Floats

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """The scales of a panel."""
        people = panel.population if panel.population is not None else np.abs(panel.outcome).mean(1)
        size = np.where(people > 0, people, people[people > 0].min()) if panel.population is None else people
        size = np.asarray(size / size.mean(), dtype=np.float64)
        seen = panel.exposure / size[:, None, None]
        exposure = np.array([seen[..., c][seen[..., c] > 0].mean() for c in range(seen.shape[-1])])
        flat = panel.controls.reshape(panel.outcome.size, -1) if panel.control_names else np.zeros((1, 0))
        sd, spend = flat.std(0), panel.spend.sum((0, 1))
        return cls(
            size=size,
            outcome=float(panel.outcome.sum() / (size.sum() * panel.shape[1])),
            exposure=exposure,
            exposure_per_money=panel.exposure.sum((0, 1)) / np.where(spend > 0, spend, np.inf),
            control_mean=flat.mean(0),
            control_sd=np.where(sd > 0, sd, 1.0),
        )

    def scaled_outcome(self, panel: Panel) -> Floats:
        """The KPI on the model's scale, shape (geos, periods)."""
        return panel.outcome / (self.size[:, None] * self.outcome)

    def scaled_exposure(self, exposure: Floats) -> Floats:
        """Exposure of shape (geos, periods, channels) on the model's scale, shape (channels, geos, periods)."""
        return np.ascontiguousarray(np.moveaxis(exposure / (self.size[:, None, None] * self.exposure), -1, 0))
