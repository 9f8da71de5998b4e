"""The series' normal distribution given the media parameters, in NumPy: what it says of cells left out or yet to come.

Given a draw the outcome is normal with covariance ``C = sigma^2 W^-1 + A A'`` (letters as in
`measurement.mmm.density`): linear terms and national demand are integrated out. Under a likelihood that is not normal
``W`` is that of the normal noise near it (`near`). With ``A' W A = V diag(l) V'`` and ``B = W A V``,

    C^-1 = (W - B diag(1 / (l + sigma^2)) B') / sigma^2

so that everything a draw needs are sums over the columns of ``B``, which is made once for all draws.
"""

from dataclasses import dataclass

import numpy as np

from measurement.mmm.counterfactual import media_effect
from measurement.mmm.design_matrix import Design, decompose, design_of
from measurement.mmm.noise import Precision
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats
from measurement.validation.near import Near, near_of


@dataclass(frozen=True, eq=False)
class Collapsed:
    """The series' distribution for the cells that count.

    Attributes:
        precision: ``W``.
        columns: ``B``, shape (columns, geos, periods).
        values: ``l``, shape (columns,).
        count: Number of cells that count.
    """

    precision: Precision
    columns: Floats
    values: Floats
    count: float

    def weighted(self, residual: Floats, sigma: Floats) -> Floats:
        """``C^-1 r`` of each draw.

        Args:
            residual: Outcome less offset and media on the model's scale, shape (draws, geos, periods).
            sigma: Residual standard deviation of each draw, shape (draws,).
        """
        variance = sigma[:, None] ** 2
        inside = self._projected(residual) / (self.values + variance)
        explained = inside @ self.columns.reshape(len(self.values), -1)
        return np.asarray((self.precision.times(residual) - explained.reshape(residual.shape)) / variance[..., None])

    def diagonal(self, sigma: Floats) -> Floats:
        """The diagonal of ``C^-1`` of each draw, shape (draws, geos, periods)."""
        variance = sigma[:, None] ** 2
        own = diagonal_of(self.precision)
        lost = (1.0 / (self.values + variance)) @ self.columns.reshape(len(self.values), -1) ** 2
        return np.asarray((own - lost.reshape(len(sigma), *own.shape)) / variance[..., None])

    def period_total(self, t: int, residual: Floats, sigma: Floats, unit: Floats) -> tuple[Floats, Floats]:
        """One period's KPI over all geos, given every other cell that counts.

        Args:
            t: The period.
            residual: As for `weighted`.
            sigma: As for `weighted`.
            unit: Weight of each geo in the sum, 0 where its cell does not count, shape (geos,).

        Returns:
            What was seen beyond its expectation, and the standard deviation of that, each of shape (draws,).
        """
        seen = np.flatnonzero(unit)
        variance = sigma[:, None, None] ** 2
        columns = self.columns[:, seen, t]
        lost = np.einsum("kg,dk,kh->dgh", columns, 1.0 / (self.values + variance[..., 0]), columns)
        block = (block_of(self.precision, t)[np.ix_(seen, seen)] - lost) / variance
        weighted = self.weighted(residual, sigma)[:, seen, t]
        solved = np.linalg.solve(block, np.stack([weighted, np.broadcast_to(unit[seen], weighted.shape)], axis=-1))
        return solved[..., 0] @ unit[seen], np.sqrt(solved[..., 1] @ unit[seen])

    def log_density(self, residual: Floats, sigma: Floats) -> Floats:
        """Log-density of the cells that count, together, shape (draws,); arguments as for `weighted`."""
        variance = sigma**2
        square = np.einsum("dgt,dgt->d", residual, self.precision.times(residual))
        scale = self.values + variance[:, None]
        square = square - (self._projected(residual) ** 2 / scale).sum(-1)
        log_det = self.count * np.log(2 * np.pi * variance) + np.log(scale / variance[:, None]).sum(-1)
        return np.asarray(self.precision.log_root - 0.5 * (log_det + square / variance))

    def _projected(self, residual: Floats) -> Floats:
        return np.asarray(residual.reshape(len(residual), -1) @ self.columns.reshape(len(self.values), -1).T)


def collapsed_of(
    post: Posterior,
    panel: Panel,
    counts: Floats | None = None,
    design: Design | None = None,
    near: Near | None = None,
) -> Collapsed:
    """The series' distribution under a fit; of a likelihood that is not normal, under the normal one near it.

    Args:
        post: The fit.
        panel: Its panel.
        counts: 1 for cells that count, 0 for those left out, shape (geos, periods); those of the fit by default.
        design: Its linear terms, where they are at hand.
        near: The normal noise near its likelihood, where it is at hand.
    """
    kept = post.counts if counts is None else counts
    precision = (near or near_of(post, panel)).precision(kept)
    terms = design or design_of(post.spec, panel, post.scales, post.noise, post.usual)
    spectrum = decompose(terms, precision)
    rotated = (terms.matrix() @ spectrum.vectors).T.reshape(-1, *kept.shape)
    return Collapsed(precision, precision.times(rotated), spectrum.values, float(kept.sum()))


def residuals_of(post: Posterior, panel: Panel) -> Floats:
    """Outcome less the baseline's offset and the media of each draw, model's scale, shape (draws, geos, periods)."""
    post.check(panel)
    offset = design_of(post.spec, panel, post.scales).offset
    return np.asarray(post.scales.scaled_outcome(panel) - offset - media_effect(post, panel, lambda effect: effect))


def diagonal_of(precision: Precision) -> Floats:
    """The diagonal of the residual's inverse covariance at sigma = 1, shape (geos, periods)."""
    return np.stack([np.diag(block_of(precision, t)) for t in range(precision.own.shape[1])], axis=1)


def block_of(precision: Precision, t: int) -> Floats:
    """The residual's inverse covariance at sigma = 1 between the geos of one period, shape (geos, geos)."""
    own, lag, last = precision.own, precision.lag, precision.own.shape[1] - 1
    # Column t of each geo's own precision: it is banded, so that only the periods beside t matter.
    band = {t: own[:, t] ** 2 + (lag[:, t + 1] ** 2 if t < last else 0.0)}
    if t > 0:
        band[t - 1] = -lag[:, t] * own[:, t]
    if t < last:
        band[t + 1] = -lag[:, t + 1] * own[:, t + 1]
    near, column = list(band), np.stack(list(band.values()), axis=1)
    return np.asarray(np.diag(band[t]) - column @ precision.demand[np.ix_(near, near)] @ column.T)
