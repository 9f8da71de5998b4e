"""The store: events under a hash chain, artifacts by content hash, versions of the tables."""

import hashlib
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

from measurement.errors import DataError, StoreError
from measurement.store import Entry, Head, Store, database
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


def test_an_event_comes_back_as_it_was_recorded(store: Store) -> None:
    payload = {
        "text": "Zürich — 東京 \0 '; drop table events; --",
        "number": 0.1,
        "list": [1, None, True],
        "big": 10**30,
    }
    written = store.append("study.noted", "id-1", payload, "Ada")
    (read,) = Store.open(store.home.parent).events()
    assert read == written
    assert read.payload == payload
    assert (read.sequence, read.actor, read.kind, read.subject) == (1, "Ada", "study.noted", "id-1")
    assert read.previous == GENESIS
    assert store.head() == Head(1, read.hash)


def test_times_are_utc_text_from_the_clock_that_was_given(tmp_path: Path) -> None:
    summer = timezone(timedelta(hours=2))
    store = Store.create(tmp_path, clock=clock(datetime(2026, 7, 1, 1, 30, tzinfo=summer)))
    at = store.append("study.noted", "id", {}, "me").at
    assert at.startswith("2026-06-30T23:30:")
    assert at.endswith("Z")
    with pytest.raises(ValueError, match="time zone"):
        Store(store.home, clock=lambda: datetime(2026, 7, 1)).append("study.noted", "id", {}, "me")
    assert len(store.events()) == 1


def test_every_hash_covers_every_field_and_the_hash_before(store: Store) -> None:
    first, second = store.append_many([Entry("a.b", "x", {"n": 1}, "me"), Entry("a.b", "y", {"n": 2}, "me")])
    assert second.previous == first.hash
    content = {
        "sequence": 2,
        "recorded_at": second.at,
        "actor": "me",
        "kind": "a.b",
        "subject": "y",
        "payload": '{"n":2}',
        "previous": first.hash,
        "hash": "",
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert second.hash == hashlib.sha256(text.encode()).hexdigest()


def test_events_are_found_by_kind_and_subject(store: Store) -> None:
    store.append_many([Entry(kind, subject, {}, "me") for kind in ("a.b", "c.d") for subject in ("x", "y")])
    assert [e.sequence for e in store.events()] == [1, 2, 3, 4]
    assert [e.sequence for e in store.events(kind="c.d")] == [3, 4]
    assert [e.sequence for e in store.events(subject="x")] == [1, 3]
    assert [e.sequence for e in store.events(kind="a.b", subject="y")] == [2]
    assert store.events(kind="a.b' or '1'='1") == []


def test_several_events_are_recorded_together_or_not_at_all(store: Store) -> None:
    good = Entry("a.b", "x", {}, "me")
    bad = [Entry("a.b", "x", {"n": float("nan")}, "me"), Entry("", "x", {}, "me"), Entry("a.b", "x\ud800", {}, "me")]
    with pytest.raises(DataError) as caught:
        store.append_many([good, *bad, good])
    assert len(caught.value.problems) == 3
    assert store.events() == []
    assert store.append_many([]) == []
    assert [e.sequence for e in store.append_many([good] * 300)] == list(range(1, 301))
    assert store.verify() == []


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "payload",
    [
        {"n": float("inf")},
        {"when": datetime(2026, 1, 1, tzinfo=UTC)},
        {"raw": b"bytes"},
        {"set": {1, 2}},
        {1: "one", "1": "another"},
        {"half": "\udc00"},
        {"\ud800": 1},
        {"n": 10**5_000},
        nested(100_000),
    ],
    ids=["inf", "datetime", "bytes", "set", "same keys", "surrogate", "surrogate key", "huge", "deep"],
)
def test_a_payload_that_would_not_come_back_is_refused(store: Store, payload: dict[Any, Any]) -> None:
    with pytest.raises(DataError) as caught:
        store.append("a.b", "x", payload, "me")
    assert len(str(caught.value)) < 4_000
    assert store.events() == []


@pytest.mark.parametrize("name", ["", "   ", "a\0b", "x" * 501, 7, None])
@pytest.mark.parametrize("field", ["kind", "subject", "actor"])
def test_names_of_an_event_are_checked(store: Store, field: str, name: Any) -> None:
    names = {"kind": "a.b", "subject": "x", "actor": "me", field: name}
    with pytest.raises(DataError, match=field):
        store.append_many([Entry(payload={}, **names)])
    assert store.head() == Head()


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


@pytest.mark.parametrize(
    ("tampering", "word"),
    [
        ("update events set payload = '{\"n\":9}' where sequence = 2", "event 2 is not what was recorded"),
        ("update events set actor = 'someone else' where sequence = 3", "event 3 is not what was recorded"),
        ("delete from events where sequence = 2", "event 2 is missing"),
        ("delete from events where sequence = 4", "the last 1 of 4 events are lost"),
        ("delete from events", "the last 4 of 4 events are lost"),
        ("insert into events select 5, recorded_at, actor, kind, subject, payload, hash, hash from events "
         "where sequence = 4", "event 5 is not what was recorded"),
        ("update events set hash = previous where sequence = 1", "event 1 is not what was recorded"),
        ("drop table events", "events"),
    ],
)  # fmt: skip
def test_tampering_is_found_and_named_and_nothing_is_served(store: Store, tampering: str, word: str) -> None:
    for number in range(1, 5):
        store.append("a.b", "x", {"n": number}, "me")
    assert store.verify() == []
    sql(store, tampering)
    assert word in store.verify()[0].message
    with pytest.raises(StoreError):
        store.events(subject="nothing of this name")


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


COUNT_UP = """
import sys
from measurement.store import Entry, Store
store = Store.open(sys.argv[1])
for _ in range(10):
    store.append_decided(lambda events: [Entry("a.b", "x", {"count": len(events)}, "me")])
"""

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


