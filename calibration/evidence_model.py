"""The joint model of what three methods say about one truth (statistics.md, section 5).

The truth is ``theta[c](t) = p[c] + w[c] (mu + k[c] + a[c]) + d[c](t)``, the log iROAS of channel c at time t, with p
and w the centre and width of the MMM's own prior for the channel, k the level of the channel's kind (how far its spend
follows demand), a its own and d a random walk. Given six numbers (`Spreads`) everything but the tests' read-outs is
Gaussian and linear in it:

- the MMM says ``m[c] = mean of theta[c] over the panel (by spend) + beta + b[c] + error``,
- attribution says ``log A[c] = p[c] + loading (mean of theta[c] over its window - p[c]) - f[c] + error``: paths credit
  the channels that they have seen, whether these pay or not, so that what attribution says may follow the truth fully
  (1), a little, or not at all (0); the channels' numbers and the other sources tell which,
- a test looks at ``g[j] = theta[c](its time) + v[j]``, v being what the response curve leaves open between the
  channel's average and the test's own contrast; its read-out is ``sum of k[j] exp(g[j])`` plus error.

This module holds the inputs and the Gaussian part; `calibration.read_outs` adds the tests, `calibration.integrate`
integrates, `calibration.truth` draws the cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy import special, stats

from measurement.typing import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class MethodPriors:
    """What is believed of the methods before they are compared; every sd is on the log scale.

    Attributes:
        level_sd: Sd of the mean log iROAS of all channels around the centre of the MMM's own prior. The first three
            make up the width of the MMM's default prior: where it alone speaks, about its own posterior comes back.
        kind_sd: Sd of the kinds of channels (spend follows demand: no, some, strong) around it.
        channel_sd: Median, and sd of the log, of the lognormal spread of channels around their kind.
        drift: Scale of the half-normal drift per square root of a year.
        mmm_bias: Scale of the half-normal spread of the MMM's bias between channels.
        mmm_common: Sd of the bias that the MMM has in all channels.
        demand_driven: Both biases, as a factor, for channels whose spend follows demand: no, some, strong.
        incrementality: Mean and sd of the mean log incrementality factor of channels that do not follow demand.
        incrementality_spread: Median, and sd of the log, of the lognormal spread between channels.
        demand_driven_shift: Mean and sd of what it is lower by where spend follows demand strongly; half where some.
        correlation: Largest correlation of the MMM's and attribution's errors of one channel (uniform from 0).
        degrees: Degrees of freedom of the tests' errors.
    """

    level_sd: float = 0.35
    kind_sd: float = 0.4
    channel_sd: tuple[float, float] = (0.75, 0.3)
    drift: float = 0.3
    mmm_bias: float = 0.3
    mmm_common: float = 0.15
    demand_driven: tuple[float, float, float] = (0.5, 1.0, 2.0)
    incrementality: tuple[float, float] = (-0.8, 1.0)
    incrementality_spread: tuple[float, float] = (0.5, 0.4)
    demand_driven_shift: tuple[float, float] = (-1.0, 0.8)
    correlation: float = 0.9
    degrees: float = 6.0


@dataclass(frozen=True, eq=False)
class Tests:
    """The raw tests, each once.

    Attributes:
        outcome_change: Measured effects, KPI units, shape (tests,).
        std_error: Their standard errors, shape (tests,).
        relative_sd: Further sd relative to the true effect (the grade's), shape (tests,).
        test: For each pair of a test and one of its channels, the test's position, shape (pairs,).
        channel: The channel's position, shape (pairs,).
        time: Time of the pair in years, shape (pairs,).
        scale: ``k``: read-out per unit of iROAS, signed, KPI units, shape (pairs,).
        log_scale_cov: Covariance of what the response curve leaves open in ``log |k|``, shape (pairs, pairs).
        correlation: Correlation of the tests' errors, shape (tests, tests): two records that read the same sales, or
            cells of one test with shared controls, are one measurement in part; independent where empty.
        log_scale_draws: Draws of what the response curve leaves open, around 0, shape (draws, pairs); those of a Normal
            where empty.
    """

    __test__ = False

    outcome_change: Floats = field(default_factory=lambda: np.zeros(0))
    std_error: Floats = field(default_factory=lambda: np.zeros(0))
    relative_sd: Floats = field(default_factory=lambda: np.zeros(0))
    test: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    channel: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    time: Floats = field(default_factory=lambda: np.zeros(0))
    scale: Floats = field(default_factory=lambda: np.zeros(0))
    log_scale_cov: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    correlation: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    log_scale_draws: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @cached_property
    def counts(self) -> Floats:
        """How often each test counts, shape (tests,): 1 alone, 1/2 for each of two that are one and the same.

        It is one over the sum of its correlations. For tests of equal error that makes the precision of their mean
        exactly what the correlation leaves of it, and it needs no joint distribution of heavy tails.
        """
        if not self.correlation.size:
            return np.ones(self.outcome_change.size)
        return np.minimum(1.0, 1.0 / np.maximum(self.correlation.sum(axis=1), 1e-9))

    def without(self, tests: Sequence[int]) -> "Tests":
        """The same without the tests at these positions."""
        keep = np.setdiff1d(np.arange(self.outcome_change.size), tests)
        pairs = np.isin(self.test, keep)
        return Tests(
            self.outcome_change[keep],
            self.std_error[keep],
            self.relative_sd[keep],
            np.searchsorted(keep, self.test[pairs]),
            self.channel[pairs],
            self.time[pairs],
            self.scale[pairs],
            self.log_scale_cov[np.ix_(pairs, pairs)],
            self.correlation[np.ix_(keep, keep)] if self.correlation.size else self.correlation,
            self.log_scale_draws[:, pairs] if self.log_scale_draws.size else self.log_scale_draws,
        )


@dataclass(frozen=True, eq=False)
class Sources:
    """What the methods say. Channels and periods are positions; times are years.

    Attributes:
        times: Middle of each period, increasing, shape (periods,).
        spend_share: Each channel's spend by period, as shares of its total, shape (channels, periods).
        demand_driven: 0 (no), 1 (some) or 2 (strong) per channel, shape (channels,).
        mmm: Centre of what the data say of the log iROAS over the whole panel by the MMM, its own prior divided out;
            NaN where it says nothing, shape (channels,).
        mmm_cov: Its covariance, shape (channels, channels).
        attribution: Log attributed ROAS over its own window; NaN where it says nothing, shape (channels,).
        attribution_sd: Its standard deviation, shape (channels,).
        attribution_share: The channel's spend by period within attribution's window, shares, shape (channels, periods).
        tests: The raw tests.
        prior_centre: Centre of the MMM's own prior of the log iROAS, shape (channels,); 0 where empty.
        prior_width: Its sd over that of the default prior, shape (channels,); 1 where empty.
    """

    times: Floats
    spend_share: Floats
    demand_driven: Ints
    mmm: Floats
    mmm_cov: Floats
    attribution: Floats
    attribution_sd: Floats
    attribution_share: Floats
    tests: Tests = field(default_factory=Tests)
    prior_centre: Floats = field(default_factory=lambda: np.zeros(0))
    prior_width: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        channels = self.spend_share.shape[0]
        for name, usual in (("prior_centre", 0.0), ("prior_width", 1.0)):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.full(channels, usual))

    @property
    def shape(self) -> tuple[int, int]:
        """(channels, periods)."""
        return self.spend_share.shape[0], self.spend_share.shape[1]

    def without(self, source: str) -> "Sources":
        """The same where one of ``mmm``, ``experiments``, ``attribution`` says nothing."""
        nothing = np.full(self.shape[0], np.nan)
        match source:
            case "mmm":
                return replace(self, mmm=nothing)
            case "attribution":
                return replace(self, attribution=nothing)
            case "experiments":
                return replace(self, tests=Tests())
            case _:
                raise ValueError(f"no source is called '{source}'")

    @cached_property
    def has_mmm(self) -> Bools:
        """Where the MMM speaks, shape (channels,)."""
        return np.isfinite(self.mmm)

    @cached_property
    def has_attribution(self) -> Bools:
        """Where attribution speaks, shape (channels,)."""
        return np.isfinite(self.attribution)


def lognormal(uniform: Floats, prior: tuple[float, float]) -> Floats:
    """Quantiles of a lognormal, by its median and the sd of its log."""
    median, sd = prior
    return np.asarray(median * np.exp(sd * special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))))


@dataclass(frozen=True, eq=False)
class Spreads:
    """Values of the six parameters that are integrated over numerically, each of shape (nodes,)."""

    channel: Floats
    drift: Floats
    mmm: Floats
    incrementality: Floats
    correlation: Floats
    loading: Floats

    @classmethod
    def from_uniform(cls, uniform: Floats, priors: MethodPriors) -> "Spreads":
        """Map points of the unit cube, shape (nodes, 6), through the priors' quantile functions."""
        half = stats.halfnorm.ppf(np.clip(uniform, 1e-12, 1 - 1e-12))
        return cls(
            channel=lognormal(uniform[:, 0], priors.channel_sd),
            drift=priors.drift * half[:, 1],
            mmm=priors.mmm_bias * half[:, 2],
            incrementality=lognormal(uniform[:, 3], priors.incrementality_spread),
            correlation=priors.correlation * uniform[:, 4],
            loading=uniform[:, 5],
        )

    def at(self, index: Ints) -> "Spreads":
        """Those of some nodes."""
        return Spreads(*(getattr(self, name)[index] for name in Spreads.__dataclass_fields__))

    DIMENSIONS = 6

    def loadings(self, looks: "Looks") -> Floats:
        """How far each row follows the truth that it looks at, shape (nodes, rows); all but attribution's: 1."""
        out = np.ones((self.loading.size, looks.channel.size))
        out[:, looks.mmm.size : looks.observed] = self.loading[:, None]
        return out


@dataclass(frozen=True, eq=False)
class Looks:
    """Rows that look at the truth: the MMM's, attribution's and the tests' pairs; and what the cells share with them.

    Each row is a weighted mean of one channel's path over the time points, with weights that sum to 1, so the prior
    covariance of what rows i and j look at is ``sd_mu² level[i,j] + sd_kind² kind[i,j] + tau² same[i,j] + omega²
    walk[i,j]``, and that of a channel's truth at a time point and a row likewise.

    Attributes:
        level: Product of the widths of the priors of the rows' channels, shape (rows, rows).
        kind: The same where two rows look at channels of the same kind, else 0, shape (rows, rows).
        same: The same where two rows look at the same channel, else 0, shape (rows, rows).
        walk: Covariance of the rows under a random walk of unit variance per year, shape (rows, rows).
        cell_level: As ``level``, between cells (channels × periods, by channel) and rows, shape (cells, rows).
        cell_kind: As ``kind``, shape (cells, rows).
        cell_same: As ``same``, shape (cells, rows).
        cell_walk: As ``walk``, shape (cells, rows).
        weights: Weights of the time points in each row, shape (rows, times).
        channel: The channel of each row, shape (rows,).
        times: The time points in years: the periods', then the pairs', shape (times,).
        mmm: Channels of the MMM's rows.
        attribution: Channels of attribution's rows.
        pairs: Number of the tests' pairs.
    """

    level: Floats
    kind: Floats
    same: Floats
    walk: Floats
    cell_level: Floats
    cell_kind: Floats
    cell_same: Floats
    cell_walk: Floats
    weights: Floats
    channel: Ints
    times: Floats
    mmm: Ints
    attribution: Ints
    pairs: int

    @property
    def observed(self) -> int:
        """Number of Gaussian observations (MMM and attribution)."""
        return self.mmm.size + self.attribution.size

    @classmethod
    def of(cls, sources: Sources) -> "Looks":
        """Work out the prior covariance factors."""
        channels, periods = sources.shape
        tests = sources.tests
        mmm, attribution = np.flatnonzero(sources.has_mmm), np.flatnonzero(sources.has_attribution)
        times = np.concatenate([sources.times, tests.time])
        kernel = np.minimum(times[:, None], times[None, :]) - times.min()
        pad = ((0, 0), (0, tests.time.size))
        weights = np.concatenate(
            [
                np.pad(sources.spend_share[mmm], pad),
                np.pad(sources.attribution_share[attribution], pad),
                np.eye(times.size)[periods:],
            ]
        )
        channel = np.concatenate([mmm, attribution, tests.channel])
        cell = np.repeat(np.arange(channels), periods)
        demand, width = sources.demand_driven, sources.prior_width
        same, cell_same = (np.equal.outer(one, channel).astype(np.float64) for one in (channel, cell))
        level, cell_level = (np.outer(width[one], width[channel]) for one in (channel, cell))
        return cls(
            level=level,
            kind=level * np.equal.outer(demand[channel], demand[channel]),
            same=level * same,
            walk=same * (weights @ kernel @ weights.T),
            cell_level=cell_level,
            cell_kind=cell_level * np.equal.outer(demand[cell], demand[channel]),
            cell_same=cell_level * cell_same,
            cell_walk=cell_same * np.tile((kernel @ weights.T)[:periods], (channels, 1)),
            weights=weights,
            channel=channel,
            times=times,
            mmm=mmm,
            attribution=attribution,
            pairs=tests.time.size,
        )


def bias_factor(sources: Sources, priors: MethodPriors, channels: Ints) -> Floats:
    """How far the MMM's biases apply to channels, by how far their spend follows demand."""
    return np.asarray(priors.demand_driven, dtype=np.float64)[sources.demand_driven[channels]]


def prior_moments(sources: Sources, looks: Looks, spreads: Spreads, priors: MethodPriors) -> tuple[Floats, Floats]:
    """Mean, shape (rows,), and covariance, shape (nodes, rows, rows), of all rows before any of them is seen.

    Rows are in the order of `Looks`; those of the MMM and of attribution are what these methods *say* (bias and error
    included), those of the pairs include what the response curve leaves open.
    """
    first, second = looks.mmm.size, looks.observed
    covariance = spreads.channel[:, None, None] ** 2 * looks.same
    covariance += spreads.drift[:, None, None] ** 2 * looks.walk
    covariance += priors.level_sd**2 * looks.level + priors.kind_sd**2 * looks.kind
    loadings = spreads.loadings(looks)
    covariance *= loadings[:, :, None] * loadings[:, None, :]
    mean = sources.prior_centre[looks.channel].copy()
    ours = np.arange(first)
    factor = bias_factor(sources, priors, looks.mmm)
    bias = spreads.mmm[:, None] * factor
    shared_bias = priors.mmm_common**2 * np.outer(factor, factor)
    covariance[:, :first, :first] += sources.mmm_cov[np.ix_(looks.mmm, looks.mmm)] + shared_bias
    covariance[:, ours, ours] += bias**2
    theirs = np.arange(first, second)
    demand = sources.demand_driven[looks.attribution] / 2
    shift, shift_sd = priors.demand_driven_shift
    mean[first:second] -= priors.incrementality[0] + shift * demand
    covariance[:, first:second, first:second] += priors.incrementality[1] ** 2 + shift_sd**2 * np.outer(demand, demand)
    covariance[:, theirs, theirs] += (
        spreads.incrementality[:, None] ** 2 + sources.attribution_sd[looks.attribution] ** 2
    )
    both = [(i, j) for i, c in enumerate(looks.mmm) for j, k in enumerate(looks.attribution) if c == k]
    for i, j in both:
        shared = spreads.correlation * bias[:, i] * spreads.incrementality
        covariance[:, i, first + j] += shared
        covariance[:, first + j, i] += shared
    pairs = slice(second, second + looks.pairs)
    covariance[:, pairs, pairs] += sources.tests.log_scale_cov
    return mean, covariance


def of_cells(looks: Looks, spreads: Spreads, priors: MethodPriors, pull: Floats) -> Floats:
    """Prior covariance of the cells with the rows, times a vector per node: shape (nodes, cells).

    Args:
        looks: The rows.
        spreads: The nodes.
        priors: What is believed of the methods.
        pull: The vectors, shape (nodes, rows).
    """
    pull = pull * spreads.loadings(looks)
    level = priors.level_sd**2 * pull @ looks.cell_level.T + priors.kind_sd**2 * pull @ looks.cell_kind.T
    own = spreads.channel[:, None] ** 2 * (pull @ looks.cell_same.T)
    return np.asarray(level + own + spreads.drift[:, None] ** 2 * (pull @ looks.cell_walk.T))
