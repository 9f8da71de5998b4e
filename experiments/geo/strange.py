"""Geos whose read-out has left the range of everything seen before the test: a broken feed, a closed market, a typo.

A geo's movement is the logarithm of its mean KPI in a window over its usual size, less the median of all geos of the
test, so that what moves all of them is nobody's. It is strange where it goes several times as far as the geo itself
ever went before the test in that direction, further than any geo went, and far enough not to be an ordinary change.
Such a geo stays in the comparison, because who leaves out what does not fit decides the result; the reader is told.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.case import Case
from measurement.errors import shown
from measurement.typing import Bools, Floats

LEAST_SHARE = 1e-3
"""A mean below this share of the usual size, or below zero, counts as this share: next to nothing."""
OWN_RANGE = 3.0
FACTOR, TREATED_FACTOR = 2.0, 4.0
"""Smallest change, up or down, that can be strange: of a control, and of a treated geo, which the test should move."""


@dataclass(frozen=True, slots=True)
class Strange:
    """A geo that moved as no geo did before the test.

    Attributes:
        geo: Its name.
        treated: Whether it is treated.
        level: Its mean KPI in the read-out over that of its history.
        others: The median of all geos' levels.
    """

    geo: str
    treated: bool
    level: float
    others: float

    @property
    def words(self) -> str:
        """What was seen, as a sentence without its stop."""
        arm = "treated" if self.treated else "control"
        return (
            f"{arm} geo '{shown(self.geo)}' moved as no geo did before the test: its read-out is {_times(self.level)} "
            f"its usual level, the middle of all geos {_times(self.others)}"
        )

    @property
    def note(self) -> str:
        """What to do about it."""
        return (
            f"'{shown(self.geo)}' is still part of the comparison: check its data, and mend them, or leave it out of "
            "the test's geos where something else than the test moved it"
        )


def strange_geos(case: Case) -> tuple[Strange, ...]:
    """The geos of a test whose mean over the read-out lies outside everything that geos did before.

    Args:
        case: The test.
    """
    units = case.units
    history, after = case.outcome[units, : case.onset], case.outcome[units, case.onset : case.end]
    sizes = np.maximum(np.abs(history).mean(axis=1), np.finfo(np.float64).tiny)
    length = min(after.shape[1], case.onset // 2)
    sums = np.cumsum(np.pad(history, ((0, 0), (1, 0))), axis=1)
    before = _movements((sums[:, length:] - sums[:, :-length]) / length / sizes[:, None])
    levels = after.mean(axis=1) / sizes
    now = _movements(levels[:, None])[:, 0]
    treated = np.isin(units, case.treated)
    least = np.log(np.where(treated, TREATED_FACTOR, FACTOR))
    up, down = (_beyond(sign * now, sign * before, least) for sign in (1.0, -1.0))
    usual = float(np.median(levels))
    return tuple(
        Strange(case.geos[units[row]], bool(treated[row]), float(levels[row]), usual)
        for row in np.flatnonzero(up | down)
    )


def _movements(levels: Floats) -> Floats:
    """Logarithms of levels, shape (geos, windows), less the median geo's of each window."""
    logs = np.log(np.maximum(levels, LEAST_SHARE))
    return np.asarray(logs - np.median(logs, axis=0))


def _beyond(now: Floats, before: Floats, least: Floats) -> Bools:
    """Which geos moved further up than themselves, any other and what is ordinary, shape (geos,)."""
    own = np.maximum(before.max(axis=1), 0.0)
    return np.asarray((now > OWN_RANGE * own) & (now > own.max()) & (now > least))


def _times(level: float) -> str:
    return f"{level:,.0f} times" if level >= 99.5 else f"{level:.2g} times"
