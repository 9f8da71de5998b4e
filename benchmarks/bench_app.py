"""The app's pages on a study of 12 channels: server time of every page, first, new and again, and how large it is.

``python benchmarks/bench_app.py [--repeats 5] [--keep DIR] [--write]`` prints a table and writes
``build/benchmarks/app.json``; with ``--write`` also the committed table. ``--keep`` fits the study in DIR once and uses
it again. "First" is the first reading of a page since the study was loaded, which the server does itself when it
starts and when a job has ended; "new" the first after somebody has registered a test; "again" the same page once more.
All are CPU-seconds of the whole answer, guard, page and JSON of its charts, in the process that serves; the floor in
the same run is ``/health``, which passes the same guard and says nothing. The bar is 200 ms for a page that is new.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import tables
import timing
from starlette.testclient import TestClient

from measurement.simulate import national, simulate
from theodolite.app.application import create
from theodolite.app.settings import Settings
from theodolite.app.shell import MENU
from theodolite.study import Study
from theodolite.workspace import Settings as Named
from theodolite.workspace import initialise

BAR = 0.2
SEED = 4
ABOUT = """CPU-milliseconds of every page of the app on a study of 12 channels, 130 weeks, four tests and ten weeks of
journeys (`python benchmarks/bench_app.py --write`). *first* is the first reading since the study was loaded, with all
its charts and, on the plan page, the best split: the server works these out itself when it starts and when a job has
ended, before anybody asks. *new* is the first reading after somebody has registered a test, which changes no number;
the bar is 200. *again* is the same page once more; */health* says nothing and is the floor of the run."""
TOKEN = "only-for-this-benchmark"  # noqa: S105
CHANNELS = (
    *("tv", "radio", "cinema", "outdoor", "print", "video"),
    *("social", "display", "generic_search", "brand_search", "affiliates", "retargeting"),
)


def company(folder: Path) -> Study:
    """Two and a half years of 12 channels, four tests and ten weeks of journeys; fitted, credited, reconciled."""
    world = simulate(national(weeks=130, channels=CHANNELS, seed=SEED, n_tests=4, journey_weeks=10))
    world.write(folder / "tables")
    tables = {name: str(folder / "tables" / name) for name in ("media.csv", "outcome.csv")}
    others = {"touchpoints": str(folder / "tables" / "touchpoints.parquet")}
    named = Named(name="twelve", kpi="revenue", margin=0.5)
    initialise(folder, tables["media.csv"], tables["outcome.csv"], None, others, named)
    study = Study.open(folder)
    study.import_experiments(folder / "tables" / "experiments.json")
    study.fit(seed=1, chains=2, warmup=100, draws=200)
    study.reconcile()
    study.validate(origins=2)
    return study


def pages(study: Study) -> list[str]:
    """Every kind of page, with what the study has most of."""
    (test, *_) = study.registry.list()
    more = [f"/channel?name={study.panel.channels[-1]}", f"/experiment?id={test.experiment_id}", "/plan?share0=150"]
    forms = ["/experiments/register", "/experiments/record", "/experiments/design"]
    shown = ["/experiments?show=list", "/experiments?show=calendar"]
    return [*(path for _, path, _ in MENU), "/next-tests", *more, *shown, *forms]


def read(client: TestClient, path: str) -> int:
    """Read a page until all that it works out is there; returns its size in bytes."""
    answer = client.get(path)
    while b'data-poll="/plan/now' in answer.content:
        time.sleep(0.02)
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    return len(answer.content)


def measured(client: TestClient, study: Study, path: str, repeats: int) -> dict[str, Any]:
    """CPU-seconds of a page, first and the least of it new and again, and its size."""
    first, _ = timing.least(1, lambda: read(client, path))
    new, day = [], str(study.panel.dates[-1])[:10]
    for _ in range(repeats):
        name = f"draft {len(study.store.events())}"
        plan = {"experiment_id": name, "channel": study.panel.channels[0], "method": "on_off"}
        study.registry.register(plan | {"start_date": day, "end_date": "2099-12-31"})
        new.append(timing.least(1, lambda: read(client, path))[0])
    again, size = timing.least(repeats, lambda: read(client, path))
    return {"page": path, "first": first, "new": min(new), "again": again, "bytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        kept = options.keep or Path(made) / "kept"
        if not (kept / "theodolite.toml").exists():
            company(kept)
        folder = Path(shutil.copytree(kept, Path(made) / "served"))  # what is written here is not kept
        study = Study.open(folder)
        app = create(Settings(folder, token=TOKEN), warm=False)
        loading, _ = timing.least(1, app.state.desk.warm)
        client = TestClient(app, base_url="http://127.0.0.1:8765")
        client.headers["authorization"] = f"Bearer {TOKEN}"
        floor, _ = timing.least(options.repeats, lambda: read(client, "/health"))
        rows = [measured(client, study, path, options.repeats) for path in pages(study)]
    print(f"loading the study: {loading:.2f} CPU-s; floor (/health): {1e3 * floor:.1f} ms")
    print(f"{'page':44}{'first, ms':>11}{'new, ms':>10}{'again, ms':>11}{'new / floor':>13}{'kB':>8}")
    for row in rows:
        late = "  over the bar" if row["new"] > BAR else ""
        print(
            f"{row['page']:44}{1e3 * row['first']:11.0f}{1e3 * row['new']:10.0f}{1e3 * row['again']:11.1f}"
            f"{row['new'] / floor:13.0f}{row['bytes'] / 1e3:8.0f}{late}"
        )
    timing.keep("app", {"loading": loading, "floor": floor, "bar": BAR, "pages": rows})
    if options.write:
        rows.append({"page": "/health", "first": floor, "new": floor, "again": floor, "bytes": 0})
        lines = [
            {key: row[key] if key == "page" else round(1e3 * row[key], 1) for key in list(row)[:4]} for row in rows
        ]
        tables.write("app", ABOUT, lines, runs=options.repeats, seed=SEED)


if __name__ == "__main__":
    main()
