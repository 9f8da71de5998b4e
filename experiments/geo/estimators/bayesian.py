"""Bayesian synthetic control with a structural time series for what it leaves over.

The scaled and demeaned treated market is ``level + amplitude × weights' donors + season + memory + noise``: weights on
the simplex (a logistic Normal, so that few or many donors may carry it), an amplitude near one that lets the market
swing wider than any donor, a seven-period season that shrinks to nothing where there is none, first-order
autoregressive memory and white noise (a local level where the memory is long). After Brodersen, Gallusser, Koehler,
Remy and Scott (2015), Inferring Causal Impact Using Bayesian Structural Time-Series Models, and Kim, Lee and Gupta
(2020), Bayesian Synthetic Control Methods. NUTS sees the pre-period only, with the memory filtered out exactly; the
read-out is drawn forward from the last filtered state. The draws are the inference: no reference sets are fitted.

Seen coverage of the 90 % interval on simulated panels of 20 geos, 90 days and 14 days of read-out (shared factors,
a weekly season): own memory .5, .89 of 100 panels; memory .8, .91 of 65; white noise only, .87 of 70; a slow memory of
.9 hidden under twice its size in noise, .79 of 57. So it is an alternate, no default: it is only as good as its model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from experiments.geo.estimators.block import Block, Fit, sizes_of
from measurement.typing import Floats

SEASON = 7
SCALARS = 7  # spread of weights, level, amplitude, memory, its scale, season's scale, noise's scale
TREE_DEPTH = 8
TARGET_ACCEPT = 0.85


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to sample.

    Attributes:
        warmup: Steps of adaptation per chain.
        draws: Draws kept per chain.
        chains: Number of chains.
        seed: The same seed gives the same draws on the same machine.
    """

    warmup: int = 300
    draws: int = 500
    chains: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Posterior draws of the model's parts, the first axis being the draw.

    Attributes:
        weights: Of the donors, shape (draws, donors), on the simplex.
        amplitude: Shape (draws,).
        level: In scaled KPI, shape (draws,).
        season: Shape (draws, 7), summing to zero.
        memory: First-order autocorrelation of the slow part, shape (draws,).
        step: Standard deviation of its steps, shape (draws,).
        noise: Standard deviation of the white part, shape (draws,).
    """

    weights: Floats
    amplitude: Floats
    level: Floats
    season: Floats
    memory: Floats
    step: Floats
    noise: Floats


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Sample the posterior of the pre-period and predict the read-out without the test."""
    settings = settings or Settings()
    observed, donors, pre = block.observed, block.donor_outcome, block.pre_length
    size = max(float(np.abs(observed[:pre]).mean()), 1e-300)
    target, series = observed / size, donors / sizes_of(donors[:, :pre])[:, None]
    shift = float(target[:pre].mean())
    target, series = target - shift, series - series[:, :pre].mean(axis=1, keepdims=True)
    spread = max(float(target[:pre].std()), 1e-9)
    draws = sample(target[:pre] / spread, series[:, :pre] / spread, settings)
    expected = (
        draws.level[:, None]
        + draws.amplitude[:, None] * (draws.weights @ (series / spread))
        + draws.season[:, np.arange(target.size) % SEASON]
    )
    rng = np.random.default_rng(settings.seed)
    left = _carried(target[:pre] / spread - expected[:, :pre], draws, target.size - pre, rng)
    usual = (expected * spread + shift) * size
    usual[:, pre:] += left * spread * size
    posterior = observed[pre:] - usual[:, pre:]
    return Fit(observed, usual.mean(axis=0), pre, draws.weights.mean(axis=0), posterior=posterior)


def sample(target: Floats, series: Floats, settings: Settings) -> Draws:
    """Draw from the posterior.

    Args:
        target: Treated market of the pre-period with mean 0 and standard deviation 1, shape (pre-periods,).
        series: Donors in the same unit, shape (donors, pre-periods).
        settings: How long.
    """
    import jax

    from measurement.mmm.numpyro_engine import use_cache

    with jax.enable_x64(True):
        use_cache()
        run, parts = _program(series.shape[0], settings.warmup, settings.draws)
        keys = jax.random.split(jax.random.key(settings.seed), settings.chains)
        data = {"target": target, "series": series, "day": np.arange(target.size) % SEASON}
        drawn = [np.asarray(run(key, data)) for key in keys]
        return Draws(*(np.asarray(values) for values in parts(np.concatenate(drawn))))


