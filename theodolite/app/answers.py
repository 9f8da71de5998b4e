"""Answers that are no page of the study: refusals as pages or as problem+json, redirects."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, RedirectResponse, Response

from measurement.provenance import finite
from theodolite.app.shell import plain_page

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer (RFC 9457).

    Attributes:
        status: Of the answer.
        title: What kind of thing is wrong.
        detail: What to do about it.
        problems: Each thing that is wrong, where there are several.
    """

    status: int
    title: str
    detail: str
    problems: tuple[dict[str, Any], ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The members of problem+json."""
        plain = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        return plain | ({"problems": list(self.problems)} if self.problems else {})


def from_workspace(text: str, folder: Path) -> str:
    """A message that names files of the workspace from its folder: where that lies is nobody's who asks."""
    for place in {folder, folder.resolve()}:
        text = text.replace(f"{place}{os.sep}", "") if place.is_absolute() else text
    return text


def answer(path: str, refused: Refusal) -> Response:
    """A refusal in the form of what was asked for: problem+json for the API, a page for people."""
    if path.startswith("/api/") or path in ("/metrics", "/health"):
        extra = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
        text = json.dumps(finite(refused.to_dict()), ensure_ascii=False, allow_nan=False)
        return Response(text.encode("utf-8", "replace"), refused.status, extra, PROBLEM)
    return HTMLResponse(plain_page(refused.title, refused.detail, sign_in=refused.status == 401), refused.status)


def redirect(target: str, cookie: str | None = None) -> Response:
    """Go to another page of this server, by GET."""
    return RedirectResponse(target, 303, {"set-cookie": cookie} if cookie else None)
