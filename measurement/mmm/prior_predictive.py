"""What the priors alone claim, in money: what each channel brings, its share of the KPI, and how much media do in all.

Nothing is fitted. Of the KPI only its sum is used: the priors are stated against it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measurement.estimate import Estimate
from measurement.mmm.counterfactual import contribution, half_life
from measurement.mmm.prior import prior
from measurement.mmm.spec import PERIODS_PER_YEAR, Spec
from measurement.panel import Panel
from measurement.provenance import Provenance
from measurement.typing import Json

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 1000
TOO_MUCH, LIKELY = 0.6, 0.5


@dataclass(frozen=True, slots=True)
class ChannelPrior:
    """What the prior of one channel claims.

    Attributes:
        channel: The channel.
        about: What its prior is about: roi, mroi, contribution or coefficient.
        yearly: What it brings in an average year of the panel, money.
        share: The same as a share of the KPI.
        iroas: Its iROAS over the panel; ``None`` where it costs nothing.
        half_life: Periods until half of a unit of spend's effect has come in.
    """

    channel: str
    about: str
    yearly: Estimate
    share: Estimate
    iroas: Estimate | None
    half_life: Estimate

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "channel": self.channel,
            "prior_of": self.about,
            "money_per_year": self.yearly.to_dict(),
            "share": self.share.to_dict(),
            "iroas": None if self.iroas is None else self.iroas.to_dict(),
            "half_life": self.half_life.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class PriorPredictive:
    """What all priors claim together.

    Attributes:
        channels: One per channel.
        share: Share of the KPI that all media bring.
        too_much: Probability that it is above 60 %.
        currency: Of all money.
        period: Cadence of the half-lives.
        kpi_yearly: The KPI of an average year, money.
        provenance: Data, settings, seed and versions.
    """

    channels: tuple[ChannelPrior, ...]
    share: Estimate
    too_much: float
    currency: str
    period: str
    kpi_yearly: float
    provenance: Provenance

    def cautions(self) -> list[str]:
        """What is odd about the priors, in words; empty where nothing is."""
        said = []
        if self.too_much > 1 - LIKELY:
            said.append(
                f"The priors say that media bring {self.share.median:.0%} of the KPI, and more than {TOO_MUCH:.0%} "
                f"with a probability of {self.too_much:.0%}: that leaves little for all else. Lower the priors of the "
                "largest channels in theodolite.toml ([channels.NAME] roi), or check kpi_value."
            )
        elif self.share.high > 1.0:
            said.append(
                f"The priors allow media to bring more than the whole KPI ({self.share.high:.0%} at the upper end): "
                "the data will rule that out. Narrower priors ([channels.NAME] roi) say what you know already."
            )
        for found in self.channels:
            if found.share.median > LIKELY:
                said.append(
                    f"The prior of '{found.channel}' alone claims {found.share.median:.0%} of the KPI: is its "
                    f"{found.about} meant so?"
                )
        return said

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite mmm prior --json`` prints."""
        return {
            "currency": self.currency,
            "period": self.period,
            "kpi_per_year": self.kpi_yearly,
            "channels": [found.to_dict() for found in self.channels],
            "share": self.share.to_dict(),
            "probability_too_much": self.too_much,
            "cautions": self.cautions(),
            "seed": self.provenance.seed,
            "versions": dict(self.provenance.versions),
            "data": self.provenance.data,
        }

    def to_frame(self) -> "pd.DataFrame":
        """One row per channel: ``channel, low, median, high`` of the money per year, ``share``."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {"channel": found.channel, **found.yearly.to_dict(), "share": found.share.median} for found in self.channels
        ]
        return pd.DataFrame(rows)

    def chart(self) -> Any:
        """What each channel's prior claims in money, on a logarithmic scale (an Altair chart)."""
        from measurement.charts import claims

        return claims(self.to_frame(), self.currency)


def prior_predictive(panel: Panel, spec: Spec | None = None, *, draws: int = DRAWS, seed: int = 0) -> PriorPredictive:
    """Say in money what the priors claim, before any fit.

    Args:
        panel: The data that the model is for.
        spec: The model; `Spec.default` of the panel when not given.
        draws: How many draws.
        seed: Seed; the same seed gives the same answer.

    Raises:
        DataError: With every reason why the spec and the panel do not go together.
    """
    drawn = prior(panel, spec, draws=draws, seed=seed)
    brought = contribution(drawn, panel) * panel.kpi_value
    whole, years = panel.outcome.sum() * panel.kpi_value, panel.shape[1] / PERIODS_PER_YEAR[panel.period]
    lives, spend, money = half_life(drawn), panel.spend.sum(axis=(0, 1)), panel.currency
    channels = tuple(
        ChannelPrior(
            channel=name,
            about=drawn.spec.channels[name].size_prior[0],
            yearly=Estimate.from_draws(brought[:, c] / years, money),
            share=Estimate.from_draws(brought[:, c] / whole, "share"),
            iroas=Estimate.from_draws(brought[:, c] / spend[c], f"{money} per {money}") if spend[c] > 0 else None,
            half_life=Estimate.from_draws(lives[:, c], panel.period),
        )
        for c, name in enumerate(panel.channels)
    )
    share = brought.sum(axis=1) / whole
    return PriorPredictive(
        channels=channels,
        share=Estimate.from_draws(share, "share"),
        too_much=float(np.mean(share > TOO_MUCH)),
        currency=money,
        period=panel.period,
        kpi_yearly=float(whole / years),
        provenance=drawn.provenance,
    )
