"""Seconds of CPU, and where a benchmark's figures go. Standard library only: the peers' environments import it too."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "build" / "benchmarks"


def cpu_now() -> float:
    """CPU-seconds so far of this process, all its threads, and its finished children."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def least(repeats: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Least CPU-seconds of some runs, and the last result: other work on a shared machine only adds to them."""
    seconds, result = [], None
    for _ in range(repeats):
        before = cpu_now()
        result = work()
        seconds.append(cpu_now() - before)
    return min(seconds), result


def measured(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Wall seconds, CPU-seconds and peak memory (process and largest child, in MB) of one run, and its result."""
    began, before = time.perf_counter(), cpu_now()
    result = work()
    figures = {"seconds": time.perf_counter() - began, "cpu_seconds": cpu_now() - before}
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    peaks = [resource.getrusage(who).ru_maxrss * unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return figures | {"peak_mb": sum(peaks) / 1e6}, result


def keep(name: str, figures: Mapping[str, Any]) -> None:
    """Write the figures to ``build/benchmarks/NAME.json``."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
