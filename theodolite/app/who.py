"""Who asks: the token of the printed address, sessions of browsers, API keys, and people named by a trusted proxy."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from theodolite.keys import ROLES, Key, Role

MOST_SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class Who:
    """A person or program that was let in: its name in every event that it causes, and what it may do."""

    actor: str
    role: Role


OWNER = Who("local", "admin")
"""Whoever holds the token that the server printed: the person who started it."""


@dataclass(slots=True)
class Doors:
    """Every way in.

    Attributes:
        token: The token of the printed address; it opens everything, as its holder started the server.
        key: Finds the API key of a text.
    """

    token: str
    key: Callable[[str], Key | None]
    _sessions: dict[str, str] = field(default_factory=dict, repr=False)

    def by_text(self, text: str) -> Who | None:
        """Who holds a token or an API key."""
        if hmac.compare_digest(text.encode("utf-8", "replace"), self.token.encode()):
            return OWNER
        found = self.key(text) if text.startswith("theo_") else None
        return None if found is None else Who(found.name, found.role)

    def begin(self, text: str) -> str:
        """Begin a browser's session with a token or key that opens something; returns what its cookie holds.

        The oldest ends where there are too many.
        """
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        made = secrets.token_urlsafe(32)
        self._sessions[made] = text
        return made

    def by_session(self, cookie: str) -> Who | None:
        """Whose session a cookie names; ``None`` too where its key was revoked since."""
        text = self._sessions.get(cookie)
        return None if text is None else self.by_text(text)

    def end(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(cookie, None)


def named_by_proxy(user: str, role: str) -> Who | None:
    """A person whom a trusted proxy has let in; a viewer where it names no role of ours."""
    if not user.strip():
        return None
    known = next((each for each in ROLES if each == role), ROLES[0])
    return Who(user.strip()[:80], known)
