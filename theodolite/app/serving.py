"""Serving a workspace: the socket, the file that tells other programs of it, the browser, and an orderly end."""

import json
import os
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from measurement.errors import DataError, shown
from measurement.store import Store
from theodolite.app.settings import Settings, refuse_open_doors
from theodolite.talking import RUNTIME, running

USUAL_PORT = 8765


def serve(
    settings: Settings,
    *,
    any_port: bool = False,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a workspace until it is stopped; where it is served already, lead to that server and leave it alone.

    Args:
        settings: The address and who may ask.
        any_port: Whether another port may be taken where the wished one is in use.
        browser: Whether to open the browser.
        say: Prints a line.

    Raises:
        DataError: Where the workspace is none, the bind would be open to others, or the port is in use.
    """
    import uvicorn

    from theodolite.app.application import create
    from theodolite.study import Study

    if (already := running(settings.folder)) is not None:
        say(f"Theodolite serves {settings.folder} already (process {already.pid}) at")
        say(f"  {already.address}")
        if browser:
            webbrowser.open(already.address)
        return
    refuse_open_doors(settings, len(Study.open(settings.folder).keys.listed()))
    listening = bound(settings.address, settings.port, any_port=any_port)
    settings = replace(settings, port=int(listening.getsockname()[1]))
    config = uvicorn.Config(
        create(settings),
        access_log=False,  # addresses of first visits hold the token
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # the guard reads them, from listed addresses only
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=64 * 1024,
    )
    address = f"{settings.url}/?token={settings.token}"
    with runtime_file(settings):
        say(f"Theodolite serves {settings.folder} at")
        say(f"  {address}")
        say("The address holds a secret: whoever opens it may change the study. Stop with Ctrl-C.")
        if browser:
            webbrowser.open(address)
        uvicorn.Server(config).run(sockets=[listening])


def bound(address: str, port: int, *, any_port: bool = False) -> socket.socket:
    """A socket that is bound.

    Raises:
        DataError: Where it cannot be.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets no-delay on these only
    if os.name == "posix":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((address, port))
    except (OSError, OverflowError) as error:
        made.close()
        if any_port and port:
            return bound(address, 0)
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"cannot listen on {shown(address)}, port {port}: {words}; --port 0 takes a free one") from None
    return made


@contextmanager
def runtime_file(settings: Settings) -> Iterator[Path]:
    """Tell programs of the same user where this server is: ``.theodolite/server.json``, readable by that user only."""
    file = Store.home_of(settings.folder) / RUNTIME
    folder = str(settings.folder.resolve())  # a copy of the workspace is not what this server serves
    content = {"url": settings.url, "token": settings.token, "pid": os.getpid(), "folder": folder}
    draft = file.with_name(f"{RUNTIME}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(content, out)
        draft.replace(file)
    except OSError as error:
        raise DataError(f"{shown(file)} cannot be written: {error.strerror}") from None
    try:
        yield file
    finally:
        if _pid(file) == os.getpid():
            file.unlink(missing_ok=True)


def _pid(file: Path) -> int | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None
