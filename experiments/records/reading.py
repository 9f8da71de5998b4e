"""Read records of tests from json (a list, or one object) and csv, strictly, with all problems of a file together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.records import rules
from experiments.records.experiment import Experiment
from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.reading import faults, files
from measurement.reading.files import TableFile

LARGEST = 50 << 20
"""Bytes of a file of records; every real one is far smaller."""

type Fields = list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class _Raw:
    """A record as it stands in the file: its fields in order, repeated ones too."""

    fields: Fields
    line: int | None = None


def read(source: str | Path, *, results: bool = True) -> list[Experiment]:
    """Read the records of a json or csv file, or of several (a glob).

    In csv the fields are columns; an empty cell is a field left out, and a cell with several names separates them by
    ``;`` or holds a json list.

    Args:
        source: Path or glob.
        results: Whether every record must say what was measured; a plan (for `experiments.analyse`) does not.

    Raises:
        DataError: With every problem found; each names the record, the field and, for csv, the line.
    """
    found: list[tuple[_Raw, str]] = []
    problems: list[Problem] = []
    for file in files.find(source):
        try:
            found += [(raw, file.name) for raw in _records(file)]
        except DataError as error:
            problems += error.problems
    experiments, more = _all([raw for raw, _ in found], [name for _, name in found], results)
    refuse([*problems, *more])
    return experiments


def parse(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, results: bool = True) -> list[Experiment]:
    """The same for values that are in memory already: one record as a mapping, or a list of them.

    Raises:
        DataError: With every problem found.
    """
    records = [value] if isinstance(value, Mapping) else value
    experiments, problems = _all([_Raw(list(record.items())) for record in records], [None] * len(records), results)
    refuse(problems)
    return experiments


def _all(raws: list[_Raw], names: Sequence[str | None], results: bool) -> tuple[list[Experiment], list[Problem]]:
    experiments: list[Experiment] = []
    problems: list[Problem] = []
    ids: dict[str, str] = {}
    for i, (raw, name) in enumerate(zip(raws, names, strict=True), 1):
        record, faulty = _checked(raw, results)
        identity = record.get("experiment_id")
        who = f"experiment '{shown(identity)}'" if identity is not None else f"record {i}"
        if identity is not None and identity in ids:
            faulty.append(("experiment_id", f"stands in {ids[identity]} already; one name, one test", "duplicate-id"))
        elif identity is not None:
            ids[identity] = f"record {i}" + (f" (line {raw.line})" if raw.line else "")
        problems += [Problem(f"{who}: {words}", name, raw.line, field, "error", code) for field, words, code in faulty]
        if not faulty:
            experiments.append(Experiment.model_validate(record))
    return experiments, problems


def _checked(raw: _Raw, results: bool) -> tuple[dict[str, Any], list[rules.Fault]]:
    """The sound fields of a record, and what is wrong with the others or between them."""
    record: dict[str, Any] = {}
    faulty: list[rules.Fault] = []
    seen: set[str] = set()
    for name, value in raw.fields:
        if name in seen:
            faulty.append((name, "stands in the record twice", "duplicate-key"))
        elif name not in rules.FIELDS:
            faulty.append((name, f"is no field of a test{did_you_mean(name, rules.FIELDS)}", "unknown-field"))
        elif value is not None:
            checked, wrong = (None, value.words) if isinstance(value, _Refused) else rules.field(name, value)
            if wrong:
                faulty.append((name, wrong, "field"))
            else:
                record[name] = checked
        seen.add(name)
    given = {name for name, value in raw.fields if value is not None}
    for name in rules.REQUIRED:
        if name not in given:
            faulty.append((name, "is missing", "missing-field"))
    hidden = {field for field, _, _ in faulty}
    faulty += [fault for fault in rules.together(record, given, results) if fault[0] not in hidden]
    return record, faulty


@dataclass(frozen=True, slots=True)
class _Refused:
    """A value that could not even be read."""

    words: str

    def __str__(self) -> str:
        return self.words


def _records(file: TableFile) -> list[_Raw]:
    if file.kind != "csv":
        raise DataError([file.problem("is parquet; tests are read from json or csv", "binary-file")])
    try:
        if file.path.stat().st_size > LARGEST:
            raise DataError([file.problem(f"is larger than {LARGEST >> 20} MB; no file of tests is", "too-large")])
        data = file.path.read_bytes()
    except OSError as error:
        words = f"cannot be read ({error.strerror or error})"
        raise DataError([file.problem(words, "unreadable-file")]) from None
    head = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return _from_json(file, data) if head in (b"{", b"[") or file.path.suffix == ".json" else _from_csv(file)


def _from_json(file: TableFile, data: bytes) -> list[_Raw]:
    broken = files.bytes_problem(file, data, 0)
    if broken:
        raise DataError([broken])
    try:
        value = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_Pairs, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        words = f"is no sound json: {error.msg[:1].lower() + error.msg[1:]} at character {error.colno}"
        raise DataError([file.problem(words, "broken-json", error.lineno)]) from None
    except RecursionError:
        raise DataError([file.problem("is nested too deeply; a test is a flat object", "broken-json")]) from None
    records = value if isinstance(value, list) else [value]
    if not records:
        raise DataError([file.problem("holds no test", "no-rows")])
    strange = [
        file.problem(f"record {i}: found '{shown(record, 40)}'; a test is an object", "not-an-object")
        for i, record in enumerate(records, 1)
        if not isinstance(record, _Pairs)
    ]
    if strange:
        raise DataError(strange)
    return [_Raw([(name, _plain(value)) for name, value in record.pairs]) for record in records]


class _Pairs:
    """A json object as pairs, so that a key that stands there twice is seen."""

    def __init__(self, pairs: Fields) -> None:
        self.pairs = pairs

    def __str__(self) -> str:
        return "an object"


def _plain(value: Any) -> Any:
    """A field's value with objects inside it as dictionaries; refused where one names a key twice."""
    if isinstance(value, list):
        inside = [_plain(each) for each in value]
        return next((each for each in inside if isinstance(each, _Refused)), inside)
    if not isinstance(value, _Pairs):
        return value
    keys = [name for name, _ in value.pairs]
    if len(set(keys)) < len(keys):
        return _Refused("found an object that names a key twice")
    found = {name: _plain(each) for name, each in value.pairs}
    return next((each for each in found.values() if isinstance(each, _Refused)), found)


