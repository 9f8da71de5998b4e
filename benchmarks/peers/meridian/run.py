"""Meridian's mix model of a table, on JAX.

The same forms as ours: geometric carry-over, then Hill; a channel's size in a geo around its own on the log scale;
normal noise; and the same priors on ROI, decay, slope, half-saturation (there in medians of the positive exposures) and
spread between geos. Exposures of zero are made a millionth of the channel's mean, as its gradient with a free slope is
not finite there. The baseline is its own: on geo panels a free effect of every week that geos share; of a national
panel, where it would be a constant, yearly Fourier terms and a linear trend as controls. Priors on both are its own.
"""

import contextlib
import json
import sys
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from meridian import backend
from meridian.data.data_frame_input_data_builder import DataFrameInputDataBuilder
from meridian.model.model import Meridian
from meridian.model.prior_distribution import PriorDistribution
from meridian.model.spec import ModelSpec
from timing import measured

PARAMETERS = {
    "decay": "alpha_m",
    "half_saturation": "ec_m",
    "slope": "slope_m",
    "iroas": "roi_m",
    "geo_spread": "eta_m",
}


def data_of(task: dict[str, Any], table: pd.DataFrame) -> Any:
    columns, names = task["channels"], task["controls"]
    if table["geo"].nunique() > 1:  # what geos share is part of the weeks' free effects
        names = [name for name in names if (table.groupby("date")[name].std() > 1e-9).any()]
    else:
        angle = 2 * np.pi * pd.to_datetime(table["date"]).dt.dayofyear.to_numpy() / 365.25
        waves = {
            f"{wave.__name__}{k}": wave(k * angle) for k in range(1, task["fourier"] + 1) for wave in (np.sin, np.cos)
        }
        table, names = table.assign(**waves), [*names, *waves]
    exposures = {f"{name} exposure": np.maximum(table[name], 1e-6 * table[name].mean()) for name in columns}
    table = table.assign(**exposures)
    made = DataFrameInputDataBuilder(kpi_type="revenue", default_kpi_column="y", default_time_column="date")
    made = made.with_kpi(table).with_population(table)
    if names:
        made = made.with_controls(table, control_cols=names)
    return made.with_media(table, media_cols=list(exposures), media_spend_cols=columns, media_channels=columns).build()


def priors_of(given: dict[str, list[float]]) -> PriorDistribution:
    kind = {"decay": backend.tfd.LogitNormal}
    return PriorDistribution(
        **{
            PARAMETERS[name]: kind.get(name, backend.tfd.LogNormal)(*[backend.np_float_dtype(value) for value in prior])
            for name, prior in given.items()
        }
    )


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    table = pd.read_csv(task["table"])

    def work() -> Any:
        spec = ModelSpec(prior=priors_of(task["priors"]), max_lag=task["lags"] - 1)
        fitted = Meridian(data_of(task, table), spec)
        fitted.sample_posterior(seed=1, **task["length"])
        return fitted.inference_data

    with contextlib.redirect_stdout(sys.stderr):
        figures, found = measured(work)
    kept = ("decay", "half_saturation", "slope", "iroas")
    np.savez(task["draws"], **{name: np.asarray(found.posterior[PARAMETERS[name]]) for name in kept})
    steps = float(found.sample_stats["n_steps"].mean())
    print(json.dumps(figures | {"steps": steps, "version": version("google-meridian")}))


if __name__ == "__main__":
    main()
