"""The end of a process while threads are at work: with its exit code, at once, and not through Python's own end."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, threading
from theodolite import background, cli

atexit.register(lambda: print("put away by Python"))
begun, never = threading.Event(), threading.Event()

def run():
    if {busy}:
        background.begin(lambda: (begun.set(), never.wait()))
        begun.wait()
    print("said before the end")
    raise {ending}

cli._run = run
cli.main()
"""


@pytest.mark.parametrize(
    ("ending", "code"), [("KeyboardInterrupt", 130), ("SystemExit(130)", 130), ("SystemExit(2)", 2), ("SystemExit", 0)]
)
@pytest.mark.parametrize("busy", [True, False])
def test_the_process_ends_with_its_code_whatever_is_under_way(busy: bool, ending: str, code: int) -> None:
    asked = [sys.executable, "-c", PROGRAM.format(busy=busy, ending=ending)]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert ended.returncode == code, ended.stderr
    assert "said before the end" in ended.stdout
    assert ("put away by Python" in ended.stdout) == (not busy)
    assert ("interrupted" in ended.stderr) == (code == 130)
