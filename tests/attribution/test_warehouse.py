"""Paths from a warehouse: equal to those of the local engine, path by path and count by count."""

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from attribution import Paths, PathSpec, attribute, read_paths
from attribution.findings import Profile
from attribution.warehouse import read_warehouse, warehouse_sql
from measurement.errors import DataError, Problem

ibis = pytest.importorskip("ibis")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ibis, about DuckDB

DAY = 86_400_000_000
SPECS = [
    PathSpec(),
    PathSpec(click_lookback_days=2, impression_lookback_days=0.5, half_life_days=1),
    PathSpec(repeats="collapse", direct="drop_unless_only", unfinished="null"),
    PathSpec(duplicates="keep", bots="drop", bot_touches=6, aliases={"b": "a"}),
    PathSpec(
        start="2024-01-10", end="2024-02-20", click_lookback_days=0.3, impression_lookback_days=3, repeats="collapse"
    ),
    PathSpec(after_conversion="reuse", click_lookback_days=4, impression_lookback_days=0.5, repeats="collapse"),
    PathSpec(
        after_conversion="reuse",
        session_gap_minutes=720,
        conversion_window_days=2,
        direct="drop_unless_only",
        start="2024-01-10",
    ),
    PathSpec(session_gap_minutes=1440, unfinished="null", click_lookback_days=2, impression_lookback_days=4),
]


