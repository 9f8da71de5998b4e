"""Spec: the model as data. It is frozen, refuses unknown fields and goes through TOML and JSON unchanged.

Every prior is said in one language: a median and a 90 % interval. Positive quantities become lognormal, shares of one
become logit-normal; the median is kept and the spread is that of ``high`` against ``low``.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.mmm.likelihood_choice import Likelihood, check_likelihood, choose
from measurement.panel import Panel, Period
from measurement.typing import Floats

Adstock = Literal["geometric", "delayed", "weibull", "binomial", "none"]
Saturation = Literal["hill", "logistic", "exponential", "michaelis_menten", "tanh", "root", "none"]
Order = Literal["adstock_first", "saturation_first"]
DemandDriven = Literal["no", "some", "strong"]
Size = Literal["roi", "mroi", "contribution", "coefficient"]
SIZES: tuple[Size, ...] = get_args(Size)
Trend = Literal["none", "linear", "piecewise"]
Varies = Literal["no", "slow"]

Z90 = 1.6448536269514722
PERIODS_PER_YEAR: dict[Period, float] = {"day": 365.25, "week": 365.25 / 7, "month": 12.0}
L_MAX: dict[Period, int] = {"day": 28, "week": 8, "month": 3}
FOURIER_ORDER: dict[Period, int] = {"day": 3, "week": 3, "month": 2}
DECAY: dict[Period, tuple[float, float, float]] = {
    "day": (0.87, 0.60, 0.97),
    "week": (0.40, 0.10, 0.80),
    "month": (0.10, 0.02, 0.40),
}
WEIBULL_SCALE: dict[Period, tuple[float, float, float]] = {
    "day": (8.0, 3.0, 21.0),
    "week": (2.0, 0.8, 5.0),
    "month": (1.0, 0.5, 2.0),
}
SHARE_WHEN_UNPRICED = 0.2


_PRIOR = ("median", "low", "high")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PositivePrior(_Frozen):
    """Lognormal prior of a positive quantity, by its median and 90 % interval."""

    median: float = Field(gt=0, allow_inf_nan=False)
    low: float = Field(gt=0, allow_inf_nan=False)
    high: float = Field(gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.median < self.high:
            raise ValueError(f"a prior needs low < median < high, got {self.low}, {self.median}, {self.high}")
        return self

    @property
    def normal(self) -> tuple[float, float]:
        """Mean and standard deviation of the quantity's logarithm."""
        return math.log(self.median), (math.log(self.high) - math.log(self.low)) / (2 * Z90)


class UnitPrior(_Frozen):
    """Logit-normal prior of a quantity between 0 and 1, by its median and 90 % interval."""

    median: float = Field(gt=0, lt=1)
    low: float = Field(gt=0, lt=1)
    high: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.median < self.high:
            raise ValueError(f"a prior needs low < median < high, got {self.low}, {self.median}, {self.high}")
        return self

    @property
    def normal(self) -> tuple[float, float]:
        """Mean and standard deviation of the quantity's logit."""
        return _logit(self.median), (_logit(self.high) - _logit(self.low)) / (2 * Z90)


class RoiPrior(PositivePrior):
    """Prior of a channel's iROAS over the whole panel: incremental money per unit of money spent.

    The default, 0.2 to 5 around 1, says little: most measured channels lie well inside it.
    """

    median: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    low: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    high: float = Field(default=5.0, gt=0, allow_inf_nan=False)


ORGANIC = PositivePrior(median=0.02, low=0.002, high=0.2)
"""Prior of the share of the KPI that an organic channel brings."""


