"""Forecasts that know no model: what a backtest must beat. Their intervals are their own past errors.

A naive method is asked at every earlier origin of its history, and its error paths there (whole horizons, all geos
together, with both signs) are added to today's forecast. So it is scored as a distribution, as the model is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from measurement.panel import Period
from measurement.plan.horizon import YEAR
from measurement.typing import Floats

CYCLE: dict[Period, int] = {"day": 7, "week": 1, "month": 1}
RECENT: dict[Period, int] = {"day": 91, "week": 13, "month": 3}
FEWEST_ERRORS = 8
MOST_ERRORS = 200


@dataclass(frozen=True, slots=True)
class Naive:
    """One naive method.

    Attributes:
        words: What it says, after "than".
        least: Periods of history that a forecast takes.
        predict: From history (geos, periods) and a horizon to the forecast (geos, horizon).
    """

    words: str
    least: int
    predict: Callable[[Floats, int], Floats]

    def draws(self, history: Floats, horizon: int) -> Floats | None:
        """Its forecast as draws, shape (draws, geos, horizon); ``None`` where the history holds too few past errors."""
        origins = range(self.least, history.shape[1] - horizon + 1)[-MOST_ERRORS:]
        if len(origins) < FEWEST_ERRORS:
            return None
        errors = np.stack([history[:, at : at + horizon] - self.predict(history[:, :at], horizon) for at in origins])
        return np.asarray(self.predict(history, horizon) + np.concatenate([errors, -errors]))


def naives(period: Period) -> dict[str, Naive]:
    """The naive methods of a cadence; the first that the history allows is the reference."""
    year, recent, cycle = YEAR[period], RECENT[period], CYCLE[period]

    def seasonal(history: Floats, horizon: int) -> Floats:
        return np.asarray(history[:, history.shape[1] - year + np.arange(horizon) % year])

    def scaled(history: Floats, horizon: int) -> Floats:
        now, then = history[:, -recent:].sum(axis=1), history[:, -recent - year : -year].sum(axis=1)
        return seasonal(history, horizon) * np.divide(now, then, out=np.ones_like(now), where=then > 0)[:, None]

    def last(history: Floats, horizon: int) -> Floats:
        return np.asarray(history[:, history.shape[1] - cycle + np.arange(horizon) % cycle])

    latest = "last week's days" if cycle > 1 else f"the last {period}"
    return {
        "seasonal_naive": Naive(f"the same {period}s a year before", year, seasonal),
        "seasonal_naive_scaled": Naive(f"the same {period}s a year before, scaled by growth", year + recent, scaled),
        "last_value": Naive(f"repeating {latest}", cycle, last),
    }
