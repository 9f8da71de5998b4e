"""A PostgreSQL server for tests: made in an empty folder, reached through a socket in it, gone when they end."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The folder of the server's programs; Debian keeps them out of the path."""
    beside = shutil.which("initdb")
    folders = [Path(beside).resolve().parent] if beside else []
    found = [*folders, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@contextmanager
def running(folder: Path | None = None) -> Iterator[str]:
    """Start a server; yield how to reach it (libpq's words). It runs as another user where the tests run as root."""
    home = folder or Path(tempfile.mkdtemp(prefix="pg-"))  # a short path: a socket's name has 107 bytes at most
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    _run(home, "initdb", "-D", "data", "-U", "theodolite", "--auth=trust", "-E", "UTF8", "--locale=C", "-N")
    _control(home, "start")
    try:
        yield f"host={home} user=theodolite dbname=postgres"
    finally:
        _control(home, "stop")
        shutil.rmtree(home, ignore_errors=True)


def restart(home: Path) -> None:
    """Kill a server as a crash would, where it still runs, and start it again."""
    if _code(home, "pg_ctl", "-D", "data", "status") == 0:
        _control(home, "stop")
    _control(home, "start")


def _control(home: Path, verb: str) -> None:
    options = f"-c listen_addresses='' -c unix_socket_directories={home}"
    how = ["-l", "log", "-o", options] if verb == "start" else ["-m", "immediate"]
    _run(home, "pg_ctl", "-D", "data", "-w", *how, verb)


def _run(home: Path, program: str, *arguments: str) -> None:
    code = _code(home, program, *arguments)
    assert code == 0, (home / "said").read_text()


def _code(home: Path, program: str, *arguments: str) -> int:
    """How a program of the server ended; what it said is in the file ``said``."""
    place = programs()
    assert place is not None
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # No pipe: the server would keep it open, and reading it would never end.
    with (home / "said").open("wb") as said:
        return subprocess.run(
            [*as_user, str(place / program), *arguments], stdout=said, stderr=said, cwd=home
        ).returncode
