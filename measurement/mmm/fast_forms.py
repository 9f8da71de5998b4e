"""Saturation for the JAX engine: the values of `transforms`, with a gradient that computes nothing twice.

Differentiated by JAX as it stands, Hill costs a second logarithm and hyperbolic tangent per cell in the backward pass,
and these are most of a gradient's time. Here the backward pass reuses what the forward pass had.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from measurement.mmm.transforms import SATURATIONS, Form


@jax.custom_vjp
def hill(x: Array, half: Array, slope: Array) -> Array:
    """`transforms.hill`; ``half`` and ``slope`` have the axes of ``x``, of its length or of length 1."""
    return _forward(x, half, slope)[0]


def _forward(x: Array, half: Array, slope: Array) -> tuple[Array, tuple[Any, ...]]:
    on = x > 0
    log_ratio = jnp.where(on, jnp.log(jnp.where(on, x, 1.0)) - jnp.log(half), 0.0)
    value = jnp.where(on, 0.5 + 0.5 * jnp.tanh(0.5 * slope * log_ratio), 0.0)
    return value, (x, log_ratio, value, half, slope)


def _backward(kept: tuple[Any, ...], outer: Array) -> tuple[Array, Array, Array]:
    x, log_ratio, value, half, slope = kept
    odds = outer * value * (1.0 - value)
    on = x > 0
    by_x = jnp.where(on, odds * slope / jnp.where(on, x, 1.0), 0.0)
    return by_x, -_summed(odds * slope, half) / half, _summed(odds * log_ratio, slope)


def _summed(x: Array, like: Array) -> Array:
    """Undo broadcasting: add up the axes along which ``like`` has length 1."""
    axes = tuple(i for i, (n, m) in enumerate(zip(x.shape, like.shape, strict=True)) if m == 1 and n != 1)
    return x.sum(axes, keepdims=True) if axes else x


hill.defvjp(_forward, _backward)

FAST: dict[str, Form] = SATURATIONS | {"hill": hill}
