"""The registry under kills and two processes, in its long form.

A test's life (register, submit, approve, start, complete, analyse, accept) and the fit after it are written by the
program itself, in a process that is killed (``kill -9``) at a random moment, a thousand times; and two processes
register tests and approve the same plans at once, with 500 writes each. The driver is that of ``tests/hostile``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import tables

from experiments import registry
from measurement.store import Store

NAME = "registry"
ABOUT = """The registry under kills and two processes at once (`python benchmarks/study_registry.py`).
*acknowledged* are the events whose verb had returned; *lost* those of them that were not there afterwards, *rewritten*
how often an older event had changed, *half* the tests whose state did not follow from their last event, *problems* what
`theodolite doctor` would name. Of two processes that approve the same plans at once, *lost* counts registrations that
are missing and *rewritten* plans that were approved twice."""
BATCH = 100
ROOT = Path(__file__).parents[1]
DRIVER = ROOT / "tests" / "hostile" / "registry_crash_driver.py"


def start(*arguments: object) -> subprocess.Popen[str]:
    """The driver with some arguments."""
    command = [sys.executable, str(DRIVER), *map(str, arguments)]
    alone = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # the driver forks
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | alone)


def finish(process: subprocess.Popen[str]) -> Any:
    """What it printed."""
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(output)


def batch(runs: int, seed: int) -> Any:
    """Lives that are cut off."""
    with tempfile.TemporaryDirectory() as folder:
        return finish(start("kills", folder, runs, seed))


def killed(batches: list[Any]) -> dict[str, object]:
    """What all batches saw together."""
    counts = {name: sum(seen[name] for seen in batches) for name in ("acknowledged", "lost", "rewritten", "half")}
    runs, problems = sum(seen["kills"] for seen in batches), sum(len(seen["problems"]) for seen in batches)
    return {"what": "kill -9 during a life", "runs": runs, **counts, "problems": problems}


def together(runs: int) -> dict[str, object]:
    """Two processes, half of the runs each."""
    each = runs // 2
    with tempfile.TemporaryDirectory() as folder:
        finish(start("shared", folder, each))
        approved = [finish(writer)["approved"] for writer in [start("writer", folder, name, each) for name in "ab"]]
        store = Store.open(folder)
        tests, said = registry.load(store).tests, [*approved[0], *approved[1]]
        own = {f"{name}-{number}" for name in "ab" for number in range(each // 2)}
        return {
            "what": "two processes at once",
            "runs": 2 * each,
            "acknowledged": len(own) + 2 * len(said),
            "lost": len(own - set(tests)),
            "rewritten": len(said) - len(set(said)),
            "half": sum(test.state != test.history[-1].state for test in tests.values()),
            "problems": len(store.verify()) + len(registry.examine(store)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="kills, and writes of both processes together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    batches = [batch(BATCH, options.seed + number) for number in range(options.runs // BATCH)]
    rows = [killed(batches), together(options.runs)]
    print(tables.write(NAME, ABOUT, rows, runs=options.runs, seed=options.seed))


if __name__ == "__main__":
    main()
