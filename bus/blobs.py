"""The bytes beside the bus: encrypted files, written once, read by whoever speaks for their session."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from typing_extensions import Buffer

from bus.durable import make_folder, storage, sync
from bus.keys import Keys
from bus.vault import COMPRESSED, NAME, BlobFolder, BlobWriter, Vault
from schemas.errors import NotFound
from schemas.message import Blob

__all__ = ["COMPRESSED", "NAME", "BlobStore", "BlobWriter", "Vault"]


class BlobStore:
    """The vaults of sessions: `pages/<session>`, and each one's key apart, in `session-keys/<session>`.

    Safe to use from several threads and processes.
    """

    def __init__(self, folder: Path, volatile_keys: Path | None = None) -> None:
        self.folder = folder
        """Private; actors that keep something of their own keep it beside the blobs."""
        self._pages = folder / "pages"
        # Sessions that began before keys were to be volatile, or after, still open.
        self._keys = Keys(folder / "session-keys", *([volatile_keys] if volatile_keys else []))

    def begin(self, session: str) -> None:
        """Make a session's key and folder, where they are missing. Raises StorageFull, StorageFailed."""
        with storage():
            # The key first: what has none is left from a session that has ended.
            self._keys.make(_checked(session))
            make_folder(self._pages / session)

    def has(self, session: str) -> bool:
        """Whether there is such a session, and a key that could open it."""
        with storage():
            return bool(NAME.fullmatch(session)) and self._keys.good(session) and (self._pages / session).exists()

    def end(self, session: str) -> None:
        """Destroy a session's key, so that its files can never be read again, then delete them.

        Raises StorageFailed.
        """
        ended = self._pages / f".{_checked(session)}"
        with storage():
            with suppress(FileNotFoundError):
                # First, at once and for good: whatever comes between, it is no session whose key was lost.
                (self._pages / session).rename(ended)
                sync(self._pages)
            self._keys.destroy(session)
            shutil.rmtree(ended, ignore_errors=True)

    def tidy_keys(self) -> None:
        """Delete keys that a crash kept from being made, before a session begins. Raises StorageFailed."""
        with storage():
            self._keys.tidy()

    def ended(self) -> list[str]:
        """Sessions that have ended, while a crash left something of them: end them again."""
        return sorted(path.name[1:] for path in self._pages.glob(".*"))

    def sessions(self) -> list[str]:
        """The sessions that there are, those that no key opens too. Raises StorageFailed."""
        with storage():
            there = {path.name for path in self._pages.glob("[0-9a-f]*")} | self._keys.sessions()
            return sorted(filter(NAME.fullmatch, there - set(self.ended())))

    def unreadable(self) -> list[str]:
        """Sessions whose key is damaged or missing. Raises StorageFailed."""
        with storage():
            return [session for session in self.sessions() if not self._keys.good(session)]

    def begun_at(self, session: str) -> float:
        """When a session began: Unix time, in seconds. Raises NotFound, StorageFailed."""
        with storage(), suppress(NotFound):
            return self._keys.made_at(_checked(session))
        return self.touched_at(session)

    def touched_at(self, session: str) -> float:
        """When something last came to a session or went: Unix time, in seconds. Raises NotFound, StorageFailed."""
        with storage():
            with suppress(FileNotFoundError):
                return (self._pages / _checked(session)).stat().st_mtime
            return self._keys.made_at(session)

    def vault(self, session: str) -> Vault:
        """A session's blobs and texts. Raises NotFound (no such session), Damaged (its key), StorageFailed."""
        with storage(missing=NotFound("There is no such session.")):
            return Vault(self._pages / session, self._keys.read(_checked(session)))

    def blobs(self, session: str) -> BlobFolder:
        """A session's files, as far as they are known without a key. Raises NotFound for what is no session's name."""
        return BlobFolder(self._pages / _checked(session))

    def exists(self, session: str, name: str) -> bool:
        """Whether a session has a blob of that name."""
        return self.blobs(session).exists(name)

    def names(self, session: str) -> dict[str, int]:
        """A session's blobs and the bytes that each takes on disk; unfinished ones begin with a dot."""
        return self.blobs(session).names()

    def age_s(self, session: str, name: str) -> float:
        """How long ago a blob was written. Raises FileNotFoundError, StorageFailed."""
        return self.blobs(session).age_s(name)

    def delete(self, session: str, name: str) -> None:
        """Delete a blob, if it is there."""
        self.blobs(session).delete(name)

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the store's disk, and that it has."""
        with storage():
            make_folder(self._pages)
            usage = shutil.disk_usage(self._pages)
            return usage.free, usage.total

    def writer(
        self,
        session: str,
        media_type: str,
        *,
        durable: bool = True,
        label: bytes = b"",
        wait_for_room: Callable[[], None] | None = None,
    ) -> BlobWriter:
        """Begin a blob; see `Vault.writer`. Raises NotFound where there is no such session."""
        return self.vault(session).writer(media_type, durable=durable, label=label, wait_for_room=wait_for_room)

    def put(self, session: str, data: Buffer, media_type: str, *, durable: bool = True, label: bytes = b"") -> Blob:
        """Keep bytes. Raises StorageFull, StorageFailed, NotFound (no such session)."""
        return self.vault(session).put(data, media_type, durable=durable, label=label)

    def open(self, session: str, name: str) -> BinaryIO:
        """A blob to read; see `Vault.open`. Raises NotFound, Damaged, StorageFailed."""
        return self.vault(session).open(name)

    def read(self, session: str, name: str) -> bytes:
        """All bytes of a blob. Raises NotFound, Damaged, StorageFailed."""
        return self.vault(session).read(name)

    def stat(self, session: str, name: str) -> Blob:
        """What a blob is; see `Vault.stat`. Raises NotFound, Damaged, StorageFailed."""
        return self.vault(session).stat(name)

    def label(self, session: str, name: str) -> bytes:
        """What was said of a blob when it was written. Raises NotFound, Damaged, StorageFailed."""
        return self.vault(session).label(name)


def _checked(session: str) -> str:
    if not NAME.fullmatch(session):
        raise NotFound("There is no such session.")
    return session
