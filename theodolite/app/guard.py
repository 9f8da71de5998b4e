"""The guard before every page and resource: host, origin, size, kind of body, and who asks.

In this order, each refusal with its own status. What passes carries its `Who` in ``scope["state"]["who"]``.

The rules against a foreign web page that makes the browser ask in its place: the ``Host`` must be one of ours (DNS
rebinding); the browser's own ``Sec-Fetch-Site`` must say that the request came from a page of ours, or from no page
(https://www.w3.org/TR/fetch-metadata/); a write must name our ``Origin`` where that header is missing; the cookie is
``SameSite=Strict``; there is no CORS.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from theodolite.app.answers import Refusal, answer, redirect
from theodolite.app.faults import unforeseen
from theodolite.app.headers import EVERY_ANSWER, bearer, cookie, host_name, read, set_cookie
from theodolite.app.settings import Settings
from theodolite.app.who import Doors, Who, named_by_proxy

API = "/api/"
OPEN = ("/health", "/static/", "/sign-in", "/sign-out", "/signed-out")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 2 * 1024 * 1024
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the guard sees it.

    Attributes:
        method: In capitals.
        path: Its path.
        headers: By lower-case name.
        host: The ``Host`` it was asked under, as the trusted proxy says it where there is one.
        scheme: ``http`` or ``https``, the same.
        trusted: Whether it came from a listed proxy.
    """

    method: str
    path: str
    headers: dict[str, str]
    host: str
    scheme: str
    trusted: bool

    @classmethod
    def of(cls, scope: Scope, settings: Settings) -> "Asked":
        """Read a request; what a proxy says counts only where its address is listed."""
        headers = read(scope["headers"])
        trusted = bool(scope.get("client")) and scope["client"][0] in settings.proxies
        said = headers if trusted else {}
        host = said.get("x-forwarded-host", headers.get("host", ""))
        scheme = said.get("x-forwarded-proto") or str(scope.get("scheme", "http"))
        return cls(scope["method"], scope["path"], headers, host, scheme, trusted)

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method not in SAFE

    @property
    def open(self) -> bool:
        """Whether anyone may ask for it."""
        return any(self.path == place or (place.endswith("/") and self.path.startswith(place)) for place in OPEN)


class Guard:
    """ASGI middleware that lets through what `refusal` has nothing against, from those whom it knows."""

    def __init__(self, app: ASGIApp, settings: Settings, doors: Doors) -> None:
        self.app, self.settings, self.doors = app, settings, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        asked = Asked.of(scope, self.settings)
        begun: list[bool] = []
        guarded = _with_headers(send, asked, begun)
        try:
            await self._let_in(scope, receive, guarded, asked)
        except Exception as error:  # answered here, so that this answer too carries the headers
            if begun:
                raise
            await answer(asked.path, unforeseen(error, asked.method, asked.path))(scope, receive, guarded)

    async def _let_in(self, scope: Scope, receive: Receive, guarded: Send, asked: Asked) -> None:
        """Refuse, sign in, or hand the request to the app."""
        if refused := refusal(asked, self.settings):
            await answer(asked.path, refused)(scope, receive, guarded)
            return
        if (letting_in := self._token_in_address(scope, asked)) is not None:
            await letting_in(scope, receive, guarded)
            return
        who = self._who(asked)
        if who is None and not asked.open:
            await answer(asked.path, _UNKNOWN)(scope, receive, guarded)
            return
        body = await _whole_body(receive) if asked.writes else b""
        if body is None:
            await answer(asked.path, _TOO_LARGE)(scope, receive, guarded)
            return
        scope.setdefault("state", {}).update(who=who, scheme=asked.scheme)
        await self.app(scope, _again(body, receive) if asked.writes else receive, guarded)

    def _token_in_address(self, scope: Scope, asked: Asked) -> ASGIApp | None:
        """The first visit: the token of the printed address becomes a cookie, and leaves the address."""
        if asked.method != "GET" or asked.path.startswith(API):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is None:
            return None
        if self.doors.by_text(given) is None:
            return answer(asked.path, _WRONG_TOKEN)
        left = urlencode([(key, value) for key, value in query if key != "token"])
        path = "/" + asked.path.lstrip("/\\")  # never "//elsewhere", which a browser takes for another site
        made = set_cookie(self.settings.cookie, self.doors.begin(given), asked.scheme)
        return redirect(f"{path}?{left}" if left else path, made)

    def _who(self, asked: Asked) -> Who | None:
        if given := bearer(asked.headers):
            return self.doors.by_text(given)
        if asked.trusted and (user := asked.headers.get("x-forwarded-user")):
            return named_by_proxy(user, asked.headers.get("x-forwarded-role", ""))
        return self.doors.by_session(cookie(asked.headers, self.settings.cookie))


def refusal(asked: Asked, settings: Settings) -> Refusal | None:
    """Why a request is refused before anyone asks who sent it; ``None`` where nothing is against it."""
    if host_name(asked.host) not in settings.allowed:
        return Refusal(421, "Wrong host", "This server does not answer to that name. Open the address that it printed.")
    if _foreign(asked):
        return Refusal(403, "Request of another site", "Only pages of this server may ask for this.")
    if not asked.writes:
        return None
    length = asked.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return _TOO_LARGE
    wanted = JSON if asked.path.startswith(API) else FORM
    kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = length != "0" or "transfer-encoding" in asked.headers
    if has_body and kind != wanted:
        return Refusal(415, "Wrong kind of content", f"The body must be {wanted}.")
    return None


def _foreign(asked: Asked) -> bool:
    """Whether a browser says that another site is behind the request."""
    site = asked.headers.get("sec-fetch-site")
    if site is not None:
        # Following a link from elsewhere to a page is no harm: the strict cookie stays behind.
        visit = asked.method == "GET" and asked.headers.get("sec-fetch-mode") == "navigate"
        visit = visit and asked.headers.get("sec-fetch-dest", "document") == "document"
        return site not in ("same-origin", "none") and not (visit and not asked.path.startswith(API))
    if not asked.writes:
        return False
    origin = asked.headers.get("origin")
    if origin is not None:
        return origin != f"{asked.scheme}://{asked.host}"
    return not bearer(asked.headers)  # no browser of today leaves both out: a program shows its key


def _with_headers(send: Send, asked: Asked, begun: list[bool]) -> Send:
    """``send`` with our headers; ``begun`` is no longer empty once an answer has begun."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            begun.append(True)
            given = [(key, value) for key, value in message.get("headers", []) if key.lower() != b"server"]
            named = {key.lower() for key, _ in given}
            every = dict(EVERY_ANSWER)
            if not asked.path.startswith("/static/"):
                every["cache-control"] = "no-store"
            more = [(k.encode(), v.encode()) for k, v in every.items() if k.encode() not in named]
            message = {**message, "headers": [*given, *more]}
        await send(message)

    return guarded


async def _whole_body(receive: Receive) -> bytes | None:
    """The body; ``None`` where it is too large, whatever its declared length."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > LARGEST_BODY:
            return None
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand a body that was read to the app."""
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


_TOO_LARGE = Refusal(413, "Too large", f"A body may hold {LARGEST_BODY // 1024 // 1024} MiB at most.")
_UNKNOWN = Refusal(401, "Sign in", "Open the address that the server printed when it started, or enter a key.")
_WRONG_TOKEN = Refusal(401, "Sign in", "The token of this address opens nothing: the server was started again since.")
