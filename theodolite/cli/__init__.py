"""Command line: thin commands over `Study`; no logic lives here."""

import os
import sys
from typing import NoReturn

__all__ = ["main"]

LEVELS = ("error: ", "warning: ", "note: ")
INTERRUPTED = 130  # the exit code after Ctrl-C


def main() -> None:
    """Run the command line; errors that a user can mend end with their message and exit code, without a traceback."""
    try:
        _run()
    except KeyboardInterrupt:  # outside of a command, as while it is loaded
        _interrupted()
        _end(INTERRUPTED)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _interrupted()
        _end(ended.code)


def _run() -> None:
    _one_thread_for_small_matrices()
    from measurement.errors import TheodoliteError
    from theodolite.cli.commands import app

    try:
        app(prog_name="theodolite")
    except TheodoliteError as error:
        words = str(error)  # those of bad input begin with their level already
        print(words if words.startswith(LEVELS) else f"error: {words}", file=sys.stderr)
        sys.exit(error.exit_code)


def _interrupted() -> None:
    print("interrupted: what was under way is dropped, what was stored before stays", file=sys.stderr)


def _end(code: "str | int | None") -> NoReturn:
    from theodolite import background

    if background.alive() and not isinstance(code, str):
        background.leave(code or 0)
    sys.exit(code)


def _one_thread_for_small_matrices() -> None:
    """Keep OpenBLAS to one thread unless the user says otherwise; it reads this when NumPy is first imported.

    The matrices here are small: two threads that wait for each other took six times the CPU-seconds of one on a test of
    200 geos, and never fewer wall seconds.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
