"""PyMC-Marketing's mix model of a table, by the NUTS of PyMC or of nutpie.

The same forms as ours: geometric carry-over, then Hill; intercepts and yearly Fourier terms of geos around national
ones; controls and a linear trend that geos share; normal noise; a channel's size in a geo around its own on the log
scale. The same priors, brought to its scale, on which a geo's largest value is 1. Only the size has no prior on ROI
but one on the coefficient, of the same width and about the same middle. It has no demand that lasts and that geos
share, no confounding, no spend before the panel and no trend of each geo: where it differs, its model is smaller.
"""

import json
import sys
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from pymc_extras.prior import Prior
from pymc_marketing.mmm import GeometricAdstock, HillSaturation
from pymc_marketing.mmm.mmm import MMM
from pymc_marketing.mmm.scaling import DataDerivedScaling, Scaling
from timing import measured

CHANNEL = "channel"


def model(task: dict[str, Any], table: pd.DataFrame) -> MMM:
    geo = ("geo",) if table["geo"].nunique() > 1 else ()
    peaks = table.groupby("geo")["y"].transform("max")
    one = float((table["y"] / peaks).mean())  # a mean of the KPI on its scale
    per_geo = DataDerivedScaling(method="max", dims=())
    return MMM(
        date_column="date",
        channel_columns=task["channels"],
        control_columns=task["controls"],
        target_column="y",
        dims=geo,
        yearly_seasonality=task["fourier"],
        scaling=Scaling(target=per_geo, channel=per_geo),
        adstock=GeometricAdstock(
            l_max=task["lags"], priors={"alpha": normal(task["priors"]["decay"], CHANNEL, transform="sigmoid")}
        ),
        saturation=HillSaturation(priors=saturation(task["priors"], table, task["channels"], one, geo)),
        model_config={
            "intercept": around((0.8 * one, one), 0.5 * one, (), geo),
            "gamma_control": normal((0.0, 0.15 * one), "control"),
            "gamma_fourier": around((0.0, 0.15 * one), 0.05 * one, ("fourier_mode",), geo),
            "likelihood": Prior("Normal", sigma=Prior("HalfNormal", sigma=0.3 * one), dims=("date", *geo)),
        },
    )


def saturation(
    priors: dict[str, Any], table: pd.DataFrame, channels: list[str], one: float, geo: tuple[str, ...]
) -> dict[str, Prior]:
    """Half-saturation in mean positive exposures, and sizes at which a channel's ROI is that of our prior."""
    exposure = table[channels] / table.groupby("geo")[channels].transform("max")
    typical = exposure.where(exposure > 0).mean().to_numpy()
    half, slope = priors["half_saturation"], priors["slope"]
    relative = (exposure.to_numpy() / (typical * np.exp(half[0]))) ** np.exp(slope[0])
    height = (relative / (1 + relative)).mean(0)
    share = table[channels].sum().to_numpy() / table["y"].sum()
    middle, sd = priors["iroas"][0] + np.log(share * one / height), priors["iroas"][1]
    size = normal((middle, sd), CHANNEL, "LogNormal")
    if geo:
        size = Prior(
            "Normal",
            mu=normal((middle, sd), CHANNEL),
            sigma=normal(priors["geo_spread"], CHANNEL, "LogNormal"),
            dims=(*geo, CHANNEL),
            centered=False,
            transform="exp",
        )
    return {
        "kappa": normal((half[0] + np.log(typical), half[1]), CHANNEL, "LogNormal"),
        "slope": normal(slope, CHANNEL, "LogNormal"),
        "beta": size,
    }


def normal(prior: Any, dims: str | tuple[str, ...], kind: str = "Normal", transform: str | None = None) -> Prior:
    return Prior(kind, mu=prior[0], sigma=prior[1], dims=dims, transform=transform)


def around(national: tuple[float, float], sd: float, dims: tuple[str, ...], geo: tuple[str, ...]) -> Prior:
    """A national coefficient, and on geo panels one of each geo around it."""
    shared = normal(national, dims)
    return Prior("Normal", mu=shared, sigma=sd, dims=(*geo, *dims)) if geo else shared


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    table = pd.read_csv(task["table"], parse_dates=["date"])
    one_geo = table["geo"].nunique() == 1
    given = table.drop(columns=["y", "population", *(["geo"] if one_geo else [])])

    def work() -> Any:
        made = model(task, table)
        made.fit(given, table["y"], nuts_sampler=task["sampler"], random_seed=1, progressbar=False, **task["length"])
        return made.idata

    figures, found = measured(work)
    posterior = found["/posterior"].dataset
    total = posterior["channel_contribution"].sum("date")
    total = (
        total * float(table["y"].max()) if one_geo else (total * table.groupby("geo")["y"].max().to_xarray()).sum("geo")
    )
    spend = table[task["channels"]].sum().to_xarray().rename(index=CHANNEL)
    draws = {
        "decay": posterior["adstock_alpha"],
        "half_saturation": posterior["saturation_kappa"],
        "slope": posterior["saturation_slope"],
        "iroas": total / spend,
    }
    np.savez(
        task["draws"], **{name: np.asarray(each.transpose("chain", "draw", CHANNEL)) for name, each in draws.items()}
    )
    steps = found["/sample_stats"].dataset["n_steps"]
    print(json.dumps(figures | {"steps": float(steps.mean()), "version": version("pymc-marketing")}))


if __name__ == "__main__":
    main()
