"""Batches of a long study, kept one by one in files, so that a study that was interrupted goes on where it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """What a file holds as JSON, made where it is not there yet."""
    if not file.exists():
        text = json.dumps(make())
        file.write_text(text, encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))
