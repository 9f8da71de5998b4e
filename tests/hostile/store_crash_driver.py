"""What the crash tests run in a process of its own: writers that are killed, cut short of disk, or denied writing.

Each command prints one JSON line with what was seen; the tests judge it. The children are forked from this process,
which has no threads, so that a thousand kills take minutes.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measurement.errors import StoreError
from measurement.store import Entry, Store, database, statements


def entry(token: str) -> Entry:
    return Entry("test.written", "subject", {"token": token, "filler": "x" * 400}, "tester")


def tokens(store: Store) -> list[str]:
    return [event.payload["token"] for event in store.events()]


def child(action: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return pid


def writer(folder: str, name: str, count: str) -> dict[str, Any]:
    store = Store.open(folder)
    started = time.perf_counter()
    for number in range(int(count)):
        store.append_many([entry(f"{name}-{number}")])
    return {"seconds": time.perf_counter() - started}


def kills(folder: str, count: str, seed: str) -> dict[str, Any]:
    """Kill a busy writer at random moments; after each kill compare the store with what was acknowledged."""
    rng = random.Random(int(seed))  # noqa: S311
    store = Store.create(folder)
    seen = {"kills": 0, "acknowledged": 0, "unacknowledged": 0, "lost": 0, "problems": [], "disordered": 0}
    known: list[str] = []
    for round_ in range(int(count)):
        read, write = os.pipe()

        def busy(round_: int = round_, write: int = write) -> None:
            mine = Store.open(folder)
            for number in range(10_000):
                names = [f"{round_}-{number}-{part}" for part in range(1 + number % 3)]
                artifact = mine.put(f"{names}".encode() * 50)
                mine.append_many([entry(name) for name in names])
                mine.append("test.fitted", "subject", {"token": f"{names[0]}-fit", "artifact": artifact}, "tester")
                os.write(write, (" ".join([*names, f"{names[0]}-fit"]) + "\n").encode())

        pid = child(busy)
        os.close(write)
        with os.fdopen(read) as pipe:
            lines = [pipe.readline() for _ in range(rng.randrange(3))]  # so that it gets on, however busy the machine
            time.sleep(rng.uniform(0.0, 0.15))
            os.kill(pid, signal.SIGKILL)
            lines += pipe.readlines()
        _, status = os.waitpid(pid, 0)
        acknowledged = [name for line in lines for name in line.split()]
        found = tokens(Store.open(folder))
        seen["kills"] += os.WIFSIGNALED(status)
        seen["acknowledged"] += len(acknowledged)
        seen["lost"] += len(set(known + acknowledged) - set(found))
        seen["unacknowledged"] += len(found) - len(known) - len(acknowledged)
        seen["disordered"] += found[: len(known) + len(acknowledged)] != known + acknowledged
        seen["problems"] += [str(problem) for problem in store.verify()]
        known = found
    return seen


class Steps:
    """Counts the calls that change the disk, and dies before one of them (which is after the one before)."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.count = fatal, 0

    def passed(self) -> None:
        self.count += 1
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.passed()
            return function(*args, **kwargs)

        return stepped

    def watch(self) -> None:
        os.fsync = self.around(os.fsync)
        Path.replace = self.around(Path.replace)  # type: ignore[method-assign]
        for name in ("add", "migrate"):
            setattr(database, name, self.watched(getattr(database, name)))

    def watched(self, function: Callable[..., None]) -> Callable[..., None]:
        return lambda connection, *rest: function(Watched(connection, self), *rest)


class Watched:
    """A connection whose every statement is a step."""

    def __init__(self, connection: Any, steps: Steps) -> None:
        self.execute = steps.around(connection.execute)
        self.executemany = steps.around(connection.executemany)


