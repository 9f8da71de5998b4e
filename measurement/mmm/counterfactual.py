"""What the channels did: contributions, iROAS, mROAS and response curves, by running the model on other spends.

All functions take a posterior and the panel and return draws. Effects are counted inside the panel: carry-over beyond
its last period, and spend before its first, are not seen. Everything is NumPy; draws are worked through in batches, so
that memory stays small.
"""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm.lifts import Rows, counterfactual_exposure, delta, rows_of, tested_exposure, window_of
from measurement.mmm.posterior import Posterior
from measurement.mmm.priors import forms_of, kinds_of
from measurement.mmm.transforms import adstock_weights, in_order, lagged, saturate
from measurement.mmm.variation import multiplier_at, varying_of
from measurement.panel import Panel
from measurement.typing import Dates, Floats

BATCH_CELLS = 2_000_000
SMALL_STEP = 0.01
TRANSFORM = ("decay", "delay", "weibull_shape", "weibull_scale", "half_saturation", "slope")

Day = date | str


def effects(
    post: Posterior, panel: Panel, exposure: Floats | None = None, channels: Sequence[str] | None = None
) -> Floats:
    """Effects by channel and period, summed over geos, in KPI units, shape (draws, channels, periods).

    Args:
        post: The fit.
        panel: The data.
        exposure: Exposure in place of the panel's, shape (geos, periods, channels).
        channels: The channels wanted, in this order; all by default.
    """
    post.check(panel)
    wanted = panel.channel_index(channels if channels is not None else panel.channels)
    seen = panel.exposure if exposure is None else exposure
    size = post.scales.size * post.scales.outcome
    return np.stack(
        [channel_effect(post, seen, panel.dates, c, lambda e: np.einsum("g,dgt->dt", size, e)) for c in wanted], axis=1
    )


def geo_effects(post: Posterior, panel: Panel, exposure: Floats | None = None) -> Floats:
    """Effects by channel and geo over the whole panel, in KPI units, shape (draws, channels, geos)."""
    post.check(panel)
    seen = panel.exposure if exposure is None else exposure
    size = post.scales.size * post.scales.outcome
    return np.stack(
        [channel_effect(post, seen, panel.dates, c, lambda e: size * e.sum(-1)) for c in range(len(panel.channels))],
        axis=1,
    )


def media_effect(post: Posterior, panel: Panel, project: Callable[[Floats], Floats]) -> Floats:
    """A linear function of the whole media part, batch by batch.

    Args:
        post: The fit.
        panel: The data.
        project: Takes scaled effects of shape (draws, geos, periods) and must be linear in them.
    """
    every = range(len(panel.channels))
    return np.asarray(sum(channel_effect(post, panel.exposure, panel.dates, c, project) for c in every))


def contribution(post: Posterior, panel: Panel, start: Day | None = None, end: Day | None = None) -> Floats:
    """What each channel's spend in a window brought, carry-over included, in KPI units, shape (draws, channels).

    The model is run once as it was and once with the channel's spend of the window set to zero. Over the whole panel
    this is the channel's effect itself.
    """
    if start is None and end is None:
        return effects(post, panel).sum(-1)
    return geo_contribution(post, panel, start, end).sum(-1)


def geo_contribution(post: Posterior, panel: Panel, start: Day | None = None, end: Day | None = None) -> Floats:
    """The same as `contribution`, by geo, shape (draws, channels, geos)."""
    return _change(post, panel, _scaled_window(panel, start, end, 0.0))


def iroas(post: Posterior, panel: Panel, start: Day | None = None, end: Day | None = None) -> Floats:
    """Incremental revenue per money spent in a window, shape (draws, channels); NaN where nothing was spent."""
    spend = panel.spend[:, _window(panel, start, end)].sum((0, 1))
    money = contribution(post, panel, start, end) * panel.kpi_value
    return money / np.where(spend > 0, spend, np.nan)


