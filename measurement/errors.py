"""The one error tree of the house, and the problems that it carries.

::

    TheodoliteError          anything a user can mend; the command line prints it and exits with ``exit_code``
    ├── DataError            a table, record or setting breaks its contract; carries every `Problem` found
    ├── DesignError          an experiment's design or constraints cannot be met
    ├── FitError             a model could not be fitted, or its numbers may not be used
    └── StoreError           the workspace's store is missing, busy, damaged or of another version

Bugs are not in the tree: they surface as what they are.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]

SHOWN_IN_FULL = 20
LONGEST_MESSAGE = 4_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or hard) about an input.

    Attributes:
        message: What was found and what is allowed, in one sentence.
        file: The file it stands in, as the user named it.
        line: The line in that file, counted from 1 with the header.
        column: The column or field.
        level: ``error`` is refused, ``warning`` says that the data look wrong, ``note`` that they are right but hard.
        code: A short stable name of the rule, for machines.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: str | None = None
    level: Level = "error"
    code: str = ""

    @property
    def place(self) -> str:
        """Where it stands, as ``file:line, column 'x'``; empty when unknown."""
        where = _tail(self.file) if self.file else ""
        if self.line is not None:
            where += f":{self.line}" if where else f"line {self.line}"
        if self.column is not None:
            where += f"{', ' if where else ''}column '{shown(self.column)}'"
        return where

    def __str__(self) -> str:
        return f"{self.level}: {self.place}: {self.message}" if self.place else f"{self.level}: {self.message}"


class TheodoliteError(Exception):
    """Base of every error that a user can mend."""

    exit_code = 2


class DataError(TheodoliteError):
    """Input that breaks its contract.

    Args:
        problems: Everything found, or one sentence for a single problem.
    """

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__(listed(self.problems))

    def __reduce__(self) -> tuple[type["DataError"], tuple[tuple[Problem, ...]]]:
        """Come back from a worker process with its problems."""
        return type(self), (self.problems,)


class DesignError(TheodoliteError):
    """A design or a set of constraints that cannot be met."""


class FitError(TheodoliteError):
    """A model that could not be fitted, or whose numbers may not be used."""


class StoreError(TheodoliteError):
    """A store that is missing, busy, damaged or of another version."""


def listed(problems: Sequence[Problem]) -> str:
    """Write problems one a line: the first twenty in full, the rest counted, never beyond 4,000 characters."""
    room = LONGEST_MESSAGE - 100
    lines: list[str] = []
    for problem in problems[:SHOWN_IN_FULL]:
        line = str(problem)
        if len(line) > 600:
            line = line[:597] + "..."
        if sum(map(len, lines)) + len(lines) + len(line) > room:
            break
        lines.append(line)
    left = len(problems) - len(lines)
    if left:
        lines.append(f"... and {left} more {'problem' if left == 1 else 'problems'} of this kind or another")
    return "\n".join(lines)


def shown(text: object, longest: int = 80) -> str:
    """Show a value found in a file: cut to a readable length, control and invisible characters escaped."""
    raw = str(text)
    cut = raw if len(raw) <= longest else raw[: longest - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def _tail(file: str, longest: int = 200) -> str:
    """A path, cut at its front where it is very long: the file's own name is at the end."""
    return shown(file if len(file) <= longest else "..." + file[3 - longest :], longest)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return `` (did you mean 'tv'?)`` for the nearest allowed name, or nothing."""
    names = {choice.casefold(): choice for choice in allowed}
    close = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    return f" (did you mean '{shown(names[close[0]])}'?)" if close else ""


def refuse(problems: Sequence[Problem]) -> None:
    """Raise `DataError` with every error among ``problems``; warnings and notes pass."""
    errors = [problem for problem in problems if problem.level == "error"]
    if errors:
        raise DataError(errors)
