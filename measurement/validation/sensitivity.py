"""Power-scaling: whose word a channel's number is, the prior's, the series' or the tests'.

Each part of the posterior is raised to a power a little above and below 1 and the draws are weighted accordingly; how
far a number's distribution moves is its sensitivity to that part (Kallioinen, Paananen, Buerkner & Vehtari 2024, Stat.
Comput. 34; the distance and the weights are ArviZ's). Scaled are the priors that a user states (effect size,
carry-over, saturation, spread between geos), not those of linear terms and of single geos, which are parts of the
model. A prior and data that are both felt are no fault in themselves: they conflict where the posterior lies in the
prior's tail too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from measurement.lift import Lift
from measurement.mmm.counterfactual import lift_delta
from measurement.mmm.datatree import size_draws
from measurement.mmm.density import LIFT_DF
from measurement.mmm.dims import BY_CHANNEL, SIZE_NAMES, sized
from measurement.mmm.posterior import Posterior
from measurement.mmm.prepare import tests_of
from measurement.mmm.priors import forms_of, layout_of, prior_of
from measurement.panel import Panel
from measurement.psis import TRUSTED, smoothed
from measurement.typing import Floats, Json
from measurement.validation.collapsed import collapsed_of, residuals_of
from measurement.validation.near import near_of

ALPHAS = (0.99, 1.01)
FELT = 0.05
"""Sensitivity from which a part is felt (Kallioinen et al. 2024)."""
TAIL = 2.0
"""Distance from the prior's median, in its standard deviations, from which the posterior lies in its tail."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one channel's iROAS (contribution, where it costs nothing) hangs on.

    Attributes:
        channel: The channel.
        prior: Sensitivity to all stated priors.
        own_prior: To the prior of its own effect size alone.
        series: To the series.
        tests: To the lift tests; ``None`` where there are none inside.
        looser: The median, were the prior of its effect size half as strong (its sd wider by the root of 2), as a
            multiple of the median as it is; ``None`` where the weights do not reach that far.
        away: Root mean square distance of the effect's size from its prior's median, in the prior's standard
            deviations: 1 where nothing was learnt.
    """

    channel: str
    prior: float
    own_prior: float
    series: float
    tests: float | None
    looser: float | None
    away: float

    @property
    def verdict(self) -> str:
        """``conflict``, ``prior`` (weak data), ``both`` or ``data``: whose word the number is."""
        data, prior = max(self.series, self.tests or 0.0), max(self.prior, self.own_prior)
        if prior < FELT:
            return "data"
        if data < FELT or prior > 2.0 * data:
            return "prior"
        return "conflict" if self.away >= TAIL else "both"

    @property
    def words(self) -> str:
        """The same as a sentence."""
        heard = "the tests" if (self.tests or 0.0) > self.series else "the weeks"
        said = {
            "conflict": f"prior and {heard} contradict each other on '{self.channel}'",
            "prior": f"the number of '{self.channel}' is mostly its prior's",
            "both": f"the number of '{self.channel}' weighs its prior and {heard}",
            "data": f"the number of '{self.channel}' is that of {heard}; the prior hardly matters",
        }[self.verdict]
        if self.looser is None or self.verdict == "data":
            return said
        return f"{said}; with a prior half as strong it would be {self.looser - 1.0:+.0%}"

    def to_dict(self) -> Json:
        """As plain values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"verdict": self.verdict}


