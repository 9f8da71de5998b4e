"""Damage to a store, a full disk and one that may only be read, in their long form.

A thousand bits of a store's files are flipped or files cut short, and a quarter as many rows of a PostgreSQL store
changed behind its back: what is damaged must be found by ``theodolite doctor`` and never be served. File systems with
little room left are filled by tests that live in them, on DuckDB and under PostgreSQL's own files. Needs Linux and the
right to mount.
"""

import argparse
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import tables
from batches import kept

from measurement.errors import StoreError
from measurement.store import Server, Store
from tests import postgres_server
from tests.hostile import store_damage
from tests.hostile.registry_crash_driver import life

DAMAGE = """What is changed behind a store's back (`python benchmarks/study_damage.py`). *found*: `theodolite doctor`
names it, and no other answer is given than was written; *harmless*: it lies where nothing is kept, every answer is as
it was, and doctor's rehearsal of a write went well; *served*: another answer, or one that is lost without a word."""
FULL = """File systems that are filled, and then may only be read, while tests live in the store (`python
benchmarks/study_damage.py`). *acknowledged* are the events whose verb had returned, *lost* those that were not there
afterwards, *wordless* the failures that were no clear sentence, *problems* what `theodolite doctor` would name, *stuck*
the stores that did not work again once there was room."""

BATCH = 50

type Row = dict[str, object]


