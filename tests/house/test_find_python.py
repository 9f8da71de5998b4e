"""`make` finds a Python that is new enough, or says plainly what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "find-python"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the Makefile needs a POSIX shell")


def fake(folder: Path, name: str, body: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    target.write_text(f"#!/bin/sh\n{body}\n")
    target.chmod(0o755)


def find(path: Path, home: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": f"{path}:/usr/bin:/bin",
        "HOME": str(home),
        "PYENV_ROOT": str(home / ".pyenv"),
        "PYTHON_PLACES": str(home),
    } | extra
    return subprocess.run(["/bin/sh", str(SCRIPT)], env=env, capture_output=True, text=True, check=False)


TOO_OLD = 'case "$1" in --version) echo Python 3.11.2;; *) exit 3;; esac'


@pytest.fixture
def only_old(tmp_path: Path) -> Path:
    for name in ("python3", "python", "python3.12", "python3.13", "python3.14"):
        fake(tmp_path / "bin", name, TOO_OLD)
    return tmp_path


def test_an_old_python3_is_passed_over_for_a_newer_one_of_a_version_manager(only_old: Path) -> None:
    fake(only_old / ".pyenv/versions/3.13.0/bin", "python3.13", f'exec "{sys.executable}" "$@"')
    found = find(only_old / "bin", only_old)
    assert found.returncode == 0
    assert Path(found.stdout.strip()).exists()


def test_where_there_is_none_the_message_says_what_is_missing(only_old: Path) -> None:
    found = find(only_old / "bin", only_old)
    assert found.returncode == 1
    assert "3.12 or newer" in found.stderr
    assert "3.11.2" in found.stderr
    assert found.stdout == ""


def test_a_named_python_that_is_too_old_is_refused(only_old: Path) -> None:
    found = find(only_old / "bin", only_old, PYTHON=str(only_old / "bin" / "python3"))
    assert found.returncode == 1
    assert "cannot be used" in found.stderr
