"""What PyMC-Marketing's ``MMM.add_lift_test_measurements`` makes of tests that were written for it."""

import json
import sys
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from pymc_marketing.mmm import GeometricAdstock, LogisticSaturation
from pymc_marketing.mmm.mmm import MMM


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    table, names = pd.read_csv(task["table"], parse_dates=["date"]), task["channels"]
    tests = pd.read_csv(task["tests"])
    geos = ("geo",) if table["geo"].nunique() > 1 else ()
    model = MMM(
        date_column="date",
        channel_columns=names,
        target_column="y",
        dims=geos,
        adstock=GeometricAdstock(l_max=8),
        saturation=LogisticSaturation(),
    )
    model.build_model(table[["date", *geos, *names]], table["y"])
    model.add_lift_test_measurements(tests)
    observed = np.concatenate([np.ravel(v.eval()) for rv, v in model.model.rvs_to_values.items() if "lift" in rv.name])
    scale = model.scalers._target
    expected = [
        row.delta_y / float(scale.sel(geo=row.geo) if "geo" in scale.dims else scale) for row in tests.itertuples()
    ]
    logp = float(model.model.compile_logp()(model.model.initial_point()))
    found = {"version": version("pymc-marketing"), "tests": len(tests), "logp": logp}
    found |= {"observed": observed.tolist(), "expected": expected}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
