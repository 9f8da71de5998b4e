"""What a credited unit really brought: factors between lift tests and the credit given to what they tested.

A test of channel c measured ``L_e``; attribution credits ``A_e`` to the same. Then ``L_e ~ Normal(theta[c] A_e,
s_e^2 + (r_e theta[c] A_e)^2)``, with ``s_e`` its standard error and ``r_e`` what its grade, its age (drift) and the
credit's own bootstrap leave open. ``log theta[c] ~ Normal(mu[type of c], tau^2)``: channels pool toward their type (how
far spend follows demand). Where a test cannot tell a channel's effect from zero, lift may be zero or negative: there
``theta[c]`` itself is Normal around ``exp(mu)``.

Given ``tau`` and ``mu`` channels are independent and one-dimensional, so everything is integrated on grids: no chains,
the same inputs and seed give the same draws. Formulas: ``docs/math_attribution.md``. This is not the reconciliation's
incrementality factor, which also hears the MMM (`calibration.reconciliation`); here only tests speak.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from calibration.evidence_model import MethodPriors, lognormal
from calibration.sources import Z90
from measurement.typing import Floats, Ints, Json

KINDS = ("no", "some", "strong")
LOGS = np.linspace(-6.0, 3.0, 361)
"""Grid of log factors."""
PLAIN = np.linspace(-3.0, 6.0, 721)
"""Grid of factors where lift may be zero or negative."""
NEAR_ZERO = 0.25
"""Further sd of such a factor: zero is never out of reach."""
SPREADS, MEANS = 16, 81


@dataclass(frozen=True, slots=True)
class TestedCredit:
    """A test and what attribution credits to the same geos, window and change of spend; both signed, in money.

    Attributes:
        experiment_id: The test.
        channel: Its channel.
        lift: What it measured.
        std_error: Its standard error.
        relative_sd: Further sd as a share of the true effect: grade, age, bootstrap of the credit.
        credit: What attribution credits.
        where: Whose credit it is, in words.
    """

    __test__ = False

    experiment_id: str
    channel: str
    lift: float
    std_error: float
    relative_sd: float
    credit: float
    where: str = ""

    @property
    def may_be_zero(self) -> bool:
        """Whether the 90 % interval of the lift holds 0, or lift and credit differ in sign."""
        return bool(self.lift * np.sign(self.credit) <= Z90 * self.std_error)

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {name: getattr(self, name) for name in TestedCredit.__dataclass_fields__} | {
            "ratio": self.lift / self.credit
        }


@dataclass(frozen=True, eq=False)
class Factors:
    """Joint draws of what a credited unit really brought.

    Attributes:
        channels: Channel names.
        draws: Factors, shape (draws, channels).
        tested: The tests that were used.
        identity: Channels whose factor is on the identity scale.
    """

    channels: tuple[str, ...]
    draws: Floats
    tested: tuple[TestedCredit, ...]
    identity: tuple[str, ...]


def factors(
    tested: Sequence[TestedCredit],
    kinds: Mapping[str, str],
    *,
    priors: MethodPriors | None = None,
    draws: int = 2_000,
    seed: int = 0,
) -> Factors:
    """Factors of all channels, tested or not.

    Args:
        tested: Tests of one channel each, with credit other than 0.
        kinds: Per channel how far its spend follows demand: ``no``, ``some``, ``strong``.
        priors: What is believed before any test; only the fields on incrementality are used.
        draws: Joint draws.
        seed: Seed of the draws.
    """
    priors = priors or MethodPriors()
    rng = np.random.default_rng(seed)
    channels = tuple(kinds)
    identity = tuple(name for name in channels if any(t.may_be_zero for t in tested if t.channel == name))
    tau = _spreads(priors)
    log_tau = np.zeros(SPREADS)
    parts: dict[str, tuple[Floats, Floats, dict[str, Floats]]] = {}
    for kind in KINDS:
        names = [name for name in channels if kinds[name] == kind]
        if not names:
            continue
        mu, prior = _means(priors, kind)
        likely = {name: _log_likelihood(tested, name, name in identity) for name in names}
        joint = prior + sum(_marginal(likely[name], mu, tau, name in identity) for name in names)
        parts[kind] = mu, joint, likely
        log_tau = log_tau + special.logsumexp(joint, axis=1)
    at = rng.choice(SPREADS, draws, p=special.softmax(log_tau))
    made = np.empty((draws, len(channels)))
    for mu, joint, likely in parts.values():
        mean = mu[_pick(special.softmax(joint, axis=1)[at], rng)]
        for name, log_likelihood in likely.items():
            plain = name in identity
            grid = PLAIN if plain else LOGS
            weight = special.softmax(log_likelihood + _log_prior(mean, tau[at], plain), axis=1)
            step = grid[1] - grid[0]
            value = grid[_pick(weight, rng)] + step * (rng.random(draws) - 0.5)
            made[:, channels.index(name)] = value if plain else np.exp(value)
    return Factors(channels, made, tuple(tested), identity)


def _spreads(priors: MethodPriors) -> Floats:
    """Equally likely values of the sd between channels of a type."""
    return lognormal((np.arange(SPREADS) + 0.5) / SPREADS, priors.incrementality_spread)


def _means(priors: MethodPriors, kind: str) -> tuple[Floats, Floats]:
    """Grid of a type's mean log factor, and its log prior."""
    centre, sd = priors.incrementality
    shift, shift_sd = priors.demand_driven_shift
    weight = KINDS.index(kind) / 2
    mean, spread = centre + weight * shift, np.hypot(sd, weight * shift_sd)
    mu = np.linspace(mean - 4 * spread, mean + 4 * spread, MEANS)
    return mu, -0.5 * ((mu - mean) / spread) ** 2


def _log_likelihood(tested: Sequence[TestedCredit], name: str, plain: bool) -> Floats:
    """Of a channel's tests over its grid, shape (grid,)."""
    theta = PLAIN if plain else np.exp(LOGS)
    total = np.zeros(theta.size)
    for test in tested:
        if test.channel == name:
            effect = theta * test.credit
            sd = np.hypot(test.std_error, test.relative_sd * effect)
            total += -0.5 * ((test.lift - effect) / sd) ** 2 - np.log(sd)
    return total


def _log_prior(mean: Floats, tau: Floats, plain: bool) -> Floats:
    """Of a factor over its grid, up to the grid's step, shape (pairs, grid)."""
    centre = np.exp(mean)[:, None] if plain else mean[:, None]
    sd = np.hypot(centre * np.sqrt(np.expm1(tau[:, None] ** 2)), NEAR_ZERO) if plain else tau[:, None]
    return np.asarray(-0.5 * (((PLAIN if plain else LOGS) - centre) / sd) ** 2 - np.log(sd))


def _marginal(log_likelihood: Floats, mu: Floats, tau: Floats, plain: bool) -> Floats:
    """Log likelihood of a channel's tests given the hyperparameters, shape (spreads, means)."""
    pairs = np.meshgrid(tau, mu, indexing="ij")
    prior = _log_prior(pairs[1].ravel(), pairs[0].ravel(), plain)
    inside = special.logsumexp(prior, axis=1, keepdims=True)
    return np.asarray(special.logsumexp(log_likelihood + prior - inside, axis=1).reshape(pairs[0].shape))


def _pick(weight: Floats, rng: np.random.Generator) -> Ints:
    """One place per row, by the row's weights."""
    sums = np.cumsum(weight, axis=1)
    return np.asarray((rng.random((len(weight), 1)) * sums[:, -1:] > sums).sum(axis=1).clip(max=weight.shape[1] - 1))
