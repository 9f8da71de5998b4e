"""Value of information: what a read-out that is not yet known is worth to a decision, by three estimators.

A read-out y of the true change Delta moves the draws' weights, so the mean curves, so the best plan. Its expected value
is E_y[max_d E[worth of d | y]] - max_d E[worth of d]. Here the standing plan d0 is held against the best one under the
*same* belief, so that noise common to both cancels, no term is below 0, and a read-out that changes nothing is worth
exactly nothing. What the estimators differ in is E[curves | y]:

- ``psis``: draws weighted by the likelihood of y, Pareto-smoothed (Vehtari et al. 2024);
- ``regression``: curves regressed on simulated read-outs by splines (Strong, Oakley, Brennan and Breeze 2015);
- ``gaussian``: curves regressed on Delta, at Delta shrunk to its mean by what the test leaves open (Jalal and
  Alarid-Escudero 2018).

Perfect information on Delta itself, which no error of a test can beat, is the same regression without the shrinkage
(Strong, Oakley and Brennan 2014). Formulas: ``docs/math_next_test.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.next_test.decision import Decision
from measurement.psis import TRUSTED, smoothed
from measurement.typing import Bools, Floats, Ints

Estimator = Literal["psis", "regression", "gaussian"]
ESTIMATORS: tuple[Estimator, ...] = ("psis", "regression", "gaussian")

DEGREES = 6.0
"""Degrees of freedom of a read-out's error, those of the model's own likelihood of a test."""
READ_OUTS, MANY = 96, 1024
"""Simulated read-outs: where each has its own weights, and where they are points of a smooth curve."""
BLOCKS = 20
KNOTS = 3
REPEATS = 32
"""Errors that each draw's read-out is simulated with."""
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True, eq=False)
class ReadOut:
    """A test's result before it is known.

    Attributes:
        delta: The true change under each draw, KPI units, shape (draws,).
        std_error: Its standard error.
        relative_sd: Further standard deviation as a share of the change, by its grade.
        degrees: Degrees of freedom of its error; infinity for a Normal.
    """

    delta: Floats
    std_error: float
    relative_sd: float = 0.0
    degrees: float = DEGREES

    @property
    def scale(self) -> Floats:
        """Scale of its error under each draw, shape (draws,)."""
        return np.hypot(self.std_error, self.relative_sd * self.delta)

    @property
    def informs(self) -> bool:
        """Whether the draws differ at all in what they say of it."""
        return bool(np.ptp(self.delta) > 1e-9 * max(float(np.abs(self.delta).max()), 1e-300))

    def drawn(self, chance: Floats) -> Floats:
        """Read-outs of every draw at quantiles (0 to 1) of the error that broadcast with draws."""
        from scipy.special import ndtri, stdtrit

        noise = ndtri(chance) if np.isinf(self.degrees) else stdtrit(self.degrees, chance)
        return np.asarray(self.delta + self.scale * noise)

    def predicted(self, count: int) -> Floats:
        """Read-outs that stand for equal shares of what the test may show, in order, shape (count,)."""
        chance = (np.arange(REPEATS)[:, None] + _even(self.delta.size)) / REPEATS
        every = np.sort(self.drawn(chance), axis=None)
        edges = np.linspace(0, every.size, min(count, every.size) + 1).astype(np.int64)
        return np.asarray(np.add.reduceat(every, edges[:-1]) / np.diff(edges))

    def log_likelihood(self, seen: Floats) -> Floats:
        """Log density of each read-out under each draw, up to a constant, shape (read-outs, draws)."""
        z = (seen[:, None] - self.delta) / self.scale
        if np.isinf(self.degrees):
            return np.asarray(-0.5 * z**2 - np.log(self.scale))
        return np.asarray(-0.5 * (self.degrees + 1) * np.log1p(z**2 / self.degrees) - np.log(self.scale))

    @property
    def kept(self) -> float:
        """Share of Delta's variance that the test is expected to explain.

        The error counts with the variance of a Normal that holds as much information about its centre (for Student's
        t, (n + 3) / (n + 1) times the square of its scale).
        """
        factor = 1.0 if np.isinf(self.degrees) else (self.degrees + 3) / (self.degrees + 1)
        spread, error = float(self.delta.var()), factor * float(np.mean(self.scale**2))
        return spread / (spread + error) if spread > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Believed:
    """What simulated read-outs would make us believe and do.

    Attributes:
        seen: The read-outs, each standing for an equal share of what the test may show, in order, KPI units,
            shape (read-outs,).
        means: Mean curves after each, shape (read-outs, items, levels).
        spend: The best plan after each, shape (read-outs, items).
        gain: What it earns above the standing plan, shape (read-outs,).
        trusted: Share of the read-outs whose weights could be trusted.
        jackknife: The mean gain without each block of draws, shape (blocks,).
    """

    seen: Floats
    means: Floats
    spend: Floats
    gain: Floats
    trusted: float
    jackknife: Floats

    @property
    def value(self) -> float:
        """The expected value of the test, money over the whole horizon."""
        return float(self.gain.mean())

    @property
    def error(self) -> float:
        """Its Monte Carlo standard error."""
        return jackknife_error(self.jackknife)


