"""Read records of tests from json (a list, or one object), toml and csv, strictly, all problems of a file together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.records import rules
from experiments.records.experiment import Experiment
from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.reading import faults, files, objects
from measurement.reading.files import TableFile
from measurement.reading.objects import Fields, Refused

type More = Mapping[str, rules.Kind]
"""Further fields that may stand beside a record's own, and what each of them holds."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """A record as it stands in the file: its fields in order, repeated ones too."""

    fields: Fields
    line: int | None = None


def read(source: str | Path, *, results: bool = True) -> list[Experiment]:
    """Read the records of a json, toml or csv file, or of several (a glob).

    In csv the fields are columns; an empty cell is a field left out, and a cell with several names separates them by
    ``;`` or holds a json list. Toml holds one test, or several as ``[[tests]]``.

    Args:
        source: Path or glob.
        results: Whether every record must say what was measured; a plan (for `experiments.analyse`) does not.

    Raises:
        DataError: With every problem found; each names the record, the field and, for csv, the line.
    """
    return [experiment for experiment, _ in read_more(source, {}, results=results)]


def read_more(source: str | Path, more: More, *, results: bool) -> list[tuple[Experiment, dict[str, Any]]]:
    """The same for records that have further fields beside their own; those that are there come as a dictionary.

    Args:
        source: Path or glob.
        more: The further fields.
        results: As for `read`.

    Raises:
        DataError: As `read`.
    """
    found: list[tuple[_Raw, str]] = []
    problems: list[Problem] = []
    for file in files.find(source):
        try:
            found += [(raw, file.name) for raw in _records(file, more)]
        except DataError as error:
            problems += error.problems
    experiments, wrong = _all([raw for raw, _ in found], [name for _, name in found], results, more)
    refuse([*problems, *wrong])
    return experiments


def parse(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, results: bool = True) -> list[Experiment]:
    """The same for values that are in memory already: one record as a mapping, or a list of them.

    Raises:
        DataError: With every problem found.
    """
    records = [value] if isinstance(value, Mapping) else value
    return [experiment for experiment, _ in parse_more(records, {}, results=results)]


def parse_more(
    records: Sequence[Mapping[str, Any]], more: More, *, results: bool
) -> list[tuple[Experiment, dict[str, Any]]]:
    """As `read_more`, for values that are in memory already."""
    raws = [_Raw(list(record.items())) for record in records]
    experiments, problems = _all(raws, [None] * len(raws), results, more)
    refuse(problems)
    return experiments


def _all(
    raws: list[_Raw], names: Sequence[str | None], results: bool, more: More
) -> tuple[list[tuple[Experiment, dict[str, Any]]], list[Problem]]:
    experiments: list[tuple[Experiment, dict[str, Any]]] = []
    problems: list[Problem] = []
    ids: dict[str, str] = {}
    for i, (raw, name) in enumerate(zip(raws, names, strict=True), 1):
        record, faulty = _checked(raw, results, more)
        identity = record.get("experiment_id")
        who = f"experiment '{shown(identity)}'" if identity is not None else f"record {i}"
        if identity is not None and identity in ids:
            faulty.append(("experiment_id", f"stands in {ids[identity]} already; one name, one test", "duplicate-id"))
        elif identity is not None:
            ids[identity] = f"record {i}" + (f" (line {raw.line})" if raw.line else "")
        problems += [Problem(f"{who}: {words}", name, raw.line, field, "error", code) for field, words, code in faulty]
        if not faulty:
            own = {field: value for field, value in record.items() if field not in more}
            others = {field: value for field, value in record.items() if field in more}
            experiments.append((Experiment.model_validate(own), others))
    return experiments, problems


def _checked(raw: _Raw, results: bool, more: More) -> tuple[dict[str, Any], list[rules.Fault]]:
    """The sound fields of a record, and what is wrong with the others or between them."""
    record: dict[str, Any] = {}
    faulty: list[rules.Fault] = []
    seen: set[str] = set()
    known = (*rules.FIELDS, *more)
    for name, value in raw.fields:
        if name in seen:
            faulty.append((name, "stands in the record twice", "duplicate-key"))
        elif name not in known:
            faulty.append((name, f"is no field of a test{did_you_mean(name, known)}", "unknown-field"))
        elif value is not None:
            checked, wrong = (None, value.words) if isinstance(value, Refused) else rules.field(name, value, more)
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


def _records(file: TableFile, more: More) -> list[_Raw]:
    if file.kind != "csv":
        raise DataError([file.problem("is parquet; tests are read from json, toml or csv", "binary-file")])
    data, kind = objects.content(file), file.path.suffix.casefold()
    if kind == ".toml":
        return [_Raw(fields) for fields in objects.from_toml(file, data)]
    if kind == ".json" or data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return [_Raw(fields) for fields in objects.from_json(file, data)]
    return _from_csv(file, more)


def _from_csv(file: TableFile, more: More) -> list[_Raw]:
    known = (*rules.FIELDS, *more)
    layout = files.layout(file, known)
    if layout.problems:
        raise DataError(layout.problems)
    problems = [
        file.problem("has no name" if not name.strip() else "the header names it twice", "column-twice", 1, name)
        for i, name in enumerate(layout.header)
        if not name.strip() or name in layout.header[:i]
    ]
    problems += [
        file.problem(f"is no field of a test{did_you_mean(name, known)}", "unknown-field", 1, name)
        for name in layout.header
        if name.strip() and name not in known
    ]
    raws = []
    for line, cells in files.records(file, layout):
        if isinstance(cells, str):
            problems.append(file.problem(f"the quotes are broken ({cells})", "unclosed-quote", line))
        elif len(cells) != len(layout.header):
            words = f"has {len(cells)} values, the header has {len(layout.header)}"
            problems.append(file.problem(words, "ragged-row", line))
        else:
            raws.append(_Raw([(n, cell(n, c, more.get(n))) for n, c in zip(layout.header, cells, strict=True)], line))
    if problems or not raws:
        raise DataError(problems or [file.problem("has a header and no tests", "no-rows")])
    return raws


def cell(name: str, text: str, kind: rules.Kind | None = None) -> Any:
    """A csv cell as the json value it stands for; ``None`` where it is empty."""
    text = text.strip() if name != "notes" and kind != "prose" else text
    if not text:
        return None
    if name in (*rules.NUMBERS, "burn_in") or kind == "number":
        return float(text) if faults.is_number(text) else Refused(faults.number(text)[0])
    if name in rules.FLAGS:
        known = {"true": True, "false": False}
        return known.get(text.casefold(), Refused(faults.flag(text)[0]))
    listed = name in rules.LISTS or kind == "names"
    if name in rules.NESTED or (listed and text.startswith("[")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return Refused(f"found '{shown(text)}'; a json list is needed")
    return [part.strip() for part in text.split(";")] if listed else text
