"""What the priors alone say, before any data: as a posterior of independent draws, so that everything reads it.

`counterfactual` then gives the prior's contribution in KPI units and money, its iROAS, mROAS and curves; set beside the
fit it shows what the data have taught.
"""

import numpy as np

from measurement.mmm.diagnostics import Diagnostics
from measurement.mmm.dims import demand_root
from measurement.mmm.effect_size import coefficients, log_share, spread_of
from measurement.mmm.fit import quantities
from measurement.mmm.posterior import Posterior
from measurement.mmm.prepare import Prepared, prepare
from measurement.mmm.priors import unpack
from measurement.mmm.spec import Spec
from measurement.mmm.transforms import respond
from measurement.mmm.variation import multiplier_of, varied
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from measurement.typing import Floats


def prior(panel: Panel, spec: Spec | None = None, *, draws: int = 500, seed: int = 0) -> Posterior:
    """Draw from the prior.

    Args:
        panel: The data that the model is for; of its KPI only level and size are used, as the priors refer to them.
        spec: The model; `Spec.default` of the panel when not given.
        draws: How many draws.
        seed: Seed; the same seed gives the same draws.

    Raises:
        DataError: With every reason why the spec and the panel do not go together.
    """
    chosen = spec or Spec.default(panel)
    ready = prepare(panel, chosen, pad=False)
    z = np.random.default_rng(seed).standard_normal((draws, ready.layout.dimension))
    values = unpack(ready.layout, ready.data.prior_mean + ready.data.prior_sd * z)
    drawn = [_sizes(ready, {name: array[i] for name, array in values.items()}) for i in range(draws)]
    coefficient, share = (np.stack([each[i] for each in drawn]) for i in range(2))
    named, reported = quantities(values, coefficient, share, panel)
    if chosen.likelihood != "normal":
        shocks = values["demand_coordinate"] @ demand_root(ready.noise, panel.shape[1]).T
        named |= {"linear": values["linear_coordinate"], "demand": values["sigma"][:, None] * shocks}
    return Posterior(
        draws=named | reported,
        chains=1,
        start=panel.dates[0] if ready.layout.varying else None,
        channels=panel.channels,
        geos=panel.geos,
        spec=chosen,
        scales=ready.scales,
        counts=ready.counts,
        usual=ready.usual,
        noise=ready.noise,
        diagnostics=Diagnostics(True, 1.0, float(draws), 0, draws, 0.0, 0.0, 0.0, ()),
        provenance=Provenance(
            data=panel.sha256,
            settings={"spec": chosen.to_dict(), "prior_draws": draws},
            seed=seed,
            versions=versions("numpy"),
        ),
    )


def _sizes(ready: Prepared, values: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Coefficients (channels, geos) and log shares (channels,) of one draw."""
    layout, data = ready.layout, ready.data
    exposure = data.exposure.reshape(*data.exposure.shape[:2], layout.geos, -1)
    multiplier = multiplier_of(layout.varying, layout.channels, values, data.basis)
    summed = varied(respond(layout.kinds, data.forms, values, exposure), multiplier).sum(-1)
    spread = spread_of(values, summed)
    weight = data.size * spread
    total = (weight * summed).sum(-1)
    share = log_share(
        layout.kinds, data.forms, data.about, layout.about, values, exposure, multiplier, total, weight, data.cells
    )
    return coefficients(share, total, spread, data.cells), share
