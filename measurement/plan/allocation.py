"""Allocation: the best split of money over items with uncertain, possibly S-shaped returns, with a proven bound.

Every item's value is known at some levels of spend, for every draw, and linear between them. Choosing a point on each
of these curves is a mixed-integer linear program (lambda formulation: a convex combination of two neighbouring levels;
Beale and Tomlin 1970), which HiGHS solves to proven optimality; where a curve is concave in what is maximised, its
integers are left out. The bound that comes back holds for the curves as given, whatever their shape.

Risk enters by draws: the mean of the worst share of them (Rockafellar and Uryasev 2000), the mean less a number of
standard deviations (by cutting planes: a standard deviation is convex), or the share of draws that reach a goal.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from measurement.errors import DesignError
from measurement.typing import Bools, Floats, Ints

Aim = Literal["mean", "worst", "cautious", "goal"]

GAP = 1e-6
CUTS = 40
SECONDS = 20.0
CONCAVE = 1e-9
TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What each item returns.

    Attributes:
        spend: Levels of spend, increasing, shape (items, levels).
        value: Money that each level returns, shape (draws, items, levels).
    """

    spend: Floats
    value: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Items whose spend together is bounded."""

    members: Bools
    low: float = 0.0
    high: float = np.inf
    name: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an allocation must keep to. Bounds of a single item are the ends of its levels.

    Attributes:
        low: Least total.
        high: Greatest total.
        groups: Bounds on the spend of several items together.
        returns: Least expected value per money of the whole, where one is wanted.
        may_stop: Items that may be switched off altogether though their least level is above 0.
    """

    low: float = 0.0
    high: float = np.inf
    groups: tuple[Group, ...] = ()
    returns: float | None = None
    may_stop: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    """What is made as large as possible of the value less ``cost`` times spend.

    - ``mean``: its expectation over draws;
    - ``worst``: its mean over the worst ``level`` share of draws;
    - ``cautious``: its mean less ``level`` standard deviations;
    - ``goal``: the share of draws in which it reaches ``goal``.

    Attributes:
        aim: One of these.
        cost: Money charged per money spent: 1 for profit, 0 where the budget is given and only its return counts.
        level: As above.
        goal: As above, in money.
    """

    aim: Aim = "mean"
    cost: float = 1.0
    level: float = 0.1
    goal: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """The best allocation found.

    Attributes:
        spend: Spend of each item, shape (items,).
        returns: Value of each item in each draw, shape (draws, items).
        objective: The objective there.
        bound: No allocation within the limits has a larger one.
        weights: Weight of each level, shape (items, levels); 0 throughout for an item that is switched off.
    """

    spend: Floats
    returns: Floats
    objective: float
    bound: float
    weights: Floats = field(repr=False)

    @property
    def gap(self) -> float:
        """Share of the bound that the allocation may still miss, 0 where it is proven best."""
        return max(0.0, self.bound - self.objective) / max(abs(self.bound), 1e-12)


def allocate(curves: Curves, limits: Limits | None = None, objective: Objective | None = None) -> Allocation:
    """Find the best allocation.

    Raises:
        DesignError: Where no allocation keeps to the limits.
    """
    problem = _Problem(curves, limits or Limits(), objective or Objective())
    return problem.cautious() if problem.objective.aim == "cautious" else problem.solve()[0]


