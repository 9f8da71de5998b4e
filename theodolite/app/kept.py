"""What the app has worked out: kept with what it was made from, and long work done in a thread while pages wait."""

import threading
from collections.abc import Callable
from typing import Any

from measurement.errors import StoreError, TheodoliteError
from theodolite import background

MOST_KEPT = 200
MOST_UNDER_WAY = 20
PATIENCE = 0.15
"""Seconds that a page waits for long work before it says that it is under way."""


class Kept:
    """What was made, by name, each with the version of what it was made from; two who ask at once wait for one."""

    def __init__(self) -> None:
        self._made: dict[object, tuple[object, Any]] = {}
        self._locks: dict[object, threading.Lock] = {}
        self._lock = threading.Lock()
        self._under_way: dict[object, threading.Event] = {}
        self._turn = threading.Lock()

    def get[T](self, name: object, version: object, make: Callable[[], T]) -> T:
        """What was made under a name from this version; made now where it was not."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            found = self._made.get(name)
            if found is None or found[0] != version:
                found = (version, make())
            with self._lock:
                self._made.pop(name, None)
                while len(self._made) >= MOST_KEPT:
                    oldest = next(iter(self._made))  # what nobody has asked for longest
                    self._made.pop(oldest)
                    self._locks.pop(oldest, None)
                self._made[name] = found
            made: T = found[1]
            return made

    def soon[T](
        self, name: object, version: object, make: Callable[[], T], patience: float | None = PATIENCE
    ) -> T | None:
        """The same of what takes seconds; ``None`` while a thread is at it, one such piece of work after another.

        Args:
            name: As for `get`.
            version: As for `get`.
            make: As for `get`.
            patience: Seconds to wait for it; as long as it takes where there are none.

        Raises:
            TheodoliteError: As ``make`` did; that, too, is kept, so that whoever comes back for it is told.
            StoreError: Where too much is under way.
        """
        with self._lock:
            found = self._made.get(("soon", name))
            ended = self._under_way.get((name, version))
            if ended is None and (found is None or found[0] != version):
                if len(self._under_way) >= MOST_UNDER_WAY:
                    raise StoreError(f"{MOST_UNDER_WAY} pieces of work are under way already: read this page later")
                ended = self._under_way[name, version] = threading.Event()
                background.begin(self._work, name, version, make, ended)
        if ended is not None and not ended.wait(patience):
            return None
        made = self._attempt(name, version, make)
        if isinstance(made, TheodoliteError):
            raise made.with_traceback(None)
        return made

    def forget(self, name: object) -> None:
        """Make it again when it is asked for next."""
        with self._lock:
            self._made.pop(name, None)

    def _work(self, name: object, version: object, make: Callable[[], Any], ended: threading.Event) -> None:
        try:
            with self._turn:
                self._attempt(name, version, make)
        finally:
            with self._lock:
                del self._under_way[name, version]
            ended.set()

    def _attempt[T](self, name: object, version: object, make: Callable[[], T]) -> "T | TheodoliteError":
        def attempt() -> "T | TheodoliteError":
            try:
                return make()
            except TheodoliteError as error:
                return error

        return self.get(("soon", name), version, attempt)
