"""The folder of all kept documents: which there are, whose they are, and how one begins and ends."""

import hmac
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from actors.kept import NO_DOCUMENT
from actors.kept.copies import Copies, Text
from actors.kept.document import Document, Manifest
from actors.kept.locks import KEY_BYTES, Lock
from bus.durable import make_folder, storage, sync, write
from bus.keys import destroy
from bus.vault import NAME, Vault
from schemas.errors import Conflict, Damaged, NotFound, Unsupported
from schemas.kept import KeptDocument

KEY_LOST = (
    "The key of all kept documents (`storage.key` in the state folder) is missing or damaged. "
    "Put it back from a backup; to begin anew without them, move the folder `kept` beside it away."
)
_NEW, _GONE = ".new-", ".gone-"
"""What folders are called before they are documents, and after."""


class Entry(Text, frozen=True, kw_only=True):
    """What is known of a document without its password."""

    origin: str
    name: str
    lock: Lock


class Archive:
    """`kept/<folder>` for each document below the state folder; its methods block, and run in one thread.

    A folder's name is a digest of the document's origin and name under the key in `storage.key`, which also seals what
    is known of documents without their passwords. Every method may raise StorageFailed, and Damaged where that key is
    lost.
    """

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / "kept"
        self._key_paths = (state_folder / "storage.key", state_folder / "storage.key.copy")
        self._opened: tuple[bytes, Vault] | None = None

    def folder(self, origin: str, name: str) -> str:
        """Where a document is, or would be."""
        key, _ = self._storage()
        return hmac.digest(key, msgspec.msgpack.encode([origin, name]), "sha256").hex()[:32]

    def lock(self, folder: str) -> Lock | None:
        """A document's lock; None where there is no document. Raises Damaged."""
        try:
            return self._entry(folder).lock
        except NotFound:
            return None

    def document(self, folder: str, key: bytes) -> Document:
        """A document, opened with its key."""
        return Document(self._folder / folder, key)

    def of_origin(self, origin: str) -> list[KeptDocument]:
        """An origin's documents by name, but for those that are damaged as a whole."""
        self._storage()
        found = []
        for folder in self.folders():
            with suppress(Damaged, NotFound, Unsupported, FileNotFoundError):
                entry = self._entry(folder)
                if entry.origin == origin:
                    changed_at = (self._folder / folder / "manifest").stat().st_mtime
                    found.append(KeptDocument(name=entry.name, changed_at=changed_at, protected=entry.lock.protected))
        return sorted(found, key=lambda document: document.name)

    def folders(self) -> list[str]:
        """All documents of all origins, damaged ones too."""
        with storage():
            names = [path.name for path in self._folder.iterdir()] if self._folder.exists() else []
        return [name for name in names if NAME.fullmatch(name)]

    def create(self, origin: str, name: str, key: bytes, lock: Lock, metadata: dict[str, str]) -> None:
        """Make an empty document, durably: wholly or not at all. Raises Conflict (there is one), StorageFull."""
        folder = self.folder(origin, name)
        new = self._folder / f"{_NEW}{secrets.token_hex(16)}"
        with storage():
            if (self._folder / folder).exists():
                raise Conflict("There is a kept document of that name already.")
            try:
                make_folder(new)
                entry = Entry(origin=origin, name=name, lock=lock)
                self._copies(new, folder).write(entry)
                Document(new, key).write(Manifest(metadata=metadata))
                new.rename(self._folder / folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            sync(self._folder)

    def remove(self, folder: str) -> None:
        """Destroy a document's key, so that it can never be read again, then delete its files. Raises NotFound."""
        gone = self._folder / f"{_GONE}{secrets.token_hex(16)}"
        with storage(missing=NotFound(NO_DOCUMENT)):
            (self._folder / folder).rename(gone)
            sync(self._folder)
            self._destroy(gone)

    def sweep(self) -> None:
        """Finish what a crash interrupted: beginnings and ends of documents."""
        if self.folders():
            self._storage()
        with storage():
            for mark in (_NEW, _GONE):
                for path in self._folder.glob(f"{mark}*"):
                    self._destroy(path)

    def _destroy(self, folder: Path) -> None:
        for path in self._copies(folder, "").paths:
            with suppress(FileNotFoundError):
                destroy(path)
        sync(folder)
        shutil.rmtree(folder)

    def _entry(self, folder: str) -> Entry:
        return self._copies(self._folder / folder, folder).read()[0]

    def _copies(self, path: Path, folder: str) -> Copies[Entry]:
        _, storage_vault = self._storage()
        return Copies(path, "lock", Entry, storage_vault, f"lock of {folder}")

    def _storage(self) -> tuple[bytes, Vault]:
        if self._opened is None:
            with storage():
                key = self._key()
            self._opened = key, Vault(self._folder, key)
        return self._opened

    def _key(self) -> bytes:
        there = [path.read_bytes() for path in self._key_paths if path.exists()]
        for text in there:
            if hmac.compare_digest(text[KEY_BYTES:], _digest(text[:KEY_BYTES])):
                return text[:KEY_BYTES]
        if there or self.folders():
            raise Damaged(KEY_LOST)
        key = secrets.token_bytes(KEY_BYTES)
        for path in self._key_paths:
            write(path, key + _digest(key))
        return key


def _digest(key: bytes) -> bytes:
    return hmac.digest(key, b"storage key", "sha256")