def sensitivities(
    post: Posterior, panel: Panel, lifts: Sequence[Lift] = (), *, seed: int = 0
) -> tuple[Sensitivity, ...]:
    """Power-scaling sensitivity of every channel's number.

    Args:
        post: The fit.
        panel: Its panel.
        lifts: The lift tests; those that are not inside the fit are passed over.
        seed: Seed of what the fit integrated out.
    """
    own, rest = log_prior(post, panel, seed=seed)
    inside = [lift for lift in lifts if lift.experiment_id in post.provenance.parents]
    near = near_of(post, panel)
    series = collapsed_of(post, panel, near=near).log_density(residuals_of(post, panel), near.sigma)
    tests = density_of_tests(post, panel, inside) if inside else None
    found = []
    for c, name in enumerate(panel.channels):
        number = post.draws["contribution" if post.spec.channels[name].organic else "iroas"][:, c]
        found.append(
            Sensitivity(
                channel=name,
                prior=_sensitivity(post, number, own.sum(1) + rest),
                own_prior=_sensitivity(post, number, own[:, c]),
                series=_sensitivity(post, number, series),
                tests=None if tests is None else _sensitivity(post, number, tests),
                looser=_looser(number, own[:, c]),
                away=float(np.sqrt(-2.0 * own[:, c].mean())),
            )
        )
    return tuple(found)


def log_prior(post: Posterior, panel: Panel, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Log prior density up to a constant: each channel's effect size, (draws, channels), and all else stated, (draws,).

    Every stated prior is normal in the parameter's link, so that each part is minus half a square.
    """
    layout = layout_of(post.spec, panel)
    mean, sd = prior_of(layout, post.spec, panel, post.scales, post.noise.sigma)

    def squared(name: str, values: Floats) -> Floats:
        place = slice(layout.start(name), layout.start(name) + values.shape[1])
        return np.asarray(((values - mean[place]) / sd[place]) ** 2)

    rest = np.zeros(post.size)
    for name in (*BY_CHANNEL, "drift", "geo_spread"):
        if name in layout.sizes:
            values = post.draws[name]
            link = special.logit(values) if name in ("decay", "delay") else np.log(values)
            rest -= 0.5 * squared(name, link).sum(1)
    own = np.empty((post.size, layout.channels))
    drawn = size_draws(post, panel, np.random.default_rng(seed))
    for about, (_, places) in sized(panel, post.spec).items():
        stated = [post.spec.channels[panel.channels[c]].size_prior[1].normal for c in places]
        centre, width = np.array(stated).T
        own[:, places] = -0.5 * ((np.log(drawn[SIZE_NAMES[about]][1]) - centre) / width) ** 2
    return own, rest


def density_of_tests(post: Posterior, panel: Panel, lifts: Sequence[Lift]) -> Floats:
    """Log-density of all tests inside the fit, up to a constant, shape (draws,).

    Args:
        post: The fit.
        panel: Its panel.
        lifts: The tests in the order of the fit.
    """
    lags = forms_of(post.spec, post.channels).present.shape[1]
    tests, groups = tests_of(lifts, panel, post.spec, post.scales, lags, pad=False)
    made: Mapping[str, Any] = post.draws
    out = np.zeros(post.size)
    for e, lift in enumerate(lifts):
        effect = lift_delta(post, panel, lift)
        scale = np.hypot(lift.std_error, lift.relative_sd * effect)
        bias = 0.0
        if groups and tests is not None:
            bias = tests.spread[e] * made["lift_spread"][:, tests.group[e]] * made["lift_bias"][:, e]
        out += stats.t.logpdf(lift.outcome_change, LIFT_DF, effect + bias, scale)
    return out


def _sensitivity(post: Posterior, number: Floats, log_density: Floats) -> float:
    from arviz_stats.base import array_stats

    shape = (post.chains, -1)
    if np.ptp(log_density) < 1e-12:
        return 0.0
    scaled = [np.asarray(array_stats.power_scale_lw(log_density, alpha=alpha)) for alpha in ALPHAS]
    lower, upper = (np.exp(log - special.logsumexp(log)).reshape(shape) for log in scaled)
    return float(array_stats.power_scale_sense(number.reshape(shape), lower, upper, *ALPHAS))


def _looser(number: Floats, log_density: Floats) -> float | None:
    weight, khat = smoothed(-0.5 * log_density)
    if not khat < TRUSTED:
        return None
    order = np.argsort(number)
    half = int(np.searchsorted(np.cumsum(weight[order]), 0.5))
    return float(number[order][min(half, len(order) - 1)] / np.median(number))
