"""How large a channel's effect is: from the quantity that the user's prior is about to the coefficient of the model.

A prior may be about the ROI, the marginal ROI, the contribution (as a share of the KPI) or the coefficient. In each
case one number per channel, ``raw``, is normal a priori; the logarithm of the channel's share of the whole KPI is
``raw`` less a known function of the other parameters. That is a shift, with Jacobian 1: the prior holds exactly.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from measurement.mmm.spec import Spec
from measurement.mmm.transforms import MARGINALS, SATURATIONS, Forms, Kinds, log_elasticity, respond, saturate
from measurement.mmm.variation import varied
from measurement.panel import Panel
from measurement.typing import Floats, Ints

ABOUT = ("roi", "contribution", "mroi", "coefficient")
"""What a prior can be about; a channel's code is the position in it."""


def about_of(spec: Spec, channels: tuple[str, ...]) -> Ints:
    """What each channel's prior is about, as positions in `ABOUT`, shape (channels,)."""
    return np.array([ABOUT.index(spec.channels[name].size_prior[0]) for name in channels], dtype=np.int64)


def raw_prior(spec: Spec, panel: Panel) -> tuple[Floats, Floats]:
    """Mean and standard deviation of ``raw``, each (channels,); for ROI and marginal ROI in shares of the KPI."""
    known = [spec.channels[name].size_prior for name in panel.channels]
    mean, sd = np.array([prior.normal for _, prior in known]).T
    priced = np.array([about in ("roi", "mroi") for about, _ in known])
    return np.where(priced, mean - np.log(money_per_share(panel)), mean), sd


def money_per_share(panel: Panel) -> Floats:
    """The ROI of a channel that brings the whole KPI, shape (channels,); NaN where nothing was spent."""
    spend = panel.spend.sum((0, 1))
    return np.asarray(panel.outcome.sum() * panel.kpi_value / np.where(spend > 0, spend, np.nan))


def log_share(
    kinds: Kinds,
    forms: Forms,
    about: Any,
    occurs: tuple[str, ...],
    values: Mapping[str, Any],
    exposure: Any,
    multiplier: Any,
    total: Any,
    weight: Any,
    cells: Any,
) -> Any:
    """Logarithm of each channel's share of the whole KPI, shape (channels,).

    Args:
        kinds: The forms that occur.
        forms: The channels' forms.
        about: Positions in `ABOUT`, shape (channels,).
        occurs: Those of `ABOUT` that occur.
        values: Named parameters, ``log_contribution`` being ``raw``.
        exposure: The lag tensor, shape (channels, lags, geos, periods).
        multiplier: `variation.multiplier_of` the channels.
        total: Weighted sum of the saturated exposure, shape (channels,).
        weight: Weight of each channel and geo in that sum, shape (channels, geos).
        cells: Number of cells of the panel.
    """
    raw = values["log_contribution"]
    xp = raw.__array_namespace__()
    out = raw
    if "mroi" in occurs:
        marginal = varied(respond(kinds, forms, values, exposure, MARGINALS), multiplier).sum(-1)
        elasticity = (weight * marginal).sum(-1) / total
        out = xp.where(about == ABOUT.index("mroi"), raw - xp.log(elasticity), out)
    if "coefficient" in occurs:
        out = xp.where(about == ABOUT.index("coefficient"), raw + xp.log(total / cells), out)
    return out


def coefficients(share: Any, total: Any, spread: Any, cells: Any) -> Any:
    """Coefficients of the saturated exposure, shape (..., channels, geos), whose effects add up to the share exactly.

    Args:
        share: Logarithm of each channel's share of the whole KPI, shape (..., channels).
        total: Sum of the saturated exposure, each geo weighted by its size and its spread, shape (..., channels).
        spread: Each geo's own multiple of the effect (`spread_of`), shape (..., channels, geos).
        cells: Number of cells of the panel.
    """
    xp = share.__array_namespace__()
    return (xp.exp(share) * cells / total)[..., None] * spread


def spread_of(values: Mapping[str, Any], like: Any) -> Any:
    """Each geo's own multiple of a channel's effect: hierarchical on the log scale, shape of ``like``."""
    xp = like.__array_namespace__()
    if "geo_effect" not in values:
        return xp.ones_like(like)
    return xp.exp(values["geo_spread"][..., None] * values["geo_effect"])


def typical_share(spec: Spec, panel: Panel) -> Floats:
    """About the share of the KPI that the priors expect, (channels,): exact for ROI and contribution, else rough."""
    one = 1.0 / money_per_share(panel)
    out = []
    for c, name in enumerate(panel.channels):
        own = spec.channels[name]
        about, prior = own.size_prior
        kind, code = (own.saturation,), np.zeros(1, dtype=np.int64)
        half, slope = np.array([own.half_saturation.median]), np.array([own.steepness.median])
        elasticity = float(np.exp(log_elasticity(kind, code, half, slope))[0])
        height = float(saturate(kind, code, np.ones(1), half, slope, SATURATIONS)[0])
        factor = {"roi": one[c], "contribution": 1.0, "mroi": one[c] / elasticity, "coefficient": height}
        out.append(prior.median * factor[about])
    return np.array(out)


def typical_roi(spec: Spec, panel: Panel) -> Floats:
    """`typical_share` as an ROI, shape (channels,); NaN where nothing was spent."""
    return typical_share(spec, panel) * money_per_share(panel)
