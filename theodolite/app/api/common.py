"""What resources share: documented problems, pages of a list, writes that may be sent twice."""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Header, Query, Request

from measurement.errors import DataError, Problem
from measurement.provenance import finite
from measurement.typing import Json
from theodolite.app.answers import PROBLEM
from theodolite.app.api import shapes
from theodolite.app.who import Who

WORDS = {
    401: "Nobody is signed in: a token or API key is needed.",
    403: "The role does not allow it, or another site is behind the request.",
    404: "There is nothing of that name.",
    409: "Not possible as things stand: there is no fit, the data have changed, or the store is busy.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    421: "The server does not answer to that host name.",
    422: "Something in the request has to be changed; `problems` says what.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, words in WORDS.items()
}
"""Every way in which a request can fail, for the documentation of every resource."""

After = Annotated[int, Query(ge=0, le=10**9, description="Where to go on: `next` of the answer before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Once = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="A key of the caller's own: a request that is sent again with it is carried out once.",
    ),
]
MOST_KEPT = 2_000


def page(items: Sequence[Any], after: int, limit: int) -> Json:
    """Some of a list."""
    some = list(items[after : after + limit])
    end = after + len(some)
    return {"items": finite(some), "next": end if end < len(items) else None}


@dataclass(slots=True)
class Sent:
    """Answers to writes that carried an idempotency key: the same request gets the same answer again.

    They are kept while the server runs, the last two thousand.
    """

    _answers: dict[tuple[str, str], tuple[str, Json]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def once(self, request: Request, who: Who, key: str | None, body: Any, carry_out: Callable[[], Json]) -> Json:
        """Carry a write out, unless it was with this key.

        Raises:
            DataError: Where the key came with another request before.
        """
        if key is None:
            return carry_out()
        text = json.dumps([request.method, request.url.path, body], sort_keys=True, default=str)
        asked = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:  # two at once: the second waits and gets the first one's answer
            known = self._answers.get((who.actor, key))
            if known is not None:
                if known[0] != asked:
                    words = "was sent with another request before: give each request a key of its own"
                    raise DataError([Problem(words, column="Idempotency-Key", code="idempotency-key")])
                return known[1]
            made = carry_out()
            while len(self._answers) >= MOST_KEPT:
                self._answers.pop(next(iter(self._answers)))
            self._answers[(who.actor, key)] = (asked, made)
            return made


def sent_of(request: Request) -> Sent:
    """The answers kept by the app."""
    sent: Sent = request.app.state.sent
    return sent


__all__ = ["PROBLEMS", "After", "Limit", "Once", "Sent", "page", "sent_of", "shapes"]
