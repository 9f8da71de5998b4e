"""Integrate the evidence model over a fixed quasi-random set: no chains, same inputs and seed, same answer.

1. Scrambled Sobol points give the spreads (nodes), from their priors and, by the larger part, from where a pilot on few
   nodes found them likely. Per node the MMM's and attribution's numbers are Gaussian: their likelihood is exact, and so
   is the Normal of the pairs ``g`` given them.
2. Per node the tests' read-outs are not Gaussian in ``g``: `calibration.read_outs` draws it from a mixture around the
   modes of ``p(g | all)`` and of the Normal of step 1, by the same Sobol points.
3. Every node is weighted by ``likelihood of step 1 × targets / proposals``; the weights are Pareto-smoothed (ArviZ),
   their k-hat and effective number are reported, and nodes are resampled systematically. The truth in every cell then
   follows exactly (`calibration.truth`).

Sources: Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25; of the pilot:
Cappé, Guillin, Marin & Robert (2004), Population Monte Carlo, Journal of Computational and Graphical Statistics 13.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.stats import qmc

from calibration.evidence_model import Looks, MethodPriors, Sources, Spreads, of_cells, prior_moments
from calibration.read_outs import read_outs
from calibration.truth import JITTER, cells
from measurement.psis import TRUSTED, smoothed
from measurement.typing import Floats, Ints

NODES = 8192
DRAWS = 2048
GAIN_NODES = 256
PILOTS, PILOT_SHARE = 2, 8
SAFE, WIDEN, FIRM = 0.2, 1.3, 20.0
"""Share of nodes from the priors, sd of the others over the pilot's, and how many nodes the priors' shape counts."""


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
        spreads: The spreads of each draw.
        pull: How far each draw moves what the tests say of the response curves, shape (draws, pairs).
        shape: Per draw, its draw of the response curves, shape (draws,).
        log_scale_draws: Those that the tests were mapped with, shape (draws of the curves, pairs).
    """

    theta: Floats
    gain: dict[str, Floats]
    effective: float
    khat: float
    log_evidence: float
    spreads: Spreads
    pull: Floats
    shape: Ints
    log_scale_draws: Floats

    def shaped(self, log_ratio: Floats) -> Floats:
        """Joint draws of a log ratio that hangs on the response curves, moved by what the tests say of them.

        Args:
            log_ratio: By the fit's own draws (the same as the tests were mapped with), shape (draws of the curves, n).

        Returns:
            Shape (draws, n), joint with ``theta``.
        """
        drawn = log_ratio[self.shape]
        if not self.log_scale_draws.size:
            return drawn
        z = np.clip(log_ratio, *np.quantile(log_ratio, [0.005, 0.995], axis=0))
        covariance = (self.log_scale_draws.T @ (z - z.mean(axis=0))) / len(z)
        return np.asarray(drawn + self.pull @ covariance)

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
    curves: int = 0,
) -> Fusion:
    """Unify what the methods say.

    Args:
        sources: Their numbers.
        priors: What is believed of the methods.
        seed: Seed of the scrambling and of the Gaussian draws.
        nodes: Quasi-random nodes, a power of 2.
        draws: Joint draws to return.
        curves: Draws of the response curves that `Fusion.shaped` will be asked for, where no test has any.
    """
    priors = priors or MethodPriors()
    rng = np.random.default_rng(seed)
    looks = Looks.of(sources)
    pairs = looks.pairs
    sobol = qmc.Sobol(Spreads.DIMENSIONS + 1 + pairs + 2, rng=np.random.default_rng(seed))
    likely = _Likely.prior()
    for size in (*[nodes // PILOT_SHARE] * PILOTS, nodes):
        uniform = np.clip(sobol.reset().random(size), 1e-9, 1 - 1e-9)
        z, log_ratio = likely.draw(uniform[:, : Spreads.DIMENSIONS], uniform[:, Spreads.DIMENSIONS])
        spreads = Spreads.from_uniform(special.ndtr(z), priors)
        log_weight, g, precision = _weigh(sources, looks, spreads, priors, uniform[:, Spreads.DIMENSIONS + 1 :])
        log_weight = log_weight + log_ratio
        weight, khat = smoothed(log_weight)
        likely = _Likely.of(z, weight)
    picked = np.searchsorted(np.cumsum(weight), (np.arange(draws) + rng.uniform()) / draws).clip(max=nodes - 1)
    chosen = spreads.at(picked)
    seen = np.concatenate([np.tile(_observed(sources, looks), (draws, 1)), g[picked]], axis=1)
    curves = curves or max(len(sources.tests.log_scale_draws), 1)
    shape = rng.permutation(np.resize(np.arange(curves), draws))
    theta, pull = cells(sources, looks, chosen, priors, seen, shape, rng)
    few = np.unique(np.linspace(0, draws - 1, GAIN_NODES).astype(np.int64))
    return Fusion(
        theta=theta.reshape(draws, *sources.shape),
        gain=_gain(sources, looks, chosen.at(few), priors, precision[picked[few]]),
        effective=float(1 / np.sum(weight**2)),
        khat=khat,
        log_evidence=float(special.logsumexp(log_weight) - np.log(nodes)),
        spreads=chosen,
        pull=pull,
        shape=shape,
        log_scale_draws=sources.tests.log_scale_draws,
    )


@dataclass(frozen=True, eq=False)
class _Likely:
    """Where the spreads are likely: a Normal of their priors' normal scores, beside which the priors always stand."""

    centre: Floats
    factor: Floats

    @classmethod
    def prior(cls) -> "_Likely":
        return cls(np.zeros(Spreads.DIMENSIONS), np.eye(Spreads.DIMENSIONS))

    @classmethod
    def of(cls, z: Floats, weight: Floats) -> "_Likely":
        """The Normal of weighted nodes, the priors' shape counting as `FIRM` of them."""
        count = float(1 / np.sum(weight**2))
        centre = weight @ z * count / (count + 1)
        apart = z - centre
        covariance = (count * (apart * weight[:, None]).T @ apart + FIRM * np.eye(len(centre))) / (count + FIRM)
        return cls(centre, WIDEN * np.linalg.cholesky(covariance))

    def draw(self, uniform: Floats, choice: Floats) -> tuple[Floats, Floats]:
        """Normal scores, shape (nodes, spreads), and the log of the priors' density over the mixture's."""
        white = special.ndtri(uniform)
        z = np.where(choice[:, None] < SAFE, white, self.centre + white @ self.factor.T)
        back = np.linalg.solve(self.factor, (z - self.centre).T).T
        own = 0.5 * (z**2).sum(axis=1) - 0.5 * (back**2).sum(axis=1) - np.log(np.diag(self.factor)).sum()
        return z, -np.logaddexp(np.log(SAFE), np.log1p(-SAFE) + own)


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
    log_ratio, g, precision = read_outs(sources.tests, centre, spread, uniform, priors.degrees)
    return log_weight + log_ratio, g, precision


def _gain(
    sources: Sources, looks: Looks, spreads: Spreads, priors: MethodPriors, precision: Floats
) -> dict[str, Floats]:
    """Mean response of each channel's log iROAS to its own number from each source."""
    channels, periods = sources.shape
    known = looks.observed + looks.pairs
    _, covariance = prior_moments(sources, looks, spreads, priors)
    heard = covariance + JITTER * np.eye(known)
    at = np.arange(looks.observed, known)
    heard[:, at, at] += 1 / np.maximum(precision, 1e-6)
    kind = np.repeat(["mmm", "attribution", "experiments"], [looks.mmm.size, looks.attribution.size, looks.pairs])
    inverse = np.linalg.inv(heard)
    own = np.zeros((known, channels))
    for row, c in enumerate(looks.channel):
        answer = of_cells(looks, spreads, priors, inverse[:, row]).reshape(-1, channels, periods)[:, c]
        own[row, c] = float(answer.mean(axis=0) @ sources.spend_share[c])
    return {name: own[kind == name].sum(axis=0) for name in ("mmm", "experiments", "attribution")}