def run(code: str, store: Store) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, str(store.home)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_rule_decides_on_what_nobody_else_can_change_meanwhile(store: Store) -> None:
    workers = [run(COUNT_UP, store) for _ in range(2)]
    assert [worker.communicate() for worker in workers] == [("", None)] * 2
    assert [worker.returncode for worker in workers] == [0, 0]
    assert [event.payload["count"] for event in store.events()] == list(range(20))


def test_a_rule_that_raises_records_nothing(store: Store) -> None:
    def refuse(events: Any) -> Any:
        raise DataError("not this one")

    store.append("a.b", "x", {}, "me")
    with pytest.raises(DataError, match="not this one"):
        store.append_decided(refuse)
    assert len(store.events()) == 1
    assert store.append_decided(lambda events: []) == []


def test_a_store_that_others_hold_is_waited_for_and_then_said_to_be_busy(store: Store) -> None:
    store.append("a.b", "x", {}, "me")
    with duckdb.connect(str(store.home / "store.duckdb")):  # another program
        assert "busy" in run(TRY_ONCE, store).communicate()[0]
    with locked(store.home / "lock", exclusive=True, wait=1):  # another Theodolite
        assert "busy" in run(TRY_ONCE, store).communicate()[0]
    assert len(store.events()) == 1


def test_an_append_takes_tens_of_milliseconds(store: Store) -> None:
    started = time.perf_counter()
    for number in range(20):
        store.append("a.b", "x", {"n": number}, "me")
    assert (time.perf_counter() - started) / 20 < 0.5


# -- artifacts --------------------------------------------------------------------------------------------------------


def test_artifacts_are_kept_once_under_their_hash(store: Store) -> None:
    data = bytes(range(256)) * 100
    name = store.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert store.put(data) == name
    other = store.put(b"")
    assert store.get(name) == data
    assert store.get(other) == b""
    assert store.artifacts() == sorted([name, other])
    assert sorted(path.name for path in (store.home / "artifacts").rglob("*") if path.is_file()) == store.artifacts()


def test_a_damaged_artifact_is_not_served_and_can_be_put_again(store: Store) -> None:
    name = store.put(b"the model")
    path = store.home / "artifacts" / name[:2] / name
    path.write_bytes(b"the mode1")
    with pytest.raises(StoreError, match="damaged"):
        store.get(name)
    assert [problem.code for problem in store.verify()] == ["store.artifact"]
    assert store.put(b"the model") == name
    assert store.get(name) == b"the model"
    assert store.verify() == []


def test_an_artifact_that_an_event_needs_is_missed(store: Store) -> None:
    named = [store.put(text) for text in (b"one", b"two", b"three")]
    store.append("a.b", "x", {"artifact": named[0]}, "me")
    store.append("a.b", "x", {"artifacts": {"curve": named[1]}}, "me")
    store.append("a.b", "x", {"artifacts": [named[2], 7], "artifact": None}, "me")
    store.append("a.b", "x", {"artifacts": 7}, "me")
    assert store.verify() == []
    for name in named:
        (store.home / "artifacts" / name[:2] / name).unlink()
    assert [problem.message[:7] for problem in store.verify()] == ["event 1", "event 2", "event 3"]


@pytest.mark.parametrize("name", ["", "../../head.json", "/etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", None])
def test_only_a_hash_names_an_artifact(store: Store, name: Any) -> None:
    with pytest.raises(StoreError, match="not an artifact's name"):
        store.get(name)
    with pytest.raises(StoreError, match="no artifact"):
        store.get("0" * 64)


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


STEP = database.Migration(
    2,
    "create table notes (event bigint not null, note varchar); insert into notes select sequence, 'kept' from events;",
)


def versions(store: Store) -> int:
    with duckdb.connect(str(store.home / "store.duckdb"), read_only=True) as connection:
        return database.version(connection)


def test_an_older_store_is_backed_up_and_brought_to_this_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [store.append("a.b", "x", {"n": number}, "me") for number in range(3)]
    shipped = database.migrations()
    assert versions(store) == len(shipped)
    monkeypatch.setattr(database, "migrations", lambda: (*shipped, STEP))
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

    monkeypatch.setattr(database, "migrations", lambda: shipped)
    for question in (lambda: Store.open(store.home), newer.events, lambda: newer.append("a.b", "x", {}, "me")):
        with pytest.raises(StoreError, match=r"has version 2; this Theodolite knows up to version 1"):
            question()
    restored = Store.create(store.home.parent / "restored")
    for name in ("store.duckdb", "head.json"):
        (restored.home / name).write_bytes((backup / name).read_bytes())
    assert restored.events() == events


def test_a_migration_that_fails_or_meets_damage_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append_many([Entry("a.b", "x", {}, "me")] * 2)
    shipped = database.migrations()
    broken = database.Migration(2, "create table notes (note varchar); insert into notes values (1, 2, 3);")
    monkeypatch.setattr(database, "migrations", lambda: (*shipped, broken))
    with pytest.raises(StoreError):
        Store.open(store.home)
    monkeypatch.setattr(database, "migrations", lambda: shipped)
    assert len(Store.open(store.home).events()) == 2
    with duckdb.connect(str(store.home / "store.duckdb"), read_only=True) as connection:
        assert ("notes",) not in connection.execute("select table_name from information_schema.tables").fetchall()
    sql(store, "update events set actor = 'you' where sequence = 1")
    monkeypatch.setattr(database, "migrations", lambda: (*shipped, STEP))
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
    assert [step.version for step in database.migrations()] == list(range(1, len(database.migrations()) + 1))
    assert all("create table" in step.sql for step in database.migrations()[:1])
