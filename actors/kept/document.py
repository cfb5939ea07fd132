"""One kept document, opened: its pages and what is said of them change as a whole, or not at all."""

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from actors.kept.copies import Copies
from bus.vault import Vault
from schemas.errors import Damaged, Unsupported
from schemas.page import Page

FORMAT = 1
"""Goes up when an older Scanbus could not read what is written."""
_BLOB = re.compile(r"\.?[0-9a-f]{32}")
"""And what a writer left unfinished."""


class _Written(Struct):
    format: int


class Manifest(Struct, frozen=True, kw_only=True):
    """What a document is, apart from its pixels.

    What one version wrote, every later one reads: new fields have defaults, unknown ones are ignored.
    """

    format: int = FORMAT
    revision: int = 0
    """Goes up by one with each change, so that an older copy is known as one."""
    metadata: dict[str, str] = {}
    pages: list[Page] = []


class Document:
    """A folder of blobs and the manifest that names them, under the document's key; its methods block."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.vault = Vault(folder, key)
        self._copies = Copies(folder, "manifest", self.vault, "manifest")

    def read(self) -> Manifest:
        """What the document is now. Raises NotFound (it was removed), Damaged, Unsupported (newer than we are)."""
        return max(map(_manifest, self._copies.read()), key=lambda manifest: manifest.revision)

    def write(self, manifest: Manifest) -> None:
        """What the document shall be, durably. Raises NotFound, StorageFull, StorageFailed."""
        self._copies.write(msgspec.msgpack.encode(manifest))

    def tidy(self) -> None:
        """Delete blobs that no page needs. Raises StorageFailed, and Damaged where nobody can tell which these are."""
        texts = self._copies.read()
        if len(texts) < len(self._copies.paths):
            raise Damaged()
        needed = {page.image.blob.name for text in texts for page in _manifest(text).pages}
        for name in self.vault.names().keys() - needed:
            if _BLOB.fullmatch(name):
                self.vault.delete(name)


def _manifest(text: bytes) -> Manifest:
    written = msgspec.msgpack.decode(text, type=_Written).format
    if written > FORMAT:
        raise Unsupported(f"This document was kept by a newer Scanbus (its format is {written}): update this one.")
    return msgspec.msgpack.decode(text, type=Manifest)
