"""The marketing mix model: seconds and effective draws per second, cold and cached, against plain NumPyro.

``python benchmarks/bench_mmm.py [national geo geo50]`` prints a table and writes ``build/benchmarks/mmm.json``. Every
line is a fresh process. *cold* starts with an empty compilation cache, *cached* with the one that *cold* left. *plain*
is the same model of the same data written down in NumPyro as one would: no term integrated out, priors of the same
width on coefficients in place of contributions, geo terms drawn around the national ones, chains in parallel. On the
geo panel it would take a quarter of an hour, so it gets few draws and trees of at most 255 steps: its ratio is rough
there. Effective draws are the smallest bulk-ESS over ROI and media parameters.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parents[1] / "build" / "benchmarks" / "mmm.json"
MEDIA = ("decay", "half_saturation", "slope", "iroas")
SIZES = {"national": (0, 200), "geo": (20, 156), "geo50": (50, 156)}
PLAIN = {"national": (300, 300, 10), "geo": (200, 100, 8), "geo50": None}  # warm-up, draws, tree depth


def panel_of(size: str) -> Any:
    from measurement.simulate import geo, national, simulate

    geos, weeks = SIZES[size]
    settings = geo(geos, weeks, 8, n_tests=0) if geos else national(weeks, 8)
    return simulate(settings).panel()


def least_ess(draws: dict[str, Any], chains: int) -> float:
    from arviz_stats.base import array_stats

    found = []
    for name in MEDIA:
        values = draws[name].reshape(chains, -1, draws[name].shape[-1])
        found += list(np.atleast_1d(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk")))
    return float(min(found))


def ours(size: str) -> dict[str, Any]:
    from measurement import mmm

    panel = panel_of(size)
    began = time.perf_counter()
    post = mmm.fit(panel, seed=1)
    return {
        "seconds": time.perf_counter() - began,
        "compile": post.diagnostics.compile_seconds,
        "ess": least_ess(dict(post.draws), post.chains),
        "rhat": post.diagnostics.rhat,
        "steps": post.diagnostics.steps,
        "iroas": np.median(post.draws["iroas"], axis=0).round(3).tolist(),
    }


def plain(size: str) -> dict[str, Any]:
    """The same model, sampled whole."""
    import jax
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist
    from numpyro.infer import MCMC, NUTS

    from measurement import mmm
    from measurement.mmm.prepare import prepare
    from measurement.mmm.priors import unpack
    from measurement.mmm.transforms import respond

    panel = panel_of(size)
    numpyro.enable_x64()
    began = time.perf_counter()
    ready = prepare(panel, mmm.Spec.default(panel), pad=False)
    data, layout, periods = ready.data, ready.layout, panel.shape[1]
    persistence, shared = ready.noise.persistence, data.local.shape[1]
    # A geo's own coefficient is drawn around the national one: the form that data of this size like best.
    relative = np.linalg.norm(data.local, axis=0) / np.linalg.norm(data.national[:, :shared], axis=0)
    spend_share = jnp.asarray(panel.spend.sum((0, 1)) / panel.outcome.sum() * panel.kpi_value)
    arrays = jax.tree.map(jnp.asarray, data)

    def model() -> None:
        raw = numpyro.sample("z", dist.Normal(arrays.prior_mean, arrays.prior_sd).to_event(1))
        values = unpack(layout, raw)
        exposure = arrays.exposure.reshape(*arrays.exposure.shape[:2], layout.geos, -1)
        saturated = respond(layout.kinds, arrays.forms, values, exposure)
        # The coefficient has the ROI prior's median size at typical media parameters: a plain, uncentred choice.
        spread = jnp.exp(values["geo_spread"][:, None] * values["geo_effect"]) if layout.geos > 1 else 1.0
        coefficient = jnp.exp(values["log_contribution"])[:, None] * spread * TYPICAL * jnp.ones((1, layout.geos))
        total = (arrays.size * coefficient * saturated.sum(-1)).sum(-1) / arrays.cells
        numpyro.deterministic("iroas", total / spend_share)
        for name in ("decay", "half_saturation", "slope"):
            numpyro.deterministic(name, values[name])
        eta = numpyro.sample("eta", dist.Normal(0, 1).expand([data.national.shape[1]]).to_event(1))
        each = numpyro.sample("each", dist.Normal(0, 1).expand([data.each.shape[0]]).to_event(1))
        linear = (arrays.national[:, shared:] @ eta[shared:])[None] + jnp.einsum("p,pgt->gt", each, arrays.each)
        if shared:
            around = dist.Normal(eta[:shared], relative).expand([layout.geos, shared]).to_event(2)
            linear = linear + numpyro.sample("own", around) @ arrays.national[:, :shared].T
        demand = numpyro.sample("demand", dist.ImproperUniform(dist.constraints.real, (), (periods,)))
        sd = values["sigma"] * np.sqrt(ready.noise.ratio)
        step = demand[1:] - persistence * demand[:-1]
        numpyro.factor("start", dist.Normal(0, sd).log_prob(demand[0]))
        numpyro.factor("steps", dist.Normal(0, sd * np.sqrt(1 - persistence**2)).log_prob(step).sum())
        mean = jnp.einsum("cg,cgt->gt", coefficient, saturated) + linear + demand
        residual = arrays.outcome - mean
        before = jnp.pad(residual[:, :-1], ((0, 0), (1, 0)))
        white = arrays.own * residual - arrays.lag * before
        numpyro.factor("y", (dist.Normal(0, values["sigma"]).log_prob(white)).sum())

    warmup, kept, depth = PLAIN[size] or (0, 0, 0)
    kernel = NUTS(model, max_tree_depth=depth)
    mcmc = MCMC(kernel, num_warmup=warmup, num_samples=kept, num_chains=4, progress_bar=False, chain_method="parallel")
    mcmc.run(jax.random.key(0), extra_fields=("num_steps",))
    draws = {name: np.asarray(values) for name, values in mcmc.get_samples().items()}
    return {
        "seconds": time.perf_counter() - began,
        "ess": least_ess(draws, 4),
        "steps": float(mcmc.get_extra_fields()["num_steps"].mean()),
        "iroas": np.median(draws["iroas"], axis=0).round(3).tolist(),
    }


TYPICAL = 3.0  # one over a typical saturation


def run(task: str, size: str, cache: str) -> dict[str, Any]:
    flags = "--xla_force_host_platform_device_count=4" if task == "plain" else ""
    out = subprocess.run(
        [sys.executable, __file__, "--task", task, size],
        env=os.environ | {"THEODOLITE_CACHE": cache, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found | {"ess_per_second": found["ess"] / found["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["national", "geo"])
    parser.add_argument("--task", choices=["ours", "plain"])
    asked = parser.parse_args()
    if asked.task:
        print(json.dumps({"ours": ours, "plain": plain}[asked.task](asked.sizes[0])))
        return
    results: dict[str, Any] = {}
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as cache:
            lines = {"cold": run("ours", size, cache), "cached": run("ours", size, cache)}
            if PLAIN[size]:
                lines["plain"] = run("plain", size, cache)
        results[size] = lines
        for name, line in lines.items():
            ratio = line["ess_per_second"] / lines["plain"]["ess_per_second"] if "plain" in lines else float("nan")
            print(
                f"{size:9s} {name:7s} {line['seconds']:7.1f} s  min ESS {line['ess']:6.0f}  "
                f"ESS/s {line['ess_per_second']:7.1f}  steps {line['steps']:5.0f}  {ratio:6.1f} x plain",
                flush=True,
            )
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
