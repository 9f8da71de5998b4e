"""Records of tests as files: written whole or not at all, and never over one that is there."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, shown
from measurement.whole_file import whole_file

if TYPE_CHECKING:
    from experiments import Experiment


def refuse_existing(file: Path | None) -> None:
    """Refuse to write a record over a file that is there: it may be a plan that was locked.

    Raises:
        DataError: Where it exists.
    """
    if file is not None and file.exists():
        raise DataError(f"{shown(file)} is there already, and a record is never overwritten: name another file")


def save(tests: "list[Experiment]", file: Path) -> Path:
    """Write one record as a json object, several as a list.

    Raises:
        DataError: Where the file is there already or cannot be written.
    """
    refuse_existing(file)
    records = [test.to_dict() for test in tests]
    text = json.dumps(records if len(records) > 1 else records[0], indent=2, ensure_ascii=False) + "\n"
    with whole_file(file, "the record", over=False) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
    return file
