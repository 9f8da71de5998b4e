"""What damage does to a store: each trial changes one thing behind its back, and says what came of it.

*found* is what `theodolite doctor` names (it rehearses a write too), *harmless* what leaves every answer as it was (a
byte that nothing uses), and *served* what must never be: another answer than was written, or one that is lost and of
which doctor says nothing. The store holds tests through their whole lives and the fits after them.
"""

import random
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from measurement.errors import StoreError
from measurement.store import Event, Server, Store
from tests.hostile.registry_crash_driver import life
from theodolite import doctor

COLUMNS = ("recorded_at", "actor", "kind", "subject", "payload", "previous", "hash")
LIVES = 4

type Connection = psycopg.Connection[tuple[Any, ...]]
type Found = Counter[tuple[str, str, str]]  # what was damaged, how, and what came of it


def lived(folder: Path, server: Server | None = None) -> Store:
    """A workspace's store in which some tests have lived."""
    store = Store.create(folder, server=server)
    place = f'[store]\npostgres = "{server.conninfo}"\nschema_name = "{server.schema}"\n' if server else ""
    toml = f'[study]\nname = "acme"\n[data]\nmedia = "media.csv"\noutcome = "outcome.csv"\n{place}'
    (folder / "theodolite.toml").write_text(toml, encoding="utf-8")
    for number in range(LIVES):
        for _ in life(store, f"test-{number}", 37 * number):
            pass
    return store


@dataclass(frozen=True)
class Whole:
    """What a store holds."""

    events: list[Event]
    artifacts: dict[str, bytes]

    @classmethod
    def of(cls, store: Store) -> "Whole":
        return cls(store.events(), {name: store.get(name) for name in store.artifacts()})


def served(store: Store, whole: Whole) -> tuple[list[Event] | None, dict[str, bytes]]:
    """What a store still gives out; ``None`` where it refuses."""
    try:
        events: list[Event] | None = Store.open(store.home, server=store.server).events()
    except StoreError:
        events = None
    artifacts = {}
    for name in whole.artifacts:
        try:
            artifacts[name] = store.get(name)
        except StoreError:
            continue
    return events, artifacts


def outcome(store: Store, whole: Whole) -> str:
    """What came of a change."""
    named = not all(finding.ok for finding in doctor.store(store.home.parent))
    events, artifacts = served(store, whole)
    if events not in (None, whole.events) or any(artifacts[name] != whole.artifacts[name] for name in artifacts):
        return "served"
    if named:
        return "found"
    return "served" if events is None or artifacts != whole.artifacts else "harmless"


def files(intact: Store, folder: Path, count: int, seed: int) -> Found:
    """Flip a bit of a file or cut it short: of the database every other time, of the head or an artifact otherwise."""
    rng, whole, seen = random.Random(seed), Whole.of(intact), Counter[tuple[str, str, str]]()  # noqa: S311
    others = ["head.json", *(f"artifacts/{name[:2]}/{name}" for name in whole.artifacts)]
    for trial in range(count):
        store = Store(folder / str(trial) / ".theodolite")
        shutil.copytree(intact.home, store.home)
        name = "store.duckdb" if trial % 2 else rng.choice(others)
        victim = store.home / name
        data = bytearray(victim.read_bytes())
        spot = rng.randrange(len(data))
        if trial % 5 == 4:
            del data[spot:]
        else:
            data[spot] ^= 1 << rng.randrange(8)
        victim.write_bytes(data)
        what = {"store.duckdb": "the database", "head.json": "the head"}.get(name, "an artifact")
        seen[what, "cut short" if trial % 5 == 4 else "a bit flipped", outcome(store, whole)] += 1
        shutil.rmtree(store.home.parent)
    return seen


def rows(store: Store, count: int, seed: int) -> Found:
    """Change a character of an event or a bit of an artifact, or take one away, as an administrator could."""
    assert store.server is not None
    rng, whole, seen = random.Random(seed), Whole.of(store), Counter[tuple[str, str, str]]()  # noqa: S311
    with psycopg.connect(
        store.server.conninfo, options=f"-c search_path={store.server.schema}", autocommit=True
    ) as connection:
        connection.execute("create table kept_artifacts as select * from artifacts")
        connection.execute("create table kept_events as select * from events")
        for trial in range(count):
            gone = trial % 5 == 4
            if trial % 2:
                what = "an event"
                _an_event(connection, rng.randint(1, len(whole.events)), rng, gone)
            else:
                what = "an artifact"
                _an_artifact(connection, rng.choice(sorted(whole.artifacts)), rng, gone)
            seen[what, "taken away" if gone else "changed", outcome(store, whole)] += 1
            for table in ("artifacts", "events"):
                names = {"table": sql.Identifier(table), "kept": sql.Identifier(f"kept_{table}")}
                connection.execute(sql.SQL("delete from {table}").format(**names))
                connection.execute(sql.SQL("insert into {table} select * from {kept}").format(**names))
    return seen


def _an_artifact(connection: Connection, name: str, rng: random.Random, gone: bool) -> None:
    if gone:
        connection.execute("delete from artifacts where digest = %s", [name])
        return
    (length,) = connection.execute("select length(content) from artifacts where digest = %s", [name]).fetchone() or [0]
    change = "update artifacts set content = set_byte(content, %(at)s, get_byte(content, %(at)s) # %(bit)s)"
    told = {"at": rng.randrange(length), "bit": 1 << rng.randrange(8), "name": name}
    connection.execute(change + " where digest = %(name)s", told)


def _an_event(connection: Connection, number: int, rng: random.Random, gone: bool) -> None:
    if gone:
        connection.execute("delete from events where sequence = %s", [number])
        return
    column = sql.Identifier(rng.choice(COLUMNS))
    read = sql.SQL("select {} from events where sequence = %s").format(column)
    (text,) = connection.execute(read, [number]).fetchone() or [""]
    spot = rng.randrange(len(text))
    others = [letter for letter in "0123456789abcdef" if letter != text[spot]]
    changed = text[:spot] + rng.choice(others) + text[spot + 1 :]
    connection.execute(sql.SQL("update events set {} = %s where sequence = %s").format(column), [changed, number])
