"""Names, dims and coordinates of the generative model: what the PyMC model and `datatree` agree on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from measurement.mmm.design_matrix import Design, Label
from measurement.mmm.effect_size import ABOUT
from measurement.mmm.noise import Noise
from measurement.mmm.spec import Spec
from measurement.mmm.variation import steps_of, varying_of
from measurement.panel import Panel
from measurement.typing import Floats

SIZE_NAMES = {
    "roi": "roi",
    "mroi": "marginal_roi",
    "contribution": "contribution_share",
    "coefficient": "typical_coefficient",
}
"""The variable that a prior of each kind is about."""
BY_CHANNEL = ("decay", "delay", "weibull_shape", "weibull_scale", "half_saturation", "slope")
"""The parameters of carry-over and saturation, all of dim channel."""


def coords_of(panel: Panel, spec: Spec, design: Design, tests: Sequence[str], groups: int) -> dict[str, Any]:
    """The model's coordinates, by dim.

    Args:
        panel: The data.
        spec: The model.
        design: Its linear terms.
        tests: Ids of the lift tests.
        groups: How many groups of tests share a between-test spread.
    """
    coords: dict[str, Any] = {
        "channel": list(panel.channels),
        "geo": list(panel.geos),
        "period": panel.dates.astype("datetime64[D]"),
        "national_term": _named(design.national_labels),
    }
    if design.local_labels:
        coords["local_term"] = _named(design.local_labels)
    if design.cells_labels:
        coords["cell_term"] = _named(design.cells_labels)
    if tests:
        coords["test"] = list(tests)
    if groups:
        coords["test_group"] = list(range(groups))
    subsets = [*sized(panel, spec).values(), paid(panel, spec), varying(panel, spec)]
    if varying(panel, spec)[1]:
        coords["quarter"] = list(range(steps_of(panel.dates)))
    return coords | {dim: [panel.channels[c] for c in places] for dim, places in subsets if places}


def sized(panel: Panel, spec: Spec) -> dict[str, tuple[str, list[int]]]:
    """For every kind of prior that occurs: the dim of its variable and the positions of its channels."""
    kinds = [spec.channels[name].size_prior[0] for name in panel.channels]
    return {
        about: _subset(f"{SIZE_NAMES[about]}_channel", [kind == about for kind in kinds])
        for about in ABOUT
        if about in kinds
    }


def paid(panel: Panel, spec: Spec) -> tuple[str, list[int]]:
    """Dim and positions of the channels that cost money, and so have an iROAS."""
    return _subset("paid_channel", [not spec.channels[name].organic for name in panel.channels])


def varying(panel: Panel, spec: Spec) -> tuple[str, list[int]]:
    """Dim and positions of the channels whose effect varies over time."""
    places = varying_of(spec, panel.channels)
    return _subset("varying_channel", [c in places for c in range(len(panel.channels))])


def demand_root(noise: Noise, periods: int) -> Floats:
    """Lower-triangular root of the national demand's covariance at sigma = 1, shape (periods, periods).

    ``d[0] = sqrt(ratio) z[0]``, ``d[t] = persistence d[t-1] + sqrt(ratio (1 - persistence^2)) z[t]``.
    """
    lag = np.arange(periods)[:, None] - np.arange(periods)
    root = np.where(lag >= 0, noise.persistence ** np.maximum(lag, 0), 0.0)
    root[:, 1:] *= np.sqrt(1.0 - noise.persistence**2)
    return np.asarray(np.sqrt(noise.ratio) * root)


def _subset(dim: str, member: Sequence[bool]) -> tuple[str, list[int]]:
    """Channels that are members; all of them are the dim ``channel`` itself."""
    return "channel" if all(member) else dim, [c for c, found in enumerate(member) if found]


def _named(labels: Sequence[Label]) -> list[str]:
    """Labels as text; those that occur more than once (bends of the trend) are numbered."""
    plain = [f"{term}: {name}" for term, name in labels]
    return [f"{name} {plain[: at + 1].count(name)}" if plain.count(name) > 1 else name for at, name in enumerate(plain)]
