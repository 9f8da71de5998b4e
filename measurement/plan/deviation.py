"""Deviation: what came against what a plan predicted, split into money that was spent otherwise and what was missed.

The fit and its data stay those that the plan was made with. Under them the KPI is predicted twice with the same demand
and noise in each draw: for the spend that was planned and for the spend that happened. What lies between the two is due
to the spend; the rest of the way to what came is what the model missed.
"""

from dataclasses import dataclass, replace

import numpy as np

from measurement.errors import DataError, Problem, refuse, shown
from measurement.estimate import Estimate
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.forecast import MOST_DRAWS, forecast
from measurement.plan.horizon import Horizon
from measurement.typing import Floats, Json

FAR = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """What came against a plan, all geos and the periods that have come, revenue.

    Attributes:
        periods: How many periods of the plan have come.
        actual: What came.
        predicted: What the plan predicted.
        spend: Part of the difference that is due to other spend than planned.
        missed: The rest: what the model missed. The two add up to ``actual`` less ``predicted`` draw by draw.
        planned_money: Money planned in these periods.
        spent_money: Money spent in them.
        currency: Of all money.
        converged: Whether the fit behind the plan may be used.
    """

    periods: int
    actual: float
    predicted: Estimate
    spend: Estimate
    missed: Estimate
    planned_money: float
    spent_money: float
    currency: str
    converged: bool

    @property
    def share(self) -> float:
        """The difference as a share of the predicted median."""
        return self.actual / self.predicted.median - 1.0

    @property
    def outside(self) -> bool:
        """Whether what came lies outside the 90 % interval of the prediction."""
        return not self.predicted.low <= self.actual <= self.predicted.high

    @property
    def alert(self) -> bool:
        """Whether somebody should look: off by more than a fifth, and outside the interval."""
        return self.outside and abs(self.share) > FAR

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "periods": self.periods,
            "actual": self.actual,
            "predicted": self.predicted.to_dict(),
            "share": self.share,
            "outside": self.outside,
            "alert": self.alert,
            "spend_differed": self.spend.to_dict(),
            "model_missed": self.missed.to_dict(),
            "planned_spend": self.planned_money,
            "actual_spend": self.spent_money,
            "currency": self.currency,
            "converged": self.converged,
        }


def deviation(
    post: Posterior, panel: Panel, plan: Horizon, later: Panel, *, draws: int = MOST_DRAWS, seed: int = 0
) -> Deviation:
    """Compare a plan with what came.

    Args:
        post: The fit that the plan was made with.
        panel: The data of that fit; the plan begins where they end.
        plan: The planned spend.
        later: Data of the same study that reach into the plan.
        draws: Draws used at most.
        seed: Seed of the demand and noise, that of the plan's forecast.

    Raises:
        DataError: Where the later data have other geos or channels, or hold no period of the plan.
    """
    refuse(
        [
            Problem(f"the later data have other {what} than the plan: {', '.join(map(shown, sorted(odd)))}", code=what)
            for what, odd in (
                ("geos", set(panel.geos) ^ set(later.geos)),
                ("channels", set(panel.channels) ^ set(later.channels)),
            )
            if odd
        ]
    )
    came = int(np.isin(plan.dates, later.dates).sum())
    if came == 0:
        raise DataError(
            f"the data end on {later.dates[-1]} and the plan begins on {plan.dates[0]}: nothing has come yet"
        )
    at = np.searchsorted(later.dates, plan.dates[:came])
    geos = np.array([later.geos.index(geo) for geo in panel.geos])
    cells = np.ix_(geos, at, later.channel_index(panel.channels))
    bought = None if plan.exposure is None else plan.exposure[:, :came]
    planned = replace(plan, dates=plan.dates[:came], spend=plan.spend[:, :came], exposure=bought)
    happened = replace(planned, spend=later.spend[cells], exposure=later.exposure[cells], like="as it happened")
    first, second = (forecast(post, panel, each, draws=draws, seed=seed) for each in (planned, happened))
    value = panel.kpi_value
    predicted = _total(first.draws) * value
    actual = float(later.outcome[np.ix_(geos, at)].sum()) * value
    moved = (second.mean - first.mean).sum(axis=1) * value
    return Deviation(
        periods=came,
        actual=actual,
        predicted=Estimate.from_draws(predicted, panel.currency),
        spend=Estimate.from_draws(moved, panel.currency),
        missed=Estimate.from_draws(actual - predicted - moved, panel.currency),
        planned_money=float(planned.spend.sum()),
        spent_money=float(happened.spend.sum()),
        currency=panel.currency,
        converged=post.converged,
    )


def _total(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=(1, 2)))
