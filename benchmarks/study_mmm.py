"""How often the mix model's 90 % intervals hold the true iROAS, in simulated worlds, by how far demand drives spend.

``python benchmarks/study_mmm.py [national geo] [--worlds 16] [--first 21] [--plain-words]`` prints a table: coverage,
mean log of high / low, mean and root mean square error of the median's log. ``--plain-words`` says nothing about any
channel, so that all are taken as ``some``. The tables of ``docs/math_mmm.md`` come from here (12 worlds for geo).
"""

import argparse
from typing import Any

import numpy as np

from measurement import mmm
from measurement.simulate import geo, national, simulate

QUICK = mmm.Sampling(chains=2, warmup=250, draws=300)


def settings_of(size: str, seed: int, confounding: float) -> Any:
    if size == "national":
        return national(seed=seed, confounding=confounding)
    return geo(n_geos=8, weeks=104, channels=6, seed=seed, confounding=confounding, n_tests=0)


def study(size: str, seeds: range, confounding: float, told: bool) -> None:
    found: dict[str, list[tuple[float, ...]]] = {"strong": [], "some": [], "no": []}
    for seed in seeds:
        world = simulate(settings_of(size, seed, confounding))
        panel, truths = world.panel(), {channel.name: channel for channel in world.truth.settings}
        driven = {name: {"demand_driven": truths[name].demand_driven} for name in panel.channels}
        spec = mmm.Spec.default(panel, channels=driven if told else {})
        post = mmm.fit(panel, spec, seed=seed, sampling=QUICK)
        low, median, high = np.quantile(post.draws["iroas"], [0.05, 0.5, 0.95], axis=0)
        for c, name in enumerate(panel.channels):
            truth = world.truth.iroas[name]
            held = float(low[c] <= truth <= high[c])
            found[truths[name].demand_driven].append((held, np.log(high[c] / low[c]), np.log(median[c] / truth)))
    print(f"{size}, confounding {confounding:g}, {'as it is' if told else 'nothing said'}, {len(seeds)} worlds")
    for level, rows in found.items():
        held, width, error = np.array(rows).T
        print(
            f"  {level:6s} n {len(rows):3d}  cover {held.mean():.2f}  width {width.mean():.2f}  "
            f"bias {error.mean():+.2f}  error {np.sqrt((error**2).mean()):.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["national", "geo"])
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--first", type=int, default=21)
    parser.add_argument("--plain-words", action="store_true")
    asked = parser.parse_args()
    for size in asked.sizes:
        for confounding in (1.0, 0.0):
            study(size, range(asked.first, asked.first + asked.worlds), confounding, not asked.plain_words)


if __name__ == "__main__":
    main()
