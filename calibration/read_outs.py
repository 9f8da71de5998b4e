"""The tests' read-outs inside the evidence model: draw what they looked at, given everything, by a mixture proposal.

Given the spreads, what the tests look at, ``g``, is Normal by the other methods, and their read-outs are
``sum of k exp(g)`` plus the error of a t. Damped Gauss-Newton steps find the modes of ``p(g | all)`` from several
starts at once (what the other methods say, what the tests say, each of a channel's tests alone), and ``g`` is drawn
from a mixture of multivariate t around them and of the Normal itself. The log likelihood of tests whose errors go
together (the same sales read twice) counts in part: see `Tests.counts`.

Source of the mixture: Owen & Zhou (2000), Safe and effective importance sampling, JASA 95.
"""

import numpy as np
from scipy import special, stats

from calibration.evidence_model import Tests
from measurement.typing import Floats

STEPS = 16
PROPOSAL_DF = 6.0
WIDEN = 1.15
SAFE = 0.1


def read_outs(
    tests: Tests, centre: Floats, spread: Floats, uniform: Floats, degrees: float
) -> tuple[Floats, Floats, Floats]:
    """Draw the pairs for every node.

    Args:
        tests: The tests.
        centre: Mean of the pairs by the other methods, shape (nodes, pairs).
        spread: Their covariance, shape (nodes, pairs, pairs).
        uniform: Points of the unit cube, shape (nodes, pairs + 2).
        degrees: Degrees of freedom of the tests' errors.

    Returns:
        Log of target over proposal, shape (nodes,); the draws, and the tests' precision on them, each (nodes, pairs).
    """
    inverse = np.linalg.inv(spread)
    modes = [_climb(tests, centre, inverse, start, degrees) for start in _starts(tests, centre)]
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
    trust = tests.counts * (degrees + 1) / (degrees + (residual / sd) ** 2) / sd**2
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
    return np.asarray(seen @ tests.counts + _log_normal(g, centre, spread))


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
    of_test = tests.counts * (size / sd) ** 2
    share = np.abs(part) / np.maximum(np.abs(total)[:, tests.test], 1e-300)
    return np.asarray(of_test[:, tests.test] * share**2)
