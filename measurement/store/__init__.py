"""The store: what a workspace remembers — events under a hash chain, artifacts by content hash."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from measurement.store.chain import Entry, Event, Head
    from measurement.store.keeper import Server
    from measurement.store.store import Store, utc_now

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"chain": ["Entry", "Event", "Head"], "keeper": ["Server"], "store": ["Store", "utc_now"]}
)

__all__ = ["Entry", "Event", "Head", "Server", "Store", "utc_now"]
