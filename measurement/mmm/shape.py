"""Where a fit found its posterior, and how wide: what a later fit of the same model begins with. A few kilobytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from measurement.typing import Floats


@dataclass(frozen=True, eq=False)
class Shape:
    """A posterior's centre and widths in the sampler's parameters, on their links' scale (`priors`).

    Attributes:
        blocks: Name and size of each block of parameters.
        centre: Posterior means, shape (dimension,).
        sd: Posterior standard deviations, shape (dimension,).
    """

    blocks: tuple[tuple[str, int], ...]
    centre: Floats
    sd: Floats

    def arrays(self) -> dict[str, Floats]:
        """Its arrays by name."""
        return {"centre": self.centre, "sd": self.sd}

    @classmethod
    def read(cls, blocks: Sequence[Sequence[str | int]], arrays: Mapping[str, Floats]) -> "Shape":
        """From the plain form of `blocks` and its `arrays`."""
        return cls(tuple((str(name), int(size)) for name, size in blocks), **arrays)
