"""Parameters: their layout in one flat vector, their priors and their links.

Every parameter is ``link(mean + sd * z)`` of a standard normal ``z``. The sampler sees ``z`` only: the log prior is
``-|z|^2 / 2``, no Jacobian is needed and every coordinate starts on the scale of its prior. The size of a channel's
effect is carried by ``log_contribution``, the logarithm of the channel's share of the whole KPI; the iROAS over the
panel is that share times (KPI in money / spend), so an ROI prior is a shifted normal prior here, exactly.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from measurement.mmm.effect_size import raw_prior
from measurement.mmm.likelihood import SHAPES
from measurement.mmm.likelihood_choice import Likelihood
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import PositivePrior, Spec
from measurement.mmm.transforms import ADSTOCKS, SATURATIONS, WITH_HALF, WITH_SLOPE, Forms, Kinds, log_elasticity
from measurement.mmm.variation import steps_of, varying_of
from measurement.panel import Panel
from measurement.typing import Floats

SIGMA = PositivePrior(median=0.1, low=0.01, high=1.0)
EXCESS_NU = PositivePrior(median=5.0, low=0.5, high=50.0)  # degrees of freedom beyond 2, which keep a variance
LEAST_NU = 2.0
DISPERSION = PositivePrior(median=20.0, low=1.0, high=400.0)
AS_THEY_ARE = (
    "log_contribution",
    "drift_step",
    "geo_effect",
    "lift_bias",
    "linear_coordinate",
    "demand_coordinate",
)
"""Blocks without a link."""
LIFT_SPREAD = PositivePrior(median=0.3, low=0.04, high=2.4)


@dataclass(frozen=True)
class Layout:
    """What the flat vector holds; hashable, so that it can key a compiled program.

    Attributes:
        channels: Number of channels.
        geos: Number of geos; a single one has no spread between geos.
        kinds: The forms of carry-over and saturation that occur.
        about: What the priors of the effects' sizes are about (`effect_size.ABOUT`), those that occur.
        tests: Lift tests, padded.
        groups: Groups of tests that share a between-test spread, padded.
        varying: Positions of the channels whose effect varies.
        steps: Quarterly steps of their random walks.
        likelihood: Distribution of the KPI; all but the normal take the full form, in which the vector ends with
        columns: coordinates of the linear terms and
        periods: coordinates of the national demand (`full_form`), both padded.
    """

    channels: int
    geos: int
    kinds: Kinds
    about: tuple[str, ...] = ("roi",)
    tests: int = 0
    groups: int = 0
    varying: tuple[int, ...] = ()
    steps: int = 0
    likelihood: Likelihood = "normal"
    columns: int = 0
    periods: int = 0

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter block, in order."""
        c = (self.channels,)
        shapes: dict[str, tuple[int, ...]] = {"decay": c}
        if "delayed" in self.kinds.adstocks:
            shapes["delay"] = c
        if "weibull" in self.kinds.adstocks:
            shapes |= {"weibull_shape": c, "weibull_scale": c}
        if WITH_HALF & set(self.kinds.saturations):
            shapes["half_saturation"] = c
        if WITH_SLOPE & set(self.kinds.saturations):
            shapes["slope"] = c
        shapes["log_contribution"] = c
        shapes["sigma"] = ()
        if self.varying:
            shapes |= {"drift": (len(self.varying),), "drift_step": (len(self.varying), self.steps)}
        if self.likelihood != "normal":
            shapes[SHAPES[self.likelihood]] = ()
        if self.geos > 1:
            shapes["geo_spread"] = c
            shapes["geo_effect"] = (self.channels, self.geos)
        if self.groups:
            shapes["lift_spread"] = (self.groups,)
            shapes["lift_bias"] = (self.tests,)
        if self.likelihood != "normal":
            shapes |= {"linear_coordinate": (self.columns,), "demand_coordinate": (self.periods,)}
        return shapes

    def start(self, block: str) -> int:
        """Position of a block's first element."""
        shapes = list(self.sizes.items())
        names = [name for name, _ in shapes]
        return int(sum(np.prod(shape, dtype=int) for _, shape in shapes[: names.index(block)]))

    @property
    def plain(self) -> int:
        """How many parameters come before the coordinates of the full form: those that are standard normal a priori."""
        return self.dimension - self.columns - self.periods

    @property
    def dimension(self) -> int:
        """Length of the flat vector."""
        return int(sum(np.prod(shape, dtype=int) for shape in self.sizes.values()))


def layout_of(spec: Spec, panel: Panel, tests: int = 0, groups: int = 0) -> Layout:
    """The layout of a spec for a panel."""
    own = [spec.channels[name] for name in panel.channels]
    varying = varying_of(spec, panel.channels)
    return Layout(
        channels=len(own),
        geos=len(panel.geos),
        kinds=kinds_of(spec, panel.channels),
        about=tuple(sorted({channel.size_prior[0] for channel in own})),
        tests=tests,
        groups=groups,
        varying=varying,
        steps=steps_of(panel.dates) if varying else 0,
        likelihood=spec.likelihood,
    )


