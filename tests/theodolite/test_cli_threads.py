"""How many threads the command line gives to small matrices."""

import os
import subprocess
import sys

import pytest

ASK = """
import os, sys, theodolite.cli
assert "numpy" not in sys.modules, "too late: OpenBLAS has read its number of threads"
sys.argv = ["theodolite", "--help"]
try:
    theodolite.cli.main()
finally:
    print("threads", os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3"), ({"OMP_NUM_THREADS": "4"}, "None")],
)
def test_one_thread_unless_the_user_says_otherwise(given: dict[str, str], wanted: str) -> None:
    plain = {key: value for key, value in os.environ.items() if key not in {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}}
    done = subprocess.run([sys.executable, "-c", ASK], env=plain | given, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"threads {wanted}"
