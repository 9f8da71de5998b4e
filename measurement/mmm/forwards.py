"""A data set drawn from the model forwards: parameters from the priors, then the KPI and the lift tests' results.

Written in plain NumPy from `docs/math_mmm.md`, apart from the density, its transforms and its links, so that a mistake
there does not hide here: carry-over is a convolution, a lift test is two runs of the whole model, demand and noise are
recursions. What a fit holds fixed is taken from it: scales, linear terms with their prior scales, and the residual's
hyperparameters. Simulation-based calibration (`sbc`) fits what this draws.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import weibull_min

from measurement.lift import Lift
from measurement.mmm.design_matrix import Design
from measurement.mmm.effect_size import typical_roi
from measurement.mmm.lifts import joint_errors, spend_change
from measurement.mmm.noise import Noise
from measurement.mmm.prepare import Prepared
from measurement.mmm.priors import LIFT_SPREAD, SIGMA
from measurement.mmm.spec import ChannelSpec, PositivePrior, Spec, UnitPrior
from measurement.panel import Panel
from measurement.typing import Floats

RUN_IN = 100  # periods of steady spend before a test outside the panel
LIFT_DF = 6.0
STEP = 1e-4
Z90 = 1.6448536269514722
CARRY = ("decay", "delay", "weibull_shape", "weibull_scale")
SATURATIONS: dict[str, Callable[[Floats, float, float], Floats]] = {
    "hill": lambda x, half, slope: x**slope / (x**slope + half**slope),
    "logistic": lambda x, half, slope: 2.0 / (1.0 + 3.0 ** (-x / half)) - 1.0,
    "tanh": lambda x, half, slope: 2.0 / (1.0 + 3.0 ** (-x / half)) - 1.0,
    "exponential": lambda x, half, slope: 1.0 - 0.5 ** (x / half),
    "michaelis_menten": lambda x, half, slope: x / (x + half),
    "root": lambda x, half, slope: x**slope,
    "none": lambda x, half, slope: x,
}

Curve = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A data set and the truth behind it.

    Attributes:
        z: The parameters in standard normal coordinates, in the layout's order, shape (dimension,).
        values: The same on their natural scale by name; ``size`` is what the priors of the effects' sizes are about.
        share: Each channel's share of the whole KPI, shape (channels,).
        coefficient: Coefficients of the saturated exposure, shape (channels, geos).
        linear: Prior-scaled linear coefficients in the order of the design's labels, shape (columns,).
        demand: The national demand in means of the KPI, shape (periods,).
        outcome: The scaled KPI, shape (geos, periods).
        change: True effect of each test on the KPI, shape (tests,).
        departure: What each test's market departs from the model by, shape (tests,); 0 where a test stands alone.
        lifts: The tests' results in KPI units, shape (tests,).
    """

    z: Floats
    values: Mapping[str, Floats]
    share: Floats
    coefficient: Floats
    linear: Floats
    demand: Floats
    outcome: Floats
    change: Floats
    departure: Floats
    lifts: Floats


