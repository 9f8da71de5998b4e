"""Adstock and saturation, on NumPy and JAX arrays alike.

Adstock is normalised to sum 1, so that it moves an effect in time without changing its size. Saturation is 0 at 0,
increasing, and one half at ``half``. Which form a channel has is an array of codes (positions in `ADSTOCKS` and
`SATURATIONS`), so that one compiled program serves every assignment of forms to channels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

ADSTOCKS = ("geometric", "delayed", "weibull", "binomial", "none")
Form = Callable[[Any, Any, Any], Any]
LN2 = 0.6931471805599453
LN3 = 1.0986122886681098


@dataclass(frozen=True)
class Kinds:
    """The forms that occur at all, so that only these are computed; hashable, it keys compiled programs.

    Attributes:
        adstocks: Names of carry-over forms, sorted.
        saturations: Names of saturation forms, sorted.
        saturate_first: Whether channels saturate before the carry-over: ``(False,)``, ``(True,)`` or both.
    """

    adstocks: tuple[str, ...]
    saturations: tuple[str, ...]
    saturate_first: tuple[bool, ...] = (False,)


class Forms(NamedTuple):
    """The forms of all channels, as NumPy or JAX arrays.

    Attributes:
        carry: Position of the carry-over in `ADSTOCKS`, shape (channels,).
        peak: Greatest lag of a delayed peak, ``(l_max - 1) / 2``, shape (channels,).
        present: Lags within ``l_max``, shape (channels, lags).
        code: Position of the saturation in `SATURATIONS`, shape (channels,).
        first: Whether the channel saturates before the carry-over, shape (channels,).
    """

    carry: Any
    peak: Any
    present: Any
    code: Any
    first: Any

    def only(self, c: int) -> "Forms":
        """The forms of one channel, as arrays of length 1."""
        return Forms(*(array[[c]] for array in self))


def adstock_weights(kinds: Kinds, forms: Forms, values: Mapping[str, Any]) -> Any:
    """Normalised carry-over weights over the lags that are present; a channel with one lag has no carry-over.

    - geometric: ``decay^l``;
    - delayed: ``decay^((l - delay)^2)`` (Jin et al. 2017, "Bayesian methods for media mix modeling with carryover and
      shape effects"), its peak at ``delay`` times the greatest lag of a peak;
    - weibull: the density of a Weibull at ``l + 1`` (Robyn's ``weibull_pdf``);
    - binomial: ``(1 - l / l_max)^(1 / decay - 1)`` (Meridian's form: it reaches 0 at ``l_max``).

    Args:
        kinds: The forms that occur.
        forms: The channels' forms.
        values: ``decay``, and where such a form occurs ``delay``, ``weibull_shape``, ``weibull_scale``, each of shape
            (..., channels).

    Returns:
        Weights of shape (..., channels, lags) that sum to 1 over the lags.
    """
    decay = values["decay"]
    xp = decay.__array_namespace__()
    lags = xp.arange(forms.present.shape[-1], dtype=xp.float64)
    log_decay = xp.log(decay)[..., None]
    logs: dict[str, Callable[[], Any]] = {
        "geometric": lambda: lags * log_decay,
        "delayed": lambda: (lags - (values["delay"] * forms.peak)[..., None]) ** 2 * log_decay,
        "weibull": lambda: _log_weibull(xp, lags + 1.0, values["weibull_shape"], values["weibull_scale"]),
        "binomial": lambda: (1.0 / decay - 1.0)[..., None] * _log_left(xp, lags, forms.present),
        "none": lambda: 0.0 * lags * log_decay,
    }
    log_weights = logs[kinds.adstocks[0]]()
    for kind in kinds.adstocks[1:]:
        log_weights = xp.where((forms.carry == ADSTOCKS.index(kind))[:, None], logs[kind](), log_weights)
    weights = xp.where(forms.present, xp.exp(log_weights), 0.0)
    return weights / weights.sum(-1, keepdims=True)


def _log_weibull(xp: Any, at: Any, shape: Any, scale: Any) -> Any:
    """Log-density at ``at`` less its value at the mode (or at lag 0), so that no weight under- or overflows."""
    shape, scale = shape[..., None], scale[..., None]

    def log_density(x: Any) -> Any:
        odds = xp.log(x) - xp.log(scale)
        return (shape - 1.0) * odds - xp.exp(shape * odds)

    rise = xp.where(shape > 1.0, (shape - 1.0) / shape, 1.0)
    mode = xp.where(shape > 1.0, scale * rise ** (1.0 / shape), 1.0)
    return log_density(at) - log_density(xp.clip(mode, 1.0, at[-1]))


def _log_left(xp: Any, lags: Any, present: Any) -> Any:
    """``log(1 - l / l_max)`` at the lags present, shape (channels, lags)."""
    left = 1.0 - lags / present.sum(-1)[:, None]
    return xp.log(xp.where(present, left, 1.0))


def hill(x: Any, half: Any, slope: Any) -> Any:
    """Hill: ``x^slope / (x^slope + half^slope)``; x >= 0."""
    xp = x.__array_namespace__()
    on = x > 0
    odds = slope * (xp.log(xp.where(on, x, 1.0)) - xp.log(half))
    return xp.where(on, 0.5 + 0.5 * xp.tanh(0.5 * odds), 0.0)  # the logistic function, without overflow


def logistic(x: Any, half: Any, slope: Any) -> Any:
    """Logistic: ``(1 - exp(-r x)) / (1 + exp(-r x))`` with ``r = log(3) / half``; x >= 0."""
    xp = x.__array_namespace__()
    return xp.tanh(0.5 * LN3 * x / half)


def exponential(x: Any, half: Any, slope: Any) -> Any:
    """Exponential: ``1 - exp(-r x)`` with ``r = log(2) / half``; x >= 0."""
    return -x.__array_namespace__().expm1(-LN2 * x / half)


def michaelis_menten(x: Any, half: Any, slope: Any) -> Any:
    """Michaelis and Menten: ``x / (x + half)``; x >= 0."""
    return x / (x + half)


def root(x: Any, half: Any, slope: Any) -> Any:
    """Root: ``x^slope``, for a slope below 1; it has no ceiling; x >= 0."""
    xp = x.__array_namespace__()
    on = x > 0
    return xp.where(on, xp.exp(slope * xp.log(xp.where(on, x, 1.0))), 0.0)


def linear(x: Any, half: Any, slope: Any) -> Any:
    """No saturation."""
    return x


def _logistic_marginal(x: Any, half: Any, slope: Any) -> Any:
    rate = 0.5 * LN3 / half
    value = logistic(x, half, slope)
    return rate * x * (1.0 - value**2)


def _exponential_marginal(x: Any, half: Any, slope: Any) -> Any:
    odds = LN2 * x / half
    return odds * x.__array_namespace__().exp(-odds)


SATURATIONS: dict[str, Form] = {
    "hill": hill,
    "logistic": logistic,
    "exponential": exponential,
    "michaelis_menten": michaelis_menten,
    "tanh": logistic,  # scaled to one half at ``half``, the hyperbolic tangent and the logistic are one function
    "root": root,
    "none": linear,
}
MARGINALS: dict[str, Form] = {
    "hill": lambda x, half, slope: slope * (y := hill(x, half, slope)) * (1.0 - y),
    "logistic": _logistic_marginal,
    "exponential": _exponential_marginal,
    "michaelis_menten": lambda x, half, slope: (y := michaelis_menten(x, half, slope)) * (1.0 - y),
    "tanh": _logistic_marginal,
    "root": lambda x, half, slope: slope * root(x, half, slope),
    "none": linear,
}
"""``x f'(x)`` of every form: what one per cent more exposure adds, in per cent of a unit."""
WITH_HALF = frozenset(SATURATIONS) - {"root", "none"}
WITH_SLOPE = frozenset({"hill", "root"})


def saturate(
    kinds: tuple[str, ...], code: Any, x: Any, half: Any, slope: Any, table: Mapping[str, Form] = SATURATIONS
) -> Any:
    """Apply to every element the form that its code names.

    Args:
        kinds: The forms that occur at all; only these are computed.
        code: Position of the form in `SATURATIONS`, broadcastable against ``x``.
        x: Adstocked exposure.
        half: Half-saturation, broadcastable.
        slope: Slope, broadcastable.
        table: The forms' functions (the JAX engine has quicker ones of the same values).
    """
    xp = x.__array_namespace__()
    out = table[kinds[0]](x, half, slope)
    names = list(SATURATIONS)
    for kind in kinds[1:]:
        out = xp.where(code == names.index(kind), table[kind](x, half, slope), out)
    return out


def log_elasticity(kinds: tuple[str, ...], code: Any, half: Any, slope: Any) -> Any:
    """Logarithm of the elasticity ``d log f / d log x`` at ``x = 1``, the mean positive exposure.

    Args:
        kinds: The forms that occur.
        code: Position of the form, shape (channels,).
        half: Half-saturation, shape (..., channels).
        slope: Slope, same shape.
    """
    xp = half.__array_namespace__()
    rate = LN3 / half
    steep = LN2 / half

    def log_logistic() -> Any:  # rate / sinh(rate)
        return xp.log(2.0 * rate) - rate - xp.log1p(-xp.exp(-2.0 * rate))

    forms: dict[str, Callable[[], Any]] = {
        # slope * half^slope / (1 + half^slope)
        "hill": lambda: xp.log(slope) - xp.logaddexp(0.0 * slope, -slope * xp.log(half)),
        "logistic": log_logistic,
        "tanh": log_logistic,
        "exponential": lambda: xp.log(steep) - steep - xp.log(-xp.expm1(-steep)),
        "michaelis_menten": lambda: xp.log(half) - xp.log1p(half),
        "root": lambda: xp.log(slope),
        "none": lambda: xp.zeros_like(half),
    }
    out = forms[kinds[0]]()
    for kind in kinds[1:]:
        out = xp.where(code == list(SATURATIONS).index(kind), forms[kind](), out)
    return out


def in_order(kinds: Kinds, first: Any, carried: Callable[[], Any], saturated: Callable[[], Any]) -> Any:
    """Each channel in its own order; only the orders that occur are computed.

    Args:
        kinds: The forms that occur.
        first: Whether a channel saturates first, broadcastable against the results.
        carried: Carry-over, then saturation.
        saturated: Saturation, then carry-over.
    """
    if kinds.saturate_first == (False,):
        return carried()
    if kinds.saturate_first == (True,):
        return saturated()
    out = saturated()
    return out.__array_namespace__().where(first, out, carried())


def respond(
    kinds: Kinds, forms: Forms, values: Mapping[str, Any], exposure: Any, table: Mapping[str, Form] = SATURATIONS
) -> Any:
    """What each channel's exposure does in every cell, coefficient aside.

    Args:
        kinds: The forms that occur.
        forms: The channels' forms.
        values: Named parameters, each of shape (channels,).
        exposure: The lag tensor, shape (channels, lags, geos, periods).
        table: The saturations' functions.

    Returns:
        Shape (channels, geos, periods).
    """
    channels, lags, geos, periods = exposure.shape
    weights = adstock_weights(kinds, forms, values)
    xp = weights.__array_namespace__()
    code, half, slope = (each[:, None] for each in (forms.code, values["half_saturation"], values["slope"]))

    def carried() -> Any:
        series = xp.einsum("cln,cl->cn", exposure.reshape(channels, lags, -1), weights)
        return saturate(kinds.saturations, code, series, half, slope, table).reshape(channels, geos, periods)

    def saturated() -> Any:
        now = saturate(kinds.saturations, code, exposure[:, 0].reshape(channels, -1), half, slope, table)
        series = xp.einsum("clgt,cl->cgt", lagged(now.reshape(channels, geos, periods), lags), weights)
        return xp.where(exposure.sum(1) > 0, series, 0.0)  # nothing is carried into the padding after the last period

    return in_order(kinds, forms.first[:, None, None], carried, saturated)


def lagged(x: Any, lags: int) -> Any:
    """The lag tensor ``out[..., l, g, t] = x[..., g, t - l]``, zero before the first period.

    Args:
        x: Series of shape (..., geos, periods).
        lags: How many lags, the current period included.
    """
    xp, periods = x.__array_namespace__(), x.shape[-1]
    none = xp.zeros_like(x)
    shifted = [xp.concat([none[..., :lag], x[..., : periods - lag]], axis=-1) for lag in range(min(lags, periods))]
    return xp.stack([*shifted, *[none] * (lags - len(shifted))], axis=-3)
