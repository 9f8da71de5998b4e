"""Fields of forms, read: numbers, choices, and what is wrong with them, all of it at once."""

from collections.abc import Mapping
from typing import Any

from experiments.planning.goal_text import names
from measurement.errors import DataError, Problem, refuse, shown

LARGEST = 1e15


def number(form: Mapping[str, str], name: str, what: str) -> float | None:
    """A number of a form; ``None`` where its field is empty.

    Args:
        form: The fields.
        name: The field.
        what: What it is, for the refusal.

    Raises:
        DataError: Where it holds something else.
    """
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        found = float(text.replace("\u2212", "-")) if "_" not in text else float("nan")
    except ValueError:
        found = float("nan")
    if not abs(found) < LARGEST:
        words = f"{what}: found '{shown(text)}', expected a number such as 120000"
        raise DataError([Problem(words, column=name, code="number")])
    return found


def ticked(form: Mapping[str, str], name: str) -> list[str]:
    """The names that were ticked in a field.

    Raises:
        DataError: Where it holds something else than names.
    """
    text = form.get(name, "")
    try:
        return list(names(text)) if text.strip() else []
    except ValueError as wrong:
        raise DataError([Problem(str(wrong), column=name, code="not-readable")]) from None


def decision_of(form: Mapping[str, str]) -> dict[str, Any]:
    """A decision as its form tells it, for `theodolite.decisions.Decisions.add`.

    Raises:
        DataError: With every field that is missing or cannot be read.
    """
    problems: list[Problem] = []
    expected = {
        "median": _needed(form, "expected", "what is expected", problems),
        "low": _needed(form, "low", "the low end of what is expected", problems),
        "high": _needed(form, "high", "the high end of what is expected", problems),
    }
    texts = {"what": "what was decided", "metric": "what it should move", "review": "the day of its review"}
    told: dict[str, Any] = {name: form.get(name, "").strip() for name in texts}
    problems += [_empty(name, what) for name, what in texts.items() if not told[name]]
    refuse(problems)
    told |= {"expected": expected, "channels": ticked(form, "channels")}
    told |= {"evidence": ticked(form, "evidence"), "plan": form.get("plan", "").strip() or None}
    return told


def outcome_of(form: Mapping[str, str]) -> dict[str, Any]:
    """An outcome as its form tells it, for `theodolite.decisions.Decisions.score`.

    Raises:
        DataError: With every number that is missing or is none.
    """
    problems: list[Problem] = []
    told = {"actual": _needed(form, "actual", "what came", problems)}
    told |= {name: _number(form, name, f"the {name} end of what came", problems) for name in ("low", "high")}
    refuse(problems)
    return {**told, "note": form.get("note", "").strip()}


def _needed(form: Mapping[str, str], name: str, what: str, problems: list[Problem]) -> float | None:
    if not form.get(name, "").strip():
        problems.append(_empty(name, what))
    return _number(form, name, what, problems)


def _number(form: Mapping[str, str], name: str, what: str, problems: list[Problem]) -> float | None:
    try:
        return number(form, name, what)
    except DataError as error:
        problems += error.problems
        return None


def _empty(name: str, what: str) -> Problem:
    return Problem(f"{what} is not filled in", column=name, code="empty")
