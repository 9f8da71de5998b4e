"""Artifacts: bytes kept as files under the hash of their content."""

import hashlib
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from measurement.errors import Problem, StoreError, shown
from measurement.store.files import SHA256, file_errors, named, sync_folder, write_durably

LEFTOVER_AGE = 86_400.0


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Files named by the SHA-256 of their content: written once, checked whenever they are read."""

    folder: Path

    def put(self, data: bytes) -> str:
        """Keep some bytes; return their hash once they are on the disk. The same bytes are kept once."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        with file_errors(f"write the artifact {named(path)}"):
            if path.exists() and path.read_bytes() == data:
                return digest
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.folder / f".draft-{secrets.token_hex(16)}"
            try:
                write_durably(draft, data)
                draft.replace(path)
            except BaseException:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise
            for folder in (path.parent, self.folder.parent):
                sync_folder(folder)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of that hash.

        Raises:
            StoreError: When there are none, or they are no longer what was kept.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(f"the store holds no artifact {digest}") from None
        except OSError as error:
            raise StoreError(f"the artifact {named(path)} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise StoreError(f"the artifact {named(path)} is damaged: its content is not what was stored")
        return data

    def names(self) -> list[str]:
        """Hashes of all artifacts, sorted."""
        return sorted(path.name for path in self.folder.glob("??/*") if SHA256.fullmatch(path.name))

    def damaged(self) -> list[Problem]:
        """Name every artifact that is not what its name says."""
        problems = []
        for digest in self.names():
            try:
                self.get(digest)
            except StoreError as error:
                problems.append(Problem(str(error), code="store.artifact"))
        return problems

    def sweep(self) -> None:
        """Remove drafts that a killed writer left a day ago or longer."""
        with suppress(OSError):
            for draft in self.folder.glob(".draft-*"):
                if time.time() - draft.stat().st_mtime > LEFTOVER_AGE:
                    draft.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Where the bytes of that hash lie.

        Raises:
            StoreError: When it is not a SHA-256 in lower-case hex.
        """
        if not isinstance(digest, str) or not SHA256.fullmatch(digest):
            raise StoreError(f"'{shown(digest)}' is not an artifact's name: that is a SHA-256 in lower-case hex")
        return self.folder / digest[:2] / digest
