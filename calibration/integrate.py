"""Integrate the evidence model over a fixed quasi-random set: no chains, same inputs and seed, same answer.

1. Scrambled Sobol points give the five spreads from their priors (nodes). Per node the MMM's and attribution's numbers
   are Gaussian: their likelihood is exact, and so is the Normal of the pairs ``g`` given them.
2. Per node the tests' read-outs are not Gaussian in ``g``. Damped Gauss–Newton steps find the modes of ``p(g | all)``
   from several starts at once (what the other methods say, what the tests say, each of a channel's tests alone), and
   ``g`` is drawn from a mixture of multivariate t around them and of the Normal of step 1, by the same Sobol points.
3. Every node is weighted by ``likelihood of step 1 × target / proposal``; the weights are Pareto-smoothed (ArviZ),
   their k-hat and effective number are reported, and nodes are resampled systematically. The truth in every cell then
   follows exactly from one Cholesky factor per node.

Sources: Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25; Owen & Zhou (2000),
Safe and effective importance sampling, JASA 95 (the mixture).
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats
from scipy.stats import qmc

from calibration.evidence_model import Looks, MethodPriors, Sources, Spreads, Tests, prior_moments
from measurement.psis import TRUSTED, smoothed
from measurement.typing import Floats, Ints

NODES = 8192
DRAWS = 2048
GAIN_NODES = 256
STEPS = 16
PROPOSAL_DF = 6.0
WIDEN = 1.15
SAFE = 0.1
JITTER = 1e-8
BATCH = 2_000_000
"""Numbers in one batch of covariances: what fits a processor's cache."""


@dataclass(frozen=True, eq=False)
class Fusion:
    """The unified answer, as joint draws.

    Attributes:
        theta: Log iROAS of every cell, shape (draws, channels, periods).
        gain: How far each channel's log iROAS moves per unit that a source's own number for it moves, by source, each
            of shape (channels,); what is left to 1 is the prior and the other channels.
        effective: Effective number of nodes behind the draws.
        khat: Pareto k of the importance weights; below 0.7 they can be trusted.
        log_evidence: Log marginal likelihood of everything that was seen.
        spreads: The five spreads of each draw.
    """

    theta: Floats
    gain: dict[str, Floats]
    effective: float
    khat: float
    log_evidence: float
    spreads: Spreads

    @property
    def reliable(self) -> bool:
        """Whether the integration can be trusted."""
        return self.khat < TRUSTED and self.effective >= 100


def integrate(
    sources: Sources,
    priors: MethodPriors | None = None,
    *,
    seed: int = 0,
    nodes: int = NODES,
    draws: int = DRAWS,
) -> Fusion:
    """Unify what the methods say.

    Args:
        sources: Their numbers.
        priors: What is believed of the methods.
        seed: Seed of the scrambling and of the Gaussian draws.
        nodes: Quasi-random nodes, a power of 2.
        draws: Joint draws to return.
    """
    priors = priors or MethodPriors()
    rng = np.random.default_rng(seed)
    looks = Looks.of(sources)
    pairs = looks.pairs
    sobol = qmc.Sobol(Spreads.DIMENSIONS + pairs + 2, rng=np.random.default_rng(seed))
    uniform = np.clip(sobol.random(nodes), 1e-9, 1 - 1e-9)
    spreads = Spreads.from_uniform(uniform[:, : Spreads.DIMENSIONS], priors)
    log_weight, g, precision = _weigh(sources, looks.without_cells(), spreads, priors, uniform[:, Spreads.DIMENSIONS :])
    weight, khat = smoothed(log_weight)
    picked = np.searchsorted(np.cumsum(weight), (np.arange(draws) + rng.uniform()) / draws).clip(max=nodes - 1)
    chosen = Spreads(*(getattr(spreads, name)[picked] for name in Spreads.__dataclass_fields__))
    seen = np.concatenate([np.tile(_observed(sources, looks), (draws, 1)), g[picked]], axis=1)
    theta = _cells(sources, looks, chosen, priors, seen, rng)
    few = np.unique(np.linspace(0, draws - 1, GAIN_NODES).astype(np.int64))
    return Fusion(
        theta=theta.reshape(draws, *sources.shape),
        gain=_gain(sources, looks, _at(chosen, few), priors, precision[picked[few]]),
        effective=float(1 / np.sum(weight**2)),
        khat=khat,
        log_evidence=float(special.logsumexp(log_weight) - np.log(nodes)),
        spreads=chosen,
    )


def _at(spreads: Spreads, index: Ints) -> Spreads:
    return Spreads(*(getattr(spreads, name)[index] for name in Spreads.__dataclass_fields__))


def _observed(sources: Sources, looks: Looks) -> Floats:
    return np.concatenate([sources.mmm[looks.mmm], sources.attribution[looks.attribution]])


