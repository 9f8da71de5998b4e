"""What the full form needs beforehand: a Gaussian likelihood near the model's own, and its conditional posterior.

The nearer it is, the fewer steps the sampler takes; the posterior does not depend on it. Near Student's t is normal
noise whose precision is that of the t given its residual (the weights of its EM algorithm), so that an outlier counts
for little. Near the negative binomial is normal noise of its variance at a rough fit of the mean.
"""

import numpy as np

from measurement import series
from measurement.mmm.design_matrix import Design, Spectrum, decompose
from measurement.mmm.dims import demand_root
from measurement.mmm.full_form import Full
from measurement.mmm.likelihood import positive
from measurement.mmm.likelihood_choice import Likelihood
from measurement.mmm.noise import Noise, Precision, local_precision, precision_of
from measurement.mmm.scaling import Scales
from measurement.panel import Panel
from measurement.typing import Floats

PLUG_IN_NU = 4.0
REWEIGHTED = REFITTED = 6
OUTLYING = 3.0
WINDOW = 9
LEAST_MEAN = 0.2
MOST_OVERDISPERSED, LEAST_OVERDISPERSED = 1.0, 400.0
_MAD_TO_SD = 1.4826


def tamed(outcome: Floats, columns: Floats) -> Floats:
    """The outcome without its outliers, so that the residual's fixed parts are estimated without them.

    A cell that is more than 3 robust deviations from what the columns and its neighbours say is moved there.

    Args:
        outcome: Shape (geos, periods).
        columns: What may explain it, shape (columns, geos, periods).
    """
    out, flat = outcome.copy(), columns.reshape(len(columns), -1)
    window = min(WINDOW, 2 * (outcome.shape[1] // 4) + 1)
    gram = np.linalg.inv(flat @ flat.T + 1e-3 * np.eye(len(flat))) @ flat
    for _ in range(REFITTED):  # the first fits are bent by what they are to find
        left = (outcome - (gram @ out.ravel() @ flat).reshape(outcome.shape)).astype(np.float64)
        alone = left - series.neighbours(left, window)
        centre = np.median(alone, axis=1, keepdims=True)
        reach = OUTLYING * _MAD_TO_SD * np.median(np.abs(alone - centre), axis=1, keepdims=True)
        out = outcome - np.where(np.abs(alone - centre) > reach, alone - centre, 0.0)
    return out


def full_of(
    likelihood: Likelihood, panel: Panel, scales: Scales, noise: Noise, counts: Floats, design: Design, media: Floats
) -> Full:
    """What is known beforehand of the linear terms and the demand.

    Args:
        likelihood: The likelihood.
        panel: The data.
        scales: Their scales.
        noise: The residual's fixed parts.
        counts: 1 for the cells that count, shape (geos, periods).
        design: The linear terms.
        media: Effects of about the expected size, shape (channels, geos, periods).
    """
    own = precision_of(noise, counts)
    y = scales.scaled_outcome(panel) - design.offset
    unit = scales.size * scales.outcome
    if likelihood == "student_t":
        near, scale = _reweighted(y, noise, counts, design, media), noise.sigma
    else:
        near, scale = _counted(panel, noise, own, design, y, media, unit), 1.0
    root, strength, spectrum, cross = _conditional(near, scale, noise, design)
    return Full(
        own=near.own,
        lag=near.lag,
        vectors=spectrum.vectors,
        values=spectrum.values,
        cross=cross,
        root=root,
        strength=strength,
        kpi=panel.outcome,
        unit=unit,
        offset=design.offset,
        log_root=float(np.log(own.own[own.own > 0]).sum()),
    )


def _conditional(
    near: Precision, scale: float, noise: Noise, design: Design
) -> tuple[Floats, Floats, Spectrum, Floats]:
    """``R U``, ``L``, the spectrum of ``A' P A`` and ``C V`` (letters as in `full_form`)."""
    columns = design.matrix().T
    shape = (-1, *near.own.shape)
    near_columns = local_precision(near.own, near.lag, columns.reshape(shape))[0]
    values, vectors = np.linalg.eigh(columns @ near_columns.reshape(columns.shape).T)
    values = np.maximum(values, 0.0)
    cross = near_columns.sum(-2).T @ vectors
    geos, periods = near.own.shape
    each = np.broadcast_to(np.eye(periods)[:, None, :], (periods, geos, periods))
    told = local_precision(near.own, near.lag, each)[0].sum(1) - cross / (values + scale**2) @ cross.T
    root = demand_root(noise, periods)
    strength, basis = np.linalg.eigh(root.T @ (told + told.T) @ root / 2)
    return root @ basis, np.maximum(strength, 0.0), Spectrum(vectors, values), cross


def _fitted(y: Floats, precision: Precision, noise: Noise, design: Design, media: Floats) -> Floats:
    """Posterior mean of linear terms, demand and media of about the expected size under normal noise."""
    extra = Design(
        design.national,
        design.local,
        np.concatenate([design.cells, media]),
        design.national_labels,
        design.local_labels,
        (*design.cells_labels, *[("media", "")] * len(media)),
    )
    columns, spectrum = extra.matrix().T, decompose(extra, precision)
    projected = columns @ precision.times(y).ravel() @ spectrum.vectors
    linear = (spectrum.vectors @ (projected / (spectrum.values + noise.sigma**2)) @ columns).reshape(y.shape)
    near = local_precision(precision.own, precision.lag, y - linear)[0]
    return np.asarray(linear + precision.demand @ near.sum(0))


def _reweighted(y: Floats, noise: Noise, counts: Floats, design: Design, media: Floats) -> Precision:
    """The precision with the weights that Student's t gives each innovation at its own fit."""
    plain = precision_of(noise, counts)
    weights = np.ones_like(y)
    for _ in range(REWEIGHTED):
        precision = precision_of(noise, counts, weights)
        left = y - _fitted(y, precision, noise, design, media)
        white = local_precision(plain.own, plain.lag, left)[1]
        scale = _MAD_TO_SD * np.median(np.abs(white[counts > 0]))
        weights = (PLUG_IN_NU + 1) / (PLUG_IN_NU + (white / scale) ** 2)
    return precision_of(noise, counts, weights)


def _counted(
    panel: Panel, noise: Noise, own: Precision, design: Design, y: Floats, media: Floats, unit: Floats
) -> Precision:
    """Precision of the counts at a rough fit of their mean, in means of the KPI."""
    mean = positive(np.maximum(_fitted(y, own, noise, design, media) + design.offset, LEAST_MEAN)) * unit[:, None]
    use = own.own > 0
    extra = ((panel.outcome - mean) ** 2 - mean)[use].sum() / (mean[use] ** 2).sum()
    over = np.clip(extra, 1.0 / LEAST_OVERDISPERSED, MOST_OVERDISPERSED)
    root = np.where(use, unit[:, None] / np.sqrt(mean + over * mean**2), 0.0)
    return Precision(root, np.zeros_like(root), own.demand, 0.0)
