"""Peers from the package index, each in an environment of its own that is made when first asked for.

A peer is a folder here: ``requirements.txt`` pins all of its environment, ``run.py`` runs inside it, reads one JSON
object from standard input and ends with one JSON object on standard output. The environments lie under
``build/peers`` and are made anew only where the requirements change. A peer that cannot be had is said, never guessed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / "build" / "peers"
LIMIT = 900.0
"""Seconds that making an environment, or one run, may take where nothing else is said."""


class Unavailable(Exception):
    """A peer that cannot be installed or does not run, with the reason."""


def environment(name: str, peers: Path = HERE, environments: Path = ENVIRONMENTS) -> Path:
    """The Python of a peer's environment, made first where it is not there yet.

    Raises:
        Unavailable: Where it cannot be made.
    """
    requirements, folder = peers / name / "requirements.txt", environments / name
    stamp = folder / "requirements.txt"  # a copy of what was asked for, written once all of it is installed
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = requirements.read_text(encoding="utf-8")
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        print(f"making an environment for {name} ...", file=sys.stderr, flush=True)
        _do([sys.executable, "-m", "venv", "--clear", str(folder)])
        _do([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def run(
    name: str, task: dict[str, Any], peers: Path = HERE, environments: Path = ENVIRONMENTS, limit: float = LIMIT
) -> dict[str, Any]:
    """Give a peer a task and read its answer.

    Raises:
        Unavailable: Where its environment cannot be made, or the peer fails.
    """
    return ask(environment(name, peers, environments), peers / name / "run.py", task, limit)


def ask(python: Path, script: Path, task: dict[str, Any], limit: float = LIMIT) -> dict[str, Any]:
    """Run a script in a process of its own: one JSON object in, one out on its last line.

    Raises:
        Unavailable: Where it fails.
    """
    found: dict[str, Any] = json.loads(_do([str(python), str(script)], json.dumps(task), limit).splitlines()[-1])
    return found


def _do(command: list[str], given: str | None = None, limit: float = LIMIT) -> str:
    """Run a command; the last line of what it complains of is the reason where it fails."""
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=limit, env=os.environ | {"PYTHONPATH": path}
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"took more than {limit:g} seconds") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise Unavailable(errors[-1].strip())
    return done.stdout