def log(seed: int, rows: int = 300) -> pd.DataFrame:
    """Random events with ties in time, repeated events, unknown users and gaps beyond every lookback."""
    rng = np.random.default_rng(seed)
    step = rng.choice([3_600, 43_200, 1], rows) * rng.integers(0, 200, rows)
    fine = np.where(rng.random(rows) < 0.3, rng.integers(0, 10**6, rows), 0)
    event = rng.choice(["click", "impression", "conversion"], rows, p=[0.5, 0.3, 0.2])
    sale = event == "conversion"
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.integers(0, rows // 8, rows)],
            "timestamp": np.datetime64("2024-01-01", "us") + (step * 1_000_000 + fine).astype("timedelta64[us]"),
            "channel": np.where(sale, None, rng.choice(["a", "b", "Direct", "d"], rows)),
            "event": event,
            "value": np.where(sale, rng.integers(0, 5, rows).astype(float), np.nan),
        }
    )
    frame = pd.concat([frame, frame.sample(rows // 10, random_state=seed)], ignore_index=True)
    frame.loc[rng.random(len(frame)) < 0.02, "user_id"] = None
    frame.loc[rng.random(len(frame)) < 0.01, "user_id"] = " "
    return frame


def written(frame: pd.DataFrame, folder: Path) -> Path:
    file = folder / "log.parquet"
    frame.to_parquet(file, index=False)
    return file


def assert_equal(local: Paths, far: Paths) -> None:
    assert far.channels == local.channels
    assert far.window == local.window
    for name in ("touches", "offsets", "conversions", "nulls"):
        np.testing.assert_array_equal(getattr(far, name), getattr(local, name), err_msg=name)
    for name in ("value", "decay", "decay_value"):
        np.testing.assert_allclose(getattr(far, name), getattr(local, name), rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(far.no_touch, local.no_touch, rtol=1e-12)
    assert far.counts == local.counts
    assert_users(local, far)
    assert [p.message for p in far.findings] == [p.message for p in local.findings]


def assert_users(local: Paths, far: Paths) -> None:
    """Groups of users add up to the table, and no user is parted: as many users' groups as users, or fewer."""
    if far.users is None:
        return
    of_sales = np.bincount(far.users.sale_path, far.users.sale_conversions, len(far))
    np.testing.assert_array_equal(of_sales, local.conversions)
    np.testing.assert_array_equal(np.bincount(far.users.null_path, minlength=len(far)), local.nulls)
    np.testing.assert_allclose(far.users.no_touch.sum(axis=1), local.no_touch, rtol=1e-12)
    both = set(far.users.sale_group) | set(far.users.null_group)
    assert len(both) <= local.counts["users"]


RICH = PathSpec(grain="campaign", geos=["north", "east"], click_lookback_days=5, repeats="collapse")
PEOPLE = pd.DataFrame({"user_id": ["u1", "u2", "u5", "u9"], "person": ["ann", "ann", "u4", "bob"]})


def rich(seed: int) -> pd.DataFrame:
    """The same with campaigns and geos, some of them blank."""
    rng = np.random.default_rng([seed, 1])
    frame = log(seed)
    touch = frame["event"] != "conversion"
    frame["campaign"] = np.where(touch, rng.choice(["spring", "sale ", "", None], len(frame)), None)
    frame["geo"] = rng.choice(["north", "east", "south", None], len(frame), p=[0.5, 0.3, 0.15, 0.05])
    return frame


@pytest.mark.parametrize("seed", [1, 2])
def test_campaigns_geos_and_identities_are_the_same_on_ibis(seed, tmp_path):
    file, known = written(rich(seed), tmp_path), tmp_path / "people.parquet"
    PEOPLE.to_parquet(known, index=False)
    con = ibis.duckdb.connect()
    local = read_paths(file, RICH, identities=known)
    assert local.counts["mapped_users"] > 0 < local.counts["other_geos"]
    assert any("spring" in name for name in local.channels)
    assert_equal(local, read_warehouse(con.read_parquet(file), RICH, identities=con.read_parquet(known)))


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ibis_on_duckdb_builds_the_same_paths(spec, seed, tmp_path):
    file = written(log(seed), tmp_path)
    far = read_warehouse(ibis.duckdb.connect().read_parquet(file), spec, channels=("a", "b", "Direct"))
    assert_equal(read_paths(file, spec, channels=("a", "b", "Direct")), far)


def test_all_models_run_on_what_comes_back(tmp_path):
    file = written(log(5), tmp_path)
    models = ["first", "linear", "time_decay", "markov:1"]
    near = attribute(read_paths(file), models).to_dict()
    far = attribute(read_warehouse(ibis.duckdb.connect().read_parquet(file)), models).to_dict()
    for model in models:
        for ours, theirs in zip(near["models"][model]["channels"], far["models"][model]["channels"], strict=True):
            assert theirs["channel"] == ours["channel"]
            assert theirs["conversions"]["estimate"] == pytest.approx(ours["conversions"]["estimate"], rel=1e-9)


def test_a_log_without_money(tmp_path):
    file = written(log(6).drop(columns="value"), tmp_path)
    far = read_warehouse(ibis.duckdb.connect().read_parquet(file))
    assert far.value is None
    np.testing.assert_array_equal(far.conversions, read_paths(file).conversions)


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a Spark of one core says of two logs, in a process of its own: a JVM leaves sockets and warnings behind."""
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java 17 or later, and no java was found")
    pytest.importorskip("pyspark")
    script = Path(__file__).with_name("on_spark.py")
    found = {}
    folders = []
    for number in (1, 2, 6):
        folder = tmp_path_factory.mktemp(f"log{number}")
        written(log(10 + number), folder)
        (folder / "spec.json").write_text(json.dumps(SPECS[number].to_dict()), encoding="utf-8")
        folders.append(folder)
    folder = tmp_path_factory.mktemp("rich")
    rich(14).to_parquet(folder / "log.parquet", index=False)
    PEOPLE.to_parquet(folder / "people.parquet", index=False)
    (folder / "spec.json").write_text(json.dumps(RICH.to_dict()), encoding="utf-8")
    folders.append(folder)
    run = [sys.executable, "-W", "ignore", str(script), *map(str, folders)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found["refused"] = done.stdout
    found["paths"] = [
        (
            read_paths(folder / "log.parquet", PathSpec.read(folder / "spec.json"), identities=people(folder)),
            far(folder),
        )
        for folder in folders
    ]
    return found


def people(folder: Path) -> Path | None:
    file = folder / "people.parquet"
    return file if file.exists() else None


def far(folder: Path) -> Paths:
    """The paths that Spark built, from the files that `on_spark.py` wrote."""
    told = json.loads((folder / "paths.json").read_text(encoding="utf-8"))
    with np.load(folder / "paths.npz", allow_pickle=False) as arrays:
        return Paths(
            channels=tuple(told["channels"]),
            no_touch=tuple(told["no_touch"]),
            window=tuple(map(date.fromisoformat, told["window"])),
            counts=told["counts"],
            findings=tuple(Problem(text) for text in told["findings"]),
            **arrays,
        )


def test_spark_builds_the_same_paths(on_spark):
    for local, built in on_spark["paths"]:
        assert len(local) >= 5
        assert_equal(local, built)


def test_a_spark_session_of_another_time_zone_is_refused(on_spark):
    assert "reads timestamps in Europe/Berlin: set spark.sql.session.timeZone to UTC" in on_spark["refused"]


PROFILE = Profile(
    {("a", "click"): (10, 0, 0, 0), ("Direct", "impression"): (5, 0, 0, 0), (None, "conversion"): (3, 3, 2, 0)},
    [(19_700, 18, 19_700 * DAY, 19_700 * DAY + 3_600_000_000)],
)
UNBOUND = {"user_id": "string", "timestamp": "timestamp", "channel": "string", "event": "string", "value": "float64"}


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_the_sql_of_warehouses_keeps_to_what_they_have(dialect):
    import sqlglot
    from sqlglot import exp

    made = warehouse_sql(ibis.table(UNBOUND, name="events"), dialect, PROFILE, SPECS[2])
    assert set(made) == {"paths", "decay", "lone", "counts"}
    for text in made.values():
        tree = sqlglot.parse_one(text, read=dialect)
        assert {table.name for table in tree.find_all(exp.Table) if not table.name.startswith("t")} == {"events"}
        assert not list(tree.find_all(exp.Create, exp.Insert, exp.Delete, exp.Update))
        assert "ASOF" not in text.upper()
        # an aggregate with an order inside is what Spark and BigQuery refuse
        assert not [each for each in tree.find_all(exp.GroupConcat, exp.ArrayAgg) if each.find(exp.Order)]
    assert "ARRAY_TO_STRING" in made["paths"]
    columns = [column.alias_or_name for column in sqlglot.parse_one(made["paths"], read=dialect).selects]
    assert columns == ["path", "group", "conversions", "value", "nulls"]


def broken(change: Any) -> Any:
    frame = log(1)
    change(frame)
    return ibis.memtable(frame)


def _set(column: str, value: Any, which: str) -> Any:
    def change(frame: pd.DataFrame) -> None:
        rows = frame.index[frame["event"] == which][:3]
        frame.loc[rows, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="event", inplace=True), "column 'event': is missing"),
        (lambda f: f.rename(columns={"channel": "chanel"}, inplace=True), "did you mean 'chanel'"),
        (_set("event", "view", "click"), "3 events are none of click, impression, conversion"),
        (_set("channel", " ", "click"), "3 events are blank; every click and impression needs a channel"),
        (_set("value", 2.0, "click"), "3 events have a value and are no conversion"),
        (_set("value", -2.0, "conversion"), "3 events are below 0 or not finite"),
        (_set("value", np.nan, "conversion"), "conversions have no value"),
        (_set("timestamp", pd.NaT, "click"), "3 events are blank"),
        (_set("channel", "(no touch)", "click"), "no channel can be called '(no touch)'"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_a_count(change, words):
    with pytest.raises(DataError) as error:
        read_warehouse(broken(change))
    assert words in str(error.value)


def test_a_column_of_text_is_no_timestamp_and_nothing_is_no_log():
    frame = log(1)
    with pytest.raises(DataError, match="a timestamp is needed: cast it first"):
        read_warehouse(ibis.memtable(frame.assign(timestamp=frame["timestamp"].astype(str))))
    with pytest.raises(DataError, match="the event log is empty"):
        read_warehouse(ibis.memtable(frame.iloc[:0]))
