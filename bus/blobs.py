"""The bytes beside the bus: encrypted files, written once, read by whoever speaks for their session."""

import errno
import hmac
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import zstandard
from cryptography.exceptions import InvalidTag
from typing_extensions import Buffer

from bus.sealed import SealedReader, Sealer
from schemas.errors import NotFound, StorageFailed, StorageFull
from schemas.message import Blob

NAME = re.compile(r"[0-9a-f]{32}")
COMPRESSED = frozenset({"image/x-portable-anymap", "application/json", "text/plain"})
"""Media types that zstd makes smaller; everything else is compressed already."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BlobStore:
    """Blobs below one folder: `pages/<session>/<name>`, and each session's key apart, in `session-keys/<session>`.

    A name is a digest of the content under the session's key: the same bytes have the same name within a session,
    and nobody without the key can tell what they are. Safe to use from several threads and processes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Private; actors that keep something of their own keep it beside the blobs."""
        self._pages = folder / "pages"
        self._keys = folder / "session-keys"

    def begin(self, session: str) -> None:
        """Make a session's key and folder. Raises StorageFull, StorageFailed."""
        with _storage():
            for folder in (self._keys, self._pages):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._pages / _checked(session)).mkdir(mode=0o700, exist_ok=True)
            part = self._keys / f".{secrets.token_hex(8)}"
            descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(descriptor)
            part.rename(self._keys / session)
            _sync(self._keys)

    def has(self, session: str) -> bool:
        """Whether there is such a session."""
        return bool(NAME.fullmatch(session)) and (self._keys / session).exists()

    def end(self, session: str) -> None:
        """Destroy a session's key, so that its files can never be read again, then delete them."""
        with _storage():
            key = self._keys / _checked(session)
            if key.exists():
                key.write_bytes(secrets.token_bytes(32))
                key.unlink()
                _sync(self._keys)
            shutil.rmtree(self._pages / session, ignore_errors=True)

    def sessions(self) -> list[str]:
        """The sessions that there are."""
        return sorted(path.name for path in self._keys.glob("[0-9a-f]*")) if self._keys.exists() else []

    def session_age_s(self, session: str) -> float:
        """How long ago a session began."""
        with _storage():
            return time.time() - (self._keys / _checked(session)).stat().st_mtime

    def exists(self, session: str, name: str) -> bool:
        """Whether a session has a blob of that name."""
        return bool(NAME.fullmatch(name)) and (self._pages / _checked(session) / name).exists()

    def names(self, session: str) -> dict[str, int]:
        """A session's blobs and the bytes that each takes on disk; unfinished ones begin with a dot."""
        folder = self._pages / _checked(session)
        sizes = {}
        with _storage(), suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                # One that was finished or deleted since is no longer there.
                with suppress(FileNotFoundError):
                    sizes[entry.name] = entry.stat().st_size
        return sizes

    def age_s(self, session: str, name: str) -> float:
        """How long ago a blob was written."""
        with _storage():
            return time.time() - (self._pages / _checked(session) / name).stat().st_mtime

    def free_bytes(self) -> int:
        """Room that is left on the store's disk."""
        with _storage():
            self._pages.mkdir(mode=0o700, parents=True, exist_ok=True)
            return shutil.disk_usage(self._pages).free

    def writer(self, session: str, media_type: str, *, durable: bool = True) -> "BlobWriter":
        """Begin a blob. Raises NotFound where there is no such session."""
        return BlobWriter(self._pages / _checked(session), self._key(session), media_type, durable=durable)

    def put(self, session: str, data: Buffer, media_type: str, *, durable: bool = True) -> Blob:
        """Keep bytes. Raises StorageFull, StorageFailed, NotFound (no such session)."""
        with self.writer(session, media_type, durable=durable) as writer:
            writer.write(data)
        return writer.blob

    def open(self, session: str, name: str) -> BinaryIO:
        """A blob to read; can seek where its content is not compressed. Raises NotFound, StorageFailed."""
        reader = self._reader(session, name)
        if reader.media_type in COMPRESSED:
            return zstandard.ZstdDecompressor().stream_reader(io.BufferedReader(reader))
        return io.BufferedReader(reader)

    def stat(self, session: str, name: str) -> Blob:
        """What a blob is; its size is -1 where only reading it would tell. Raises NotFound, StorageFailed."""
        with self._reader(session, name) as reader:
            size = -1 if reader.media_type in COMPRESSED else reader.size
            return Blob(name=name, size=size, media_type=reader.media_type)

    def read(self, session: str, name: str) -> bytes:
        """All bytes of a blob, checked against its name. Raises NotFound, StorageFailed."""
        with _storage(), self.open(session, name) as file:
            data = file.read()
        if _digest(self._key(session), data) != name:
            raise StorageFailed(f"The blob {name} is damaged.")
        return data

    def delete(self, session: str, name: str) -> None:
        """Delete a blob, if it is there."""
        with _storage():
            (self._pages / _checked(session) / name).unlink(missing_ok=True)

    def _reader(self, session: str, name: str) -> SealedReader:
        if not NAME.fullmatch(name):
            raise NotFound(f"There is no blob {name!r} in this session.")
        key = self._key(session)
        try:
            with _storage():
                return SealedReader((self._pages / session / name).open("rb"), key)
        except FileNotFoundError as error:
            raise NotFound(f"There is no blob {name} in this session.") from error

    def _key(self, session: str) -> bytes:
        try:
            with _storage():
                return (self._keys / _checked(session)).read_bytes()
        except FileNotFoundError as error:
            raise NotFound("There is no such session.") from error


