"""Headers of requests and answers: what is read, what every answer carries."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Scripts and styles of this server only, none inline; no request elsewhere; in no frame."""

EVERY_ANSWER = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

type Raw = Iterable[tuple[bytes, bytes]]


def read(raw: Raw) -> dict[str, str]:
    """Headers by their lower-case names; of a name that stands twice, the last but for cookies, which are joined."""
    found: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}; {text}" if name == "cookie" and name in found else text
    return found


def cookie(headers: dict[str, str], name: str) -> str:
    """The value of a cookie; empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def set_cookie(name: str, value: str, scheme: str, more: str = "") -> str:
    """A ``Set-Cookie`` that no script reads, that no other site sends, and that leaves https for nothing else."""
    secure = "; Secure" if scheme == "https" else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}"


def bearer(headers: dict[str, str]) -> str:
    """The token of an ``Authorization: Bearer`` header; empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def host_name(host: str) -> str:
    """A ``Host`` header without its port, in lower case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
