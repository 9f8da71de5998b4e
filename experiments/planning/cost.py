"""Cost: the money that a test moves, what that is expected to bring or lose, and what the promised effect would take.

Signs are those of the whole house: a spend change and an outcome change are treated minus business as usual, so both
are negative where good ads are cut. What is *needed* is a size and has no sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.planning.goal import Goal
from measurement.panel import Panel
from measurement.typing import Floats, Ints, Json

Source = Literal["panel", "budget", "users", "unknown"]

_YEAR = {"day": 364, "week": 52, "month": 12}
_QUARTER = {"day": 91, "week": 13, "month": 3}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a design costs and is expected to bring, over its treated geos.

    Attributes:
        source: Where the spend change comes from: the ``panel``'s media, the ``budget`` (a channel without history),
            ``users`` (money per user reached), or ``unknown``.
        usual_spend: Business-as-usual money over the test.
        spend_delta: Planned change of it, signed.
        outcome_delta: Expected change of the KPI in its own unit, signed as the spend change.
        money_delta: The same in money; ``None`` for a KPI whose unit has no price.
        net: ``money_delta - spend_delta``: what the company is expected to be better off by (before margin).
        needed: Size of the spend change that is expected to move the KPI by the minimum detectable effect.
        enough: Whether the planned change (the budget where there is none) is at least that.
        lost_at_mde: Money lost if the cut costs exactly the minimum detectable effect; ``None`` where spend goes up.
        currency: Unit of the money.
        kpi: Unit of the outcome.
    """

    source: Source
    usual_spend: float | None
    spend_delta: float | None
    outcome_delta: float | None
    money_delta: float | None
    net: float | None
    needed: float | None
    enough: bool | None
    lost_at_mde: float | None
    currency: str
    kpi: str

    def to_dict(self) -> Json:
        """As plain JSON values; what is unknown is null."""
        return {
            "source": self.source,
            "usual_spend": self.usual_spend,
            "spend_delta": self.spend_delta,
            "expected_outcome_change": self.outcome_delta,
            "expected_money_change": self.money_delta,
            "net": self.net,
            "budget_needed": self.needed,
            "enough": self.enough,
            "lost_at_mde": self.lost_at_mde,
            "currency": self.currency,
            "kpi": self.kpi,
        }

    @property
    def sentence(self) -> str:
        """In one sentence, without statistics."""
        moved = " and ".join(filter(None, (self._moved(), self._expected())))
        found = "; ".join(filter(None, (moved, self._unseen(), self._lacking())))
        return found or "what it costs is unknown: give media, or the expected iROAS and a budget"

    def _moved(self) -> str:
        if self.spend_delta is None:
            return ""
        verb = "saves" if self.spend_delta < 0 else "costs"
        return f"{verb} {_money(self.spend_delta, self.currency)} of spend"

    def _expected(self) -> str:
        if self.outcome_delta is None:
            return ""
        verb = "lose" if self.outcome_delta < 0 else "bring"
        words = f"is expected to {verb} {_amount(self.outcome_delta)} {self.kpi}"
        if self.net is None:
            return words
        worth = "" if self.money_delta == self.outcome_delta else f" ({_money(self.money_delta, self.currency)})"
        return f"{words}{worth}: net {'+' if self.net >= 0 else '-'}{_money(self.net, self.currency)}"

    def _unseen(self) -> str:
        if self.outcome_delta is not None or self.lost_at_mde is None:
            return ""
        return f"a loss of up to {_money(self.lost_at_mde, self.currency)} could go unseen"

    def _lacking(self) -> str:
        if self.needed is None:
            return ""
        words = f"the promised effect takes a change of {_money(self.needed, self.currency)}"
        return words if self.enough is not False else f"{words}, which is more than planned"


@dataclass(frozen=True, slots=True)
class Moved:
    """The money that a test moves.

    Attributes:
        source: As in `Cost`.
        usual: Business-as-usual money over the test.
        delta: Change of it, signed.
        cut: Whether the test takes spend away.
        currency: Unit of the money.
        kpi: Unit of the outcome.
    """

    source: Source
    usual: float | None
    delta: float | None
    cut: bool
    currency: str
    kpi: str


def usual_spend(panel: Panel, goal: Goal, periods: int) -> Floats | None:
    """Business-as-usual money by geo over ``periods`` after the end of the panel, shape (geos,).

    The mean of the last quarter by geo; where the panel reaches back far enough, times the season: all geos' spend in
    the same weeks a year ago over that in the quarter before them. ``None`` without media.
    """
    if not panel.channels:
        return None
    spend = panel.spend[:, :, panel.channel_index(goal.channel)].sum(axis=2)
    year, quarter = _YEAR[panel.period], _QUARTER[panel.period]
    level = spend[:, -quarter:].mean(axis=1)
    total, then = spend.sum(axis=0), spend.shape[1] - year
    season = 1.0
    if then >= quarter:
        before, during = total[then - quarter : then].mean(), total[then : then + periods].mean()
        season = float(during / before) if before > 0 and during > 0 else 1.0
    return np.asarray(level * season * periods)


