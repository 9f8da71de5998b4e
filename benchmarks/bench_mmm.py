"""The marketing mix model: effective draws per second, cold and cached, beside PyMC-Marketing, Meridian and NumPyro.

``python benchmarks/bench_mmm.py [national geo20 geo50]`` prints a table of each panel and writes it to
``build/benchmarks``, with all figures in ``mmm_PANEL.json``. Every line is a process of its own that fits the same
panel. *cold* starts with an empty compilation cache, *cached* with the one that *cold* left. How near each peer's model
is stands in its ``run.py``: the same forms, and priors as near as its arguments allow. *NumPyro, plain* (`mmm_plain`)
is our model written down as one would.

Effective draws are the smallest bulk-ESS over decay, half-saturation, slope and ROI of every channel, told by ArviZ for
all alike. Two rates are formed of them: per second, which other work on the machine distorts, and per CPU-second of all
threads and processes, which it distorts less. Neither counts imports, both count compilation; but PyMC finds its
program compiled by a short run that is not counted, even beside our *cold*.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import peers
import tables
from arviz_stats.base import array_stats
from mmm_panels import SIZES, panel_of, task_of
from timing import FOLDER, keep

HERE = Path(__file__).parent
SEED = 1
LIMIT = 3600.0
OURS = ("ours, cold", "ours, cached")


@dataclass(frozen=True)
class Line:
    """One fit.

    Attributes:
        name: As printed.
        script: The script of ours that makes it, or the peer's name.
        options: What it is told beside the data.
        before: What it is told in a run before, which fills its cache and is not counted; ``None`` for no such run.
    """

    name: str
    script: str
    options: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None


def lines_of(panel: str) -> Iterator[Line]:
    """The fits of a panel. PyMC gets two chains, one a core: four give the same rate in twice the time.

    On the geo panel, where they are slow, the peers get fewer draws, and PyMC only the sampler that its plain
    installation runs.
    """
    yield from (Line(name, "mmm_ours.py") for name in OURS)
    if panel == "national":
        yield Line("NumPyro, plain", "mmm_plain.py")
        yield pymc("pymc", 1000)
        yield pymc("nutpie", 1000)
        yield meridian(4, 500)
    elif panel == "geo20":
        yield pymc("pymc", 200)
        yield meridian(2, 200)


def pymc(sampler: str, draws: int) -> Line:
    """PyMC-Marketing with as many draws of warm-up as are kept, its default."""
    full, short = ({"sampler": sampler, "length": {"chains": 2, "tune": count, "draws": count}} for count in (draws, 5))
    return Line(f"PyMC-Marketing, {sampler}", "pymc_marketing", full, short)


def meridian(chains: int, draws: int) -> Line:
    """Meridian, which has no default length."""
    length = {"n_chains": chains, "n_adapt": draws, "n_burnin": draws // 5, "n_keep": draws}
    return Line("Meridian", "meridian", {"length": length})


def least_ess(draws: Mapping[str, Any]) -> float:
    """Smallest bulk-ESS over arrays of shape (chains, draws, channels)."""
    return min(float(np.min(array_stats.ess(each, chain_axis=0, draw_axis=1))) for each in draws.values())


def answer(script: str, task: dict[str, Any]) -> dict[str, Any]:
    """What a script of ours or a peer says to a task."""
    if script.endswith(".py"):
        return peers.ask(Path(sys.executable), HERE / script, task, LIMIT)
    return peers.run(script, task, limit=LIMIT)


def fitted(line: Line, task: dict[str, Any]) -> dict[str, Any]:
    """Figures of one fit.

    Raises:
        Unavailable: Where a peer cannot be had.
    """
    if line.before is not None:
        answer(line.script, task | line.before)
    found = answer(line.script, task | line.options)
    with np.load(task["draws"]) as draws:
        ess = least_ess(draws)
        rhat = float(np.max(array_stats.rhat(draws["iroas"], chain_axis=0, draw_axis=1)))
        size = " × ".join(str(count) for count in draws["iroas"].shape[:2])
        iroas = np.median(draws["iroas"], axis=(0, 1)).round(3).tolist()
    rates = {"ess": ess, "per_second": ess / found["seconds"], "per_cpu_second": ess / found["cpu_seconds"]}
    return found | rates | {"rhat": rhat, "size": size, "iroas": iroas}


def measure(panel: str, folder: Path) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Every fit of a panel that can be had."""
    task = task_of(panel_of(*SIZES[panel]), folder / "panel.csv")
    task |= {"panel": panel, "seed": SEED, "draws": str(folder / "draws.npz")}
    os.environ["THEODOLITE_CACHE"] = str(folder / "cache")
    os.environ["PYTENSOR_FLAGS"] = f"base_compiledir={folder / 'pytensor'}"
    for line in lines_of(panel):
        try:
            found = fitted(line, task)
        except peers.Unavailable as reason:
            print(f"{panel}: {line.name} is not there: {reason}", file=sys.stderr, flush=True)
            continue
        print(f"{panel}: {line.name} took {found['seconds']:.0f} s", file=sys.stderr, flush=True)
        yield line, found


def rows_of(found: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The table's lines; the last columns are how many times as many effective draws ours gives."""
    for name, line in found.items():
        ratios = {
            f"{ours} ×, per {what}": found[ours][key] / line[key]
            for what, key in (("CPU-s", "per_cpu_second"), ("s", "per_second"))
            for ours in OURS
        }
        yield {
            "fit": name,
            "chains × draws": line["size"],
            "seconds": line["seconds"],
            "CPU-seconds": line["cpu_seconds"],
            "least ESS": line["ess"],
            "R-hat of ROI": line["rhat"],
            "leapfrogs": line["steps"],
            "peak MB": line["peak_mb"],
            "ESS per CPU-s": line["per_cpu_second"],
            "ESS per s": line["per_second"],
        } | ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("panels", nargs="*", choices=list(SIZES))
    for panel in parser.parse_args().panels or SIZES:
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for line, figures in measure(panel, Path(folder)):
                found[line.name] = figures
                keep(f"mmm_{panel}", found)  # each as it comes: the peers take long
        about = f"Effective draws per second; load {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores."
        print(tables.write(f"mmm_{panel}", about, list(rows_of(found)), runs=1, seed=SEED, folder=FOLDER), flush=True)


if __name__ == "__main__":
    main()
