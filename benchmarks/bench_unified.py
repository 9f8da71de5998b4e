"""The unified view: seconds to integrate 8 channels × 12 periods with 6 tests, and how that grows.

``python benchmarks/bench_unified.py [--repeats 3]`` prints a table and writes ``build/benchmarks/unified.json``. The
reference in the same run is the dense linear algebra that the answer cannot do without: one Cholesky factor of all
cells per returned draw.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration.evidence_model import Sources, Tests
from calibration.integrate import DRAWS, integrate

RESULTS = Path(__file__).parents[1] / "build" / "benchmarks" / "unified.json"
TARGET = 2.0


def sources_of(channels: int, periods: int, tests: int, seed: int = 0) -> Sources:
    """Numbers of every source for a made-up company."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0.3, 0.6, channels)
    tested = np.arange(tests) % channels
    scale = np.where(np.arange(tests) % 2, 100.0, -100.0)
    share = np.full((channels, periods), 1 / periods)
    return Sources(
        times=(np.arange(periods) + 0.5) / 4,
        spend_share=share,
        demand_driven=np.arange(channels) % 3,
        mmm=truth + rng.normal(0.1, 0.3, channels),
        mmm_cov=0.09 * np.eye(channels),
        attribution=np.where(np.arange(channels) < channels - 2, truth + 0.8, np.nan),
        attribution_sd=np.full(channels, 0.1),
        attribution_share=share,
        tests=Tests(
            outcome_change=scale * np.exp(truth[tested]) + rng.normal(0, 15, tests),
            std_error=np.full(tests, 15.0),
            relative_sd=np.full(tests, 0.15),
            test=np.arange(tests),
            channel=tested,
            time=rng.uniform(0, periods / 4, tests),
            scale=scale,
            log_scale_cov=0.01 * np.eye(tests),
        ),
    )


def least(repeats: int, work: Callable[[], object]) -> float:
    """Least wall seconds of several runs."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def factors(size: int) -> None:
    """The reference: a Cholesky factor of ``size`` cells for each draw."""
    matrix = np.eye(size) + 0.1
    for _ in range(DRAWS // 256):
        np.linalg.cholesky(np.broadcast_to(matrix, (256, size, size)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = []
    for channels, periods, tests in ((4, 4, 2), (8, 12, 6), (16, 12, 12)):
        sources = sources_of(channels, periods, tests)
        seconds = least(options.repeats, lambda sources=sources: integrate(sources))
        reference = least(options.repeats, lambda size=channels * periods: factors(size))
        fusion = integrate(sources)
        table.append(
            {
                "channels": channels,
                "periods": periods,
                "tests": tests,
                "seconds": seconds,
                "times_reference": seconds / reference,
                "effective": fusion.effective,
                "khat": fusion.khat,
            }
        )
    for row in table:
        print("  ".join(f"{k} {v:.3g}" for k, v in row.items()))
    print(f"target for 8 channels × 12 periods: {TARGET} s")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