def _weigh(
    sources: Sources, looks: Looks, spreads: Spreads, priors: MethodPriors, uniform: Floats
) -> tuple[Floats, Floats, Floats]:
    """Log weight, shape (nodes,), the pairs' draws and the tests' precision on them, each (nodes, pairs)."""
    nodes, seen = uniform.shape[0], looks.observed
    mean, covariance = prior_moments(sources, looks, spreads, priors)
    residual = np.broadcast_to(_observed(sources, looks) - mean[:seen], (nodes, seen))
    factor = np.linalg.cholesky(covariance[:, :seen, :seen] + JITTER * np.eye(seen))
    white = np.linalg.solve(factor, residual[..., None])[..., 0]
    logs = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    log_weight = -0.5 * (white**2).sum(axis=1) - logs - 0.5 * seen * np.log(2 * np.pi)
    if not looks.pairs:
        empty = np.zeros((nodes, 0))
        return log_weight, empty, empty
    half = np.linalg.solve(factor, covariance[:, :seen, seen:])
    centre = mean[seen:] + np.einsum("nij,ni->nj", half, white)
    spread = covariance[:, seen:, seen:] - np.einsum("nij,nik->njk", half, half) + JITTER * np.eye(looks.pairs)
    log_ratio, g, precision = _read_outs(sources.tests, centre, spread, uniform, priors.degrees)
    return log_weight + log_ratio, g, precision


def _read_outs(
    tests: Tests, centre: Floats, spread: Floats, uniform: Floats, degrees: float
) -> tuple[Floats, Floats, Floats]:
    """Draw the pairs by a mixture around the modes; log of target over proposal, the draws, the tests' precision."""
    inverse = np.linalg.inv(spread)
    starts = _starts(tests, centre)
    modes = [_climb(tests, centre, inverse, start, degrees) for start in starts]
    scales = [np.linalg.inv(inverse + _curvature(tests, mode, degrees)[1]) * WIDEN**2 for mode in modes]
    heights = np.stack([_target(tests, mode, centre, spread, degrees) for mode in modes], axis=1)
    volumes = np.stack([np.linalg.slogdet(scale)[1] / 2 for scale in scales], axis=1)
    share = special.softmax(heights + volumes, axis=1)
    share = np.concatenate([np.full((share.shape[0], 1), SAFE), (1 - SAFE) * (0.5 * share + 0.5 / len(modes))], axis=1)
    component = (uniform[:, -1:] > np.cumsum(share, axis=1)[:, :-1]).sum(axis=1)
    centres, shapes = np.stack([centre, *modes]), np.stack([spread, *scales])
    at = np.arange(centre.shape[0])
    normal = special.ndtri(uniform[:, :-2])
    stretch = np.sqrt(PROPOSAL_DF / stats.chi2.ppf(uniform[:, -2], PROPOSAL_DF))
    stretch = np.where(component == 0, 1.0, stretch)
    factor = np.linalg.cholesky(shapes[component, at])
    g = centres[component, at] + np.einsum("nij,nj->ni", factor, normal) * stretch[:, None]
    parts = [np.log(share[:, 0]) + _log_normal(g, centre, spread)]
    parts += [
        np.log(share[:, i + 1]) + _log_t(g, mode, scale, PROPOSAL_DF)
        for i, (mode, scale) in enumerate(zip(modes, scales, strict=True))
    ]
    log_ratio = _target(tests, g, centre, spread, degrees) - special.logsumexp(np.stack(parts), axis=0)
    return log_ratio, g, _precision(tests, g)


def _starts(tests: Tests, centre: Floats) -> list[Floats]:
    """Where to climb from: the other methods, all tests, and each of a channel's several tests alone."""
    size = np.abs(tests.scale)
    positive = np.maximum(tests.outcome_change[tests.test] * np.sign(tests.scale), 0.1 * tests.std_error[tests.test])
    several = np.bincount(tests.test, minlength=tests.outcome_change.size)[tests.test]
    own = np.log(positive / (several * size))
    mates = tests.channel[:, None] == tests.channel[None, :]
    starts = [centre, np.broadcast_to(mates @ own / mates.sum(axis=1), centre.shape)]
    most = int(mates.sum(axis=1).max())
    for turn in range(most if most > 1 else 0):
        chosen = [np.flatnonzero(row)[turn % int(row.sum())] for row in mates]
        starts.append(np.broadcast_to(own[chosen], centre.shape))
    return starts


def _read(tests: Tests, g: Floats) -> tuple[Floats, Floats, Floats]:
    """Each pair's part of the read-out (nodes, pairs), the read-outs and their sds (nodes, tests)."""
    part = tests.scale * np.exp(np.clip(g, -30.0, 30.0))
    member = (tests.test[:, None] == np.arange(tests.outcome_change.size)).astype(np.float64)
    total = part @ member
    return part, total, np.sqrt(tests.std_error**2 + (tests.relative_sd * total) ** 2)


