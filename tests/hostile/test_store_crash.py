"""What the store promises when things go wrong: no acknowledged write is lost, no damage is served.

The slow forms are `make study`'s; the short ones run in every `make test`.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from measurement.errors import StoreError
from measurement.store import Entry, Server, Store
from measurement.store.files import HeadFile
from tests.hostile import store_damage

DRIVER = Path(__file__).with_name("store_crash_driver.py")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills and limits are POSIX")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(process: subprocess.Popen[str]) -> Any:
    output, errors = process.communicate(timeout=1_800)
    assert process.returncode == 0, errors
    assert not errors, errors
    return json.loads(output)


def drive(*arguments: object) -> Any:
    return finish(start(*arguments))


@pytest.mark.parametrize("count", [25, pytest.param(1_000, marks=pytest.mark.slow)])
def test_a_writer_killed_at_random_moments_loses_nothing_that_was_acknowledged(tmp_path: Path, count: int) -> None:
    seen = drive("kills", tmp_path, count, 1)
    assert seen["kills"] == count
    assert seen["acknowledged"] > count / 4, "the writer must get something done between kills"
    assert seen["lost"] == 0
    assert seen["disordered"] == 0
    assert seen["problems"] == []
    assert seen["unacknowledged"] <= 4 * count, "at most one round of appends can be under way when a kill comes"


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("append", ["first", "second"], ["first", "second", "third", "fourth"]),
        ("create", [], []),
        ("migrate", ["first", "second"], ["first", "second"]),
        ("put", ["first", "second"], ["first", "second"]),
    ],
)
def test_dying_before_any_step_leaves_the_state_before_or_after(
    tmp_path: Path, action: str, before: list[str], after: list[str]
) -> None:
    seen = drive("steps", tmp_path / "store", action)
    assert len(seen) > 5
    for state in seen[:-1]:
        assert state["killed"]
        assert state["tokens"] in (before, after)
    order = [state["tokens"] == after for state in seen]
    assert order == sorted(order), "once committed, always there"
    assert not seen[-1]["killed"]
    assert not seen[-1]["failed"]
    assert seen[-1]["tokens"] == after
    for state in seen:
        assert state["problems"] == []
        assert state["after"] == ["after"]
        assert state["artifacts"] in ([], [8_000])
        assert state["version"] == (2 if action == "migrate" else 1)
    assert seen[-1]["artifacts"] == ([8_000] if action == "put" else [])


@pytest.mark.parametrize("count", [50, pytest.param(500, marks=pytest.mark.slow)])
def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path, count: int) -> None:
    store = Store.create(tmp_path)
    writers = [start("writer", tmp_path, name, count) for name in ("left", "right")]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        sequences = [event.sequence for event in store.events()]
        assert sequences == list(range(1, len(sequences) + 1))
        reads += 1
        time.sleep(0.2)
    for writer in writers:
        finish(writer)
    found = [event.payload["token"] for event in store.events()]
    for name in ("left", "right"):
        assert [token for token in found if token.startswith(name)] == [f"{name}-{number}" for number in range(count)]
    assert len(found) == 2 * count
    assert reads > 3
    assert store.verify() == []


def test_a_full_disk_is_a_clear_error_and_keeps_what_was_there(tmp_path: Path) -> None:
    seen = drive("full", tmp_path, 0, 4_096, 300_000, 800_000)
    for state in seen:
        assert state["status"] == 0
        assert "full" in state["error"]
        assert state["found"] == state["acknowledged"]
        assert state["problems"] == []
        assert state["after"] == "after", "the store works again once there is room"
    assert len(seen[0]["found"]) == 1 < len(seen[-1]["found"])


def test_a_read_only_folder_can_be_read_and_not_written() -> None:
    folder = Path(tempfile.mkdtemp(prefix="theodolite-", dir=tempfile.gettempdir()))
    try:
        seen = drive("read_only", folder)
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(folder)
    assert len(seen["errors"]) == 2
    assert all("read-only" in error for error in seen["errors"])
    assert seen["tokens"] == ["first"]
    assert seen["kept"] == "kept"
    assert seen["problems"] == []


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store.create(tmp_path_factory.mktemp("intact"))
    rng = random.Random(7)  # noqa: S311
    for number in range(12):
        entries = [
            Entry("test.written", f"subject-{number % 3}", {"number": number, "filler": rng.randbytes(300).hex()}, "me")
        ]
        if number % 4 == 0:
            entries.append(Entry("test.fitted", "fit", {"artifact": store.put(rng.randbytes(2_000))}, "me"))
        store.append_many(entries)
    return store


def test_a_flipped_bit_or_a_cut_is_found_or_harmless_and_never_served(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    seen = store_damage.files(store_damage.lived(tmp_path / "whole"), tmp_path, 30, 20_260)
    ends = {end: sum(seen[what, how, end] for what, how, _ in seen) for end in ("found", "harmless", "served")}
    assert sum(seen.values()) == 30
    assert ends["served"] == 0
    assert ends["found"] > 30 / 3


def test_a_changed_row_of_a_server_is_found_and_never_served(tmp_path: Path, postgres: str) -> None:
    store = store_damage.lived(tmp_path, Server(postgres, "damaged"))
    seen = store_damage.rows(store, 20, 3)
    assert sum(seen.values()) == sum(seen[each] for each in seen if each[2] == "found") == 20


def test_the_committed_damage_was_found_and_never_served(study_table: Any) -> None:
    table = study_table("store_damage")
    runs = {
        store: sum(int(row["runs"]) for row in table if row["store"] == store) for store in ("DuckDB", "PostgreSQL")
    }
    assert runs["DuckDB"] >= 1_000
    assert runs["PostgreSQL"] >= 250
    assert {row["served"] for row in table} == {"0"}
    assert {row["harmless"] for row in table if row["what"] != "the database"} == {"0"}


def test_the_committed_full_disks_lost_nothing_and_were_said_in_words(study_table: Any) -> None:
    rows = {(row["what"], row["store"]): row for row in study_table("store_full")}
    assert set(rows) == {(what, store) for what in ("disk full", "read-only") for store in ("DuckDB", "PostgreSQL")}
    for (_, store), row in rows.items():
        assert int(row["runs"]) >= (20 if store == "DuckDB" else 5)
        assert int(row["acknowledged"]) > int(row["runs"]), "tests lived there before it was full"
        assert [row[name] for name in ("lost", "wordless", "problems", "stuck")] == ["0"] * 4


def test_damage_anywhere_in_the_used_part_of_the_database_is_found(intact: Store, tmp_path: Path) -> None:
    """One event's text, as it lies in the file, is changed to another text of the same length."""
    whole = store_damage.Whole.of(intact)
    data = (intact.home / "store.duckdb").read_bytes()
    needle = b"subject-1"
    assert needle in data
    store = Store(tmp_path / ".theodolite")
    shutil.copytree(intact.home, store.home)
    (store.home / "store.duckdb").write_bytes(data.replace(needle, b"subject-2"))
    assert store.verify()
    events, artifacts = store_damage.served(store, whole)
    assert events is None
    assert artifacts == whole.artifacts


