"""The parts of the PyMC model, each added to the model whose context is open; `pymc_model` puts them together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from measurement.lift import Lift
from measurement.mmm.density import LIFT_DF
from measurement.mmm.design_matrix import Design
from measurement.mmm.dims import BY_CHANNEL, SIZE_NAMES, demand_root, paid, sized, varying
from measurement.mmm.effect_size import money_per_share
from measurement.mmm.lifts import Rows
from measurement.mmm.likelihood import SOFT
from measurement.mmm.prepare import Prepared
from measurement.mmm.priors import LEAST_NU
from measurement.mmm.pymc_forms import Channel
from measurement.mmm.spec import Spec
from measurement.panel import Panel
from measurement.typing import Floats, Ints


def build(panel: Panel, spec: Spec, ready: Prepared, design: Design, lifts: Sequence[Lift]) -> None:
    """Add the whole model.

    Args:
        panel: The data.
        spec: The model.
        ready: Both, prepared without padding.
        design: The linear terms.
        lifts: The lift tests of the joint likelihood.
    """
    unit = (ready.scales.size * ready.scales.outcome)[:, None]
    values = _media_parameters(ready)
    multiplier = _multiplier(panel, spec, ready)
    effect, coefficient = _effects(panel, spec, ready, values, multiplier, unit)
    sigma = _positive("sigma", ready)
    shock = pm.Normal("demand_shock", 0.0, 1.0, dims="period")
    moved = pm.math.dot(demand_root(ready.noise, panel.shape[1]), shock)
    demand = pm.Deterministic("demand", sigma * moved, dims="period")
    mean = _linear(design, unit) + effect.sum(0) + unit * demand
    if spec.likelihood == "negative_binomial":
        _counts(ready, mean, unit, panel.outcome)
    else:
        _outcome(ready, mean, sigma, unit, panel.outcome, _nu(ready) if spec.likelihood == "student_t" else None)
    if lifts:
        _lifts(panel, spec, ready, lifts, values, coefficient, multiplier)


def _normal(name: str, ready: Prepared) -> tuple[Floats, Floats]:
    """Mean and standard deviation of a block's prior on the link's scale."""
    layout, data = ready.layout, ready.data
    shape, at = layout.sizes[name], layout.start(name)
    mine = slice(at, at + int(np.prod(shape, dtype=int)))
    return data.prior_mean[mine].reshape(shape), data.prior_sd[mine].reshape(shape)


def _positive(name: str, ready: Prepared, dims: str | None = None) -> Any:
    return pm.LogNormal(name, *_normal(name, ready), dims=dims)


def _media_parameters(ready: Prepared) -> dict[str, Any]:
    """Carry-over and saturation, each with dim channel."""
    values: dict[str, Any] = {}
    for name in BY_CHANNEL:
        if name not in ready.layout.sizes:
            continue
        if name in ("decay", "delay"):
            # PyMC gives a logit-normal no transform of its own, and a sampler needs one.
            odds = pm.distributions.transforms.logodds
            values[name] = pm.LogitNormal(name, *_normal(name, ready), dims="channel", default_transform=odds)
        else:
            values[name] = _positive(name, ready, "channel")
    return values


def _multiplier(panel: Panel, spec: Spec, ready: Prepared) -> dict[int, Any]:
    """By position of each channel whose effect varies, its multiplier over time, shape (periods,)."""
    dim, places = varying(panel, spec)
    if not places:
        return {}
    steps = pm.Normal("drift_step", 0.0, 1.0, dims=(dim, "quarter"))
    path = _positive("drift", ready, dim)[:, None] * pt.dot(steps, ready.data.basis.T)
    moved = pm.Deterministic("multiplier", pt.exp(path), dims=(dim, "period"))
    return {c: moved[i] for i, c in enumerate(places)}


def _effects(
    panel: Panel, spec: Spec, ready: Prepared, values: dict[str, Any], multiplier: dict[int, Any], unit: Floats
) -> tuple[Any, Any]:
    """Effects in KPI units, (channel, geo, period), and the coefficients, (channel, geo)."""
    size, cells = ready.data.size, ready.data.cells
    exposure = pm.Data("exposure", panel.exposure, dims=("geo", "period", "channel"), shape=panel.exposure.shape)
    spread = _spread(ready)
    weight = spread * size
    past, now, shift = [], [], []
    for c, name in enumerate(panel.channels):
        channel = Channel(spec.channels[name], {key: value[c] for key, value in values.items()})
        scale = size[:, None] * ready.scales.exposure[c]
        history = pt.constant(panel.exposure[:, :, c]) / scale
        moved = multiplier.get(c, 1.0)
        past.append((channel.response(history) * moved).sum(-1))
        now.append(channel.response(exposure[:, :, c] / scale) * moved)
        total = (weight[c] * past[c]).sum()
        marginal = (channel.response(history, marginal=True) * moved).sum(-1)
        shift.append((total, pt.log((weight[c] * marginal).sum() / total)))
    total = pt.stack([each for each, _ in shift])
    share = _log_share(panel, spec, ready, total, [elasticity for _, elasticity in shift])
    coefficient = pm.Deterministic(
        "coefficient", (pt.exp(share) * cells / total)[:, None] * spread, dims=("channel", "geo")
    )
    dim, bought = paid(panel, spec)
    if bought:
        pm.Deterministic("iroas", pt.exp(share)[bought] * money_per_share(panel)[bought], dims=dim)
    effect = coefficient[:, :, None] * pt.stack(now) * unit
    pm.Deterministic("effect", effect.sum(1), dims=("channel", "period"))
    pm.Deterministic("contribution", effect.sum((1, 2)), dims="channel")
    return effect, coefficient


def _spread(ready: Prepared) -> Any:
    """Each geo's own multiple of a channel's effect, shape (channels, geos)."""
    if ready.layout.geos == 1:
        return pt.ones((ready.layout.channels, 1))
    spread = _positive("geo_spread", ready, "channel")
    return pt.exp(spread[:, None] * pm.Normal("geo_effect", 0.0, 1.0, dims=("channel", "geo")))


def _log_share(panel: Panel, spec: Spec, ready: Prepared, total: Any, log_elasticity: list[Any]) -> Any:
    """Logarithm of each channel's share of the whole KPI, from the quantity that its prior is about."""
    mean, sd = _normal("log_contribution", ready)
    log_money = np.log(money_per_share(panel))
    out: dict[int, Any] = {}
    for about, (dim, places) in sized(panel, spec).items():
        centre = mean[places] + (log_money[places] if about in ("roi", "mroi") else 0.0)
        stated = pt.log(pm.LogNormal(SIZE_NAMES[about], centre, sd[places], dims=dim))
        for i, c in enumerate(places):
            own = stated[i]
            if about in ("roi", "mroi"):
                own = own - log_money[c]
            if about == "mroi":
                own = own - log_elasticity[c]
            if about == "coefficient":
                own = own + pt.log(total[c] / ready.data.cells)
            out[c] = own
    return pt.stack([out[c] for c in sorted(out)])


