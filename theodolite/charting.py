"""Charts as files: a picture or a page that works offline, written whole or not at all, never over another file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from measurement.errors import DataError, shown
from measurement.whole_file import whole_file

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
    with whole_file(file, "the chart", over=False) as draft:
        made.save(str(draft), format=kind, **settings)
