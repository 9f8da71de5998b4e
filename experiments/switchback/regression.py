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
_RHOS = np.linspace(0.0, 0.98, 25)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells (a market in a period) that a regression reads.

    Attributes:
        values: KPI over the market's scale, shape (cells,).
        market: Market, shape (cells,); cells stand market by market.
        time: Period, shape (cells,), ascending within a market.
        block: Block, shape (cells,); -1 outside the schedule (before the test, controls).
        sign: +1, or -1 in a market that is on where its unit is off, shape (cells,).
        terms: Everything but the treatment, shape (cells, terms).
    """

    values: Floats
    market: Ints
    time: Ints
    block: Ints
    sign: Floats
    terms: Floats

    def treatment(self, on: Bools) -> Floats:
        """The treatment up to a constant per market that the terms hold, shape (cells,)."""
        return np.where(self.block >= 0, self.sign * on[self.block], 0.0)

    @property
    def gaps(self) -> Floats:
        """Periods since the cell before, shape (cells,); infinite at a market's first cell."""
        return np.append(np.inf, np.where(np.diff(self.market) == 0, np.diff(self.time), np.inf))


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

    def sees(self, on: Bools) -> bool:
        """Whether the other terms leave enough of a schedule to tell it apart from them."""
        return self.leverage(on) > _SEEN * self.values.size

    def residuals(self, on: Bools) -> Floats:
        """What the regression leaves unexplained, shape (cells,)."""
        return np.asarray(self.values - self.estimate(on) * self.incidence[:, on].sum(axis=1))


def reduce(cells: Cells, blocks: int, rho: float = 0.0) -> Reduced:
    """Take everything but the treatment out of the KPI and of the blocks.

    Args:
        cells: The cells.
        blocks: Number of blocks.
        rho: Autocorrelation of neighbouring periods that the regression is weighted for (generalised least squares);
            a poor guess costs precision and nothing else.
    """
    incidence = np.zeros((cells.values.size, blocks))
    inside = np.flatnonzero(cells.block >= 0)
    incidence[inside, cells.block[inside]] = cells.sign[inside]
    columns = np.column_stack([cells.values, incidence, cells.terms])
    columns = _white(columns, cells.gaps, np.array([rho]))[0][0]
    values, incidence, terms = columns[:, 0], columns[:, 1 : blocks + 1], columns[:, blocks + 1 :]
    basis, _ = _basis(terms)
    values = values - basis @ (basis.T @ values)
    left = incidence - basis @ (basis.T @ incidence)
    return Reduced(left, values, left.T @ values, left.T @ left, basis.shape[1])


def refuse_unseen(reduced: Reduced, on: Bools) -> None:
    """Refuse a schedule that the other terms explain.

    Raises:
        DesignError: Where trend, levels and days of the week leave nothing of the treatment, or there are no more
            periods than terms.
    """
    if reduced.values.size < reduced.rank + 3:
        raise DesignError(
            f"{reduced.values.size} periods are left to read, too few beside {reduced.rank} levels and trends: "
            "take longer blocks or more of them, or a shorter burn_in"
        )
    if not reduced.sees(on):
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
    leverage = (seen * rows).sum(axis=1)
    lost = leverage < _SEEN * reduced.leverage(on)  # the terms explain such a schedule: its statistic is 0
    leverage[lost] = np.finfo(np.float64).tiny
    measured = np.where(lost, 0.0, rows @ reduced.moments) / leverage
    overlap = np.where(lost, 0.0, seen[:, on].sum(axis=1)) / leverage
    estimate, error = reduced.estimate(on), reduced.leverage(on) ** -0.5
    return inverted(measured, overlap, leverage**-0.5, estimate, error), measured - estimate * overlap


