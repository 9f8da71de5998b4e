"""Budget: how to split money over channels (or channels and geos) in the coming periods, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from measurement.errors import refuse
from measurement.estimate import Estimate
from measurement.mmm import Posterior, observed_range
from measurement.panel import Panel
from measurement.plan.allocation import Allocation, Curves, Limits, Objective, best_of_each_draw
from measurement.plan.demands import allocated, problems_of, target_problems
from measurement.plan.horizon import Horizon, business_as_usual
from measurement.plan.items import Bound, GroupBound, Held, Items
from measurement.provenance import Provenance, versions
from measurement.typing import Floats, Json

if TYPE_CHECKING:
    import pandas as pd

MOST_DRAWS = 400
LEVELS, FINE = 25, 17
STEP = 0.01
SAME = 0.005


@dataclass(frozen=True, slots=True)
class Move:
    """What is advised for one channel (or one channel in one geo).

    Attributes:
        channel: The channel.
        geo: The geo, where geos are planned apart.
        current: Business as usual, money over the horizon.
        advised: Advised money.
        value: Change of incremental revenue by the move, money.
        mroas_current: Extra revenue of the next money at business as usual.
        mroas_advised: The same at the advised spend.
        own_best: What each draw's own best plan would spend, money; its interval says how firm the advice is.
        sign_holds: Share of these that move it the same way; ``None`` where it stays.
        extrapolates: Whether the advised spend lies outside what was ever spent in a period.
        held: Why no advice is given and it stays as it is; ``None`` otherwise.
    """

    channel: str
    geo: str | None
    current: float
    advised: float
    value: Estimate
    mroas_current: Estimate
    mroas_advised: Estimate
    own_best: Estimate
    sign_holds: float | None
    extrapolates: bool
    held: str | None = None

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "channel": self.channel,
            **({} if self.geo is None else {"geo": self.geo}),
            "current": self.current,
            "advised": self.advised,
            "value": self.value.to_dict(),
            "mroas_current": self.mroas_current.to_dict(),
            "mroas_advised": self.mroas_advised.to_dict(),
            "own_best": self.own_best.to_dict(),
            "sign_holds": self.sign_holds,
            "extrapolates": self.extrapolates,
            "held": self.held,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """A return up to which money is spent, instead of a given total.

    Attributes:
        of: ``mroas``, that of the next money of every channel, or ``iroas``, that of the whole plan.
        least: Incremental revenue per money that is to be kept in expectation.
        most: Money that may be spent at most: the total asked for, or what the bounds of the channels add up to.
    """

    of: Literal["mroas", "iroas"]
    least: float
    most: float


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """The advised plan beside business as usual.

    Attributes:
        moves: One per channel, or per channel and geo.
        horizon: Business as usual.
        total: Advised money over all.
        margin: Share of revenue that counts as profit before spend.
        currency: Of all money.
        converged: Whether the fit behind it may be used.
        revenue: Incremental revenue of the advised plan, money.
        revenue_change: The same minus that of business as usual.
        profit_change: Change of revenue × margin - spend.
        better: Probability that profit rises.
        objective: What was maximised, at the advised plan.
        bound: No plan within the limits has a larger one (on the curves as interpolated between levels).
        gap: Share of the bound that may still be missing.
        provenance: Data, settings, seed and versions.
        target: The return up to which money was spent; ``None`` where the total was given.
    """

    moves: tuple[Move, ...]
    horizon: Horizon
    total: float
    margin: float
    currency: str
    converged: bool
    revenue: Estimate
    revenue_change: Estimate
    profit_change: Estimate
    better: float
    objective: float
    bound: float
    gap: float
    provenance: Provenance
    target: Target | None = None

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite budget --json`` prints."""
        days = self.horizon.dates.astype("datetime64[D]").astype(str)
        return {
            "from": str(days[0]),
            "periods": len(days),
            "business_as_usual": self.horizon.like,
            "current_total": float(self.horizon.spend.sum()),
            "total": self.total,
            "target": None if self.target is None else asdict(self.target),
            "margin": self.margin,
            "currency": self.currency,
            "converged": self.converged,
            "channels": [move.to_dict() for move in self.moves],
            "revenue": self.revenue.to_dict(),
            "revenue_change": self.revenue_change.to_dict(),
            "profit_change": self.profit_change.to_dict(),
            "probability_better": self.better,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "versions": dict(self.provenance.versions),
            "data": self.provenance.data,
        }

    def to_frame(self) -> "pd.DataFrame":
        """One row per move: ``channel, geo, current, advised`` and ``low, median, high`` of three quantities.

        They are ``own_...`` (each draw's own best spend), ``value_...`` (change of revenue) and ``next_...`` (return of
        the next money).
        """
        import pandas as pd

        rows = []
        for move in self.moves:
            row: dict[str, Any] = {"channel": move.channel, "geo": move.geo or ""}
            row |= {"current": move.current, "advised": move.advised}
            for name, found in (("own", move.own_best), ("value", move.value), ("next", move.mroas_advised)):
                row |= {f"{name}_{end}": number for end, number in found.to_dict().items()}
            rows.append(row | {"extrapolates": move.extrapolates})
        return pd.DataFrame(rows)

    def chart(self) -> Any:
        """Now and advised per channel with what moving brings (an Altair chart)."""
        from measurement.plan.charts import budget_moves

        return budget_moves(self.to_frame(), self.currency)