def forwards(
    panel: Panel, spec: Spec, lifts: Sequence[Lift], fixed: Prepared, design: Design, rng: np.random.Generator
) -> Drawn:
    """Draw one data set.

    Args:
        panel: Spend, calendar and controls; of its KPI only level and size are used, as the priors refer to them.
        spec: The model.
        lifts: The lift tests; their results are drawn anew.
        fixed: What a fit of these holds fixed.
        design: Its linear terms.
        rng: Source of randomness.
    """
    z = rng.standard_normal(fixed.layout.dimension)
    values = _parameters(panel, spec, fixed, z)
    own = [spec.channels[name] for name in panel.channels]
    curves = [curve_of(channel, c, values) for c, channel in enumerate(own)]
    exposure = panel.exposure / (fixed.scales.size[:, None, None] * fixed.scales.exposure)
    times = walks(panel, own, values)
    share, coefficient = _sizes(panel, own, curves, exposure, times, fixed.scales.size, values)
    effect = sum(coefficient[c][:, None] * times[c] * curves[c](exposure[..., c]) for c in range(len(own)))
    linear = rng.standard_normal(len(design.labels()))
    shape = fixed.counts.shape
    demand = values["sigma"] * np.sqrt(fixed.noise.ratio) * _steady(rng, fixed.noise.persistence, shape[1])
    outcome = design.offset + effect + (design.matrix() @ linear).reshape(shape)
    outcome = outcome + demand + values["sigma"] * own_noise(fixed.noise, fixed.counts, rng)
    change = np.array([_lift_effect(lift, panel, fixed, curves, times, coefficient) for lift in lifts])
    departure = _departures(panel, spec, lifts, values)
    scale = np.hypot([lift.std_error for lift in lifts], np.array([lift.relative_sd for lift in lifts]) * change)
    results = change + departure + _errors(lifts, scale, rng)
    return Drawn(z, values, share, coefficient, linear, demand, outcome, change, departure, results)


def curve_of(channel: ChannelSpec, c: int, values: Mapping[str, Floats]) -> Curve:
    """What a channel's scaled exposure, shape (geos, periods), does in every cell, coefficient aside."""
    weights = carry_over(channel, {name: float(values[name][c]) for name in CARRY if name in values})
    half = float(values["half_saturation"][c]) if "half_saturation" in values else 1.0
    slope = float(values["slope"][c]) if "slope" in values else 1.0

    def carried(x: Floats) -> Floats:
        return np.stack([np.convolve(row, weights)[: len(row)] for row in x])

    def saturated(x: Floats) -> Floats:
        return SATURATIONS[channel.saturation](x, half, slope)

    if channel.order == "saturation_first":
        return lambda x: carried(saturated(x))
    return lambda x: saturated(carried(x))


def walks(panel: Panel, own: Sequence[ChannelSpec], values: Mapping[str, Floats]) -> Floats:
    """By how much each channel's effect differs from its usual one in every period, shape (channels, periods)."""
    out = np.ones((len(own), len(panel.dates)))
    quarters = (panel.dates - panel.dates[0]).astype("timedelta64[D]").astype(np.int64) / (365.25 / 4)
    varying = [c for c, channel in enumerate(own) if channel.varies == "slow"]
    for i, c in enumerate(varying):
        path = np.concatenate([[0.0], np.cumsum(values["drift_step"][i])]) * values["drift"][i] / 2
        log = np.interp(quarters, np.arange(len(path)), path)
        out[c] = np.exp(log - log.mean())
    return out


def carry_over(channel: ChannelSpec, values: Mapping[str, float]) -> Floats:
    """Weights of the lags 0, 1, ... that sum to 1, shape (l_max,)."""
    if channel.adstock == "none":
        return np.ones(1)
    lags = np.arange(channel.l_max, dtype=np.float64)
    if channel.adstock == "weibull":
        weights = weibull_min.pdf(lags + 1, values["weibull_shape"], scale=values["weibull_scale"])
    elif channel.adstock == "binomial":
        weights = (1 - lags / channel.l_max) ** (1 / values["decay"] - 1)
    elif channel.adstock == "delayed":
        weights = values["decay"] ** ((lags - values["delay"] * (channel.l_max - 1) / 2) ** 2)
    else:
        weights = values["decay"] ** lags
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def own_noise(noise: Noise, counts: Floats, rng: np.random.Generator) -> Floats:
    """Each geo's own noise for sigma = 1, shape (geos, periods); it starts anew after cells that are left out."""
    out = np.empty(counts.shape)
    for g, counted in enumerate(counts):
        cuts = np.flatnonzero(np.diff(counted)) + 1
        pieces = np.split(out[g], cuts)
        for piece in pieces:
            piece[:] = noise.relative[g] * _steady(rng, noise.local_persistence, len(piece))
    return out


