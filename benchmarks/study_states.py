"""The registry's state machine under hypothesis, in its long form: thousands of histories.

The machine is that of ``tests/experiments/test_registry_states.py``: whatever it does, rightly or wrongly, is held
against an oracle that was written apart from the program's own table, and the chain of events against what it was.
"""

import argparse

import tables

from experiments.registry import STATES
from tests.experiments.conftest import MemoryStore
from tests.experiments.test_registry_states import explore

ABOUT = """Any sequence of acts on the registry (`python benchmarks/study_states.py`): two people act on three tests, in
any order, with and without a right to. *entered* counts how often a test came into a state, *refused* the acts that the
program refused, all of which the oracle forbids. Where an illegal act goes through, a legal one is refused, or an event
or an approved plan changes, the run ends with the history that shows it, and writes no table. Hypothesis derives its
own seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3_000, help="histories")
    asked = parser.parse_args()
    seen = explore(MemoryStore, asked.runs)
    told = {"histories of 40 acts": asked.runs, **{f"entered: {state}": seen[state] for state in STATES}}
    told["refused"] = seen["refused"]
    rows = [{"what": what, "times": times} for what, times in told.items()]
    print(tables.write("registry_states", ABOUT, rows, runs=asked.runs, seed=0))


if __name__ == "__main__":
    main()
