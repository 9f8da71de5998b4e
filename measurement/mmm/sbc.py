"""Simulation-based calibration: where the truth ranks among the draws of fits to data that the model itself made.

Parameters are drawn from the priors and data from them (`forwards`), the sampler fits each data set, and the rank of
every true quantity among its draws must be uniform (Talts et al. 2018). One compiled program serves all data sets.
Quantities that read the data too, the log-likelihood above all, see what ranks of parameters alone cannot (Modrak et
al. 2023, "Simulation-based calibration checking for Bayesian computation: the choice of test quantities shapes
sensitivity"). Scales, the linear terms' prior scales and the residual's hyperparameters are held fixed at those of
the panel given: that they are estimated beforehand is not part of the check.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from measurement.errors import DesignError
from measurement.lift import Lift
from measurement.mmm.density import ModelData, lift_log_density, media, series_log_density
from measurement.mmm.design_matrix import Design, design_of
from measurement.mmm.diagnostics import Diagnostics
from measurement.mmm.forwards import Drawn, forwards
from measurement.mmm.linear_terms import linear_draws
from measurement.mmm.numpyro_engine import STRETCH, first_states, program, use_cache
from measurement.mmm.posterior import Posterior
from measurement.mmm.prepare import Prepared
from measurement.mmm.priors import Layout, unpack
from measurement.mmm.spec import Spec
from measurement.mmm.uniformity import band, chi_square
from measurement.panel import Panel
from measurement.provenance import Provenance
from measurement.typing import Floats, Ints

LAST = 4  # periods of the demand that is ranked


@dataclass(frozen=True)
class Length:
    """How long each fit samples.

    Attributes:
        warmup: Draws that tune the sampler.
        draws: Draws that are kept; ranks run from 0 to this.
        thin: Steps of the sampler per kept draw, so that kept draws are nearly independent.
        target_accept: As in `Sampling`.
    """

    warmup: int = 120
    draws: int = 39
    thin: int = 2
    target_accept: float = 0.75


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of true quantities among the draws of many fits.

    Attributes:
        names: The quantities.
        ranks: How many draws lie below the truth, shape (runs, quantities).
        draws: Draws per fit.
        lag: Autocorrelation of one kept draw with the next, shape (runs, quantities).
        divergent: Share of divergent draws, shape (runs,).
    """

    names: tuple[str, ...]
    ranks: Ints
    draws: int
    lag: Floats
    divergent: Floats

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Ranks of several stretches of runs as one."""
        ranks, lag, divergent = (
            np.concatenate(x) for x in zip(*((p.ranks, p.lag, p.divergent) for p in parts), strict=True)
        )
        return replace(parts[0], ranks=ranks, lag=lag, divergent=divergent)

    def p_values(self, bins: int = 20) -> dict[str, tuple[float, float]]:
        """Of each quantity: p-values of the chi-square test and of the band."""
        return {
            name: (chi_square(column, self.draws, bins), band(column, self.draws, bins))
            for name, column in zip(self.names, self.ranks.T, strict=True)
        }


def verdict(p_values: Mapping[str, tuple[float, float]]) -> tuple[float, str]:
    """The smallest p-value of all quantities and both tests, times their number (Bonferroni), and whose it is."""
    least, name = min((min(both), name) for name, both in p_values.items())
    return min(1.0, least * 2 * len(p_values)), name


def calibrate(
    panel: Panel,
    spec: Spec,
    lifts: Sequence[Lift],
    ready: Prepared,
    *,
    runs: range,
    seed: int,
    length: Length | None = None,
    fitted: Prepared | None = None,
) -> Ranks:
    """Draw data sets, fit each and rank its truth.

    Args:
        panel: Spend, calendar and controls; its KPI sets the scales.
        spec: The model.
        lifts: Lift tests, whose results are drawn with the KPI.
        ready: The model as prepared for these; the data are drawn from it.
        runs: Numbers of the data sets; each has a seed of its own, so that stretches may run apart.
        seed: Seed of data and sampler.
        length: How long each fit samples.
        fitted: The model that is fitted, where it is to differ from the one that made the data: a planted mistake.

    Raises:
        DesignError: Where the likelihood is not normal: data are drawn for that one only.
    """
    if spec.likelihood != "normal":
        raise DesignError("simulation-based calibration draws normal noise: set the model's likelihood to 'normal'")
    chosen, used = length or Length(), fitted or ready
    design = design_of(spec, panel, ready.scales, ready.noise, ready.usual)
    with jax.enable_x64(True):
        use_cache()
        arrays = jax.tree.map(jnp.asarray, used.data)
    names: tuple[str, ...] = ()
    rows, lags, divergent = [], [], []
    for run in runs:
        rng = np.random.default_rng((seed, run))
        drawn = forwards(panel, spec, lifts, ready, design, rng)
        with jax.enable_x64(True):
            data = _with(arrays, drawn, design.offset, used)
            fit = chain(used.layout, data, chosen, int(rng.integers(2**31)))
            points = jnp.asarray(np.concatenate([drawn.z[None], fit.z]))
            seen = {name: np.asarray(column) for name, column in _seen(used.layout)(points, data).items()}
        both = _parameters(panel, spec, lifts, ready, drawn, fit)
        both |= _linear(panel, spec, ready, design, drawn, fit, seed=run)
        both |= {name: (column[0], column[1:]) for name, column in seen.items()}
        names = tuple(both)
        table = np.stack([draws for _, draws in both.values()], axis=1)
        rows.append((table < np.array([truth for truth, _ in both.values()])).sum(0))
        lags.append(_autocorrelation(table))
        divergent.append(fit.divergent)
    return Ranks(names, np.stack(rows), chosen.draws, np.stack(lags), np.array(divergent))


@dataclass(frozen=True, eq=False)
class Fit:
    """Kept draws: standard normal coordinates, named values, coefficients and shares; and how many diverged."""

    z: Floats
    values: dict[str, Floats]
    coefficient: Floats
    share: Floats
    divergent: float


def _with(data: ModelData, drawn: Drawn, offset: float, ready: Prepared) -> ModelData:
    """The arrays of a fit with a drawn KPI and drawn results of the tests."""
    periods = data.outcome.shape[1]
    outcome = np.pad(drawn.outcome - offset, ((0, 0), (0, periods - drawn.outcome.shape[1])))
    tests = data.tests
    if tests is not None:
        measured = np.pad(drawn.lifts, (0, len(tests.used) - len(drawn.lifts)))
        tests = tests._replace(measured=jnp.asarray(measured) / tests.std_error)
    return data._replace(outcome=jnp.asarray(outcome), tests=tests)


def chain(layout: Layout, data: ModelData, length: Length, seed: int) -> Fit:
    """One chain of the compiled sampler, thinned."""
    made = program(layout, length.warmup, length.target_accept)
    keys = jax.random.split(jax.random.key(seed))
    state = first_states(made, layout, data, [keys])[0]
    kept: list[list[Floats]] = []
    left = length.warmup + length.draws * length.thin
    while left > 0:
        count = min(STRETCH, left)
        state, out = made.stretch(state, data, count)
        kept.append([np.asarray(values)[:count] for values in out])
        left -= count
    z, coefficient, share, _, _, divergent, _ = (
        np.concatenate(values)[length.warmup :] for values in zip(*kept, strict=True)
    )
    off = float(divergent.mean())
    z, coefficient, share = (values[length.thin - 1 :: length.thin] for values in (z, coefficient, share))
    mean, sd = (np.asarray(part) for part in (data.prior_mean, data.prior_sd))
    return Fit(z, unpack(layout, mean + sd * z), coefficient, np.exp(share), off)


@lru_cache(maxsize=16)
def _seen(layout: Layout) -> Callable[[Any, ModelData], dict[str, Any]]:
    """Quantities of parameters and data together, of points in standard normal coordinates."""

    def one(data: ModelData, z: Any) -> dict[str, Any]:
        values = unpack(layout, data.prior_mean + data.prior_sd * z)
        effect, coefficient, _ = media(layout, data, values)
        left = data.outcome - effect
        series = series_log_density(layout, data, left, values)
        tests = lift_log_density(layout, data, values, coefficient)
        out = {"log-likelihood": series + tests, "square left over": jnp.where(data.own > 0, left**2, 0.0).sum()}
        return out | ({"log-likelihood of the tests": tests} if data.tests is not None else {})

    return jax.jit(lambda points, data: jax.vmap(partial(one, data))(points))


def _parameters(
    panel: Panel, spec: Spec, lifts: Sequence[Lift], ready: Prepared, drawn: Drawn, fit: Fit
) -> dict[str, tuple[float, Floats]]:
    """Truth and draws of every parameter, of each channel's iROAS and of the whole contribution."""
    layout, out = ready.layout, {}
    at = layout.start("log_contribution")
    real = {"lift_spread": ready.groups, "lift_bias": len(lifts)}
    for name, truth in drawn.values.items():
        if name != "size":
            draws = fit.values[name].reshape(len(fit.z), -1)[:, : real.get(name)]
            for i, (one, column) in enumerate(zip(truth.ravel(), draws.T, strict=False)):
                out[f"{name} {i + 1}"] = (float(one), column)
    for c, name in enumerate(panel.channels):
        out[f"iroas {c + 1}"] = (float(drawn.share[c]), fit.share[:, c])  # but for a constant
        about = spec.channels[name].size_prior[0]
        if about in ("mroi", "coefficient"):
            out[f"prior's {about} {c + 1}"] = (float(drawn.z[at + c]), fit.z[:, at + c])
        for g in range(len(panel.geos)):
            out[f"coefficient {c + 1}, {g + 1}"] = (float(drawn.coefficient[c, g]), fit.coefficient[:, c, g])
    return out | {"contribution": (float(drawn.share.sum()), fit.share.sum(1))}


