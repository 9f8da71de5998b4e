"""The linear terms of a fitted model, and the decomposition of the KPI.

The full form samples them, and its posterior holds them. Of the collapsed form they are drawn exactly afterwards: given
a draw of the media parameters the coefficients of the prior-scaled design are Gaussian with mean
``V (l + sigma^2)^-1 V' A' W r`` and covariance ``sigma^2 V (l + sigma^2)^-1 V'``; given those the national demand is
Gaussian with mean ``M Z' P (r - A eta)`` and covariance ``sigma^2 M`` (letters as in `density` and `noise`). One
decomposition serves all draws. They are drawn only when somebody asks, and need no JAX.
"""

from dataclasses import dataclass

import numpy as np

from measurement.mmm.counterfactual import effects, media_effect
from measurement.mmm.design_matrix import Design, Spectrum, decompose, design_of
from measurement.mmm.likelihood import draw, family_of
from measurement.mmm.noise import local_precision, precision_of
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats

TERMS = ("baseline", "seasonality", "holidays", "controls", "confounding")


@dataclass(frozen=True, eq=False)
class LinearDraws:
    """Draws of the linear terms.

    Attributes:
        design: The terms.
        coefficients: Prior-scaled coefficients, shape (draws, columns), in the order of ``design.labels()``.
        demand: The national demand in means of the KPI, shape (draws, periods).
    """

    design: Design
    coefficients: Floats
    demand: Floats


def linear_draws(post: Posterior, panel: Panel, *, seed: int = 0, design: Design | None = None) -> LinearDraws:
    """The linear terms of each draw of the media parameters; the panel must be that of the fit.

    Args:
        post: The fit.
        panel: Its data.
        seed: Seed of what is drawn here: nothing, where the posterior holds them.
        design: The linear terms, where they are not to be built from the panel.
    """
    post.check(panel)
    design = design or design_of(post.spec, panel, post.scales, post.noise, post.usual)
    if "linear" in post.draws:
        return LinearDraws(design, post.draws["linear"], post.draws["demand"])
    rng = np.random.default_rng(seed)
    precision = precision_of(post.noise, post.counts)
    spectrum = decompose(design, precision)
    columns = design.matrix().T
    shape = (-1, *post.counts.shape)
    weighted = precision.times(columns.reshape(shape)).reshape(columns.shape)
    outcome = post.scales.scaled_outcome(panel) - design.offset

    def near(x: Floats) -> Floats:
        return np.asarray(local_precision(precision.own, precision.lag, x)[0].sum(-2))

    def both(effect: Floats) -> Floats:
        return np.concatenate([effect.reshape(len(effect), -1) @ weighted.T, near(effect)], axis=1)

    media = media_effect(post, panel, both)
    sigma = post.draws["sigma"]
    projected, count = weighted @ outcome.ravel() - media[:, : len(columns)], len(columns)
    coefficients = conditional_draws(spectrum, projected, sigma, rng)
    left = near(outcome) - media[:, count:] - coefficients @ near(columns.reshape(shape))
    values, vectors = np.linalg.eigh(precision.demand)
    noise = rng.standard_normal(left.shape) * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return LinearDraws(design, coefficients, left @ precision.demand + sigma[:, None] * noise)


def conditional_draws(spectrum: Spectrum, projected: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    """Draw coefficients from their exact conditional distribution.

    Args:
        spectrum: Decomposition of the design.
        projected: ``A' W r`` of each draw, shape (draws, columns).
        sigma: Residual standard deviation of each draw.
        rng: Source of randomness.
    """
    scale = spectrum.values + sigma[:, None] ** 2
    mean = projected @ spectrum.vectors / scale
    noise = sigma[:, None] / np.sqrt(scale) * rng.standard_normal(mean.shape)
    return np.asarray((mean + noise) @ spectrum.vectors.T)


def decomposition(post: Posterior, panel: Panel, *, seed: int = 0) -> dict[str, Floats]:
    """The KPI's mean by term and period, summed over geos, in KPI units, each of shape (draws, periods).

    The terms are ``baseline`` (intercepts and trend), ``seasonality``, ``holidays``, ``controls`` and ``confounding``
    where the model has them, ``treatment: <name>`` for every treatment (against its baseline), ``demand`` (what moves
    all geos and nothing else explains), and ``media: <channel>`` for every channel. They add up to `fitted`. What keeps
    the mean of small counts above zero, which is nothing while it stays well above, is part of the baseline.
    """
    drawn = linear_draws(post, panel, seed=seed)
    design, size = drawn.design, post.scales.size
    local = design.local.shape[1]
    first, middle = design.national.shape[1], local * len(size)
    by_geo = drawn.coefficients[:, first : first + middle].reshape(post.size, len(size), local)
    columns = np.concatenate(
        [size.sum() * design.national, design.local, np.einsum("g,pgt->tp", size, design.cells)], axis=1
    )
    coefficients = np.concatenate(
        [drawn.coefficients[:, :first], np.einsum("g,dgk->dk", size, by_geo), drawn.coefficients[:, first + middle :]],
        axis=1,
    )
    labels = (*design.national_labels, *design.local_labels, *design.cells_labels)
    terms = np.array([f"treatment: {name}" if term == "treatments" else term for term, name in labels])
    levers = [f"treatment: {name}" for name in panel.control_names if name in post.spec.treatments]
    out = {
        term: post.scales.outcome * coefficients[:, terms == term] @ columns[:, terms == term].T
        for term in (*TERMS, *levers)
        if (terms == term).any()
    }
    out["baseline"] = out["baseline"] + design.offset * size.sum() * post.scales.outcome
    out["demand"] = drawn.demand * size.sum() * post.scales.outcome
    media = effects(post, panel)
    out |= {f"media: {name}": media[:, c] for c, name in enumerate(post.channels)}
    if post.spec.likelihood == "negative_binomial":
        out["baseline"] = out["baseline"] + cell_means(post, panel, seed=seed).sum(1) - sum(out.values())
    return out


def cell_means(post: Posterior, panel: Panel, *, seed: int = 0) -> Floats:
    """The KPI's mean in every cell, in KPI units, shape (draws, geos, periods); `likelihood` says what lies around it.

    Args:
        post: The fit.
        panel: Its data.
        seed: Seed of the linear terms, as for `linear_draws`.
    """
    drawn = linear_draws(post, panel, seed=seed)
    shape = (post.size, *panel.shape[:2])
    scaled = (drawn.coefficients @ drawn.design.matrix().T).reshape(shape) + drawn.demand[:, None]
    scaled += drawn.design.offset
    scaled += media_effect(post, panel, lambda effect: effect)
    unit = (post.scales.size * post.scales.outcome)[:, None]
    return family_of(post).mean_of(unit * scaled)


def replicated(post: Posterior, panel: Panel, *, seed: int = 0) -> Floats:
    """The KPI as the fitted model would draw it again in every cell, in KPI units, shape (draws, geos, periods)."""
    return draw(family_of(post), cell_means(post, panel, seed=seed), np.random.default_rng([seed, 1]))


def fitted(post: Posterior, panel: Panel, *, seed: int = 0) -> Floats:
    """The KPI's mean by period, summed over geos, in KPI units, shape (draws, periods)."""
    return np.asarray(sum(decomposition(post, panel, seed=seed).values()))
