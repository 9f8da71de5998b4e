"""The sampler: NumPyro's NUTS on the collapsed density, as one compiled program of (state, data).

Chains run in threads of their own: XLA releases the interpreter, so two cores run two chains, no device flags are
needed before JAX starts, and each chain builds trees of its own length (a vectorised batch would wait for the longest).
Each chain runs in short stretches, between which progress is told and an interruption is heard; how the stretches are
cut changes nothing in the draws. The data are arguments, so the compiled program serves every panel of its (padded)
shape and is kept in JAX's persistent cache.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.hmc import hmc

from measurement.cache import cache_folder
from measurement.mmm.density import ModelData, kept, log_density_fn
from measurement.mmm.likelihood_choice import Likelihood
from measurement.mmm.priors import Layout, standardised, unpack
from measurement.mmm.sampling import Progress, ProgressCallback, Sampling
from measurement.mmm.shape import Shape
from measurement.mmm.starting import by_prior, by_shape
from measurement.parallel import cores
from measurement.typing import Bools, Floats, Ints

STRETCH = 25
STRETCH_SECONDS = 0.3
TREE_DEPTH = (8, 10)
FIRST_STEP = 0.1
ACCEPT: dict[Likelihood, float] = {"normal": 0.75, "student_t": 0.75, "negative_binomial": 0.9}
"""Acceptance that step sizes are tuned to. Strongly overdispersed counts diverged in 0 to 3 % of draws at 0.75."""


@dataclass(frozen=True, eq=False)
class Draws:
    """What the sampler returns.

    Attributes:
        z: Draws of the flat vector in standard normal coordinates, shape (chains, draws, dimension).
        coefficient: Coefficients of the saturated exposure, shape (chains, draws, channels, geos).
        log_share: Logarithm of each channel's share of the whole KPI, shape (chains, draws, channels).
        linear: Prior-scaled linear coefficients, padded, shape (chains, draws, columns); no columns where they are
            integrated out.
        demand: The national demand in means of the KPI, padded, shape (chains, draws, periods); likewise.
        divergent: Whether a draw's trajectory diverged, shape (chains, draws).
        steps: Leapfrog steps of each draw, shape (chains, draws).
        seconds: Wall seconds, compilation included.
        compile_seconds: Those of them spent before the first draw (near 0 where the program was at hand).
    """

    z: Floats
    coefficient: Floats
    log_share: Floats
    linear: Floats
    demand: Floats
    divergent: Bools
    steps: Ints
    seconds: float
    compile_seconds: float


def use_cache() -> None:
    """Turn JAX's persistent compilation cache on, unless the user has set one."""
    if jax.config.jax_compilation_cache_dir is not None:
        return
    folder = cache_folder() / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home costs compile time, nothing else
    jax.config.update("jax_compilation_cache_dir", str(folder))  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, eq=False)
class Program:
    """The compiled functions of a layout: ``start(key, z, width, data)`` and ``stretch(state, data, count)``."""

    start: Callable[..., Any]
    stretch: Callable[..., Any]


@lru_cache(maxsize=16)
def program(layout: Layout, warmup: int, target_accept: float) -> Program:
    """The sampler's program; traced once per layout and shape of the data."""
    log_density = log_density_fn(layout)
    init, step = hmc(potential_fn_gen=lambda data: lambda z: -log_density(z, data), algo="NUTS")

    def start(key: Any, z: Any, width: Any, data: ModelData) -> Any:
        return init(
            z,
            warmup,
            step_size=FIRST_STEP,
            inverse_mass_matrix=width**2,
            target_accept_prob=target_accept,
            max_tree_depth=TREE_DEPTH,
            model_args=(data,),
            rng_key=key,
        )

    def stretch(state: Any, data: ModelData, count: Any) -> Any:
        def one(i: Any, carry: Any) -> Any:
            state, out = carry
            state = step(state, (data,))
            z = standardised(layout, data.forms.code, data.prior_mean, data.prior_sd, state.z)
            values = unpack(layout, data.prior_mean + data.prior_sd * z)
            now = (z, *kept(layout, data, values), state.diverging, state.num_steps)
            return state, tuple(buffer.at[i].set(value) for buffer, value in zip(out, now, strict=True))

        empty = (
            jnp.zeros((STRETCH, layout.dimension)),
            jnp.zeros((STRETCH, layout.channels, layout.geos)),
            jnp.zeros((STRETCH, layout.channels)),
            jnp.zeros((STRETCH, layout.columns)),
            jnp.zeros((STRETCH, layout.periods)),
            jnp.zeros(STRETCH, dtype=bool),
            jnp.zeros(STRETCH, dtype=state.num_steps.dtype),
        )
        return jax.lax.fori_loop(0, count, one, (state, empty))

    return Program(jax.jit(start), jax.jit(stretch))


