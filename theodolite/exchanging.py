"""Tests from and to the files of other tools: rows in, records out, and back."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.whole_file import whole_file

if TYPE_CHECKING:
    from calibration.evidence import Evidence
    from calibration.exchange import Row
    from experiments import Experiment
    from measurement import Panel

LARGEST = 50 << 20


def importable(
    file: Path,
    form: str | None,
    given: Mapping[str, str],
    panel: "Panel",
    aliases: Mapping[str, str],
    own: "Sequence[Experiment]",
) -> "list[Experiment]":
    """The tests of a file that a study could import.

    Args:
        file: Records, or another tool's file.
        form: Which form that is; ``None`` for records.
        given: As for `read`.
        panel: The study's panel.
        aliases: Other names of its channels.
        own: The tests of the study's own file.

    Raises:
        DataError: With everything that is in the way.
    """
    from experiments import records

    tests = records.read(file) if form is None else read(file, form, given)
    refuse(records.place(tests, panel, aliases))
    known = {test.experiment_id: test for test in own}
    refuse(
        [
            Problem(f"test '{shown(t.experiment_id)}' has other content in the study's own file", file=str(file))
            for t in tests
            if known.get(t.experiment_id, t) != t
        ]
    )
    return tests


def read(file: Path, form: str, given: Mapping[str, str]) -> "list[Experiment]":
    """The tests of another tool's file, as records.

    Args:
        file: A csv or json file.
        form: Name of the form (`calibration.exchange.FORMATS`).
        given: Fields of a record that hold for every row and that the file does not say, as texts.

    Raises:
        DataError: With everything that is wrong.
    """
    from calibration.exchange import format_of
    from experiments import records

    known = format_of(form)
    strange = [name for name in given if name not in records.Experiment.model_fields]
    if strange:
        raise DataError(
            [
                Problem(
                    f"--set {shown(name)}: is no field of a test{did_you_mean(name, records.Experiment.model_fields)}"
                )
                for name in strange
            ]
        )
    set_for_all = {name: records.cell(name, text) for name, text in given.items()}
    if known.read is None:
        raise DataError(f"--format {form} is written only")
    # What the caller says goes in first, so that a form can use it (dates, say), and last, so that it holds.
    rows = [row | {name: value for name, value in given.items() if name not in row} for row in _rows(file)]
    try:
        return records.parse([row | set_for_all for row in known.read(rows)])
    except DataError as error:
        lacking = any(problem.code == "missing-field" for problem in error.problems)
        hint = [Problem("what the file does not say can be given for all rows: --set FIELD=VALUE", level="note")]
        named = [Problem(p.message, shown(file.name), p.line, p.column, p.level, p.code) for p in error.problems]
        raise DataError([*named, *(hint if lacking else [])]) from None


def write(
    evidence: "Sequence[Evidence]", panel: "Panel", form: str, file: Path, *, force: bool = False
) -> list[Problem]:
    """Write tests for another tool.

    Args:
        evidence: The tests as the model takes them.
        panel: The study's panel.
        form: A name of `calibration.exchange.FORMATS` that can be written.
        file: Where to.
        force: Whether to replace a file that is there.

    Returns:
        Notes on the tests that the form cannot hold.

    Raises:
        DataError: Where the form is unknown, nothing is left to write, or the file is there already.
    """
    from calibration.exchange import format_of

    known = format_of(form, writing=True)
    if file.suffix.lower() != known.suffix:
        raise DataError(f"--format {form} is written to a file that ends in {known.suffix}; found '{shown(file.name)}'")
    if file.exists() and not force:
        raise DataError(f"{shown(file)} is there already: name another file, or say --force")
    rows, notes = known.write(evidence, panel) if known.write else ([], [])
    if not rows:
        raise DataError([Problem(f"there is no test that --format {form} can hold", code="no-rows"), *notes])
    with whole_file(file, "the tests", over=force) as draft:
        if known.suffix == ".json":
            text = json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        else:
            text = _csv(rows)
        draft.write_text(text, encoding="utf-8", newline="\n")
    return notes


def _csv(rows: "Sequence[Row]") -> str:
    from theodolite.report.csv_text import neutral

    fields = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([neutral(row.get(name)) for name in fields] for row in rows)
    return buffer.getvalue()


def _rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a csv or json file.

    Raises:
        DataError: Where it cannot be read as one.
    """
    name = shown(file.name)
    try:
        if file.stat().st_size > LARGEST:
            raise DataError([Problem(f"is larger than {LARGEST >> 20} MB; no file of tests is", name)])
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError([Problem(f"cannot be read ({error.strerror or error})", name)]) from None
    except UnicodeDecodeError:
        raise DataError([Problem("is no UTF-8 text; save it as csv or json", name)]) from None
    found = _json_rows(text, name) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text, name)
    if not found:
        raise DataError([Problem("holds no test", name, code="no-rows")])
    return found


def _json_rows(text: str, name: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(f"is no sound json: {shown(str(error))}", name, code="broken-json")]) from None
    rows = value if isinstance(value, list) else [value]
    strange = [i for i, row in enumerate(rows, 1) if not isinstance(row, dict)]
    if strange:
        raise DataError([Problem(f"row {i}: a test is an object", name, code="not-an-object") for i in strange])
    return rows


def _csv_rows(text: str, name: str) -> list[dict[str, Any]]:
    lines = list(csv.reader(io.StringIO(text), strict=False))
    header = [cell.strip() for cell in lines[0]] if lines else []
    problems = [
        Problem(f"the column '{shown(column)}' stands there twice", name, 1, column, code="column-twice")
        for column in dict.fromkeys(header)
        if header.count(column) > 1
    ]
    rows = []
    for at, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            words = f"has {len(cells)} values, the header has {len(header)}"
            problems.append(Problem(words, name, at, code="ragged-row"))
            continue
        rows.append({column: cell.strip() or None for column, cell in zip(header, cells, strict=True)})
    if problems:
        raise DataError(problems)
    return rows
