"""The linear terms of a fitted model, drawn exactly after the sampling, and the decomposition of the KPI.

Given a draw of the media parameters the coefficients of the prior-scaled design are Gaussian with mean
``V (l + sigma^2)^-1 V' A' r`` and covariance ``sigma^2 V (l + sigma^2)^-1 V'`` (`density`), so one eigen-decomposition
serves all draws. They are drawn only when somebody asks, and need no JAX.
"""

from dataclasses import dataclass

import numpy as np

from measurement.mmm.counterfactual import effects, media_effect
from measurement.mmm.design_matrix import Design, Spectrum, decompose, design_of
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats

TERMS = ("baseline", "seasonality", "holidays", "controls", "confounding")


@dataclass(frozen=True, eq=False)
class LinearDraws:
    """Draws of the prior-scaled coefficients.

    Attributes:
        design: The linear terms.
        coefficients: Shape (draws, columns), in the order of ``design.labels()``.
    """

    design: Design
    coefficients: Floats


def linear_draws(post: Posterior, panel: Panel, *, seed: int = 0) -> LinearDraws:
    """Draw the linear terms given each draw of the media parameters; the panel must be that of the fit."""
    post.check(panel)
    design = design_of(post.spec, panel, post.scales)
    spectrum = decompose(design, post.weight)
    weighted = (design.matrix() * post.weight.reshape(-1, 1) ** 2).T
    outcome = post.scales.scaled_outcome(panel) - design.offset
    media = media_effect(post, panel, lambda effect: effect.reshape(len(effect), -1) @ weighted.T)
    return LinearDraws(
        design,
        conditional_draws(
            spectrum, weighted @ outcome.ravel() - media, post.draws["sigma"], np.random.default_rng(seed)
        ),
    )


def conditional_draws(spectrum: Spectrum, projected: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    """Draw coefficients from their exact conditional distribution.

    Args:
        spectrum: Decomposition of the weighted design.
        projected: ``A' r`` of each draw, shape (draws, columns).
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
    where the model has them, and ``media: <channel>`` for every channel. They add up to `fitted`.
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
    terms = np.array([term for term, _ in (*design.national_labels, *design.local_labels, *design.cells_labels)])
    out = {
        term: post.scales.outcome * coefficients[:, terms == term] @ columns[:, terms == term].T
        for term in TERMS
        if (terms == term).any()
    }
    out["baseline"] = out["baseline"] + design.offset * size.sum() * post.scales.outcome
    media = effects(post, panel)
    return out | {f"media: {name}": media[:, c] for c, name in enumerate(post.channels)}


def fitted(post: Posterior, panel: Panel, *, seed: int = 0) -> Floats:
    """The KPI's mean by period, summed over geos, in KPI units, shape (draws, periods)."""
    return np.asarray(sum(decomposition(post, panel, seed=seed).values()))
