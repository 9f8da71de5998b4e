"""The model beyond its panel: every term of the KPI in the periods that follow, draw by draw.

What is fitted goes on: intercepts, the trend on the panel's own clock, season, holidays, controls at given values. What
is not known yet is drawn: bends of the trend after the panel and holidays that it never held from their priors, the
national demand as an autoregression from its last state, each geo's own noise from its last residual. Nor is it known
whether spend will follow demand: the confounding term has the mean 0 and moves as in a stretch of the panel taken by
chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from measurement.mmm.calendar import holiday_columns
from measurement.mmm.counterfactual import channel_effect
from measurement.mmm.design_matrix import (
    BEND,
    FOURIER,
    INTERCEPT,
    LOCAL_FOURIER,
    LOCAL_INTERCEPT,
    LOCAL_TREND,
    Column,
    control_columns,
    fourier_columns,
    trend_columns,
)
from measurement.mmm.likelihood import Family, counted, family_of, innovations
from measurement.mmm.linear_terms import LinearDraws, linear_draws
from measurement.mmm.posterior import Posterior
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec
from measurement.panel import Panel
from measurement.periods import periods_after
from measurement.typing import Dates, Floats


@dataclass(frozen=True, eq=False)
class Ahead:
    """The KPI of later periods without media, in KPI units.

    Attributes:
        terms: ``baseline``, ``seasonality``, ``holidays``, ``controls``, ``treatment: <name>``, ``confounding`` where
            the model has them, and ``demand``, each of shape (draws, geos, periods).
        noise: Each cell's own noise, same shape; of counts, the probability at which each is drawn.
        family: The KPI's distribution given its mean.
    """

    terms: dict[str, Floats]
    noise: Floats
    family: Family

    def mean(self, media: Floats) -> Floats:
        """The KPI's mean, given what all media together bring, both of shape (draws, geos, periods)."""
        return self.family.mean_of(np.asarray(sum(self.terms.values()) + media))

    def kpi(self, mean: Floats) -> Floats:
        """The KPI drawn around its `mean`, same shape; the same chance whatever the mean."""
        if self.family.likelihood == "negative_binomial":
            return counted(mean, self.family.shape[:, None, None], self.noise)
        return mean + self.noise


@dataclass(frozen=True, eq=False)
class LaterColumns:
    """Prior-scaled columns of the design at later periods, in the order of `design_matrix.Design`, no confounding.

    A national column is of shape (periods,), or (geos, periods) where a holiday that all geos had is no longer theirs
    all.
    """

    national: list[Column]
    local: list[Column]
    cells: list[Column]


def later_columns(
    spec: Spec, panel: Panel, scales: Scales, dates: Dates, positions: Floats, controls: Floats
) -> LaterColumns:
    """The fitted columns at other periods, less what only the panel's own spend can fill: those come last.

    Args:
        spec: The model.
        panel: Its data.
        scales: Scales of the fit.
        dates: First day of each period.
        positions: How many periods each lies after the panel's first, shape (periods,).
        controls: Values of the controls, shape (geos, periods, controls).
    """
    geos, length, _ = panel.shape
    time = 2.0 * positions / max(length - 1, 1) - 1.0
    national: list[Column] = [(np.full(len(dates), INTERCEPT), ("baseline", "intercept"))]
    national += trend_columns(spec, length, time)
    national += fourier_columns(spec, dates, panel.period, FOURIER)
    days = {label: column for column, label in holiday_columns(spec.holidays, panel.geos, dates, panel.period)}
    none = np.zeros(len(dates))
    known = holiday_columns(spec.holidays, panel.geos, panel.dates, panel.period)
    national += [(days.get(label, none), label) for column, label in known if column.ndim == 1]
    local: list[Column] = []
    if geos > 1:
        local.append((np.full(len(dates), LOCAL_INTERCEPT), ("baseline", "geo intercept")))
        if spec.trend != "none":
            local.append((LOCAL_TREND * time, ("baseline", "geo trend")))
        local += fourier_columns(spec, dates, panel.period, LOCAL_FOURIER)
    cells = [(days.get(label, none), label) for column, label in known if column.ndim == 2]
    return LaterColumns(national, local, cells + control_columns(spec, panel, scales, controls))