@lru_cache(maxsize=8)
def _program(donors: int, warmup: int, draws: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The jitted sampler, compiled once per shape, and the map from what it samples to the model's parts."""
    import jax
    from jax import lax
    from numpyro.infer.hmc import hmc

    def potential_of(data: dict[str, Any]) -> Callable[[Any], Any]:
        return lambda z: -_log_density(_parts(z, donors), data) + 0.5 * (z * z).sum()

    init, step = hmc(potential_fn_gen=potential_of, algo="NUTS")

    def run(key: Any, data: dict[str, Any]) -> Any:
        first, rest = jax.random.split(key)
        state = init(
            0.1 * jax.random.normal(first, (donors + SCALARS + SEASON,)),
            warmup,
            step_size=0.1,
            target_accept_prob=TARGET_ACCEPT,
            max_tree_depth=TREE_DEPTH,
            model_args=(data,),
            rng_key=rest,
        )

        def one(state: Any, _: None) -> tuple[Any, Any]:
            state = step(state, (data,))
            return state, state.z

        return lax.scan(one, state, None, length=warmup + draws)[1][warmup:]

    return jax.jit(run), jax.jit(jax.vmap(lambda z: _parts(z, donors)))


def _parts(z: Any, donors: int) -> tuple[Any, ...]:
    """The parts of the model, in the order of `Draws`, from standard Normals: the priors are in these maps."""
    import jax
    import jax.numpy as jnp

    spread, level, amplitude, memory, step, swing, noise = z[donors : donors + SCALARS]
    season = z[donors + SCALARS :]
    return (
        jax.nn.softmax(jnp.exp(0.5 + 0.5 * spread) * z[:donors]),
        jnp.exp(0.25 * amplitude),
        level,
        jnp.exp(swing - 2.5) * (season - season.mean()),
        jax.nn.sigmoid(0.5 + 1.5 * memory),
        jnp.exp(step - 1.0),
        jnp.exp(noise - 1.5),
    )


def _log_density(parts: tuple[Any, ...], data: dict[str, Any]) -> Any:
    """Likelihood of the pre-period with the memory integrated out by a scalar Kalman filter."""
    import jax.numpy as jnp
    from jax import lax

    weights, amplitude, level, season, memory, step, noise = parts
    left = data["target"] - level - amplitude * (weights @ data["series"]) - season[data["day"]]

    def advance(state: tuple[Any, Any], value: Any) -> tuple[tuple[Any, Any], Any]:
        mean, variance = state
        total = variance + noise**2
        gain = variance / total
        after = (memory * (mean + gain * (value - mean)), memory**2 * variance * (1.0 - gain) + step**2)
        return after, jnp.log(total) + (value - mean) ** 2 / total

    start = (jnp.zeros_like(level), step**2 / (1.0 - memory**2))
    return -0.5 * lax.scan(advance, start, left)[1].sum()


def _carried(left: Floats, draws: Draws, periods: int, rng: np.random.Generator) -> Floats:
    """Memory and noise drawn forward from the end of the pre-period, shape (draws, periods).

    Args:
        left: What the mean leaves over in the pre-period, shape (draws, pre-periods).
        draws: The parts.
        periods: How far.
        rng: Source of randomness.
    """
    mean, variance = np.zeros(len(left)), draws.step**2 / (1.0 - draws.memory**2)
    for value in left.T:
        gain = variance / (variance + draws.noise**2)
        mean = draws.memory * (mean + gain * (value - mean))
        variance = draws.memory**2 * variance * (1.0 - gain) + draws.step**2
    state = mean + np.sqrt(variance) * rng.standard_normal(len(left))
    ahead = np.empty((len(left), periods))
    for period in range(periods):
        ahead[:, period] = state + draws.noise * rng.standard_normal(len(left))
        state = draws.memory * state + draws.step * rng.standard_normal(len(left))
    return ahead
