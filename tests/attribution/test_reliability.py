"""Full disks, damaged files, runs interrupted or killed: one clear error, nothing half-written or left behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from attribution import PathSpec, PathStore, read_paths
from attribution.spill import PREFIX, spill_folder
from measurement import DataError
from measurement.reading.engine import interruptible

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and limits of a Unix system")
ROWS = 900_000
SMALL = "44MB"
"""Less than the sort of those rows takes."""


def log(rows, seed=1, days=60, begin="2024-01-01"):
    rng = np.random.default_rng(seed)
    sale = rng.random(rows) < 0.05
    return pd.DataFrame(
        {
            "user_id": np.char.add("user-", rng.integers(0, rows // 5, rows).astype(str)),
            "timestamp": pd.Timestamp(begin) + pd.to_timedelta(rng.integers(0, days * 86_400, rows), unit="s"),
            "channel": np.where(sale, None, rng.choice(["a", "b", "c"], rows)),
            "event": np.where(sale, "conversion", "click"),
            "value": np.where(sale, 5.0, np.nan),
        }
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    place = tmp_path_factory.mktemp("large") / "log.parquet"
    log(ROWS).to_parquet(place, index=False)
    return place


def python(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def left(folder):
    return sorted(each.name for each in folder.iterdir() if each.name.startswith("."))


def test_what_does_not_fit_spills_into_the_folder_and_changes_nothing(large, tmp_path, monkeypatch):
    largest = {}
    import attribution.paths as module

    before = module.build

    def watched(*given):
        for each in tmp_path.glob(f"{PREFIX}*/memory/*"):
            with suppress(FileNotFoundError):  # DuckDB drops its files when it is done with them
                largest[each.name] = max(largest.get(each.name, 0), each.stat().st_size)
        return before(*given)

    monkeypatch.setattr(module, "CHUNK", 1 << 15)
    monkeypatch.setattr(module, "build", watched)
    spilled = read_paths(large, memory=SMALL, spill=tmp_path)
    assert sum(largest.values()) > 1_000_000
    assert list(tmp_path.iterdir()) == []
    assert spilled.sha256 == read_paths(large).sha256


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import numpy, pandas, pyarrow.parquet, duckdb
from attribution import PathStore, read_paths
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
from measurement import DataError
try:
    if sys.argv[1] == "read":
        read_paths(sys.argv[2], memory=sys.argv[5], spill=sys.argv[3])
    else:
        PathStore(sys.argv[3]).extend(sys.argv[2])
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_full_disk_is_one_clear_error(kind, large, tmp_path):
    source = large
    if kind == "csv":
        source = tmp_path.parent / f"{tmp_path.name}.csv"
        pd.read_parquet(large).to_csv(source, index=False)
    run = python(FULL, "read", source, tmp_path, 1 << 17, SMALL)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (0, "")
    assert out.count("error:") == 1
    assert "the disk for what does not fit is full" in out
    assert source.name in out
    assert list(tmp_path.iterdir()) == []


def test_a_store_on_a_full_disk_stays_as_it_was(tmp_path):
    log(2_000).to_parquet(tmp_path / "one.parquet", index=False)
    log(2_000, 2, begin="2024-03-10").to_parquet(tmp_path / "two.parquet", index=False)
    store = PathStore(tmp_path / "paths.npz")
    store.extend(tmp_path / "one.parquet")
    before = store.file.read_bytes()
    run = python(FULL, "extend", tmp_path / "two.parquet", store.file, 50_000)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (0, "")
    assert "the path store cannot be written" in out
    assert store.file.read_bytes() == before
    assert left(tmp_path) == []


DAMAGED = """
import sys
from pathlib import Path
import numpy as np
from attribution import PathStore, read_paths
from measurement import DataError
what, good, place = sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3])
rng = np.random.default_rng(1)
read = (lambda: read_paths(place)) if what == "log" else (lambda: PathStore(place).paths())
place.write_bytes(good)
truth, told, other = read().sha256, 0, 0
for i in range(60):
    raw, at = bytearray(good), int(rng.integers(0, len(good)))
    if i % 3 == 0:
        raw = raw[:at]
    elif i % 3 == 1:
        raw[at] ^= 1 << int(rng.integers(8))
    else:
        raw[at : at + 64] = bytes(rng.integers(0, 256, min(64, len(raw) - at), dtype=np.uint8))
    place.write_bytes(raw)
    try:
        found = read()
    except DataError as error:
        told += 1
        assert len(str(error)) < 4_000 and str(error).startswith("error:"), error
    else:
        other += found.sha256 != truth
