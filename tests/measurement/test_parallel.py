"""Pieces of work at the same time: the answers of a plain loop, progress, errors and a clean end."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import joblib
import numpy as np
import pytest

from measurement import parallel
from measurement.errors import DataError, Problem


def draw(seed: int) -> float:
    return float(np.random.default_rng(seed).normal())


def where(seed: int) -> tuple[int, int, str | None]:
    return os.getpid(), parallel.cores(), os.environ.get("OMP_NUM_THREADS")


def refuse(item: int, what: str) -> int:
    if item == 1:
        raise DataError([Problem(what, line=item), Problem("another")])
    return item


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_results_are_those_of_a_loop_and_progress_counts_up(backend: str) -> None:
    seen: list[tuple[int, int]] = []
    with joblib.parallel_config(backend=backend):
        found = parallel.each(draw, range(5), workers=2, progress=lambda done, total: seen.append((done, total)))
    assert found == [draw(seed) for seed in range(5)] == parallel.each(draw, range(5), workers=1)
    assert seen == [(done, 5) for done in range(1, 6)]


def test_pieces_run_in_processes_of_their_own_with_a_thread_each() -> None:
    cells = parallel.each(where, range(4), workers=2)
    assert os.getpid() not in {pid for pid, _, _ in cells}
    share = max(1, parallel.cores() // 2)
    assert {(cores, threads) for _, cores, threads in cells} == {(share, "1")}


def test_one_worker_one_piece_and_no_piece_stay_here() -> None:
    assert parallel.each(where, [0, 1], workers=1)[0][0] == os.getpid()
    assert parallel.each(where, [0], workers=4)[0][:2] == (os.getpid(), parallel.cores())
    assert parallel.each(where, []) == []
    with joblib.parallel_config(n_jobs=1):
        assert parallel.each(where, [0, 1])[0][0] == os.getpid()


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_through_whole(backend: str, workers: int) -> None:
    with joblib.parallel_config(backend=backend), pytest.raises(DataError, match="line 1: wrong") as caught:
        parallel.each(partial(refuse, what="wrong"), range(4), workers=workers)
    assert [problem.message for problem in caught.value.problems] == ["wrong", "another"]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_raising_in_progress_stops_the_rest(backend: str) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with joblib.parallel_config(backend=backend), pytest.raises(KeyboardInterrupt):
        parallel.each(partial(time.sleep), [0.01] * 200, workers=2, progress=stop)


BUSY = """
import time
from measurement import parallel

def work(item):
    print("at work", flush=True)
    while True:
        time.sleep(0.01)

try:
    parallel.each(work, range(4), workers=2)
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.skipif(os.name == "nt", reason="process groups")
def test_ctrl_c_ends_all_within_a_second_without_a_word() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        for _ in range(2):
            assert run.stdout.readline() == "at work\n"
        began = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process of the command
        out, err = run.communicate(timeout=30)  # ends once every process that holds the pipe has
        assert time.monotonic() - began < 2.0  # a second, and room for a busy machine
    assert (out, err, run.returncode) == ("stopped\n", "", 0)
