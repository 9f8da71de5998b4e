"""Deviation: what came against a plan of record, split into money spent otherwise, other controls, and what was missed.

The fit and its data stay those that the plan was made with, and what was predicted is what was recorded. Under that fit
the KPI is worked out for the spend and controls that were planned and for those that happened, with the same demand and
noise in each draw. What lies between is due to them; the rest of the way to what came is what the model missed.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from measurement.errors import DataError, Problem, refuse, shown
from measurement.estimate import Estimate
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.forecast import Forecast, forecast
from measurement.plan.horizon import Horizon
from measurement.plan.recorded import Recorded
from measurement.typing import Dates, Floats, Ints, Json

if TYPE_CHECKING:
    import pandas as pd

FAR = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """What was predicted and what came, of some periods and geos, in the KPI's unit.

    Attributes:
        what: The period's first day, or the geo; "all" for all of both.
        predicted: What the plan predicted.
        actual: What came; ``None`` where it has not come yet.
    """

    what: str
    predicted: Estimate
    actual: float | None

    @property
    def share(self) -> float | None:
        """The difference as a share of the predicted median; ``None`` where nothing came, or nothing was predicted."""
        median = self.predicted.median
        return None if self.actual is None or median == 0 else self.actual / median - 1.0

    @property
    def outside(self) -> bool:
        """Whether what came lies outside the 90 % interval of the prediction."""
        return self.actual is not None and not self.predicted.low <= self.actual <= self.predicted.high

    @property
    def alert(self) -> bool:
        """Whether somebody should look: off by more than a fifth, and outside the interval."""
        return self.outside and (self.share is None or abs(self.share) > FAR)

    def to_dict(self) -> Json:
        """As plain JSON values."""
        told = {"predicted": self.predicted.to_dict(), "actual": self.actual, "share": self.share}
        return told | {"outside": self.outside, "alert": self.alert}


@dataclass(frozen=True, slots=True, eq=False)
class Spent:
    """A channel's money against the plan, in the periods that have come.

    Attributes:
        channel: Its name.
        planned: Money planned.
        actual: Money spent.
        explains: By how much the KPI is other for that, in these periods and by the plan's fit.
    """

    channel: str
    planned: float
    actual: float
    explains: Estimate

    @property
    def share(self) -> float | None:
        """The difference as a share of what was planned; ``None`` where nothing was."""
        return self.actual / self.planned - 1.0 if self.planned > 0 else None

    @property
    def off(self) -> bool:
        """Whether it is off the plan by more than a fifth."""
        return abs(self.share) > FAR if self.share is not None else self.actual > 0


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """What came against a plan, in the KPI's unit.

    Attributes:
        total: All geos, the periods that have come.
        periods: Every period of the plan, all geos; those to come have no actual.
        geos: Every geo, the periods that have come.
        channels: Every channel's money.
        spend: Part of the difference that is due to other spend than planned.
        controls: Part that is due to other controls than planned.
        missed: The rest: what the model missed. The three add up to actual less predicted, draw by draw.
        kpi: The KPI, its unit.
        currency: Of all money.
        revised: Whether the data before the plan are others today than when it was made.
        converged: Whether the fit behind the plan may be used.
    """

    total: Met
    periods: tuple[Met, ...]
    geos: tuple[Met, ...]
    channels: tuple[Spent, ...]
    spend: Estimate
    controls: Estimate
    missed: Estimate
    kpi: str
    currency: str
    revised: bool
    converged: bool

    @property
    def came(self) -> int:
        """How many periods of the plan have come."""
        return sum(each.actual is not None for each in self.periods)

    @property
    def alert(self) -> bool:
        """Whether somebody should look at the total: off by more than a fifth, and outside its interval."""
        return self.total.alert

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite forecast --against --json`` prints."""
        return {
            "kpi": self.kpi,
            "periods_come": self.came,
            **self.total.to_dict(),
            "spend_differed": self.spend.to_dict(),
            "controls_differed": self.controls.to_dict(),
            "model_missed": self.missed.to_dict(),
            "periods": [{"date": each.what, **each.to_dict()} for each in self.periods],
            "geos": [{"geo": each.what, **each.to_dict()} for each in self.geos],
            "channels": [
                {
                    "channel": each.channel,
                    "planned_spend": each.planned,
                    "actual_spend": each.actual,
                    "share": each.share,
                    "off_plan": each.off,
                    "explains": each.explains.to_dict(),
                }
                for each in self.channels
            ],
            "planned_spend": sum(each.planned for each in self.channels),
            "actual_spend": sum(each.actual for each in self.channels),
            "currency": self.currency,
            "data_revised": self.revised,
            "converged": self.converged,
        }

    def to_frame(self) -> "pd.DataFrame":
        """``date, low, median, high, actual, outside``: every period, all geos; no actual where none came yet."""
        import pandas as pd

        told = [
            (p.what, p.predicted.low, p.predicted.median, p.predicted.high, p.actual, p.outside) for p in self.periods
        ]
        frame = pd.DataFrame(told, columns=["date", "low", "median", "high", "actual", "outside"])
        return frame.assign(date=pd.to_datetime(frame["date"]), actual=frame["actual"].astype(float))

    def chart(self) -> Any:
        """The promised band with what came, and each channel's money beside its plan (an Altair chart)."""
        import pandas as pd

        from measurement.plan.charts import against_plan

        money = [(each.channel, each.planned, each.actual) for each in self.channels if each.planned or each.actual]
        frame = pd.DataFrame(money, columns=["channel", "planned", "actual"])
        return against_plan(self.to_frame(), frame, self.kpi, self.currency)


