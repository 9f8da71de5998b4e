"""Charts of attribution, in Altair, from tidy frames with fixed field names; names are only ever values.

`credit` draws what models say, `journeys` what the paths are like, `sheets` both as one picture; all are reached from
here. The frames come from `attribution.views`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from attribution.charts.credit import models, returns
    from attribution.charts.journeys import flows, path_lengths, time_lags, top_paths, transitions, windows
    from attribution.charts.sheets import of_credit, of_paths

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "credit": ["models", "returns"],
        "journeys": ["flows", "path_lengths", "time_lags", "top_paths", "transitions", "windows"],
        "sheets": ["of_credit", "of_paths"],
    },
)

__all__ = [
    "flows",
    "models",
    "of_credit",
    "of_paths",
    "path_lengths",
    "returns",
    "time_lags",
    "top_paths",
    "transitions",
    "windows",
]