class _Problem:
    """The program's columns: level weights, segments of the curves that need them, switches, and the aim's own."""

    def __init__(self, curves: Curves, limits: Limits, objective: Objective) -> None:
        self.curves, self.limits, self.objective = curves, limits, objective
        self.draws, self.items, self.levels = curves.value.shape
        self.net = (curves.value - objective.cost * curves.spend).reshape(self.draws, -1)
        self.mean = self.net.mean(axis=0)
        self.kinked = [i for i in range(self.items) if objective.aim != "mean" or not self._concave(i)]
        self.weights = self.items * self.levels
        self.segments = self.weights + len(self.kinked) * (self.levels - 1)
        self.switches = self.segments + len(limits.may_stop)
        own = {"mean": 0, "worst": 1 + self.draws, "cautious": 1, "goal": self.draws}[objective.aim]
        self.columns = self.switches + own

    def _concave(self, item: int) -> bool:
        net, spend = self.mean.reshape(self.items, self.levels)[item], self.curves.spend[item]
        slopes = np.diff(net) / np.diff(spend)
        plain = self.limits.returns is None or self._concave_value(item)
        return bool(plain and (np.diff(slopes) <= CONCAVE * np.abs(slopes).max()).all())

    def _concave_value(self, item: int) -> bool:
        slopes = np.diff(self.curves.value[:, item].mean(axis=0)) / np.diff(self.curves.spend[item])
        return bool((np.diff(slopes) <= CONCAVE * np.abs(slopes).max()).all())

    def solve(self, cuts: Floats | None = None) -> tuple[Allocation, Floats]:
        """Solve the program; ``cuts`` are lower bounds ``cut @ weights`` on the standard deviation, (cuts, weights)."""
        cost, rows = self._aim(cuts)
        low, high, whole = self._bounds()
        found = milp(
            cost,
            constraints=[*self._limits(), *self._neighbours(), *rows],
            bounds=Bounds(low, high),
            integrality=whole,
            options={"mip_rel_gap": GAP, "time_limit": SECONDS},
        )
        if found.x is None:
            raise DesignError(
                "no allocation keeps to all limits: the totals, the bounds of groups and the returns asked for clash "
                f"({found.message.split('(')[0].strip()})"
            )
        weights = np.clip(found.x[: self.weights], 0.0, 1.0)
        bound = found.mip_dual_bound if found.mip_dual_bound is not None else found.fun
        shaped = weights.reshape(self.items, self.levels)
        return (
            Allocation(
                spend=(shaped * self.curves.spend).sum(axis=1),
                returns=np.einsum("dik,ik->di", self.curves.value, shaped),
                objective=self.worth(weights),
                bound=float(-bound),
                weights=shaped,
            ),
            weights,
        )

    def cautious(self) -> Allocation:
        """Mean less standard deviations: cut where the last solution lies, until the bound meets what was found."""
        centred = self.net - self.mean
        best, weights = self.solve()
        cuts = np.zeros((0, self.weights))
        for _ in range(CUTS):
            if best.gap <= 10 * GAP:
                break
            path = centred @ weights
            spread = float(np.sqrt(np.mean(path**2)))
            cuts = np.vstack([cuts, path @ centred / (self.draws * max(spread, 1e-12))])
            found, weights = self.solve(cuts)
            better = found if found.objective > best.objective else best
            best = replace(better, bound=found.bound)
        return best

    def worth(self, weights: Floats) -> float:
        """The objective of some weights, over the draws themselves."""
        net, aim = self.net @ weights, self.objective
        if aim.aim == "worst":
            count = aim.level * self.draws
            ordered, whole = np.sort(net), int(count)
            part = count - whole
            rest = part * ordered[whole] if part > 0 else 0.0
            return float((ordered[:whole].sum() + rest) / count)
        if aim.aim == "cautious":
            return float(net.mean() - aim.level * net.std())
        if aim.aim == "goal":
            return float(np.mean(net >= aim.goal - TOLERANCE * max(1.0, abs(aim.goal))))
        return float(net.mean())

    def _aim(self, cuts: Floats | None) -> tuple[Floats, list[LinearConstraint]]:
        """Cost of each column (to be minimised), and the rows that define the aim's own columns."""
        cost = np.zeros(self.columns)
        aim, own = self.objective, np.arange(self.switches, self.columns)
        if aim.aim in ("mean", "cautious"):
            cost[: self.weights] = -self.mean
        if aim.aim == "cautious":
            cost[own] = aim.level
            if cuts is None or not len(cuts):
                return cost, []
            rows = self._wide(cuts, -np.ones((len(cuts), 1)))
            return cost, [LinearConstraint(rows, -np.inf, 0.0)]
        if aim.aim == "worst":  # threshold less the mean shortfall below it, over the share
            cost[own[0]], cost[own[1:]] = -1.0, 1.0 / (aim.level * self.draws)
            extra = np.hstack([-np.ones((self.draws, 1)), np.eye(self.draws)])
            return cost, [LinearConstraint(self._wide(self.net, extra), 0.0, np.inf)]
        if aim.aim == "goal":
            least = self.net.reshape(self.draws, self.items, -1).min(axis=2).clip(max=0.0).sum(axis=1)
            cost[own] = -1.0 / self.draws
            room = np.maximum(aim.goal - least, 0.0)
            return cost, [LinearConstraint(self._wide(self.net, -np.diag(room)), aim.goal - room, np.inf)]
        return cost, []

    def _wide(self, weights: Floats, extra: Floats) -> Floats:
        """Rows with coefficients for the level weights and for the aim's own columns."""
        between = np.zeros((len(weights), self.switches - self.weights))
        return np.hstack([weights, between, extra])

    def _bounds(self) -> tuple[Floats, Floats, Ints]:
        low, high, whole = np.zeros(self.columns), np.ones(self.columns), np.zeros(self.columns, dtype=np.int64)
        whole[self.weights : self.switches] = 1
        if self.objective.aim == "goal":
            whole[self.switches :] = 1
        elif self.objective.aim != "mean":
            high[self.switches :] = np.inf
        if self.objective.aim == "worst":
            low[self.switches] = -np.inf
        return low, high, whole

    def _limits(self) -> list[LinearConstraint]:
        """One point on each curve, the totals, the groups and the return asked for."""
        limits, one = self.limits, sparse.lil_array((self.items, self.columns))
        for i in range(self.items):
            one[i, i * self.levels : (i + 1) * self.levels] = 1.0
        for n, i in enumerate(limits.may_stop):
            one[i, self.segments + n] = 1.0  # switched off: no level at all
        rows = [LinearConstraint(one.tocsr(), 1.0, 1.0)]
        everything = Group(np.ones(self.items, dtype=np.bool_), limits.low, limits.high)
        for group in (everything, *limits.groups):
            row = np.zeros(self.columns)
            row[: self.weights] = (self.curves.spend * group.members[:, None]).ravel()
            rows.append(LinearConstraint(row[None], group.low, group.high))
        if limits.returns is not None:
            row = np.zeros(self.columns)
            row[: self.weights] = (self.curves.value.mean(axis=0) - limits.returns * self.curves.spend).ravel()
            rows.append(LinearConstraint(row[None], 0.0, np.inf))
        return rows

    def _neighbours(self) -> list[LinearConstraint]:
        """Only two neighbouring levels of a kinked curve may have weight: those of the one segment that is chosen."""
        if not self.kinked:
            return []
        span = self.levels - 1
        chosen = sparse.lil_array((len(self.kinked), self.columns))
        beside = sparse.lil_array((len(self.kinked) * self.levels, self.columns))
        for n, item in enumerate(self.kinked):
            first = self.weights + n * span
            chosen[n, first : first + span] = 1.0
            if item in self.limits.may_stop:
                chosen[n, self.segments + self.limits.may_stop.index(item)] = 1.0
            for k in range(self.levels):
                row = n * self.levels + k
                beside[row, item * self.levels + k] = 1.0
                for segment in (k - 1, k):
                    if 0 <= segment < span:
                        beside[row, first + segment] = -1.0
        return [LinearConstraint(chosen.tocsr(), 1.0, 1.0), LinearConstraint(beside.tocsr(), -np.inf, 0.0)]


