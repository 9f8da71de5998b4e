"""Everything that the tests of the pages put in place of the real thing; the commands themselves are never changed.

- The demo's company with twelve of its sixteen markets and six weeks of journeys stands in for the whole one.
- A fit has 2 chains of 50 draws and the seed 7, and the same model of the same data and tests is fitted once only: the
  same seed gives the same answer. What blocks do is tried here, not what their numbers are.
- A served workspace is built, bound and let go: `tests/app` asks real servers.
- What nobody has here (BigQuery, a Spark cluster, MLflow's server, Docker) is played by what is named below.
"""

import itertools
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import calibration.calibrated_fit
import measurement.simulate
from measurement.mmm import Sampling
from measurement.simulate import demo, simulate
from theodolite import Study
from theodolite import demo as whole
from theodolite.workspace import write_new

FEW = Sampling(chains=2, warmup=50, draws=50)
SEED = 7
CONTROLS = ("price_index", "retail_peak")
BASE = "http://127.0.0.1:8765"
LEFT_OUT = {"Rheinland-Pfalz", "Schleswig-Holstein", "Mecklenburg-Vorpommern", "Saarland"}
whole_company = demo
real_fit = calibration.calibrated_fit.fit
fits: dict[tuple[object, ...], Any] = {}


def small_company(seed: int = SEED) -> Any:
    """The settings of the demo's company, made smaller."""
    full = whole_company(seed=seed)
    people = {geo: n for geo, n in zip(full.geos, full.population, strict=True) if geo not in LEFT_OUT}
    return replace(full, geos=tuple(people), population=tuple(people.values()), journey_weeks=6)


def few_draws(panel: Any, spec: Any = None, lifts: Any = (), **settings: Any) -> Any:
    """A fit as `measurement.mmm.fit` makes it, of few draws, and made once."""
    key = (panel.sha256, repr(spec), repr(tuple(lifts)), repr(tuple(settings.get("held_back", ()))))
    if key not in fits:
        asked = {**settings, "seed": SEED, "sampling": FEW, "begin_from": None}
        fits[key] = real_fit(panel, spec, lifts, **asked)
    return fits[key]


def company(folder: Path) -> Path:
    """Make the company's workspace: fitted, attributed and reconciled, as `make demo` leaves it."""
    world = simulate(small_company())
    world.write(folder)
    write_new(folder, whole._configuration(world))
    study = Study.open(folder)
    study.import_experiments(folder / "experiments.json")
    study.fit(seed=SEED)
    study.attribute(models=["last", "linear", "markov:1"], seed=SEED)
    study.reconcile(seed=SEED)
    return folder


def put_in_place(patch: pytest.MonkeyPatch) -> None:
    """Put all stand-ins of Python in place."""
    import uvicorn

    patch.setattr(calibration.calibrated_fit, "fit", few_draws)
    patch.setattr(measurement.simulate, "demo", small_company)
    patch.setattr(uvicorn.Server, "run", lambda self, sockets: [each.close() for each in sockets])
    patch.setattr("webbrowser.open", lambda address: True)


# What a page says that its reader has, by page: written into the folder before its first block runs.


def us_cities(folder: Path) -> None:
    """Daily sales and money of 24 American cities, 120 days: names and shape are those of GeoLift's walkthrough."""
    import numpy as np
    import pandas as pd

    names = ["chicago", "portland", "new york", "los angeles", "oakland", "san francisco", "denver", "phoenix"]
    names += [f"city {i:02d}" for i in range(24 - len(names))]
    rng, days = np.random.default_rng(1), pd.date_range("2021-01-01", periods=120)
    size = 100 * np.linspace(3, 1, len(names))[:, None]
    sales = size * (1 + 0.1 * np.sin(np.arange(120) * 2 * np.pi / 7)) * (1 + 0.02 * rng.normal(size=(len(names), 120)))
    spent = size * np.ones(120)
    index = pd.MultiIndex.from_product([names, days.strftime("%Y-%m-%d")], names=["geo", "date"])
    region = ["east" if i % 2 else "west" for i in range(len(names)) for _ in days]
    frame = pd.DataFrame({"sales": sales.ravel().round(2), "region": region}, index=index).reset_index()
    frame[["date", "geo", "sales"]].to_csv(folder / "sales.csv", index=False)
    frame[["geo", "region"]].drop_duplicates().to_csv(folder / "regions.csv", index=False)
    media = pd.DataFrame({"channel": "tv", "spend": spent.ravel().round(2)}, index=index).reset_index()
    media.to_csv(folder / "media.csv", index=False)


def users(folder: Path) -> None:
    """A conversion lift on users, and its record."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(2)
    arm = np.where(rng.random(4_000) < 0.5, "treatment", "control")
    spent = rng.exponential(20.0, 4_000) * (rng.random(4_000) < np.where(arm == "treatment", 0.3, 0.2))
    table = pd.DataFrame({"user_id": np.arange(4_000), "arm": arm, "revenue": spent.round(2)})
    table.to_csv(folder / "users.csv", index=False)
    record = {"experiment_id": "lift", "channel": "social", "method": "conversion_lift"}
    record |= {"start_date": "2024-06-03", "end_date": "2024-06-16", "spend_delta": 900.0}
    (folder / "lift.json").write_text(json.dumps(record), "utf-8")


def sales(folder: Path, made: Path) -> None:
    """The company's sales alone."""
    import pandas as pd

    pd.read_csv(made / "outcome.csv")[["date", "geo", "revenue"]].to_csv(folder / "sales.csv", index=False)


