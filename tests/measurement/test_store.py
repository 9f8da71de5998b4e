"""The store in a workspace: its files, its head and its versions; the chain itself. The rest: test_store_contract."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.errors import StoreError
from measurement.store import Entry, Head, Store, database, statements
from measurement.store.chain import GENESIS, Row, broken_links, link, wrong_end
from measurement.store.files import locked

ROOT = Path(__file__).parents[2]


def clock(start: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> Any:
    times = (start + timedelta(seconds=second) for second in range(10_000))
    return lambda: next(times)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path, clock=clock())


def sql(store: Store, *statements: str) -> None:
    with duckdb.connect(str(store.home / "store.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


# -- events -----------------------------------------------------------------------------------------------------------


def test_times_are_utc_text_from_the_clock_that_was_given(tmp_path: Path) -> None:
    summer = timezone(timedelta(hours=2))
    store = Store.create(tmp_path, clock=clock(datetime(2026, 7, 1, 1, 30, tzinfo=summer)))
    at = store.append("study.noted", "id", {}, "me").at
    assert at.startswith("2026-06-30T23:30:")
    assert at.endswith("Z")
    with pytest.raises(ValueError, match="time zone"):
        Store(store.home, clock=lambda: datetime(2026, 7, 1)).append("study.noted", "id", {}, "me")
    assert len(store.events()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=4), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_chain_holds_and_any_change_breaks_it(payloads: list[dict[str, Any]]) -> None:
    rows = link([Entry("a.b", "x", payload, "me") for payload in payloads], Head(), "2026-01-01T00:00:00.000000Z")
    assert broken_links(rows) == []
    assert [json.loads(row.payload) for row in rows] == payloads
    assert wrong_end(rows[-1], len(rows), rows[-1].head, None) is None
    for spot in range(len(rows)):
        for change in ({"payload": '{"other":1}'}, {"actor": "you"}, {"recorded_at": "later"}, {"hash": "f" * 64}):
            changed = [*rows[:spot], rows[spot]._replace(**change), *rows[spot + 1 :]]
            assert broken_links(changed)
            if changed[-1] != rows[-1]:
                assert wrong_end(changed[-1], len(changed), rows[-1].head, None)
        shorter = rows[:spot] + rows[spot + 1 :]
        if spot < len(rows) - 1:
            assert f"event {spot + 1} is missing" in broken_links(shorter)[0].message
        else:
            assert broken_links(shorter) == [], "the chain alone cannot know its end"
            assert wrong_end(shorter[-1] if shorter else None, len(shorter), rows[-1].head, None)


@given(written=st.integers(0, 5), announced=st.integers(0, 5), committed=st.integers(0, 5))
def test_only_the_head_and_the_head_to_come_are_legal_ends(written: int, announced: int, committed: int) -> None:
    rows = link([Entry("a.b", "x", {"n": n}, "me") for n in range(5)], Head(), "2026-01-01T00:00:00.000000Z")
    heads = [Head(), *(row.head for row in rows)]
    tail: Row | None = rows[committed - 1] if committed else None
    legal = committed == written or (announced > written and committed == announced)
    assert (wrong_end(tail, committed, heads[written], heads[announced]) is None) == legal


def test_a_whole_forged_chain_does_not_fit_the_head_file(store: Store) -> None:
    store.append("a.b", "x", {"n": 1}, "me")
    (forged,) = link([Entry("a.b", "x", {"n": 2}, "me")], Head(), "2026-01-01T00:00:00.000000Z")
    sql(store, "delete from events")
    with duckdb.connect(str(store.home / "store.duckdb")) as connection:
        database.add(connection, [forged])
    for question in (store.events, store.head, lambda: store.append("a.b", "x", {}, "me")):
        with pytest.raises(StoreError, match="not the one that the head file names"):
            question()
    assert [problem.code for problem in store.verify()] == ["store.database"]


def test_what_a_dead_writer_committed_is_finished_and_what_it_did_not_is_forgotten(store: Store) -> None:
    first = store.append("a.b", "x", {"n": 1}, "me")
    head = (store.home / "head.json").read_bytes()
    second = store.append("a.b", "x", {"n": 2}, "me")
    coming = (store.home / "head.json").read_bytes()
    # It died between its commit and the rename: the next reader finishes it.
    (store.home / "head.json").write_bytes(head)
    (store.home / "head.next.json").write_bytes(coming)
    assert store.events() == [first, second]
    assert (store.home / "head.json").read_bytes() == coming
    assert not (store.home / "head.next.json").exists()
    # It died before its commit, and half-way through its note: both are forgotten.
    for note in (coming.replace(b'"sequence": 2', b'"sequence": 9'), coming[:20], b""):
        (store.home / "head.next.json").write_bytes(note)
        assert store.events() == [first, second]
        assert not (store.home / "head.next.json").exists()


def run(code: str, store: Store) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, str(store.home)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


TRY_ONCE = """
import sys
from measurement.errors import StoreError
from measurement.store import Store
from pathlib import Path
try:
    Store(Path(sys.argv[1]), wait=0.05).append("a.b", "x", {}, "me")