@dataclass
class _Run:
    """What the chains share while they run."""

    total: int
    done: list[int]
    stop: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.perf_counter)


def sample(
    layout: Layout,
    data: ModelData,
    sampling: Sampling,
    seed: int,
    progress: ProgressCallback | None = None,
    earlier: Shape | None = None,
) -> Draws:
    """Draw from the posterior.

    Args:
        layout: The parameters.
        data: The arrays.
        sampling: How long.
        seed: Seed of all randomness; the same seed gives the same draws on the same machine.
        progress: Called from the calling thread a few times a second. An exception raised in it, ``KeyboardInterrupt``
            included, stops all chains and is passed on.
        earlier: The shape of an earlier fit's posterior, to begin with.

    Raises:
        DataError: Where the earlier fit had other parameters.
    """
    began = time.perf_counter()
    if progress is not None:
        progress(Progress("compile", 0, sampling.chains * (sampling.warmup + sampling.draws), None))
    with jax.enable_x64(True):
        use_cache()
        arrays = jax.tree.map(jnp.asarray, data)
        made = program(layout, sampling.warmup, sampling.target_accept or ACCEPT[layout.likelihood])
        keys = jax.random.split(jax.random.key(seed), (sampling.chains, 2))
        states = first_states(made, layout, arrays, keys, earlier)
        made.stretch(states[0], arrays, 0)  # compile once, before the chains need it
    run = _Run(sampling.chains * (sampling.warmup + sampling.draws), [0] * sampling.chains)
    compiled = run.began - began
    workers = min(sampling.chains, cores())
    with ThreadPoolExecutor(workers, thread_name_prefix="chain") as pool:
        futures = [pool.submit(_chain, made, state, arrays, sampling, run, i) for i, state in enumerate(states)]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.25)
                for future in done:
                    future.result()
                if progress is not None:
                    progress(_progress(run, sampling))
        except BaseException:
            run.stop.set()
            raise
    parts = [future.result() for future in futures]
    z, coefficient, share, linear, demand, divergent, steps = (np.stack(values) for values in zip(*parts, strict=True))
    spent = time.perf_counter() - began
    return Draws(z, coefficient, share, linear, demand, divergent, steps.astype(np.int64), spent, compiled)


def first_states(made: Program, layout: Layout, data: ModelData, keys: Any, earlier: Shape | None = None) -> list[Any]:
    """The chains' states before their first step, one for each pair of keys."""
    start = by_prior(layout, data) if earlier is None else by_shape(layout, earlier, data)
    first = [start.centre + start.sd * jax.random.normal(key[0], (layout.dimension,)) for key in keys]
    return [made.start(key[1], z, start.width, data) for key, z in zip(keys, first, strict=True)]


def _chain(made: Program, state: Any, data: ModelData, sampling: Sampling, run: _Run, index: int) -> list[Any]:
    """Run one chain in stretches of about `STRETCH_SECONDS`; warm-up draws are not kept."""
    held: list[list[Any]] = [[] for _ in range(7)]
    total, done, count = sampling.warmup + sampling.draws, 0, 1
    with jax.enable_x64(True):
        while done < total and not run.stop.is_set():
            count = min(count, total - done)
            at = time.perf_counter()
            state, out = made.stretch(state, data, count)
            out[0].block_until_ready()
            took = time.perf_counter() - at
            keep = max(0, done + count - sampling.warmup)
            for values, found in zip(out, held, strict=True):
                found.append(np.asarray(values)[max(0, count - keep) : count])
            done += count
            run.done[index] = done
            count = int(np.clip(count * STRETCH_SECONDS / max(took, 1e-6), 1, min(STRETCH, 2 * count)))
    return [np.concatenate(values) for values in held]


def _progress(run: _Run, sampling: Sampling) -> Progress:
    done = sum(run.done)
    spent = time.perf_counter() - run.began
    warm = all(count >= sampling.warmup for count in run.done)
    # Early draws build the longest trees, so a plain rate says too much at first; that is the safer side.
    left = spent * (run.total - done) / done if done >= 10 * len(run.done) else None
    return Progress("sample" if warm else "warm-up", done, run.total, left)
