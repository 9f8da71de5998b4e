"""Random streams: one for each part of a world, so that parts do not disturb each other."""

import zlib

import numpy as np

from measurement.typing import Floats


def stream(seed: int, part: str) -> np.random.Generator:
    """The generator of one part of the world; the same seed and part give the same draws."""
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


def autoregressive(noise: Floats, persistence: float) -> Floats:
    """A stationary AR(1) of unit variance along the last axis, from standard normal ``noise`` of any shape."""
    series = np.array(noise)
    kick = np.sqrt(1.0 - persistence**2)
    for t in range(1, series.shape[-1]):
        series[..., t] = persistence * series[..., t - 1] + kick * noise[..., t]
    return series


def standardised(series: Floats) -> Floats:
    """The same series with mean 0 and standard deviation 1 along the last axis."""
    centred = series - series.mean(axis=-1, keepdims=True)
    return np.asarray(centred / centred.std(axis=-1, keepdims=True))