def _constant(text: str) -> _Refused:
    return _Refused(f"found {text}; a number must be finite")


def _integer(text: str) -> int | _Refused:
    return int(text) if len(text) <= 400 else _Refused(f"found a number of {len(text)} digits")


def _from_csv(file: TableFile) -> list[_Raw]:
    layout = files.layout(file, rules.FIELDS)
    if layout.problems:
        raise DataError(layout.problems)
    problems = [
        file.problem("has no name" if not name.strip() else "the header names it twice", "column-twice", 1, name)
        for i, name in enumerate(layout.header)
        if not name.strip() or name in layout.header[:i]
    ]
    problems += [
        file.problem(f"is no field of a test{did_you_mean(name, rules.FIELDS)}", "unknown-field", 1, name)
        for name in layout.header
        if name.strip() and name not in rules.FIELDS
    ]
    raws = []
    for line, cells in files.records(file, layout):
        if isinstance(cells, str):
            problems.append(file.problem(f"the quotes are broken ({cells})", "unclosed-quote", line))
        elif len(cells) != len(layout.header):
            words = f"has {len(cells)} values, the header has {len(layout.header)}"
            problems.append(file.problem(words, "ragged-row", line))
        else:
            raws.append(_Raw([(n, _cell(n, c)) for n, c in zip(layout.header, cells, strict=True)], line))
    if problems or not raws:
        raise DataError(problems or [file.problem("has a header and no tests", "no-rows")])
    return raws


def _cell(name: str, text: str) -> Any:
    """A csv cell as the json value it stands for; ``None`` where it is empty."""
    text = text.strip() if name != "notes" else text
    if not text:
        return None
    if name in (*rules.NUMBERS, "burn_in"):
        return float(text) if faults.is_number(text) else _Refused(faults.number(text)[0])
    if name in rules.FLAGS:
        known = {"true": True, "false": False}
        return known.get(text.casefold(), _Refused(faults.flag(text)[0]))
    if name in rules.NESTED or (name in rules.LISTS and text.startswith("[")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return _Refused(f"found '{shown(text)}'; a json list is needed")
    return [part.strip() for part in text.split(";")] if name in rules.LISTS else text