def _steady(rng: np.random.Generator, persistence: float, periods: int) -> Floats:
    """An autoregression of order one with variance 1 from the first period on."""
    shocks = rng.standard_normal(periods)
    out = np.empty(periods)
    last, scale = shocks[0], np.sqrt(1 - persistence**2)
    out[0] = last
    for t in range(1, periods):
        last = persistence * last + scale * shocks[t]
        out[t] = last
    return out


def _parameters(panel: Panel, spec: Spec, fixed: Prepared, z: Floats) -> dict[str, Floats]:
    """Every parameter on its natural scale, from the priors' medians and 90 % intervals."""
    own = [spec.channels[name] for name in panel.channels]
    each: dict[str, Sequence[PositivePrior | UnitPrior]] = {
        "decay": [channel.decay for channel in own],
        "delay": [channel.delay for channel in own],
        "weibull_shape": [channel.weibull_shape for channel in own],
        "weibull_scale": [channel.weibull_scale for channel in own],
        "half_saturation": [channel.half_saturation for channel in own],
        "slope": [channel.exponent if channel.saturation == "root" else channel.slope for channel in own],
        "log_contribution": [channel.size_prior[1] for channel in own],
        "drift": [channel.drift for channel in own if channel.varies == "slow"],
        "geo_spread": [spec.geo_spread] * len(own),
        "lift_spread": [LIFT_SPREAD] * fixed.layout.groups,
    }
    out: dict[str, Floats] = {}
    at = 0
    for name, shape in fixed.layout.sizes.items():
        part = z[at : at + int(np.prod(shape, dtype=int))].reshape(shape)
        at += part.size
        if name == "sigma":
            out[name] = fixed.noise.sigma * (SIGMA.high / SIGMA.low) ** (part / (2 * Z90))
        elif name in each:
            out[name] = np.array([_natural(prior, one) for prior, one in zip(each[name], part, strict=True)])
        else:
            out[name] = part
    out["size"] = out.pop("log_contribution")
    return out


def _natural(prior: PositivePrior | UnitPrior, z: float) -> float:
    if isinstance(prior, UnitPrior):
        odds = [p / (1 - p) for p in (prior.median, prior.low, prior.high)]
        return float(expit(np.log(odds[0]) + np.log(odds[2] / odds[1]) / (2 * Z90) * z))
    return float(prior.median * (prior.high / prior.low) ** (z / (2 * Z90)))


def _sizes(
    panel: Panel,
    own: Sequence[ChannelSpec],
    curves: Sequence[Curve],
    exposure: Floats,
    times: Floats,
    size: Floats,
    values: Mapping[str, Floats],
) -> tuple[Floats, Floats]:
    """Each channel's share of the KPI, shape (channels,), and its coefficients, shape (channels, geos)."""
    shares, coefficients = [], []
    for c, channel in enumerate(own):
        relative = np.ones(len(size))
        if "geo_effect" in values:
            relative = np.exp(values["geo_spread"][c] * values["geo_effect"][c])

        weight = np.outer(size * relative, times[c])

        def mean_of(x: Floats, curve: Curve = curves[c], weight: Floats = weight) -> float:
            return float((weight * curve(x)).mean())

        now = mean_of(exposure[..., c])
        about, stated = channel.size_prior[0], float(values["size"][c])
        if about in ("roi", "mroi"):
            share = stated * float(panel.spend[..., c].sum() / (panel.outcome.sum() * panel.kpi_value))
            if about == "mroi":
                more, less = (mean_of(exposure[..., c] * (1 + step)) for step in (STEP, -STEP))
                share = share / ((more - less) / (2 * STEP * now))
        else:
            share = stated if about == "contribution" else stated * now
        shares.append(share)
        coefficients.append(share / now * relative)
    return np.array(shares), np.array(coefficients)


