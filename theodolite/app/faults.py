"""What goes wrong, as answers: problem+json for programs, a page for people; never a traceback."""

import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from measurement.errors import DataError, DesignError, FitError, Problem, StoreError, TheodoliteError
from theodolite.app.answers import Refusal, answer, from_workspace
from theodolite.app.requests import NotAllowed, desk_of

LOG = logging.getLogger("theodolite.app")
FIELDS = ("level", "code", "file", "line", "column", "message")
TITLES = {404: "Not found", 405: "Not allowed", 413: "Too large", 415: "Wrong kind of content"}


class NotFound(TheodoliteError):
    """There is nothing of that name."""


def install(app: FastAPI) -> None:
    """Answer every error of the house and every bad request; what nobody foresaw is the guard's to answer."""
    app.add_exception_handler(TheodoliteError, _known)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def refusal_of(error: TheodoliteError, folder: Path) -> Refusal:
    """An error of the house as a refusal; the files of the workspace are named from its folder."""
    problems: tuple[dict[str, Any], ...] = ()
    if isinstance(error, DataError):
        problems = tuple(_plain(problem, folder) for problem in error.problems[:20])
    told = from_workspace(str(error), folder)
    words = "\n".join(line.removeprefix("error: ") for line in told.splitlines())
    match error:
        case NotFound():
            return Refusal(404, "Not found", told)
        case StoreError():
            return Refusal(409, "Not possible yet", told)
        case FitError():
            return Refusal(409, "The fit may not be used", told)
        case DesignError():
            return Refusal(422, "No such design", told)
        case _:
            return Refusal(422, "Something has to be changed", words, problems)


def _plain(problem: Problem, folder: Path) -> dict[str, Any]:
    given = {name: getattr(problem, name) for name in FIELDS if getattr(problem, name) not in (None, "")}
    return {name: from_workspace(value, folder) if isinstance(value, str) else value for name, value in given.items()}


async def _known(request: Request, error: Exception) -> Response:
    if not isinstance(error, TheodoliteError):
        raise error
    return answer(request.url.path, refusal_of(error, desk_of(request).folder))


async def _not_allowed(request: Request, error: Exception) -> Response:
    return answer(request.url.path, Refusal(403, "Not allowed", str(error)))


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = tuple(
        {"level": "error", "column": ".".join(map(str, item["loc"])), "message": str(item["msg"])}
        for item in error.errors()[:20]
    )
    words = "; ".join(f"{problem['column']}: {problem['message']}" for problem in problems)
    return answer(request.url.path, Refusal(422, "Something has to be changed", words, problems))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 400:  # the one that FastAPI raises: a body that it cannot read
        unread = Refusal(422, "Something has to be changed", "The body cannot be read: it must be JSON in UTF-8.")
        return answer(request.url.path, unread)
    title = TITLES.get(error.status_code, "Not possible")
    made = answer(request.url.path, Refusal(error.status_code, title, f"{title}: {request.url.path}"))
    made.headers.update(error.headers or {})
    return made


def unforeseen(error: Exception, method: str, path: str) -> Refusal:
    """What no address answers as a refusal; what happened is told where the server was started, and nowhere else."""
    if isinstance(error, TheodoliteError):  # of the guard, before it knows who asks
        LOG.error("%s %s: no key can be looked up: %s", method, path, error)
        words = (
            "The study cannot be read, so no key can be looked up. What is wrong stands where the server was started."
        )
        return Refusal(409, "Not possible yet", words)
    LOG.error("%s %s failed", method, path, exc_info=error)
    words = "This is an error of Theodolite's own. What happened stands where the server was started."
    return Refusal(500, "Something went wrong", words)