def budget(
    post: Posterior,
    panel: Panel,
    *,
    total: float | None = None,
    spend_all: bool = True,
    horizon: Horizon | None = None,
    periods: int | None = None,
    margin: float = 1.0,
    objective: Objective | None = None,
    bounds: Mapping[Held, Bound] | None = None,
    otherwise: Bound | None = None,
    groups: Sequence[GroupBound] = (),
    iroas: float | None = None,
    target_mroas: float | None = None,
    target_iroas: float | None = None,
    by_geo: bool = False,
    held: Mapping[str, str] | None = None,
    draws: int = MOST_DRAWS,
) -> Budget:
    """Find the best split of a budget, or with a target how much to spend.

    Args:
        post: The fit.
        panel: The data.
        total: Money over the horizon; that of business as usual where not given.
        spend_all: Whether the total is to be spent; otherwise it is the most that may be spent.
        horizon: Business as usual in the periods planned; made for ``periods`` where not given.
        periods: Number of periods; a quarter by default.
        margin: Share of revenue that is left after costs.
        objective: What is maximised; expected profit by default.
        bounds: Bounds per channel or (channel, geo). By geo, a channel's multiples hold in each, its money over all.
        otherwise: Bounds of all other channels: half to one and a half times business as usual by default.
        groups: Bounds on channels, or by geo on geos, together.
        iroas: Least expected incremental revenue per money of the whole plan, where one is wanted.
        target_mroas: Spend as long as the next money of a channel brings this much incremental revenue or more in
            expectation; ``total``, where given, is the most that may be spent.
        target_iroas: Spend for as much revenue as possible while the whole plan brings this much per money.
        by_geo: Whether each geo's spend may move on its own.
        held: Channels that no advice may be given on, with the reason: they stay as they are unless ``bounds`` says
            otherwise.
        draws: Draws used at most.

    Raises:
        DataError: For unknown channels and numbers that are not allowed.
        DesignError: Where no plan keeps to all limits.
    """
    plan = horizon or business_as_usual(panel, periods or quarter(panel))
    aim = objective or Objective()
    problems = problems_of(panel, total, margin, bounds or {}, groups, iroas, aim, by_geo)
    refuse(problems + target_problems(target_mroas, target_iroas, iroas, aim))
    waiting = {name: why for name, why in (held or {}).items() if name not in (bounds or {})}
    own: dict[Held, Bound] = {name: Bound(low=1.0, high=1.0) for name in waiting}
    own |= bounds or {}
    few = post.thinned(draws)
    items = Items.of(panel, plan, own, otherwise or Bound(), by_geo)
    most = float(items.high.sum()) if total is None else total
    target = _target(target_mroas, target_iroas, most)
    iroas = iroas if target_iroas is None else target_iroas
    if target is not None:
        aim = replace(aim, cost=margin * target.least if target.of == "mroas" else 0.0)
    money = float(plan.spend.sum()) if total is None and target is None else most
    limits = Limits(
        low=money if spend_all and target is None else 0.0,
        high=money,
        groups=items.groups(panel, groups, own, otherwise or Bound()),
        returns=None if iroas is None else iroas * margin,
        may_stop=tuple(np.flatnonzero(items.may_stop).tolist()),
    )
    refuse(items.cannot_spend(limits, panel))
    levels = np.linspace(0.0, 1.0, LEVELS)
    curves = items.curves(few, panel, np.tile(levels, (len(items.low), 1)), margin)
    found = allocated(curves, limits, aim, panel.currency, margin)
    if not by_geo:
        curves = items.curves(few, panel, _finer(levels, items.share_of(found.spend)), margin)
        found = allocated(curves, limits, aim, panel.currency, margin)
    made = _described(few, panel, plan, items, curves, found, limits, aim, margin)
    moves = tuple(replace(move, held=waiting.get(move.channel)) for move in made.moves)
    return replace(made, moves=moves, target=target)