def _curvature(tests: Tests, g: Floats, degrees: float) -> tuple[Floats, Floats]:
    """Score and Gauss–Newton curvature of the tests' log likelihood, with the t's weights."""
    part, total, sd = _read(tests, g)
    residual = tests.outcome_change - total
    trust = (degrees + 1) / (degrees + (residual / sd) ** 2) / sd**2
    score = part * (trust * residual)[:, tests.test]
    same = tests.test[:, None] == tests.test[None, :]
    outer = part[:, :, None] * part[:, None, :] * trust[:, tests.test][:, :, None] * same
    return score, outer


def _climb(tests: Tests, centre: Floats, inverse: Floats, start: Floats, degrees: float) -> Floats:
    g = np.array(start, dtype=np.float64)
    for _ in range(STEPS):
        score, outer = _curvature(tests, g, degrees)
        gradient = score - np.einsum("nij,nj->ni", inverse, g - centre)
        step = np.linalg.solve(inverse + outer, gradient[..., None])[..., 0]
        g = g + step / np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True))
    return g


def _target(tests: Tests, g: Floats, centre: Floats, spread: Floats, degrees: float) -> Floats:
    _, total, sd = _read(tests, g)
    z = (tests.outcome_change - total) / sd
    constant = special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2) - 0.5 * np.log(degrees * np.pi)
    seen = constant - (degrees + 1) / 2 * np.log1p(z**2 / degrees) - np.log(sd)
    return np.asarray(seen.sum(axis=1) + _log_normal(g, centre, spread))


def _distance(g: Floats, centre: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, (g - centre)[..., None])[..., 0]
    return (white**2).sum(axis=1), np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)


def _log_normal(g: Floats, centre: Floats, covariance: Floats) -> Floats:
    square, logs = _distance(g, centre, covariance)
    return np.asarray(-0.5 * square - logs - 0.5 * g.shape[1] * np.log(2 * np.pi))


def _log_t(g: Floats, centre: Floats, covariance: Floats, degrees: float) -> Floats:
    square, logs = _distance(g, centre, covariance)
    size = g.shape[1]
    constant = special.gammaln((degrees + size) / 2) - special.gammaln(degrees / 2) - size / 2 * np.log(degrees * np.pi)
    return np.asarray(constant - logs - (degrees + size) / 2 * np.log1p(square / degrees))


def _precision(tests: Tests, g: Floats) -> Floats:
    """A test's precision on the log scale, at the size of what it measured or is thought to have measured."""
    part, total, sd = _read(tests, g)
    size = np.maximum(np.abs(total), np.abs(tests.outcome_change))
    of_test = (size / sd) ** 2
    share = np.abs(part) / np.maximum(np.abs(total)[:, tests.test], 1e-300)
    return np.asarray(of_test[:, tests.test] * share**2)


def _cells(
    sources: Sources,
    looks: Looks,
    spreads: Spreads,
    priors: MethodPriors,
    seen: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Draw the truth in every cell given observations and pairs, shape (draws, cells)."""
    draws, known = seen.shape
    noise = rng.standard_normal((draws, looks.cells))
    cells = np.empty((draws, looks.cells))
    size = max(1, BATCH // looks.same.size)
    for first in range(0, draws, size):
        rows = np.arange(first, min(first + size, draws))
        mean, covariance = prior_moments(sources, looks, _at(spreads, rows), priors)
        factor = np.linalg.cholesky(covariance + JITTER * np.eye(mean.size))
        white = np.linalg.solve(factor[:, :known, :known], (seen[rows] - mean[:known])[..., None])[..., 0]
        cells[rows] = (
            mean[known:]
            + np.einsum("nij,nj->ni", factor[:, known:, :known], white)
            + np.einsum("nij,nj->ni", factor[:, known:, known:], noise[rows])
        )
    return cells


def _gain(
    sources: Sources, looks: Looks, spreads: Spreads, priors: MethodPriors, precision: Floats
) -> dict[str, Floats]:
    """Mean response of each channel's log iROAS to its own number from each source."""
    channels, periods = sources.shape
    known = looks.observed + looks.pairs
    _, covariance = prior_moments(sources, looks, spreads, priors)
    heard = covariance[:, :known, :known] + JITTER * np.eye(known)
    at = np.arange(looks.observed, known)
    heard[:, at, at] += 1 / np.maximum(precision, 1e-6)
    cross = covariance[:, :known, known:].reshape(-1, known, channels, periods)
    mean_of = np.einsum("nkcp,cp->nkc", cross, sources.spend_share)
    response = np.linalg.solve(heard, mean_of).mean(axis=0)
    owner = np.concatenate([looks.mmm, looks.attribution, sources.tests.channel])
    kind = np.repeat(["mmm", "attribution", "experiments"], [looks.mmm.size, looks.attribution.size, looks.pairs])
    own = response * (owner[:, None] == np.arange(channels))
    return {name: own[kind == name].sum(axis=0) for name in ("mmm", "experiments", "attribution")}