class BlobWriter:
    """Takes the bytes of one blob; leaving its block without an exception makes it durable, then `blob` names it."""

    blob: Blob

    def __init__(self, folder: Path, key: bytes, media_type: str, *, durable: bool) -> None:
        self._folder = folder
        self._part = folder / f".{secrets.token_hex(16)}"
        self._media_type = media_type
        self._durable = durable
        self._digest = hmac.new(key, digestmod="sha256")
        self._size = 0
        with _storage(missing=NotFound("There is no such session.")):
            self._file = self._part.open("xb", buffering=0)
        self._sealer = Sealer(self._file, key, media_type)
        self._zstd = zstandard.ZstdCompressor(level=1).compressobj() if media_type in COMPRESSED else None

    def write(self, data: Buffer) -> None:
        """Take more bytes. Raises StorageFull, StorageFailed."""
        view = memoryview(data).cast("B")
        self._digest.update(view)
        self._size += len(view)
        with _storage():
            self._sealer.write(self._zstd.compress(view) if self._zstd is not None else view)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with _storage(missing=NotFound("The session has ended.")):
                    self._finish()
        finally:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._zstd is not None:
            self._sealer.write(self._zstd.flush())
        self._sealer.finish()
        if self._durable:
            os.fsync(self._file.fileno())
        name = self._digest.hexdigest()[:32]
        self._part.rename(self._folder / name)
        if self._durable:
            _sync(self._folder)
        self.blob = Blob(name=name, size=self._size, media_type=self._media_type)


def _digest(key: bytes, data: bytes) -> str:
    return hmac.digest(key, data, "sha256").hex()[:32]


def _checked(session: str) -> str:
    if not NAME.fullmatch(session):
        raise NotFound("There is no such session.")
    return session


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage(missing: Exception | None = None) -> Iterator[None]:
    """Say what the system's errors mean for pages; a file that is not there is the caller's to explain."""
    try:
        yield
    except FileNotFoundError as error:
        raise (missing or error) from error
    except InvalidTag as error:
        raise StorageFailed("A page on disk is damaged or was changed: it cannot be read.") from error
    except (EOFError, zstandard.ZstdError) as error:
        raise StorageFailed("A page on disk is damaged: it cannot be read.") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull() from error
        raise StorageFailed(f"{StorageFailed.advice()[0]} ({error.strerror}) {StorageFailed.advice()[1]}") from error
