"""Attribution on a synthetic event log: CPU-seconds and memory, beside DuckDB and peers in the same run.

``python benchmarks/bench_attribution.py [--touches 3000000 10000000 30000000] [--channels 10] [--repeats 3]`` prints
tables and writes ``build/benchmarks/attribution.json``.

- Paths: from the log to distinct paths, beside DuckDB's own per-user ``list()`` of the same file; for every number of
  touches, each in a process of its own, whose peak memory is given.
- Models on the paths of the first log.
- Peers on the aggregated paths of that log, and how far their credits and removal effects are from ours. They read
  paths only; `ChannelAttribution` simulates the chain, so its removal effects hold to within its own noise.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import peers
from event_logs import log_of
from timing import FOLDER, keep, least

from attribution import MODELS, Attribution, Paths, attribute, read_paths

TARGETS = {"rules": 0.3, **{f"markov:{k}": 0.3 for k in range(1, 5)}, "shapley": 0.02}
"""CPU-seconds at 3 million touches."""
PATHS = {3_000_000: (2.5, None), 30_000_000: (27.0, 2_500.0)}
"""CPU-seconds and MB that paths may take."""
FLOOR = 1.5
"""Times the seconds of DuckDB's list() that paths may take."""
RULES = ("first", "last", "last_non_direct", "linear", "position", "time_decay")
PEERS = ("channelattribution", "mam", "mta")


def per_user_list(place: Path) -> int:
    """The floor: every user's times as one list, drained."""
    with duckdb.connect() as connection:
        connection.read_parquet(str(place)).create_view("log")
        lists = connection.sql("SELECT list(epoch_us(timestamp)) AS times FROM log GROUP BY user_id")
        return sum(batch.num_rows for batch in lists.to_arrow_reader(1 << 17))


ALONE: dict[str, Callable[[Path], Any]] = {"list": per_user_list, "paths": lambda place: len(read_paths(place))}


def alone(what: str, place: Path, repeats: int) -> dict[str, float]:
    """Seconds, peak memory and size of what comes out, in a process of its own."""
    command = [sys.executable, __file__, "--alone", what, "--log", str(place), "--repeats", str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def path_building(sizes: list[int], channels: int, repeats: int) -> list[dict[str, float]]:
    """Paths beside the floor, at every size."""
    print("from the log to distinct paths, each in a process of its own")
    print(f"{'touches':>12}{'users':>12}{'paths':>12}{'list() CPU-s':>14}{'ours CPU-s':>12}{'ratio':>7}{'peak MB':>9}")
    lines = []
    for touches in sizes:
        place = log_of(touches, channels)
        floor, ours = alone("list", place, repeats), alone("paths", place, repeats)
        ratio = ours["cpu_s"] / floor["cpu_s"]
        print(
            f"{touches:12,}{floor['size']:12,}{ours['size']:12,}{floor['cpu_s']:14.2f}{ours['cpu_s']:12.2f}"
            f"{ratio:7.2f}{ours['peak_mb']:9,.0f}"
        )
        if touches in PATHS:
            seconds, memory = PATHS[touches]
            print(f"{'target':>50}{seconds:12g}{FLOOR:7g}" + (f"{memory:9,.0f}" if memory else ""))
        lines.append({"touches": touches, "list": floor, "paths": ours, "ratio": ratio})
    return lines


def models(paths: Paths, repeats: int, at_target: bool) -> dict[str, float]:
    """CPU-seconds of each model."""
    asked = {"rules": list(RULES)} | {name: [name] for name in MODELS if name not in RULES}
    figures = {name: least(repeats, partial(attribute, paths, list(each), draws=0))[0] for name, each in asked.items()}
    figures["default models, 200 draws"] = least(repeats, partial(attribute, paths, draws=200))[0]
    print(f"models on {len(paths):,} distinct paths, CPU-s")
    for name, seconds in figures.items():
        target = TARGETS.get(name) if at_target else None
        print(f"  {name:28}{seconds:8.3f}" + (f"  target {target:g}" if target else ""))
    return figures


def aggregated(paths: Paths, place: Path) -> None:
    """The paths as the table that all peers read."""
    names, ends = np.array(paths.channels, dtype=object)[paths.touches], paths.offsets
    joined = [">".join(names[ends[i] : ends[i + 1]]) for i in range(len(paths))]
    numbers = {"conversions": paths.conversions.astype(int), "value": paths.value, "nulls": paths.nulls.astype(int)}
    pd.DataFrame({"path": joined, **numbers}).to_csv(place, index=False)


def beside_peers(paths: Paths, repeats: int) -> dict[str, Any]:
    """Peers on the same aggregated paths: their seconds over ours, and how far they are from us."""
    place = FOLDER / "paths.csv"
    aggregated(paths, place)
    reading, again = least(1, lambda: read_paths(place))
    print(f"peers on the same {len(paths):,} aggregated paths (we read them in {reading:.2f} CPU-s)")
    found: dict[str, Any] = {"ours": {"read_s": reading}}
    ours: dict[str, tuple[float, Attribution]] = {}
    for peer in PEERS:
        try:
            found[peer] = peers.run(peer, {"place": str(place)})
        except peers.Unavailable as reason:
            print(f"  {peer} is not there: {reason}")
            continue
        prepared = f", {found[peer]['read_s']:.2f} CPU-s to prepare the table" if "read_s" in found[peer] else ""
        print(f"  {found[peer]['version']}: peak {found[peer]['peak_mb']:,.0f} MB{prepared}")
        for model, theirs in found[peer]["models"].items():
            if model not in ours:
                ours[model] = least(repeats, partial(attribute, again, [model], draws=0))
            cpu, result = ours[model]
            theirs |= {"ours_cpu_s": cpu, "ratio": theirs["cpu_s"] / cpu, **_apart(result, model, theirs)}
            off = "".join(
                f"  {what.replace('_', ' ')} apart {theirs[key]:.1e}"
                for what, key in (("credit", "credit_apart"), ("removal effects", "removal_apart"))
                if key in theirs
            )
            print(f"    {model:10}{theirs['cpu_s']:9.3f} CPU-s  ours {cpu:7.4f}  = {theirs['ratio']:8,.1f} times{off}")
    return found


def _apart(result: Attribution, model: str, theirs: dict[str, Any]) -> dict[str, float]:
    """Largest differences: of credit as a share of all conversions, and of removal effects."""
    credit, apart = result[model], {}
    total = credit.conversions.sum()
    for key, mine, scale in (
        ("credit", credit.conversions, total),
        ("removal_effect", credit.removal_effect, 1.0),
    ):
        if key in theirs and mine is not None:
            listed = np.array([theirs[key].get(name, 0.0) for name in result.channels])
            apart[key.partition("_")[0] + "_apart"] = float(np.abs(listed - mine).max() / scale)
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--touches", type=int, nargs="+", default=[3_000_000])
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--alone", choices=sorted(ALONE), help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        seconds, size = least(asked.repeats, lambda: ALONE[asked.alone](asked.log))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"cpu_s": seconds, "size": size, "peak_mb": peak}))
        return
    building = path_building(asked.touches, asked.channels, asked.repeats)
    paths = read_paths(log_of(asked.touches[0], asked.channels))
    figures = models(paths, asked.repeats, asked.touches[0] == 3_000_000)
    others = beside_peers(paths, asked.repeats)
    keep("attribution", {"channels": asked.channels, "paths": building, "models": figures, "peers": others})


if __name__ == "__main__":
    main()
