"""Search: candidate sets scored in the selection windows, and better ones found by exchanging geos.

A set's score is the root mean square, over windows and both directions, of the effect that its test would just find
beside sets of its kind: ``error * critical - gap`` one way and ``error * critical + gap`` the other, so
``error² critical² + gap²``. Small pre-period errors and small gaps afterwards both count, and luck in one direction
does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.planning.candidates import candidates
from experiments.planning.constraints import Feasible
from experiments.planning.contrasts import Contrasts, fitted
from experiments.planning.power import Stage
from experiments.planning.windows import start_of
from measurement.typing import Bools, Floats

ROUNDS, PARENTS, CHILDREN = 3, 30, 6

type Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Sets of one size with what the selection windows say of them.

    Attributes:
        sets: Shape (sets, geos).
        scores: Relative effect, the smaller the better, by length of the read-out, each of shape (sets,).
    """

    sets: Bools
    scores: dict[int, Floats]

    def add(self, other: "Scored") -> "Scored":
        """Both together."""
        scores = {length: np.append(values, other.scores[length]) for length, values in self.scores.items()}
        return Scored(np.vstack([self.sets, other.sets]), scores)

    def keep(self, rows: Bools) -> "Scored":
        """Some of them, shape (sets,)."""
        return Scored(self.sets[rows], {length: values[rows] for length, values in self.scores.items()})


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What a search needs to know.

    Attributes:
        stage: Where sets are rehearsed.
        feasible: The sets that the goal allows.
        onsets: Selection windows.
        lengths: Lengths of the read-outs.
    """

    stage: Stage
    feasible: Feasible
    onsets: Sequence[int]
    lengths: Sequence[int]

    def run(self, size: int, wanted: int, rng: np.random.Generator) -> Scored:
        """Candidates of one size, scored, with the best of them improved by exchanges.

        Args:
            size: Treated geos.
            wanted: Candidates to begin with.
            rng: Source of chance.

        Returns:
            Every set that was scored; none where the goal allows none of this size.
        """
        history = self.stage.outcome[:, : self.onsets[0]]
        sets = candidates(history, self.feasible, size, wanted, rng)
        if len(sets) == 0:
            return Scored(sets, {length: np.zeros(0) for length in self.lengths})
        found, critical = self._scored(sets, None)
        if len(sets) < wanted:
            return found
        for _ in range(ROUNDS):
            children = self._exchanged(found, rng)
            if len(children) == 0:
                break
            found = found.add(self._scored(children, critical)[0])
        return found

    def _scored(self, sets: Bools, critical: Floats | None) -> tuple[Scored, Floats]:
        """Scores of sets; critical values of (windows, lengths) come from the first candidates and stay."""
        donors, near = self.feasible.controls(sets), None
        squares = {length: np.zeros(len(sets)) for length in self.lengths}
        values = np.zeros((len(self.onsets), len(self.lengths))) if critical is None else critical
        for row, onset in enumerate(self.onsets):
            near = fitted(self.stage.outcome, sets, donors, start_of(onset, self.stage.weekly), onset, near)
            for column, length in enumerate(self.lengths):
                gaps = self._gaps(near, length)
                if critical is None:
                    values[row, column] = np.quantile(np.abs(gaps) / near.errors, 1 - self.stage.alpha)
                squares[length] += (near.errors * values[row, column]) ** 2 + gaps**2
        return Scored(sets, {length: np.sqrt(total / len(self.onsets)) for length, total in squares.items()}), values

    def _gaps(self, contrasts: Contrasts, length: int) -> Floats:
        return contrasts.read(self.stage.outcome, length, np.zeros((0, len(self.stage.outcome)), dtype=np.bool_))[0]

    def _exchanged(self, found: Scored, rng: np.random.Generator) -> Bools:
        """New allowed sets: the best with a block in exchange for another of its length."""
        mean = np.sum(list(found.scores.values()), axis=0)
        parents = found.sets[np.argsort(mean, kind="stable")[:PARENTS]]
        blocks = self.feasible.blocks
        firsts, lengths = np.array([block[0] for block in blocks]), np.array([len(block) for block in blocks])
        known = {each.tobytes() for each in found.sets}
        children = np.repeat(parents, CHILDREN, axis=0)
        for child in children:
            inside = child[firsts]
            leaves = rng.choice(np.flatnonzero(inside))
            outside = np.flatnonzero(~inside & (lengths == lengths[leaves]))
            if outside.size:
                child[blocks[leaves]], child[blocks[rng.choice(outside)]] = False, True
        new = {each.tobytes(): each for each in children[self.feasible.allowed(children)]}
        fresh = [each for key, each in new.items() if key not in known]
        return np.array(fresh, dtype=np.bool_).reshape(-1, children.shape[1])
