"""Charts of tests, in Altair, from results and tidy frames with fixed field names.

One module per subject: `result` (over time), `evidence` (how sure), `power` (designs), `markets` (who is compared with
whom), `user_level`, `schedule`, `calendar`. All are reached from here.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from experiments.charts.calendar import calendar
    from experiments.charts.evidence import estimates, estimators, placebos
    from experiments.charts.labels import readable
    from experiments.charts.markets import markets
    from experiments.charts.power import choices, cost, power_curve
    from experiments.charts.result import cumulative, fit, gap
    from experiments.charts.schedule import schedule
    from experiments.charts.user_level import arms, sequence

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calendar": ["calendar"],
        "evidence": ["estimates", "estimators", "placebos"],
        "labels": ["readable"],
        "markets": ["markets"],
        "power": ["choices", "cost", "power_curve"],
        "result": ["cumulative", "fit", "gap"],
        "schedule": ["schedule"],
        "user_level": ["arms", "sequence"],
    },
)

__all__ = [
    "arms",
    "calendar",
    "choices",
    "cost",
    "cumulative",
    "estimates",
    "estimators",
    "fit",
    "gap",
    "markets",
    "placebos",
    "power_curve",
    "readable",
    "schedule",
    "sequence",
]
