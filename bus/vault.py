"""A folder of encrypted files with one key: a session is one, a kept document another."""

import fcntl
import hmac
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from typing_extensions import Buffer

from bus.durable import flush, patiently, storage, sync
from bus.sealed import KEY_BYTES, NONCE_BYTES, PIECE_BYTES, Header, SealedReader, Sealer
from schemas.errors import Damaged, NotFound
from schemas.message import Blob

NAME = re.compile(r"[0-9a-f]{32}")
COMPRESSED = frozenset({"image/x-portable-anymap", "application/json", "text/plain"})
"""Media types that zstd makes smaller; everything else is compressed already."""


class BlobFolder:
    """Sealed files in a folder, as whoever has no key sees them; unfinished ones begin with a dot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self, name: str) -> bool:
        """Whether there is a blob of that name."""
        return bool(NAME.fullmatch(name)) and (self.folder / name).exists()

    def names(self) -> dict[str, int]:
        """All files and the bytes that each has. Raises StorageFailed."""
        sizes = {}
        with storage(), suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                # One that was finished or deleted since is no longer there.
                with suppress(FileNotFoundError):
                    sizes[entry.name] = entry.stat().st_size
        return sizes

    def size(self, name: str) -> int:
        """Bytes that a file has. Raises FileNotFoundError, StorageFailed."""
        with storage():
            return (self.folder / name).stat().st_size

    def age_s(self, name: str) -> float:
        """How long ago a file was written. Raises FileNotFoundError, StorageFailed."""
        with storage():
            return time.time() - (self.folder / name).stat().st_mtime

    def touch(self, name: str) -> None:
        """Let a file's age begin anew, if it is there. Raises StorageFailed."""
        with storage(), suppress(FileNotFoundError):
            os.utime(self.folder / name)

    def abandoned(self, name: str) -> bool:
        """Whether nobody writes this file any more: its writer has ended, or died."""
        with storage(), suppress(BlockingIOError, FileNotFoundError), (self.folder / name).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
        return False

    def delete(self, name: str) -> None:
        """Delete a file, if it is there. Raises StorageFailed."""
        with storage():
            (self.folder / name).unlink(missing_ok=True)


