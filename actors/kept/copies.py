"""Small sealed texts that stand twice: without it, one bad sector could cost a document of a thousand pages."""

from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from actors.kept import NO_DOCUMENT
from bus.durable import storage, write
from bus.vault import Vault
from schemas.errors import Damaged, NotFound, Unsupported

FORMAT = 1
"""Goes up when an older Scanbus could not read what is written."""
TextT = TypeVar("TextT", bound="Text")


class Text(Struct, frozen=True, kw_only=True):
    """What is written. What one version wrote, every later one reads: new fields have defaults, unknown are ignored."""

    format: int = FORMAT


class Copies(Generic[TextT]):
    """One text in two files of a folder; `identity` is what it is, so that it opens nowhere else."""

    def __init__(self, folder: Path, name: str, kind: type[TextT], vault: Vault, identity: str) -> None:
        self.paths = (folder / name, folder / f"{name}.copy")
        self._kind = kind
        self._vault = vault
        self._identity = identity

    def read(self) -> list[TextT]:
        """What each file says that can be read; they differ where a write was interrupted.

        Raises NotFound, Damaged (none can be read), Unsupported (a newer Scanbus wrote it).
        """
        found: list[TextT] = []
        for path in self.paths:
            with suppress(Damaged), storage(missing=Damaged(), blob=path.name):
                found.append(self._told(self._vault.unseal(path.read_bytes(), self._identity)))
        if not found and not self.paths[0].parent.exists():
            raise NotFound(NO_DOCUMENT)
        if not found:
            name = self.paths[0].name
            raise Damaged(f"This kept document is damaged: its {name} cannot be read. All other documents are whole.")
        return found

    def write(self, text: TextT) -> None:
        """Replace it, durably. Raises NotFound, StorageFull, StorageFailed."""
        sealed = self._vault.seal(msgspec.msgpack.encode(text), self._identity)
        for path in self.paths:
            with storage(missing=NotFound(NO_DOCUMENT)):
                write(path, sealed)

    def _told(self, text: bytes) -> TextT:
        written = msgspec.msgpack.decode(text, type=Text).format
        if written > FORMAT:
            raise Unsupported(f"This document was kept by a newer Scanbus (its format is {written}): update this one.")
        return msgspec.msgpack.decode(text, type=self._kind)
