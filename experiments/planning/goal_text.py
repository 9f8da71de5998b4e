"""A goal from texts, as a command line or a form gives it: ``21,28``, ``2:8``, ``.05:.2``."""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from experiments.planning.goal import Goal
from measurement.errors import DataError, Problem, did_you_mean, shown

_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_REQUIRED = ("channel", "durations", "geos")


def goal_from_mapping(given: Mapping[str, Any]) -> Goal:
    """Build a goal from fields whose values are texts; values of another type are taken as they are.

    Lists are written with commas (a name that holds one stands in double quotes), ranges with a colon. ``clusters``
    and ``adjacent`` are lists of such lists, ``strata`` maps a geo to its stratum, ``quotas`` a stratum to a range.
    Fields that are ``None`` are left at their default.

    Raises:
        DataError: Every field that cannot be read, is unknown or is missing.
    """
    known = tuple(each.name for each in fields(Goal))
    read: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        if name not in known:
            problems.append(Problem(f"unknown field{did_you_mean(name, known)}", column=name, code="unknown-field"))
        elif value is not None:
            try:
                read[name] = _READERS[name](value) if name in _READERS else value
            except ValueError as wrong:
                problems.append(Problem(str(wrong), column=name, code="not-readable"))
    lacking = [name for name in _REQUIRED if given.get(name) is None]
    problems += [Problem("is missing; a goal needs it", column=name, code="missing-field") for name in lacking]
    if problems:
        raise DataError(problems)
    return Goal(**read)


def whole(text: str) -> int:
    """A whole number.

    Raises:
        ValueError: In words for a user, here and in the readers below.
    """
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"found '{shown(text)}'; a whole number is needed, such as 28")
    return int(text)


def number(text: str) -> float:
    """A number with a decimal point."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f"found '{shown(text)}'; a number is needed, such as 0.25 (no comma, no sign of money or %)")
    return float(text)


def whole_list(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between: ``21,28``."""
    return tuple(_each(text, whole, "whole numbers with commas between are needed, such as 21,28"))


def whole_range(text: str) -> tuple[int, int]:
    """Fewest and most: ``2:8``, or ``4`` for exactly four."""
    return _range(text, whole, "a range of whole numbers is needed, such as 2:8 (or 4 for exactly four)")


def share_range(text: str) -> tuple[float, float]:
    """Least and largest share: ``.05:.2``."""
    if ":" not in text:
        raise ValueError(f"found '{shown(text)}'; a range of shares is needed, such as .05:.2")
    return _range(text, number, "a range of shares is needed, such as .05:.2")


def names(text: str) -> tuple[str, ...]:
    """Names with commas between; a name that holds a comma stands in double quotes."""
    try:
        (row,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        raise ValueError(f"found '{shown(text)}'; names with commas between are needed, quotes in pairs") from None
    found = tuple(name.strip() for name in row)
    if not found or not all(found):
        raise ValueError(f"found '{shown(text)}'; an empty name stands in it")
    return found


def _each[T](text: str, read: Callable[[str], T], wanted: str) -> list[T]:
    try:
        return [read(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"found '{shown(text)}'; {wanted}") from None


def _range[T](text: str, read: Callable[[str], T], wanted: str) -> tuple[T, T]:
    ends = text.split(":")
    try:
        if len(ends) > 2:
            raise ValueError
        return read(ends[0]), read(ends[-1])
    except ValueError:
        raise ValueError(f"found '{shown(text)}'; {wanted}") from None


def _groups(least: int, most: int | None, wanted: str) -> Callable[[Any], tuple[tuple[str, ...], ...]]:
    """A reader of several lists of names, each of a bounded length."""

    def read(value: Any) -> tuple[tuple[str, ...], ...]:
        found = tuple(names(each) if isinstance(each, str) else tuple(each) for each in _listed(value))
        for group in found:
            if len(group) < least or (most is not None and len(group) > most):
                raise ValueError(f"found '{shown(', '.join(group))}'; {wanted}")
        return found

    return read


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value)


def _texts[T](read: Callable[[str], T]) -> Callable[[Any], T]:
    """A reader of texts that lets values of another type pass."""
    return lambda value: read(value) if isinstance(value, str) else value


def _strata(value: Any) -> dict[str, str]:
    """Stratum by geo, from a mapping or from texts like ``berlin=east``."""
    return dict(value) if isinstance(value, Mapping) else _assigned(_listed(value), "berlin=east")


def _quotas(value: Any) -> dict[str, tuple[int, int]]:
    """Fewest and most by stratum, from a mapping or from texts like ``east=1:3``."""
    pairs = value if isinstance(value, Mapping) else _assigned(_listed(value), "east=1:3")
    return {name: whole_range(each) if isinstance(each, str) else tuple(each) for name, each in pairs.items()}


def _assigned(texts: list[str], example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.rpartition("="))
        if not (sign and name and value):
            raise ValueError(f"found '{shown(text)}'; a name and its value are needed, such as {example}")
        if name in found:
            raise ValueError(f"'{shown(name)}' stands in it twice")
        found[name] = value
    return found


_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("channel", "must_include", "exclude", "busy", "treatment_geos"), _texts(names)),
    **dict.fromkeys(("spend_change", "alpha", "power", "budget", "iroas", "icpa"), _texts(number)),
    **dict.fromkeys(("cooldown", "cells", "seed"), _texts(whole)),
    "durations": _texts(whole_list),
    "geos": _texts(whole_range),
    "share": _texts(share_range),
    "clusters": _groups(2, None, "a cluster holds 2 geos or more"),
    "adjacent": _groups(2, 2, "neighbours are named in pairs, such as berlin,potsdam"),
    "strata": _strata,
    "quotas": _quotas,
}
