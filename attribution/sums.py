"""What all models share: each is a function of sums over journeys, so one resampling of users serves them all.

A model names its sums as sparse matrices (paths × features), each with the weight that multiplies the rows, and turns
the sums into credit. Sums over all journeys give the estimate. For intervals, users are dealt into groups by a hash of
their id (`attribution.users`); the sums are made once per group, and a draw adds up as many groups, taken at random
with replacement: a bootstrap of users (Field & Welsh 2007, clusters resampled whole), of which the Poisson bootstrap by
user (Chamandy et al. 2012) is the limit of many groups. All models see the same draws. Aggregated paths know no users:
their journeys are dealt into groups one by one, at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attribution.path_table import Paths
from attribution.users import GROUPS
from measurement.errors import Problem
from measurement.typing import Floats, Json

type Matrix = sparse.csr_matrix | Floats
type Weight = Literal["conversions", "value", "journeys"]

CELLS = 4_000_000
"""Most cells of one block of draws: about 32 MB."""


@dataclass(frozen=True, slots=True)
class Term:
    """One family of sums over paths: ``matrix.T @ weight``.

    Attributes:
        weight: What the rows are multiplied by: conversions, their money, or all journeys (conversions and nulls).
        matrix: Shape (paths, features).
    """

    weight: Weight
    matrix: sparse.csr_matrix


@dataclass(frozen=True, slots=True)
class Grouped:
    """Sums that are known by group already.

    Attributes:
        matrix: Shape (features, groups).
    """

    matrix: sparse.csr_matrix


@dataclass(frozen=True, slots=True)
class Solution:
    """Credit in each draw; a column per draw.

    Attributes:
        conversions: Shape (channels, draws).
        value: Shape (channels, draws); ``None`` where the paths have no value.
        removal_effect: Relative loss of conversions without the channel, shape (channels, draws); Markov only.
        probability: Modelled probability that a journey converts, shape (draws,); Markov only.
        baseline: Conversions on paths (and their money, where there is any) that the model puts down to no touch, shape
            (1 or 2, draws); ``None`` where it knows no such thing.
    """

    conversions: Floats
    value: Floats | None
    removal_effect: Floats | None = None
    probability: Floats | None = None
    baseline: Floats | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model of given paths, ready for sums.

    Attributes:
        terms: Its sums.
        solve: From the sums, each of shape (features, draws), to credit.
        cells: Numbers that solving needs per draw, beyond the sums.
        draws: From the sums by group (features × groups) and how often each draw takes each group (groups × draws) to
            credit, where that is quicker than solving every draw.
        open_: What the sums leave open and users drawn anew do not show: from a generator and a number of draws to one
            more array of shape (features, draws), which ``solve`` gets last in draws.
        about: What else is known about the fit, as plain JSON values.
        findings: What the reader should be told.
    """

    terms: tuple[Term | Grouped, ...]
    solve: Callable[[Sequence[Floats]], Solution]
    cells: int = 1
    draws: Callable[[Sequence[Matrix], Floats], Solution] | None = None
    open_: Callable[[np.random.Generator, int], Floats] | None = None
    about: Json = field(default_factory=dict)
    findings: tuple[Problem, ...] = ()


def estimate(paths: Paths, model: Prepared) -> Solution:
    """Credit, in one column."""
    value = np.zeros(len(paths)) if paths.value is None else paths.value
    weights = {"conversions": paths.conversions, "value": value, "journeys": paths.conversions + paths.nulls}
    sums = [
        np.asarray(term.matrix.T @ weights[term.weight] if isinstance(term, Term) else term.matrix.sum(axis=1))
        for term in model.terms
    ]
    return model.solve([total.reshape(-1, 1) for total in sums])