def mroas(
    post: Posterior, panel: Panel, start: Day | None = None, end: Day | None = None, *, step: float = SMALL_STEP
) -> Floats:
    """Extra incremental revenue per extra money, shape (draws, channels); NaN where nothing was spent.

    Args:
        post: The fit.
        panel: The data.
        start: First day of the window; the panel's by default.
        end: Last day of the window.
        step: The rise of the window's spend: 0.01 (the default) is the next unit of money to all intents and
            purposes, 0.1 the next tenth of the budget.
    """
    spend = panel.spend[:, _window(panel, start, end)].sum((0, 1))
    extra = -_change(post, panel, _scaled_window(panel, start, end, 1.0 + step)).sum(-1) * panel.kpi_value
    return extra / np.where(spend > 0, spend * step, np.nan)


def response_curve(post: Posterior, panel: Panel, channel: str, multipliers: Sequence[float] | Floats) -> Floats:
    """A channel's contribution were all its spend multiplied, in KPI units, shape (draws, points).

    It is over the whole panel, every period with the effect that the channel had then.
    """
    post.check(panel)
    c = int(panel.channel_index([channel])[0])
    size = post.scales.size * post.scales.outcome
    factors = np.asarray(multipliers, dtype=np.float64)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise DataError("multipliers of spend must be numbers from 0 upwards")
    points = [
        channel_effect(post, panel.exposure * factor, panel.dates, c, lambda e: np.einsum("g,dgt->d", size, e))
        for factor in factors
    ]
    return np.stack(points, axis=1)


def observed_range(panel: Panel, channel: str) -> tuple[float, float]:
    """Least and greatest spend (or exposure, where free) of a period, geos together, in multiples of its mean."""
    c = int(panel.channel_index([channel])[0])
    spend = (panel.spend if panel.spend[..., c].any() else panel.exposure)[..., c].sum(0)
    return float(spend.min() / spend.mean()), float(spend.max() / spend.mean())


def half_life(post: Posterior) -> Floats:
    """Periods until half of a unit of spend's effect has come in, shape (draws, channels).

    For geometric carry-over without an end this is ``log(1/2) / log(decay)``; here the model's own weights are
    cumulated, linear within a period, so that every form and ``l_max`` is served.
    """
    forms = forms_of(post.spec, post.channels)
    weights = adstock_weights(kinds_of(post.spec, post.channels), forms, post.draws)
    reached = np.cumsum(weights, axis=-1)
    at = (reached >= 0.5).argmax(-1)
    here = np.take_along_axis(weights, at[..., None], -1)[..., 0]
    before = np.take_along_axis(reached, at[..., None], -1)[..., 0] - here
    return np.asarray(at + (0.5 - before) / here)


