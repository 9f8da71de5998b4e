"""What Meridian's own ``CalibrationBuilder`` makes of tests that were written for it."""

import contextlib
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from meridian.data.data_frame_input_data_builder import DataFrameInputDataBuilder
from meridian.model.calibration.prior_builder import CalibrationBuilder


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    table, names = pd.read_csv(task["table"]), task["channels"]
    arguments = json.loads(Path(task["tests"]).read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(sys.stderr):
        exposures = {f"{name} exposure": table[name] for name in names}
        made = DataFrameInputDataBuilder(kpi_type="revenue", default_kpi_column="y", default_time_column="date")
        made = made.with_kpi(table).with_population(table)
        table = table.assign(**exposures)
        made = made.with_media(table, media_cols=list(exposures), media_spend_cols=names, media_channels=names)
        builder = CalibrationBuilder(made.build())
        for each in arguments:
            builder.with_incrementality_experiment_result(**each)
        prior = builder.build().roi_m
        mean = np.asarray(prior.mean()).ravel()
        sd = np.asarray(prior.stddev()).ravel()
    taken = {each["channel_name"]: len(each["point_estimates"]) for each in arguments}
    found = {name: [float(m), float(s)] for name, m, s in zip(names, mean, sd, strict=True)}
    print(json.dumps({"version": version("google-meridian"), "tests": taken, "roi": found}))


if __name__ == "__main__":
    main()