class ChannelSpec(_Frozen):
    """How one channel acts.

    Attributes:
        adstock: Form of the carry-over; its weights sum to 1.
        saturation: Form of the diminishing return; ``none`` is linear.
        l_max: Periods that the carry-over may last, the current one included.
        roi: Prior of iROAS over the panel; the default where no prior of the effect's size is given. Give one of:
        mroi: Prior of the marginal iROAS: what one per cent more spend in every period brings per money.
        contribution: Prior of the channel's share of the whole KPI.
        coefficient: Prior of the effect at full saturation in an average geo, in means of the KPI.
        organic: Whether it costs no media money (email, organic social): it has an exposure and no spend, no ROI, and a
            prior of its contribution (2 %, .2 % to 20 % by default) or coefficient.
        demand_driven: How far spend is suspected to follow demand: sets the scale of the confounding term.
        decay: Prior of the share of an effect that is left after one period.
        delay: Prior of the peak's place as a share of ``(l_max - 1) / 2`` (delayed adstock only).
        half_saturation: Prior of the adstocked exposure, in means of the positive exposure, at which Hill reaches one
            half; for the logistic form, at which the curve reaches one half too.
        slope: Prior of Hill's exponent.
        exponent: Prior of the root's exponent.
        order: Whether the carry-over comes before the saturation or after it.
        weibull_shape: Prior of the Weibull carry-over's shape; above 1 the effect peaks after the spend.
        weibull_scale: Prior of its scale, in periods.
        varies: Whether the effect of the same spend may change over time: ``slow``, as a random walk by quarters.
        drift: Prior of the standard deviation of the log effect's change within a year, where it may change.
    """

    adstock: Adstock = "geometric"
    saturation: Saturation = "hill"
    l_max: int = Field(default=L_MAX["week"], ge=1, le=400)
    roi: PositivePrior | None = None
    mroi: PositivePrior | None = None
    contribution: PositivePrior | None = None
    coefficient: PositivePrior | None = None
    organic: bool = False
    demand_driven: DemandDriven = "some"
    decay: UnitPrior = UnitPrior(median=DECAY["week"][0], low=DECAY["week"][1], high=DECAY["week"][2])
    delay: UnitPrior = UnitPrior(median=0.25, low=0.05, high=0.70)
    half_saturation: PositivePrior = PositivePrior(median=1.5, low=0.5, high=4.5)
    slope: PositivePrior = PositivePrior(median=1.2, low=0.75, high=1.9)
    exponent: PositivePrior = PositivePrior(median=0.5, low=0.3, high=0.83)
    order: Order = "adstock_first"
    weibull_shape: PositivePrior = PositivePrior(median=1.5, low=0.8, high=2.8)
    weibull_scale: PositivePrior = PositivePrior(
        median=WEIBULL_SCALE["week"][0], low=WEIBULL_SCALE["week"][1], high=WEIBULL_SCALE["week"][2]
    )
    varies: Varies = "no"
    drift: PositivePrior = PositivePrior(median=0.2, low=0.05, high=0.8)

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        given = [name for name in SIZES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"an effect has one size: give a prior of one of {', '.join(given)}")
        if self.organic and {"roi", "mroi"} & set(given):
            raise ValueError("an organic channel has no return on money: give its contribution or coefficient")
        return self

    @property
    def size_prior(self) -> tuple[Size, PositivePrior]:
        """What the prior of the effect's size is about, and the prior."""
        for name in SIZES:
            if (prior := getattr(self, name)) is not None:
                return name, prior
        return ("contribution", ORGANIC) if self.organic else ("roi", RoiPrior())

    @property
    def steepness(self) -> PositivePrior:
        """The prior of the exponent that the channel's saturation has."""
        return self.exponent if self.saturation == "root" else self.slope


class TreatmentSpec(_Frozen):
    """How a lever that is no media (a price, a promotion) acts: linearly, up or down, against a stated baseline.

    Attributes:
        baseline: The level that its effect is counted from: the ``min``, ``mean`` or ``max`` of what was seen, or a
            number in the control's own unit (the list price, say).
        effect: Prior standard deviation of the effect of one standard deviation of it, in means of the KPI.
    """

    baseline: Literal["min", "mean", "max"] | float = "min"
    effect: float = Field(default=0.15, gt=0, le=10, allow_inf_nan=False)

    def level(self, seen: Floats) -> float:
        """The baseline as a number, given the values seen."""
        if isinstance(self.baseline, str):
            return float({"min": seen.min(), "mean": seen.mean(), "max": seen.max()}[self.baseline])
        return self.baseline