def _linear(design: Design, unit: Floats) -> Any:
    """The linear terms in KPI units, (geo, period); what is suspected confounding is kept apart from the baseline."""
    national = pm.Normal("national_coefficient", 0.0, 1.0, dims="national_term")
    local = pm.Normal("local_coefficient", 0.0, 1.0, dims=("geo", "local_term")) if design.local_labels else None
    own = pm.Normal("cell_coefficient", 0.0, 1.0, dims="cell_term") if design.cells_labels else None

    def part(confounding: bool) -> Any:
        first, middle, last = (
            np.array([(term == "confounding") == confounding for term, _ in labels], dtype=np.float64)
            for labels in (design.national_labels, design.local_labels, design.cells_labels)
        )
        out = pm.math.dot(design.national * first, national)[None, :]
        if local is not None:
            out = out + pm.math.dot(local, (design.local * middle).T)
        if own is not None:
            out = out + (own[:, None, None] * (design.cells * last[:, None, None])).sum(0)
        return unit * out

    baseline, confounding = unit * design.offset + part(False), part(True)
    pm.Deterministic("baseline", baseline.sum(0), dims="period")
    pm.Deterministic("confounding", confounding.sum(0), dims="period")
    return baseline + confounding


def _nu(ready: Prepared) -> Any:
    return pm.Deterministic("nu", LEAST_NU + pm.LogNormal("nu_excess", *_normal("nu", ready)))


def _counts(ready: Prepared, mean: Any, unit: Floats, seen: Floats) -> None:
    """Counts given their mean, which is kept above zero; cells left out do not count."""
    dispersion = _positive("dispersion", ready)
    above = unit * SOFT * pt.softplus(mean / (unit * SOFT))
    if ready.counts.all():
        pm.NegativeBinomial("outcome", mu=above, alpha=dispersion, observed=seen, dims=("geo", "period"))
        return

    def logp(value: Any, mu: Any, alpha: Any) -> Any:
        return (pm.logp(pm.NegativeBinomial.dist(mu=mu, alpha=alpha), value) * ready.counts).sum()

    def draw(mu: Any, alpha: Any, size: Any) -> Any:
        return pm.NegativeBinomial.dist(mu=mu, alpha=alpha)

    pm.CustomDist(
        "outcome",
        above,
        dispersion,
        dist=draw,
        logp=logp,
        signature="(g,t),()->(g,t)",
        observed=seen,
        dims=("geo", "period"),
    )


