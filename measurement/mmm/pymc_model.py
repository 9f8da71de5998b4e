"""The model in PyMC: the same specification as the fast engine reads, as the full generative model.

Nothing is integrated out here: the linear terms have coefficients of their own and the national demand its own states,
so that the model can be read, extended, intervened on (`pymc.do`, `pymc.set_data`) and drawn from forwards. Tests hold
its log-density, with linear terms and demand integrated out, equal to that of the fast engine. Names of variables and
dims are the user's: `docs/pymc.md` lists them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from measurement.lift import Lift
from measurement.mmm.design_matrix import design_of
from measurement.mmm.dims import coords_of
from measurement.mmm.prepare import prepare
from measurement.mmm.spec import Spec
from measurement.panel import Panel

if TYPE_CHECKING:
    import pymc

MISSING = "the PyMC model needs PyMC, which is an extra: pip install theodolite[pymc]"


def to_pymc(
    panel: Panel, spec: Spec | None = None, lifts: Sequence[Lift] = (), *, held_back: Sequence[Lift] = ()
) -> "pymc.Model":
    """Build the full generative model.

    Its data container ``exposure`` (geo, period, channel) is what `pymc.set_data` changes for a scenario; coefficients
    always refer to the exposure that the panel holds, so a scenario does not move them.

    Args:
        panel: The data.
        spec: The model; `Spec.default` of the panel when not given.
        lifts: Lift tests that enter the joint likelihood.
        held_back: Lift tests whose cells are left out and whose results stay outside.

    Raises:
        ImportError: Without PyMC, naming the extra to install.
        DataError: With every reason why the spec, the panel and the tests do not go together.
    """
    try:
        import pymc as pm
    except ImportError:
        raise ImportError(MISSING) from None
    from measurement.mmm.pymc_terms import build

    chosen = spec or Spec.default(panel)
    ready = prepare(panel, chosen, lifts, held_back, pad=False)
    design = design_of(chosen, panel, ready.scales, ready.noise, ready.usual)
    coords = coords_of(panel, chosen, design, [lift.experiment_id for lift in lifts], ready.groups)
    with pm.Model(coords=coords) as model:
        build(panel, chosen, ready, design, lifts)
    return model
