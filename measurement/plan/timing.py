"""Timing: when to spend one channel's money, with a proven bound on what any other timing could bring.

With carry-over the expected return is a sum of saturations of linear functions of the spends. Where every draw's curve
is concave so is the sum, and the bound is that of Kelley's cutting planes (1960): each cut lies above the whole curve,
and a linear program (HiGHS) finds the best point below all cuts. S-shaped curves get the least concave function
above them (`measurement.plan.carry.Roof`), which is tight where they are concave; the box of spends is then split where
roof and curve are furthest apart, and every part is bounded again (spatial branch and bound; Horst and Tuy 1996). Where
single draws are S-shaped and their mean hardly is, a second roof is lower: the mean itself plus as much of a concave
parabola, 0 at the ends of the box, as makes up for its greatest curvature there (alpha-BB; Androulakis, Maranas and
Floudas 1995). Pauses make it a mixed-integer program with the same cuts. The plan itself comes from a local search
(SLSQP) on the curves.
"""

import heapq
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp, minimize

from measurement.errors import DesignError
from measurement.plan.carry import Carry, Roof
from measurement.typing import Bools, Floats, Ints

GAP = 1e-4
NODES = 9
CUTS = 30
STALLED = 4
WHOLE = 4
ALL = -1
CLIMBS = 6
TIGHT = 0.01
SLACK = 1e-7
SPLIT = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What the spends of a channel's periods must keep to, in money.

    Attributes:
        low: Least spend of each period, shape (periods,).
        high: Most spend, same shape.
        least: Least total.
        most: Most total.
        ramp: Largest change from one period to the next.
        before: Spend of the last period before the plan, from which the first change is counted; ``None`` frees it.
        pause: Periods that may spend nothing though ``low`` is above 0, same shape.
    """

    low: Floats
    high: Floats
    least: float
    most: float
    ramp: float = np.inf
    before: float | None = None
    pause: Bools | None = None

    @property
    def floor(self) -> Floats:
        """The least that each period can spend, pauses taken into account."""
        return self.low if self.pause is None else np.where(self.pause, 0.0, self.low)

    def rows(self) -> tuple[Floats, Floats, Floats]:
        """Linear limits on the spends beside their bounds: matrix (rows, periods), low and high."""
        periods = self.low.size
        rows, low, high = [np.ones((1, periods))], [self.least], [self.most]
        if np.isfinite(self.ramp):
            change = np.eye(periods) - np.eye(periods, k=-1)
            start = 0 if self.before is not None else 1
            centre = np.zeros(periods)
            centre[0] = self.before or 0.0
            rows.append(change[start:])
            low += list((centre - self.ramp)[start:])
            high += list((centre + self.ramp)[start:])
        return np.vstack(rows), np.array(low), np.array(high)

    def keeps(self, spend: Floats, slack: float = 1e-6) -> bool:
        """Whether some spends keep to all of it."""
        room = slack * max(1.0, float(np.abs(self.high[np.isfinite(self.high)]).max(initial=0.0)))
        matrix, low, high = self.rows()
        on = (spend >= self.low - room) | ((np.abs(spend) <= room) & (self.pause if self.pause is not None else False))
        summed = matrix @ spend
        whole = (summed >= low - room) & (summed <= high + room)
        return bool(on.all() and (spend <= self.high + room).all() and whole.all())


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """The best timing found.

    Attributes:
        spend: Money of each period, shape (periods,).
        objective: What it brings in expectation beyond spending nothing, less ``cost`` times its money.
        bound: No timing within the limits brings more.
    """

    spend: Floats
    objective: float
    bound: float

    @property
    def gap(self) -> float:
        """Share of the bound that may still be missing."""
        return max(0.0, self.bound - self.objective) / max(abs(self.bound), 1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """``theta[term] <= level + slope @ spend``, for the sum of all terms where the term is `ALL`.

    They hold for every spend in the box that they were made for, and so in every part of it.
    """

    slope: Floats
    level: Floats
    term: Ints

    def near(self, spend: Floats) -> "_Cuts":
        """Those that bound something at a point: the others are worth no row in the programs of its parts."""
        height = self.level + self.slope @ spend
        least = np.array([height[self.term == term].min() for term in self.term])
        kept = height <= least + TIGHT
        return _Cuts(self.slope[kept], self.level[kept], self.term[kept])

    def with_more(self, other: "_Cuts") -> "_Cuts":
        return _Cuts(
            np.concatenate([self.slope, other.slope]),
            np.concatenate([self.level, other.level]),
            np.concatenate([self.term, other.term]),
        )


def best_timing(
    carry: Carry, window: Window, *, cost: float = 0.0, starts: tuple[Floats, ...] = (), nodes: int = NODES
) -> Timed:
    """Find the best timing and a bound.

    Args:
        carry: The channel's response.
        window: The limits.
        cost: Money charged per money spent: 0 where the total is given.
        starts: Spends to begin the local search from, those that keep to the limits.
        nodes: How many boxes are bounded at most before it stops with what it has.

    Raises:
        DesignError: Where no timing keeps to all limits.
    """
    return _Search(carry, window, cost).run(starts, nodes)


class _Search:
    """Branch and bound over boxes of spends; money in units of the mean period, values in units of a rough return."""

    def __init__(self, carry: Carry, window: Window, cost: float) -> None:
        self.unit = max(min(window.most, float(window.high.sum())) / carry.periods, 1e-9)
        self.worth = max(carry.expected(np.full(carry.periods, self.unit))[0], 1e-12)
        self.carry, self.cost = replace(carry, per_money=carry.per_money * self.unit), cost * self.unit / self.worth
        self.carry = replace(self.carry, height=carry.height / self.worth)
        self.window = replace(
            window,
            low=window.low / self.unit,
            high=window.high / self.unit,
            least=window.least / self.unit,
            most=window.most / self.unit,
            ramp=window.ramp / self.unit,
            before=None if window.before is None else window.before / self.unit,
        )
        self.best: Floats | None = None
        self.objective = -np.inf

    def run(self, starts: tuple[Floats, ...], nodes: int) -> Timed:
        low, high = self.window.floor, self.window.high
        root = self._bounded(low, high, None)
        if root is None:
            raise DesignError("no plan keeps to all limits of the periods")
        order = count()
        open_boxes = [(-root.bound, next(order), root)]
        given = [start / self.unit for start in starts]
        self._improve(root.spend)
        tried = [spend for spend in (*given, *self._corners()) if self.window.keeps(spend)]
        for spend in sorted(tried, key=lambda s: -self._net(s)[0])[:CLIMBS]:
            self._improve(spend)
        closed, seen = -np.inf, 1
        while open_boxes and seen < nodes and -open_boxes[0][0] > self._target:
            _, _, box = heapq.heappop(open_boxes)
            parts = box.parts(self.carry.weights.shape[1])
            if not parts:
                closed = max(closed, box.bound)
            for part_low, part_high in parts:
                seen += 1
                part = self._bounded(part_low, part_high, box.cuts)
                if part is None:
                    continue
                self._improve(part.spend)
                if part.bound > self._target:
                    heapq.heappush(open_boxes, (-min(part.bound, box.bound), next(order), part))
                else:
                    closed = max(closed, min(part.bound, box.bound))
        bound = max([self.objective, closed, *(-entry[0] for entry in open_boxes)])
        assert self.best is not None  # noqa: S101 - the root's own spend keeps to the limits
        return Timed(self.best * self.unit, self.objective * self.worth, bound * self.worth)

    @property
    def _target(self) -> float:
        return self.objective + GAP * abs(self.objective)

    def _net(self, spend: Floats) -> tuple[float, Floats]:
        value, slope = self.carry.expected(spend)
        return value - self.cost * float(spend.sum()), slope - self.cost

    def _corners(self) -> list[Floats]:
        """Plans at the limits: as much as can be around each period or in every second, third or fourth one.

        And the whole money evenly over some of the periods, as far apart as they can be.
        """
        at = np.arange(self.carry.periods)
        total = min(self.window.most, float(self.window.high.sum()))
        spread = []
        for many in at[1:]:
            on = np.zeros(at.size)
            on[np.arange(many) * at.size // many] = total / many
            spread.append(on)
        wanted = [np.exp(-0.5 * np.abs(at - t)) for t in at] + [(at % k == 0) * 1.0 for k in (2, 3, 4)]
        matrix, low, high = self.window.rows()
        found = [
            linprog(
                -want,
                A_ub=np.vstack([matrix, -matrix]),
                b_ub=np.concatenate([high, -low]),
                bounds=list(zip(self.window.floor.tolist(), self.window.high.tolist(), strict=True)),
            )
            for want in wanted
        ]
        return [*spread, *(solved.x for solved in found if solved.x is not None)]

    def _improve(self, spend: Floats) -> None:
        """Climb from a point that keeps to the limits, with its pauses as they are."""
        floor = np.where(spend > SLACK, self.window.low, self.window.floor)
        roof = np.where((spend > SLACK) | (floor == self.window.low), self.window.high, 0.0)
        matrix, low, high = self.window.rows()
        same = low == high

        def down(s: Floats) -> tuple[float, Floats]:
            value, slope = self._net(np.maximum(s, 0.0))
            return -value, -slope

        found = minimize(
            down,
            spend,
            jac=True,
            method="SLSQP",
            bounds=Bounds(floor, np.maximum(roof, floor)),
            constraints=[LinearConstraint(matrix[k], low[k], high[k]) for k in (same, ~same) if k.any()],
            options={"maxiter": 200, "ftol": 1e-9},
        )
        for candidate in (spend, np.clip(found.x, floor, roof)):
            value = self._net(candidate)[0]
            if value > self.objective and self.window.keeps(candidate):
                self.best, self.objective = candidate, value

    def _bounded(self, low: Floats, high: Floats, known: _Cuts | None) -> "_Box | None":
        """Kelley's cutting planes on the roofs of a box; ``None`` where no spend of it keeps to the limits.

        Pauses are free fractions at first; only the last cuts are made at whole ones.
        """
        roof, alpha = Roof.over(self.carry, low, high), self._alpha(low, high)
        spend, bound, cuts, whole = 0.5 * (low + high), np.inf, known, 0
        bounds: list[float] = []
        for _ in range(CUTS):
            more, reached, _ = self._cuts_at(roof, alpha, spend)
            stalled = len(bounds) > STALLED and bounds[-STALLED - 1] - bound <= GAP * abs(bound)
            if np.isfinite(bound) and (stalled or bound - reached <= 0.1 * GAP * abs(bound)):
                if self.window.pause is None or whole:
                    break
                whole = 1
            cuts = more if cuts is None else cuts.with_more(more)
            solved = self._master(cuts, low, high, whole=whole > 0)
            if solved is None:
                return None
            spend, bound = solved
            bounds.append(bound)
            whole += whole > 0
            if bound <= self._target or whole > WHOLE:
                break
        excess = self._cuts_at(roof, alpha, spend)[2]
        assert cuts is not None  # noqa: S101 - the loop has run at least once
        return _Box(low, high, spend, bound, excess, cuts.near(spend))

    def _cuts_at(self, roof: Roof, alpha: float, spend: Floats) -> tuple[_Cuts, float, Floats]:
        """Cuts at a point, the lower roof's height there less the cost, and how far each term's roof is from it."""
        value, slope, below = roof.at(spend)
        cuts = _Cuts(slope, value - slope @ spend, np.arange(len(value)))
        reached = float(value.sum())
        if np.isfinite(alpha):
            mean, rise = self.carry.expected(spend)
            mean += alpha * float(((spend - roof.low_spend) * (roof.high_spend - spend)).sum())
            rise = rise + alpha * (roof.low_spend + roof.high_spend - 2.0 * spend)
            cuts = cuts.with_more(_Cuts(rise[None], np.array([mean - rise @ spend]), np.array([ALL])))
            reached = min(reached, mean)
        return cuts, reached - self.cost * float(spend.sum()), value - below

    def _alpha(self, low: Floats, high: Floats) -> float:
        """How much of the parabola makes the mean concave in a box; infinite where that is not bounded."""
        if self.carry.s_shaped() == 0.0:
            return np.inf  # the first roof is the curve itself
        bend = self.carry.bend(low, high)
        if not np.isfinite(bend).all():
            return np.inf
        if self.window.least == self.window.most:  # plans differ in directions that keep the total only
            kept = np.linalg.qr(np.column_stack([np.ones(len(bend)), np.eye(len(bend))[:, 1:]]))[0][:, 1:]
            bend = kept.T @ bend @ kept
        return max(0.0, float(np.linalg.eigvalsh(bend).max(initial=0.0))) / 2.0

    def _master(self, cuts: _Cuts, low: Floats, high: Floats, *, whole: bool) -> tuple[Floats, float] | None:
        """The best spends below all cuts, and the bound; pauses as whole switches, or as free fractions."""
        periods, terms = self.carry.periods, self.carry.terms
        pause = self.window.pause
        switches = 0 if pause is None else periods
        columns = periods + switches + terms
        cost = np.concatenate([np.full(periods, self.cost), np.zeros(switches), -np.ones(terms)])
        theta = (cuts.term[:, None] == np.arange(terms)) | (cuts.term[:, None] == ALL)
        below = np.hstack([-cuts.slope, np.zeros((len(cuts.level), switches)), theta.astype(np.float64)])
        matrix, least, most = self.window.rows()
        rows = [
            LinearConstraint(below, -np.inf, cuts.level),
            LinearConstraint(np.hstack([matrix, np.zeros((len(matrix), columns - periods))]), least, most),
        ]
        if pause is not None:  # a period is on, between low and high, or off
            on, off = np.hstack([np.eye(periods)] * 2 + [np.zeros((periods, terms))]), np.zeros((periods, columns))
            on[:, periods : 2 * periods] = -np.diag(np.maximum(self.window.low, low))
            off[:, :periods], off[:, periods : 2 * periods] = np.eye(periods), -np.diag(high)
            rows += [LinearConstraint(on, 0.0, np.inf), LinearConstraint(off, -np.inf, 0.0)]
        least_on = np.zeros(switches) if pause is None else np.where(pause, 0.0, 1.0)
        found = milp(
            cost,
            constraints=rows,
            bounds=Bounds(
                np.concatenate([low, least_on, np.full(terms, -np.inf)]),
                np.concatenate([high, np.ones(switches), np.full(terms, np.inf)]),
            ),
            integrality=np.concatenate([np.zeros(periods), np.full(switches, float(whole)), np.zeros(terms)]),
            options={"mip_rel_gap": 0.1 * GAP},
        )
        if found.x is None:
            return None
        dual = found.mip_dual_bound if found.mip_dual_bound is not None else found.fun
        return np.clip(found.x[:periods], low, high), -float(min(dual, found.fun))


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """A box of spends that was bounded."""

    low: Floats
    high: Floats
    spend: Floats
    bound: float
    excess: Floats
    cuts: _Cuts

    def parts(self, lags: int) -> tuple[tuple[Floats, Floats], ...]:
        """Two halves, cut in the period whose width lets roof and curve be furthest apart; none of a point."""
        reached = np.array([self.excess[t : t + lags].sum() for t in range(self.low.size)])
        width = self.high - self.low
        t = int(np.argmax(np.maximum(reached, 0.0) * width))
        if width[t] <= 1e-9:
            return ()
        at = float(np.clip(self.spend[t], self.low[t] + SPLIT * width[t], self.high[t] - SPLIT * width[t]))
        below, above = self.high.copy(), self.low.copy()
        below[t], above[t] = at, at
        return (self.low, below), (above, self.high)
