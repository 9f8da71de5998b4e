"""What the model leaves over: whether its errors follow one another, change in size, stand out, or hide a missed term.

All tests look at one-step-ahead errors (`innovations`), which are independent standard normal where the model is right.
A test alone only says whether a fault can be seen, and in a long panel every small one can; so each comes with the size
of what is missed, as a share of the KPI.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from measurement.mmm.posterior import Posterior
from measurement.mmm.spec import PERIODS_PER_YEAR
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Json
from measurement.validation.collapsed import Collapsed, collapsed_of, residuals_of
from measurement.validation.innovations import Filter
from measurement.validation.near import Near, near_of

OUTLIER = 4.0
"""Standard deviations from which a period is an outlier at all; more where there are many (Bonferroni at 5 %)."""
MOST_OUTLIERS = 12
LITTLE_WEIGHT = 0.25
"""What a cell counts for under Student's t from which it is named."""


@dataclass(frozen=True, slots=True)
class Missed:
    """The score test of a term that the model lacks.

    Attributes:
        what: ``season``, ``trend`` or ``spend``.
        name: The channel, for ``spend``.
        p: Its p-value.
        share: Standard deviation of the term where it is put in, as a share of the mean KPI.
    """

    what: str
    name: str
    p: float
    share: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A period that the model did not expect.

    Attributes:
        date: Its first day.
        geo: Where; empty for all geos together.
        z: Standard deviations from what all other cells let one expect.
        share: Seen less expected, as a share of what was expected.
    """

    date: str
    geo: str
    z: float
    share: float


@dataclass(frozen=True, slots=True)
class Discounted:
    """A cell that counts for little under Student's t.

    Attributes:
        date: Its first day.
        geo: Where; empty on a national panel.
        weight: What it counts for, 1 for an ordinary cell.
    """

    date: str
    geo: str
    weight: float


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residual diagnostics.

    Attributes:
        errors: Standardised one-step-ahead errors, shape (geos, periods); 0 where a cell does not count.
        national: Those of all geos together, shape (periods,).
        autocorrelation: Of the national errors from one period to the next.
        local_autocorrelation: Of each geo's errors less the national one, pooled; NaN with one geo.
        ljung_box: p-value of no autocorrelation of the national errors up to a quarter of a year.
        uneven: Spearman correlation of the errors' size with the level that was fitted, and its p-value.
        drift: The same with time.
        missed: Terms that could be missing, the most visible first.
        outliers: The largest first.
        discounted: Cells that a Student-t likelihood lets count for little, the least first.
        geo_sd: Standard deviation of each geo's errors, shape (geos,).
    """

    errors: Floats
    national: Floats
    autocorrelation: float
    local_autocorrelation: float
    ljung_box: float
    uneven: tuple[float, float]
    drift: tuple[float, float]
    missed: tuple[Missed, ...]
    outliers: tuple[Outlier, ...]
    discounted: tuple[Discounted, ...]
    geo_sd: Floats

    def to_dict(self) -> Json:
        """As plain values, without the errors themselves."""
        return {
            "autocorrelation": self.autocorrelation,
            "local_autocorrelation": None if np.isnan(self.local_autocorrelation) else self.local_autocorrelation,
            "ljung_box_p": self.ljung_box,
            "size_with_level": {"correlation": self.uneven[0], "p": self.uneven[1]},
            "size_with_time": {"correlation": self.drift[0], "p": self.drift[1]},
            "missed": [{"what": m.what, "name": m.name, "p": m.p, "share": m.share} for m in self.missed],
            "outliers": [{"date": o.date, "geo": o.geo, "z": o.z, "share": o.share} for o in self.outliers],
            "discounted": [{"date": d.date, "geo": d.geo, "weight": d.weight} for d in self.discounted],
        }


