"""Showing a page: what is asked of it, and the document around what it holds."""

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from theodolite.app import shell
from theodolite.app.pages import jobs as jobs_page
from theodolite.app.pages.ask import Ask
from theodolite.app.requests import desk_of, jobs_of, who_asks


def ask_of(request: Request) -> Ask:
    """A request as pages take it."""
    return Ask(desk_of(request).reading(), who_asks(request), dict(request.query_params))


def shown(request: Request, ask: Ask, current: str, title: str, made: str, status: int = 200) -> Response:
    """A page around content; work that is under way stands above it."""
    running = jobs_of(request).running()
    above = ""
    if running is not None and not request.url.path.startswith("/job"):
        above = shell.fragment((jobs_page.card(running, ask.edits, reload=True),))
    frame = shell.Frame(
        ask.reading.config.study.name, current, ask.who.actor, ask.who.role, running.title if running else ""
    )
    return HTMLResponse(shell.document(frame, title, above + made).encode("utf-8", "replace"), status)