def ahead(post: Posterior, panel: Panel, dates: Dates, controls: Floats, *, seed: int = 0) -> Ahead:
    """Draw everything but media in the periods that follow the panel.

    Args:
        post: The fit.
        panel: Its data.
        dates: First day of each following period, without a gap.
        controls: Their controls, shape (geos, periods, controls).
        seed: Seed; the same seed gives the same draws, whatever is spent.
    """
    drawn = linear_draws(post, panel, seed=seed)
    rng = np.random.default_rng([seed, 1])
    later = np.arange(len(dates), dtype=np.float64) + panel.shape[1]
    columns = later_columns(post.spec, panel, post.scales, dates, later, controls)
    terms = _fitted(post, drawn, columns)
    for term, values in _unknown(post, panel, dates, later, rng):
        terms[term] = terms.get(term, 0.0) + values
    confounding = _confounding(drawn, len(dates), rng)
    if confounding is not None:
        terms["confounding"] = confounding
    sigma = post.draws["sigma"][:, None]
    rho, shape = post.noise.persistence, (post.size, len(dates))
    demand = _path(drawn.demand[:, -1], rho, sigma * np.sqrt(post.noise.ratio), rng.standard_normal(shape))
    terms["demand"] = np.broadcast_to(demand[:, None], (post.size, len(panel.geos), len(dates)))
    unit = (post.scales.size * post.scales.outcome)[:, None]
    terms = {name: unit * values for name, values in terms.items()}
    return Ahead(terms, _own_noise(post, panel, drawn, len(dates), rng), family_of(post))


def _own_noise(post: Posterior, panel: Panel, drawn: LinearDraws, periods: int, rng: np.random.Generator) -> Floats:
    """`Ahead.noise`, shape (draws, geos, periods)."""
    family = family_of(post)
    shape = (*family.scale.shape, periods)
    if family.likelihood == "negative_binomial":
        return rng.random(shape)
    local, unit = family.persistence, post.scales.size * post.scales.outcome
    start = unit * _last_residual(post, panel, drawn) if local > 0 else np.zeros_like(family.scale)
    known = (post.counts[:, -1] > 0) & (local > 0)
    start = np.where(known, start, family.scale * innovations(family, family.scale.shape, rng))
    return _path(start, local, family.scale[..., None], innovations(family, shape, rng))


def media_ahead(
    post: Posterior, panel: Panel, exposure: Floats, channels: Sequence[str] | None = None, *, seed: int = 0
) -> Floats:
    """What each channel brings in later periods, carry-over from the panel included, in KPI units.

    Args:
        post: The fit.
        panel: Its data.
        exposure: Exposure in the periods that follow, shape (geos, periods, channels).
        channels: The channels wanted; all by default.
        seed: Seed of how effects that vary go on: as random walks from where the panel leaves them.

    Returns:
        Shape (draws, channels, geos, periods).
    """
    post.check(panel)
    unit = (post.scales.size * post.scales.outcome)[:, None]
    found, dates = [], np.concatenate([panel.dates, periods_after(panel.dates, panel.period, exposure.shape[1])])
    for c in panel.channel_index(panel.channels if channels is None else channels):
        before = panel.exposure[:, max(0, panel.shape[1] - post.spec.channels[panel.channels[c]].l_max) :]
        whole = np.concatenate([before, exposure], axis=1)

        def later(effect: Floats, start: int = before.shape[1]) -> Floats:
            return np.asarray(unit * effect[..., start:])

        found.append(channel_effect(post, whole, dates[-whole.shape[1] :], int(c), later, seed=seed))
    return np.stack(found, axis=1)


