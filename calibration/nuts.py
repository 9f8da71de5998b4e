"""NUTS on the evidence model: another way to the same posterior, to check the quasi-random integration with.

Every latent quantity is a parameter here (levels, random walks, biases, what the response curves leave open), nothing
is integrated out, so that the two answers share the model's words only. It takes the better part of a minute and is for
doubt, not for every day. It loads JAX and NumPyro inside its function (the named exception of the house's rule).
"""

from typing import Any

import numpy as np

from calibration.evidence_model import (
    Looks,
    MethodPriors,
    Sources,
    bias_factor,
)
from measurement.typing import Floats

CHAINS, WARMUP, DRAWS = 2, 500, 1_000


def by_nuts(sources: Sources, priors: MethodPriors | None = None, *, seed: int = 0, draws: int = DRAWS) -> Floats:
    """Draw the truth in every cell by NUTS.

    Args:
        sources: What the methods say.
        priors: What is believed of the methods.
        seed: Seed of the chains.
        draws: Draws of each of two chains.

    Returns:
        Log iROAS, shape (draws of both chains, channels, periods), as in `Fusion.theta`.
    """
    import jax
    from numpyro.infer import MCMC, NUTS

    model = _model(sources, priors or MethodPriors())
    with jax.enable_x64(True):
        kernel = NUTS(model, target_accept_prob=0.95)
        chains = MCMC(
            kernel,
            num_warmup=WARMUP,
            num_samples=draws,
            num_chains=CHAINS,
            chain_method="vectorized",
            progress_bar=False,
        )
        chains.run(jax.random.key(seed))
        return np.asarray(chains.get_samples()["theta"], dtype=np.float64)


def _model(sources: Sources, priors: MethodPriors) -> Any:
    """The evidence model as a NumPyro model; ``docs/math_calibration.md`` has it in formulas."""
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    looks, tests = Looks.of(sources), sources.tests
    channels, periods = sources.shape
    order = np.argsort(looks.times, kind="stable")
    gaps = np.sqrt(np.diff(looks.times[order], prepend=looks.times.min()))
    back, steps = np.argsort(order), np.flatnonzero(gaps > 0)
    first, second = looks.mmm.size, looks.observed
    factor, demand = bias_factor(sources, priors, looks.mmm), sources.demand_driven[looks.attribution] / 2
    credit_sd, credited = sources.attribution_sd[looks.attribution], sources.prior_centre[looks.attribution]
    member = (tests.test[:, None] == np.arange(tests.outcome_change.size)).astype(np.float64)

    def normal(name: str, *shape: int) -> Any:
        return numpyro.sample(name, dist.Normal(0.0, 1.0).expand(shape).to_event(len(shape)))

    def model() -> None:
        spreads = {
            name: numpyro.sample(name, dist.HalfNormal(scale))
            for name, scale in (("drift", priors.drift), ("mmm", priors.mmm_bias))
        }
        spreads |= {
            name: numpyro.sample(name, dist.LogNormal(np.log(median), sd))
            for name, (median, sd) in (
                ("channel", priors.channel_sd),
                ("incrementality", priors.incrementality_spread),
            )
        }
        loading = numpyro.sample("loading", dist.Uniform(0.0, 1.0))
        rho = numpyro.sample("correlation", dist.Uniform(0.0, priors.correlation))
        level = priors.level_sd * normal("mean", 1) + priors.kind_sd * normal("kinds", 3)[sources.demand_driven]
        level = level + spreads["channel"] * normal("levels", channels)
        level = sources.prior_centre + sources.prior_width * level
        moves = jnp.zeros((channels, gaps.size)).at[:, steps].set(normal("moves", channels, steps.size) * gaps[steps])
        truth = level[:, None] + spreads["drift"] * jnp.cumsum(moves, axis=1)[:, back]
        numpyro.deterministic("theta", truth[:, :periods])
        rows = (truth[looks.channel] * looks.weights).sum(axis=1)
        own = normal("mmm_biases", channels)
        if first:
            bias = factor * (priors.mmm_common * normal("mmm_common", 1) + spreads["mmm"] * own[looks.mmm])
            error = sources.mmm_cov[np.ix_(looks.mmm, looks.mmm)]
            said = dist.MultivariateNormal(rows[:first] + bias, covariance_matrix=jnp.asarray(error))
            numpyro.sample("model", said, obs=jnp.asarray(sources.mmm[looks.mmm]))
        if second > first:
            shift, shift_sd = priors.demand_driven_shift
            shared = priors.incrementality[0] + priors.incrementality[1] * normal("factor", 1)
            shared = shared + (shift + shift_sd * normal("slope", 1)) * demand
            unlike = rho * own[looks.attribution] + jnp.sqrt(1 - rho**2) * normal("unlike", second - first)
            centre = credited + loading * (rows[first:second] - credited) - shared + spreads["incrementality"] * unlike
            seen = jnp.asarray(sources.attribution[looks.attribution])
            numpyro.sample("credit", dist.Normal(centre, credit_sd).to_event(1), obs=seen)
        if looks.pairs:
            curve = np.linalg.cholesky(tests.log_scale_cov + 1e-8 * np.eye(looks.pairs))
            read = (tests.scale * jnp.exp(rows[second:] + curve @ normal("curves", looks.pairs))) @ member
            sd = jnp.sqrt(tests.std_error**2 + (tests.relative_sd * read) ** 2)
            log_density = dist.StudentT(priors.degrees, read, sd).log_prob(tests.outcome_change)
            numpyro.factor("tests", (log_density * tests.counts).sum())

    return model
