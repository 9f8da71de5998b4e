"""A whole workspace in one file: its events, its artifacts and the files of its folder, each under its hash.

The archive is a zip. ``manifest.json`` names every other entry with its size and SHA-256, and the head of the chain::

    manifest.json
    events.jsonl              one event a line, as it is kept
    artifacts/ab12...         bytes by content hash
    workspace/theodolite.toml and every file of the folder that goes along

Nothing is taken from an archive before all of it was checked: names that would leave the folder, links, entries that
the manifest does not name, and more bytes than it says.
"""

import hashlib
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from measurement.errors import DataError, StoreError, shown
from measurement.store.chain import Head, Row
from measurement.store.files import SHA256
from measurement.store.store import Store
from measurement.typing import Json
from measurement.whole_file import whole_file

FORMAT = 1
MANIFEST, EVENTS, ARTIFACTS, FILES = "manifest.json", "events.jsonl", "artifacts/", "workspace/"
LARGEST_MANIFEST = 50_000_000
LARGEST = 4_000_000_000
BLOCK = 1 << 20
EARLIEST = (1980, 1, 1, 0, 0, 0)
DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError)
RESERVED = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive holds.

    Attributes:
        head: Where its chain of events ends.
        artifacts: How many artifacts.
        files: The workspace's files, by their path in its folder.
        size: Bytes, unpacked.
        digest: SHA-256 of the archive itself.
    """

    head: Head
    artifacts: int
    files: tuple[str, ...]
    size: int
    digest: str


def pack(store: Store, files: Mapping[str, Path], target: Path) -> Contents:
    """Write an archive of a store and some files; whole, or not at all.

    Args:
        store: The store; checked while it is read.
        files: What goes along, by its path in the workspace's folder, with forward slashes.
        target: The archive to write; one that is there is never overwritten.

    Raises:
        DataError: When a file cannot be read, or the archive cannot be written or is there already.
        StoreError: When the store is damaged.
    """
    for name in files:
        _refuse_name(name)
    rows = store.rows()
    named: dict[str, Json] = {}
    with whole_file(target, "the archive", over=False) as draft:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            lines = "".join(json.dumps(row._asdict()) + "\n" for row in rows).encode()
            named[EVENTS] = _added(archive, EVENTS, iter([lines]))
            for digest in store.artifacts():
                named[ARTIFACTS + digest] = _added(archive, ARTIFACTS + digest, iter([store.get(digest)]))
            for name, path in sorted(files.items()):
                with path.open("rb") as file:
                    named[FILES + name] = _added(archive, FILES + name, _blocks(file))
            head = rows[-1].head if rows else Head()
            manifest = {"format": FORMAT, "head": asdict(head), "entries": named}
            _added(archive, MANIFEST, iter([json.dumps(manifest, indent=1).encode()]))
        return inspect(draft)


def inspect(archive: Path, room: int | None = None) -> Contents:
    """Check an archive from its first byte to its last.

    Args:
        archive: The archive.
        room: Bytes that there is room for; ``None`` where nothing is to be unpacked.

    Raises:
        DataError: When anything in it is not what its manifest says, or may not be unpacked.
    """
    with _opened(archive) as source:
        manifest = _manifest(source, archive)
        entries: dict[str, Json] = manifest["entries"]
        needed = sum(said["bytes"] for said in entries.values())
        if room is not None and needed > room:
            raise DataError(f"the archive needs {needed:,} bytes, and there are {room:,} left; nothing was changed")
        for name, said in entries.items():
            _checked(source, name, said, archive)
    files = tuple(name.removeprefix(FILES) for name in entries if name.startswith(FILES))
    artifacts = sum(name.startswith(ARTIFACTS) for name in entries)
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Contents(Head(**manifest["head"]), artifacts, files, needed, digest)


def unpack(archive: Path, folder: Path, actor: str, finish: Callable[[Path], None] | None = None) -> Contents:
    """Make a workspace from an archive: all of it, checked, or nothing.

    Args:
        archive: The archive.
        folder: The new workspace; it must not exist, or be empty.
        actor: Who does it; the store records it.
        finish: Looks at the filled folder before it takes its place, and may change it; what it raises stops all.

    Raises:
        DataError: When the archive is wrong, or the folder is not empty.
        StoreError: When the folder cannot be written, or the disk has no room.
    """
    folder = folder.absolute()
    name = f".import-{hashlib.sha256(bytes(folder)).hexdigest()[:12]}"  # found again where one was killed
    there = folder.exists()
    if there and (not folder.is_dir() or any(each.name != name for each in folder.iterdir())):
        raise DataError(f"{shown(folder)} is not an empty folder; nothing was changed")
    found = inspect(archive, _room(folder))
    draft = (folder if there else folder.parent) / name
    try:
        shutil.rmtree(draft, ignore_errors=True)
        try:
            draft.mkdir(parents=True)
            _fill(archive, draft, found, actor)
            if finish is not None:
                finish(draft)
            _settle(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"the archive cannot be unpacked into {shown(folder)}: {error.strerror or error}") from error
    return found


def _room(folder: Path) -> int:
    """Bytes left on the disk that a folder is or would be on."""
    near = next((each for each in (folder, *folder.parents) if each.is_dir()), None)
    return 0 if near is None else shutil.disk_usage(near).free


def _settle(draft: Path, folder: Path) -> None:
    """Let what was made be the folder; one that is there (somebody may stand in it) takes in what was made."""
    if not folder.exists():
        draft.replace(folder)
        return
    moved: list[Path] = []
    try:
        for part in sorted(
            draft.iterdir(), key=lambda part: part.is_file()
        ):  # theodolite.toml is a file: it comes last
            moved.append(part.replace(folder / part.name))
    except BaseException:
        for part in moved:
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)
        raise


def _fill(archive: Path, folder: Path, found: Contents, actor: str) -> None:
    store = Store.create(folder)
    with _opened(archive) as source:
        rows = [Row(**json.loads(line)) for line in source.read(EVENTS).splitlines()]
        if (rows[-1].head if rows else Head()) != found.head:
            raise DataError(f"{shown(archive)} is damaged: its events do not end where its manifest says")
        for name in source.namelist():
            if name.startswith(ARTIFACTS):
                store.put(source.read(name))
            elif name.startswith(FILES):
                target = folder / name.removeprefix(FILES)
                target.parent.mkdir(parents=True, exist_ok=True)
                with source.open(name) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file, BLOCK)
    store.restore(rows, {"archive": found.digest, "events": len(rows)}, actor)
    wrong = store.verify()
    if wrong:
        raise StoreError(f"the archive's store is not whole: {wrong[0].message}")


def _added(archive: zipfile.ZipFile, name: str, content: Iterator[bytes]) -> Json:
    """Add an entry; return its size and hash. All carry the same time, so that the same workspace packs the same."""
    hashed, size = hashlib.sha256(), 0
    entry = zipfile.ZipInfo(name, EARLIEST)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as target:
        for block in content:
            hashed.update(block)
            size += len(block)
            target.write(block)
    return {"sha256": hashed.hexdigest(), "bytes": size}


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except FileNotFoundError:
        raise DataError(f"there is no file {shown(archive)}") from None
    except DAMAGE as error:
        raise DataError(f"{shown(archive)} is no archive of a workspace, or is damaged: {shown(error)}") from None


def _manifest(source: zipfile.ZipFile, archive: Path) -> dict[str, Any]:
    """The manifest, after comparing its names with those of the entries."""
    try:
        if source.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
            raise ValueError("too long")
        raw = json.loads(source.read(MANIFEST))
        if raw["format"] != FORMAT:
            raise DataError(f"{shown(archive)} is of format {shown(raw['format'])}; this Theodolite reads {FORMAT}")
        head, entries = Head(**raw["head"]), dict(raw["entries"])
        right = type(head.sequence) is int and all(
            set(said) == {"sha256", "bytes"} and SHA256.fullmatch(said["sha256"]) and type(said["bytes"]) is int
            for said in entries.values()
        )
        if not right or EVENTS not in entries:
            raise ValueError("not a manifest")
    except (KeyError, TypeError, RecursionError, *DAMAGE):
        raise DataError(f"{shown(archive)} is no archive of a workspace, or is damaged: its manifest") from None
    names = source.namelist()
    if len(set(names)) != len(names) or {*names} != {MANIFEST, *entries}:
        raise DataError(f"{shown(archive)} holds other entries than its manifest names")
    for name, said in entries.items():
        if name.startswith(FILES):
            _refuse_name(name.removeprefix(FILES))
        elif name != EVENTS and name != ARTIFACTS + str(said["sha256"]):
            raise DataError(f"{shown(archive)} holds an entry that is nothing of a workspace: '{shown(name)}'")
        elif said["bytes"] > LARGEST:  # it is read as a whole
            raise DataError(f"'{shown(name)}' in {shown(archive)} has {said['bytes']:,} bytes; {LARGEST:,} are allowed")
    return {"head": raw["head"], "entries": entries}


def _checked(source: zipfile.ZipFile, name: str, said: Json, archive: Path) -> None:
    """Read an entry to its end, but no further than the manifest says."""
    hashed, size = hashlib.sha256(), 0
    entry = source.getinfo(name)
    if (entry.external_attr >> 28) not in (0, 8) or entry.flag_bits & 0x1:
        raise DataError(f"{shown(archive)} holds a link, a device or a locked entry: '{shown(name)}'")
    try:
        with source.open(entry) as packed:
            for block in _blocks(packed):
                hashed.update(block)
                size += len(block)
                if size > said["bytes"]:
                    break
    except DAMAGE as error:
        raise DataError(f"{shown(archive)} is damaged: '{shown(name)}' cannot be read ({shown(error)})") from None
    if size != said["bytes"] or hashed.hexdigest() != said["sha256"]:
        raise DataError(f"{shown(archive)} is damaged: '{shown(name)}' is not what its manifest says")


def _refuse_name(name: str) -> None:
    """Refuse a name that could leave the folder, or that some system takes for something else."""
    path = PurePosixPath(name)
    odd = (
        path.is_absolute()
        or str(path) != name
        or any(
            part in ("..", ".", ".theodolite") or RESERVED.match(part) or part != part.strip() for part in path.parts
        )
        or any(character in name for character in '\\:*?"<>|')
        or not name.isprintable()
    )
    if odd or not name:
        raise DataError(f"an archive takes no file of this name: '{shown(name)}'")
