"""The roof: where the model, the lift tests and attribution meet — evidence, calibration, conflict, reconciliation."""

from typing import TYPE_CHECKING

import lazy_loader

import measurement

if "TheodoliteError" not in getattr(measurement, "__all__", ()):
    raise ImportError(
        f"the package 'measurement' found at {getattr(measurement, '__file__', None)} is not Theodolite's: "
        "another distribution installs that name too; remove it, or give Theodolite an environment of its own"
    )

if TYPE_CHECKING:
    from calibration.calibrated_fit import Calibration, calibrate
    from calibration.conflict import Conflict
    from calibration.evidence import Evidence, gather, to_evidence, to_lift
    from calibration.evidence_model import MethodPriors
    from calibration.quantity import Quantity
    from calibration.reconciliation import reconcile
    from calibration.second_reading import readings
    from calibration.view import ChannelView, View

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calibrated_fit": ["Calibration", "calibrate"],
        "conflict": ["Conflict"],
        "evidence": ["Evidence", "gather", "to_evidence", "to_lift"],
        "evidence_model": ["MethodPriors"],
        "reconciliation": ["reconcile"],
        "second_reading": ["readings"],
        "quantity": ["Quantity"],
        "view": ["ChannelView", "View"],
    },
)

__all__ = [
    "Calibration",
    "ChannelView",
    "Conflict",
    "Evidence",
    "MethodPriors",
    "Quantity",
    "View",
    "calibrate",
    "gather",
    "readings",
    "reconcile",
    "to_evidence",
    "to_lift",
]