def by_weights(decision: Decision, read_out: ReadOut, now: Floats, count: int = READ_OUTS) -> Believed:
    """Reweight the draws by each simulated read-out; where weights cannot be trusted, the regression speaks.

    Args:
        decision: What is decided.
        read_out: The test.
        now: The standing plan, shape (items,).
        count: How many read-outs.
    """
    seen = read_out.predicted(count)
    found = [smoothed(row) for row in read_out.log_likelihood(seen)]
    weights, khat = np.array([weight for weight, _ in found]), np.array([k for _, k in found])
    means = np.tensordot(weights, decision.value, axes=1)
    doubtful = ~(khat < TRUSTED)
    if doubtful.any():
        means[doubtful] = regressed(decision, read_out, seen[doubtful])
    gain, spend = decision.gains(means, now)
    again = _without_blocks(decision, weights, doubtful, means)
    return Believed(seen, means, spend, gain, float(1 - doubtful.mean()), again)


def by_regression(decision: Decision, read_out: ReadOut, now: Floats, count: int = MANY) -> float:
    """The value by regression of the curves on read-outs, one simulated for every draw."""
    means = regressed(decision, read_out, read_out.predicted(count))
    return float(decision.gains(means, now)[0].mean())


def by_gaussian(
    decision: Decision, read_out: ReadOut, now: Floats, kept: float | None = None, count: int = MANY
) -> float:
    """The value by the Gaussian approximation; with ``kept=1`` that of knowing Delta itself."""
    return float(gaussian_gains(decision, read_out, now, kept, count).mean())


def gaussian_gains(
    decision: Decision, read_out: ReadOut, now: Floats, kept: float | None = None, count: int = MANY
) -> Floats:
    """Gains at evenly spread quantiles of Delta, shrunk to its mean by the share that is kept, shape (quantiles,)."""
    delta, centre = read_out.delta, float(read_out.delta.mean())
    at = np.quantile(delta, (np.arange(count) + 0.5) / count)
    at = centre + np.sqrt(read_out.kept if kept is None else kept) * (at - centre)
    return decision.gains(fitted_at(delta, decision.value, at), now)[0]


def perfect(decision: Decision, now: Floats) -> Floats:
    """What knowing every curve exactly would earn above the standing plan in each draw, shape (draws,)."""
    return decision.gains(decision.value, now)[0]


def regressed(decision: Decision, read_out: ReadOut, seen: Floats) -> Floats:
    """Mean curves after given read-outs, by regression on one simulated read-out per draw.

    The errors of the simulated read-outs are spread evenly, draw by draw in the order of Delta.
    """
    chance = np.empty(read_out.delta.size)
    chance[np.argsort(read_out.delta, kind="stable")] = _even(chance.size)
    return fitted_at(read_out.drawn(chance), decision.value, seen)


