"""Keep a workspace safe: move its store to a team's PostgreSQL and back, pack all of it into one file, unpack it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, shown
from measurement.reading.files import find
from measurement.store import Server, Store
from measurement.typing import Json
from measurement.whole_file import whole_file
from theodolite import config

if TYPE_CHECKING:
    from measurement.store.archive import Contents

SECTION = re.compile(r"^\[store\][^\n]*\n(?:(?!\[)[^\n]*(?:\n|\Z))*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did.

    Attributes:
        source: Where the store lay.
        target: Where it lies now.
        events: How many events there are, the move's own among them.
        artifacts: How many artifacts went along.
        head: Hash of the last event: the same in both places.
    """

    source: str
    target: str
    events: int
    artifacts: int
    head: str

    def to_dict(self) -> Json:
        """As ``theodolite store move --json`` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Packed:
    """What an archive holds.

    Attributes:
        archive: The file.
        contents: What is in it.
        left_out: Data that lie outside the workspace, and so do not travel.
    """

    archive: Path
    contents: "Contents"
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> Json:
        """As ``theodolite store export --json`` and ``import --json`` print it."""
        return {
            "archive": str(self.archive),
            "sha256": self.contents.digest,
            "events": self.contents.head.sequence,
            "head": self.contents.head.hash,
            "artifacts": self.contents.artifacts,
            "files": list(self.contents.files),
            "left_out": list(self.left_out),
        }


def move(folder: Path, server: Server | None, actor: str) -> Moved:
    """Move the store of a workspace; its theodolite.toml names the new place once everything has arrived.

    Args:
        folder: The workspace.
        server: The PostgreSQL to move to; ``None`` to move back into the workspace.
        actor: Who moves it.

    Raises:
        DataError: When it lies there already, or the target holds something else.
        StoreError: When either place is damaged or cannot be used.
    """
    file = folder / config.FILE_NAME
    here = config.load(file)
    if here.store.server == server:
        raise DataError("the store lies there already; nothing was changed")
    text = _rewritten(file.read_text("utf-8"), server, here)
    source = Store.create(folder, server=here.store.server)
    target = Store.create(folder, server=server)
    with whole_file(file, config.FILE_NAME) as draft:  # before the store moves: the folder may not be writable
        draft.write_text(text, encoding="utf-8", newline="\n")
        last = source.move(target, actor)
    return Moved(source.address, target.address, last.sequence, len(target.artifacts()), last.hash)


def pack(folder: Path, target: Path) -> Packed:
    """Write a workspace (theodolite.toml, its data, its store) as one checked archive.

    Raises:
        DataError: When a file cannot be read, or the archive is there already.
        StoreError: When the store is damaged.
    """
    from measurement.store import archive

    settings = config.load(folder / config.FILE_NAME)
    inside, outside = _data_files(folder, settings)
    store = Store.create(folder, server=settings.store.server)
    files = {config.FILE_NAME: folder / config.FILE_NAME} | inside
    return Packed(target, archive.pack(store, files, target), tuple(outside))


def unpack(file: Path, folder: Path, actor: str) -> Packed:
    """Make a workspace from an archive, its store inside the workspace.

    Raises:
        DataError: When the archive is wrong, or the folder is not empty. Then nothing was written.
        StoreError: When the folder cannot be written.
    """
    from measurement.store import archive

    found = archive.unpack(file, folder, actor, _settled)
    return Packed(file, found, tuple(_not_there(folder, config.load(folder / config.FILE_NAME))))


def _settled(folder: Path) -> None:
    """Let the settings of an unpacked workspace name the store inside it.

    Raises:
        DataError: When they are missing or wrong.
    """
    toml = folder / config.FILE_NAME
    if not toml.is_file():
        raise DataError(f"the archive holds no {config.FILE_NAME}; nothing was changed")
    try:
        text = toml.read_text("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"the archive's {config.FILE_NAME} is not UTF-8; nothing was changed") from None
    settings = config.parse(text)
    if settings.store.server is not None:
        toml.write_text(_rewritten(text, None, settings), encoding="utf-8", newline="\n")


def _not_there(folder: Path, settings: config.Config) -> list[str]:
    """The data that the settings name and the workspace does not hold."""
    home, named = folder.resolve(), settings.data.model_dump(exclude_none=True).values()
    inside = [(folder / name).resolve().is_relative_to(home) for name in named]
    return [name for name, kept in zip(named, inside, strict=True) if not kept]


def _rewritten(text: str, server: Server | None, before: config.Config) -> str:
    """A theodolite.toml with another ``[store]``, and nothing else changed.

    Raises:
        DataError: When that cannot be done safely, because the section is written in an unusual way.
    """
    kept = SECTION.sub("", text)
    if server is not None:
        lines = [f"postgres = {_quoted(server.conninfo)}", f"schema_name = {_quoted(server.schema)}"]
        kept = kept.rstrip("\n") + "\n\n[store]\n" + "\n".join(lines) + "\n"
    after = config.parse(kept)
    if after.store.server != server or after.model_copy(update={"store": before.store}) != before:
        raise DataError(f"the section [store] of {config.FILE_NAME} cannot be changed safely: write it as a table")
    return kept


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    if not text.isprintable():
        raise DataError(f"'{shown(text)}' holds a character that cannot be printed")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _data_files(folder: Path, settings: config.Config) -> tuple[dict[str, Path], list[str]]:
    """The data files inside the workspace, by their path in it, and those outside."""
    inside: dict[str, Path] = {}
    outside: list[str] = []
    home = folder.resolve()
    for name in settings.data.model_dump(exclude_none=True).values():
        for found in find(folder / name, tables=True):
            path = found.path.resolve()
            if path.is_relative_to(home):
                inside[path.relative_to(home).as_posix()] = path
            else:
                outside.append(found.name)
    return inside, outside