def _target(mroas: float | None, iroas: float | None, most: float) -> Target | None:
    if mroas is not None:
        return Target("mroas", mroas, most)
    return None if iroas is None else Target("iroas", iroas, most)


def _finer(levels: Floats, at: Floats) -> Floats:
    """More levels around the solution, the same number for every item, shape (items, levels)."""
    step, count = levels[1] - levels[0], LEVELS + FINE
    rows = []
    for centre in at:
        near = np.linspace(max(0.0, centre - step), min(1.0, centre + step), FINE)
        kept = np.unique(np.round(np.concatenate([levels, near]), 9))
        rows.append(np.interp(np.linspace(0, kept.size - 1, count), np.arange(kept.size), kept))
    return np.array(rows)


def _described(
    post: Posterior,
    panel: Panel,
    plan: Horizon,
    items: Items,
    curves: Curves,
    found: Allocation,
    limits: Limits,
    aim: Objective,
    margin: float,
) -> Budget:
    advised = np.clip(found.spend, 0.0, None)
    step = STEP * np.maximum(items.reference, 1e-9)
    points = np.stack([items.usual, items.usual + step, advised, advised + step], axis=1)
    revenue = items.revenue(post, panel, points)
    change, after = revenue[..., 2] - revenue[..., 0], (revenue[..., 3] - revenue[..., 2]) / step
    own = best_of_each_draw(curves, limits.high, aim.cost, spend_all=limits.low > 0, returns=limits.returns)
    profit = margin * change.sum(axis=1) - (advised.sum() - items.usual.sum())
    money, ratio = panel.currency, f"{panel.currency} per {panel.currency}"

    def move(n: int) -> Move:
        name, moved = panel.channels[items.channel[n]], advised[n] - items.usual[n]
        stays = abs(moved) <= SAME * max(items.usual[n], 1e-9)
        geo = items.geo[n]
        seen = observed_range(panel, name)[1] * float(panel.spend[..., items.channel[n]].sum()) / panel.shape[1]
        peak = plan.spend[..., items.channel[n]].sum(axis=0).max() * advised[n] / max(items.usual[n], 1e-12)
        return Move(
            channel=name,
            geo=None if geo is None else panel.geos[geo],
            current=float(items.usual[n]),
            advised=float(advised[n]),
            value=Estimate.from_draws(change[:, n], money),
            mroas_current=Estimate.from_draws((revenue[:, n, 1] - revenue[:, n, 0]) / step[n], ratio),
            mroas_advised=Estimate.from_draws(after[:, n], ratio),
            own_best=Estimate.from_draws(own[:, n], money),
            sign_holds=None if stays else float(np.mean(np.sign(own[:, n] - items.usual[n]) == np.sign(moved))),
            extrapolates=bool(geo is None and items.usual[n] > 0 and peak > seen * (1 + SAME)),
        )

    return Budget(
        moves=tuple(move(n) for n in range(len(advised))),
        horizon=plan,
        total=float(advised.sum()),
        margin=margin,
        currency=panel.currency,
        converged=post.converged,
        revenue=Estimate.from_draws(revenue[..., 2].sum(axis=1), money),
        revenue_change=Estimate.from_draws(change.sum(axis=1), money),
        profit_change=Estimate.from_draws(profit, money),
        better=float(np.mean(profit > 0)),
        objective=found.objective,
        bound=found.bound,
        gap=found.gap,
        provenance=Provenance(
            data=panel.sha256,
            settings={"total": limits.high, "aim": aim.aim, "level": aim.level, "goal": aim.goal, "margin": margin}
            | {"cost": aim.cost, "returns": limits.returns},
            seed=post.provenance.seed,
            versions=versions("numpy", "scipy"),
            parents=post.provenance.parents,
        ),
    )


def quarter(panel: Panel) -> int:
    """Periods of a quarter of a year."""
    return {"day": 91, "week": 13, "month": 3}[panel.period]
