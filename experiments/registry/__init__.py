"""The registry of lift tests: an append-only record on the workspace's store, where nothing is ever overwritten.

What a test is, and where it stands, is folded from its events whenever it is read; no derived thing is stored.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from experiments.registry.assessment import Assessment, assess
    from experiments.registry.blackouts import Blackout
    from experiments.registry.clashes import conflicts
    from experiments.registry.details import Actuals
    from experiments.registry.drawer import Drawer, file_drawer
    from experiments.registry.ledger import Ledger, Registered, Version, fold
    from experiments.registry.plan import Plan, Protocol
    from experiments.registry.rows import evidence
    from experiments.registry.states import ACTIONS, EVENTS, LIFECYCLE, STATES
    from experiments.registry.verbs import Asked, add, approval, examine, load, record

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "assessment": ["Assessment", "assess"],
        "blackouts": ["Blackout"],
        "clashes": ["conflicts"],
        "details": ["Actuals"],
        "drawer": ["Drawer", "file_drawer"],
        "ledger": ["Ledger", "Registered", "Version", "fold"],
        "plan": ["Plan", "Protocol"],
        "rows": ["evidence"],
        "states": ["ACTIONS", "EVENTS", "LIFECYCLE", "STATES"],
        "verbs": ["Asked", "add", "approval", "examine", "load", "record"],
    },
)

__all__ = [
    "ACTIONS",
    "EVENTS",
    "LIFECYCLE",
    "STATES",
    "Actuals",
    "Asked",
    "Assessment",
    "Blackout",
    "Drawer",
    "Ledger",
    "Plan",
    "Protocol",
    "Registered",
    "Version",
    "add",
    "approval",
    "assess",
    "conflicts",
    "evidence",
    "examine",
    "file_drawer",
    "fold",
    "load",
    "record",
]
