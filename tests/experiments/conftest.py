"""What tests of experiments share: a store in memory, quick enough for a thousand histories."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from measurement.store import Entry, Event, Head, Store
from measurement.store.chain import Row, broken_links, event, link


@dataclass(frozen=True)
class MemoryStore(Store):
    """A store that keeps its chain in a list: the same hashes, no disk."""

    home: Path = Path("memory")
    rows: list[Row] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)

    def append_many(self, entries: Sequence[Entry]) -> list[Event]:
        return self.append_decided(lambda _: entries)

    def append_decided(self, decide: Callable[[list[Event]], Sequence[Entry]]) -> list[Event]:
        head = self.rows[-1].head if self.rows else Head()
        made = link(decide(self.events()), head, self._now())
        self.rows.extend(made)
        return [event(row) for row in made]

    def events(self, kind: str | None = None, subject: str | None = None) -> list[Event]:
        assert broken_links(self.rows) == []
        found = [event(row) for row in self.rows]
        return [e for e in found if kind in (None, e.kind) and subject in (None, e.subject)]

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.kept[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        return self.kept[digest]


@pytest.fixture(scope="session")
def memory_store() -> type[MemoryStore]:
    """Call it for an empty store; it takes a ``clock``."""
    return MemoryStore
