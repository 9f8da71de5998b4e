"""The registry's state machine under hypothesis, in its long form: a thousand histories of two people and three tests.

The machine is that of ``tests/experiments/test_registry_states.py``: whatever it does, rightly or wrongly, is held
against an oracle that was written apart from the program's own table, and the chain of events against what it was.
"""

import argparse

import tables

from experiments.registry import STATES
from tests.experiments.conftest import MemoryStore
from tests.experiments.test_registry_states import explore

ABOUT = """Any sequence of acts on the registry (`python benchmarks/study_states.py`): two people act on three tests, in
any order, with and without a right to. The run stops with the history that shows it where an illegal act goes through,
a legal one is refused, or an event or an approved plan changes; so those lines are 0 where there is a table."""
NEVER = ("illegal acts that went through", "legal acts that were refused", "histories that were rewritten")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="histories")
    parser.add_argument("--seed", type=int, default=0, help="unused: hypothesis derives its own from the machine")
    asked = parser.parse_args()
    seen = explore(MemoryStore, asked.runs)
    told = {"histories of 40 acts": asked.runs, **{f"entered: {state}": seen[state] for state in STATES}}
    told |= {"refused": seen["refused"], **dict.fromkeys(NEVER, 0)}
    rows = [{"what": what, "times": times} for what, times in told.items()]
    print(tables.write("registry_states", ABOUT, rows, runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