def test_an_older_copy_of_the_database_is_not_taken_for_the_store(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    store.append("test.written", "subject", {"number": 1}, "me")
    older = (store.home / "store.duckdb").read_bytes()
    store.append("test.written", "subject", {"number": 2}, "me")
    (store.home / "store.duckdb").write_bytes(older)
    for read in (store.events, store.head, lambda: Store.open(tmp_path)):
        with pytest.raises(StoreError, match="the last 1 of 2 events are lost"):
            read()
    with pytest.raises(StoreError, match="lost"):
        store.append("test.written", "subject", {"number": 3}, "me")
    assert ["lost" in problem.message for problem in store.verify()] == [True]


def test_a_lost_or_foreign_head_file_is_damage(tmp_path: Path) -> None:
    one, other = Store.create(tmp_path / "one"), Store.create(tmp_path / "other")
    for store in (one, other):
        store.append("test.written", store.home.parent.name, {}, "me")
    shutil.copy(other.home / "head.json", one.home / "head.json")
    with pytest.raises(StoreError, match="not the one that the head file names"):
        one.events()
    (one.home / "head.json").unlink()
    with pytest.raises(StoreError, match=r"head\.json"):
        Store.open(tmp_path / "one")
    (other.home / "store.duckdb").unlink()
    assert Store.exists(tmp_path / "other")
    with pytest.raises(StoreError, match=r"store\.duckdb.* is missing"):
        Store.create(tmp_path / "other")


def test_no_flipped_bit_and_no_cut_leaves_the_head_what_it_was(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    store.append("test.written", "subject", {}, "me")
    heads, true = HeadFile(store.home), store.head()
    whole = heads.path.read_bytes()
    cut = [whole[:at] for at in range(len(whole))]
    flips = [(at, 1 << bit) for at in range(len(whole)) for bit in range(8)]
    flipped = [whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :] for at, bit in flips]
    for data in (*cut, *flipped):
        heads.path.write_bytes(data)
        with suppress(StoreError):  # said to be damaged
            assert heads.read() != true  # or a digit has become another one: the chain does not end there
    heads.path.write_bytes(whole)
    assert heads.read() == true


@pytest.mark.parametrize("content", [b"", b"\0" * 20_000, b"not a database", b"SQLite format 3\0" * 300])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    store = Store.create(tmp_path)
    store.append("test.written", "subject", {}, "me")
    (store.home / "store.duckdb").write_bytes(content)
    with pytest.raises(StoreError):
        Store.open(tmp_path)
    assert store.verify()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".theodolite").write_text("in the way")
    with pytest.raises(StoreError, match="cannot make the store"):
        Store.create(tmp_path)
    store = Store.create(tmp_path / "other")
    (store.home / "artifacts").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write the artifact"):
        store.put(b"bytes")
    assert (store.home / "artifacts").read_text() == "in the way"


def test_an_acknowledged_event_does_not_lean_on_the_log(tmp_path: Path) -> None:
    """It is in the file's checked blocks: a log that is missing or full of junk cannot take it away."""
    store = Store.create(tmp_path)
    store.append("test.written", "subject", {"number": 1}, "me")
    log = store.home / "store.duckdb.wal"
    assert not log.exists()
    for number, junk in enumerate((b"", b"\0" * 100, b"x" * 5_000), start=2):
        log.write_bytes(junk)
        assert store.append("test.written", "subject", {"number": number}, "me").sequence == number
    assert [event.payload["number"] for event in store.events()] == [1, 2, 3, 4]
    assert store.verify() == []
