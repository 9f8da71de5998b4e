"""What made a result: data, settings, seed, versions and parents.

A provenance holds no time of day, so that the same data, settings and seed give the same result, byte for byte.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

from measurement.typing import Json
from measurement.version import __version__


def versions(*packages: str) -> dict[str, str]:
    """Versions of Theodolite and of the named distributions."""
    return {"theodolite": __version__} | {name: _version(name) for name in packages}


@cache
def _version(package: str) -> str:
    return metadata.version(package)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the one text that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def finite(value: Any) -> Any:
    """JSON-able values with ``None`` in place of every number that is not finite."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def sha256_of(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value's canonical text."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a result.

    Attributes:
        data: SHA-256 of the data (of a `Panel`, a path table, a record).
        settings: Every setting that shaped the result, JSON-able.
        seed: The seed of everything random in it; ``None`` where nothing was.
        versions: Distribution versions.
        parents: What it was derived from: test ids and hashes of earlier results.
    """

    data: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=versions)
    parents: tuple[str, ...] = ()

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return asdict(self) | {
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "parents": list(self.parents),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Provenance":
        """Read what `to_dict` wrote."""
        return cls(raw["data"], raw["settings"], raw["seed"], raw["versions"], tuple(raw["parents"]))

    @property
    def sha256(self) -> str:
        """Fingerprint of all of it."""
        return sha256_of(self.to_dict())