class Vault(BlobFolder):
    """Blobs, small texts, and the key that opens them: 32 bytes.

    A name is a digest under that key of the content, its media type and its label, and of whether it is durable: what
    is equal has one name, and nobody without the key can tell what it is. Safe to use from several threads and
    processes.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        super().__init__(folder)
        keys = HKDF(algorithm=SHA256(), length=3 * KEY_BYTES, salt=None, info=b"scanbus vault").derive(key)
        self._owner = AESGCM(keys[:KEY_BYTES])
        self._texts = AESGCM(keys[KEY_BYTES : 2 * KEY_BYTES])
        self._naming = keys[2 * KEY_BYTES :]

    def writer(
        self,
        media_type: str,
        *,
        durable: bool = True,
        label: bytes = b"",
        wait_for_room: Callable[[], None] | None = None,
        name: str = "",
    ) -> "BlobWriter":
        """Begin a blob; `name` is for one that was named elsewhere.

        On a full disk `wait_for_room` is called, in the writer's thread, until it raises or the bytes have found room;
        without it, StorageFull is raised. Raises NotFound where the folder is gone.
        """
        digest = None if name else hmac.new(self._naming, digestmod="sha256")
        if digest is not None:
            for part in (b"\1" if durable else b"\0", media_type.encode(), label):
                digest.update(len(part).to_bytes(2, "big") + part)
        header = Header.new(media_type, label)
        return BlobWriter(self.folder, self._owner, header, digest or name, durable, wait_for_room)

    def put(self, data: Buffer, media_type: str, *, durable: bool = True, label: bytes = b"") -> Blob:
        """Keep bytes. Raises StorageFull, StorageFailed, NotFound (the folder is gone)."""
        with self.writer(media_type, durable=durable, label=label) as writer:
            writer.write(data)
        return writer.blob

    def open(self, name: str) -> BinaryIO:
        """A blob to read; can seek where its content is not compressed.

        Raises NotFound, Damaged, StorageFailed; so does reading it.
        """
        reader = self._reader(name)
        if reader.header.media_type in COMPRESSED:
            return zstandard.ZstdDecompressor().stream_reader(io.BufferedReader(reader))
        return io.BufferedReader(reader)

    def read(self, name: str) -> bytes:
        """All bytes of a blob. Raises NotFound, Damaged, StorageFailed."""
        with self.open(name) as file:
            return file.read()

    def stat(self, name: str) -> Blob:
        """What a blob is; its size is -1 where only reading it would tell. Raises NotFound, Damaged, StorageFailed."""
        with self._reader(name) as reader:
            media_type = reader.header.media_type
            return Blob(name=name, size=-1 if media_type in COMPRESSED else reader.size, media_type=media_type)

    def label(self, name: str) -> bytes:
        """What was said of a blob when it was written. Raises NotFound, Damaged, StorageFailed."""
        with self._reader(name) as reader:
            return reader.header.label

    def adopt(self, other: "Vault", name: str) -> None:
        """Have another vault's blob here too, durably and by the same name; it is checked on the way.

        Raises NotFound, Damaged, StorageFull, StorageFailed.
        """
        with suppress(NotFound, Damaged):
            self._reader(name).close()
            return
        part = self.folder / f".{secrets.token_hex(16)}"
        missing = NotFound(f"There is no place for the blob {name} any more.")
        with other._reader(name) as source, storage(missing=missing):
            while source.read(PIECE_BYTES):
                pass
            try:
                with part.open("xb") as file, (other.folder / name).open("rb") as sealed:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    file.write(source.header.sealed(self._owner, name))
                    sealed.seek(file.tell())
                    shutil.copyfileobj(sealed, file, PIECE_BYTES)
                    file.flush()
                    flush(file.fileno())
                    part.rename(self.folder / name)
                sync(self.folder)
            finally:
                part.unlink(missing_ok=True)

    def seal(self, data: bytes, identity: str) -> bytes:
        """A small text for a database: it opens for the same identity only."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._texts.encrypt(nonce, data, identity.encode())

    def unseal(self, data: bytes, identity: str) -> bytes:
        """What was sealed. Raises Damaged where this is not what was sealed for that identity."""
        try:
            return self._texts.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], identity.encode())
        except (InvalidTag, ValueError) as error:
            raise Damaged() from error

    def _reader(self, name: str) -> SealedReader:
        if not NAME.fullmatch(name):
            raise NotFound(f"There is no blob {name!r} here.")
        with storage(missing=NotFound(f"There is no blob {name} here."), blob=name):
            file = (self.folder / name).open("rb")
        return SealedReader(file, self._owner, name)


class BlobWriter:
    """Takes the bytes of one blob; leaving its block without an exception makes it durable, then `blob` names it."""

    blob: Blob

    def __init__(
        self,
        folder: Path,
        owner: AESGCM,
        header: Header,
        naming: "hmac.HMAC | str",
        durable: bool,
        wait_for_room: Callable[[], None] | None,
    ) -> None:
        self._folder = folder
        self._owner = owner
        self._media_type = header.media_type
        self._naming = naming
        self._durable = durable
        self._wait_for_room = wait_for_room
        self._size = 0
        self._part = folder / f".{secrets.token_hex(16)}"
        with storage(missing=NotFound("There is no such session.")):
            self._file = patiently(lambda: self._part.open("xb", buffering=0), wait_for_room)
            # So that everybody can tell whether it is written still, or its writer has died.
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._sealer = Sealer(self._file, header, wait_for_room)
        compressed = header.media_type in COMPRESSED
        self._zstd = zstandard.ZstdCompressor(level=1).compressobj() if compressed else None

    def write(self, data: Buffer) -> None:
        """Take more bytes. Raises StorageFull, StorageFailed, and what waiting for room does."""
        view = memoryview(data).cast("B")
        if not isinstance(self._naming, str):
            self._naming.update(view)
        self._size += len(view)
        with storage():
            self._sealer.write(self._zstd.compress(view) if self._zstd is not None else view)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with storage(missing=NotFound("The session has ended.")):
                    self._finish()
        finally:
            # Where this fails, what is left is found by its lock, which nobody has any more.
            with suppress(OSError):
                self._file.close()
                self._part.unlink()

    def _finish(self) -> None:
        if self._zstd is not None:
            self._sealer.write(self._zstd.flush())
        name = self._naming if isinstance(self._naming, str) else self._naming.hexdigest()[:32]
        self._sealer.finish(self._owner, name)
        if self._durable:
            flush(self._file.fileno())
        patiently(lambda: self._part.rename(self._folder / name), self._wait_for_room)
        if self._durable:
            sync(self._folder)
        self.blob = Blob(name=name, size=self._size, media_type=self._media_type)