def exchanged(folder: Path) -> None:
    """Results as Robyn and GeoLift write them; the reader stands in the workspace."""
    robyn = "channel,liftStartDate,liftEndDate,liftAbs,spend,confidence,metric,calibration_scope\n"
    robyn += "tv,2025-03-03,2025-03-30,120000,90000,0.9,revenue,immediate\n"
    (folder / "lift.csv").write_text(robyn, "utf-8")
    geolift = "ATT,Perc.Lift,pvalue,Lower.Conf.Int,Upper.Conf.Int,incremental,locations\n"
    geolift += '1500,5.4,0.01,1000,2000,12000,"Bayern, Nordrhein-Westfalen"\n'
    (folder / "geolift.csv").write_text(geolift, "utf-8")


def journeys(folder: Path, made: Path) -> None:
    """A log, the same as a table of a DuckDB file and as two days' files, its spend, and aggregated paths."""
    import duckdb

    shutil.copy(made / "touchpoints.parquet", folder / "journeys.parquet")
    shutil.copy(made / "media.csv", folder / "spend.csv")
    rows = (
        "path,conversions,value,nulls\nsocial > brand_search,40,2000,300\nvideo,12,700,500\nbrand_search,80,4100,200\n"
    )
    (folder / "paths.csv").write_text(rows, "utf-8")
    (folder / "logs").mkdir()
    with duckdb.connect(folder / "warehouse.duckdb") as connection:
        log = f"FROM '{folder / 'journeys.parquet'}'"
        connection.execute(f"CREATE TABLE journeys AS {log}")
        (middle,) = connection.execute(f"SELECT median(timestamp) {log}").fetchone() or (None,)
        for day, side in enumerate(("<", ">=")):
            place = folder / "logs" / f"2024-05-0{day + 1}.parquet"
            when = f"timestamp {side} TIMESTAMP '{middle}'"
            connection.execute(f"COPY (SELECT * {log} WHERE {when}) TO '{place}' (FORMAT parquet)")


def tables(folder: Path, made: Path) -> None:
    """The tables of a company that has no workspace yet."""
    for name in ("media.csv", "outcome.csv"):
        shutil.copy(made / name, folder / name)
    shutil.copy(made / "experiments.json", folder / "tests.json")


def ahead(folder: Path, made: Path) -> None:
    """A plan of the next quarter and its prices."""
    import pandas as pd

    media, outcome = (
        pd.read_csv(made / "media.csv", parse_dates=["date"]),
        pd.read_csv(made / "outcome.csv", parse_dates=["date"]),
    )
    year = pd.Timedelta(weeks=52)
    begin = media["date"].max() + pd.Timedelta(weeks=1)
    later = media.assign(date=media["date"] + year)
    later = later[(later["date"] >= begin) & (later["date"] < begin + pd.Timedelta(weeks=13))]
    later.groupby(["date", "channel"], as_index=False)["spend"].sum().to_csv(folder / "plan.csv", index=False)
    prices = outcome.assign(date=outcome["date"] + year)[["date", "geo", "price_index"]]
    prices[(prices["date"] >= begin) & (prices["date"] < begin + pd.Timedelta(weeks=13))].to_csv(
        folder / "prices.csv", index=False
    )


def reader_has(page: str, folder: Path, made: Path) -> None:
    """Write what the page says that its reader has."""
    if page == "docs/plan-a-test.md":
        us_cities(folder)
    if page == "docs/analyse-a-test.md":
        users(folder)
        went_dark(folder / "acme" / "media.csv", ("Hamburg", "Bremen"), "2025-04-07", "2025-05-04")
        shutil.copy(folder / "acme" / "media.csv", folder / "media.csv")
        sales(folder, made)
    if page == "docs/reference/api.md":
        shutil.copytree(made, folder / "acme")
    if page in {"docs/read-attribution.md", "docs/paths.md", "docs/warehouse.md"}:
        journeys(folder, made)
    if page == "README.md":
        tables(folder, made)
    if page in {"docs/plan-a-budget.md", "docs/plan-of-record.md"}:
        ahead(folder, made)
    if page in {"docs/exchange-tests.md", "docs/keep-a-study-safe.md"}:
        shutil.copytree(made, folder, dirs_exist_ok=True)
    if page == "docs/exchange-tests.md":
        exchanged(folder)


KNOWN = {"http://localhost:5000": "sqlite:///runs.db", "/srv/acme": "acme", "/study": "acme"}
"""Words of commands that are known only where they are typed, and what stands here for them."""


def words(given: list[str]) -> list[str]:
    """The words of a command as they are typed here."""
    return [KNOWN.get(word, word) for word in given]


