"""What the registry's crash tests run in a process of its own: lives of tests that are cut off at any moment.

Each command prints one JSON line with what was seen; the tests and ``benchmarks/study_registry.py`` judge it. Every
file of the store is what the program itself writes; only the posterior of a fit is replaced by random bytes of its
size, so that a fit is kept as often as a test is registered.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from experiments import registry
from experiments.registry import details, plan
from measurement.errors import DataError
from measurement.store import Store
from theodolite import results

ROUNDS_PER_STORE = 25  # so that the history that is read before each write stays short
FIRST = date(2024, 1, 1)


def planned(name: str, place: int) -> plan.Plan:
    start = FIRST + timedelta(days=place % 700)
    fields = {"experiment_id": name, "channel": "tv", "method": "go_dark", "treatment_geos": [name]}
    days = {"start_date": start.isoformat(), "end_date": (start + timedelta(days=27)).isoformat()}
    return plan.parse([{**fields, **days, "control_geos": ["control"], "spend_delta": -100.0, "mde": 0.1}])[0]


def analysed(store: Store, name: str) -> details.Analysis:
    record = registry.load(store)[name].conducted.model_copy(
        update={"estimand": "outcome_change", "estimate": -5.0, "std_error": 1.0, "grade": "B", "kpi": "sales"}
    )
    return details.Analysis(
        record=record, estimator="default", alpha=0.1, kpi="sales", grade="B", checks=(), p_value=0.01, data="d",
        seed=0, versions={}, artifact=store.put(os.urandom(5_000)),
    )  # fmt: skip


def life(store: Store, name: str, place: int) -> Iterator[str]:
    """Everything that can happen to a test, then a fit with it; each step gives the hash that it acknowledges."""

    def act(action: Any, detail: Any) -> str:
        return registry.record(store, registry.Asked(action, name, "Ada", detail)).hash

    yield registry.add(store, [planned(name, place)], "Ada")[0].hash
    yield act("submit", details.Detail())
    approve = registry.approval(self_approved=True)
    yield act("approve", approve)
    yield act("start", details.Start(on=FIRST + timedelta(days=place % 700)))
    yield act("complete", details.Completion(actuals=details.Actuals(incidents=(), spend_delta=-100.0)))
    yield act("analyse", analysed(store, name))
    yield act("accept", details.Acceptance(version=1))
    posterior = SimpleNamespace(
        to_bytes=lambda: os.urandom(100_000), provenance=SimpleNamespace(data="d"),
        diagnostics=SimpleNamespace(converged=True),
    )  # fmt: skip
    kept: Any = SimpleNamespace(
        sibling=posterior, calibrated=posterior, conflicts=(), evidence=({"experiment_id": name},), converged=True
    )
    results.save_fit(store, kept, "Ada")
    yield store.events(kind=results.FIT)[-1].hash


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


def kills(folder: str, count: str, seed: str) -> dict[str, Any]:
    """Kill a process that leads tests through their lives; after each kill compare the store with what it said."""
    rng = random.Random(int(seed))  # noqa: S311
    seen: dict[str, Any] = {"kills": 0, "acknowledged": 0, "lost": 0, "rewritten": 0, "half": 0, "unacknowledged": 0}
    seen |= {"problems": [], "states": {}}
    known: list[str] = []
    home = Path(folder) / "store"
    for round_ in range(int(count)):
        if round_ % ROUNDS_PER_STORE == 0:
            shutil.rmtree(home, ignore_errors=True)
            Store.create(home)
            known = []
        acknowledged = _killed(home, round_, rng, seen)
        store = Store.open(home)
        found = [event.hash for event in store.events()]
        seen["acknowledged"] += len(acknowledged)
        seen["lost"] += len({*known, *acknowledged} - {*found})
        seen["rewritten"] += found[: len(known)] != known
        seen["unacknowledged"] += len(found) - len(known) - len(acknowledged)
        seen["problems"] += [str(problem) for problem in (*store.verify(), *registry.examine(store))]
        for test in registry.load(store).tests.values():
            seen["half"] += test.state != test.history[-1].state
            seen["states"][test.state] = seen["states"].get(test.state, 0) + 1
        known = found
    return seen


def _killed(home: Path, round_: int, rng: random.Random, seen: dict[str, Any]) -> list[str]:
    """One process, killed at a random moment; what it acknowledged."""
    read, write = os.pipe()

    def busy() -> None:
        store = Store.open(home)
        for number in range(10_000):
            for done in life(store, f"{round_}-{number}", 37 * round_ + number):
                os.write(write, f"{done}\n".encode())

    pid = child(busy)
    os.close(write)
    with os.fdopen(read) as pipe:
        lines = [pipe.readline() for _ in range(rng.randrange(10))]  # so that it gets on, however busy the machine
        time.sleep(rng.uniform(0.0, 0.1))
        os.kill(pid, signal.SIGKILL)
        lines += pipe.readlines()
    _, status = os.waitpid(pid, 0)
    seen["kills"] += os.WIFSIGNALED(status)
    return [line.strip() for line in lines if line.endswith("\n")]


def writer(folder: str, name: str, count: str) -> dict[str, Any]:
    """Register tests of its own, and approve tests that another process approves at the same time."""
    store, approved = Store.open(folder), []
    for number in range(int(count) // 2):
        registry.add(store, [planned(f"{name}-{number}", number)], name)
        shared = f"shared-{number}"
        try:
            for action, detail in (("submit", details.Detail()), ("approve", registry.approval(self_approved=True))):
                registry.record(store, registry.Asked(action, shared, name, detail))  # type: ignore[arg-type]
            approved.append(shared)
        except DataError:
            continue
    return {"approved": approved}


def shared(folder: str, count: str) -> dict[str, Any]:
    """Make a store with drafts that several processes will want to approve."""
    store = Store.create(folder)
    registry.add(store, [planned(f"shared-{number}", number) for number in range(int(count) // 2)], "author")
    return {}


if __name__ == "__main__":
    print(json.dumps({"kills": kills, "writer": writer, "shared": shared}[sys.argv[1]](*sys.argv[2:])))