def newey_west(cells: Cells, reduced: Reduced, on: Bools, lags: int, df: int) -> StudentTest:
    """The coefficient with a standard error that allows for autocorrelation (Newey and West 1987).

    Bartlett weights on the scores added up by period (over markets as Driscoll and Kraay 1998 do), so that what
    neighbouring periods and different markets share is allowed for; periods that were dropped count as zeros. After a
    weighted regression the scores are prewhitened (Andrews and Monahan 1992), without which such errors are far too
    small where neighbouring periods are much alike.

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
    columns = columns[:, _independent(columns)]
    estimates, variances, likelihoods = _profile(cells.values, columns, cells.gaps)
    weights = _weights(likelihoods)
    mean = float(weights @ estimates)
    variance = float(weights @ (variances + np.square(estimates - mean)))
    df = cells.values.size - columns.shape[1]
    return StudentTest(mean, max(variance**0.5, np.finfo(np.float64).tiny), df), float(weights @ _RHOS)


def autocorrelation(values: Floats, terms: Floats) -> float:
    """Mean autocorrelation of neighbouring periods by its restricted likelihood, between 0 and .98.

    Args:
        values: One market's KPI in neighbouring periods, shape (periods,).
        terms: What explains it, shape (periods, terms).
    """
    gaps = np.append(np.inf, np.ones(values.size - 1))
    terms = terms[:, np.sort(_basis(terms)[1])]
    return float(_weights(_profile(values, terms, gaps)[2]) @ _RHOS)


def _weights(likelihoods: Floats) -> Floats:
    weights = np.exp(likelihoods - likelihoods.max())
    return np.asarray(weights / weights.sum())


def _white(columns: Floats, gaps: Floats, rho: Floats) -> tuple[Floats, Floats]:
    """Columns whose autocorrelation is taken out, shape (rhos, cells, columns), and the spread they were divided by."""
    link = rho[:, None] ** gaps
    spread = np.sqrt(1.0 - np.square(link))
    before = np.vstack([np.zeros(columns.shape[1]), columns[:-1]])
    return (columns - link[:, :, None] * before) / spread[:, :, None], spread


def _independent(columns: Floats) -> Ints:
    """Columns that are no sum of others; the first is always kept."""
    first = columns[:, :1] / np.linalg.norm(columns[:, 0])
    _, chosen = _basis(columns[:, 1:] - first @ (first.T @ columns[:, 1:]))
    return np.append(0, 1 + np.sort(chosen))


def _basis(columns: Floats) -> tuple[Floats, Ints]:
    """An orthonormal basis of the columns' span, shape (cells, rank), and the columns that give it, shape (rank,)."""
    size = np.linalg.norm(columns, axis=0)
    wide, small = np.linalg.qr(columns / np.where(size > 0, size, 1.0))
    narrow, triangle, order = qr(small, pivoting=True)  # the rank is sought in the small factor, which is quick
    rank = int((np.abs(np.diag(triangle)) > _RANK).sum())
    return np.asarray(wide @ narrow[:, :rank]), np.asarray(order[:rank])


def _profile(values: Floats, columns: Floats, gaps: Floats) -> tuple[Floats, Floats, Floats]:
    """First coefficient, its variance and the restricted log likelihood at each autocorrelation, each (rhos,)."""
    white, spread = _white(np.column_stack([values, columns]), gaps, _RHOS)
    basis, triangle = np.linalg.qr(white[:, :, 1:])
    along = np.einsum("rnk,rn->rk", basis, white[:, :, 0])
    left = white[:, :, 0] - np.einsum("rnk,rk->rn", basis, along)
    df = values.size - columns.shape[1]
    variance = np.maximum(np.square(left).sum(axis=1) / df, np.finfo(np.float64).tiny)
    inverse = np.linalg.inv(triangle)[:, 0]
    size = np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2))).sum(axis=1)
    likelihood = -0.5 * df * np.log(variance) - np.log(spread).sum(axis=1) - size
    return (inverse * along).sum(axis=1), variance * np.square(inverse).sum(axis=1), likelihood
