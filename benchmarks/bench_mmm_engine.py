"""The mix model's engine: how a gradient grows, what lift tests cost it, and what a monthly refit saves.

``python benchmarks/bench_mmm_engine.py [growth tests refit]`` prints tables and writes them to ``build/benchmarks``,
with all figures in ``mmm_engine.json``. Gradients are of the sampler's own log-density in a compiled loop; their time
is the CPU time of all threads, the least of some repeats. A cell is a geo × week × channel. The refit is that of a
panel four weeks longer: begun anew, and begun where the earlier fit found its posterior (`begin_from`); both find
their program compiled.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tables
from bench_mmm import least_ess
from mmm_ours import KEPT
from mmm_panels import SIZES, panel_of
from timing import FOLDER, keep, least

from measurement import Panel
from measurement.lift import Lift
from measurement.mmm import Spec, fit
from measurement.mmm.density import log_density_fn
from measurement.mmm.prepare import prepare

GROWTH = {
    "weeks": [(20, weeks, 8) for weeks in (52, 104, 156, 208, 312)],
    "geos": [(geos, 156, 8) for geos in (1, 5, 10, 20, 50, 100)],
    "channels": [(20, 156, channels) for channels in (4, 8, 16, 32)],
}
NEW_WEEKS = 4
DAY = np.timedelta64(1, "D")
REPEATS = 5
SEED = 1


def gradient_seconds(panel: Panel, lifts: Sequence[Lift] = ()) -> float:
    """CPU-seconds of one gradient of the log-density, in the middle of a compiled loop of about a tenth of a second."""
    ready = prepare(panel, Spec.default(panel), lifts)
    gradient = jax.grad(log_density_fn(ready.layout))

    @jax.jit
    def loop(z: Any, data: Any, count: Any) -> Any:
        return jax.lax.fori_loop(0, count, lambda _, at: at + 1e-9 * jnp.tanh(gradient(at, data)), z)

    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, ready.data)
        start = 0.1 * jax.random.normal(jax.random.key(SEED), (ready.layout.dimension,))

        def run(count: int) -> Callable[[], Any]:
            return lambda: loop(start, data, count).block_until_ready()

        run(1)()
        count = max(20, int(0.1 / max(least(1, run(20))[0] / 20, 1e-6)))
        return least(REPEATS, run(count))[0] / count


def lifts_of(panel: Panel, count: int = 10, weeks: int = 6) -> list[Lift]:
    """Tests of one channel after the other: a quarter of the geos spend half, and two weeks of cool-down."""
    rng, out = np.random.default_rng(SEED), []
    geos, periods, channels = panel.shape
    for number in range(count):
        channel, start = number % channels, 20 + number * (periods - 40) // count
        treated = np.sort(rng.choice(geos, max(1, geos // 4), replace=False))
        usual = 2.0 * panel.spend[treated, start : start + weeks, channel][..., None]
        out.append(
            Lift(
                experiment_id=f"test-{number}",
                channels=(panel.channels[channel],),
                geos=tuple(panel.geos[row] for row in treated),
                start=panel.dates[start].tolist(),
                end=(panel.dates[start + weeks] - DAY).tolist(),
                cooldown_end=(panel.dates[start + weeks + 2] - DAY).tolist(),
                outcome_change=-float(usual.sum()) / 2,
                std_error=float(usual.sum()) / 8,
                relative_sd=0.1,
                counterfactual_spend=usual,
                cooldown_periods=2,
            )
        )
    return out


def growth() -> Iterator[dict[str, Any]]:
    for by, sizes in GROWTH.items():
        for size in sizes:
            seconds, cells = gradient_seconds(panel_of(*size)), int(np.prod(size))
            yield {
                "grows by": by,
                "geos × weeks × channels": " × ".join(map(str, size)),
                "cells": cells,
                "gradient, CPU-µs": 1e6 * seconds,
                "per cell, CPU-ns": 1e9 * seconds / cells,
            }


def tests() -> Iterator[dict[str, Any]]:
    for name in ("national", "geo20"):
        panel = panel_of(*SIZES[name])
        without, with_ten = gradient_seconds(panel), gradient_seconds(panel, lifts_of(panel))
        yield {
            "panel": name,
            "gradient, CPU-µs": 1e6 * without,
            "with 10 tests": 1e6 * with_ten,
            "ratio": with_ten / without,
        }


def refit() -> Iterator[dict[str, Any]]:
    for name in ("national", "geo20"):
        panel = panel_of(*SIZES[name])
        weeks = panel.shape[1]
        earlier = fit(panel.part(slice(0, weeks - NEW_WEEKS)), seed=SEED, room=weeks)
        rates = {}
        for begun, begin_from in (("anew", None), ("from last month's", earlier)):
            seconds, post = least(2, partial(fit, panel, seed=SEED + 1, begin_from=begin_from))
            ess = least_ess({name: post.draws[name].reshape(post.chains, -1, len(panel.channels)) for name in KEPT})
            rates[begun] = ess / seconds
            yield {
                "panel": name,
                "begun": begun,
                "CPU-seconds": seconds,
                "least ESS": ess,
                "R-hat": post.diagnostics.rhat,
                "ESS per CPU-s": rates[begun],
                "ratio": rates[begun] / rates["anew"],
            }


PARTS: dict[str, tuple[str, Callable[[], Iterator[dict[str, Any]]]]] = {
    "growth": ("Growth of a gradient with weeks, geos and channels.", growth),
    "tests": ("A gradient with ten simulated lift tests against none.", tests),
    "refit": (f"A refit with {NEW_WEEKS} new weeks, program compiled.", refit),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=list(PARTS))
    figures = {}
    for part in parser.parse_args().parts or PARTS:
        about, work = PARTS[part]
        figures[part] = list(work())
        print(tables.write(f"mmm_{part}", about, figures[part], runs=1, seed=SEED, folder=FOLDER), flush=True)
    keep("mmm_engine", figures)


if __name__ == "__main__":
    main()