def deviation(post: Posterior, plan: Recorded, later: Panel) -> Deviation:
    """Compare a plan with what came.

    Args:
        post: The fit that the plan was made with.
        plan: The plan of record.
        later: Data of the same study that reach into the plan.

    Raises:
        DataError: Where the later data are of another KPI, have other geos, channels or controls, or hold no period of
            the plan.
    """
    _refuse_others(plan, later)
    panel, whole = plan.panel, plan.horizon
    came = int(np.isin(whole.dates, later.dates).sum())
    if came == 0:
        raise DataError(
            f"the data end on {later.dates[-1]} and the plan begins on {whole.dates[0]}: nothing has come yet"
        )
    geos, at, channels = _places(plan, later, whole.dates[:came])
    bought = None if whole.exposure is None else whole.exposure[:, :came]
    planned = replace(whole, dates=whole.dates[:came], spend=whole.spend[:, :came], exposure=bought)
    cells = np.ix_(geos, at, channels)
    happened = replace(planned, spend=later.spend[cells], exposure=later.exposure[cells], like="as it happened")
    columns = [later.control_names.index(name) for name in panel.control_names]
    actual_controls = later.controls[np.ix_(geos, at, columns)] if columns else plan.controls[:, :came]

    def under(spent: Horizon, controls: Floats) -> Forecast:
        frame = _controls_frame(panel, planned.dates, controls)
        return forecast(post, panel, spent, controls=frame, draws=len(plan.draws), seed=plan.seed)

    first, second = (under(spent, plan.controls[:, :came]) for spent in (planned, happened))
    third = under(happened, actual_controls) if columns else second
    outcome, predicted = later.outcome[np.ix_(geos, at)], plan.draws[:, :, :came]
    spend = (second.mean - first.mean).sum(axis=1)
    controls = (third.mean - second.mean).sum(axis=1)
    total = predicted.sum(axis=(1, 2))
    days = whole.dates.astype("datetime64[D]").astype(str)

    def met(what: str, draws: Floats, actual: float | None) -> Met:
        return Met(what, Estimate.from_draws(draws, panel.kpi), actual)

    return Deviation(
        total=met("all", total, float(outcome.sum())),
        periods=tuple(
            met(str(day), plan.draws[:, :, t].sum(axis=1), float(outcome[:, t].sum()) if t < came else None)
            for t, day in enumerate(days)
        ),
        geos=tuple(met(geo, predicted[:, g].sum(axis=1), float(outcome[g].sum())) for g, geo in enumerate(panel.geos)),
        channels=_channels(panel, planned, happened, first, second),
        spend=Estimate.from_draws(spend, panel.kpi),
        controls=Estimate.from_draws(controls, panel.kpi),
        missed=Estimate.from_draws(float(outcome.sum()) - total - spend - controls, panel.kpi),
        kpi=panel.kpi,
        currency=panel.currency,
        revised=_revised(plan, later),
        converged=plan.converged,
    )


def _channels(
    panel: Panel, planned: Horizon, happened: Horizon, first: Forecast, second: Forecast
) -> tuple[Spent, ...]:
    both = zip(panel.channels, planned.by_channel.tolist(), happened.by_channel.tolist(), strict=True)
    terms = {name: second.terms[f"media: {name}"] - first.terms[f"media: {name}"] for name in panel.channels}
    return tuple(
        Spent(name, money, spent, Estimate.from_draws(terms[name].sum(axis=1), panel.kpi))
        for name, money, spent in both
    )


def _refuse_others(plan: Recorded, later: Panel) -> None:
    """Refuse data that are not of the plan's study."""
    panel = plan.panel
    problems = [
        Problem(f"the later data have other {what} than the plan: {', '.join(map(shown, sorted(odd)))}", code=what)
        for what, odd in (
            ("geos", set(panel.geos) ^ set(later.geos)),
            ("channels", set(panel.channels) ^ set(later.channels)),
            ("controls", set(panel.control_names) - set(later.control_names)),
        )
        if odd
    ]
    if (panel.kpi, panel.period) != (later.kpi, later.period):
        words = f"the plan is of '{shown(panel.kpi)}' by {panel.period}, the study is of '{shown(later.kpi)}' by "
        problems.append(Problem(words + f"{later.period}: set `kpi` and `period` as they were", code="kpi"))
    refuse(problems)


def _places(plan: Recorded, later: Panel, dates: Dates) -> tuple[Ints, Ints, Ints]:
    """Positions in the later data of the plan's geos, of these dates and of its channels."""
    return (
        later.geo_index(plan.panel.geos),
        np.searchsorted(later.dates, dates),
        later.channel_index(plan.panel.channels),
    )


def _revised(plan: Recorded, later: Panel) -> bool:
    """Whether the data before the plan are others today."""
    panel = plan.panel
    if not np.isin(panel.dates, later.dates).all():
        return True
    geos, at, channels = _places(plan, later, panel.dates)
    same = np.array_equal(later.outcome[np.ix_(geos, at)], panel.outcome)
    return not (same and np.array_equal(later.spend[np.ix_(geos, at, channels)], panel.spend))


def _controls_frame(panel: Panel, dates: Dates, controls: Floats) -> "pd.DataFrame | None":
    """Controls of shape (geos, periods, controls) as the table that `forecast` takes."""
    import pandas as pd

    if not panel.control_names:
        return None
    geos, many = len(panel.geos), len(dates)
    columns = {name: controls[:, :, j].ravel() for j, name in enumerate(panel.control_names)}
    return pd.DataFrame(
        {"date": np.tile(dates.astype("datetime64[s]"), geos), "geo": np.repeat(panel.geos, many), **columns}
    )
