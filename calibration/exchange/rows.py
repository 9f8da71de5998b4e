"""Rows of a table as plain values, and the numbers in them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.reading import faults

type Row = dict[str, Any]


class Numbers:
    """Numbers of rows; what is missing or no number is collected, to be told together.

    Attributes:
        problems: What was wrong so far.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def need(self, row: Mapping[str, Any], at: int, name: str) -> float:
        """A number that must be there; NaN, and a problem, where it is not."""
        value = row.get(name)
        if value is None:
            self.lack(row, at, name)
        elif (number := as_number(value)) is not None:
            return number
        else:
            words = f"row {at}: {name}: found '{shown(value)}'; a number is needed"
            self.problems.append(Problem(words, column=name, code="field"))
        return math.nan

    def lack(self, row: Mapping[str, Any], at: int, name: str) -> None:
        """Say that a field is missing."""
        words = f"row {at}: {name} is missing{did_you_mean(name, row)}"
        self.problems.append(Problem(words, column=name, code="missing-field"))

    def refuse(self) -> None:
        """Raise what was wrong, where anything was.

        Raises:
            DataError: With all of it.
        """
        if self.problems:
            raise DataError(self.problems)


def as_number(value: Any) -> float | None:
    """A finite number, written as one or as text; else ``None``."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = float(value) if faults.is_number(value.strip()) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def kept(row: Mapping[str, Any], names: Iterable[str]) -> Row:
    """The named fields that a row has, numbers as numbers."""
    return {name: value for name in names if (value := row.get(name)) not in (None, "")}


def text(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of the named fields that says something."""
    return next((str(row[name]).strip() for name in names if row.get(name) not in (None, "")), None)
