"""What every store does, wherever it lies: the same tests on a workspace's DuckDB and on PostgreSQL."""

import hashlib
import itertools
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from measurement.errors import DataError, StoreError
from measurement.store import Entry, Head, Server, Store
from measurement.store.chain import GENESIS
from measurement.store.keeper import MOVED

ROOT = Path(__file__).parents[2]
SCHEMAS = (f"study_{number}" for number in itertools.count())


def clock() -> Any:
    times = (datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=second) for second in range(10_000))
    return lambda: next(times)


@pytest.fixture(params=["workspace", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "workspace":
        return Store.create(tmp_path, clock=clock())
    return Store.create(tmp_path, clock=clock(), server=Server(request.getfixturevalue("postgres"), next(SCHEMAS)))


def sql(store: Store, *commands: str) -> None:
    """Change the tables behind the store's back."""
    if store.server is None:
        with duckdb.connect(str(store.home / "store.duckdb")) as connection:
            for command in commands:
                connection.execute(command)
    else:
        with psycopg.connect(store.server.conninfo, options=f"-c search_path={store.server.schema}") as server:
            for command in commands:
                server.execute(command.encode())


def damage(store: Store, name: str, content: bytes | None) -> None:
    """Put other bytes in place of an artifact, or none."""
    if store.server is None:
        path = store.home / "artifacts" / name[:2] / name
        path.unlink() if content is None else path.write_bytes(content)
    elif content is None:
        sql(store, f"delete from artifacts where digest = '{name}'")  # noqa: S608 (a hash)
    else:
        sql(store, f"update artifacts set content = '\\x{content.hex()}' where digest = '{name}'")  # noqa: S608


def test_an_event_comes_back_as_it_was_recorded(store: Store) -> None:
    payload = {
        "text": "Zürich — 東京 \0 '; drop table events; --",
        "number": 0.1,
        "list": [1, None, True],
        "big": 10**30,
    }
    written = store.append("study.noted", "id-1", payload, "Ada")
    (read,) = Store.open(store.home.parent, server=store.server).events()
    assert read == written
    assert read.payload == payload
    assert (read.sequence, read.actor, read.kind, read.subject) == (1, "Ada", "study.noted", "id-1")
    assert read.previous == GENESIS
    assert store.head() == Head(1, read.hash)


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


COUNT_UP = """
import sys
from measurement.store import Entry, Server, Store
store = Store.open(sys.argv[1], server=Server(*sys.argv[2:]) if sys.argv[2:] else None)
for _ in range(10):
    store.append_decided(lambda events: [Entry("a.b", "x", {"count": len(events)}, "me")])
"""


def run(code: str, store: Store) -> subprocess.Popen[str]:
    place = [store.server.conninfo, store.server.schema] if store.server else []
    command = [sys.executable, "-c", code, str(store.home), *place]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


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


def test_an_append_takes_tens_of_milliseconds(store: Store) -> None:
    started = time.perf_counter()
    for number in range(20):
        store.append("a.b", "x", {"n": number}, "me")
    assert (time.perf_counter() - started) / 20 < 0.5


def test_a_damaged_artifact_is_not_served_and_can_be_put_again(store: Store) -> None:
    name = store.put(b"the model")
    damage(store, name, b"the mode1")
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
        damage(store, name, None)
    assert [problem.message[:7] for problem in store.verify()] == ["event 1", "event 2", "event 3"]


@pytest.mark.parametrize("name", ["", "../../head.json", "/etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", None])
def test_only_a_hash_names_an_artifact(store: Store, name: Any) -> None:
    with pytest.raises(StoreError, match="not an artifact's name"):
        store.get(name)
    with pytest.raises(StoreError, match="no artifact"):
        store.get("0" * 64)


def test_artifacts_come_back_and_are_kept_once(store: Store) -> None:
    data = bytes(range(256)) * 100
    name = store.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert store.put(data) == name
    other = store.put(b"")
    assert store.get(name) == data
    assert store.get(other) == b""
    assert store.artifacts() == sorted([name, other])


def test_create_makes_and_open_finds(store: Store, tmp_path: Path) -> None:
    assert Store.exists(tmp_path, server=store.server)
    store.append("a.b", "x", {}, "me")
    again = Store.create(tmp_path, server=store.server)
    assert again.events() == Store.open(tmp_path, server=store.server).events() == store.events()


@pytest.fixture
def elsewhere(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """The other kind of store of the same workspace, empty."""
    if store.server is not None:
        return Store.create(tmp_path)
    return Store.create(tmp_path, server=Server(request.getfixturevalue("postgres"), next(SCHEMAS)))


def test_a_move_takes_everything_and_the_old_place_takes_no_more(store: Store, elsewhere: Store) -> None:
    named = [store.put(text) for text in (b"one", bytes(range(256)))]
    store.append_many([Entry("a.b", "x", {"artifact": name, "n": 0.1}, "me") for name in named])
    before = store.rows()
    moved = store.move(elsewhere, "Ada")
    assert (moved.kind, moved.actor, moved.payload["to"]) == (MOVED, "Ada", elsewhere.address)
    assert (store.moved_to(), elsewhere.moved_to()) == (elsewhere.address, None)
    assert elsewhere.rows()[:-1] == before
    assert elsewhere.rows() == store.rows()
    assert elsewhere.artifacts() == store.artifacts() == sorted(named)
    assert [elsewhere.get(name) for name in named] == [b"one", bytes(range(256))]
    assert store.verify() == elsewhere.verify() == []
    with pytest.raises(StoreError, match=r"has moved to .*Ada"):
        store.append("a.b", "x", {}, "late")
    assert elsewhere.append("a.b", "x", {}, "me").previous == moved.hash
    assert elsewhere.move(store, "Ada").payload["to"] == store.address, "and back, onto its own beginning"
    assert store.append("a.b", "x", {}, "me").sequence == 6
    with pytest.raises(StoreError, match="has moved"):
        elsewhere.append("a.b", "x", {}, "me")


def test_a_move_that_was_interrupted_is_finished_by_doing_it_again(
    store: Store, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append_many([Entry("a.b", "x", {"artifact": store.put(b"one")}, "me")] * 3)
    for broken in ("put", "_continue", "append", "verify"):

        def fail(*_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Store, broken, fail)
            with pytest.raises(KeyboardInterrupt):
                store.move(elsewhere, "me")
    assert store.move(elsewhere, "me").sequence == 4
    assert elsewhere.rows() == store.rows()


def test_a_move_onto_other_events_is_refused(store: Store, elsewhere: Store) -> None:
    store.append("a.b", "x", {}, "me")
    elsewhere.append("c.d", "y", {}, "someone else")
    store.put(b"ours")
    with pytest.raises(DataError, match="already holds other events"):
        store.move(elsewhere, "me")
    assert elsewhere.artifacts() == [], "nothing is left in a store that is another study's"
    assert [event.kind for event in store.events()] == ["a.b"]
    assert [event.kind for event in elsewhere.events()] == ["c.d"]
