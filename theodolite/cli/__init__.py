"""Command line: thin commands over `Study`; no logic lives here."""

import sys

__all__ = ["main"]

INTERRUPTED = 130  # the exit code after Ctrl-C


def main() -> None:
    """Run the command line; errors that a user can mend end with their message and exit code, without a traceback."""
    from measurement.errors import TheodoliteError
    from theodolite.cli.commands import app

    try:
        app(prog_name="theodolite")
    except TheodoliteError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            print("interrupted: what was under way is dropped, what was stored before stays", file=sys.stderr)
        raise
