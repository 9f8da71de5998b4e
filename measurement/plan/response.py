"""Response curves: what more or less of a channel's spend would bring, and what the next money would return there.

All of a channel's spend is multiplied, period by period and geo by geo, so that its pattern over time stays. Where an
average period would then cost more, or less, than any period of the data did, the curve is marked: there it follows
from the form of the model and its priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measurement.estimate import Estimate
from measurement.mmm import Posterior, observed_range, response_curve
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Json

if TYPE_CHECKING:
    import pandas as pd

MULTIPLES = np.linspace(0.0, 2.0, 17)
MOST_DRAWS = 400
STEP = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ResponseCurve:
    """One channel's curve.

    Attributes:
        channel: The channel.
        multiples: Multiples of its spend (of its exposure, where it costs nothing), shape (points,).
        spend: Money of an average period now; ``None`` where it costs nothing.
        revenue: Incremental revenue of an average period at each point, one estimate per point.
        mroas: Extra revenue of the next money at each point; empty where it costs nothing.
        observed: Least and greatest period of the data, in multiples of the average one.
    """

    channel: str
    multiples: Floats
    spend: float | None
    revenue: tuple[Estimate, ...]
    mroas: tuple[Estimate, ...]
    observed: tuple[float, float]

    @property
    def seen(self) -> Bools:
        """Whether an average period at each point lies within what the data hold."""
        return np.asarray((self.multiples >= self.observed[0]) & (self.multiples <= self.observed[1]))

    def to_dict(self) -> Json:
        """As plain JSON values."""
        points = [
            {
                "multiple": float(at),
                "spend": None if self.spend is None else float(at) * self.spend,
                "revenue": self.revenue[k].to_dict(),
                "mroas": self.mroas[k].to_dict() if self.mroas else None,
                "extrapolates": not bool(self.seen[k]),
            }
            for k, at in enumerate(self.multiples)
        ]
        observed = dict(zip(("low", "high"), self.observed, strict=True))
        return {"channel": self.channel, "spend": self.spend, "observed": observed, "points": points}


@dataclass(frozen=True, slots=True, eq=False)
class ResponseCurves:
    """The curves of several channels.

    Attributes:
        channels: One curve each.
        currency: Of all money.
        period: Cadence: spend and revenue are those of an average period.
        converged: Whether the fit behind them may be used.
    """

    channels: tuple[ResponseCurve, ...]
    currency: str
    period: str
    converged: bool

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite mmm curves --json`` prints."""
        plain: Json = {"period": self.period, "currency": self.currency, "converged": self.converged}
        return plain | {"channels": [curve.to_dict() for curve in self.channels]}

    def to_frame(self) -> "pd.DataFrame":
        """``channel, multiple, spend, low, median, high, mroas_low, mroas_median, mroas_high, seen``, tidy."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for curve in self.channels:
            for k, at in enumerate(curve.multiples):
                row: dict[str, Any] = {"channel": curve.channel, "multiple": float(at)}
                row["spend"] = np.nan if curve.spend is None else at * curve.spend
                row |= curve.revenue[k].to_dict()
                ends = curve.mroas[k].to_dict() if curve.mroas else dict.fromkeys(("low", "median", "high"), np.nan)
                row |= {f"mroas_{end}": number for end, number in ends.items()}
                rows.append(row | {"seen": bool(curve.seen[k])})
        return pd.DataFrame(rows)

    def chart(self) -> Any:
        """Response and marginal curves of the channels that cost money, side by side (an Altair chart)."""
        from measurement.plan.charts import response_and_margin

        return response_and_margin(self.to_frame().dropna(subset="spend"), self.currency, self.period)


def response_curves(
    post: Posterior,
    panel: Panel,
    channels: Sequence[str] | None = None,
    *,
    multiples: Floats = MULTIPLES,
    draws: int = MOST_DRAWS,
) -> ResponseCurves:
    """Work out response and marginal curves.

    Args:
        post: The fit.
        panel: Its data.
        channels: The channels wanted; all by default.
        multiples: Multiples of each channel's spend, from 0 upwards, shape (points,).
        draws: Draws used at most.

    Raises:
        DataError: For unknown channels.
    """
    few, periods = post.thinned(draws), panel.shape[1]
    factors = np.asarray(multiples, dtype=np.float64)
    found = []
    for c in panel.channel_index(panel.channels if channels is None else channels):
        name, spend = panel.channels[c], float(panel.spend[..., c].sum() / periods)
        both = response_curve(few, panel, name, np.concatenate([factors, factors + STEP])) * panel.kpi_value / periods
        revenue, beyond = both[:, : factors.size], both[:, factors.size :]
        ratio = f"{panel.currency} per {panel.currency}"
        slopes = (beyond - revenue) / (STEP * spend) if spend > 0 else np.zeros((few.size, 0))
        found.append(
            ResponseCurve(
                channel=name,
                multiples=factors,
                spend=spend if spend > 0 else None,
                revenue=tuple(Estimate.from_draws(point, panel.currency) for point in revenue.T),
                mroas=tuple(Estimate.from_draws(point, ratio) for point in slopes.T),
                observed=observed_range(panel, name),
            )
        )
    return ResponseCurves(tuple(found), panel.currency, panel.period, post.converged)
