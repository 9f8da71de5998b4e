"""The regression behind a switchback: the effect as one coefficient beside levels, trend and days of the week.

With ``M`` the projection off everything but the treatment (Frisch and Waugh 1933; Lovell 1963), ``A`` the incidence of
cells in blocks and ``z`` the states of the blocks, the treatment is ``d = A z`` and its coefficient ``z'v / z'Pz`` with
``v = A'My`` and ``P = A'MA``: both are worked out once and serve every schedule that the draw could have given.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from experiments.geo.inference.randomisation import inverted
from experiments.two_sided import InvertedTest, StudentTest
from measurement.errors import DesignError
from measurement.typing import Bools, Floats, Ints

_RANK = 1e-9
_SEEN = 1e-6
"""A treatment of which less than this share is left beside the other terms cannot be told apart from them."""
_RHOS = np.linspace(0.0, 0.98, 50)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells (a market in a period) that a regression reads.

    Attributes:
        values: KPI over the market's scale, shape (cells,).
        time: Period, shape (cells,).
        block: Block, shape (cells,); -1 outside the schedule (before the test, controls).
        sign: +1, or -1 in a market that is on where its unit is off, shape (cells,).
        terms: Everything but the treatment, shape (cells, terms).
    """

    values: Floats
    time: Ints
    block: Ints
    sign: Floats
    terms: Floats

    def treatment(self, on: Bools) -> Floats:
        """The treatment up to a constant per market that the terms hold, shape (cells,)."""
        return np.where(self.block >= 0, self.sign * on[self.block], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A regression with everything but the treatment taken out.

    Attributes:
        incidence: ``MA``, shape (cells, blocks).
        values: ``My``, shape (cells,).
        moments: ``v``, shape (blocks,).
        products: ``P``, shape (blocks, blocks).
        rank: Number of independent terms.
    """

    incidence: Floats
    values: Floats
    moments: Floats
    products: Floats
    rank: int

    def estimate(self, on: Bools) -> float:
        """The coefficient of the treatment under a schedule."""
        return float(self.moments[on].sum() / self.leverage(on))

    def leverage(self, on: Bools) -> float:
        """What the other terms leave of the treatment, ``z'Pz``."""
        return float(self.products[np.ix_(on, on)].sum())

    def residuals(self, on: Bools) -> Floats:
        """What the regression leaves unexplained, shape (cells,)."""
        return np.asarray(self.values - self.estimate(on) * self.incidence[:, on].sum(axis=1))


def reduce(cells: Cells, blocks: int) -> Reduced:
    """Take everything but the treatment out of the KPI and of the blocks.

    Args:
        cells: The cells.
        blocks: Number of blocks.
    """
    incidence = np.zeros((cells.values.size, blocks))
    inside = np.flatnonzero(cells.block >= 0)
    incidence[inside, cells.block[inside]] = cells.sign[inside]
    basis, _ = _basis(cells.terms)
    values = cells.values - basis @ (basis.T @ cells.values)
    left = incidence - basis @ (basis.T @ incidence)
    return Reduced(left, values, left.T @ values, left.T @ left, basis.shape[1])


def refuse_unseen(cells: Cells, reduced: Reduced, on: Bools) -> None:
    """Refuse a schedule that the other terms explain.

    Raises:
        DesignError: Where trend, levels and days of the week leave nothing of the treatment, or there are no more
            periods than terms.
    """
    if cells.values.size < reduced.rank + 3:
        raise DesignError(
            f"{cells.values.size} periods are left to read, too few beside {reduced.rank} levels and trends: "
            "take longer blocks or more of them, or a shorter burn_in"
        )
    treatment = cells.treatment(on)
    if reduced.leverage(on) < _SEEN * float(np.square(treatment).sum()) or not treatment.any():
        raise DesignError(
            "the schedule cannot be told apart from trend, level and days of the week: "
            "switch more often, and not always on the same days"
        )


def randomisation_test(reduced: Reduced, on: Bools, others: Bools) -> tuple[InvertedTest, Floats]:
    """The real schedule beside all others that could have been drawn.

    The statistic is the classical t of the treatment. Its denominator under a hypothesised effect is the same for all
    schedules but for ``z'Pz``, so that it orders schedules as ``|coefficient| sqrt(z'Pz)`` does, which is linear in the
    effect: every schedule speaks for one span of values.

    Args:
        reduced: The regression.
        on: The real schedule, shape (blocks,).
        others: The others, shape (draws, blocks).

    Returns:
        The test, and what each other schedule measures once the estimate is taken out, shape (draws,).
    """
    rows = others.astype(np.float64)
    seen = rows @ reduced.products
    leverage = np.maximum((seen * rows).sum(axis=1), np.finfo(np.float64).tiny)
    measured, overlap = rows @ reduced.moments / leverage, seen[:, on].sum(axis=1) / leverage
    estimate, error = reduced.estimate(on), reduced.leverage(on) ** -0.5
    return inverted(measured, overlap, leverage**-0.5, estimate, error), measured - estimate * overlap


def newey_west(cells: Cells, reduced: Reduced, on: Bools, lags: int, df: int) -> StudentTest:
    """The coefficient with a standard error that allows for autocorrelation (Newey and West 1987).

    Bartlett weights on the scores added up by period (over markets as Driscoll and Kraay 1998 do), so that what
    neighbouring periods and different markets share is allowed for; periods that were dropped count as zeros.

    Args:
        cells: The cells.
        reduced: Their regression.
        on: The schedule.
        lags: Number of lags with a weight above 0.
        df: Degrees of freedom of Student's t.
    """
    left = reduced.incidence[:, on].sum(axis=1) * reduced.residuals(on)
    scores = np.bincount(cells.time - cells.time.min(), left)
    long_run = float(scores @ scores)
    for lag in range(1, min(lags, scores.size - 1) + 1):
        long_run += 2 * (1 - lag / (lags + 1)) * float(scores[lag:] @ scores[:-lag])
    size = cells.values.size
    error = (long_run * size / (size - reduced.rank - 1)) ** 0.5 / reduced.leverage(on)
    return StudentTest(reduced.estimate(on), max(error, np.finfo(np.float64).tiny), df)


def autoregressive(cells: Cells, on: Bools) -> tuple[StudentTest, float]:
    """The coefficient under first-order autoregressive noise, for one market.

    Generalised least squares for each autocorrelation on a grid; the answers are averaged by their restricted
    likelihood (Patterson and Thompson 1971), so that the error holds what is not known of the autocorrelation. Periods
    that were dropped are bridged: the correlation over a gap of ``m`` periods is the ``m``-th power.

    Args:
        cells: The cells of one market, in order of time.
        on: The schedule.

    Returns:
        The test, and the mean autocorrelation.
    """
    columns = np.column_stack([cells.treatment(on), cells.terms])
    keep = _independent(columns)
    gaps = np.append(np.inf, np.diff(cells.time))
    found = np.array([_whitened(cells.values, columns[:, keep], gaps, rho) for rho in _RHOS])
    estimates, variances, likelihoods = found.T
    weights = np.exp(likelihoods - likelihoods.max())
    weights /= weights.sum()
    mean = float(weights @ estimates)
    variance = float(weights @ (variances + np.square(estimates - mean)))
    df = cells.values.size - keep.size
    return StudentTest(mean, max(variance**0.5, np.finfo(np.float64).tiny), df), float(weights @ _RHOS)


def _independent(columns: Floats) -> Ints:
    """Columns that are no sum of others; the first is always kept."""
    first = columns[:, :1] / np.linalg.norm(columns[:, 0])
    _, chosen = _basis(columns[:, 1:] - first @ (first.T @ columns[:, 1:]))
    return np.append(0, 1 + np.sort(chosen))


def _basis(columns: Floats) -> tuple[Floats, Ints]:
    """An orthonormal basis of the columns' span, shape (cells, rank), and the columns that give it, shape (rank,)."""
    size = np.linalg.norm(columns, axis=0)
    basis, triangle, order = qr(columns / np.where(size > 0, size, 1.0), mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(triangle)) > _RANK).sum())
    return np.asarray(basis[:, :rank]), np.asarray(order[:rank])


def _whitened(values: Floats, columns: Floats, gaps: Floats, rho: float) -> tuple[float, float, float]:
    """First coefficient, its variance and the restricted log likelihood at one autocorrelation."""
    link = np.where(np.isinf(gaps), 0.0, rho**gaps)
    spread = np.sqrt(1.0 - np.square(link))
    y = (values - link * np.append(0.0, values[:-1])) / spread
    x = (columns - link[:, None] * np.vstack([np.zeros(columns.shape[1]), columns[:-1]])) / spread[:, None]
    basis, triangle = np.linalg.qr(x)
    left = y - basis @ (basis.T @ y)
    df = values.size - columns.shape[1]
    variance = max(float(left @ left) / df, np.finfo(np.float64).tiny)
    inverse = np.linalg.inv(triangle)
    estimate = float(inverse[0] @ (basis.T @ y))
    likelihood = -0.5 * df * np.log(variance) - np.log(spread).sum() - np.log(np.abs(np.diag(triangle))).sum()
    return estimate, variance * float(inverse[0] @ inverse[0]), float(likelihood)
