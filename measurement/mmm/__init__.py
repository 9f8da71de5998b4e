"""The marketing mix model. Importing this package, and reading a posterior, needs no JAX; fitting does."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from measurement.mmm.counterfactual import (
        contribution,
        effects,
        geo_contribution,
        geo_effects,
        half_life,
        iroas,
        lift_delta,
        mroas,
        observed_range,
        response_curve,
    )
    from measurement.mmm.datatree import to_datatree
    from measurement.mmm.diagnostics import Diagnostics
    from measurement.mmm.effect_over_time import EffectOverTime, effect_over_time
    from measurement.mmm.fit import fit
    from measurement.mmm.linear_terms import cell_means, decomposition, fitted, replicated
    from measurement.mmm.posterior import Posterior
    from measurement.mmm.prior import prior
    from measurement.mmm.pymc_model import to_pymc
    from measurement.mmm.sampling import Progress, Sampling
    from measurement.mmm.spec import ChannelSpec, PositivePrior, RoiPrior, Spec, TreatmentSpec, UnitPrior

_COUNTERFACTUAL = [
    "contribution",
    "effects",
    "geo_contribution",
    "geo_effects",
    "half_life",
    "iroas",
    "lift_delta",
    "mroas",
    "observed_range",
    "response_curve",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "counterfactual": _COUNTERFACTUAL,
        "datatree": ["to_datatree"],
        "diagnostics": ["Diagnostics"],
        "effect_over_time": ["EffectOverTime", "effect_over_time"],
        "fit": ["fit"],
        "linear_terms": ["cell_means", "decomposition", "fitted", "replicated"],
        "posterior": ["Posterior"],
        "prior": ["prior"],
        "pymc_model": ["to_pymc"],
        "sampling": ["Progress", "Sampling"],
        "spec": ["ChannelSpec", "PositivePrior", "RoiPrior", "Spec", "TreatmentSpec", "UnitPrior"],
    },
)

__all__ = [
    "ChannelSpec",
    "Diagnostics",
    "EffectOverTime",
    "PositivePrior",
    "Posterior",
    "Progress",
    "RoiPrior",
    "Sampling",
    "Spec",
    "TreatmentSpec",
    "UnitPrior",
    "cell_means",
    "contribution",
    "decomposition",
    "effect_over_time",
    "effects",
    "fit",
    "fitted",
    "geo_contribution",
    "geo_effects",
    "half_life",
    "iroas",
    "lift_delta",
    "mroas",
    "observed_range",
    "prior",
    "replicated",
    "response_curve",
    "to_datatree",
    "to_pymc",
]
