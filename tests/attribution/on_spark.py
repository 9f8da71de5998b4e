"""Build the paths of logs on a local Spark and write them down: run by `test_warehouse.py`, a folder per log."""

import json
import sys
from pathlib import Path

import ibis
import numpy as np
from pyspark.sql import SparkSession

from attribution import PathSpec
from attribution.warehouse import read_warehouse
from measurement.errors import DataError

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
ARRAYS = ("touches", "offsets", "conversions", "nulls", "value", "decay", "decay_value")


def main() -> None:
    builder = SparkSession.builder.master("local[1]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    spark = ibis.pyspark.connect(session)
    for folder in map(Path, sys.argv[1:]):
        people = folder / "people.parquet"
        identities = spark.read_parquet(people) if people.exists() else None
        spec = PathSpec.read(folder / "spec.json")
        paths = read_warehouse(spark.read_parquet(folder / "log.parquet"), spec, identities=identities)
        np.savez(folder / "paths.npz", **{name: getattr(paths, name) for name in ARRAYS})
        told = {
            "channels": paths.channels,
            "no_touch": paths.no_touch,
            "window": [day.isoformat() for day in paths.window],
            "counts": dict(paths.counts),
            "findings": [problem.message for problem in paths.findings],
        }
        (folder / "paths.json").write_text(json.dumps(told), encoding="utf-8")
    session.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    try:
        read_warehouse(spark.read_parquet(Path(sys.argv[1]) / "log.parquet"))
    except DataError as error:
        print(error)
    session.stop()


if __name__ == "__main__":
    main()
