"""Is this installation sound, and is a workspace's store whole? Pure questions; the faces print the answers."""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import measurement
from measurement.errors import StoreError, TheodoliteError, shown
from measurement.version import __version__

if TYPE_CHECKING:
    from measurement.store import Store

PYTHON = (3, 12)
PACKAGES = ("altair", "arviz-stats", "duckdb", "jax", "numpy", "numpyro", "pandas", "pydantic", "scipy", "typer")

SHORTEST_HEAD = 12
"""Characters of a hash that name one event."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer.

    Attributes:
        name: What was looked at.
        ok: Whether it is as it should be.
        detail: What was found, and what to do where it is not.
    """

    name: str
    ok: bool
    detail: str


def examine(workspace: Path | None = None, head: str | None = None) -> list[Finding]:
    """Look at the installation, and at the workspace's store where there is one.

    Args:
        workspace: The workspace's folder; ``None`` for the installation alone.
        head: The hash that a report printed; the store must still hold that event.
    """
    return installation() + ([] if workspace is None else [*store(workspace, head), *served(workspace)])


def installation() -> list[Finding]:
    """Look at Python, the packages, the name `measurement`, JAX's devices and the cache folder."""
    return [python(), ours(), *map(package, PACKAGES), devices(), cache()]


def python() -> Finding:
    """Whether Python is new enough."""
    found = sys.version_info[:2]
    wanted = "" if found >= PYTHON else f"; Theodolite needs {'.'.join(map(str, PYTHON))} or newer"
    return Finding("python", found >= PYTHON, f"{platform.python_version()} on {platform.system()}{wanted}")


def ours() -> Finding:
    """Whether the package `measurement` that Python finds is the one that came with this package."""
    found, beside = Path(measurement.__file__ or "").parent, Path(__file__).parents[1] / "measurement"
    if hasattr(measurement, "TheodoliteError") and found.resolve() == beside.resolve():
        return Finding("measurement", True, f"version {__version__} in {shown(found, 400)}")
    detail = (
        f"found in {shown(found, 400)}, not beside this program: another distribution installs that name; run "
        "`pip uninstall measurement`, then install theodolite again"
    )
    return Finding("measurement", False, detail)


def package(name: str) -> Finding:
    """Whether a distribution is installed, and which version."""
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed; install theodolite again")


def devices(command: Sequence[str] = (), timeout: float = 60.0) -> Finding:
    """Whether JAX starts, and on which devices; in a process of its own, since a wrong build can end the process.

    Args:
        command: What to run instead, for tests.
        timeout: Seconds after which it counts as hanging.
    """
    code = "import jax; print(jax.default_backend(), len(jax.devices()))"
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and a constant)
            list(command) or [sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("jax devices", False, f"JAX did not start within {timeout:g} s")
    except OSError as error:
        return Finding("jax devices", False, f"JAX could not be started: {error.strerror}")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return Finding("jax devices", False, f"JAX does not start (exit {done.returncode}): {shown(last, 300)}")
    return Finding("jax devices", True, shown(done.stdout.strip()))


def cache(folder: Path | None = None) -> Finding:
    """Whether the cache folder can be written; without it every fit compiles anew.

    Args:
        folder: The cache folder; the one in use by default.
    """
    from measurement.cache import cache_folder

    place = folder or cache_folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place) as file:
            file.write(b"theodolite")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding("cache", False, f"{shown(place, 400)} cannot be written: {error.strerror}")
    return Finding("cache", True, shown(place, 400))


def store(workspace: Path, head: str | None = None) -> list[Finding]:
    """Whether a workspace's store opens, its chain of events holds, and its artifacts are what they were.

    Args:
        workspace: The workspace's folder.
        head: The hash that a report printed, to be found in the chain.
    """
    from measurement.store import Store
    from theodolite import config

    try:
        file = workspace / config.FILE_NAME
        server = config.load(file).store.server if file.exists() else None
        if not Store.exists(workspace, server=server):
            return [Finding("store", True, f"none in {shown(workspace, 400)} yet")]
    except TheodoliteError as error:
        return [Finding("store", False, shown(error, 400))]
    found = Store(Store.home_of(workspace), server=server)
    problems = found.verify()
    chain = [problem.message for problem in problems if problem.code != "store.artifact"]
    artifacts = [problem.message for problem in problems if problem.code == "store.artifact"]
    if chain:
        backups = sorted(folder.name for folder in (found.home / "backups").glob("*"))
        advice = f"; the last backup is .theodolite/backups/{shown(backups[-1])}" if backups else ""
        events = Finding("store events", False, _first(chain) + advice)
    else:
        events = _whole(found)
    detail = _first(artifacts) if artifacts else f"{len(found.artifacts())} whole"
    findings = [events, Finding("store artifacts", not artifacts, detail)]
    if not chain:
        findings += [registry(found), *([] if head is None else [printed(found, head)])]
    return findings


def _whole(found: "Store") -> Finding:
    """A chain that holds; whether its store is still written here."""
    end, place = found.head(), found.moved_to()
    said = f"{end.sequence} whole in {found.address}, head {end.hash}"
    if place is None:
        return Finding("store events", True, said)
    advice = "finish that move by the same `theodolite store move`, or let theodolite.toml name that place"
    return Finding("store events", False, f"{said}; but the store has moved to {shown(place)}: {advice}")


def served(workspace: Path) -> list[Finding]:
    """Whether a server of the workspace answers, where one has left word of itself."""
    from measurement.store import Store
    from theodolite.talking import RUNTIME, running

    file = Store.home_of(workspace) / RUNTIME
    if not file.exists():
        return []
    found = running(workspace)
    if found is None:
        detail = f"{shown(file, 400)} was left behind by one that was killed; the next `theodolite serve` replaces it"
        return [Finding("server", True, detail)]
    return [Finding("server", True, f"answers at {found.url}, process {found.pid}")]


def registry(found: "Store") -> Finding:
    """Whether every event of tests, decisions and plans could have happened; the chain of hashes cannot know that."""
    from experiments.registry import fold
    from theodolite import decisions, plan_states

    events, counts = found.events(), []
    try:
        counts = [len(fold(events).tests), len(decisions.fold(events)), len(plan_states.states(events))]
    except StoreError as error:
        return Finding("registry", False, shown(error, 400))
    return Finding("registry", True, "{} tests, {} decisions and {} plans, all in order".format(*counts))


def printed(found: "Store", head: str) -> Finding:
    """Whether the event whose hash a report printed is still there: otherwise the history was written anew."""
    events, wanted = found.events(), head.strip().lower()
    places = [event.sequence for event in events if len(wanted) >= SHORTEST_HEAD and event.hash.startswith(wanted)]
    if places:
        return Finding("head", True, f"event {places[0]} of {len(events)}: what was recorded up to there is unchanged")
    detail = f"no event has the hash {shown(head)}: the report was made from another store, or this one was rewritten"
    return Finding("head", False, detail)


def _first(wrong: Sequence[str]) -> str:
    return wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