def _outcome(ready: Prepared, mean: Any, sigma: Any, unit: Floats, seen: Floats, nu: Any) -> None:
    """The KPI given its mean: noise of each geo, which may last from period to period; cells left out do not count."""
    noise, data, dims = ready.noise, ready.data, ("geo", "period")
    relative = unit * noise.relative[:, None]
    if noise.local_persistence == 0.0 and ready.counts.all():
        if nu is None:
            pm.Normal("outcome", mean, sigma * relative, observed=seen, dims=dims)
        else:
            pm.StudentT("outcome", nu=nu, mu=mean, sigma=sigma * relative, observed=seen, dims=dims)
        return
    counts = data.own > 0
    # A cell that is left out starts anew with noise of its own: drawn forwards it is filled.
    own, lag = np.where(counts, data.own, 1.0 / noise.relative[:, None]), data.lag
    root = _roots(own, lag) * unit[:, :, None]
    constant = float(np.log(data.own[counts] / np.broadcast_to(unit, counts.shape)[counts]).sum())

    def one(*nu: Any, **shape: Any) -> Any:
        return pm.StudentT.dist(nu=nu[0], mu=0.0, sigma=1.0, **shape) if nu else pm.Normal.dist(0.0, 1.0, **shape)

    def logp(value: Any, mean: Any, sigma: Any, *nu: Any) -> Any:
        residual = (value - mean) / unit
        before = pt.concatenate([pt.zeros((len(unit), 1)), residual[:, :-1]], axis=1)
        white = (own * residual - lag * before) / sigma
        return constant + ((pm.logp(one(*nu), white) - pt.log(sigma)) * counts).sum()

    def draw(mean: Any, sigma: Any, *rest: Any) -> Any:
        fresh = one(*rest[:-1], shape=counts.shape)  # the last one is the size
        return mean + sigma * (root * fresh[:, None, :]).sum(-1)

    given = (mean, sigma) if nu is None else (mean, sigma, nu)
    signature = "(g,t),()->(g,t)" if nu is None else "(g,t),(),()->(g,t)"
    pm.CustomDist("outcome", *given, dist=draw, logp=logp, signature=signature, observed=seen, dims=dims)


def _roots(own: Floats, lag: Floats) -> Floats:
    """Inverse of each geo's bidiagonal whitening, shape (geos, periods, periods)."""
    periods = own.shape[1]
    white = own[:, :, None] * np.eye(periods)
    white[:, np.arange(1, periods), np.arange(periods - 1)] = -lag[:, 1:]
    return np.linalg.inv(white)


def _lifts(
    panel: Panel,
    spec: Spec,
    ready: Prepared,
    lifts: Sequence[Lift],
    values: dict[str, Any],
    coefficient: Any,
    multiplier: dict[int, Any],
) -> None:
    """Every lift test, simulated from its own cells."""
    tests = ready.data.tests
    assert tests is not None  # noqa: S101 - there are lifts
    size = ready.data.size
    outside = (coefficient * size).sum(-1, keepdims=True) / size.sum()
    everywhere = pt.concatenate([coefficient, outside], axis=-1)
    delta: Any = 0.0
    for c in set(tests.rows.channel):
        mine = np.flatnonzero(tests.rows.channel == c)
        change = _change(spec, panel, c, mine, tests.rows, values, everywhere)
        if c in multiplier:
            change = change * multiplier[c][tests.rows.period[mine]]
        delta = delta + pt.dot(tests.members[:, mine], change)
    pm.Deterministic("test_effect", delta, dims="test")
    bias: Any = 0.0
    if ready.groups:
        spread = _positive("lift_spread", ready, "test_group")
        bias = tests.spread * spread[tests.group] * pm.Normal("lift_bias", 0.0, 1.0, dims="test")
    extra = (tests.relative_sd * delta) ** 2
    measured = np.array([lift.outcome_change for lift in lifts])
    if tests.correlation is None:
        scale = pt.sqrt(tests.std_error**2 + extra)
        pm.StudentT("lift", nu=LIFT_DF, mu=delta + bias, sigma=scale, observed=measured, dims="test")
        return
    covariance = pt.diag(extra) + tests.correlation * np.outer(tests.std_error, tests.std_error)
    for i, mine in enumerate(np.flatnonzero(row) for row in tests.joint if row.any()):
        centre, own = (delta + bias)[mine], covariance[mine][:, mine]
        pm.MvStudentT(f"lift_{i}", nu=LIFT_DF, mu=centre, scale=own, observed=measured[mine])


def _change(spec: Spec, panel: Panel, c: int, mine: Ints, rows: Rows, values: dict[str, Any], coefficient: Any) -> Any:
    """What each of one channel's rows changes, its multiplier aside, in KPI units, shape (its rows,)."""
    channel = Channel(spec.channels[panel.channels[c]], {key: value[c] for key, value in values.items()})
    change = channel.at(rows.exposure[0, mine]) - channel.at(rows.exposure[1, mine])
    return coefficient[c, rows.geo[mine]] * change * rows.unit[mine]
