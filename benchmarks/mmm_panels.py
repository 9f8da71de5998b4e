"""The simulated panels that the benchmarks of the mix model run on, and the same as peers read them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from measurement import Panel, mmm
from measurement.simulate import geo, national, simulate

SIZES = {"national": (1, 208, 8), "geo20": (20, 156, 8), "geo50": (50, 156, 8)}
"""Geos, weeks and channels."""
TREND = 0.5 / 0.15
"""Prior sd of the trend over half the panel against that of a control: so wide a column has the same prior."""


def panel_of(geos: int, weeks: int, channels: int) -> Panel:
    """A simulated panel without lift tests; demand pulls spend, and other demand than the model's terms remains."""
    made = national(weeks, channels) if geos == 1 else geo(geos, weeks, channels, n_tests=0)
    return simulate(made).panel()


def table_of(panel: Panel) -> pd.DataFrame:
    """One row per geo and week; controls standardised, the linear trend as one of them."""
    geos, weeks, _ = panel.shape
    people = panel.outcome.mean(1) if panel.population is None else panel.population
    controls = panel.controls.reshape(geos * weeks, -1)
    controls = (controls - controls.mean(0)) / controls.std(0)
    return pd.DataFrame(
        {
            "geo": np.repeat(panel.geos, weeks),
            "date": np.tile(panel.dates.astype("datetime64[D]").astype(str), geos),
            "y": panel.outcome.ravel(),
            "population": np.repeat(people, weeks),
        }
        | dict(zip(panel.channels, panel.spend.reshape(geos * weeks, -1).T, strict=True))
        | dict(zip(panel.control_names, controls.T, strict=True))
        | {"trend": np.tile(TREND * np.linspace(-1.0, 1.0, weeks), geos)}
    )


def task_of(panel: Panel, table: Path) -> dict[str, Any]:
    """Write the panel to a csv file, and say what else a peer needs: our model's forms and priors."""
    table_of(panel).to_csv(table, index=False)
    spec = mmm.Spec.default(panel)
    channel = spec.channels[panel.channels[0]]  # all alike in this spec
    return {
        "table": str(table),
        "channels": list(panel.channels),
        "controls": [*panel.control_names, "trend"],
        "fourier": spec.fourier_order,
        "lags": channel.l_max,
        "priors": {
            "decay": channel.decay.normal,  # mean and sd of its logit; of the others of the logarithm
            "half_saturation": channel.half_saturation.normal,  # in means of the positive exposures
            "slope": channel.slope.normal,
            "iroas": channel.roi.normal,
            "geo_spread": spec.geo_spread.normal,
        },
    }
