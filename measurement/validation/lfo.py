"""Leave-future-out: how well the model predicts the periods that follow from those before, by weights, not refits.

The weights go backward (Buerkner, Gabry & Vehtari 2020, J. Stat. Comput. Simul. 90): from the fit of all periods to
what its draws would be had the data ended before period t. In general that ratio is a product of densities of single
cells; here the series is normal given a draw, linear terms and demand integrated out, so both the ratio and the density
of the periods ahead are differences of exact joint densities:

    weight_d ~ p(y_<t | d) / p(y_all | d),      p(y_t..t+h | y_<t, d) = p(y_<=t+h | d) / p(y_<t | d)

The further back, the larger k-hat. Where it is too high the model is fitted anew on the periods before, if a refit is
given and the cap allows; else the study ends there and says so. Under a likelihood that is not normal there is no such
joint density: only what is fitted anew is judged, one period ahead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import logsumexp, ndtr

from measurement.mmm.design_matrix import design_of
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.psis import smoothed
from measurement.typing import Dates, Floats, Json
from measurement.validation.backtest import as_it_came
from measurement.validation.collapsed import Collapsed, collapsed_of, residuals_of
from measurement.validation.loo import MOST_DRAWS, khat_limit, relative_size

Refit = Callable[[int], Posterior]
"""Fits the first so many periods of the panel anew."""
NO_WEIGHTS = "under this likelihood no weights reach back: each period takes a fit of those before it"


@dataclass(frozen=True, eq=False)
class Lfo:
    """Leave-future-out by origin: the first period that is predicted; arrays of shape (origins,), earliest first.

    Attributes:
        dates: The origins.
        elpd: Expected log density of the ``horizon`` periods from the origin on, together, of the KPI in its own unit;
            NaN where the panel ends before.
        next_elpd: The same of the origin's period alone.
        below: Probability given to less than what the origin's period brought, over all geos.
        miss: What it brought beyond its expectation, over all geos, in KPI units.
        khat: Pareto k of the weights.
        horizon: Periods predicted from each origin.
        asked: Origins asked for; fewer are here where k-hat became too large.
        refits: How often the model was fitted anew.
        why: Why nothing, or only what was fitted anew, was judged; empty where weights reach back.
    """

    dates: Dates
    elpd: Floats
    next_elpd: Floats
    below: Floats
    miss: Floats
    khat: Floats
    horizon: int
    asked: int
    refits: int
    why: str = ""

    def coverage(self, level: float) -> float:
        """Share of origins inside the equal-tailed interval of that level, one step ahead; NaN without origins."""
        return float(np.mean(np.abs(self.below - 0.5) <= level / 2)) if self.below.size else float("nan")

    def to_dict(self) -> Json:
        """The summary as plain values; ``None`` for what was not judged."""
        some = len(self.dates) > 0
        return {
            "origins": len(self.dates),
            "origins_asked": self.asked,
            "first": str(self.dates[0]) if len(self.dates) else None,
            "horizon": self.horizon,
            "elpd": float(np.nansum(self.elpd)) if np.isfinite(self.elpd).any() else None,
            "next_elpd": float(self.next_elpd.sum()) if some and np.isfinite(self.next_elpd).all() else None,
            "coverage_50": self.coverage(0.5) if some else None,
            "coverage_90": self.coverage(0.9) if some else None,
            "khat_largest": float(self.khat.max()) if self.khat.size else None,
            "refits": self.refits,
            "why": self.why,
        }


def lfo(
    post: Posterior,
    panel: Panel,
    *,
    origins: int = 26,
    horizon: int = 4,
    draws: int = MOST_DRAWS,
    refit: Refit | None = None,
    refits: int = 0,
) -> Lfo:
    """Predict the panel's last periods, each from those before it.

    Args:
        post: The fit.
        panel: Its panel.
        origins: How many origins, one period apart, up to the last period.
        horizon: Periods predicted together from each origin.
        draws: The most draws that are used.
        refit: Fits the periods before an origin anew.
        refits: How often that may be done; one after the other, as each decides how far back its own weights reach.
    """
    last = panel.shape[1] - 1
    wanted = [t for t in range(last, last - origins, -1) if t >= max(4, panel.shape[1] // 3)]
    if post.spec.likelihood != "normal":
        return _refitted(panel, wanted, refit, refits)
    found: dict[str, list[float]] = {name: [] for name in ("elpd", "next_elpd", "below", "miss", "khat")}
    reached: list[int] = []
    past, made = _Past.of(post, panel, draws, post.counts, panel.shape[1]), 0
    for t in wanted:
        weight, khat = past.weights(t)
        if not khat < khat_limit(len(weight)):
            if refit is None or made >= refits:
                break
            made += 1
            again = refit(t)  # which periods tests have set ahead of it, it cannot know
            ahead_of_it = np.concatenate([again.usual, post.usual[:, t:]], axis=1)
            past = _Past.of(replace(again, usual=ahead_of_it), panel, draws, post.counts, t)
            weight, khat = past.weights(t)
        ahead, one, below, miss = past.ahead(t, horizon, weight)
        for name, value in zip(found, (ahead, one, below, miss, khat), strict=True):
            found[name].append(value)
        reached.append(t)
    arrays = {name: np.array(values[::-1]) for name, values in found.items()}
    dates = panel.dates[reached[::-1]]
    return Lfo(dates, horizon=horizon, asked=len(wanted), refits=made, why="", **arrays)


def _refitted(panel: Panel, wanted: Sequence[int], refit: Refit | None, refits: int) -> Lfo:
    """One step ahead by refits alone: the last so many periods, each from a fit of those before it."""
    origins = sorted(wanted)[-refits:] if refit is not None and refits > 0 else []
    below, miss = [], []
    for t in origins:
        known, came = panel.part(slice(0, t)), panel.part(slice(t, t + 1))
        draws = as_it_came(refit(t), known, came).draws.sum((1, 2)) if refit else np.zeros(0)
        seen = float(came.outcome.sum())
        below.append(float(np.mean(draws < seen) + np.mean(draws == seen) / 2))
        miss.append(seen - float(draws.mean()))
    none, some = np.full(len(origins), np.nan), np.array(origins, dtype=np.int64)
    return Lfo(
        dates=panel.dates[some],
        elpd=none,
        next_elpd=none,
        below=np.array(below),
        miss=np.array(miss),
        khat=np.zeros(len(origins)),
        horizon=1,
        asked=len(wanted),
        refits=len(origins),
        why=NO_WEIGHTS,
    )


@dataclass(frozen=True, eq=False)
class _Past:
    """A fit of the first ``fitted`` periods, laid over the whole panel.

    Attributes:
        residual: Outcome less offset and media, shape (draws, geos, periods).
        sigma: Residual standard deviation, shape (draws,).
        collapsed: The distribution of the first so many periods.
        log_density: Their log-density, shape (draws,); kept, as neighbouring origins share them.
        unit: KPI units of one scaled unit, shape (geos,).
        counts: 1 for the cells that count, shape (geos, periods).
        relative: Effective draws per draw.
    """

    fitted: int
    residual: Floats
    sigma: Floats
    collapsed: Callable[[int], Collapsed]
    log_density: Callable[[int], Floats]
    unit: Floats
    counts: Floats
    relative: float

    @classmethod
    def of(cls, post: Posterior, panel: Panel, draws: int, counts: Floats, fitted: int) -> "_Past":
        few = post.thinned(draws)
        design = design_of(post.spec, panel, post.scales, post.noise, post.usual)
        residual, sigma = residuals_of(few, panel), few.draws["sigma"]

        @cache
        def collapsed(periods: int) -> Collapsed:
            return collapsed_of(few, panel, np.where(np.arange(panel.shape[1]) < periods, counts, 0.0), design)

        @cache
        def log_density(periods: int) -> Floats:
            return collapsed(periods).log_density(residual, sigma)

        unit = post.scales.size * post.scales.outcome
        return cls(fitted, residual, sigma, collapsed, log_density, unit, counts, relative_size(post))

    def weights(self, t: int) -> tuple[Floats, float]:
        """Weights of the draws given the periods before ``t``, and k-hat."""
        return smoothed(self.log_density(t) - self.log_density(self.fitted), self.relative)

    def ahead(self, t: int, horizon: int, weight: Floats) -> tuple[float, float, float, float]:
        """Log density of the periods ahead, of the next one, its probability of less than came, and the miss."""
        before, log_unit = self.log_density(t), np.log(self.unit)[:, None] * self.counts
        several = np.full_like(before, np.nan)
        if t + horizon <= self.counts.shape[1]:
            several = self.log_density(t + horizon) - before - log_unit[:, t : t + horizon].sum()
        one = self.log_density(t + 1) - before - log_unit[:, t].sum()
        seen = self.counts[:, t] > 0
        miss, sd = self.collapsed(t + 1).period_total(t, self.residual, self.sigma, np.where(seen, self.unit, 0.0))
        below = float(weight @ ndtr(miss / sd)) if seen.any() else float("nan")
        return float(logsumexp(several, b=weight)), float(logsumexp(one, b=weight)), below, float(weight @ miss)