def best_of_each_draw(
    curves: Curves, total: float, cost: float = 1.0, *, spend_all: bool = False, returns: float | None = None
) -> Floats:
    """Each draw's own best spend were its curves the truth, within the total and the return, shape (draws, items).

    By one price per draw: every item takes the level that returns most above the price, and the price is raised until
    the total is kept (Lagrangian relaxation). Between the levels of the last two prices it is divided so that the total
    is met, which is exact for concave curves.

    Args:
        curves: What each item returns.
        total: Money over all items.
        cost: Money charged per money spent.
        spend_all: Whether the total is spent even where the next money does not earn its cost.
        returns: Least value per money of the whole; a draw that cannot reach it comes as near as it can.
    """
    draws = len(curves.value)

    def taken(price: Floats) -> tuple[Floats, Floats]:
        """Spend of each item at a price, and how far the value of all lies above the least return."""
        best = (curves.value - price[:, None, None] * curves.spend).argmax(axis=2)[..., None]
        spend = np.take_along_axis(np.broadcast_to(curves.spend, curves.value.shape), best, 2)[..., 0]
        value = np.take_along_axis(curves.value, best, 2)[..., 0]
        return spend, (value - (0.0 if returns is None else returns) * spend).sum(axis=1)

    def too_low(price: Floats) -> Bools:
        spend, above = taken(price)
        over = spend.sum(axis=1) > total
        # A price above the return asked for only leads away from it.
        return over if returns is None or spend_all else over | ((price < returns) & (above < 0))

    slopes = np.diff(curves.value, axis=2) / np.diff(curves.spend, axis=1)
    steepest = max(float(np.abs(slopes).max()), cost) * 1.01 + 1e-9
    least = np.full(draws, -steepest if spend_all else cost)
    low, high = least.copy(), np.full(draws, steepest)
    for _ in range(60):
        middle = (low + high) / 2
        above = too_low(middle)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    (more, missed), (less, kept) = taken(low), taken(high)
    most, rest = more.sum(axis=1), less.sum(axis=1)
    share = np.where(most > total, (total - rest) / np.maximum(most - rest, 1e-12), 1.0)
    if returns is not None and not spend_all:
        share = np.where(missed < 0, np.minimum(share, kept / np.maximum(kept - missed, 1e-12)), share)
    return np.asarray(less + np.clip(share, 0.0, 1.0)[:, None] * (more - less))