def damaged(runs: int, seed: int, keep: Path) -> list[Row]:
    """Files of a workspace, rows of a PostgreSQL; batches that ``keep`` holds already are not made again."""
    rows: list[Row] = []
    for store, act, share in (("DuckDB", of_files, 1), ("PostgreSQL", of_rows, 4)):
        seen = Counter[tuple[str, str, str]]()
        for batch in range(runs // share // BATCH):
            found = kept(keep / f"{act.__name__}-{seed + batch}.json", partial(act, seed + batch))
            seen.update({(what, how, end): times for what, how, end, times in found})
            print(f"{store}: {seen.total()}", flush=True)
        rows += [
            {"what": what, "how": how, "store": store, "runs": sum(ends.values()), **ends}
            for what, how in sorted({(what, how) for what, how, _ in seen})
            for ends in [{end: seen[what, how, end] for end in ("found", "harmless", "served")}]
        ]
    return rows


def of_files(seed: int) -> list[tuple[str, str, str, int]]:
    """A batch of changes of a workspace's files."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "whole"
        home.mkdir()
        found = store_damage.files(store_damage.lived(home), Path(folder) / "copies", BATCH, seed)
    return [(*what, times) for what, times in found.items()]


def of_rows(seed: int) -> list[tuple[str, str, str, int]]:
    """A batch of changes of a server's rows."""
    with tempfile.TemporaryDirectory() as folder, postgres_server.running() as conninfo:
        store = store_damage.lived(Path(folder), Server(conninfo, "acme"))
        found = store_damage.rows(store, BATCH, seed)
    return [(*what, times) for what, times in found.items()]


@contextmanager
def file_system(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of a size, in memory."""
    folder.mkdir(parents=True)
    mount(folder, f"size={kilobytes}k", "-t", "tmpfs", "tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def crowd(folder: Path, kilobytes: int) -> None:
    """Fill a file system with something else, up to some room."""
    with (folder / "something-else").open("wb") as file:
        for _ in range((shutil.disk_usage(folder).free // 1_024 - kilobytes) // 64):
            file.write(bytes(65_536))


def mount(folder: Path, how: str, *what: str) -> None:
    """Mount it, or mount it otherwise."""
    subprocess.run(["mount", "-o", how if what else f"remount,{how}", *what, folder], check=True)


def failed(store: Store, said: list[str], trial: int) -> str:
    """Let tests live until the store refuses; what it said."""
    try:
        for number in range(1_000):
            for done in life(store, f"{trial}-{number}", number):
                said.append(done)
    except StoreError as error:
        return str(error)
    raise SystemExit("the file system was never full")


def looked_at(store: Store, said: list[str], word: str, why: str, grown: bool = True) -> Row:
    """One trial: what is there, whether it was said in words, whether the store works again."""
    found = {event.hash for event in store.events()}
    row: Row = {"acknowledged": len(said), "lost": len({*said} - found), "wordless": int(word not in why)}
    row["problems"] = len(store.verify())
    row["stuck"] = 0
    if grown:
        before = len(store.events())
        row["stuck"] = int(len(list(life(store, f"after-{before}", 0))) + before != len(store.events()))
    return row


def full_workspace(folder: Path, trial: int, rng: random.Random) -> tuple[Row, Row]:
    """A workspace on a full disk, then on one that may only be read."""
    with file_system(folder, 8_000):
        store, said = Store.create(folder / "acme"), list[str]()
        crowd(folder, rng.randint(200, 2_000))
        why = failed(store, said, trial)
        mount(folder, "size=64m")
        full = looked_at(Store.open(store.home), said, "full", why)
        said = [event.hash for event in store.events()]
        mount(folder, "ro")
        why = failed(store, said, trial + 1_000)
        return full, looked_at(Store.open(store.home), said, "read-only", why, grown=False)


def full_server(folder: Path, trial: int, rng: random.Random) -> tuple[Row, Row]:
    """A PostgreSQL whose disk is full, then one that takes no writes."""
    home = Path(tempfile.mkdtemp(prefix="pg-")) / "disk"
    home.parent.chmod(0o755)
    with file_system(home, 128_000), postgres_server.running(home) as conninfo:
        server, said = Server(conninfo, "acme"), list[str]()
        store = Store.create(folder / str(trial), server=server)
        crowd(home, rng.randint(200, 4_000))
        why = failed(store, said, trial)
        mount(home, "size=512m")
        postgres_server.restart(home)
        store = Store.open(store.home, server=server)
        full = looked_at(store, said, "the server", why)
        said = [event.hash for event in store.events()]
        forbidding = Server(f"{conninfo} options='-c default_transaction_read_only=on'", "acme")
        why = failed(Store.open(store.home, server=forbidding), said, trial + 1_000)
        return full, looked_at(store, said, "may not do that", why)


def filled(runs: int, seed: int, keep: Path) -> list[Row]:
    """File systems with a random room left; trials that ``keep`` holds already are not made again."""
    rows: list[Row] = []
    for store, trials, run in (("DuckDB", runs // 50, full_workspace), ("PostgreSQL", runs // 200, full_server)):
        seen = []
        for trial in range(trials):
            seen.append(kept(keep / f"{run.__name__}-{seed}-{trial}.json", partial(a_trial, run, seed, trial)))
            print(f"{store}: {len(seen)} disks", flush=True)
        for what, each in zip(("disk full", "read-only"), zip(*seen, strict=True), strict=True):
            counts = {name: sum(row[name] for row in each) for name in each[0]}
            rows.append({"what": what, "store": store, "runs": trials, **counts})
    return rows


def a_trial(run: Callable[[Path, int, random.Random], tuple[Row, Row]], seed: int, trial: int) -> tuple[Row, Row]:
    """One file system that is filled, and what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder) / "disk", trial, random.Random(f"{seed}-{trial}"))  # noqa: S311


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="changes of files; of rows a quarter, fewer disks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("damage", "full"), help="one of the two tables")
    parser.add_argument("--keep", type=Path, help="folder of single batches, so that a study can go on where it was")
    asked = parser.parse_args()
    keep = asked.keep or Path(tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    if asked.only in (None, "full"):
        print(tables.write("store_full", FULL, filled(asked.runs, asked.seed, keep), runs=asked.runs, seed=asked.seed))
    if asked.only in (None, "damage"):
        rows = damaged(asked.runs, asked.seed, keep)
        print(tables.write("store_damage", DAMAGE, rows, runs=asked.runs, seed=asked.seed))
    if asked.keep is None:
        shutil.rmtree(keep)


if __name__ == "__main__":
    main()