except StoreError as error:
    print(error)
"""


def test_a_store_that_others_hold_is_waited_for_and_then_said_to_be_busy(store: Store) -> None:
    store.append("a.b", "x", {}, "me")
    with duckdb.connect(str(store.home / "store.duckdb")):  # another program
        assert "busy" in run(TRY_ONCE, store).communicate()[0]
    with locked(store.home / "lock", exclusive=True, wait=1):  # another Theodolite
        assert "busy" in run(TRY_ONCE, store).communicate()[0]
    assert len(store.events()) == 1


HOLD_ON = """
import sys, time
from pathlib import Path
from measurement.store.files import locked
turns, end = 0, time.monotonic() + 3
while time.monotonic() < end:
    with locked(Path(sys.argv[1]), exclusive=True, wait=30):
        turns += 1
        time.sleep(0.02)
print(turns)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the locks are POSIX")
def test_those_who_wait_for_the_lock_take_turns(store: Store) -> None:
    """Each holds it all the time but for an instant: without a line, whoever has it would have it again and again."""
    command = [sys.executable, "-c", HOLD_ON, str(store.home / "lock")]
    holders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    turns = [int(holder.communicate()[0]) for holder in holders]
    assert min(turns) > max(turns) / 3
    began = time.monotonic()
    with locked(store.home / "lock", exclusive=True, wait=1):
        assert time.monotonic() - began < 1


# -- artifacts --------------------------------------------------------------------------------------------------------


def test_artifacts_lie_under_their_hash_and_nothing_beside_them(store: Store) -> None:
    for data in (b"one", b"", b"one"):
        store.put(data)
    assert sorted(path.name for path in (store.home / "artifacts").rglob("*") if path.is_file()) == store.artifacts()


def test_drafts_of_killed_writers_are_swept_a_day_later(store: Store) -> None:
    store.put(b"kept")
    old, fresh = (store.home / "artifacts" / name for name in (".draft-old", ".draft-fresh"))
    for draft in (old, fresh):
        draft.write_bytes(b"half")
    os.utime(old, (0, 0))
    Store.open(store.home)
    assert (old.exists(), fresh.exists()) == (False, True)
    assert store.verify() == []
    assert len(store.artifacts()) == 1


# -- the folder and its versions --------------------------------------------------------------------------------------


def test_create_makes_and_open_finds_and_neither_harms_what_is_there(tmp_path: Path) -> None:
    workspace = tmp_path / "new" / "folder"
    assert not Store.exists(workspace)
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(workspace)
    assert not workspace.exists()
    store = Store.create(workspace)
    assert Store.exists(workspace)
    assert Store.exists(workspace / ".theodolite")
    assert store.head() == Head(0, GENESIS)
    store.append("a.b", "x", {}, "me")
    assert Store.create(workspace).events() == Store.open(workspace / ".theodolite").events() == store.events()


