"""What the registry's crash tests run in a process of its own: lives of tests that are cut off at any moment.

Each command prints one JSON line with what was seen; the tests and ``benchmarks/study_registry.py`` judge it. Every
file of the store is what the program itself writes. In `kills` the posterior of a fit is random bytes of its size, so
that a fit is kept as often as a test is registered; `fits` makes real ones. The store lies in a folder, or on the
PostgreSQL that ``conninfo`` reaches, which can be killed as well.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from experiments import registry
from experiments.registry import details, plan
from measurement.errors import DataError, StoreError
from measurement.store import Server, Store
from tests import postgres_server
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

    yield from beginning(store, name, place)
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


def beginning(store: Store, name: str, place: int) -> Iterator[str]:
    """A test until it is approved."""
    yield registry.add(store, [planned(name, place)], "Ada")[0].hash
    for action, detail in (("submit", details.Detail()), ("approve", registry.approval(self_approved=True))):
        yield registry.record(store, registry.Asked(action, name, "Ada", detail)).hash  # type: ignore[arg-type]


def lives(store: Store, round_: int) -> Iterator[str]:
    """One test after the other."""
    for number in range(10_000):
        yield from life(store, f"{round_}-{number}", 37 * round_ + number)


def fitting(store: Store, round_: int) -> Iterator[str]:
    """One test after the other up to its approval, and after each a short fit of the study, by NUTS."""
    from theodolite.study import Study

    for number in range(10_000):
        yield from beginning(store, f"{round_}-{number}", 37 * round_ + number)
        Study.open(store.home.parent).fit(seed=number, chains=2, warmup=50, draws=100)
        yield store.events(kind=results.FIT)[-1].hash


def child(action: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        except StoreError:  # the server is gone; whoever waits for it is told
            os._exit(3)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return pid


@dataclass
class Seen:
    """What was found after each kill, held against all that was ever said."""

    counts: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)

    def look(self, store: Store, acknowledged: list[str]) -> None:
        found = [event.hash for event in store.events()]
        self.counts["acknowledged"] += len(acknowledged)
        self.counts["lost"] += len({*self.known, *acknowledged} - {*found})
        self.counts["rewritten"] += found[: len(self.known)] != self.known
        self.counts["unacknowledged"] += len(found) - len(self.known) - len(acknowledged)
        self.problems += [str(problem) for problem in (*store.verify(), *registry.examine(store))]
        for test in registry.load(store).tests.values():
            self.counts["half"] += test.state != test.history[-1].state
            self.states[test.state] += 1
        self.known = found

    def told(self) -> dict[str, Any]:
        names = ("kills", "acknowledged", "lost", "rewritten", "half", "unacknowledged", "fits")
        counts = {name: self.counts[name] for name in names}
        return {**counts, "problems": self.problems, "states": dict(self.states)}


def killed(
    work: Callable[[], Iterator[str]],
    rng: random.Random,
    kill: Callable[[int], None],
    most: int,
    longest: float = 0.1,
) -> list[str]:
    """Work in a process of its own until it is killed at a random moment; what it acknowledged.

    Args:
        work: Gives the hashes that it acknowledges.
        rng: Draws the moment.
        kill: Kills the process of that id, with what it needs.
        most: The moment comes after fewer acknowledgements than this,
        longest: and up to so many seconds later.
    """
    read, write = os.pipe()

    def busy() -> None:
        for done in work():
            os.write(write, f"{done}\n".encode())

    pid = child(busy)
    os.close(write)
    with os.fdopen(read) as pipe:
        lines = [pipe.readline() for _ in range(rng.randrange(most))]  # so that it gets on, however busy the machine
        time.sleep(rng.uniform(0.0, longest))
        kill(pid)
        lines += pipe.readlines()
    os.waitpid(pid, 0)
    return [line.strip() for line in lines if line.endswith("\n")]


def kill9(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kills(folder: str, count: str, seed: str, conninfo: str = "", crashing: str = "") -> dict[str, Any]:
    """Kill a process that leads tests through their lives; after each kill compare the store with what it said.

    With ``crashing``, the folder of a PostgreSQL server, that server is killed instead, and started again.
    """
    rng = random.Random(int(seed))  # noqa: S311
    seen = Seen()

    def kill(pid: int) -> None:
        if crashing:
            postgres_server.restart(Path(crashing))
        kill9(pid)

    for round_ in range(int(count)):
        if round_ % ROUNDS_PER_STORE == 0:
            home, seen.known = Path(folder) / "store", []
            shutil.rmtree(home, ignore_errors=True)
            server = Server(conninfo, f"kills_{seed}_{round_}") if conninfo else None
            store = Store.create(home, server=server)
        acknowledged = killed(lambda r=round_, s=store: lives(s, r), rng, kill, 10)  # type: ignore[misc]
        seen.counts["kills"] += 1
        store = Store.open(home, server=server)
        seen.look(store, acknowledged)
    return seen.told()


def fits(folder: str, count: str, seed: str) -> dict[str, Any]:
    """Kill a process that plans tests and fits a small model after each; the last fit must always be readable."""
    import calibration.calibrated_fit  # noqa: F401 (once here and not once per child)
    import measurement.mmm.numpyro_engine  # noqa: F401

    rng = random.Random(int(seed))  # noqa: S311
    store, seen = Store.open(folder), Seen()
    seen.known = [event.hash for event in store.events()]
    for round_ in range(int(count)):
        work = lambda r=round_: fitting(Store.open(folder), r)  # type: ignore[misc]  # noqa: E731
        acknowledged = killed(work, rng, kill9, 5, longest=6.0)  # while it is planned, fitted or kept
        seen.counts["kills"] += 1
        seen.look(store, acknowledged)
        kept = results.load_fit(store)
        seen.counts["half"] += kept is None or kept.calibrated is None or not kept.best.draws
    seen.counts["fits"] = len(store.events(kind=results.FIT))
    return seen.told()


def company(folder: str) -> dict[str, Any]:
    """A small study with a test and a first fit; what it compiles is compiled once."""
    from measurement.simulate import national, simulate
    from theodolite.study import Study
    from theodolite.workspace import Settings, initialise

    place = Path(folder)
    simulate(national(weeks=60, channels=("tv", "social"), seed=5, n_tests=1)).write(place / "tables")
    media, outcome = (str(place / "tables" / name) for name in ("media.csv", "outcome.csv"))
    initialise(place, media, outcome, None, {}, Settings(name="acme", kpi="revenue"))
    study = Study.open(place)
    study.import_experiments(place / "tables" / "experiments.json")
    study.fit(seed=0, chains=2, warmup=50, draws=100)
    return {}


def writer(folder: str, name: str, count: str, conninfo: str = "") -> dict[str, Any]:
    """Register tests of its own, and approve tests that another process approves at the same time."""
    store, approved = opened(folder, conninfo), []
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


def append(folder: str, name: str, count: str, conninfo: str = "") -> dict[str, Any]:
    """Write events of its own, one by one; the hashes that were acknowledged."""
    store = opened(folder, conninfo)
    return {"hashes": [store.append("test.written", name, {"number": n}, name).hash for n in range(int(count))]}


def opened(folder: str, conninfo: str) -> Store:
    """The store that two processes share, made where there is none."""
    return Store.create(folder, server=Server(conninfo, "shared") if conninfo else None)


def shared(folder: str, count: str, conninfo: str = "") -> dict[str, Any]:
    """Make a store with drafts that several processes will want to approve."""
    store = opened(folder, conninfo)
    registry.add(store, [planned(f"shared-{number}", number) for number in range(int(count) // 2)], "author")
    return {}


if __name__ == "__main__":
    commands = {"kills": kills, "fits": fits, "company": company, "writer": writer, "shared": shared, "append": append}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