def _lift_effect(
    lift: Lift, panel: Panel, fixed: Prepared, curves: Sequence[Curve], times: Floats, coefficient: Floats
) -> float:
    """Effect with the test less effect without it, in KPI units: two runs of the whole model."""
    scales, total = fixed.scales, 0.0
    for j, name in enumerate(lift.channels):
        c = panel.channels.index(name)
        if lift.actual_spend is None:
            geos = [panel.geos.index(geo) for geo in lift.geos]
            start, end, last = (np.datetime64(day) for day in (lift.start, lift.end, lift.cooldown_end))
            changed = np.flatnonzero((panel.dates >= start) & (panel.dates <= end))
            read = (panel.dates >= start) & (panel.dates <= last)
            actual = panel.exposure[geos][..., c]
            usual = actual.copy()
            paid, instead = panel.spend[geos][:, changed, c], lift.counterfactual_spend[..., j]
            bought = np.where(
                paid > 0, actual[:, changed] / np.where(paid > 0, paid, 1.0), scales.exposure_per_money[c]
            )
            usual[:, changed] = instead * bought
            actual = usual + (actual - usual) / lift.part
            size = lift.part * scales.size[geos]
            unit = scales.exposure[c] * scales.size[geos][:, None]
            strength, time = coefficient[c, geos], times[c]
        else:
            cut = lift.counterfactual_spend[0, :, j]
            before = cut.mean() if lift.carry_in == "steady_state" else 0.0
            ends = (np.full(RUN_IN, before), np.full(lift.cooldown_periods, before))
            both = [np.concatenate([ends[0], s, ends[1]])[None] for s in (lift.actual_spend[0, :, j], cut)]
            actual, usual = (scales.exposure_per_money[c] * s for s in both)
            read = np.arange(actual.shape[1]) >= RUN_IN
            size = np.array([lift.market_share * scales.size.sum()])
            strength = np.array([scales.size @ coefficient[c] / scales.size.sum()])
            days = (np.datetime64(lift.start) - panel.dates[0]).astype("timedelta64[D]").astype(int)
            after = np.arange(actual.shape[1]) - RUN_IN + days // int(np.diff(panel.dates[:2])[0].astype(int))
            time = times[c][np.clip(after, 0, len(panel.dates) - 1)]
            unit = scales.exposure[c] * size[:, None]
        change = (time * (curves[c](actual / unit) - curves[c](usual / unit)))[:, read].sum(1)
        total += float((strength * change * size).sum() * scales.outcome)
    return total


def _errors(lifts: Sequence[Lift], scale: Floats, rng: np.random.Generator) -> Floats:
    """Errors of the tests' results, KPI units, shape (tests,): Student's t, joint for the cells of one test."""
    out = scale * rng.standard_t(LIFT_DF, len(lifts))
    own, hanging = np.array([lift.std_error for lift in lifts]), joint_errors(lifts)
    if hanging is None:
        return out
    for mine in (np.flatnonzero(row) for row in hanging[1] if row.sum() > 1):
        shared = hanging[0][np.ix_(mine, mine)] * np.outer(own[mine], own[mine])
        normal = rng.multivariate_normal(np.zeros(mine.size), shared + np.diag(scale[mine] ** 2 - own[mine] ** 2))
        out[mine] = normal / np.sqrt(rng.chisquare(LIFT_DF) / LIFT_DF)
    return out


def _departures(panel: Panel, spec: Spec, lifts: Sequence[Lift], values: Mapping[str, Floats]) -> Floats:
    """What the market of each test departs from the model by, in KPI units, where a channel has several tests."""
    sets = [tuple(sorted(lift.channels)) for lift in lifts]
    shared = sorted({names for names in sets if sets.count(names) > 1})
    roi = dict(zip(panel.channels, typical_roi(spec, panel), strict=True))
    out = np.zeros(len(lifts))
    for e, lift in enumerate(lifts):
        if sets[e] in shared:
            size = abs(spend_change(lift, panel)) * float(np.mean([roi[name] for name in lift.channels]))
            spread = values["lift_spread"][shared.index(sets[e])]
            out[e] = size / panel.kpi_value * spread * values["lift_bias"][e]
    return out
