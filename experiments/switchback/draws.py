"""Every schedule that the draw could have given: what a switchback's randomisation test compares with.

``pairs``: within every two neighbouring blocks of a unit the states may be swapped. ``uniform``: the states of a unit's
blocks may fall in any order. A schedule drawn by a coin for each block is ``uniform`` too, given the number of blocks
that came up on. Units (geos, or the whole market) are drawn each by itself.
"""

from dataclasses import dataclass
from itertools import chain, combinations, product
from math import comb, prod
from typing import Literal, get_args

import numpy as np

from measurement.typing import Bools, Ints

Rule = Literal["pairs", "uniform"]
RULES: tuple[Rule, ...] = get_args(Rule)

MOST_DRAWS = 4_999
"""Schedules compared with; up to as many are enumerated, of more a random sample of this size is taken."""

MANY = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Mechanism:
    """The schedule that was carried out and the rule of its draw.

    Attributes:
        on: State of each block, shape (blocks,), unit by unit, in order of time.
        unit: Which unit a block belongs to, shape (blocks,), from 0 without gaps.
        rule: How the states were drawn; ``pairs`` needs an even number of blocks in every unit.
    """

    on: Bools
    unit: Ints
    rule: Rule

    @property
    def count(self) -> int:
        """Number of schedules that could have been drawn, the real one included."""
        return prod(ways(int(states.size), int(states.sum()), self.rule) for states in self._states())

    def others(self, seed: int, most: int = MOST_DRAWS) -> Bools:
        """Schedules other than the real one, shape (draws, blocks): all of them, or a sample of ``most``.

        A sample is drawn with replacement from all schedules, so that with the real one added its rank is uniform.
        """
        if self.count <= most + 1:
            return self._all()
        rng = np.random.default_rng(seed)
        if self.rule == "pairs":
            return np.asarray(self.on ^ np.repeat(rng.random((most, self.on.size // 2)) < 0.5, 2, axis=1))
        drawn = [rng.permuted(np.tile(states, (most, 1)), axis=1) for states in self._states()]
        return np.concatenate(drawn, axis=1)

    def _states(self) -> list[Bools]:
        return [self.on[self.unit == unit] for unit in range(int(self.unit.max()) + 1)]

    def _all(self) -> Bools:
        if self.rule == "pairs":
            pairs = self.on.size // 2
            flips = np.arange(1, 1 << pairs)[:, None] >> np.arange(pairs) & 1
            return np.asarray(self.on ^ np.repeat(flips.astype(np.bool_), 2, axis=1))
        each = [_orders(states) for states in self._states()]
        rows = np.array([list(chain.from_iterable(parts)) for parts in product(*each)], dtype=np.bool_)
        return np.asarray(rows[(rows != self.on).any(axis=1)])


def in_words(count: int) -> str:
    """A number of schedules for readers."""
    return f"{count:,}" if count < MANY else "more than a billion"


def ways(blocks: int, on: int, rule: Rule) -> int:
    """How many ways the states of one unit's blocks can fall.

    Args:
        blocks: Number of blocks.
        on: Number of blocks that are on.
        rule: The rule of the draw.
    """
    return 1 << blocks // 2 if rule == "pairs" else comb(blocks, on)


def drawn(blocks: int, rule: Rule, rng: np.random.Generator) -> Bools:
    """Draw the states of one unit's blocks, shape (blocks,), half of them on."""
    if rule == "pairs":
        first = rng.random(blocks // 2) < 0.5
        return np.stack([first, ~first], axis=1).ravel()
    return np.asarray(rng.permutation(np.arange(blocks) < blocks // 2))


def paired(on: Bools) -> bool:
    """Whether of every two neighbouring blocks of a unit exactly one is on, shape (blocks,)."""
    return on.size % 2 == 0 and bool((on[::2] ^ on[1::2]).all())


def _orders(states: Bools) -> list[list[bool]]:
    size = int(states.size)
    return [[i in chosen for i in range(size)] for chosen in combinations(range(size), int(states.sum()))]
