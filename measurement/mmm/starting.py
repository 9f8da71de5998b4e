"""Where the chains begin, and how far their first steps reach: from the prior, or where an earlier fit has been.

The warm-up adapts to what it finds, so where chains begin changes no posterior, only how long the warm-up must be.
"""

from typing import Any, NamedTuple

import numpy as np

from measurement.errors import DataError, shown
from measurement.mmm.density import ModelData
from measurement.mmm.priors import Layout, sampled
from measurement.mmm.shape import Shape
from measurement.typing import Floats

NEAR = 0.2
OF_TESTS = ("lift_spread", "lift_bias")
"""Parameters of lift tests: new tests may have come since the earlier fit."""


class Start(NamedTuple):
    """Where to begin, in the sampler's coordinates; every array of shape (dimension,).

    Attributes:
        centre: The middle of the chains' first points.
        sd: Standard deviation of the first points around it.
        width: The posterior's standard deviations, as far as they are known.
    """

    centre: Any
    sd: Any
    width: Any


def by_prior(layout: Layout, data: ModelData) -> Start:
    """Near the prior's middle, as wide as the prior; sigma as wide as n cells leave it."""
    width = np.ones(layout.dimension)
    if layout.likelihood != "negative_binomial":  # sigma is the demand's there, which is less known
        at = layout.start("sigma")
        width[at] = min(1.0 / (np.sqrt(2.0 * float(data.count)) * float(data.prior_sd[at])), 1.0)
    return Start(np.zeros(layout.dimension), np.full(layout.dimension, NEAR), width)


def by_shape(layout: Layout, shape: Shape, data: ModelData) -> Start:
    """Where an earlier fit found its posterior; parameters of tests that it did not have begin at their prior.

    Raises:
        DataError: Where the fit has other parameters.
    """
    theirs = dict(shape.blocks)
    mine = dict(blocks_of(layout))
    apart = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    words = [
        f"{shown(name)} ({theirs.get(name, 0)} there, {mine.get(name, 0)} here)"
        for name in apart
        if name not in OF_TESTS
    ]
    if words:
        raise DataError(
            f"this fit cannot begin from the earlier one, their parameters differ in {', '.join(words)}: begin anew"
        )
    start = by_prior(layout, data)
    mean, sd = np.asarray(data.prior_mean), np.asarray(data.prior_sd)
    at = 0
    for name, size in shape.blocks:
        if mine.get(name) == size:
            here, there = layout.start(name) + np.arange(size), at + np.arange(size)
            start.centre[here] = (shape.centre[there] - mean[here]) / sd[here]
            start.width[here] = start.sd[here] = shape.sd[there] / sd[here]
        at += size
    return start


def shape_of(layout: Layout, code: Any, mean: Floats, sd: Floats, standard: Floats) -> Shape:
    """The shape of a fit's posterior, from its draws in standard normal coordinates, (chains, draws, dimension)."""
    draws = mean + sd * sampled(layout, code, mean, sd, standard.reshape(-1, layout.dimension))
    return Shape(blocks_of(layout), draws.mean(0), draws.std(0))


def blocks_of(layout: Layout) -> tuple[tuple[str, int], ...]:
    """Name and size of each block of a layout."""
    return tuple((name, int(np.prod(shape, dtype=int))) for name, shape in layout.sizes.items())
