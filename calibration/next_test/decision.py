"""Decision: the split of a budget that a test may change, and its optimum for very many beliefs at once.

A belief enters the decision through the mean of each channel's curve alone. `Decision.best` optimises thousands of
such means together: segments of all curves are bought in the order of what they return, which is exact where the
curves are concave (the linear program of `measurement.plan.allocation` without its integers). Where one is not, its
least concave majorant takes its place: the plan is evaluated on the curve itself, and the majorant bounds what is
missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from measurement.errors import refuse
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.allocation import Limits
from measurement.plan.horizon import Horizon
from measurement.plan.items import Bound, Held, Items
from measurement.typing import Bools, Floats

COARSE, LEVELS = 11, 41
"""Levels at which the model is run, and levels that a cubic spline through them serves."""
COST = 1.0
"""Money charged per money spent: what is made as large as possible is profit, as in `theodolite budget`."""
FLAT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best plan of each row of mean curves.

    Attributes:
        spend: Money per item, shape (rows, items).
        worth: Profit of the plan on the curves themselves, shape (rows,).
        bound: No plan within the limits earns more, shape (rows,).
    """

    spend: Floats
    worth: Floats
    bound: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is decided: how much each channel spends over a horizon.

    Attributes:
        channels: The channels, one item each.
        usual: Money of business as usual, shape (items,).
        spend: Levels of spend, increasing, shape (items, levels).
        value: Profit before spend at these levels in each draw, shape (draws, items, levels).
        total: Money to spend, or that may be spent.
        spend_all: Whether the total must be spent.
        plan: Business as usual over the horizon; ``None`` where the curves were given.
    """

    channels: tuple[str, ...]
    usual: Floats
    spend: Floats
    value: Floats
    total: float
    spend_all: bool = True
    plan: Horizon | None = None

    @property
    def mean(self) -> Floats:
        """The mean curves, shape (items, levels)."""
        return np.asarray(self.value.mean(axis=0))

    def only(self, draws: Bools) -> "Decision":
        """The decision under some of the draws, shape (draws,)."""
        return replace(self, value=self.value[draws])

    def best(self, means: Floats) -> Best:
        """The best plan for each row of mean curves, shape (rows, items, levels)."""
        rows, items, _ = means.shape
        width = np.diff(self.spend, axis=1)
        slope = concave_slopes(self.spend, means).reshape(rows, -1)
        order = np.argsort(-slope, axis=1, kind="stable")
        widths = np.broadcast_to(width.ravel(), slope.shape)
        bought = np.take_along_axis(widths, order, axis=1)
        room = max(self.total - float(self.spend[:, 0].sum()), 0.0)
        bought = np.clip(room - (np.cumsum(bought, axis=1) - bought), 0.0, bought)
        if not self.spend_all:
            bought = np.where(np.take_along_axis(slope, order, axis=1) > COST, bought, 0.0)
        taken = np.empty_like(bought)
        np.put_along_axis(taken, order, bought, axis=1)
        spend = self.spend[:, 0] + taken.reshape(rows, items, -1).sum(axis=2)
        bound = means[:, :, 0].sum(axis=1) + (taken * slope).sum(axis=1) - COST * spend.sum(axis=1)
        return Best(spend, self.worth(means, spend), bound)

    def worth(self, means: Floats, spend: Floats) -> Floats:
        """Profit of plans on mean curves, shape (rows,).

        Args:
            means: Shape (rows, items, levels).
            spend: Money, shape (rows, items) or (items,).
        """
        plans = np.broadcast_to(spend, means.shape[:2])
        total = -COST * plans.sum(axis=1)
        for i, levels in enumerate(self.spend):
            at = np.clip(np.searchsorted(levels, plans[:, i], side="right") - 1, 0, levels.size - 2)
            share = (plans[:, i] - levels[at]) / (levels[at + 1] - levels[at])
            rows = np.arange(len(means))
            total = total + means[rows, i, at] * (1 - share) + means[rows, i, at + 1] * share
        return np.asarray(total)

    def gains(self, means: Floats, now: Floats) -> tuple[Floats, Floats]:
        """What deciding anew earns above a standing plan, and the new plans: shapes (rows,) and (rows, items).

        Args:
            means: Mean curves under each belief, shape (rows, items, levels).
            now: The standing plan, shape (items,). A row whose best plan is no better keeps it, and gains nothing.
        """
        found = self.best(means)
        gain = found.worth - self.worth(means, now)
        scale = FLAT * np.maximum(np.abs(found.worth), 1.0)
        keeps = gain <= scale
        return np.where(keeps, 0.0, gain), np.where(keeps[:, None], now, found.spend)


def decision_of(
    post: Posterior,
    panel: Panel,
    plan: Horizon,
    *,
    margin: float,
    total: float | None = None,
    spend_all: bool = True,
    bounds: Mapping[Held, Bound] | None = None,
    otherwise: Bound | None = None,
) -> Decision:
    """The budget decision of a fit; arguments as for `measurement.plan.budget.budget`.

    Raises:
        DataError: Where the bounds leave a channel nothing, or cannot hold the total.
    """
    items = Items.of(panel, plan, bounds or {}, otherwise or Bound(), by_geo=False)
    money = float(plan.spend.sum()) if total is None else total
    refuse(items.cannot_spend(Limits(low=money if spend_all else 0.0, high=money), panel))
    coarse, fine = np.linspace(0.0, 1.0, COARSE), np.linspace(0.0, 1.0, LEVELS)
    value = items.curves(post, panel, np.tile(coarse, (len(items.low), 1)), margin).value
    return Decision(
        channels=tuple(panel.channels[c] for c in items.channel),
        usual=items.usual,
        spend=items.spend_at(np.tile(fine, (len(items.low), 1))),
        value=np.asarray(value @ _spline(coarse, fine).T),
        total=money,
        spend_all=spend_all,
        plan=plan,
    )


def _spline(knots: Floats, at: Floats) -> Floats:
    """The matrix that takes values at knots to the cubic spline through them, shape (points, knots)."""
    from scipy.interpolate import CubicSpline

    return np.asarray(CubicSpline(knots, np.eye(knots.size))(at))


def concave_slopes(spend: Floats, value: Floats) -> Floats:
    """Slopes of the least concave majorant of each curve, segment by segment, shape (rows, items, levels - 1).

    Args:
        spend: Levels, shape (items, levels).
        value: Values there, shape (rows, items, levels).
    """
    slopes = np.asarray(np.diff(value, axis=2) / np.diff(spend, axis=1))
    bent = (np.diff(slopes, axis=2) > FLAT * np.abs(slopes).max(axis=2, keepdims=True)).any(axis=2)
    row, item = np.nonzero(bent)
    if row.size:
        slopes[row, item] = _majorant(spend[item], value[row, item])
    return slopes


def _majorant(x: Floats, y: Floats) -> Floats:
    """From each knot on to the one that is seen steepest upwards; shapes (curves, levels), (curves, levels - 1)."""
    curves, levels = x.shape
    slopes, here = np.zeros((curves, levels - 1)), np.zeros(curves, dtype=np.int64)
    segment, every = np.arange(levels - 1), np.arange(curves)
    while (here < levels - 1).any():
        at = np.minimum(here, levels - 2)
        run = x - x[every, at, None]
        ahead = np.arange(levels) > at[:, None]
        steep = np.where(ahead, (y - y[every, at, None]) / np.where(ahead, run, 1.0), -np.inf)
        far = levels - 1 - steep[:, ::-1].argmax(axis=1)  # of several equally steep the farthest
        inside = (segment >= here[:, None]) & (segment < far[:, None])
        slopes = np.where(inside, steep[every, far][:, None], slopes)
        here = np.where(here < levels - 1, far, here)
    return slopes
