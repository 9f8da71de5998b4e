"""Whether a fitted model may be believed: what it predicts, what it misses, what the data taught it, and a verdict.

`validate` asks everything of one fit; `loo`, `lfo`, `predictive`, `residuals`, `shifts` and `sensitivities` are its
parts. `backtest` fits the past anew; `compare` sets models of the same data side by side.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from measurement.validation.backtest import backtest
    from measurement.validation.backtested import Backtest
    from measurement.validation.candidates import Candidate, candidates
    from measurement.validation.compare import compare
    from measurement.validation.compared import Comparison
    from measurement.validation.lfo import Lfo, lfo
    from measurement.validation.loo import Loo, loo
    from measurement.validation.predictive import Predictive, predictive
    from measurement.validation.residuals import Residuals, residuals
    from measurement.validation.sensitivity import Sensitivity, sensitivities
    from measurement.validation.shift import Shift, shifts
    from measurement.validation.validate import Validation, validate
    from measurement.validation.verdict import Reason

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "backtest": ["backtest"],
        "backtested": ["Backtest"],
        "candidates": ["Candidate", "candidates"],
        "compare": ["compare"],
        "compared": ["Comparison"],
        "lfo": ["Lfo", "lfo"],
        "loo": ["Loo", "loo"],
        "predictive": ["Predictive", "predictive"],
        "residuals": ["Residuals", "residuals"],
        "sensitivity": ["Sensitivity", "sensitivities"],
        "shift": ["Shift", "shifts"],
        "validate": ["Validation", "validate"],
        "verdict": ["Reason"],
    },
)

__all__ = [
    "Backtest",
    "Candidate",
    "Comparison",
    "Lfo",
    "Loo",
    "Predictive",
    "Reason",
    "Residuals",
    "Sensitivity",
    "Shift",
    "Validation",
    "backtest",
    "candidates",
    "compare",
    "lfo",
    "loo",
    "predictive",
    "residuals",
    "sensitivities",
    "shifts",
    "validate",
]