def lift_delta(post: Posterior, panel: Panel, lift: Lift) -> Floats:
    """The model's own value of a test: its simulated outcome change, in KPI units, shape (draws,)."""
    post.check(panel)
    forms = forms_of(post.spec, post.channels)
    rows = rows_of([lift], panel, post.scales, forms.present.shape[1])
    coefficient = post.draws["coefficient"]
    outside = (coefficient * post.scales.size).sum(-1, keepdims=True) / post.scales.size.sum()
    coefficient = np.concatenate([coefficient, outside], axis=-1)
    kinds = kinds_of(post.spec, post.channels)
    size = max(1, BATCH_CELLS // rows.exposure.size)
    then = _then(post, panel, rows)
    parts = []
    for at in range(0, post.size, size):
        batch = {name: values[at : at + size] for name, values in post.draws.items()}
        change = delta(kinds, forms, batch, coefficient[at : at + size], rows)
        parts.append((change if then is None else change * then[at : at + size]).sum(-1))
    return np.concatenate(parts)


def naive_lift_delta(post: Posterior, panel: Panel, lift: Lift) -> Floats:
    """The same as `lift_delta` for a test inside the panel, by two full runs of the model: slow, and its check."""
    place = window_of(lift, panel)
    other = counterfactual_exposure(lift, panel, post.scales)
    keep = np.zeros(panel.shape[:2])
    keep[place.geos, place.read_out] = lift.part * (post.scales.size * post.scales.outcome)[place.geos, None]
    actual = tested_exposure(lift, panel, other)
    total = np.zeros(post.size)
    for c in range(len(panel.channels)):
        for exposure, sign in ((actual, 1.0), (other, -1.0)):
            total += sign * channel_effect(post, exposure, panel.dates, c, lambda e: np.einsum("gt,dgt->d", keep, e))
    return total


def channel_effect(
    post: Posterior,
    exposure: Floats,
    dates: Dates,
    c: int,
    reduce: Callable[[Floats], Floats],
    *,
    seed: int = 0,
) -> Floats:
    """Reduce one channel's scaled effects, shape (draws, geos, periods), batch by batch, to (draws, ...).

    Args:
        post: The fit.
        exposure: Exposure of all channels over any stretch of periods, shape (geos, periods, channels).
        dates: First day of each of these periods: a varying effect is that of its time.
        c: The channel's position.
        reduce: From scaled effects of some draws to what is kept of them.
        seed: Seed of how a varying effect goes on after the fitted panel.
    """
    forms = forms_of(post.spec, post.channels).only(c)
    kinds = kinds_of(post.spec, (post.channels[c],))
    values = {name: post.draws[name][:, [c]] for name in TRANSFORM if name in post.draws}
    weights = adstock_weights(kinds, forms, values)[:, 0]
    x = exposure[..., c] / (post.scales.size[:, None] * post.scales.exposure[c])
    lags = forms.present.shape[1]
    spread = lagged(x, lags).reshape(lags, -1)
    size = max(1, BATCH_CELLS // x.size)
    multiplier = multiplier_at(post, c, dates, seed=seed)
    parts = []

    def response(now: slice) -> Floats:
        half, slope = (values[name][now, :, None] for name in ("half_saturation", "slope"))

        def carried() -> Floats:
            series = (weights[now] @ spread).reshape(-1, *x.shape)
            return np.asarray(saturate(kinds.saturations, forms.code[0], series, half, slope))

        def saturated() -> Floats:
            first = np.asarray(saturate(kinds.saturations, forms.code[0], x, half, slope))
            out = np.zeros_like(first)
            for lag in range(min(lags, x.shape[-1])):
                out[..., lag:] += weights[now, lag, None, None] * first[..., : x.shape[-1] - lag]
            return out

        return np.asarray(in_order(kinds, forms.first[0], carried, saturated))

    for at in range(0, post.size, size):
        now = slice(at, at + size)
        effect = post.draws["coefficient"][now, c, :, None] * response(now)
        parts.append(reduce(effect if multiplier is None else effect * multiplier[now, None]))
    return np.concatenate(parts)


def _window(panel: Panel, start: Day | None, end: Day | None) -> slice:
    first, last = panel.dates[[0, -1]]
    return panel.window(str(first if start is None else start), str(last if end is None else end))


def _scaled_window(panel: Panel, start: Day | None, end: Day | None, factor: float) -> tuple[slice, Floats]:
    window = _window(panel, start, end)
    exposure = panel.exposure.copy()
    exposure[:, window] *= factor
    return window, exposure


def _then(post: Posterior, panel: Panel, rows: Rows) -> Floats | None:
    """The multiplier that each row's channel had in its period, shape (draws, rows); ``None`` where none varies."""
    if not varying_of(post.spec, post.channels):
        return None
    out = np.ones((post.size, len(rows.period)))
    for c in np.unique(rows.channel):
        mine = rows.channel == c
        if (found := multiplier_at(post, int(c), panel.dates[rows.period[mine]])) is not None:
            out[:, mine] = found
    return out


def _change(post: Posterior, panel: Panel, changed: tuple[slice, Floats]) -> Floats:
    """Effect as it was minus that under the changed exposure, over the periods that the window can reach, by geo."""
    post.check(panel)
    window, exposure = changed
    size = post.scales.size * post.scales.outcome
    out = []
    for c, name in enumerate(panel.channels):
        reach = post.spec.channels[name].l_max
        near = slice(max(0, window.start - reach), min(panel.shape[1], window.stop + reach))
        first = window.start - near.start

        def total(effect: Floats, first: int = first) -> Floats:
            return np.asarray(size * effect[..., first:].sum(-1))

        out.append(
            channel_effect(post, panel.exposure[:, near], panel.dates[near], c, total)
            - channel_effect(post, exposure[:, near], panel.dates[near], c, total)
        )
    return np.stack(out, axis=1)
