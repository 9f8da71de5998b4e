"""Read the objects of a json or toml file strictly: nothing is guessed, and what cannot be a value is said to be so.

JSON keeps the pairs of an object as they stand, so that a key that is named twice is seen; numbers must be finite and
of a sane length; nothing in a file is ever run.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from measurement.errors import DataError, shown
from measurement.reading import files
from measurement.reading.files import TableFile

LARGEST = 50 << 20
"""Bytes of a file of objects; every real one is far smaller."""
DEEPEST = 50
LONGEST_INTEGER = 400

type Fields = list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that could not even be read."""

    words: str

    def __str__(self) -> str:
        return self.words


def content(file: TableFile) -> bytes:
    """The bytes of a file, UTF-8 without NUL.

    Raises:
        DataError: Where it is too large, unreadable or no text.
    """
    try:
        if file.path.stat().st_size > LARGEST:
            raise DataError([file.problem(f"is larger than {LARGEST >> 20} MB; no such file is", "too-large")])
        data = file.path.read_bytes()
    except OSError as error:
        words = f"cannot be read ({error.strerror or error})"
        raise DataError([file.problem(words, "unreadable-file")]) from None
    broken = files.bytes_problem(file, data, 0)
    if broken:
        raise DataError([broken])
    return data


def from_json(file: TableFile, data: bytes, what: str = "test") -> list[Fields]:
    """The objects of a json list, or the one object, each as its fields in order (repeated ones too).

    Args:
        file: The file, for problems.
        data: Its content.
        what: What one object is, for problems.

    Raises:
        DataError: Where it is no sound json, or holds something else than objects.
    """
    try:
        value = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_Pairs, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        words = f"is no sound json: {error.msg[:1].lower() + error.msg[1:]} at character {error.colno}"
        raise DataError([file.problem(words, "broken-json", error.lineno)]) from None
    except RecursionError:
        raise DataError([file.problem(f"is nested too deeply; a {what} is a flat object", "broken-json")]) from None
    records = value if isinstance(value, list) else [value]
    if not records:
        raise DataError([file.problem(f"holds no {what}", "no-rows")])
    strange = [
        file.problem(f"record {i}: found '{shown(record, 40)}'; a {what} is an object", "not-an-object")
        for i, record in enumerate(records, 1)
        if not isinstance(record, _Pairs)
    ]
    if strange:
        raise DataError(strange)
    try:
        return [[(name, _plain(value)) for name, value in record.pairs] for record in records]
    except RecursionError:
        raise DataError([file.problem(f"is nested too deeply; a {what} is a flat object", "broken-json")]) from None


def from_toml(file: TableFile, data: bytes, what: str = "test") -> list[Fields]:
    """The one object that a toml file is, or those of its one array of tables (``[[tests]]``).

    Raises:
        DataError: Where it is no sound toml; toml itself forbids a key that is named twice.
    """
    try:
        value = tomllib.loads(data.decode("utf-8-sig"), parse_float=_float)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        words = f"is no sound toml: {shown(str(error), 200)}"
        raise DataError([file.problem(words, "broken-toml", int(line[1]) if line else None)]) from None
    except RecursionError:
        raise DataError([file.problem(f"is nested too deeply; a {what} is a flat table", "broken-toml")]) from None
    except ValueError:  # an integer of thousands of digits
        raise DataError([file.problem("holds a number of thousands of digits", "broken-toml")]) from None
    tables = next(iter(value.values())) if len(value) == 1 else None
    several = isinstance(tables, list) and bool(tables) and all(isinstance(each, dict) for each in tables)
    records: list[dict[str, Any]] = tables if several and tables else [value]
    if not value:
        raise DataError([file.problem(f"holds no {what}", "no-rows")])
    return [[(name, _sane(each)) for name, each in record.items()] for record in records]


class _Pairs:
    """A json object as pairs, so that a key that stands there twice is seen."""

    def __init__(self, pairs: Fields) -> None:
        self.pairs = pairs

    def __str__(self) -> str:
        return "an object"


def _plain(value: Any, depth: int = 0) -> Any:
    """A field's value with objects inside it as dictionaries; refused where one names a key twice.

    Raises:
        RecursionError: Where it is nested deeper than anything that is meant, whatever Python's own limit is.
    """
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, list):
        return _whole([_plain(each, depth + 1) for each in value])
    if not isinstance(value, _Pairs):
        return value
    keys = [name for name, _ in value.pairs]
    if len(set(keys)) < len(keys):
        return Refused("found an object that names a key twice")
    return _whole({name: _plain(each, depth + 1) for name, each in value.pairs})


def _sane(value: Any) -> Any:
    if isinstance(value, dict):
        return _whole({name: _sane(each) for name, each in value.items()})
    if isinstance(value, list):
        return _whole([_sane(each) for each in value])
    if type(value) is int and abs(value) >= 10**LONGEST_INTEGER:
        return Refused("found a number of hundreds of digits")
    return value


def _whole(value: Any) -> Any:
    """A list or dictionary, or the first thing inside it that was refused."""
    inside = value.values() if isinstance(value, dict) else value
    return next((each for each in inside if isinstance(each, Refused)), value)


def _constant(text: str) -> Refused:
    return Refused(f"found {text}; a number must be finite")


def _integer(text: str) -> int | Refused:
    return int(text) if len(text) <= LONGEST_INTEGER else Refused(f"found a number of {len(text)} digits")


def _float(text: str) -> float | Refused:
    number = float(text)
    return number if abs(number) < float("inf") else Refused(f"found {shown(text, 40)}; a number must be finite")
