"""Shared fixtures."""

import csv
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres_server

# The same examples in every run, however slow the machine: what fails here fails everywhere.
settings.register_profile("house", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of public data with published results; tests that need it skip where it is absent."""
    folder = os.environ.get("THEODOLITE_REFERENCE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("THEODOLITE_REFERENCE_DATA names no folder of public data")
    return Path(folder)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests compile and cache out of the user's own cache folder (but shared within the session)."""
    os.environ.setdefault("THEODOLITE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def study_module() -> Iterator[Callable[[str], ModuleType]]:
    """Import a script of the benchmarks by its name."""
    if not BENCHMARKS.is_dir():
        pytest.skip("a source distribution holds no benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module


@pytest.fixture(scope="session")
def study_table() -> Callable[[str], list[dict[str, str]]]:
    """The lines of a table that a study has written and that is committed."""
    if not BENCHMARKS.is_dir():
        pytest.skip("a source distribution holds no benchmarks")

    def lines(name: str) -> list[dict[str, str]]:
        with (BENCHMARKS / "results" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return lines


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """How to reach a PostgreSQL server of the tests' own; they skip where its programs are absent."""
    if postgres_server.programs() is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    with postgres_server.running() as conninfo:
        yield conninfo