class Spec(_Frozen):
    """The whole model. `Spec.default` fills it for a panel.

    Attributes:
        channels: One entry per channel of the panel.
        treatments: Which of the panel's controls are levers of the business, and against what they are compared.
        trend: ``linear``, or ``piecewise`` with a change of slope every ``changepoint_every`` periods.
        changepoint_every: Periods between changes of slope.
        fourier_order: Pairs of sine and cosine per year; 0 for none.
        holidays: Country codes (ISO 3166) of the ``holidays`` package, with or without a region (``DE``, ``DE-BY``):
            those of all geos, or a mapping from geos to their own, ``*`` standing for all that are not named.
        geo_spread: Prior of the standard deviation of a channel's log effect between geos.
        likelihood: Distribution of the KPI around its mean (`likelihood`); `default` chooses it (`likelihood_choice`).
        mask_tests: Leave the treated geos' test periods out of the series likelihood, so that the same sales do not
            count twice. ``auto``: on geo panels.
    """

    channels: dict[str, ChannelSpec]
    treatments: dict[str, TreatmentSpec] = {}
    trend: Trend = "linear"
    changepoint_every: int = Field(default=26, ge=2)
    fourier_order: int = Field(default=3, ge=0, le=20)
    holidays: tuple[str, ...] | dict[str, tuple[str, ...]] = ()
    geo_spread: PositivePrior = PositivePrior(median=0.15, low=0.04, high=0.55)
    likelihood: Likelihood = "normal"
    mask_tests: Literal["auto", "yes", "no"] = "auto"

    @classmethod
    def default(cls, panel: Panel, *, channels: Mapping[str, Mapping[str, Any]] | None = None, **fields: Any) -> Self:
        """The default model of a panel.

        Args:
            panel: What it is for: its channels, cadence and length choose the defaults.
            channels: Per channel, the fields of `ChannelSpec` to set otherwise.
            **fields: Fields of `Spec` to set otherwise; a ``likelihood`` of ``auto`` is chosen, as without it.

        Raises:
            DataError: For unknown channels or fields, and values that are not allowed.
        """
        given = channels or {}
        problems = [
            Problem(
                f"settings for an unknown channel '{shown(name)}'{did_you_mean(name, panel.channels)}",
                code="unknown-channel",
            )
            for name in given
            if name not in panel.channels
        ]
        if problems:
            raise DataError(problems)
        decay, scale = (dict(zip(_PRIOR, by[panel.period], strict=True)) for by in (DECAY, WEIBULL_SCALE))
        roi = _default_roi(panel)
        base: dict[str, Any] = {
            "l_max": min(L_MAX[panel.period], panel.shape[1]),
            "decay": decay,
            "weibull_scale": scale,
        }
        years = panel.shape[1] / PERIODS_PER_YEAR[panel.period]
        own: dict[str, Any] = {
            "channels": {name: base | _sized(dict(given.get(name, {})), roi) for name in panel.channels},
            "fourier_order": FOURIER_ORDER[panel.period] if years >= 1 else 0,
            "changepoint_every": max(2, round(PERIODS_PER_YEAR[panel.period] / 2)),
        }
        if fields.get("likelihood", "auto") == "auto":
            fields["likelihood"] = choose(panel).likelihood
        return cls.read(own | fields)

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """Build a spec from plain values (of TOML or JSON).

        Raises:
            DataError: With every field that is unknown or not allowed.
        """
        try:
            return cls.model_validate(dict(raw))
        except ValidationError as error:
            raise DataError(
                [
                    Problem(
                        f"the model's setting {'.'.join(shown(part) for part in found['loc'])}: {found['msg']}",
                        code="bad-spec",
                    )
                    for found in error.errors()
                ]
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """As plain values that TOML and JSON can hold."""
        return self.model_dump(mode="json", exclude_none=True)


def check_spec(spec: Spec, panel: Panel) -> list[Problem]:
    """Everything about a spec and a panel that keeps them from being fitted together."""
    problems = [
        Problem(
            f"the model has settings for channel '{shown(name)}', which the panel lacks"
            f"{did_you_mean(name, panel.channels)}: change {_table(name)}",
            code="unknown-channel",
        )
        for name in spec.channels
        if name not in panel.channels
    ]
    problems += [
        Problem(f"the model has no settings for channel '{shown(name)}'", code="missing-channel")
        for name in panel.channels
        if name not in spec.channels
    ]
    problems += [
        Problem(
            f"the treatment '{shown(name)}' is no control of the panel{did_you_mean(name, panel.control_names)}: "
            f"add its column to `controls` in [study], or take [treatments.{shown(name)}] out of theodolite.toml",
            code="unknown-treatment",
        )
        for name in spec.treatments
        if name not in panel.control_names
    ]
    if not panel.channels:
        problems.append(Problem("the panel has no media channel, so there is nothing to estimate", code="no-media"))
    if problems:
        return problems
    periods = panel.shape[1]
    for c, name in enumerate(panel.channels):
        problems += _off(name, spec.channels[name].organic, panel.spend[..., c], panel.exposure[..., c])
        if spec.channels[name].l_max > periods:
            problems.append(
                Problem(
                    f"channel '{shown(name)}' has l_max {spec.channels[name].l_max}, but the panel has only {periods} "
                    f"{panel.period}s: set l_max to {max(1, periods // 4)} or less in {_table(name)}, or leave it out",
                    code="l-max",
                )
            )
        if spec.channels[name].varies == "slow" and periods < PERIODS_PER_YEAR[panel.period] / 2:
            problems.append(
                Problem(
                    f"the effect of channel '{shown(name)}' may vary slowly, and the panel has only {periods} "
                    f"{panel.period}s: it takes half a year of data, so take `varies` out of {_table(name)}",
                    code="too-short",
                )
            )
    if not np.isfinite(panel.outcome).all() or not panel.outcome.mean() > 0:
        words = f"the KPI '{shown(panel.kpi)}' must be finite and positive on average: look at the outcome table"
        problems.append(Problem(f"{words}, or name another column as `kpi` {_STUDY}", code="kpi"))
    elif not panel.outcome.std() > 0:
        words = f"the KPI '{shown(panel.kpi)}' never changes, so there is nothing to explain: look at the outcome table"
        problems.append(Problem(f"{words}, or name another column as `kpi` {_STUDY}", code="kpi"))
    else:
        problems += check_likelihood(spec.likelihood, panel)
    if panel.population is not None and not (panel.population > 0).all():
        lacking = ", ".join(shown(geo, 30) for geo in np.array(panel.geos)[~(panel.population > 0)][:5])
        words = f"every geo needs a population above 0, and these have none: {lacking}. Mend the outcome table"
        problems.append(Problem(f"{words}, or take `population` out {_STUDY}", code="population"))
    needed = 4 * len(panel.channels) + 2 * spec.fourier_order + 4
    if panel.outcome.size < needed:
        problems.append(
            Problem(
                f"{panel.outcome.size} observations are too few for about {needed} parameters: "
                "use a longer panel, join channels in the media table, or lower `fourier_order` in [model] of "
                "theodolite.toml (two parameters each)",
                code="too-short",
            )
        )
    return problems


def _sized(own: dict[str, Any], roi: dict[str, float]) -> dict[str, Any]:
    """A channel's own settings, with the default ROI prior where they say nothing of the effect's size."""
    return own if own.get("organic") or any(name in own for name in SIZES) else own | {"roi": roi}


_STUDY = "in [study] of theodolite.toml"


def _table(name: str) -> str:
    """Where a channel's settings stand."""
    return f"[channels.{shown(name)}] of theodolite.toml"


def _off(name: str, organic: bool, spend: Floats, exposure: Floats) -> list[Problem]:
    """Why a channel cannot be fitted as it stands: it was never on, or its money contradicts its marking."""
    words = None
    if organic and spend.sum() > 0:
        words = f"channel '{shown(name)}' is marked organic and spends money: take `organic` out of {_table(name)}, "
        words += "or the money away"
    elif not exposure.sum() > 0:
        words = f"channel '{shown(name)}' was never on: leave it out of the media table"
        if organic:
            words = f"channel '{shown(name)}' is organic and was never on: name the column of its exposure in "
            words += _table(name)
    elif not organic and not spend.sum() > 0:
        words = (
            f"channel '{shown(name)}' spends nothing, so it has no return on money: leave it out of the media table, "
            f"or mark it organic (`organic = true` and an `exposure` in {_table(name)})"
        )
    return [] if words is None else [Problem(words, code="no-spend")]


def _default_roi(panel: Panel) -> dict[str, float]:
    """The default ROI prior; where the KPI has no price and 1 would be absurd, one that gives media a fifth of it.

    A KPI counted in orders or conversions with ``kpi_value`` 1 has an "ROI" in orders per unit of money, whose size
    nobody can know in advance. Then the same relative width is centred on media bringing 20 % of the KPI.
    """
    prior = RoiPrior()
    spend, outcome = float(panel.spend.sum()), float(panel.outcome.sum())
    if not (spend > 0 and outcome > 0):
        return prior.model_dump()
    share = prior.median * spend / (outcome * panel.kpi_value)
    scale = 1.0 if panel.kpi_value != 1.0 or 0.002 <= share <= 1.0 else SHARE_WHEN_UNPRICED / share
    return {name: value * scale for name, value in prior.model_dump().items()}


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
