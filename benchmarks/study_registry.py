"""The registry under kills, a server that dies and two processes at once, in its long form.

A test's life (register, submit, approve, start, complete, analyse, accept) and the fit after it are written by the
program itself, in a process that is killed (``kill -9``) at a random moment, on DuckDB and on PostgreSQL, among them
short fits by NUTS and a PostgreSQL server under its writer: a thousand kills in all. And two processes write 500 events
each at once, or register tests and approve the same plans. The driver is that of ``tests/hostile``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import tables
from batches import kept

from experiments import registry
from measurement.store import Server, Store
from tests import postgres_server

NAME = "registry"
ABOUT = """The registry under kills, a server that dies and two processes at once (`python
benchmarks/study_registry.py`). A *life* is all that can happen to a test, from its registration to the fit whose
posterior and artifacts are written after it; *fits by NUTS* are whole short fits of a small study, each after a test
that was registered and approved. *acknowledged* are the events whose verb had returned; *lost* those of them that were
not there afterwards, *rewritten* how often an older event had changed, *half* the tests whose state did not follow from
their last event and the fits that could not be read, *problems* what `theodolite doctor` would name. Of two processes
*runs* are the writes of both; where they approve the same plans, *lost* counts registrations that are missing and
*rewritten* plans that were approved twice. An error that one of them showed would have ended the study."""
BATCH = 25
ROOT = Path(__file__).parents[1]
DRIVER = ROOT / "tests" / "hostile" / "registry_crash_driver.py"

type Row = dict[str, object]
type Kill = Callable[[int, int], Any]  # number of kills, seed -> what the driver saw


def start(*arguments: object) -> subprocess.Popen[str]:
    """The driver with some arguments."""
    command = [sys.executable, str(DRIVER), *map(str, arguments)]
    alone = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # the driver forks
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | alone)


def finish(process: subprocess.Popen[str]) -> Any:
    """What it printed."""
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(output)


@contextmanager
def server() -> Iterator[tuple[Path, str]]:
    """A PostgreSQL of the study's own: its folder, and how to reach it."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    with postgres_server.running(home) as conninfo:
        yield home, conninfo


def in_folder(runs: int, seed: int) -> Any:
    """Lives that are cut off, on DuckDB."""
    with tempfile.TemporaryDirectory() as folder:
        return finish(start("kills", folder, runs, seed))


