"""Leave-one-out: how well the model predicts a cell that it has not seen, by importance weights in place of refits.

Weekly sales are no independent observations, so a cell is left out of the *joint* distribution: given a draw of the
media parameters it is predicted from all other cells, with the linear terms and the national demand integrated out,

    y_i | y_-i ~ N(y_i - g_i / q_i, 1 / q_i),      g = C^-1 r,  q = diag C^-1

(Sundararajan & Keerthi 2001; Buerkner, Gabry & Vehtari 2021, Comput. Stat. 36); under a likelihood that is not normal
with the demand of its own period integrated out (`explicit`). The draws are then weighted to what
they would be without the cell (PSIS: Vehtari, Gelman & Gabry 2017). Where k-hat is too high, a cell moves the fit so
much that its own number is not to be trusted: such cells are named.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr

from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.psis import TRUSTED, smoothed
from measurement.typing import Bools, Floats, Json
from measurement.validation.collapsed import collapsed_of, residuals_of
from measurement.validation.explicit import cells_given_others, draws_for

MOST_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Pointwise:
    """Each cell given all others, draw by draw, in KPI units.

    Attributes:
        log_density: Log-density of what was seen, shape (draws, geos, periods); NaN for cells that the fit left out.
        below: Probability of less than what was seen, same shape.
    """

    log_density: Floats
    below: Floats


@dataclass(frozen=True, eq=False)
class Loo:
    """Leave-one-out by cell; arrays of shape (geos, periods), NaN for cells that the fit left out.

    Attributes:
        elpd: Expected log predictive density of each cell, of the KPI in its own unit.
        effective: What the cell adds to the effective number of parameters.
        khat: Pareto k of its weights.
        below: Probability that the model without the cell gives to less than what was seen; uniform where it is right.
        limit: k-hat up to which a cell's number may be trusted, given the number of draws.
    """

    elpd: Floats
    effective: Floats
    khat: Floats
    below: Floats
    limit: float

    @property
    def known(self) -> Bools:
        """The cells that were judged, shape (geos, periods)."""
        return np.isfinite(self.elpd)

    @property
    def total(self) -> float:
        """Elpd of all cells; higher is better, comparable between models of the same cells."""
        return float(np.nansum(self.elpd))

    @property
    def std_error(self) -> float:
        """Standard error of `total`, cells taken as independent."""
        values = self.elpd[self.known]
        return float(np.sqrt(values.size * values.var(ddof=1)))

    @property
    def parameters(self) -> float:
        """Effective number of parameters among those that are drawn (p_loo)."""
        return float(np.nansum(self.effective))

    @property
    def influential(self) -> Bools:
        """Cells whose own number is not to be trusted, shape (geos, periods)."""
        return self.known & ~(self.khat < self.limit)

    def coverage(self, level: float) -> float:
        """Share of cells inside the equal-tailed interval of that level of the model without them."""
        below = self.below[self.known]
        return float(np.mean(np.abs(below - 0.5) <= level / 2))

    def to_dict(self) -> Json:
        """The summary as plain values."""
        return {
            "elpd": self.total,
            "elpd_std_error": self.std_error,
            "p_loo": self.parameters,
            "cells": int(self.known.sum()),
            "khat_largest": float(np.nanmax(self.khat)),
            "khat_limit": self.limit,
            "influential_cells": int(self.influential.sum()),
            "coverage_50": self.coverage(0.5),
            "coverage_90": self.coverage(0.9),
        }


def pointwise(post: Posterior, panel: Panel) -> Pointwise:
    """Each cell given all others and a draw of the media parameters.

    Args:
        post: The fit.
        panel: Its panel.
    """
    if post.spec.likelihood != "normal":
        return Pointwise(*cells_given_others(post, panel))
    collapsed = collapsed_of(post, panel)
    sigma = post.draws["sigma"]
    counts = post.counts > 0
    precise = np.where(counts, collapsed.diagonal(sigma), np.nan)
    miss = collapsed.weighted(residuals_of(post, panel), sigma) / np.sqrt(precise)
    unit = np.log(post.scales.size * post.scales.outcome)[:, None]
    return Pointwise(0.5 * (np.log(precise / (2 * np.pi)) - miss**2) - unit, ndtr(miss))


def loo(post: Posterior, panel: Panel, *, draws: int = MOST_DRAWS) -> Loo:
    """Leave every cell out in turn.

    Args:
        post: The fit.
        panel: Its panel.
        draws: The most draws that are used.
    """
    most = draws if post.spec.likelihood == "normal" else draws_for(post, panel, draws)
    given = pointwise(post.thinned(most), panel)
    return weighed(given, relative_size(post))


def relative_size(post: Posterior) -> float:
    """Effective draws per draw, at most 1: the tail that is smoothed is longer where draws hang together."""
    found = post.diagnostics
    return float(np.clip(found.ess_bulk / max(found.draws, 1), 0.05, 1.0))


def weighed(given: Pointwise, relative: float = 1.0) -> Loo:
    """Weigh the draws to what they would be without each cell.

    Args:
        given: Each cell given all others, draw by draw.
        relative: Effective draws per draw.
    """
    size, *shape = given.log_density.shape
    out = {name: np.full(shape, np.nan) for name in ("elpd", "effective", "khat", "below")}
    for g, t in np.argwhere(np.isfinite(given.log_density[0])):
        seen = given.log_density[:, g, t]
        weight, khat = smoothed(-seen, relative)
        elpd = float(logsumexp(seen, b=weight))
        out["elpd"][g, t], out["khat"][g, t] = elpd, khat
        out["effective"][g, t] = float(logsumexp(seen)) - np.log(size) - elpd
        out["below"][g, t] = weight @ given.below[:, g, t]
    return Loo(**out, limit=khat_limit(size))


def khat_limit(draws: int) -> float:
    """k-hat up to which that many draws give a usable estimate (Vehtari et al. 2024): at most 0.7."""
    return min(1.0 - 1.0 / math.log10(draws), TRUSTED)


def influential_cells(found: Loo, panel: Panel, most: int = 20) -> list[Json]:
    """The cells that move the fit most, the largest k-hat first: ``geo``, ``date``, ``khat``."""
    places = np.argwhere(found.influential)
    order = np.argsort(-found.khat[found.influential], kind="stable")[:most]
    return [
        {"geo": panel.geos[g], "date": str(panel.dates[t]), "khat": float(found.khat[g, t])} for g, t in places[order]
    ]
