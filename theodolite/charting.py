"""Charts as files: a picture or a page that works offline, written whole or not at all, never over another file."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measurement.errors import DataError, shown

KINDS = (".png", ".svg", ".html")


def refuse(file: Path | None) -> None:
    """Refuse a file that cannot be drawn, before anything is worked out.

    Raises:
        DataError: Where it has another ending or is there already.
    """
    if file is None:
        return
    if file.suffix.lower() not in KINDS:
        raise DataError(f"a chart is drawn to {', '.join(KINDS)}; found '{shown(file.name)}'")
    if file.exists():
        raise DataError(f"{shown(file)} is there already: name another file")


def save(chart: Callable[[], Any], file: Path | None) -> None:
    """Draw a chart to a file, where one is wanted.

    Raises:
        DataError: Where it cannot be written.
    """
    if file is None:
        return
    refuse(file)
    made, kind = chart(), file.suffix.lower().removeprefix(".")
    settings: dict[str, Any] = {"inline": True} if kind == "html" else {"scale_factor": 2} if kind == "png" else {}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=file.suffix.lower())
        os.close(handle)
        draft = Path(name)
        try:
            made.save(str(draft), format=kind, **settings)
            draft.chmod(0o644)
            draft.replace(file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"the chart cannot be written to {shown(file)}: {error.strerror}") from None