def prior_of(layout: Layout, spec: Spec, panel: Panel, scales: Scales, start_sigma: float) -> tuple[Floats, Floats]:
    """Means and standard deviations of the flat vector on the link's scale, each of shape (dimension,).

    Args:
        layout: The layout.
        spec: The model.
        panel: The data.
        scales: Their scales.
        start_sigma: A rough residual standard deviation, the centre of sigma's wide prior.
    """
    own = [spec.channels[name] for name in panel.channels]
    sigma = SIGMA.normal
    normal: dict[str, tuple[Any, Any]] = {
        "decay": _both([channel.decay.normal for channel in own]),
        "delay": _both([channel.delay.normal for channel in own]),
        "half_saturation": _both([channel.half_saturation.normal for channel in own]),
        "slope": _both([channel.steepness.normal for channel in own]),
        "weibull_shape": _both([channel.weibull_shape.normal for channel in own]),
        "weibull_scale": _both([channel.weibull_scale.normal for channel in own]),
        "log_contribution": raw_prior(spec, panel),
        "sigma": (np.log(start_sigma), sigma[1]),
        "drift": _both([own[c].drift.normal for c in layout.varying]) if layout.varying else (0.0, 1.0),
        "drift_step": (0.0, 1.0),
        "nu": EXCESS_NU.normal,
        "dispersion": DISPERSION.normal,
        "linear_coordinate": (0.0, 1.0),
        "demand_coordinate": (0.0, 1.0),
        "geo_spread": spec.geo_spread.normal,
        "geo_effect": (0.0, 1.0),
        "lift_spread": LIFT_SPREAD.normal,
        "lift_bias": (0.0, 1.0),
    }
    return (
        np.concatenate([np.broadcast_to(normal[n][0], shape).ravel() for n, shape in layout.sizes.items()]),
        np.concatenate([np.broadcast_to(normal[n][1], shape).ravel() for n, shape in layout.sizes.items()]),
    )


def standardised(layout: Layout, code: Any, mean: Any, sd: Any, z: Any) -> Any:
    """From the sampler's coordinates to the standard normal ones, both of shape (..., dimension).

    Data tell the marginal effect of a channel better than its contribution, which runs along a ridge with the
    saturation's parameters. So the sampler moves ``log_contribution + log elasticity`` at the mean exposure in place of
    ``log_contribution``: a shift by a function of other coordinates, whose Jacobian is 1. It halves the leapfrog steps.
    """
    return _shifted(layout, code, mean, sd, z, -1.0)


def sampled(layout: Layout, code: Any, mean: Any, sd: Any, standard: Any) -> Any:
    """The inverse of `standardised`."""
    return _shifted(layout, code, mean, sd, standard, 1.0)


def _shifted(layout: Layout, code: Any, mean: Any, sd: Any, z: Any, sign: float) -> Any:
    xp = z.__array_namespace__()
    values = unpack(layout, mean + sd * z)
    shift = log_elasticity(layout.kinds.saturations, code, values["half_saturation"], values["slope"])
    at = layout.start("log_contribution")
    mine = slice(at, at + layout.channels)
    return xp.concat([z[..., :at], z[..., mine] + sign * shift / sd[mine], z[..., mine.stop :]], axis=-1)


def unpack(layout: Layout, raw: Any) -> dict[str, Any]:
    """Split the vector ``mean + sd * z``, shape (..., dimension), into named parameters on their natural scale."""
    xp = raw.__array_namespace__()
    values: dict[str, Any] = {}
    at = 0
    for name, shape in layout.sizes.items():
        length = int(np.prod(shape, dtype=int))
        part = raw[..., at : at + length].reshape((*raw.shape[:-1], *shape))
        at += length
        if name in ("decay", "delay"):
            values[name] = 0.5 + 0.5 * xp.tanh(0.5 * part)
        elif name in AS_THEY_ARE:
            values[name] = part
        elif name == "nu":
            values[name] = LEAST_NU + xp.exp(part)
        else:
            values[name] = xp.exp(part)
    one = xp.ones_like(values["decay"])
    for name in ("delay", "half_saturation", "slope"):
        values.setdefault(name, one)
    return values


def forms_of(spec: Spec, channels: tuple[str, ...]) -> Forms:
    """The forms of a spec's channels, in the panel's order."""
    own = [spec.channels[name] for name in channels]
    l_max = np.array([1 if channel.adstock == "none" else channel.l_max for channel in own])
    names = list(SATURATIONS)
    return Forms(
        carry=np.array([ADSTOCKS.index(channel.adstock) for channel in own], dtype=np.int64),
        peak=(l_max - 1) / 2,
        present=np.arange(l_max.max()) < l_max[:, None],
        code=np.array([names.index(channel.saturation) for channel in own], dtype=np.int64),
        first=np.array([channel.order == "saturation_first" for channel in own]),
    )


def kinds_of(spec: Spec, channels: tuple[str, ...]) -> Kinds:
    """The forms that occur among a spec's channels."""
    own = [spec.channels[name] for name in channels]
    return Kinds(
        adstocks=tuple(sorted({channel.adstock for channel in own})),
        saturations=tuple(sorted({channel.saturation for channel in own})),
        saturate_first=tuple(sorted({channel.order == "saturation_first" for channel in own})),
    )


def _both(pairs: list[tuple[float, float]]) -> tuple[Floats, Floats]:
    means, sds = np.array(pairs, dtype=np.float64).T
    return means, sds
