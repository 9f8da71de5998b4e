"""The files that a study reads: what they are, how large, and the hash of their bytes."""

import hashlib
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.reading.files import apart
from theodolite.sources import located

if TYPE_CHECKING:
    from measurement.typing import Json
    from theodolite.config import Config


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file that theodolite.toml names.

    Attributes:
        table: What it is to the study: media, outcome, ...
        name: Its path as theodolite.toml writes it, or (of a glob) as it was found.
        size: Bytes; ``None`` where it is not there.
        modified: Seconds since 1970 when it was last changed.
        sha256: Hash of its bytes.
    """

    table: str
    name: str
    size: int | None
    modified: float | None = None
    sha256: str | None = None

    def to_dict(self) -> "Json":
        """As plain JSON values."""
        return {
            "table": self.table,
            "name": self.name,
            "size": self.size,
            "modified": self.modified,
            "sha256": self.sha256,
        }


def data_files(folder: Path, config: "Config") -> tuple[DataFile, ...]:
    """Every file of a study, in the order of theodolite.toml."""
    return tuple(_read(*each) for each in named_files(folder, config))


def named_files(folder: Path, config: "Config") -> list[tuple[str, str, Path]]:
    """Table, name and path of every file that theodolite.toml names; of a glob every file that is there."""
    found: list[tuple[str, str, Path]] = []
    for table, name in config.data.model_dump().items():
        if name is None:
            continue
        place = located(folder, name)
        place, _ = apart(place)
        several = [] if Path(place).exists() else [Path(path) for path in sorted(glob(place, recursive=True))]  # noqa: PTH207
        found += [(table, path.name, path) for path in several] or [(table, name, Path(place))]
    return found


def _read(table: str, name: str, path: Path) -> DataFile:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        stat = path.stat()
    except OSError:
        return DataFile(table, name, None)
    return DataFile(table, name, stat.st_size, stat.st_mtime, digest)
