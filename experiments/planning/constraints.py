"""Feasible: which sets of geos a goal allows, how to draw them, and why a set is not one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.planning.clash import explained, find, relaxed
from experiments.planning.cost import usual_spend
from experiments.planning.goal import Goal
from experiments.planning.rules import EXACT, Rule, blocks_of, rules_of, variables
from measurement.errors import DesignError, Problem, refuse, shown
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Ints

TOLERANCE = 1e-6
"""By which the sum of shares or of money may pass a bound: that of the integer program."""
MOST_LISTED = 20_000
_ROUNDS, _DRAWS = 20, 2000


@dataclass(frozen=True, eq=False)
class Feasible:
    """The sets of treated geos that meet every constraint of a goal on a panel.

    Sets are rows of booleans over the panel's geos.

    Attributes:
        geos: Names of the geos.
        blocks: Rows of geos that are treated together: clusters, and every other geo alone.
        rules: Every constraint.
        adjacent: Neighbours, as rows, shape (pairs, 2).
        usable: Geos that may be in the test at all, shape (geos,).
        treatable: Geos that may be treated, shape (geos,).
        must: Geos that are treated in every set, shape (geos,).
        fewest: Fewest treated geos.
        most: Most treated geos.
        notes: What a planner should know about the sets.
    """

    geos: tuple[str, ...]
    blocks: tuple[Ints, ...]
    rules: tuple[Rule, ...]
    adjacent: Ints
    usable: Bools
    treatable: Bools
    must: Bools
    fewest: int
    most: int
    notes: tuple[str, ...] = ()

    def controls(self, sets: Bools) -> Bools:
        """The controls of each set: usable geos that are not treated and have no treated neighbour, whole clusters.

        Args:
            sets: Treated geos, shape (sets, geos).

        Returns:
            Shape (sets, geos).
        """
        free = ~sets & self.usable
        for one, other in self.adjacent:
            free[:, one] &= ~sets[:, other]
            free[:, other] &= ~sets[:, one]
        for block in self.blocks:
            if len(block) > 1:
                free[:, block] = free[:, block].all(axis=1, keepdims=True)
        return np.asarray(free)

    def allowed(self, sets: Bools) -> Bools:
        """Whether each set meets every constraint.

        Args:
            sets: Treated geos, shape (sets, geos).

        Returns:
            Shape (sets,).
        """
        matrix, low, high = self._stacked
        values = variables(sets, self.controls(sets)) @ matrix.T
        inside = (values >= low - TOLERANCE) & (values <= high + TOLERANCE)
        return np.asarray(inside.all(axis=1) & sets.any(axis=1))

    def why_not(self, treated: Bools) -> list[str]:
        """Every constraint that a set breaks, in words; empty for an allowed one.

        Args:
            treated: Treated geos, shape (geos,).
        """
        choice = variables(treated[None], self.controls(treated[None]))[0]
        reasons = [] if treated.any() else ["no geo is treated"]
        for rule in self.rules:
            values = rule.matrix @ choice
            if ((values < rule.low - TOLERANCE) | (values > rule.high + TOLERANCE)).any():
                seen = "" if rule.measured is None else f", and {rule.seen.format(float(rule.measured @ choice))}"
                reasons.append(f"{rule}{seen}")
        return reasons

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Numbers of treated geos that an allowed set can have."""
        sizes = range(self.fewest, self.most + 1)
        return tuple(size for size in sizes if find(self._of_size(size), len(self.geos)) is not None)

    def exhaustive(self, size: int, most: int = MOST_LISTED) -> Bools | None:
        """All allowed sets of so many geos, shape (sets, geos); ``None`` where over ``most`` would have to be seen."""
        wanted = size - int(self.must.sum())
        lengths = [len(block) for block in self._free]
        if wanted < 0 or _ways(lengths, wanted) > most:
            return None if wanted >= 0 else np.zeros((0, len(self.geos)), dtype=np.bool_)
        chosen = list(_subsets(lengths, wanted))
        sets = np.tile(self.must, (len(chosen), 1))
        for row, blocks in enumerate(chosen):
            for block in blocks:
                sets[row, self._free[block]] = True
        return sets[self.allowed(sets)]

    def random(self, rng: np.random.Generator, n: int, size: int) -> Bools:
        """Different allowed sets of one size, drawn block by block.

        Where there are few, they are drawn from the list of all. Where constraints are so tight that hardly any draw is
        allowed, sets come from the integer program and from exchanges of blocks in sets already found.

        Args:
            rng: Source of chance.
            n: Sets wanted.
            size: Treated geos of each.

        Returns:
            Shape (up to n, geos): fewer where no more exist (or could be found).
        """
        every = self.exhaustive(size)
        if every is not None:
            return every[rng.permutation(len(every))[:n]]
        found: dict[bytes, Bools] = {}
        for draw in (self._drawn, self._solved, self._exchanged):
            for _ in range(_ROUNDS):
                if len(found) >= n:
                    break
                sets = draw(rng, size, list(found.values()))
                for each in sets[self.allowed(sets)]:
                    found.setdefault(each.tobytes(), each)
        return np.array(list(found.values())[:n], dtype=np.bool_).reshape(-1, len(self.geos))

    def _drawn(self, rng: np.random.Generator, size: int, _: Sequence[Bools]) -> Bools:
        """Sets of free blocks in random order, each taken where it still fits; what a stratum needs comes first."""
        order = rng.random((_DRAWS, len(self._free)))
        first = np.array([block[0] for block in self._free], dtype=np.int64)
        for rule in self.rules:
            if rule.field == "quotas" and not rule.bounded_above and rule.measured is not None:
                inside = np.flatnonzero(rule.measured[first] > 0)
                ranks = order[:, inside].argsort(axis=1).argsort(axis=1)
                order[:, inside] -= ranks < round(float(rule.low[0]))
        sets = np.tile(self.must, (_DRAWS, 1))
        for blocks in order.argsort(axis=1).T:
            short = size - sets.sum(axis=1)
            if not short.any():
                break
            for block in np.unique(blocks):
                here = np.flatnonzero((blocks == block) & (short >= len(self._free[block])))
                sets[np.ix_(here, self._free[block])] = True
        return sets

    def _solved(self, rng: np.random.Generator, size: int, _: Sequence[Bools]) -> Bools:
        """One allowed set from the integer program, in a random direction."""
        objective = np.zeros(3 * len(self.geos) + 1)
        objective[: len(self.geos)] = rng.random(len(self.geos))
        solved = find(self._of_size(size), len(self.geos), objective)
        return np.zeros((0, len(self.geos)), dtype=np.bool_) if solved is None else solved[None]

    def _exchanged(self, rng: np.random.Generator, size: int, known: Sequence[Bools]) -> Bools:
        """Known sets with one or two blocks exchanged for others of their length."""
        if not known:
            return np.zeros((0, len(self.geos)), dtype=np.bool_)
        sets = np.array(known)[rng.integers(len(known), size=_DRAWS)]
        rows = np.arange(_DRAWS)
        length = np.array([len(block) for block in self._free])
        inside = np.stack([sets[:, block[0]] for block in self._free], axis=1)
        for _ in range(2):
            out = np.where(inside, rng.random(inside.shape), -1.0).argmax(axis=1)
            fits = ~inside & (length == length[out][:, None])
            into = np.where(fits, rng.random(inside.shape), -1.0).argmax(axis=1)
            swap = (rng.random(_DRAWS) < 0.75) & fits[rows, into]
            inside[rows[swap], out[swap]], inside[rows[swap], into[swap]] = False, True
        member = np.zeros((len(self._free), len(self.geos)), dtype=np.bool_)
        for at, block in enumerate(self._free):
            member[at, block] = True
        return np.asarray(inside @ member | self.must)

    def _of_size(self, size: int) -> list[Rule]:
        bound, row = np.full(1, float(size)), np.zeros((1, 3 * len(self.geos) + 1))
        row[0, : len(self.geos)] = 1.0
        return [*self.rules, Rule("geos", f"{size} treated", row, bound, bound)]

    @cached_property
    def _free(self) -> list[Ints]:
        """Blocks that may be treated and need not be."""
        return [block for block in self.blocks if self.treatable[block].all() and not self.must[block].any()]

    @cached_property
    def _stacked(self) -> tuple[Floats, Floats, Floats]:
        matrix = np.vstack([rule.matrix for rule in self.rules])
        low, high = (np.concatenate([getattr(rule, side) for rule in self.rules]) for side in ("low", "high"))
        return matrix, low, high


