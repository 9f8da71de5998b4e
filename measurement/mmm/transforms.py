"""Adstock and saturation, on NumPy and JAX arrays alike.

Adstock is normalised to sum 1, so that it moves an effect in time without changing its size. Saturation is 0 at 0,
increasing, and one half at ``half``. Which form a channel has is an array of codes (positions in `ADSTOCKS` and
`SATURATIONS`), so that one compiled program serves every assignment of forms to channels.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from measurement.typing import Floats

ADSTOCKS = ("geometric", "delayed", "none")
Form = Callable[[Any, Any, Any], Any]
LN3 = 1.0986122886681098


def adstock_weights(decay: Any, delay: Any, delayed: Any, present: Any) -> Any:
    """Normalised carry-over weights.

    Geometric ``decay**l``, or delayed geometric ``decay**((l - delay)**2)`` (Jin et al. 2017, "Bayesian methods for
    media mix modeling with carryover and shape effects"), over the lags that are present. A channel with one lag has
    no carry-over.

    Args:
        decay: Share left after one period, shape (..., channels).
        delay: Lag of the peak in periods, same shape.
        delayed: Whether a channel is of the delayed form, shape (channels,).
        present: Whether a lag lies within the channel's ``l_max``, shape (channels, lags).

    Returns:
        Weights of shape (..., channels, lags) that sum to 1 over the lags.
    """
    xp = decay.__array_namespace__()
    lags = xp.arange(present.shape[-1], dtype=xp.float64)
    power = xp.where(delayed[:, None], (lags - delay[..., None]) ** 2, lags)
    weights = xp.where(present, xp.exp(power * xp.log(decay)[..., None]), 0.0)
    return weights / weights.sum(-1, keepdims=True)


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


def linear(x: Any, half: Any, slope: Any) -> Any:
    """No saturation."""
    return x


SATURATIONS: dict[str, Form] = {"hill": hill, "logistic": logistic, "none": linear}


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
    forms = {
        # slope * half^slope / (1 + half^slope), and rate / sinh(rate)
        "hill": xp.log(slope) - xp.logaddexp(0.0 * slope, -slope * xp.log(half)),
        "logistic": xp.log(2.0 * rate) - rate - xp.log1p(-xp.exp(-2.0 * rate)),
        "none": xp.zeros_like(half),
    }
    out = forms[kinds[0]]
    for kind in kinds[1:]:
        out = xp.where(code == list(SATURATIONS).index(kind), forms[kind], out)
    return out


def lagged(x: Floats, lags: int) -> Floats:
    """The lag tensor ``out[..., l, g, t] = x[..., g, t - l]``, zero before the first period.

    Args:
        x: Series of shape (..., geos, periods).
        lags: How many lags, the current period included.
    """
    out = np.zeros((*x.shape[:-2], lags, *x.shape[-2:]))
    for lag in range(min(lags, x.shape[-1])):
        out[..., lag, :, lag:] = x[..., : x.shape[-1] - lag]
    return out
