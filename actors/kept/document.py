"""One kept document, opened: its pages and what is said of them change as a whole, or not at all."""

import re
from pathlib import Path

from actors.kept.copies import Copies, Text
from bus.vault import Vault
from schemas.errors import Damaged
from schemas.page import Page

_BLOB = re.compile(r"\.?[0-9a-f]{32}")
"""And what a writer left unfinished."""


class Manifest(Text, frozen=True, kw_only=True):
    """What a document is, apart from its pixels."""

    revision: int = 0
    """Goes up by one with each change, so that an older copy is known as one."""
    metadata: dict[str, str] = {}
    pages: list[Page] = []


class Document:
    """A folder of blobs and the manifest that names them, under the document's key; its methods block."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.vault = Vault(folder, key)
        self._copies = Copies(folder, "manifest", Manifest, self.vault, "manifest")

    def read(self) -> Manifest:
        """What the document is now. Raises NotFound (it was removed), Damaged, Unsupported (newer than we are)."""
        return max(self._copies.read(), key=lambda manifest: manifest.revision)

    def write(self, manifest: Manifest) -> None:
        """What the document shall be, durably. Raises NotFound, StorageFull, StorageFailed."""
        self._copies.write(manifest)

    def tidy(self) -> None:
        """Delete blobs that no page needs. Raises StorageFailed, and Damaged where nobody can tell which these are."""
        manifests = self._copies.read()
        if len(manifests) < len(self._copies.paths):
            raise Damaged()
        needed = {page.image.blob.name for manifest in manifests for page in manifest.pages}
        for name in self.vault.names().keys() - needed:
            if _BLOB.fullmatch(name):
                self.vault.delete(name)
