"""Periods: what each period of a channel's plan may spend, in the user's words and in money."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from measurement.errors import Problem, refuse, shown
from measurement.panel import Panel
from measurement.plan.horizon import Horizon
from measurement.plan.timing import Window
from measurement.typing import Ints


@dataclass(frozen=True, slots=True)
class Periods:
    """Limits on the periods of one channel; multiples are those of its average planned period.

    Attributes:
        low: Least multiple a period spends.
        high: Greatest multiple.
        least: Least money of a period.
        most: Greatest money.
        ramp: Largest change from one period to the next, as a multiple; the first change is from the last period of
            the data.
        pulses: Whether a period may also spend nothing at all, whatever its least.
        dark: First days of periods that spend nothing.
        fixed: Money of periods that is settled, by their first day.
    """

    low: float | None = 0.5
    high: float | None = 2.0
    least: float | None = None
    most: float | None = None
    ramp: float | None = None
    pulses: bool = False
    dark: frozenset[date] = frozenset()
    fixed: Mapping[date, float] = field(default_factory=dict)


def window_of(limits: Periods, panel: Panel, plan: Horizon, channel: str, total: float) -> Window:
    """The limits of a channel's periods in money.

    Raises:
        DataError: For days that begin no period of the plan, numbers that are not allowed, and bounds that cannot hold
            the total.
    """
    name, mean = shown(channel), total / len(plan.dates)
    problems = [
        Problem(
            f"channel '{name}': {shown(day)} begins no {panel.period} of the plan, which runs from {_day(plan, 0)} to "
            f"{_day(plan, -1)}",
            code="unknown-date",
        )
        for day in sorted({*limits.dark, *limits.fixed})
        if not np.isin(np.datetime64(day), plan.dates)
    ]
    for few, many, unit in ((limits.low, limits.high, "times the average period"), (limits.least, limits.most, "")):
        if (few or 0.0) < 0 or (many is not None and many < (few or 0.0)):
            words = f"channel '{name}': a period may spend {few} to {many} {unit or panel.currency}"
            problems.append(Problem(f"{words}: 0 <= low <= high is needed", code="bound"))
    if limits.ramp is not None and not limits.ramp > 0:
        problems.append(Problem(f"channel '{name}': found a ramp of {limits.ramp:g}; it is above 0", code="ramp"))
    problems += [
        Problem(f"channel '{name}': {day} is to spend nothing and {limits.fixed[day]:g}", code="bound")
        for day in sorted(limits.dark & set(limits.fixed))
    ]
    problems += [
        Problem(f"channel '{name}': found {money:g} {panel.currency} fixed on {day}; it is 0 or more", code="bound")
        for day, money in limits.fixed.items()
        if not (np.isfinite(money) and money >= 0)
    ]
    refuse(problems)
    low = np.full(len(plan.dates), max((limits.low or 0.0) * mean, limits.least or 0.0))
    highs = [
        total,
        *([] if limits.high is None else [limits.high * mean]),
        *([] if limits.most is None else [limits.most]),
    ]
    high = np.maximum(np.full(len(plan.dates), min(highs)), low)
    pause = np.full(len(plan.dates), limits.pulses)
    settled = dict.fromkeys(limits.dark, 0.0) | dict(limits.fixed)
    at = _positions(plan, list(settled))
    low[at] = high[at] = list(settled.values())
    pause[at] = False
    least, most = float(np.where(pause, 0.0, low).sum()), float(high.sum())
    if not least <= total * (1 + 1e-9) or not most >= total * (1 - 1e-9):
        words = (
            f"channel '{name}': its periods may spend {least:,.0f} to {most:,.0f} {panel.currency} in all, and "
            f"{total:,.0f} are planned: widen the bounds of the periods or change the money"
        )
        refuse([Problem(words, code="budget-total")])
    c = panel.channels.index(channel)
    return Window(
        low=low,
        high=high,
        least=total,
        most=total,
        ramp=np.inf if limits.ramp is None else limits.ramp * mean,
        before=None if limits.ramp is None else float(panel.spend[:, -1, c].sum()),
        pause=pause if pause.any() else None,
    )


def _positions(plan: Horizon, days: list[date]) -> Ints:
    return np.searchsorted(plan.dates, np.array(days, dtype="datetime64[D]"))


def _day(plan: Horizon, at: int) -> str:
    return str(plan.dates.astype("datetime64[D]")[at])