def _fitted(post: Posterior, drawn: LinearDraws, columns: LaterColumns) -> dict[str, Floats]:
    """Fitted terms at the later periods on the model's scale, each (draws, geos, periods)."""
    geos, local, first = len(post.geos), drawn.design.local.shape[1], drawn.design.national.shape[1]
    own = drawn.coefficients[:, first : first + geos * local].reshape(post.size, geos, local)
    last = drawn.coefficients[:, first + geos * local :]
    periods = len(columns.national[0][0])
    terms: dict[str, Floats] = {}

    def add(label: tuple[str, str], values: Floats) -> None:
        name = f"treatment: {label[1]}" if label[0] == "treatments" else label[0]
        terms[name] = terms.get(name, np.zeros((post.size, geos, periods))) + values

    for k, (column, label) in enumerate(columns.national):
        add(label, drawn.coefficients[:, k, None, None] * column)
    for k, (column, label) in enumerate(columns.local):
        add(label, own[:, :, k, None] * column)
    for k, (cells, label) in enumerate(columns.cells):
        add(label, last[:, k, None, None] * cells)
    terms["baseline"] = terms["baseline"] + drawn.design.offset
    return terms


def _unknown(
    post: Posterior, panel: Panel, dates: Dates, later: Floats, rng: np.random.Generator
) -> list[tuple[str, Floats]]:
    """Bends after the panel's end and holidays that it never held, from their priors: (draws, 1 or geos, periods)."""
    spec, found = post.spec, []
    known = {label for _, label in holiday_columns(spec.holidays, panel.geos, panel.dates, panel.period)}
    for column, label in holiday_columns(spec.holidays, panel.geos, dates, panel.period):
        if label not in known:
            found.append(("holidays", column))
    if spec.trend == "piecewise":
        every, length = spec.changepoint_every, panel.shape[1]
        for at in range(-(-(length - every // 2) // every) * every, int(later[-1]), every):
            found.append(("baseline", BEND * np.maximum(later - max(at, length - 1), 0.0) / every))
    return [(term, rng.standard_normal((post.size, 1, 1)) * column) for term, column in found]


def _confounding(drawn: LinearDraws, periods: int, rng: np.random.Generator) -> Floats | None:
    """The confounding term of a stretch of the panel that begins anywhere; its end is followed by its beginning."""
    design = drawn.design
    shared = [k for k, (term, _) in enumerate(design.national_labels) if term == "confounding"]
    own = [k for k, (term, _) in enumerate(design.cells_labels) if term == "confounding"]
    if not shared and not own:
        return None
    last = drawn.coefficients.shape[1] - len(design.cells_labels)
    national = drawn.coefficients[:, shared] @ design.national[:, shared].T
    values = national[:, None] + np.einsum(
        "dk,kgt->dgt", drawn.coefficients[:, [last + k for k in own]], design.cells[own]
    )
    length = values.shape[-1]
    at = (rng.integers(length, size=len(values))[:, None] + np.arange(periods)) % length
    return np.take_along_axis(values, np.broadcast_to(at[:, None], (*values.shape[:2], periods)), axis=2)


def _path(start: Floats, persistence: float, sd: Floats, shocks: Floats) -> Floats:
    """An autoregression that goes on from ``start`` with stationary deviation ``sd``; shape of ``shocks``."""
    out, state = np.empty_like(shocks), start
    step = np.sqrt(1.0 - persistence**2)
    for t in range(shocks.shape[-1]):
        state = persistence * state + (step * sd * shocks[..., [t]])[..., 0]
        out[..., t] = state
    return out


def _last_residual(post: Posterior, panel: Panel, drawn: LinearDraws) -> Floats:
    """What the panel's last period leaves unexplained in each geo on the model's scale, shape (draws, geos)."""
    design, geos = drawn.design, len(panel.geos)
    first, local = design.national.shape[1], design.local.shape[1]
    own = drawn.coefficients[:, first : first + geos * local].reshape(post.size, geos, local)
    mean = (drawn.coefficients[:, :first] @ design.national[-1])[:, None] + own @ design.local[-1]
    mean = mean + drawn.coefficients[:, first + geos * local :] @ design.cells[..., -1]
    mean = mean + design.offset + drawn.demand[:, -1:]
    near = panel.exposure[:, -(max(post.spec.channels[name].l_max for name in panel.channels) + 1) :]
    for c in range(len(panel.channels)):
        mean = mean + channel_effect(post, near, panel.dates[-near.shape[1] :], c, lambda e: e[..., -1])
    return np.asarray(post.scales.scaled_outcome(panel)[:, -1] - mean)
