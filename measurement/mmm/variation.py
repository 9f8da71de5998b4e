"""Effects that change slowly: a channel's multiplier over time, a random walk on the log scale.

The log multiplier of a varying channel c at time t, in quarters of a year after the panel's first day, is

    m_c(t) = drift_c sum_k 1/2 clip(t - k, 0, 1) w_ck - (its mean over the panel's periods),      w_ck ~ N(0, 1)

a random walk at knots a quarter apart, linear between them. Four steps of standard deviation drift / 2 make a year, so
that ``drift`` is the standard deviation of the log effect's change within a year. All geos share it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from measurement.mmm.posterior import Posterior
from measurement.mmm.spec import Spec
from measurement.typing import Dates, Floats

QUARTER = 365.25 / 4  # days
STEP = 0.5  # standard deviation of a quarter's step, in drifts


def varying_of(spec: Spec, channels: tuple[str, ...]) -> tuple[int, ...]:
    """Positions of the channels whose effect varies."""
    return tuple(c for c, name in enumerate(channels) if spec.channels[name].varies == "slow")


def quarters_after(start: np.datetime64, dates: Dates) -> Floats:
    """How many quarters of a year each date lies after ``start``, shape of ``dates``."""
    days = (dates.astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    return np.asarray(days / QUARTER)


def steps_of(dates: Dates) -> int:
    """How many quarterly steps the walk takes within a panel; the last may end after it."""
    return max(1, int(np.ceil(quarters_after(dates[0], dates[-1:])[0])))


def knots_of(dates: Dates) -> Floats:
    """From the steps to the log multiplier at the knots, for a drift of 1, shape (steps + 1, steps)."""
    steps = steps_of(dates)
    walk = STEP * np.tril(np.ones((steps + 1, steps)), -1)
    return walk - between(quarters_after(dates[0], dates), steps + 1).mean(0) @ walk


def between(quarters: Floats, knots: int) -> Floats:
    """Weights of the knots at some times, linear between two of them, shape (times, knots).

    Before the first knot the value is the first's, after the last one the last's.
    """
    at = np.clip(quarters, 0.0, knots - 1.0)
    return np.asarray(np.maximum(1.0 - np.abs(at[:, None] - np.arange(knots)), 0.0))


def basis_of(dates: Dates) -> Floats:
    """From the steps to the log multiplier at a panel's periods, for a drift of 1, shape (periods, steps)."""
    knots = knots_of(dates)
    return np.asarray(between(quarters_after(dates[0], dates), len(knots)) @ knots)


def multiplier_of(varying: tuple[int, ...], channels: int, values: Mapping[str, Any], basis: Any) -> Any:
    """Each channel's multiplier in every period, shape (channels, periods); ``None`` where no channel varies.

    Args:
        varying: Positions of the varying channels.
        channels: How many channels there are.
        values: Of one draw: ``drift``, shape (varying,), and ``drift_step``, shape (varying, steps).
        basis: `basis_of` the panel.
    """
    if not varying:
        return None
    path = values["drift"][:, None] * (values["drift_step"] @ basis.T)
    xp = path.__array_namespace__()
    one = xp.ones_like(path[0])
    return xp.stack([xp.exp(path[varying.index(c)]) if c in varying else one for c in range(channels)])


def varied(response: Any, multiplier: Any) -> Any:
    """A response of shape (channels, geos, periods) times the channels' multipliers, where any vary."""
    return response if multiplier is None else response * multiplier[:, None, :]


def multiplier_at(post: Posterior, c: int, dates: Dates, *, seed: int = 0) -> Floats | None:
    """A channel's multiplier at some dates, shape (draws, dates); ``None`` where its effect does not vary.

    After the last knot the random walk goes on from its last value by steps drawn from their prior; before the panel
    the effect is that of its first day.

    Args:
        post: The fit.
        c: The channel's position.
        dates: First day of each period.
        seed: Seed of the steps after the last knot; the same seed gives the same walk, whatever dates are asked for.
    """
    varying = varying_of(post.spec, post.channels)
    if c not in varying or post.start is None:
        return None
    place = varying.index(c)
    path, quarters = post.draws["log_multiplier"][:, place], quarters_after(post.start, dates)
    further = max(0, int(np.ceil(quarters.max())) - path.shape[1] + 1)
    if further:
        shocks = np.random.default_rng([seed, 2, c]).standard_normal((further, post.size)).T
        steps = STEP * post.draws["drift"][:, [place]] * shocks
        path = np.concatenate([path, path[:, -1:] + np.cumsum(steps, axis=1)], axis=1)
    return np.asarray(np.exp(path @ between(quarters, path.shape[1]).T))
