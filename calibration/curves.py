"""What a fit's response curves say: returns by window, at the margin, by market, and what each test would have read.

A channel's effect is proportional to its coefficient, so ratios of these returns hang on the shape of its curves only:
the reconciliation takes the level from all sources together, and the ratios from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from calibration.evidence import Evidence
from calibration.sources import Attributed
from measurement import mmm
from measurement.lift import Lift
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.typing import Floats

DRAWS = 500
"""Draws of the curves: as many of the fit's, evenly taken, are enough for ratios."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Draws of shape (draws, channels), joint; and per test (draws, channels of the test).

    Attributes:
        iroas: Over the whole panel.
        window: Over the view's window.
        credited: Over attribution's window.
        mroas: Return of the next unit of money, over the view's window.
        change: Per test, its simulated outcome change by channel, KPI units.
    """

    iroas: Floats
    window: Floats
    credited: Floats
    mroas: Floats
    change: tuple[Floats, ...]

    @classmethod
    def of(
        cls,
        posterior: Posterior,
        panel: Panel,
        evidence: Sequence[Evidence],
        window: slice,
        attributed: Attributed | None,
    ) -> "Curves":
        """Run a fit (thinned to `DRAWS` before) on the windows and the tests."""
        whole = mmm.iroas(posterior, panel)
        first, last = days(panel, window)
        every = window == slice(0, len(panel.dates))
        return cls(
            iroas=whole,
            window=whole if every else mmm.iroas(posterior, panel, first, last),
            credited=whole if attributed is None else mmm.iroas(posterior, panel, attributed.start, attributed.end),
            mroas=mmm.mroas(posterior, panel, first, last),
            change=tuple(changes_by_channel(posterior, panel, item.lift) for item in evidence),
        )


def days(panel: Panel, window: slice) -> tuple[date, date]:
    """First day of the first and of the last period of a window."""
    first, last = (panel.dates[i].astype("datetime64[D]").item() for i in (window.start, window.stop - 1))
    return first, last


def changes_by_channel(posterior: Posterior, panel: Panel, lift: Lift) -> Floats:
    """A test's simulated outcome change by channel, shape (draws, channels of the test), KPI units; they add up."""
    alone = [
        replace(
            lift,
            channels=(name,),
            counterfactual_spend=lift.counterfactual_spend[..., [i]],
            actual_spend=None if lift.actual_spend is None else lift.actual_spend[..., [i]],
        )
        for i, name in enumerate(lift.channels)
    ]
    return np.stack([mmm.lift_delta(posterior, panel, single) for single in alone], axis=1)


def log_ratio(part: Floats, whole: Floats) -> Floats:
    """Log of a part's return over the whole's, draw by draw; 0 where either is none (nothing was spent)."""
    with np.errstate(all="ignore"):
        ratio = np.log(np.maximum(part, 1e-12) / np.maximum(whole, 1e-12))
    return np.where(np.isfinite(part) & np.isfinite(whole) & np.isfinite(ratio), ratio, 0.0)