def test_a_workspace_may_have_any_name(tmp_path: Path) -> None:
    for number, name in enumerate(["it's; drop table events", "50% of ü 東京", "a=b&c#d", ".wal", "$1 {home}", "-rf"]):
        store = Store.create(tmp_path / name)
        store.append("a.b", name, {"n": number}, "me")
        store.put(name.encode())
        assert [event.subject for event in Store.open(tmp_path / name).events()] == [name]
        assert store.verify() == []


@pytest.mark.skipif(sys.platform != "linux", reason="names that other systems do not allow")
def test_a_workspace_whose_name_the_database_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.create(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(StoreError, match=r"no '\?' in a path"):
        Store.create(tmp_path / "what?")


STEP = statements.Migration(
    2,
    "create table notes (event bigint not null, note varchar); insert into notes select sequence, 'kept' from events;",
)


def versions(store: Store) -> int:
    with duckdb.connect(str(store.home / "store.duckdb"), read_only=True) as connection:
        return statements.version(connection)


def test_an_older_store_is_backed_up_and_brought_to_this_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [store.append("a.b", "x", {"n": number}, "me") for number in range(3)]
    shipped = statements.migrations()
    assert versions(store) == len(shipped)
    monkeypatch.setattr(statements, "migrations", lambda: (*shipped, STEP))
    assert store.events() == events, "older tables can still be read"
    assert versions(store) == 1

    newer = Store.open(store.home)
    assert versions(newer) == 2
    assert newer.events() == events
    assert newer.append("a.b", "x", {}, "me").sequence == 4
    with duckdb.connect(str(store.home / "store.duckdb"), read_only=True) as connection:
        assert connection.execute("select event, note from notes").fetchall() == [(1, "kept"), (2, "kept"), (3, "kept")]
    (backup,) = (store.home / "backups").iterdir()
    assert backup.name == "version-1-events-3"

    monkeypatch.setattr(statements, "migrations", lambda: shipped)
    for question in (lambda: Store.open(store.home), newer.events, lambda: newer.append("a.b", "x", {}, "me")):
        with pytest.raises(StoreError, match=r"has version 2; this Theodolite knows up to version 1"):
            question()
    restored = Store.create(store.home.parent / "restored")
    for name in ("store.duckdb", "head.json"):
        (restored.home / name).write_bytes((backup / name).read_bytes())
    assert restored.events() == events


def test_a_migration_that_fails_or_meets_damage_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append_many([Entry("a.b", "x", {}, "me")] * 2)
    shipped = statements.migrations()
    broken = statements.Migration(2, "create table notes (note varchar); insert into notes values (1, 2, 3);")
    monkeypatch.setattr(statements, "migrations", lambda: (*shipped, broken))
    with pytest.raises(StoreError):
        Store.open(store.home)
    monkeypatch.setattr(statements, "migrations", lambda: shipped)
    assert len(Store.open(store.home).events()) == 2
    with duckdb.connect(str(store.home / "store.duckdb"), read_only=True) as connection:
        assert ("notes",) not in connection.execute("select table_name from information_schema.tables").fetchall()
    sql(store, "update events set actor = 'you' where sequence = 1")
    monkeypatch.setattr(statements, "migrations", lambda: (*shipped, STEP))
    with pytest.raises(StoreError, match="event 1 is not what was recorded"):
        Store.open(store.home)
    assert versions(store) == 1


def test_a_database_of_another_program_is_refused(store: Store) -> None:
    (store.home / "store.duckdb").unlink()
    with duckdb.connect(str(store.home / "store.duckdb")) as connection:
        connection.execute("create table sales (day date)")
    with pytest.raises(StoreError, match="cannot be used"):
        Store.open(store.home)


def test_migrations_ship_numbered_from_one() -> None:
    assert [step.version for step in statements.migrations()] == list(range(1, len(statements.migrations()) + 1))
    assert all("create table" in step.sql for step in statements.migrations()[:1])
