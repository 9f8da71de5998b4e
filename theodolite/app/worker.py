"""A worker process: reads one order from its standard input, does it, tells its progress, line by line, as JSON.

``python -m theodolite.app.worker``. The server stops it with a signal; when the server itself dies, the worker's
standard input ends, and the worker with it. The store is whole whenever that happens.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from measurement.errors import DataError, TheodoliteError
from measurement.provenance import finite


def main() -> None:
    """Do one order."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="\n")
    os.dup2(2, 1)  # what libraries print goes to the server's log, not between our lines
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        _say(out, ended=_done(order, out))
    except TheodoliteError as error:
        problems = [str(problem) for problem in error.problems] if isinstance(error, DataError) else [str(error)]
        _say(out, refused=problems[:20])


def _done(order: dict[str, Any], out: TextIO) -> Any:
    from theodolite.app.work import KINDS
    from theodolite.study import Study

    def tell(what: str, share: float | None) -> None:
        _say(out, doing=what, share=share)

    tell("reading the study", None)
    study = Study.open(Path(order["folder"]), order["actor"])
    return KINDS[order["kind"]].run(study, order["settings"], tell)


def _say(out: TextIO, **line: Any) -> None:
    out.write(json.dumps(finite(line), allow_nan=False) + "\n")
    out.flush()


def _end_with_the_server() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
