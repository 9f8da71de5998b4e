"""The same model of the same panel in NumPyro as one would write it down, as a script for a process of its own.

No term is integrated out, coefficients in place of contributions have priors of the same width, geo terms are drawn
around the national ones, and chains run in parallel on host devices.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from mmm_panels import SIZES, panel_of
from numpyro import distributions as dist
from numpyro.infer import MCMC, NUTS
from timing import measured

from measurement import Panel
from measurement.mmm import Spec
from measurement.mmm.prepare import Prepared, prepare
from measurement.mmm.priors import unpack
from measurement.mmm.transforms import respond

CHAINS, WARMUP, DRAWS = 4, 300, 300
TYPICAL = 3.0  # one over a typical saturation


def model_of(panel: Panel, ready: Prepared) -> Callable[[], None]:
    """The generative model; ``ready`` gives it our panel's scales, design and priors."""
    data, layout = jax.tree.map(jnp.asarray, ready.data), ready.layout
    exposure = data.exposure.reshape(*data.exposure.shape[:2], layout.geos, -1)
    spend_share = jnp.asarray(panel.spend.sum((0, 1)) / panel.outcome.sum() * panel.kpi_value)

    def model() -> None:
        values = unpack(layout, numpyro.sample("z", dist.Normal(data.prior_mean, data.prior_sd).to_event(1)))
        saturated = respond(layout.kinds, data.forms, values, exposure)
        # The coefficient has the ROI prior's median size at typical media parameters: a plain, uncentred choice.
        spread = jnp.exp(values["geo_spread"][:, None] * values["geo_effect"]) if layout.geos > 1 else 1.0
        coefficient = jnp.exp(values["log_contribution"])[:, None] * spread * TYPICAL * jnp.ones((1, layout.geos))
        total = (data.size * coefficient * saturated.sum(-1)).sum(-1) / data.cells
        numpyro.deterministic("iroas", total / spend_share)
        for name in ("decay", "half_saturation", "slope"):
            numpyro.deterministic(name, values[name])
        mean = jnp.einsum("cg,cgt->gt", coefficient, saturated) + linear(data, layout.geos) + demand(values, ready)
        residual = data.outcome - mean
        white = data.own * residual - data.lag * jnp.pad(residual[:, :-1], ((0, 0), (1, 0)))
        numpyro.factor("y", dist.Normal(0, values["sigma"]).log_prob(white).sum())

    return model


def linear(data: Any, geos: int) -> Any:
    """The linear terms; a geo's own coefficient is drawn around the national one, which data of this size like best."""
    shared = data.local.shape[1]
    eta = numpyro.sample("eta", dist.Normal(0, 1).expand([data.national.shape[1]]).to_event(1))
    each = numpyro.sample("each", dist.Normal(0, 1).expand([data.each.shape[0]]).to_event(1))
    out = (data.national[:, shared:] @ eta[shared:])[None] + jnp.einsum("p,pgt->gt", each, data.each)
    if not shared:
        return out
    relative = jnp.linalg.norm(data.local, axis=0) / jnp.linalg.norm(data.national[:, :shared], axis=0)
    own = numpyro.sample("own", dist.Normal(eta[:shared], relative).expand([geos, shared]).to_event(2))
    return out + own @ data.national[:, :shared].T


def demand(values: dict[str, Any], ready: Prepared) -> Any:
    """The national demand, an autoregression."""
    persistence, periods = ready.noise.persistence, ready.data.outcome.shape[1]
    found = numpyro.sample("demand", dist.ImproperUniform(dist.constraints.real, (), (periods,)))
    sd = values["sigma"] * np.sqrt(ready.noise.ratio)
    step = found[1:] - persistence * found[:-1]
    numpyro.factor("start", dist.Normal(0, sd).log_prob(found[0]))
    numpyro.factor("steps", dist.Normal(0, sd * np.sqrt(1 - persistence**2)).log_prob(step).sum())
    return found


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    numpyro.set_host_device_count(CHAINS)
    numpyro.enable_x64()
    panel = panel_of(*SIZES[task["panel"]])

    def work() -> MCMC:
        ready = prepare(panel, Spec.default(panel), pad=False)
        kernel = NUTS(model_of(panel, ready))
        made = MCMC(kernel, num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS, progress_bar=False)
        made.run(jax.random.key(task["seed"]), extra_fields=("num_steps",))
        return made

    figures, mcmc = measured(work)
    draws = mcmc.get_samples(group_by_chain=True)
    np.savez(task["draws"], **{name: draws[name] for name in ("decay", "half_saturation", "slope", "iroas")})
    print(json.dumps(figures | {"steps": float(mcmc.get_extra_fields()["num_steps"].mean())}))


if __name__ == "__main__":
    main()
