"""What the registry promises when a process dies, or two act at once: nothing said is lost, nothing half is there."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from experiments import registry
from measurement.store import Store
from tests import postgres_server

DRIVER = Path(__file__).with_name("registry_crash_driver.py")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills are POSIX")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVER), *map(str, arguments)]
    alone = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # the driver forks
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | alone
    )


def finish(process: subprocess.Popen[str]) -> Any:
    output, errors = process.communicate(timeout=3_600)
    assert process.returncode == 0, errors
    assert not errors, errors
    return json.loads(output)


def test_tests_killed_at_random_moments_of_their_lives_lose_nothing(tmp_path: Path) -> None:
    seen = finish(start("kills", tmp_path, 12, 1))
    assert seen["kills"] == 12
    assert seen["acknowledged"] > 20, "they must get on between kills"
    assert (seen["lost"], seen["rewritten"], seen["half"], seen["problems"]) == (0, 0, 0, [])
    assert seen["unacknowledged"] <= 2 * 12, "one step, and the fit that follows it, can be under way"


def test_lives_on_a_server_that_is_killed_lose_nothing(postgres: str, tmp_path: Path) -> None:
    del postgres  # its absence skips this test
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    with postgres_server.running(home) as conninfo:
        seen = finish(start("kills", tmp_path, 3, 1, conninfo, home))
        writers = finish(start("kills", tmp_path, 4, 2, conninfo))
    for found in (seen, writers):
        assert found["acknowledged"] > 3
        assert (found["lost"], found["rewritten"], found["half"], found["problems"]) == (0, 0, 0, [])


def test_two_processes_register_and_approve_at_once(tmp_path: Path) -> None:
    finish(start("shared", tmp_path, 16))
    writers = [start("writer", tmp_path, name, 16) for name in ("left", "right")]
    approved = [finish(writer)["approved"] for writer in writers]
    check_writers(Store.open(tmp_path), approved, 16)


def check_writers(store: Store, approved: list[list[str]], count: int) -> None:
    """Every registration is there, and each shared plan was approved once: by whoever says so."""
    tests = registry.load(store).tests
    assert len(tests) == 3 * (count // 2)
    said = [*approved[0], *approved[1]]
    assert len(said) == len(set(said)), "no plan was approved twice"
    for name, actor in [(n, "left") for n in approved[0]] + [(n, "right") for n in approved[1]]:
        approval = tests[name].approval
        assert approval is not None
        assert approval.actor == actor
    assert store.verify() == []
    assert registry.examine(store) == []


def test_the_committed_kills_lost_nothing(study_table: Any) -> None:
    rows = {(row["what"], row["store"]): row for row in study_table("registry")}
    for (what, store), least in {
        ("kill -9 during a life", "DuckDB"): 600,
        ("kill -9 during a life", "PostgreSQL"): 300,
        ("kill -9 during fits by NUTS", "DuckDB"): 100,
        ("server killed during a life", "PostgreSQL"): 50,
        ("two processes write at once", "DuckDB"): 1_000,
        ("two processes write at once", "PostgreSQL"): 1_000,
        ("two processes register and approve at once", "DuckDB"): 200,
        ("two processes register and approve at once", "PostgreSQL"): 200,
    }.items():
        assert int(rows[what, store]["runs"]) >= least
        assert int(rows[what, store]["acknowledged"]) >= least, "they got on between kills"
    for row in rows.values():
        assert [row[name] for name in ("lost", "rewritten", "half", "problems")] == ["0"] * 4
