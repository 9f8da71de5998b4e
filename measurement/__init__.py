"""Ground floor: what is measured and the model of it — tables, panel, metrics, estimates, store, simulation, MMM."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from measurement.errors import DataError, DesignError, FitError, Problem, StoreError, TheodoliteError
    from measurement.estimate import Estimate
    from measurement.lift import Lift
    from measurement.panel import Panel
    from measurement.provenance import Provenance
    from measurement.version import __version__

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["DataError", "DesignError", "FitError", "Problem", "StoreError", "TheodoliteError"],
        "estimate": ["Estimate"],
        "lift": ["Lift"],
        "panel": ["Panel"],
        "provenance": ["Provenance"],
        "version": ["__version__"],
    },
)

__all__ = [
    "DataError",
    "DesignError",
    "Estimate",
    "FitError",
    "Lift",
    "Panel",
    "Problem",
    "Provenance",
    "StoreError",
    "TheodoliteError",
    "__version__",
]