@dataclass(frozen=True)
class Resampling:
    """Journeys by group of users, and how often each draw takes each group.

    Attributes:
        weights: Conversions, their money and all journeys by path and group, each of shape (paths, groups).
        no_touch: Conversions that no touch preceded and their money by group, shape (2, groups).
        times: How often each group is in each draw, shape (groups, draws).
        seed: What else is drawn follows from it.
    """

    weights: dict[Weight, sparse.csr_matrix]
    no_touch: Floats
    times: Floats
    seed: int

    @classmethod
    def of(cls, paths: Paths, draws: int, seed: int) -> "Resampling":
        """Deal the users of some paths, and draw the groups."""
        random = np.random.default_rng([seed, draws])
        times = random.multinomial(GROUPS, np.full(GROUPS, 1 / GROUPS), size=draws).T.astype(np.float64)
        users = paths.users
        if not draws:
            return cls({}, np.zeros((2, GROUPS)), np.ascontiguousarray(times), seed)
        if users is None:
            return _dealt(paths, np.ascontiguousarray(times), random, seed)
        sales = users.sale_path, users.sale_group
        shape = (len(paths), GROUPS)
        conversions = _matrix(users.sale_conversions, *sales, shape)
        nulls = _matrix(np.ones(len(users.null_path)), users.null_path, users.null_group, shape)
        weights: dict[Weight, sparse.csr_matrix] = {
            "conversions": conversions,
            "value": _matrix(users.sale_value, *sales, shape),
            "journeys": sparse.csr_matrix(conversions + nulls),
        }
        return cls(weights, users.no_touch, np.ascontiguousarray(times), seed)

    def solutions(self, model: Prepared) -> list[Solution]:
        """Credit by a model in every draw, block by block."""
        if not self.times.shape[1]:
            return []
        by_group = [self._by_group(term) for term in model.terms]
        if model.draws is not None:
            return [model.draws(by_group, self.times)]
        widest = max(model.cells, *(matrix.shape[0] for matrix in by_group))
        draws = self.times.shape[1]
        block = int(np.clip(CELLS // widest, 1, draws))
        random = np.random.default_rng([self.seed, draws, 1])
        found = []
        for first in range(0, draws, block):
            times = self.times[:, first : first + block]
            more = [] if model.open_ is None else [model.open_(random, times.shape[1])]
            found.append(model.solve([*(matrix @ times for matrix in by_group), *more]))
        return found

    @cached_property
    def no_touch_draws(self) -> Floats:
        """Conversions that no touch preceded and their money, shape (2, draws)."""
        return self.no_touch @ self.times

    def _by_group(self, term: Term | Grouped) -> Matrix:
        if isinstance(term, Grouped):
            matrix = term.matrix
        else:
            matrix = sparse.csr_matrix((self.weights[term.weight].T @ term.matrix).T)
        dense = matrix.nnz > 0.1 * matrix.shape[0] * matrix.shape[1]
        return np.asarray(matrix.toarray()) if dense else matrix


def _dealt(paths: Paths, times: Floats, random: np.random.Generator, seed: int) -> Resampling:
    """The journeys of aggregated paths, dealt one by one; the conversions of a path are worth the same each."""
    conversions = _deal(paths.conversions, random)
    worth = np.zeros(len(paths)) if paths.value is None else paths.value
    each = np.divide(worth, paths.conversions, out=np.zeros(len(paths)), where=paths.conversions > 0)
    lone, money = paths.no_touch
    alone = _deal(np.array([lone]), random).toarray()[0]
    weights: dict[Weight, sparse.csr_matrix] = {
        "conversions": conversions,
        "value": sparse.csr_matrix(sparse.diags_array(each) @ conversions),
        "journeys": sparse.csr_matrix(conversions + _deal(paths.nulls, random)),
    }
    return Resampling(weights, np.stack([alone, alone * (money / lone if lone else 0.0)]), times, seed)


def _deal(counts: Floats, random: np.random.Generator) -> sparse.csr_matrix:
    """Counts dealt into groups, shape (len(counts), groups); what is left of a broken number goes to one group."""
    whole = np.floor(counts).astype(np.int64)
    many = np.flatnonzero(whole > GROUPS)
    few = np.where(whole > GROUPS, 0, whole)
    rest = np.flatnonzero(counts > whole)
    row = np.concatenate([np.repeat(np.arange(len(counts)), few), rest, np.repeat(many, GROUPS)])
    scattered = random.integers(0, GROUPS, int(few.sum()) + len(rest))
    group = np.concatenate([scattered, np.tile(np.arange(GROUPS), len(many))])
    heavy = random.multinomial(whole[many], np.full(GROUPS, 1 / GROUPS)).ravel().astype(np.float64)
    number = np.concatenate([np.ones(int(few.sum())), (counts - whole)[rest], heavy])
    return _matrix(number, row, group, (len(counts), GROUPS))


def _matrix(data: Floats, row: NDArray[Any], column: NDArray[Any], shape: tuple[int, int]) -> sparse.csr_matrix:
    return sparse.csr_matrix(sparse.coo_matrix((data, (row, column)), shape=shape))
