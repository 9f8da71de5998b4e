"""What the spend before the panel still brings in its first periods, which no table shows: columns of the baseline.

A channel that ran before the panel starts with a carry-over whose spend is not known. Were it taken as none, the first
periods would sell more than the model allows the channels, which reads as small effects: every iROAS would come out
too low, and its interval with it. Of a channel that always spent its mean, a share ``1 - w[0] - ... - w[t]`` of its
effect is still missing in period t (``w`` its carry-over weights). The missing total is a random function of t, whose
second moment follows from the priors of size and carry-over; its leading components are columns of the design, about
zero, as a channel may have begun with the panel.

Geos differ in what they spent before and in what it does there: what a geo lacks beyond the country's mean has columns
of its own, of the same shapes, sized by the spread of effects and of spend between geos.
"""

import numpy as np
from scipy.special import expit, ndtri

from measurement.mmm.effect_size import typical_share
from measurement.mmm.priors import forms_of, kinds_of
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec
from measurement.mmm.transforms import adstock_weights
from measurement.panel import Panel
from measurement.typing import Floats

COMPONENTS, LOCAL_COMPONENTS = 3, 2
TAILS = 2.0  # a product of lognormals strays further than a normal of its variance, and a wide prior costs little here
MOST_UNLIKE = 1.0  # saturation keeps an effect from varying as much as spend that is very unlike
QUANTILES = 40


def carry_in_columns(spec: Spec, panel: Panel) -> Floats:
    """Prior-scaled columns of what the spend before the panel may bring, shape (periods, columns).

    There are at most `COMPONENTS` columns, and none where no channel carries over.
    """
    tails = _tails(spec, panel.channels)[..., : panel.shape[1]]
    mean, square = _sizes(spec, panel)
    each = mean[:, None] * tails.mean(1)
    own = np.einsum("c,cqt,cqs->ts", square, tails, tails) / QUANTILES
    return _leading(own + np.outer(each.sum(0), each.sum(0)) - each.T @ each, panel.shape[1], COMPONENTS)


def local_carry_in_columns(spec: Spec, panel: Panel, scales: Scales) -> Floats:
    """The same for what a geo lacks beyond the country's mean, shape (periods, columns); none in a national panel.

    Args:
        spec: The model.
        panel: The data.
        scales: Scales of the fit.
    """
    periods = panel.shape[1]
    if len(panel.geos) == 1:
        return np.zeros((periods, 0))
    tails = _tails(spec, panel.channels)[..., :periods]
    scaled = scales.scaled_exposure(panel.exposure)
    weights = (scales.size / scales.size.sum())[:, None]
    country = (weights * scaled).sum(1, keepdims=True)
    spend = (weights * (scaled - country) ** 2).sum(1).mean(1) / country.mean((1, 2)) ** 2
    mean, sd = spec.geo_spread.normal
    effects = np.exp(2 * (mean + sd**2))  # the mean square of a spread that is lognormal
    unlike = TAILS**2 * _sizes(spec, panel)[1] * (effects + np.minimum(spend, MOST_UNLIKE))
    moment = np.einsum("c,cqt,cqs->ts", unlike, tails, tails) / QUANTILES
    return _leading(moment, periods, LOCAL_COMPONENTS)


def _sizes(spec: Spec, panel: Panel) -> tuple[Floats, Floats]:
    """Prior mean and mean square of each channel's share of the KPI, which is lognormal; each (channels,)."""
    sd = np.array([spec.channels[name].size_prior[1].normal[1] for name in panel.channels])
    median = typical_share(spec, panel)
    return median * np.exp(sd**2 / 2), median**2 * np.exp(2 * sd**2)


def _leading(moment: Floats, periods: int, count: int) -> Floats:
    """The leading components of a second moment of the first periods, shape (periods, at most ``count``)."""
    values, vectors = np.linalg.eigh(moment)
    kept = [k for k in range(len(values))[::-1][:count] if values[k] > 1e-9 * values[-1]]
    columns = np.zeros((periods, len(kept)))
    columns[: len(moment)] = vectors[:, kept] * np.sqrt(values[kept])
    return columns


def _tails(spec: Spec, channels: tuple[str, ...]) -> Floats:
    """Share of an effect that lands later than t periods after its spend, shape (channels, quantiles, lags - 1)."""
    z = ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES)[:, None]
    own = [spec.channels[name] for name in channels]

    def at_quantiles(priors: list[tuple[float, float]]) -> Floats:
        mean, sd = np.array(priors).T
        return np.asarray(mean + sd * z)

    values = {
        "decay": expit(at_quantiles([channel.decay.normal for channel in own])),
        "delay": expit(at_quantiles([channel.delay.normal for channel in own])),
        "weibull_shape": np.exp(at_quantiles([channel.weibull_shape.normal for channel in own])),
        "weibull_scale": np.exp(at_quantiles([channel.weibull_scale.normal for channel in own])),
    }
    weights = adstock_weights(kinds_of(spec, channels), forms_of(spec, channels), values)
    return np.asarray(np.maximum(1.0 - np.cumsum(np.moveaxis(weights, 1, 0), axis=-1), 0.0)[..., :-1])
