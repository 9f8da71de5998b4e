"""Attribution on a synthetic event log: CPU-seconds, and ratios to DuckDB's own per-user ``list()`` in the same run.

``python benchmarks/bench_attribution.py [--touches 3000000] [--channels 10] [--repeats 3]`` prints a table and writes
``build/benchmarks/attribution.json``. Every figure is the least of the repeats: other work on a shared machine only
adds to it.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from attribution import MODELS, attribute, read_paths

RESULTS = Path(__file__).parents[1] / "build" / "benchmarks" / "attribution.json"
TARGETS = {"paths": 2.5, "rules": 0.3, **{f"markov:{k}": 0.3 for k in range(1, 5)}, "shapley": 0.02}
"""CPU-seconds at 3 million touches."""
DAYS = 180
BATCH = 2_000_000


def write_log(place: Path, touches: int, channels: int, seed: int = 0) -> None:
    """Visits of one to several touches by users of very different eagerness; rows in no order."""
    random = np.random.default_rng(seed)
    users = touches // 5
    names = pa.array([f"channel {i:03d}" for i in range(channels)])
    weights = np.arange(1, channels + 1) ** -0.7
    schema = pa.schema(
        [
            ("user_id", pa.string()),
            ("timestamp", pa.timestamp("us")),
            ("channel", pa.string()),
            ("event", pa.string()),
            ("value", pa.float64()),
        ]
    )
    with parquet.ParquetWriter(place, schema) as writer:
        for first in range(0, touches, BATCH):
            size = min(BATCH, touches - first)
            user = (users * random.random(size + size // 30) ** 1.5).astype(np.int64)
            home = (user * 2_654_435_761 % (DAYS * 86_400)).astype(np.int64)
            spread = random.exponential(6 * 86_400, len(user)).astype(np.int64)
            second = np.minimum(home + spread, DAYS * 86_400 - 1)
            converts = np.arange(len(user)) >= size
            order = random.permutation(len(user))
            channel = names.take(pa.array(random.choice(channels, len(user), p=weights / weights.sum())))
            kind = np.where(converts, "conversion", np.where(random.random(len(user)) < 0.4, "click", "impression"))
            table = pa.table(
                [
                    pa.array(np.char.add("user-", np.char.zfill(user[order].astype(str), 12))),
                    pa.array((np.datetime64("2024-01-01", "s") + second[order]).astype("datetime64[us]")),
                    pa.array(np.where(converts, None, channel.to_numpy(zero_copy_only=False))[order], pa.string()),
                    pa.array(kind[order]),
                    pa.array(random.gamma(2, 30, len(user)).round(2)[order], mask=~converts[order]),
                ],
                schema=schema,
            )
            writer.write_table(table)


def per_user_list(place: Path) -> int:
    """The floor: every user's times as one list, drained."""
    with duckdb.connect() as connection:
        log = connection.read_parquet(str(place))
        log.create_view("log")
        lists = connection.sql("SELECT list(epoch_us(timestamp)) AS times FROM log GROUP BY user_id")
        return sum(batch.num_rows for batch in lists.to_arrow_reader(1 << 17))


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, float, Any]:
    """Least CPU-seconds (all threads) and least wall seconds of some runs, and the last result."""
    cpu, wall, result = [], [], None
    for _ in range(repeats):
        before, start = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - before)
        wall.append(time.perf_counter() - start)
    return min(cpu), min(wall), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--touches", type=int, default=3_000_000)
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        write_log(log, asked.touches, asked.channels)
        floor, floor_wall, users = timed(lambda: per_user_list(log), asked.repeats)
        figures = {"list() per user": (floor, floor_wall)}
        *figures["paths"], paths = timed(lambda: read_paths(log), asked.repeats)
    rules = ["first", "last", "last_non_direct", "linear", "position", "time_decay"]
    *figures["rules"], _ = timed(lambda: attribute(paths, rules, draws=0), asked.repeats)
    for name in (name for name in MODELS if name not in rules):
        *figures[name], _ = timed(partial(attribute, paths, [name], draws=0), asked.repeats)
    *figures["default models, 200 draws"], _ = timed(lambda: attribute(paths, draws=200), asked.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{asked.touches:,} touches, {users:,} users, {asked.channels} channels, {len(paths):,} distinct paths")
    print(f"{'':24}{'CPU-s':>8}{'wall s':>8}{'ratio':>8}{'target':>8}")
    for name, (cpu, wall) in figures.items():
        target = TARGETS.get(name) if asked.touches == 3_000_000 else None
        print(f"{name:24}{cpu:8.3f}{wall:8.3f}{cpu / floor:8.2f}{target if target else '':>8}")
    print(f"peak memory {peak:,.0f} MB")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    numbers = {
        name: {"cpu_seconds": cpu, "wall_seconds": wall, "ratio": cpu / floor} for name, (cpu, wall) in figures.items()
    }
    report = vars(asked) | {"users": users, "distinct_paths": len(paths), "peak_mb": peak, "figures": numbers}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")


if __name__ == "__main__":
    main()