def _linear(
    panel: Panel, spec: Spec, ready: Prepared, design: Design, drawn: Drawn, fit: Fit, *, seed: int
) -> dict[str, tuple[float, Floats]]:
    """Truth and draws of the national linear terms and of the last periods' demand, drawn given the fit's draws."""
    kpi = drawn.outcome * ready.scales.size[:, None] * ready.scales.outcome
    made = replace(panel, kpis={**panel.kpis, panel.kpi: kpi})
    named = {name: values for name, values in fit.values.items() if values.ndim <= 2}
    count = len(fit.z)
    post = Posterior(
        draws=named | {"coefficient": fit.coefficient},
        chains=1,
        channels=panel.channels,
        geos=panel.geos,
        spec=spec,
        scales=ready.scales,
        counts=ready.counts,
        usual=ready.usual,
        noise=ready.noise,
        diagnostics=Diagnostics(True, 1.0, float(count), 0, count, 0.0, 0.0, 0.0, ()),
        provenance=Provenance(data="", seed=seed),
    )
    given = linear_draws(post, made, seed=seed, design=design)  # whose scale must not follow the drawn KPI
    out = {
        f"{term}: {name}": (float(drawn.linear[k]), given.coefficients[:, k])
        for k, (term, name) in enumerate(design.national_labels)
    }
    return out | {"last demand": (float(drawn.demand[-LAST:].mean()), given.demand[:, -LAST:].mean(1))}


def _autocorrelation(table: Floats) -> Floats:
    """Correlation of each draw with the next, shape (columns,)."""
    x = table - table.mean(0)
    return np.asarray((x[1:] * x[:-1]).sum(0) / np.maximum((x**2).sum(0), 1e-300))
