"""Horizon: the periods that are planned, what business as usual would spend in them, and what other spends would bring.

The periods follow the panel. What a plan brings is counted from its first period until its carry-over has run out, so
that money of the last weeks is worth as much as that of the first; what was spent before the plan is carried into it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from measurement.errors import DataError
from measurement.mmm import Posterior
from measurement.mmm.counterfactual import channel_effect
from measurement.panel import Panel, Period
from measurement.periods import periods_after
from measurement.typing import Dates, Floats, Ints

Like = Literal["year_ago", "recent"]

YEAR: dict[Period, int] = {"day": 364, "week": 52, "month": 12}
LONGEST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Horizon:
    """The planned periods and their spend.

    Attributes:
        dates: First day of each period, shape (periods,).
        spend: Money, shape (geos, periods, channels).
        like: Where the spend comes from, in words.
        exposure: What the spend bought, same shape, where that is known; the mean price counts otherwise.
    """

    dates: Dates
    spend: Floats
    like: str
    exposure: Floats | None = None

    @property
    def by_channel(self) -> Floats:
        """Spend of each channel over the whole horizon, shape (channels,)."""
        return np.asarray(self.spend.sum(axis=(0, 1)))


def business_as_usual(panel: Panel, periods: int, like: Like | None = None) -> Horizon:
    """The next periods, spent as the same periods a year ago or as the most recent ones.

    Args:
        panel: The data; the horizon begins where they end.
        periods: How many periods.
        like: ``year_ago`` keeps the season of spend; ``recent`` repeats the last periods. By default a year ago, where
            the panel goes back so far and every channel that is on now was on then.

    Raises:
        DataError: For a horizon of no periods or of more than three panels, and ``year_ago`` without a year of data.
    """
    length, year = panel.shape[1], YEAR[panel.period]
    if not 1 <= periods <= LONGEST * length:
        raise DataError(
            f"found a horizon of {periods} {panel.period}s; 1 to {LONGEST * length} can be planned on {length}"
        )
    old_enough = length >= year and periods <= year
    if like == "year_ago" and not old_enough:
        raise DataError(
            f"found {periods} {panel.period}s to plan as a year ago, on data of {length}: that takes {year} and "
            "plans no more than a year; take the recent ones"
        )
    recent = panel.spend[:, -min(periods, length) :]
    repeated = np.concatenate([recent] * -(-periods // recent.shape[1]), axis=1)[:, :periods]
    dates = following(panel, periods)
    if like == "recent" or not old_enough:
        return Horizon(dates, repeated, f"as in the last {recent.shape[1]} {panel.period}s")
    ago = panel.spend[:, length - year : length - year + periods]
    gone = (repeated.sum(axis=(0, 1)) > 0) & ~(ago.sum(axis=(0, 1)) > 0)
    if like is None and gone.any():
        return Horizon(dates, repeated, f"as in the last {recent.shape[1]} {panel.period}s")
    return Horizon(dates, ago, f"as in the same {panel.period}s a year ago")


def same_periods(panel: Panel, periods: int) -> Ints:
    """Positions in the panel of the periods that stand for the next ones, shape (periods,).

    They are those of a year ago, again and again where more than a year is ahead; the last ones where there is no year.
    """
    length, year = panel.shape[1], YEAR[panel.period]
    span = year if length >= year else min(periods, length)
    return np.asarray(length - span + np.arange(periods) % span)


def following(panel: Panel, periods: int) -> Dates:
    """First days of the periods after the panel, shape (periods,)."""
    return periods_after(panel.dates, panel.period, periods)


def returns(post: Posterior, panel: Panel, horizon: Horizon, factors: Floats, *, by_geo: bool = False) -> Floats:
    """What each channel brings in the horizon beyond spending nothing, were its planned spend multiplied, in KPI units.

    Args:
        post: The fit.
        panel: The data, for the carry-over from before the horizon.
        horizon: The plan.
        factors: Multiples of each channel's planned spend, shape (channels, levels) or (channels, geos, levels).
        by_geo: Whether to keep the geos apart.

    Returns:
        Shape (draws, channels, levels), or (draws, channels, geos, levels) by geo.
    """
    post.check(panel)
    size = post.scales.size * post.scales.outcome

    def total(effect: Floats) -> Floats:
        return np.asarray((size * effect.sum(-1)) if by_geo else np.einsum("g,dgt->d", size, effect))

    found = []
    for c, name in enumerate(panel.channels):
        reach = post.spec.channels[name].l_max
        carried = panel.exposure[:, max(0, panel.shape[1] - reach) :]
        planned = horizon.spend * post.scales.exposure_per_money
        after = np.zeros((len(panel.geos), reach, len(panel.channels)))
        dates = np.concatenate([panel.dates[-carried.shape[1] :], following(panel, len(horizon.dates) + reach)])

        def brings(
            factor: Floats,
            parts: Sequence[Floats] = (carried, planned, after),
            dates: Dates = dates,
            c: int = c,
        ) -> Floats:
            before, plan, rest = parts
            whole = np.concatenate([before, factor[:, None, None] * plan, rest], axis=1)
            return channel_effect(post, whole, dates, c, lambda e: total(e[..., before.shape[1] :]))

        multiples = np.broadcast_to(factors[c], (len(panel.geos), factors.shape[-1])).T
        nothing = brings(np.zeros(len(panel.geos)))
        found.append(np.stack([brings(multiple) - nothing for multiple in multiples], axis=-1))
    return np.stack(found, axis=1)
