"""What all models share: each is a function of sums over distinct paths, so one resampling serves them all.

A model names its sums as sparse matrices (paths × features), each with the weight that multiplies the rows, and turns
the sums into credit. Plain weights give the estimate; weights of a Poisson bootstrap (Hanley & MacGibbon 2006;
Chamandy et al. 2012) give joint draws: a journey occurs Poisson(1) times, hence equal journeys, n of them, occur
Poisson(n) times. Money is drawn as the sum of that many Gamma variables with the mean and variance seen on the path.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from attribution.path_table import Paths
from measurement.typing import Floats

type Weight = Literal["conversions", "value", "journeys"]

CELLS = 4_000_000
"""Most cells of one block of weights or sums: about 32 MB."""


@dataclass(frozen=True, slots=True)
class Term:
    """One family of sums: ``matrix.T @ weight``.

    Attributes:
        weight: What the rows are multiplied by: conversions, their money, or all journeys (conversions and nulls).
        matrix: Shape (paths, features).
    """

    weight: Weight
    matrix: sparse.csr_matrix


@dataclass(frozen=True, slots=True)
class Solution:
    """Credit in each draw; a column per draw.

    Attributes:
        conversions: Shape (channels, draws).
        value: Shape (channels, draws); ``None`` where the paths have no value.
        removal_effect: Relative loss of conversions without the channel, shape (channels, draws); Markov only.
        probability: Modelled probability that a journey converts, shape (draws,); Markov only.
    """

    conversions: Floats
    value: Floats | None
    removal_effect: Floats | None = None
    probability: Floats | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model of given paths, ready for weights.

    Attributes:
        terms: Its sums.
        solve: From the sums, each of shape (features, draws), to credit.
        cells: Numbers that solving needs per draw, beyond the sums.
    """

    terms: tuple[Term, ...]
    solve: Callable[[Sequence[Floats]], Solution]
    cells: int = 1


def estimate(paths: Paths, models: Sequence[Prepared]) -> list[Solution]:
    """Credit by each model, in one column."""
    weights = _observed(paths)
    return [model.solve([term.matrix.T @ weights[term.weight] for term in model.terms]) for model in models]


def bootstrap(paths: Paths, models: Sequence[Prepared], draws: int, seed: int) -> Iterator[list[Solution]]:
    """Joint draws of all models, block by block: in a block, column ``k`` of every model saw the same journeys."""
    widest = max((max(model.cells, *(t.matrix.shape[1] for t in model.terms)) for model in models), default=1)
    block = int(np.clip(CELLS // widest, 1, draws)) if draws else 1
    rows = max(1, CELLS // block // 2)
    for first in range(0, draws, block):
        size = min(block, draws - first)
        sums = [[np.zeros((term.matrix.shape[1], size)) for term in model.terms] for model in models]
        for number, start in enumerate(range(0, len(paths), rows)):
            part = slice(start, min(start + rows, len(paths)))
            weights = _resampled(paths, part, size, np.random.default_rng([seed, first, number]))
            for model, totals in zip(models, sums, strict=True):
                for term, total in zip(model.terms, totals, strict=True):
                    total += term.matrix[part].T @ weights[term.weight]
        yield [model.solve(totals) for model, totals in zip(models, sums, strict=True)]


def no_touch_draws(paths: Paths, draws: int, seed: int) -> tuple[Floats, Floats]:
    """Draws of the conversions that no touch preceded, and of their money; each of shape (draws,)."""
    random = np.random.default_rng([seed, draws])
    count, value, squares = (np.array([x]) for x in paths.no_touch)
    times = poisson(count, draws, random)
    return times[0], money(count, value, None if paths.squares is None else squares, times, random)[0]


def _observed(paths: Paths) -> dict[Weight, Floats]:
    value = np.zeros(len(paths)) if paths.value is None else paths.value
    return {
        "conversions": paths.conversions[:, None],
        "value": value[:, None],
        "journeys": (paths.conversions + paths.nulls)[:, None],
    }


def _resampled(paths: Paths, part: slice, draws: int, random: np.random.Generator) -> dict[Weight, Floats]:
    conversions = poisson(paths.conversions[part], draws, random)
    journeys = conversions + poisson(paths.nulls[part], draws, random)
    if paths.value is None:
        value = np.zeros_like(conversions)
    else:
        squares = None if paths.squares is None else paths.squares[part]
        value = money(paths.conversions[part], paths.value[part], squares, conversions, random)
    return {"conversions": conversions, "value": value, "journeys": journeys}


def poisson(mean: Floats, draws: int, random: np.random.Generator) -> Floats:
    """Poisson draws, shape (len(mean), draws).

    Most paths occur once: Poisson(1) comes from a table over 16 random bits (its probabilities are right to 2e-5 and
    its mean exact), ten times as fast as the general generator.
    """
    found = np.zeros((len(mean), draws))
    once = mean == 1
    found[once] = _ONCE[random.integers(0, 1 << 16, size=(int(once.sum()), draws), dtype=np.uint16)]
    many = (mean > 0) & ~once
    found[many] = random.poisson(mean[many, None], size=(int(many.sum()), draws))
    return found


def money(count: Floats, value: Floats, squares: Floats | None, times: Floats, random: np.random.Generator) -> Floats:
    """Money of ``times`` conversions of a path, shape of ``times``, given what ``count`` of them brought.

    Without sums of squares (aggregated paths) every conversion of a path counts as worth the same.
    """
    mean = np.divide(value, count, out=np.zeros_like(value), where=count > 0)
    total = times * mean[:, None]
    if squares is None:
        return np.asarray(total)
    variance = np.divide(squares, count, out=np.zeros_like(value), where=count > 0) - mean**2
    spread = (variance > 1e-9 * mean**2) & (mean > 0)
    rate = mean[spread] / variance[spread]
    shape = total[spread] * rate[:, None]
    total[spread] = random.standard_gamma(shape) / rate[:, None]
    return np.asarray(total)


def _table() -> NDArray[np.float64]:
    """Poisson(1) over 65,536 equally likely cells, its mean brought to exactly 1."""
    table = stats.poisson.ppf((np.arange(1 << 16) + 0.5) / (1 << 16), 1.0)
    short = round((1 << 16) - float(table.sum()))
    zeros = int(np.searchsorted(table, 1))
    if short > 0:
        table[zeros - short : zeros] = 1
    else:
        table[zeros : zeros - short] = 0
    return np.asarray(table, dtype=np.float64)


_ONCE = _table()