def residuals(post: Posterior, panel: Panel) -> Residuals:
    """Diagnose the residuals of a fit.

    Args:
        post: The fit.
        panel: Its panel.
    """
    near = near_of(post, panel)
    filter_ = Filter.of(post, panel, near)
    errors = filter_.errors(filter_.residual[None])[0]
    counts = post.counts > 0
    seen = counts.any(0)
    number = np.maximum(counts.sum(0), 1)
    national = errors.sum(0) / np.sqrt(number)
    level = (post.scales.scaled_outcome(panel) - filter_.residual) * counts
    fitted = level.sum(0)[seen] / number[seen]
    size = np.abs(national[seen])
    quarter = min(max(4, round(PERIODS_PER_YEAR[panel.period] / 4)), int(seen.sum()) // 4)
    return Residuals(
        errors=errors,
        national=national,
        autocorrelation=_lagged(national, 1),
        local_autocorrelation=_local(errors, counts),
        ljung_box=ljung_box(national[seen], quarter),
        uneven=_rank(size, fitted),
        drift=_rank(size, np.flatnonzero(seen).astype(np.float64)),
        missed=tuple(sorted(_missed(post, panel, filter_, errors), key=lambda m: m.p)),
        outliers=outliers(post, panel, near),
        discounted=discounted(post, panel, near),
        geo_sd=np.array([errors[g, counts[g]].std() if counts[g].any() else np.nan for g in range(len(errors))]),
    )


def ljung_box(series: Floats, lags: int) -> float:
    """p-value of the hypothesis that a series has no autocorrelation up to ``lags`` (Ljung & Box 1978)."""
    n = len(series)
    found = np.array([_lagged(series, lag) for lag in range(1, lags + 1)])
    statistic = n * (n + 2) * float((found**2 / (n - np.arange(1, lags + 1))).sum())
    return float(stats.chi2.sf(statistic, lags))


def discounted(post: Posterior, panel: Panel, near: Near) -> tuple[Discounted, ...]:
    """Cells whose innovation counts for little under the normal noise near Student's t; none under another."""
    if post.spec.likelihood != "student_t" or near.weights is None:
        return ()
    weight = np.where(post.counts > 0, near.weights, np.inf)
    places = np.argwhere(weight < LITTLE_WEIGHT)
    places = places[np.argsort(weight[tuple(places.T)], kind="stable")]
    many = len(panel.geos) > 1
    return tuple(Discounted(str(panel.dates[t]), panel.geos[g] if many else "", weight[g, t]) for g, t in places)


def outliers(post: Posterior, panel: Panel, near: Near | None = None) -> tuple[Outlier, ...]:
    """Periods far from what every other cell lets one expect: all geos together, and single cells beside those.

    A period is left out with all its geos, else the others would tell of it. The farthest is taken out for good before
    the next is looked for, so that it does not make its neighbours look odd; in the end each is compared with what the
    cells that are no outliers let one expect. Sigma and the media effects are those of the posterior mean, the noise is
    the normal one near the likelihood: under Student's t a single odd cell is no outlier, an event of all geos is.
    Sums of counts are skewed, so their distance is read from the negative binomial of the same mean and variance.
    """
    counts, noise = post.counts.copy(), near or near_of(post, panel)
    residual = residuals_of(post, panel).mean(0)[None]
    sigma = np.sqrt((noise.sigma**2).mean())[None]
    counted = post.spec.likelihood == "negative_binomial"
    unit = (post.scales.size * post.scales.outcome)[:, None]
    far = max(OUTLIER, float(stats.norm.isf(0.025 / counts.sum())))
    taken: list[Bools] = []

    def away(cells: Bools, kept: Floats) -> tuple[float, float]:
        """What cells of one period brought beyond expectation, in KPI units, and its standard deviation."""
        with_them = np.where(cells, 1.0, kept)
        t = int(np.flatnonzero(cells.any(0))[0])
        found = collapsed_of(post, panel, with_them, near=noise)
        miss, sd = found.period_total(t, residual, sigma, np.where(cells, unit, 0.0)[:, t])
        return float(miss[0]), float(sd[0])

    while len(taken) < MOST_OUTLIERS:
        found = collapsed_of(post, panel, counts, near=noise)
        seen = np.where(counts > 0, panel.outcome, 0.0) if counted else None
        place = _farthest(found, residual, sigma, np.where(counts > 0, unit, 0.0), far, seen)
        if place is None:
            break
        taken.append(place)
        counts = np.where(place, 0.0, counts)
    odd = []
    for place in taken:
        miss, sd = away(place, counts)
        total, geos = float(panel.outcome[place].sum()), np.flatnonzero(place.any(1))
        z = float(distance(np.array(miss), np.array(sd), np.array(total) if counted else None))
        name = panel.geos[geos[0]] if len(geos) == 1 and len(panel.geos) > 1 else ""
        day = str(panel.dates[place.any(0)][0])
        odd.append(Outlier(day, name, z, miss / max(total - miss, 1e-9 * abs(total), 1e-9)))
    return tuple(sorted(odd, key=lambda o: -abs(o.z)))


def distance(miss: Floats, sd: Floats, counted: Floats | None) -> Floats:
    """Standard deviations from what was expected; of counts, the normal score of half of what was seen being less.

    Args:
        miss: Seen less expected.
        sd: Its standard deviation.
        counted: What was seen, where it was counted: then the negative binomial of this mean and variance decides.
    """
    if counted is None:
        return np.asarray(miss / sd)
    mean = np.maximum(counted - miss, 1e-3)
    extra = np.maximum(sd**2 - mean, 1e-6 * mean)
    noise = stats.nbinom(mean**2 / extra, mean / (mean + extra))
    half = noise.pmf(counted) / 2
    less, more = noise.cdf(counted) - half, noise.sf(counted) + half
    return np.where(less < more, stats.norm.ppf(np.maximum(less, 1e-300)), stats.norm.isf(np.maximum(more, 1e-300)))


def _farthest(
    collapsed: Collapsed, residual: Floats, sigma: Floats, weights: Floats, far: float, counted: Floats | None
) -> Bools | None:
    """The period, else the cell, farthest from what all others let one expect, (geos, periods); none within ``far``."""
    counts: Bools = weights > 0
    totals = [collapsed.period_total(int(t), residual, sigma, weights[:, t]) for t in np.flatnonzero(counts.any(0))]
    z = np.zeros(counts.shape[1])
    miss, sd = (np.array([float(found[0]) for found in part]) for part in zip(*totals, strict=True))
    z[counts.any(0)] = np.abs(distance(miss, sd, None if counted is None else counted.sum(0)[counts.any(0)]))
    precise = np.where(counts, collapsed.diagonal(sigma)[0], 1.0)
    unit = np.where(counts, weights, 1.0)
    apart = unit * collapsed.weighted(residual, sigma)[0] / precise
    alone = np.where(counts, np.abs(distance(apart, unit / np.sqrt(precise), counted)), 0.0)
    if max(z.max(), alone.max()) <= far:
        return None
    # An event of all geos is told by the others, so that no cell stands out; one of a single geo stands out more alone.
    period: Bools = np.arange(len(z)) == z.argmax()
    cell: Bools = alone == alone.max()
    return cell if len(counts) > 1 and alone.max() > z.max() else counts & period


def _missed(post: Posterior, panel: Panel, filter_: Filter, errors: Floats) -> list[Missed]:
    geos, periods, _ = panel.shape
    everywhere = np.ones((geos, 1))
    found = []
    per_year = PERIODS_PER_YEAR[panel.period]
    if periods >= 1.5 * per_year:
        angle = 2 * np.pi * np.arange(periods) / per_year
        waves = [wave(k * angle) for k in range(1, 3) for wave in (np.sin, np.cos)]
        found.append(("season", "", [everywhere * wave for wave in waves]))
    time = np.linspace(-1.0, 1.0, periods)
    bends = [time, *(np.maximum(time - at, 0.0) for at in (-0.5, 0.0, 0.5))]
    found.append(("trend", "", [everywhere * bend for bend in bends]))
    for c, name in enumerate(panel.channels):
        found.append(("spend", name, _forms(panel.exposure[..., c] / post.scales.size[:, None])))
    return [_score(what, name, terms, filter_, errors) for what, name, terms in found]


def _forms(exposure: Floats) -> list[Floats]:
    """A channel's exposure as it is, as its logarithm and a period ago: whatever a missed response would follow."""
    scaled = exposure / exposure[exposure > 0].mean()
    ago = np.concatenate([scaled[:, :1], scaled[:, :-1]], axis=1)
    return [scaled, np.log(scaled + 0.05), ago]


def _score(what: str, name: str, terms: Sequence[Floats], filter_: Filter, errors: Floats) -> Missed:
    """Regress the errors on what the terms would add to them; Wald's form of the test and the fitted term's size."""
    stacked = np.stack([term - term.mean() for term in terms])
    made = filter_.errors(stacked).reshape(len(terms), -1)
    gram = made @ made.T
    inverse = np.linalg.pinv(gram, rcond=1e-8, hermitian=True)
    aimed = made @ errors.ravel()
    coefficient = inverse @ aimed
    free = int(np.linalg.matrix_rank(gram, rtol=1e-8, hermitian=True))
    share = float(np.tensordot(coefficient, stacked, 1).std())
    return Missed(what, name, float(stats.chi2.sf(aimed @ coefficient, max(free, 1))), share)


def _lagged(series: Floats, lag: int) -> float:
    return float(series[lag:] @ series[:-lag]) / max(float(series @ series), 1e-12)


def _local(errors: Floats, counts: Bools) -> float:
    if len(errors) == 1:
        return float("nan")
    own = np.where(counts, errors - errors.sum(0) / np.maximum(counts.sum(0), 1), 0.0)
    return float((own[:, 1:] * own[:, :-1]).sum()) / max(float((own**2).sum()), 1e-12)


def _rank(size: Floats, beside: Floats) -> tuple[float, float]:
    if np.ptp(beside) < 1e-12 or np.ptp(size) < 1e-12:
        return 0.0, 1.0
    correlation, p = stats.spearmanr(size, beside)
    return float(correlation), float(p)
