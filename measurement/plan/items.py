"""Items of a budget: which channels (in which geos) may spend how much, and what each would bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from measurement.errors import Problem, refuse, shown
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.allocation import Curves, Group, Limits
from measurement.plan.horizon import Horizon, returns
from measurement.typing import Bools, Floats

type Held = str | tuple[str, str]
"""What a bound is of: a channel, or a channel in one geo."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How far a channel's spend may move: multiples of business as usual, or money; ``None`` leaves a side open.

    Attributes:
        low: Least multiple of business as usual.
        high: Greatest multiple.
        least: Least money over the horizon.
        most: Greatest money.
        may_stop: Whether it may be switched off though a least amount is set.
        ramp: Largest change against business as usual, a share of it, whatever the other sides allow.
    """

    low: float | None = 0.5
    high: float | None = 1.5
    least: float | None = None
    most: float | None = None
    may_stop: bool = False
    ramp: float | None = None

    def money(self, usual: float) -> tuple[float, float]:
        """Least and greatest money, given business as usual."""
        ramp = np.inf if self.ramp is None else self.ramp * usual
        lows = [0.0 if self.low is None else self.low * usual, self.least or 0.0, usual - ramp]
        highs = [np.inf if self.high is None else self.high * usual, np.inf if self.most is None else self.most]
        highs.append(usual + ramp)
        return max(lows), min(highs)


@dataclass(frozen=True, slots=True)
class GroupBound:
    """Channels, or geos, whose money together is bounded over the horizon.

    Attributes:
        channels: The channels; all of them where empty.
        low: Least money.
        high: Most money.
        geos: The geos, in a plan by geo; all of them where empty.
    """

    channels: tuple[str, ...]
    low: float = 0.0
    high: float = float("inf")
    geos: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Whose money it is, in words."""
        several = [f"the channels {', '.join(map(shown, self.channels))}" if self.channels else "all channels"]
        return " in ".join([*several, *([", ".join(map(shown, self.geos))] if self.geos else [])])