def on_postgres(runs: int, seed: int) -> Any:
    """The same on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, server() as (_, conninfo):
        return finish(start("kills", folder, runs, seed, conninfo))


def of_server(runs: int, seed: int) -> Any:
    """Lives whose server is cut off."""
    with tempfile.TemporaryDirectory() as folder, server() as (home, conninfo):
        return finish(start("kills", folder, runs, seed, conninfo, home))


def of_fits(runs: int, seed: int) -> Any:
    """Fits that are cut off."""
    with tempfile.TemporaryDirectory() as folder:
        finish(start("company", folder))
        return finish(start("fits", folder, runs, seed))


def writing(runs: int, conninfo: str = "") -> dict[str, int]:
    """Two processes that write events, half of the runs each."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(folder, server=Server(conninfo, "shared") if conninfo else None)
        writers = [start("append", folder, name, runs // 2, conninfo) for name in "ab"]
        said = [each for writer in writers for each in finish(writer)["hashes"]]
        events = store.events()
        lost, gaps = {*said} - {event.hash for event in events}, [event.sequence for event in events]
        half = int(gaps != list(range(1, len(gaps) + 1)))
        counts = {"runs": runs, "acknowledged": len(said), "lost": len(lost), "rewritten": len(events) - len(said)}
        return counts | {"half": half, "problems": len(store.verify())}


def approving(runs: int, conninfo: str = "") -> dict[str, int]:
    """Two processes that register tests and approve the same plans; a tenth of the runs each."""
    each = runs // 10
    with tempfile.TemporaryDirectory() as folder:
        finish(start("shared", folder, each, conninfo))
        writers = [start("writer", folder, name, each, conninfo) for name in "ab"]
        said = [name for writer in writers for name in finish(writer)["approved"]]
        store = Store.open(folder, server=Server(conninfo, "shared") if conninfo else None)
        tests = registry.load(store).tests
        own = {f"{name}-{number}" for name in "ab" for number in range(each // 2)}
        return {
            "runs": 2 * each,
            "acknowledged": len(own) + 2 * len(said),
            "lost": len(own - set(tests)),
            "rewritten": len(said) - len(set(said)),
            "half": sum(test.state != test.history[-1].state for test in tests.values()),
            "problems": len(store.verify()) + len(registry.examine(store)),
        }


def at_once(runs: int, where: str, act: Callable[[int, str], dict[str, int]]) -> dict[str, int]:
    """Two processes at once, in a folder or on PostgreSQL."""
    if where == "DuckDB":
        return act(runs, "")
    with server() as (_, conninfo):
        return act(runs, conninfo)


TOGETHER: Mapping[str, Callable[[int, str], dict[str, int]]] = {
    "two processes write at once": writing,
    "two processes register and approve at once": approving,
}
KILLS: Mapping[tuple[str, str], tuple[Kill, float]] = {
    ("kill -9 during a life", "DuckDB"): (in_folder, 0.6),
    ("kill -9 during a life", "PostgreSQL"): (on_postgres, 0.3),
    ("kill -9 during fits by NUTS", "DuckDB"): (of_fits, 0.1),
    ("server killed during a life", "PostgreSQL"): (of_server, 0.05),
}
"""What is killed, and the share of the runs."""


def killed(what: tuple[str, str], runs: int, seed: int, keep: Path) -> Row:
    """What all batches of one kind saw together; batches that ``keep`` holds already are not made again."""
    kill, share = KILLS[what]
    seen = []
    for batch in range(round(runs * share) // BATCH):
        file = keep / f"{kill.__name__}-{seed + batch}.json"
        seen.append(kept(file, partial(kill, BATCH, seed + batch)))
        print(f"{what[0]}, {what[1]}: {BATCH * (batch + 1)}", flush=True)
    counts = {name: sum(each[name] for each in seen) for name in ("acknowledged", "lost", "rewritten", "half")}
    problems = sum(len(each["problems"]) for each in seen)
    return {"what": what[0], "store": what[1], "runs": sum(each["kills"] for each in seen), **counts} | {
        "problems": problems
    }


def together(runs: int, keep: Path) -> list[Row]:
    """Two processes at once, in all ways."""
    return [
        {"what": what, "store": where} | kept(keep / f"{act.__name__}-{where}.json", partial(at_once, runs, where, act))
        for what, act in TOGETHER.items()
        for where in ("DuckDB", "PostgreSQL")
    ]


def again(name: str, runs: int, seed: int, keep: Path) -> list[Row]:
    """The table as it stands, with the row of one kind of kills made anew."""
    what = next(what for what, (kill, _) in KILLS.items() if kill.__name__ == name)
    made = killed(what, runs, seed, keep)
    return [made if (row["what"], row["store"]) == what else dict(row) for row in tables.read(NAME)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="kills, and writes of both processes together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder of single batches, so that a study can go on where it was")
    parser.add_argument("--only", choices=[each.__name__ for each, _ in KILLS.values()], help="make this row anew")
    options = parser.parse_args()
    keep = options.keep or Path(tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    if options.only:
        rows = again(options.only, options.runs, options.seed, keep)
    else:
        rows = [killed(what, options.runs, options.seed, keep) for what in KILLS]
        rows += together(options.runs, keep)
    print(tables.write(NAME, ABOUT, rows, runs=options.runs, seed=options.seed))
    if options.keep is None:
        shutil.rmtree(keep)


if __name__ == "__main__":
    main()