def fitted_at(x: Floats, y: Floats, at: Floats) -> Floats:
    """Regression of curves y (draws, items, levels) on x (draws,), at some points, shape (points, items, levels).

    Each item takes the form that its draws call for by the Bayesian information criterion (Schwarz 1978): a constant, a
    line, a cubic, or a cubic spline with knots at quantiles. So a channel that x says nothing of stays as it is, and no
    noise is sold as information. Points outside the range of x take the value at its end.
    """
    out = np.repeat(y.mean(axis=0)[None], at.size, axis=0)
    if np.ptp(x) <= 1e-12 * max(float(np.abs(x).max()), 1e-300):
        return out
    draws, items = y.shape[:2]
    centred = y - y.mean(axis=0)
    spread = np.maximum(np.square(centred).sum(axis=0), 1e-300)
    least = np.zeros(items)
    for basis, new in _bases(x, at):
        orthogonal, triangle = np.linalg.qr(basis)
        coefficient = orthogonal.T @ centred.reshape(draws, -1)
        explained = np.square(coefficient).sum(axis=0).reshape(spread.shape)
        left = np.clip(1 - explained / spread, 1e-12, 1.0).mean(axis=1)
        score = draws * np.log(left) + basis.shape[1] * np.log(draws)
        better = score < least
        found = (new @ np.linalg.solve(triangle, coefficient)).reshape(at.size, *y.shape[1:])
        out[:, better] = (y.mean(axis=0) + found)[:, better]
        least = np.minimum(score, least)
    return out


def _bases(x: Floats, at: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Centred bases of growing flexibility, without the constant: at the draws and at the points asked for."""
    from scipy.interpolate import BSpline

    inner = np.unique(np.quantile(x, np.linspace(0, 1, KNOTS + 2)))
    low, high = inner[0], inner[-1]
    near = np.clip(at, low, high)
    middle, width = x.mean(), x.std()
    yield ((x - middle) / width)[:, None], ((near - middle) / width)[:, None]
    for knots in (inner[[0, -1]], inner):
        padded = np.concatenate([np.repeat(low, 3), knots, np.repeat(high, 3)])
        full, new = (BSpline.design_matrix(points, padded, 3).toarray()[:, 1:] for points in (x, near))
        yield full - full.mean(axis=0), new - full.mean(axis=0)


def _even(count: int) -> Floats:
    """Numbers between 0 and 1 of which every stretch is evenly spread (multiples of the golden ratio)."""
    return np.clip((0.5 + GOLDEN * np.arange(count)) % 1.0, 0.25 / count, 1 - 0.25 / count)


def jackknife_error(values: Floats) -> float:
    """Standard error from estimates that left out one block each, shape (blocks,)."""
    count = values.size
    return float(np.sqrt((count - 1) / count * np.sum((values - values.mean()) ** 2)))


def blocks_of(draws: int) -> Ints:
    """The block of each draw, shape (draws,): stretches of the chains, so that what follows on each other stays."""
    return np.asarray(np.arange(draws) * min(BLOCKS, draws) // draws)


def _without_blocks(decision: Decision, weights: Floats, doubtful: Bools, means: Floats) -> Floats:
    """The mean gain without each block of draws.

    Its draws lose their weight, each read-out counts by how likely the other draws make it, d0 is decided anew.
    """
    block = blocks_of(decision.value.shape[0])
    whole, total = decision.value.sum(axis=0), len(block)
    found = []
    for b in range(block.max() + 1):
        mine = block == b
        now = decision.best(((whole - decision.value[mine].sum(axis=0)) / (total - mine.sum()))[None]).spend[0]
        left = 1.0 - weights[:, mine].sum(axis=1)
        without = means - np.tensordot(weights[:, mine], decision.value[mine], axes=1)
        usable = ~doubtful & (left > 1e-6)
        without = np.where(usable[:, None, None], without / np.where(usable, left, 1.0)[:, None, None], means)
        found.append(np.average(decision.gains(without, now)[0], weights=np.where(usable, left, 1.0)))
    return np.array(found)