print(told, other)
"""


@pytest.mark.parametrize("compression", ["snappy", "zstd", None])
def test_damaged_parquet_never_brings_the_program_down(compression, tmp_path):
    """In a process of its own: flipped bytes made DuckDB write beyond its memory once."""
    log(5_000).to_parquet(tmp_path / "good.parquet", index=False, compression=compression)
    run = python(DAMAGED, "log", tmp_path / "good.parquet", tmp_path / "bad.parquet")
    out, err = run.communicate(timeout=300)
    assert (run.returncode, err) == (0, "")
    assert int(out.split()[0]) >= 30  # all that were cut, and most that lost 64 bytes


def test_a_damaged_store_is_found_and_never_served(tmp_path):
    log(2_000).to_parquet(tmp_path / "log.parquet", index=False)
    PathStore(tmp_path / "good.npz").extend(tmp_path / "log.parquet")
    run = python(DAMAGED, "store", tmp_path / "good.npz", tmp_path / "bad.npz")
    out, err = run.communicate(timeout=300)
    assert (run.returncode, err) == (0, "")
    told, other = map(int, out.split())
    assert other == 0
    assert told >= 55


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "log.parquet").write_bytes(b"PAR1" + b"nothing" * 50)
    (tmp_path / "text.parquet").write_bytes(b"\x00\x01" * 100)
    for name in ("log.parquet", "text.parquet"):
        with pytest.raises(DataError) as refused:
            read_paths(tmp_path / name)
        assert name in str(refused.value)


HOLDING = """
import sys, time
from attribution.spill import spill_folder
with spill_folder(sys.argv[1]) as folder:
    (folder / "rest").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_folders_of_killed_runs_are_removed_and_those_of_others_stay(tmp_path):
    runs = [python(HOLDING, tmp_path) for _ in range(2)]
    folders = [Path(run.stdout.readline().strip()) for run in runs]
    runs[0].send_signal(signal.SIGKILL)
    runs[0].communicate()
    assert all((folder / "rest").is_file() for folder in folders)
    with spill_folder(tmp_path) as own:
        assert not folders[0].exists()
        assert (folders[1] / "rest").is_file()
        assert own.parent == tmp_path
        assert own.stat().st_mode & 0o077 == 0
    assert not own.exists()
    runs[1].terminate()
    runs[1].communicate()
    with spill_folder(tmp_path):
        assert not folders[1].exists()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_a_run_at_once_and_leaves_nothing(large, tmp_path):
    """Wherever it comes: in a query, between two, in numpy. Six times the log, so that it comes before the end."""
    temporary = {"env": os.environ | {"TMPDIR": str(tmp_path)}, "cwd": tmp_path}
    command = "from theodolite.cli import main; import sys; sys.argv[0] = 'theodolite'; main()"
    for i in range(6):
        (large.parent / f"again-{i}.parquet").hardlink_to(large)
    for share in (0.35, 0.6, 0.85):
        arguments = ("attribution", "run", "--touchpoints", str(large.parent / "again-*.parquet"), "--models", "last")
        run = python(command, *arguments, **temporary)
        began = time.monotonic()
        while not any(tmp_path.glob(f"{PREFIX}*")):
            assert time.monotonic() - began < 60
            time.sleep(0.01)
        time.sleep(share - 0.3)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
        assert run.returncode == 130
        assert "Traceback" not in err
        assert err.strip().splitlines()[-1].startswith("interrupted")
        assert out == ""
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [duckdb.InterruptException, pa.lib.ArrowCancelled])
def test_what_an_engine_makes_of_ctrl_c_is_ctrl_c_again(kind):
    with pytest.raises(KeyboardInterrupt), interruptible():
        raise kind("Operation cancelled. Detail: received Unix signal 2")


EXTEND = """
import sys
from attribution import PathStore
print("ready", flush=True)
PathStore(sys.argv[1]).extend(sys.argv[2])
"""


def test_a_store_whose_writer_is_killed_is_the_old_or_the_new_one(tmp_path):
    log(20_000).to_parquet(tmp_path / "one.parquet", index=False)
    log(60_000, 2, begin="2024-03-10").to_parquet(tmp_path / "two.parquet", index=False)
    store = PathStore(tmp_path / "paths.npz")
    store.extend(tmp_path / "one.parquet")
    old = store.file.read_bytes()
    began = time.monotonic()
    run = python(EXTEND, tmp_path / "new.npz", tmp_path / "one.parquet")
    run.communicate(timeout=60)
    assert run.returncode == 0
    whole = time.monotonic() - began
    for share in (0.2, 0.5, 0.8, 1.0):
        run = python(EXTEND, store.file, tmp_path / "two.parquet")
        run.stdout.readline()
        time.sleep(0.6 * whole * share)
        run.kill()
        run.communicate()
        if store.file.read_bytes() != old:
            break
    if store.file.read_bytes() == old:
        store.extend(tmp_path / "two.parquet")  # also clears what the killed ones left
    else:
        with spill_folder(tmp_path):
            pass
    assert left(tmp_path) == []
    both = pd.concat([pd.read_parquet(tmp_path / name) for name in ("one.parquet", "two.parquet")])
    assert store.paths().conversions.sum() == read_paths(both).conversions.sum()


def test_two_who_add_at_once_do_not_lose_a_day(tmp_path):
    log(2_000).to_parquet(tmp_path / "log.parquet", index=False)
    holding = "import sys,time\nfrom pathlib import Path\nfrom attribution.spill import alone\n"
    holding += "with alone(Path(sys.argv[1]), 'x'): print('in', flush=True); time.sleep(60)"
    run = python(holding, tmp_path)
    run.stdout.readline()
    store = PathStore(tmp_path / "paths.npz", PathSpec())
    with pytest.raises(DataError, match="another process adds events"):
        store.extend(tmp_path / "log.parquet")
    assert not store.file.exists()
    run.kill()
    run.communicate()
    store.extend(tmp_path / "log.parquet")
