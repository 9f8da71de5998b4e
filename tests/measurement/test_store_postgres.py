"""A team's store on PostgreSQL: what only it does. What every store does: test_store_contract."""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from measurement.errors import DataError, StoreError
from measurement.store import Entry, Head, Server, Store, statements
from measurement.store.chain import link
from tests import postgres_server

ROOT = Path(__file__).parents[2]
SCHEMAS = (f"team_{number}" for number in itertools.count())


@pytest.fixture
def server(postgres: str) -> Server:
    return Server(postgres, next(SCHEMAS))


@pytest.fixture
def store(server: Server, tmp_path: Path) -> Store:
    return Store.create(tmp_path / "ada", server=server)


def sql(server: Server, command: str) -> list[Any]:
    with psycopg.connect(server.conninfo, options=f"-c search_path={server.schema}") as connection:
        cursor = connection.execute(command.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_team_shares_one_store(store: Store, server: Server, tmp_path: Path) -> None:
    written = store.append("a.b", "x", {"n": 1}, "Ada")
    other = Store.open(tmp_path / "grace", server=server)
    assert other.events() == [written]
    name = other.put(b"a model")
    answer = other.append("c.d", "y", {"artifact": name}, "Grace")
    assert store.events() == [written, answer]
    assert store.get(name) == b"a model"
    assert store.verify() == other.verify() == []


def test_two_studies_in_one_database_do_not_see_each_other(store: Store, postgres: str, tmp_path: Path) -> None:
    store.append("a.b", "x", {}, "me")
    assert not Store.exists(tmp_path, server=Server(postgres, "never_made"))
    with pytest.raises(StoreError, match="there is no store in PostgreSQL, database postgres, schema never_made"):
        Store.open(tmp_path, server=Server(postgres, "never_made"))
    assert Store.create(tmp_path / "other", server=Server(postgres, next(SCHEMAS))).events() == []


def test_a_chain_that_was_forged_whole_does_not_fit_what_a_workspace_saw(store: Store, server: Server) -> None:
    store.append("a.b", "x", {"n": 1}, "me")
    (forged,) = link([Entry("a.b", "x", {"n": 2}, "me")], Head(), "2026-01-01T00:00:00.000000Z")
    sql(server, "delete from events")
    with psycopg.connect(
        server.conninfo, options=f"-c search_path={server.schema}", cursor_factory=psycopg.RawCursor
    ) as connection:
        statements.insert(connection, [forged])
    for question in (store.events, store.head, lambda: store.append("a.b", "x", {}, "me")):
        with pytest.raises(StoreError, match=r"event 1 is not the one that .*head\.json' names"):
            question()
    assert [problem.code for problem in store.verify()] == ["store.database"]


def test_an_older_store_is_backed_up_before_its_tables_change(
    store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = store.append_many([Entry("a.b", "x", {"n": number}, "me") for number in range(3)])
    shipped = statements.migrations()
    step = statements.Migration(2, "create table notes (note varchar); insert into notes values ('kept');")
    broken = statements.Migration(2, "create table notes (note varchar); insert into notes values (1, 2, 3);")
    monkeypatch.setattr(statements, "migrations", lambda: (*shipped, broken))
    with pytest.raises(StoreError):
        Store.open(store.home, server=server)
    monkeypatch.setattr(statements, "migrations", lambda: (*shipped, step))
    assert store.events() == events, "older tables can still be read"
    assert Store.open(store.home, server=server).events() == events
    assert sql(server, "select note from notes") == [("kept",)]
    (backup,) = (store.home / "backups").iterdir()
    lines = [json.loads(line) for line in (backup / "events.jsonl").read_text("utf-8").splitlines()]
    assert [line["hash"] for line in lines] == [event.hash for event in events]
    monkeypatch.setattr(statements, "migrations", lambda: shipped)
    for question in (lambda: Store.open(store.home, server=server), store.events):
        with pytest.raises(StoreError, match="has version 2; this Theodolite knows up to version 1"):
            question()


def test_a_user_who_may_only_add_is_enough_and_cannot_change_history(store: Store, server: Server) -> None:
    store.append("a.b", "x", {}, "owner")
    role = f"writer_{server.schema}"
    sql(server, f"create role {role} login")
    sql(server, f"grant usage on schema {server.schema} to {role}")
    sql(server, f"grant select on all tables in schema {server.schema} to {role}")
    sql(server, f"grant insert on events, artifacts to {role}")
    modest = Server(server.conninfo.replace("user=theodolite", f"user={role}"), server.schema)
    writer = Store.open(store.home.parent.parent / "writer", server=modest)
    name = writer.put(b"mine")
    writer.append("a.b", "y", {"artifact": name}, "writer")
    assert [event.actor for event in store.events()] == ["owner", "writer"]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sql(modest, "update events set actor = 'someone else'")
    with pytest.raises(StoreError, match="this user may not do that there"):
        Store.create(store.home, server=Server(modest.conninfo, next(SCHEMAS)))


@pytest.mark.parametrize(
    ("conninfo", "schema", "words"),
    [
        ("host=db password=secret", "acme", "a password does not belong"),
        ("postgresql://me:secret@db/measure", "acme", "a password does not belong"),
        ("this is nothing", "acme", "does not say how to reach"),
        ("host=db", "Acme; drop schema public", "cannot name a schema"),
        ("host=db", "", "cannot name a schema"),
        ("host=db", "x" * 64, "cannot name a schema"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(conninfo: str, schema: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        Store.open(tmp_path, server=Server(conninfo, schema))
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    nowhere = Server(f"host={tmp_path} dbname=measure", "acme")
    with pytest.raises(StoreError, match=r"schema acme cannot be used: the server cannot be reached") as caught:
        Store.open(tmp_path, server=nowhere, wait=2)
    assert "\n" not in str(caught.value)
    problems = Store(tmp_path, server=nowhere, wait=2).verify()
    assert {problem.code for problem in problems} == {"store.database", "store.artifact"}


def test_a_store_that_others_hold_is_waited_for_and_then_said_to_be_busy(store: Store, server: Server) -> None:
    with psycopg.connect(server.conninfo) as holder:
        holder.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"theodolite {server.schema}"])
        with pytest.raises(StoreError, match=r"busy: others held it for 0\.2 s"):
            Store(store.home, wait=0.2, server=server).append("a.b", "x", {}, "me")
        assert store.events() == [], "reading goes on"
    assert store.append("a.b", "x", {}, "me").sequence == 1


WRITE_ON = """
import sys
from measurement.store import Server, Store
store = Store.open(sys.argv[1], server=Server(*sys.argv[2:4]))
for number in range(int(sys.argv[4])):
    print(store.append("a.b", sys.argv[5], {"n": number}, "me").hash, flush=True)
"""


def write_on(store: Store, count: int, name: str) -> subprocess.Popen[str]:
    assert store.server
    place = [str(store.home.parent / name), store.server.conninfo, store.server.schema]
    command = [sys.executable, "-c", WRITE_ON, *place, str(count), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_two_writers_lose_nothing(store: Store) -> None:
    workers = [write_on(store, 40, name) for name in ("one", "two")]
    acknowledged = {line for worker in workers for line in worker.communicate()[0].split()}
    assert [worker.returncode for worker in workers] == [0, 0]
    assert {event.hash for event in store.events()} == acknowledged
    assert len(acknowledged) == 80


def test_no_acknowledged_write_is_lost_when_a_writer_is_killed(store: Store) -> None:
    acknowledged: set[str] = set()
    for trial in range(6):
        worker = write_on(store, 10_000, f"killed-{trial}")
        assert worker.stdout
        acknowledged.add(worker.stdout.readline().strip())
        time.sleep(0.02 * trial)
        worker.kill()
        acknowledged |= {line.strip() for line in worker.communicate()[0].splitlines() if len(line.strip()) == 64}
        assert store.verify() == []
    assert acknowledged <= {event.hash for event in store.events()}


def test_no_acknowledged_write_is_lost_when_the_server_is_killed(postgres: str, tmp_path: Path) -> None:
    del postgres  # its absence skips this test
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    with postgres_server.running(home) as conninfo:
        store = Store.create(tmp_path, server=Server(conninfo, "acme"))
        worker = write_on(store, 10_000, "writer")
        assert worker.stdout
        acknowledged = {worker.stdout.readline().strip() for _ in range(20)}
        postgres_server.restart(home)
        acknowledged |= {line.strip() for line in worker.communicate(timeout=60)[0].splitlines()}
        assert worker.returncode != 0, "the writer was told that its last write failed"
        assert store.verify() == []
        assert acknowledged <= {event.hash for event in store.events()}