def steps(folder: str, action: str) -> list[dict[str, Any]]:
    """Die at every step of an action in turn; say what is found after each death, and at last without one."""
    seen = []
    if action != "create":
        Store.create(f"{folder}-before").append_many([entry("first"), entry("second")])
    for fatal in range(1, 1_000):
        shutil.rmtree(folder, ignore_errors=True)
        if action != "create":
            shutil.copytree(f"{folder}-before", folder)
        pid = child(lambda fatal=fatal: act(folder, action, Steps(fatal)))
        _, status = os.waitpid(pid, 0)
        if action == "migrate":
            add_migration()
        store = Store.create(folder) if action == "create" else Store.open(folder)
        before = tokens(store)
        store.append_many([entry("after")])
        seen.append(
            {
                "killed": os.WIFSIGNALED(status),
                "failed": os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0,
                "tokens": before,
                "after": tokens(store)[len(before) :],
                "problems": [str(problem) for problem in store.verify()],
                "version": version(store),
                "artifacts": [len(store.get(name)) for name in store.artifacts()],
            }
        )
        if action == "migrate":
            statements.migrations = SHIPPED
        if not seen[-1]["killed"]:
            return seen
    raise AssertionError("the action never ends")


SHIPPED = statements.migrations


def version(store: Store) -> int:
    with database.connected(store.home / "store.duckdb", read_only=True, wait=1) as connection:
        return statements.version(connection)


def add_migration() -> None:
    step = statements.Migration(2, "alter table events add column note varchar; update events set note = 'kept';")
    statements.migrations = lambda: (*SHIPPED(), step)  # type: ignore[assignment]


def act(folder: str, action: str, steps: Steps) -> None:
    if action == "migrate":
        add_migration()
    steps.watch()
    if action == "create":
        Store.create(folder)
    elif action == "migrate":
        Store.open(folder)
    elif action == "put":
        Store.open(folder).put(b"artifact" * 1_000)
    else:
        Store.open(folder).append_many([entry("third"), entry("fourth")])


def full(folder: str, *limits: str) -> list[dict[str, Any]]:
    """Append until the room granted on the disk is used up, for several grants."""
    seen = []
    for number, limit in enumerate(limits):
        place = f"{folder}/{number}"
        Store.create(place).append_many([entry("first")])
        read, write = os.pipe()

        def fill(place: str = place, limit: str = limit, write: int = write) -> None:
            store = Store.open(place)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
            try:
                for wave in range(40):
                    payload = {"token": f"big-{wave}", "filler": os.urandom(20_000).hex()}
                    store.append("test.written", "subject", payload, "tester")
                    os.write(write, f"big-{wave}\n".encode())
            except StoreError as error:
                os.write(write, f"ERROR {error}\n".encode())

        pid = child(fill)
        os.close(write)
        with os.fdopen(read) as pipe:
            lines = pipe.read().splitlines()
        _, status = os.waitpid(pid, 0)
        store = Store.open(place)
        found = tokens(store)
        store.append_many([entry("after")])
        seen.append(
            {
                "status": os.waitstatus_to_exitcode(status),
                "acknowledged": ["first"] + [line for line in lines if not line.startswith("ERROR")],
                "error": next((line for line in lines if line.startswith("ERROR")), ""),
                "found": found,
                "problems": [str(problem) for problem in store.verify()],
                "after": tokens(store)[-1],
            }
        )
    return seen


def read_only(folder: str) -> dict[str, Any]:
    """Use a store in a folder that may be read but not written."""
    store = Store.create(folder)
    store.append_many([entry("first")])
    kept = store.put(b"kept")
    for path in (Path(folder), *Path(folder).rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:
        os.seteuid(65_534)
    seen: dict[str, Any] = {"errors": []}
    for write in (lambda: store.append_many([entry("second")]), lambda: store.put(b"new")):
        try:
            write()
        except StoreError as error:
            seen["errors"].append(str(error))
    reopened = Store.open(folder)
    return seen | {
        "tokens": tokens(reopened),
        "kept": reopened.get(kept).decode(),
        "problems": [str(problem) for problem in reopened.verify()],
    }


if __name__ == "__main__":
    commands = {"writer": writer, "kills": kills, "steps": steps, "full": full, "read_only": read_only}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
