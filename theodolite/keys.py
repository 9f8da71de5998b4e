"""API keys of a workspace: made once, shown once, kept only as hashes, with a role each; every change is an event."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from measurement.errors import DataError, did_you_mean, shown
from measurement.store import Entry, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from measurement.store import Store
    from measurement.typing import Json

ADDED, REVOKED = "key.added", "key.revoked"
PREFIX = "theo"
LONGEST_NAME = 80

Role = Literal["viewer", "editor", "approver", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""What a person or program may do, from least to most; each may do what those before it may."""


def may(role: Role, needed: Role) -> bool:
    """Whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret.

    Attributes:
        id: Short public id.
        name: Who or what uses it; the actor of what it writes.
        role: What it may do.
        added_at: When it was made, UTC.
        added_by: Who made it.
    """

    id: str
    name: str
    role: Role
    added_at: str
    added_by: str

    def to_dict(self) -> "Json":
        """As plain JSON values."""
        return {
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "added_at": self.added_at,
            "added_by": self.added_by,
        }


@dataclass(frozen=True, slots=True)
class Keys:
    """The API keys of a workspace.

    Attributes:
        stored: Whether there is a store yet.
        store: Opens it; makes it where there is none.
        actor: Who adds and revokes.
    """

    stored: bool
    store: "Callable[[], Store]"
    actor: str = "local"

    def add(self, name: str, role: str) -> tuple[Key, str]:
        """Make a key.

        Args:
            name: Who or what will use it.
            role: One of ``ROLES``.

        Returns:
            The key and its text, ``theo_ID_SECRET``, which is kept nowhere: only its SHA-256 is (the secret holds 256
            random bits, so a slow hash would add nothing).

        Raises:
            DataError: Where the name or the role cannot be taken.
        """
        known = next((each for each in ROLES if each == role), None)
        if known is None:
            raise DataError(f"role: found '{shown(role)}'{did_you_mean(role, ROLES)}; allowed are {', '.join(ROLES)}")
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise DataError(f"name: found '{shown(name)}'; a name has 1 to {LONGEST_NAME} printable characters")
        found = secrets.token_hex(4)
        text = f"{PREFIX}_{found}_{secrets.token_urlsafe(32)}"
        payload = {"name": name, "role": known, "sha256": _digest(text)}
        event = self.store().append(ADDED, found, payload, self.actor)
        return _key(event), text

    def revoke(self, key_id: str) -> Key:
        """End a key: from now on it opens nothing.

        Raises:
            DataError: Where there is no such key.
        """
        revoked: list[Event] = []

        def decide(events: "Sequence[Event]") -> list[Entry]:
            live = _live(events)
            if key_id not in live:
                raise DataError(f"there is no key '{shown(key_id)}'{did_you_mean(key_id, live)}")
            revoked.append(live[key_id])
            return [Entry(REVOKED, key_id, {}, self.actor)]

        self.store().append_decided(decide)
        return _key(revoked[0])

    def listed(self) -> list[Key]:
        """Every key that opens something, oldest first."""
        return [_key(event) for event in _live(self.store().events() if self.stored else []).values()]


def find(events: "Sequence[Event]", text: str) -> Key | None:
    """The key of a text among a store's events; ``None`` where it opens nothing."""
    digest = _digest(text)
    for event in _live(events).values():
        if hmac.compare_digest(str(event.payload["sha256"]), digest):
            return _key(event)
    return None


def _live(events: "Sequence[Event]") -> dict[str, Event]:
    live: dict[str, Event] = {}
    for event in events:
        if event.kind == ADDED:
            live[event.subject] = event
        elif event.kind == REVOKED:
            live.pop(event.subject, None)
    return live


def _key(event: Event) -> Key:
    return Key(event.subject, event.payload["name"], event.payload["role"], event.at, event.actor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
