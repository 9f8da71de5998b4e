"""Lifecycles: in which state what may happen to a thing, and where that leads; one table and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from measurement.errors import DataError, Problem, did_you_mean, shown

type Moves = Mapping[str, Mapping[str | None, str]]


@dataclass(frozen=True)
class Lifecycle:
    """What may happen to things of one kind.

    Attributes:
        noun: What such a thing is called.
        moves: For each action the states in which it is allowed, and the state that it leads to from each; ``None`` is
            the state of a thing that is not there yet.
    """

    noun: str
    moves: Moves

    def after(self, action: str, state: str | None, name: str) -> str:
        """The state to which an action leads.

        Args:
            action: A name of ``moves``.
            state: The state now; ``None`` where there is no such thing yet.
            name: The thing, for the message.

        Raises:
            DataError: Where the action is not allowed in this state; the message says what is.
        """
        if action not in self.moves:
            raise DataError(f"'{shown(action)}' is no action on a {self.noun}{did_you_mean(action, self.moves)}")
        allowed = self.moves[action]
        if state in allowed:
            return allowed[state]
        found = "is not there yet" if state is None else f"is {readable(state)}"
        needed = " or ".join(readable(each) for each in allowed if each is not None) or "new"
        may = ", ".join(self.allowed(state)) or "nothing more"
        words = f"{self.noun} '{shown(name)}' {found}; '{action}' needs one that is {needed} (what may come now: {may})"
        raise DataError([Problem(words, code="lifecycle")])

    def allowed(self, state: str | None) -> tuple[str, ...]:
        """The actions that are allowed in a state."""
        return tuple(action for action, moves in self.moves.items() if state in moves)

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order in which the table first leads to it."""
        return tuple(dict.fromkeys(to for moves in self.moves.values() for to in moves.values()))


def readable(state: str) -> str:
    """A state as people write it: ``in review``."""
    return state.replace("_", " ")
