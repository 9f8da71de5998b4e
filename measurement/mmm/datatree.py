"""A fit's draws as a data tree, under the names and dims of the PyMC model: for ArviZ, and for PyMC to read.

The fast engine integrates out the linear terms and the demand, and keeps each geo's coefficient in place of the
variables behind it. All of these are drawn here from their exact conditional distributions, so that the tree holds
draws from the joint posterior of the whole generative model. Needs neither JAX nor PyMC.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from measurement.mmm.counterfactual import effects
from measurement.mmm.dims import BY_CHANNEL, SIZE_NAMES, coords_of, demand_root, paid, sized, varying
from measurement.mmm.effect_size import raw_prior
from measurement.mmm.likelihood import SHAPES
from measurement.mmm.linear_terms import linear_draws
from measurement.mmm.posterior import Posterior
from measurement.mmm.priors import LEAST_NU, forms_of, kinds_of, layout_of
from measurement.mmm.transforms import MARGINALS, SATURATIONS, lagged, respond
from measurement.mmm.variation import STEP, multiplier_at, varied
from measurement.panel import Panel
from measurement.typing import Floats

if TYPE_CHECKING:
    import xarray as xr

Named = dict[str, tuple[tuple[str, ...], Floats]]


def to_datatree(post: Posterior, panel: Panel, *, seed: int = 0) -> "xr.DataTree":
    """The draws as ArviZ and PyMC read them.

    Args:
        post: The fit.
        panel: Its panel.
        seed: Seed of what is drawn here.

    Returns:
        A tree with the groups ``posterior`` (every variable of `to_pymc`'s model that is not data; the deterministic
        ones ``iroas, contribution, coefficient, effect, demand, multiplier`` too), ``observed_data`` and
        ``constant_data``.

    Raises:
        DataError: Where the panel is not that of the fit.
    """
    import xarray as xr

    post.check(panel)
    rng = np.random.default_rng(seed)
    drawn = linear_draws(post, panel, seed=seed)
    sizes = layout_of(post.spec, panel).sizes
    values: Named = {name: (("channel",), post.draws[name]) for name in BY_CHANNEL if name in sizes}
    values |= size_draws(post, panel, rng) | {"sigma": ((), post.draws["sigma"])}
    moving, places = varying(panel, post.spec)
    if places:
        steps = np.diff(post.draws["log_multiplier"], axis=-1) / (STEP * post.draws["drift"][..., None])
        values |= {"drift": ((moving,), post.draws["drift"]), "drift_step": ((moving, "quarter"), steps)}
        path = [multiplier_at(post, c, panel.dates) for c in places]
        values["multiplier"] = ((moving, "period"), np.stack([each for each in path if each is not None], axis=1))
    for name in SHAPES.values():
        if name in post.draws:
            values[name] = ((), post.draws[name])
    if "nu" in post.draws:
        values["nu_excess"] = ((), post.draws["nu"] - LEAST_NU)
    groups = 0
    if "lift_spread" in post.draws:
        groups = post.draws["lift_spread"].shape[1]
        values["lift_spread"] = (("test_group",), post.draws["lift_spread"])
        values["lift_bias"] = (("test",), post.draws["lift_bias"])
    shock = np.linalg.solve(demand_root(post.noise, panel.shape[1]), drawn.demand.T).T
    values["demand_shock"] = (("period",), shock / post.draws["sigma"][:, None])
    values["demand"] = (("period",), drawn.demand)
    design, geos = drawn.design, len(panel.geos)
    first, middle = design.national.shape[1], design.local.shape[1] * geos
    national, local, cells = np.split(drawn.coefficients, [first, first + middle], axis=1)
    values["national_coefficient"] = (("national_term",), national)
    if design.local_labels:
        values["local_coefficient"] = (("geo", "local_term"), local.reshape(post.size, geos, -1))
    if design.cells_labels:
        values["cell_coefficient"] = (("cell_term",), cells)
    dim, bought = paid(panel, post.spec)
    if bought:
        values["iroas"] = ((dim,), post.draws["iroas"][:, bought])
    values["contribution"] = (("channel",), post.draws["contribution"])
    values["coefficient"] = (("channel", "geo"), post.draws["coefficient"])
    values["effect"] = (("channel", "period"), effects(post, panel))
    coords = coords_of(panel, post.spec, design, post.provenance.parents if groups else (), groups)
    return xr.DataTree.from_dict(
        {
            "posterior": _dataset(post.chains, values, coords),
            "observed_data": xr.Dataset(
                {"outcome": (("geo", "period"), panel.outcome)}, _only(coords, "geo", "period")
            ),
            "constant_data": xr.Dataset(
                {"exposure": (("geo", "period", "channel"), panel.exposure)},
                _only(coords, "geo", "period", "channel"),
            ),
        }
    )


def _only(coords: dict[str, Any], *dims: str) -> dict[str, Any]:
    return {dim: coords[dim] for dim in dims}


def _dataset(chains: int, values: Named, coords: dict[str, Any]) -> "xr.Dataset":
    import xarray as xr

    variables = {
        name: (("chain", "draw", *dims), array.reshape(chains, -1, *array.shape[1:]))
        for name, (dims, array) in values.items()
    }
    used = {dim for dims, _ in values.values() for dim in dims}
    length = next(iter(variables.values()))[1].shape[1]
    own = {"chain": np.arange(chains), "draw": np.arange(length)}
    return xr.Dataset(variables, own | {dim: at for dim, at in coords.items() if dim in used}, _made())


def _made() -> dict[str, Any]:
    return {"inference_library": "theodolite", "sample_dims": ["chain", "draw"]}


def size_draws(post: Posterior, panel: Panel, rng: np.random.Generator) -> Named:
    """The quantity that each channel's prior is about and, on geo panels, the geos' standard normal variables.

    A geo's coefficient is ``exp(v + tau z)`` times what does not depend on ``z``. The coefficients tell ``tau`` times
    the deviations of ``z`` from its mean over geos; that mean has no bearing on the data and its conditional is normal:
    the prior, ``N(0, 1 / geos)``, unless the channel's own prior is about ``v``, which then is
    ``N(mean, sd^2)`` a priori with ``v + tau mean(z)`` known.
    """
    log_coefficient, geos = np.log(post.draws["coefficient"]), len(panel.geos)
    centre = log_coefficient.mean(-1)
    tau = post.draws["geo_spread"] if geos > 1 else np.zeros_like(centre)
    shared = rng.standard_normal(centre.shape)
    typical = centre.copy()
    if geos > 1:
        mean, sd = raw_prior(post.spec, panel)
        wide = tau**2 / geos
        typical = (mean * wide + centre * sd**2) / (wide + sd**2) + np.sqrt(wide * sd**2 / (wide + sd**2)) * shared
    z_mean = shared / np.sqrt(geos)
    named: Named = {}
    for about, (dim, places) in sized(panel, post.spec).items():
        if about == "roi":
            size = post.draws["iroas"][:, places]
        elif about == "mroi":
            size = post.draws["iroas"][:, places] * np.stack([_elasticity(post, panel, c) for c in places], axis=1)
        elif about == "contribution":
            size = post.draws["contribution"][:, places] / panel.outcome.sum()
        else:
            size = np.exp(typical[:, places])
            if geos > 1:
                z_mean[:, places] = (centre - typical)[:, places] / tau[:, places]
        named[SIZE_NAMES[about]] = ((dim,), size)
    if geos > 1:
        effect = (log_coefficient - centre[..., None]) / tau[..., None] + z_mean[..., None]
        named |= {"geo_spread": (("channel",), tau), "geo_effect": (("channel", "geo"), effect)}
    return named


def _elasticity(post: Posterior, panel: Panel, c: int) -> Floats:
    """What one per cent more of a channel's exposure in every cell adds to its effect, in per cent, shape (draws,)."""
    forms, kinds = forms_of(post.spec, post.channels).only(c), kinds_of(post.spec, (post.channels[c],))
    exposure = lagged(post.scales.scaled_exposure(panel.exposure)[[c]], forms.present.shape[1])
    own = {name: post.draws[name][:, [c]] for name in BY_CHANNEL if name in post.draws}
    moved = multiplier_at(post, c, panel.dates)
    out = np.empty(post.size)
    for i, coefficient in enumerate(post.draws["coefficient"][:, c]):
        values = {name: array[i] for name, array in own.items()}
        effect, marginal = (
            (post.scales.size * coefficient)
            @ varied(respond(kinds, forms, values, exposure, table), None if moved is None else moved[[i]])[0].sum(-1)
            for table in (SATURATIONS, MARGINALS)
        )
        out[i] = marginal / effect
    return out
