"""Attribution: from user journeys to credit per channel. It says who was present, not who caused what."""

from typing import TYPE_CHECKING

import lazy_loader

import measurement

if "TheodoliteError" not in getattr(measurement, "__all__", ()):
    raise ImportError(
        f"the package 'measurement' found at {getattr(measurement, '__file__', None)} is not Theodolite's: "
        "another distribution installs that name too; remove it, or give Theodolite an environment of its own"
    )

if TYPE_CHECKING:
    from attribution.auditing import Audit, audit
    from attribution.credit import Attribution, Credit
    from attribution.models import MODELS
    from attribution.path_spec import PathSpec
    from attribution.path_store import PathStore
    from attribution.path_table import Paths
    from attribution.paths import read_paths
    from attribution.run import attribute
    from attribution.warehouse import read_warehouse, warehouse_sql

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "auditing": ["Audit", "audit"],
        "credit": ["Attribution", "Credit"],
        "models": ["MODELS"],
        "path_spec": ["PathSpec"],
        "path_store": ["PathStore"],
        "path_table": ["Paths"],
        "paths": ["read_paths"],
        "run": ["attribute"],
        "warehouse": ["read_warehouse", "warehouse_sql"],
    },
)

__all__ = [
    "MODELS",
    "Attribution",
    "Audit",
    "Credit",
    "PathSpec",
    "PathStore",
    "Paths",
    "attribute",
    "audit",
    "read_paths",
    "read_warehouse",
    "warehouse_sql",
]