def label(held: Held) -> str:
    """Whose bound it is, in words."""
    return f"channel '{shown(held)}'" if isinstance(held, str) else f"channel '{shown(held[0])}' in '{shown(held[1])}'"


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """What is planned: channels that cost money, or these in geos, with their bounds in money.

    Attributes:
        plan: Business as usual; a channel without spend has one unit of money there, spread evenly.
        channel: Position of each item's channel.
        geo: Position of its geo; ``None`` where geos are planned together.
        usual: Money of business as usual over the horizon, shape (items,).
        reference: Money in ``plan``, same shape.
        low: Least money.
        high: Most money.
        may_stop: Whether it may be switched off though its least money is above 0.
        names: The channels.
    """

    plan: Horizon
    channel: tuple[int, ...]
    geo: tuple[int | None, ...]
    usual: Floats
    reference: Floats
    low: Floats
    high: Floats
    may_stop: Bools
    names: tuple[str, ...]

    @classmethod
    def of(cls, panel: Panel, plan: Horizon, bounds: Mapping[Held, Bound], otherwise: Bound, by_geo: bool) -> "Items":
        """Lay the bounds over business as usual.

        Raises:
            DataError: Where the limits of an item leave it nothing.
        """
        paid = panel.spend.sum(axis=(0, 1)) > 0
        spend = plan.spend.copy()
        even = panel.population if panel.population is not None else np.abs(panel.outcome).mean(axis=1)
        for c in np.flatnonzero(spend.sum(axis=(0, 1)) == 0):
            spend[..., c] = (even / even.sum())[:, None] / spend.shape[1]
        usual, reference = (x.sum(axis=1).T if by_geo else x.sum(axis=(0, 1))[:, None] for x in (plan.spend, spend))
        cells = [(c, g) for c, g in np.ndindex(usual.shape) if paid[c]]
        own = [_bound(panel, bounds, otherwise, c, g if by_geo else None) for c, g in cells]
        money = np.array([bound.money(float(usual[at])) for bound, at in zip(own, cells, strict=True)])
        low = money[:, 0]
        open_end = np.maximum(2.0 * max(usual.sum(), 1.0), low)
        high = np.where(np.isfinite(money[:, 1]), money[:, 1], open_end)
        refuse(
            [
                Problem(
                    f"{label((panel.channels[c], panel.geos[g]) if by_geo else panel.channels[c])}: its limits ask for "
                    f"at least {low[n]:,.0f} and at most {high[n]:,.0f} {panel.currency}, business as usual being "
                    f"{usual[c, g]:,.0f}: widen its bound or its ramp",
                    code="bound",
                )
                for n, (c, g) in enumerate(cells)
                if low[n] > high[n] * (1 + 1e-9)
            ]
        )
        return cls(
            plan=replace(plan, spend=spend),
            channel=tuple(c for c, _ in cells),
            geo=tuple(g if by_geo else None for _, g in cells),
            usual=np.array([usual[at] for at in cells]),
            reference=np.array([reference[at] for at in cells]),
            low=low,
            high=np.maximum(high, low),
            may_stop=np.array([bound.may_stop and low[n] > 0 for n, bound in enumerate(own)]),
            names=panel.channels,
        )

    def groups(
        self, panel: Panel, asked: Sequence[GroupBound], bounds: Mapping[Held, Bound], otherwise: Bound
    ) -> tuple[Group, ...]:
        """Bounds on several items together: those asked for and, by geo, each channel's money over all geos."""
        found = list(asked)
        if self.geo[0] is not None:
            for name in dict.fromkeys(self.names[c] for c in self.channel):
                bound = bounds.get(name, otherwise)
                if bound.least is not None or bound.most is not None:
                    found.append(GroupBound((name,), bound.least or 0.0, np.inf if bound.most is None else bound.most))
        return tuple(
            Group(
                np.array(
                    [
                        (not group.channels or self.names[c] in group.channels)
                        and (not group.geos or (g is not None and panel.geos[g] in group.geos))
                        for c, g in zip(self.channel, self.geo, strict=True)
                    ]
                ),
                group.low,
                group.high,
                group.label,
            )
            for group in found
        )

    def cannot_spend(self, limits: Limits, panel: Panel) -> list[Problem]:
        """Why the bounds of the items cannot hold the total, where they cannot."""
        least, most = float(self.low[~self.may_stop].sum()), float(self.high.sum())
        slack = 1e-9 * max(1.0, most)
        if least > limits.high + slack or most < limits.low - slack:
            words = (
                f"the bounds of the channels allow {least:,.0f} to {most:,.0f} {panel.currency}, and the total is "
                f"{limits.high:,.0f}: change the total or widen the bounds"
            )
            return [Problem(words, code="budget-total")]
        return []

    def spend_at(self, levels: Floats) -> Floats:
        """Money at levels between 0 (the least) and 1 (the most), shape (items, levels)."""
        return np.asarray(self.low[:, None] + self._width[:, None] * levels)

    def share_of(self, spend: Floats) -> Floats:
        """The inverse of `spend_at`, shape (items,)."""
        return np.asarray(np.clip((spend - self.low) / self._width, 0.0, 1.0))

    @property
    def _width(self) -> Floats:
        """Most less least money; a millionth of it where nothing may move, so that levels stay apart."""
        return np.maximum(self.high - self.low, 1e-6 * np.maximum(1.0, self.low))

    def curves(self, post: Posterior, panel: Panel, levels: Floats, margin: float) -> Curves:
        """Curves of profit before spend at the given levels, shape (items, levels)."""
        spend = self.spend_at(levels)
        return Curves(spend, margin * self.revenue(post, panel, spend))

    def revenue(self, post: Posterior, panel: Panel, spend: Floats) -> Floats:
        """Incremental revenue of each item at some spends (items, levels), shape (draws, items, levels)."""
        on = self.reference > 0
        apart = self.geo[0] is not None
        factors = np.zeros((len(panel.channels), len(panel.geos) if apart else 1, spend.shape[1]))
        places = (np.array(self.channel), np.array([geo or 0 for geo in self.geo]))
        factors[places] = spend / np.where(on, self.reference, 1.0)[:, None]
        found = returns(post, panel, self.plan, factors, by_geo=apart) * panel.kpi_value
        return np.asarray((found[:, places[0], places[1]] if apart else found[:, places[0]]) * on[:, None])


def _bound(panel: Panel, bounds: Mapping[Held, Bound], otherwise: Bound, c: int, g: int | None) -> Bound:
    """The bound of one item; by geo a channel's money is that of all geos, which is a group's."""
    name = panel.channels[c]
    if g is None:
        return bounds.get(name, otherwise)
    own = bounds.get((name, panel.geos[g]))
    return replace(bounds.get(name, otherwise), least=None, most=None) if own is None else own