def laid_on(panel: Panel, goal: Goal) -> Feasible:
    """Turn a goal's constraints into the sets that they allow.

    A goal that names its own ``treatment_geos`` is not searched for sets, so its constraints are only kept to be said.

    Raises:
        DataError: Everything wrong about the goal itself.
        DesignError: Where no set meets all constraints: which of them clash, and what would help.
    """
    goal.check(panel)
    refuse(_impossible(panel, goal))
    rules, geos = rules_of(panel, goal), len(panel.geos)
    notes: tuple[str, ...] = ()
    if not goal.treatment_geos and find(rules, geos) is None:
        rules, notes = _without_exact(rules, geos)
    banned, must = _fixed(rules, 0.0), _fixed(rules, 1.0)
    blocks = blocks_of(panel, goal)
    for block in blocks:
        must[block] = must[block].any()
        banned[block] = banned[block].any()
    return Feasible(
        geos=panel.geos,
        blocks=blocks,
        rules=rules,
        adjacent=np.array([panel.geo_index(pair) for pair in goal.adjacent], dtype=np.int64).reshape(-1, 2),
        usable=~banned[geos : 2 * geos],
        treatable=~banned[:geos],
        must=must[:geos],
        fewest=goal.geos[0],
        most=min(goal.geos[1], geos),
        notes=notes,
    )


