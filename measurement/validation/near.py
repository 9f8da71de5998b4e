"""The normal distribution that lies near a fit's likelihood, so that the linear terms and the demand integrate out.

For the normal likelihood it is the likelihood itself. Student's t is normal noise of random precision: given its
residuals a cell's innovation has the expected precision ``(nu + 1) / (nu + z^2)`` (the weights of its EM algorithm,
mean 1 where the model is right), so that an outlier counts for little. Counts have the variance of their negative
binomial at the posterior's mean.
"""

from dataclasses import dataclass, replace

import numpy as np

from measurement.mmm.likelihood import family_of
from measurement.mmm.linear_terms import cell_means
from measurement.mmm.noise import Noise, Precision, local_precision, precision_of
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats

MOST_DRAWS = 500


@dataclass(frozen=True, eq=False)
class Near:
    """Normal noise near the likelihood's own.

    Attributes:
        noise: Its fixed parts.
        weights: Further precision of each cell's innovation, shape (geos, periods); ``None`` where all are 1.
        sigma: Residual standard deviation of each draw, shape (draws,).
    """

    noise: Noise
    weights: Floats | None
    sigma: Floats

    def precision(self, counts: Floats) -> Precision:
        """The residual's precision for the cells that count (1 or 0), shape (geos, periods)."""
        return precision_of(self.noise, counts, self.weights)


def near_of(post: Posterior, panel: Panel) -> Near:
    """The normal noise near a fit's likelihood."""
    if post.spec.likelihood == "normal":
        return Near(post.noise, None, post.draws["sigma"])
    few = post.thinned(MOST_DRAWS)
    family, mean = family_of(few), cell_means(few, panel)
    shape = family.shape[:, None, None]
    if post.spec.likelihood == "student_t":
        plain = precision_of(post.noise, post.counts)
        unit = family.unit[:, None]
        white = local_precision(plain.own, plain.lag, (panel.outcome - mean) / unit)[1]
        square = (white / few.draws["sigma"][:, None, None]) ** 2
        return Near(post.noise, ((shape + 1.0) / (shape + square)).mean(0), post.draws["sigma"])
    ratio = post.noise.ratio * float((few.draws["sigma"] ** 2).mean())
    noise = replace(post.noise, ratio=ratio, local_persistence=0.0, relative=np.ones(len(post.geos)))
    variance = (mean + mean**2 / shape).mean(0)
    return Near(noise, family.unit[:, None] ** 2 / variance, np.ones(post.size))
