"""Joint draws of the truth in every cell, given all that was seen: sample the prior, then move it to what was seen.

A draw of everything from the prior (truth and what the methods would have said of it), plus the covariance with the
rows times ``(covariance of the rows)^-1 (seen - drawn)``, is a draw of the posterior (Matheron's rule). Only the rows
need a factor, so that hundreds of cells cost next to nothing, and quantities that hang on the response curves (mROAS,
a market, a month) are moved along with what the tests say of these curves: see `Fusion.shaped` in
`calibration.integrate`.

Source: Journel & Huijbregts (1978), Mining geostatistics; Wilson et al. (2020), Efficiently sampling functions from
Gaussian process posteriors, ICML.
"""

import numpy as np

from calibration.evidence_model import (
    Looks,
    MethodPriors,
    Sources,
    Spreads,
    bias_factor,
    of_cells,
    prior_moments,
)
from measurement.typing import Floats, Ints

JITTER = 1e-8


def cells(
    sources: Sources,
    looks: Looks,
    spreads: Spreads,
    priors: MethodPriors,
    seen: Floats,
    shape: Ints,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Draw the truth in every cell given the rows.

    Args:
        sources: What the methods say.
        looks: The rows.
        spreads: One node per draw.
        priors: What is believed of the methods.
        seen: The rows' values in each draw, shape (draws, rows).
        shape: Per draw, which of the tests' draws of the response curves is its prior draw, shape (draws,).
        rng: Source of the draws.

    Returns:
        Log iROAS of the cells, shape (draws, channels × periods), and the pull of each pair, shape (draws, pairs): what
        the covariance with the pairs' curves has to be multiplied by.
    """
    truth, said = _prior_draw(sources, looks, spreads, priors, shape, rng)
    _, covariance = prior_moments(sources, looks, spreads, priors)
    covariance += JITTER * np.eye(covariance.shape[1])
    pull = np.linalg.solve(covariance, (seen - said)[..., None])[..., 0]
    periods = sources.shape[1]
    moved = truth[:, :, :periods].reshape(len(seen), -1) + of_cells(looks, spreads, priors, pull)
    return moved, pull[:, looks.observed :]


def _prior_draw(
    sources: Sources,
    looks: Looks,
    spreads: Spreads,
    priors: MethodPriors,
    shape: Ints,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """The truth at all times, shape (draws, channels, times), and the rows, shape (draws, rows), from the prior."""
    channels, draws = sources.shape[0], spreads.channel.size
    normal = rng.standard_normal
    order = np.argsort(looks.times, kind="stable")
    gaps = np.sqrt(np.diff(looks.times[order], prepend=looks.times.min()))
    walk = np.empty((draws, channels, order.size))
    walk[:, :, order] = np.cumsum(normal(walk.shape) * gaps, axis=2)
    level = priors.level_sd * normal((draws, 1)) + priors.kind_sd * normal((draws, 3))[:, sources.demand_driven]
    level = level + spreads.channel[:, None] * normal((draws, channels))
    level = sources.prior_centre + sources.prior_width * level
    truth = level[:, :, None] + spreads.drift[:, None, None] * walk
    centre = sources.prior_centre[looks.channel]
    rows = np.einsum("nrt,rt->nr", truth[:, looks.channel], looks.weights)
    rows = centre + spreads.loadings(looks) * (rows - centre)
    first, second = looks.mmm.size, looks.observed
    own, other = normal((draws, channels)), normal((draws, channels))
    factor = bias_factor(sources, priors, looks.mmm)
    bias = priors.mmm_common * normal((draws, 1)) + spreads.mmm[:, None] * own[:, looks.mmm]
    error = normal((draws, first)) @ _factor(sources.mmm_cov[np.ix_(looks.mmm, looks.mmm)]).T
    rows[:, :first] += factor * bias + error
    rho, theirs = spreads.correlation[:, None], looks.attribution
    shift, shift_sd = priors.demand_driven_shift
    rows[:, first:second] -= priors.incrementality[0] + priors.incrementality[1] * normal((draws, 1))
    rows[:, first:second] -= (shift + shift_sd * normal((draws, 1))) * sources.demand_driven[theirs] / 2
    unlike = rho * own[:, theirs] + np.sqrt(1 - rho**2) * other[:, theirs]
    error = sources.attribution_sd[theirs] * normal((draws, theirs.size))
    rows[:, first:second] += spreads.incrementality[:, None] * unlike + error
    tests = sources.tests
    if tests.log_scale_draws.size:
        rows[:, second:] += tests.log_scale_draws[shape]
    else:
        rows[:, second:] += normal((draws, looks.pairs)) @ _factor(tests.log_scale_cov).T
    return truth, rows


def _factor(covariance: Floats) -> Floats:
    size = covariance.shape[0]
    return np.linalg.cholesky(covariance + JITTER * np.eye(size)) if size else covariance