def _without_exact(rules: tuple[Rule, ...], geos: int) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """The rules without that of the exact test, where they can hold so, and what to say of it."""
    rest = tuple(rule for rule in rules if rule.field != EXACT)
    if find(rest, geos) is None:
        raise DesignError(explained(rest, geos))
    note = "too few geos for the exact test, so the test is read along time, which is weaker"
    advice = relaxed(rules, geos)
    return rest, (f"{note}; for the exact test {' or '.join(advice)}" if advice else note,)


def _impossible(panel: Panel, goal: Goal) -> list[Problem]:
    """What a test on sets of geos cannot be, and other tests can."""
    found = []
    (fewest, most), geos = goal.geos, len(panel.geos)
    if geos == 1:
        words = "the panel has one geo, so none is left as a control: plan a switchback"
        found.append(Problem(words, column="geos", code="one-geo"))
    elif fewest >= geos:
        words = f"found {fewest}:{most}; the panel has {geos} geos, and some must be controls"
        found.append(Problem(words, column="geos", code="geos"))
    spent = usual_spend(panel, goal, 1)
    if goal.change < 0 and spent is not None and not spent.any():
        words = f"{', '.join(map(shown, goal.channel))} spent nothing lately, so there is nothing to cut"
        found.append(Problem(words, column="channel", code="nothing-to-cut"))
    return found


def _fixed(rules: Sequence[Rule], value: float) -> Bools:
    """Variables that a rule about one of them holds at a value, shape (variables,)."""
    fixed = np.zeros(rules[0].matrix.shape[1], dtype=np.bool_)
    for rule in rules:
        single = (np.count_nonzero(rule.matrix, axis=1) == 1) & (rule.low == value) & (rule.high == value)
        fixed |= rule.matrix[single].any(axis=0)
    return fixed


def _ways(lengths: Sequence[int], total: int) -> int:
    """How many subsets of blocks have so many geos together."""
    ways = [1] + [0] * total
    for length in lengths:
        for reached in range(total, length - 1, -1):
            ways[reached] += ways[reached - length]
    return ways[total]


def _subsets(lengths: Sequence[int], total: int, start: int = 0) -> Iterator[tuple[int, ...]]:
    """Every subset of blocks that has so many geos together."""
    if total == 0:
        yield ()
    for block in range(start, len(lengths)):
        if 0 < lengths[block] <= total:
            yield from ((block, *rest) for rest in _subsets(lengths, total - lengths[block], block + 1))