def planned_change(panel: Panel, goal: Goal, periods: int) -> Floats | None:
    """Change of spend by geo if it were treated, signed, shape (geos,); ``None`` where the channel has no history."""
    usual = usual_spend(panel, goal, periods)
    return None if usual is None or not usual.any() else usual * goal.change


def outcome_per_money(panel: Panel, goal: Goal) -> float | None:
    """Expected KPI per unit of money, from ``icpa`` or from ``iroas``; ``None`` where neither says."""
    if goal.icpa is not None:
        return 1.0 / goal.icpa
    if goal.iroas is None or not _has_price(panel, goal):
        return None
    return goal.iroas / panel.kpi_value


def budget_use(panel: Panel, goal: Goal, periods: int) -> Floats | None:
    """What each geo takes of the budget, shape (geos,): extra spend, or the money that a cut is expected to lose."""
    change = planned_change(panel, goal, periods)
    if change is None or goal.change > 0:
        return change
    worth = outcome_per_money(panel, goal)
    return None if worth is None or not _has_price(panel, goal) else -change * worth * panel.kpi_value


def cost(panel: Panel, goal: Goal, treated: Ints, periods: int, mde: float | None = None) -> Cost:
    """What a test of some geos costs.

    Args:
        panel: KPI and media.
        goal: Channel, direction, expected return and budget.
        treated: Rows of the treated geos.
        periods: Length of the test.
        mde: Minimum detectable effect: KPI over treated geos and read-out, without sign; ``None`` leaves out what
            follows from it.
    """
    usual, change = usual_spend(panel, goal, periods), planned_change(panel, goal, periods)
    source: Source = "unknown"
    delta = None
    if change is not None:
        source, delta = "panel", float(change[treated].sum())
    elif goal.change > 0 and goal.budget is not None:
        source, delta = "budget", float(goal.budget)
    price = panel.kpi_value if _has_price(panel, goal) else None
    usual_total = None if usual is None else float(usual[treated].sum())
    moved = Moved(source, usual_total, delta, goal.change < 0, panel.currency, goal.kpi or panel.kpi)
    return priced(moved, outcome_per_money(panel, goal), price, mde)


def priced(moved: Moved, worth: float | None, price: float | None, mde: float | None) -> Cost:
    """What follows from the money that a test moves.

    Args:
        moved: The money.
        worth: Expected KPI per unit of money.
        price: Money per unit of KPI.
        mde: Minimum detectable effect: KPI over those treated and the read-out, without sign.
    """
    delta = moved.delta
    outcome = None if delta is None or worth is None else delta * worth
    money = None if outcome is None or price is None else outcome * price
    needed = None if mde is None or worth is None else abs(mde) / worth
    return Cost(
        source=moved.source,
        usual_spend=moved.usual,
        spend_delta=delta,
        outcome_delta=outcome,
        money_delta=money,
        net=None if money is None or delta is None else money - delta,
        needed=needed,
        enough=None if needed is None or delta is None else abs(delta) >= needed,
        lost_at_mde=None if mde is None or price is None or not moved.cut else abs(mde) * price,
        currency=moved.currency,
        kpi=moved.kpi,
    )


def total(costs: Sequence[Cost]) -> Cost:
    """The cost of several cells of one test together; what is unknown of one is unknown of all."""

    def added(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == len(values) else None

    first, enough = costs[0], [cost.enough for cost in costs]
    return Cost(
        source=first.source,
        usual_spend=added([cost.usual_spend for cost in costs]),
        spend_delta=added([cost.spend_delta for cost in costs]),
        outcome_delta=added([cost.outcome_delta for cost in costs]),
        money_delta=added([cost.money_delta for cost in costs]),
        net=added([cost.net for cost in costs]),
        needed=added([cost.needed for cost in costs]),
        enough=False if False in enough else (None if None in enough else True),
        lost_at_mde=added([cost.lost_at_mde for cost in costs]),
        currency=first.currency,
        kpi=first.kpi,
    )


def _has_price(panel: Panel, goal: Goal) -> bool:
    """Whether a unit of the goal's KPI has a price: only the study's own KPI has one."""
    return goal.kpi in (None, panel.kpi)


def _amount(value: float) -> str:
    size = abs(value)
    return f"{size:,.0f}" if size >= 100 else f"{size:.3g}"


def _money(value: float | None, currency: str) -> str:
    return "–" if value is None else f"{currency} {_amount(value)}"
