"""Forecast and scenario: the KPI of the periods ahead under a plan, and what the plan changes.

Intervals are predictive: they hold the uncertainty of every parameter, of the demand to come and of the noise. A
scenario is compared with business as usual draw by draw, with everything but media the same on both sides, so that the
difference is as sure as what is known of the channels and no less.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measurement.estimate import Estimate
from measurement.mmm import Posterior
from measurement.mmm.ahead import Ahead, ahead, media_ahead
from measurement.panel import Panel
from measurement.plan.horizon import Horizon, same_periods
from measurement.plan.planned import planned_controls
from measurement.provenance import Provenance, versions
from measurement.typing import Floats, Json

if TYPE_CHECKING:
    import pandas as pd

MOST_DRAWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """The KPI of the periods ahead.

    Attributes:
        horizon: The periods and their spend.
        geos: Geo names.
        kpi: Name of the KPI, its unit.
        draws: Predictive draws of the KPI, shape (draws, geos, periods).
        terms: What it is made of, summed over geos, each of shape (draws, periods): ``baseline``, ``seasonality`` and
            so on, ``media: <channel>``; without the cells' own noise.
        controls: The controls of these periods, shape (geos, periods, controls).
        year_ago: The KPI of the same periods a year ago, summed over geos; ``None`` where the data are shorter.
        converged: Whether the fit behind it may be used.
        provenance: Data, settings, seed and versions.
    """

    horizon: Horizon
    geos: tuple[str, ...]
    kpi: str
    draws: Floats
    terms: dict[str, Floats]
    controls: Floats
    year_ago: Floats | None
    converged: bool
    provenance: Provenance

    @property
    def mean(self) -> Floats:
        """The KPI without the cells' own noise, summed over geos, shape (draws, periods)."""
        return np.asarray(sum(self.terms.values()))

    @property
    def total(self) -> Estimate:
        """The KPI over all geos and periods."""
        return Estimate.from_draws(self.draws.sum(axis=(1, 2)), self.kpi)

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite forecast --json`` prints."""
        days = self.horizon.dates.astype("datetime64[D]").astype(str).tolist()
        by_period = self.draws.sum(axis=1)
        return {
            "kpi": self.kpi,
            "from": days[0],
            "periods": [
                {"date": day, **Estimate.from_draws(by_period[:, t], self.kpi).to_dict()} for t, day in enumerate(days)
            ],
            "spend": self.horizon.like,
            "spend_total": float(self.horizon.spend.sum()),
            "total": self.total.to_dict(),
            "year_ago": None if self.year_ago is None else float(self.year_ago.sum()),
            "geos": [
                {"geo": geo, **Estimate.from_draws(self.draws[:, g].sum(axis=1), self.kpi).to_dict()}
                for g, geo in enumerate(self.geos)
            ],
            "terms": {
                name: Estimate.from_draws(values.sum(axis=1), self.kpi).to_dict() for name, values in self.terms.items()
            },
            "converged": self.converged,
            "seed": self.provenance.seed,
            "versions": dict(self.provenance.versions),
            "data": self.provenance.data,
        }

    def to_frame(self) -> "pd.DataFrame":
        """``date, low, median, high``, and ``year_ago`` where it is known: all geos together."""
        import pandas as pd

        low, median, high = np.quantile(self.draws.sum(axis=1), (0.05, 0.5, 0.95), axis=0)
        frame = pd.DataFrame(
            {"date": self.horizon.dates.astype("datetime64[s]"), "low": low, "median": median, "high": high}
        )
        return frame if self.year_ago is None else frame.assign(year_ago=self.year_ago)

    def chart(self, panel: Panel | None = None) -> Any:
        """The forecast with its interval (an Altair chart), after what happened where the panel is given."""
        from measurement.plan.charts import forecast_band

        return forecast_band(self.to_frame(), None if panel is None else past_frame(panel), self.kpi)


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A plan beside business as usual.

    Attributes:
        plan: The forecast under the plan.
        usual: The forecast under business as usual; its draws belong to the plan's one by one.
        change: Change of the KPI within the periods.
        revenue_change: Change of incremental revenue, carry-over after the last period included, money.
        profit_change: That times the margin, less the change of spend.
        better: Probability that profit rises.
        margin: Share of revenue that counts as profit before spend.
        currency: Of all money.
    """

    plan: Forecast
    usual: Forecast
    change: Estimate
    revenue_change: Estimate
    profit_change: Estimate
    better: float
    margin: float
    currency: str

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite scenario --json`` prints."""
        return {
            "plan": self.plan.to_dict(),
            "business_as_usual": self.usual.to_dict(),
            "spend_change": float(self.plan.horizon.spend.sum() - self.usual.horizon.spend.sum()),
            "change": self.change.to_dict(),
            "revenue_change": self.revenue_change.to_dict(),
            "profit_change": self.profit_change.to_dict(),
            "probability_better": self.better,
            "margin": self.margin,
            "currency": self.currency,
            "converged": self.plan.converged,
        }

    def chart(self) -> Any:
        """The change of the KPI period by period with its interval (an Altair chart)."""
        import pandas as pd

        from measurement.plan.charts import change_band

        moved = self.plan.mean - self.usual.mean
        low, median, high = np.quantile(moved, (0.05, 0.5, 0.95), axis=0)
        dates = self.plan.horizon.dates.astype("datetime64[s]")
        frame = pd.DataFrame({"date": dates, "low": low, "median": median, "high": high})
        return change_band(frame, self.plan.kpi)


def forecast(
    post: Posterior,
    panel: Panel,
    plan: Horizon,
    *,
    controls: "pd.DataFrame | None" = None,
    draws: int = MOST_DRAWS,
    seed: int = 0,
) -> Forecast:
    """Predict the KPI of the periods ahead.

    Args:
        post: The fit.
        panel: Its data.
        plan: The periods that follow the panel and their spend. What costs nothing goes on as in the same periods a
            year ago.
        controls: ``date, (geo,)`` and controls of these periods; as in the same periods a year ago otherwise.
        draws: Draws used at most.
        seed: Seed: the same seed gives the same demand and noise, whatever is spent.

    Raises:
        DataError: Where the controls do not fit the periods.
    """
    few, given = post.thinned(draws), planned_controls(panel, controls, plan.dates)
    return _under(few, panel, plan, given, ahead(few, panel, plan.dates, given, seed=seed), seed)


def _under(few: Posterior, panel: Panel, plan: Horizon, given: Floats, later: Ahead, seed: int) -> Forecast:
    """The forecast under a plan, where everything but media is drawn already."""
    periods = len(plan.dates)
    media = media_ahead(few, panel, planned_exposure(few, panel, plan), seed=seed)
    mean = later.mean(media.sum(axis=1))
    year = {"day": 364, "week": 52, "month": 12}[panel.period]
    known = panel.shape[1] >= year and periods <= year
    terms = {name: values.sum(axis=1) for name, values in later.terms.items()}
    terms |= {f"media: {name}": media[:, c].sum(axis=1) for c, name in enumerate(panel.channels)}
    # What keeps the mean of small counts above zero belongs to the baseline; for all else this adds nothing.
    terms["baseline"] = terms["baseline"] + mean.sum(axis=1) - sum(terms.values())
    return Forecast(
        horizon=plan,
        geos=panel.geos,
        kpi=panel.kpi,
        draws=later.kpi(mean),
        terms=terms,
        controls=given,
        year_ago=panel.outcome[:, same_periods(panel, periods)].sum(axis=0) if known else None,
        converged=few.converged,
        provenance=Provenance(
            data=panel.sha256,
            settings={"periods": periods, "spend": plan.like},
            seed=seed,
            versions=versions("numpy"),
            parents=(few.provenance.sha256, *few.provenance.parents),
        ),
    )


def scenario(
    post: Posterior,
    panel: Panel,
    plan: Horizon,
    usual: Horizon,
    *,
    margin: float = 1.0,
    controls: "pd.DataFrame | None" = None,
    draws: int = MOST_DRAWS,
    seed: int = 0,
) -> Scenario:
    """Predict the KPI under a plan and under business as usual, with the same demand and noise in each draw.

    Args:
        post: The fit.
        panel: Its data.
        plan: The plan.
        usual: Business as usual in the same periods.
        margin: Share of revenue that counts as profit before spend.
        controls: As for `forecast`; the same on both sides.
        draws: Draws used at most.
        seed: Seed.
    """
    few, given = post.thinned(draws), planned_controls(panel, controls, plan.dates)
    later = ahead(few, panel, plan.dates, given, seed=seed)
    first, second = (_under(few, panel, spent, given, later, seed) for spent in (plan, usual))
    moved = (first.mean - second.mean).sum(axis=1)
    in_the_end = (_brought(few, panel, plan, seed) - _brought(few, panel, usual, seed)) * panel.kpi_value
    profit = margin * in_the_end - float(plan.spend.sum() - usual.spend.sum())
    return Scenario(
        plan=first,
        usual=second,
        change=Estimate.from_draws(moved, panel.kpi),
        revenue_change=Estimate.from_draws(in_the_end, panel.currency),
        profit_change=Estimate.from_draws(profit, panel.currency),
        better=float(np.mean(profit > 0)),
        margin=margin,
        currency=panel.currency,
    )


def planned_exposure(post: Posterior, panel: Panel, plan: Horizon) -> Floats:
    """Exposure of a plan, shape (geos, periods, channels): what its money buys; what is free goes on as a year ago."""
    if plan.exposure is not None:
        return plan.exposure
    bought = plan.spend * post.scales.exposure_per_money
    free = ~(panel.spend.sum(axis=(0, 1)) > 0)
    return np.where(free, panel.exposure[:, same_periods(panel, len(plan.dates))], bought)


def past_frame(panel: Panel) -> "pd.DataFrame":
    """``date, actual`` of the last periods, two years at most, all geos together."""
    import pandas as pd

    recent = slice(-{"day": 728, "week": 104, "month": 24}[panel.period], None)
    return pd.DataFrame(
        {"date": panel.dates[recent].astype("datetime64[s]"), "actual": panel.outcome.sum(axis=0)[recent]}
    )


def _brought(post: Posterior, panel: Panel, plan: Horizon, seed: int) -> Floats:
    """What media bring from the plan's first period until its carry-over has run out, in KPI units, shape (draws,)."""
    exposure = planned_exposure(post, panel, plan)
    rest = max(channel.l_max for channel in post.spec.channels.values())
    after = np.zeros((exposure.shape[0], rest, exposure.shape[2]))
    return np.asarray(
        media_ahead(post, panel, np.concatenate([exposure, after], axis=1), seed=seed).sum(axis=(1, 2, 3))
    )