def beforehand(line: str) -> None:
    """Do what the page says that has happened before a command is typed."""
    if "--against" in line:
        weeks_come(Path("acme"))
    if line.startswith("theodolite experiments start tv-north"):
        (test,) = (test for test in Study.open("acme").registry.list() if test.experiment_id == "tv-north")
        planned = test.plan.experiment
        went_dark(Path("acme/media.csv"), planned.treatment_geos, str(planned.start_date), str(planned.end_date))
    if " keys revoke " in line:
        KNOWN["1a2b3c4d"] = Study.open("acme").keys.listed()[0].id
    if " --head " in line:
        KNOWN["3f9c2b7a1d04"] = Study.open("acme").store.head().hash[:12]
    if line.startswith("theodolite mmm fit") and (Path("acme") / "theodolite.toml").is_file():
        open_once(Path("acme") / "theodolite.toml")


def open_once(file: Path) -> None:
    """Say of each channel whether its spend follows demand, and name the controls, as the page asks its reader to."""
    world = small_company()
    named = f"controls = {json.dumps(list(CONTROLS))}\n"
    if named not in file.read_text("utf-8"):
        file.write_text(re.sub("# controls = .*\n", named, file.read_text("utf-8")), "utf-8")
    for channel in world.channels:
        told = re.compile(rf"(\[channels\.{channel.name}\]\ndemand_driven = )\"\w+\"")
        file.write_text(told.sub(rf'\1"{channel.demand_driven}"', file.read_text("utf-8")), "utf-8")


def weeks_come(folder: Path) -> None:
    """Add four weeks to a workspace's tables, as those of a year before."""
    import pandas as pd

    for name in ("media.csv", "outcome.csv"):
        table = pd.read_csv(folder / name)
        if table["date"].max() < "2025-07":
            year = pd.to_datetime(table["date"]) + pd.Timedelta(weeks=52)
            later = table.assign(date=year.dt.strftime("%Y-%m-%d"))
            later = later[(later["date"] > table["date"].max()) & (later["date"] < "2025-07-28")]
            pd.concat([table, later]).to_csv(folder / name, index=False)


def went_dark(table: Path, geos: Sequence[str], start: str, end: str) -> None:
    """Take the money of television out of the media table where and while a test stopped it."""
    import pandas as pd

    media = pd.read_csv(table)
    dark = media["geo"].isin(geos) & (media["channel"] == "tv") & media["date"].between(start, end)
    assert dark.any()
    media.loc[dark, "spend"] = 0.0
    media.to_csv(table, index=False)


def ask(given: list[str], block: object) -> None:
    """Send what a line of curl sends, to the workspace's app."""
    from starlette.testclient import TestClient

    from theodolite.app.application import create
    from theodolite.app.settings import Settings

    headers = dict(
        text.replace("$KEY", "token").split(": ") for flag, text in itertools.pairwise(given) if flag == "-H"
    )
    body = given[given.index("-d") + 1] if "-d" in given else None
    address = given[-1]
    with TestClient(create(Settings(Path("acme"), token="token"), warm=False), base_url=BASE) as client:  # noqa: S106
        answer = client.request("GET" if body is None else "POST", address, headers=headers, content=body)
        assert answer.status_code < 300, f"{block}: {answer.status_code} {answer.text}"


def own_database(server: str) -> str:
    """A database that no other test writes to, on the server of the tests."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS docs")
        connection.execute("CREATE DATABASE docs")
    return make_conninfo(server, dbname="docs")


def on_the_server(text: str) -> None:
    """Run SQL on the team's server, as whoever administers it."""
    import psycopg

    with psycopg.connect(KNOWN["host=db.example.org dbname=measurement"]) as connection:
        connection.execute("CREATE ROLE analysts")
        connection.execute(text.encode())
        connection.rollback()


class Warehouse:
    """A connection to a warehouse, a Spark session and its builder in one: the log, under the warehouse's names."""

    def __init__(self, log: Path) -> None:
        import ibis

        self.log = ibis.duckdb.connect().read_parquet(log)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self

    @property
    def builder(self) -> "Warehouse":
        return self

    def table(self, name: str) -> Any:
        return self.log.mutate(visitor="user_id", event_time="timestamp", source_medium="channel", kind="event").mutate(
            revenue="value"
        )

    def sql(self, text: str) -> Any:
        return self.log


def names(page: str, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, object]:
    """Names that a page's Python takes for known."""
    if page == "docs/exchange-tests.md":
        return {"CalibrationBuilder": Builder, "input_data": None}
    if page == "docs/warehouse.md":
        import ibis

        here = Warehouse(folder / "journeys.parquet")
        patch.setitem(vars(ibis), "bigquery", here)
        patch.setitem(vars(ibis), "pyspark", here)
        return {"SparkSession": here}
    return {}


class Builder:
    """Meridian's builder of priors from tests: takes what it takes."""

    def __init__(self, data: object) -> None:
        del data

    def with_incrementality_experiment_result(self, *, channel_name: str, **arguments: object) -> None:
        assert channel_name
        assert {"point_estimates", "experiment_total_spends"} <= set(arguments)
