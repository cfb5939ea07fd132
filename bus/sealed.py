"""One encrypted file: without it, whoever reads the disk reads the pages.

The content is sealed with AES-256-GCM under a random key of its own, in pieces of 1 MiB, each with a counter and a
last-piece mark in its nonce (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizar, 2015), so that pieces
cannot be cut off, swapped or repeated. The header has that key, and a label, sealed under the key of whoever owns the
file; magic, media type and the file's name are bound to it. So a file does not open at another name, and goes to
another owner with a new header alone.
"""

import io
import os
import secrets
import struct
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from typing_extensions import Buffer

from bus.durable import patiently, storage
from schemas.errors import Damaged

PIECE_BYTES = 1 << 20
TAG_BYTES = 16
SEALED_BYTES = PIECE_BYTES + TAG_BYTES
MAGIC = b"scanbus2"
KEY_BYTES = 32
NONCE_BYTES = 12
SPARE_BYTES = 4 << 20
SPARE_SHARE = 24
"""Room that whoever can wait leaves on the disk, at most one of so many parts of it: with none at all, not even the
removal of a page could be written down."""
LABEL_BYTES = 400
"""A label is at most so long."""
_HEAD = struct.Struct("<8s40s12sH")
"""Magic, media type, nonce, and how many bytes of sealed key and label follow."""


class Header(Struct, frozen=True):
    """What is said of a file before its content."""

    media_type: str
    label: bytes
    key: bytes
    """The content's."""

    @classmethod
    def new(cls, media_type: str, label: bytes) -> Self:
        """For new content. Raises ValueError for a label that is too long."""
        if len(label) > LABEL_BYTES:
            raise ValueError(f"a label has at most {LABEL_BYTES} bytes")
        return cls(media_type, label, secrets.token_bytes(KEY_BYTES))

    @classmethod
    def read(cls, file: BinaryIO, owner: AESGCM, name: str) -> Self:
        """That of a file, which is left where the content begins. Raises Damaged, OSError."""
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(MAGIC):
            raise Damaged(blob=name)
        magic, media_type, nonce, size = _HEAD.unpack(head)
        try:
            opened = owner.decrypt(nonce, file.read(size), magic + media_type + name.encode())
        except InvalidTag as error:
            raise Damaged(blob=name) from error
        return cls(media_type.rstrip(b"\0").decode(), opened[KEY_BYTES:], opened[:KEY_BYTES])

    @property
    def size(self) -> int:
        """Bytes that it takes in a file, whoever owns it."""
        return _HEAD.size + KEY_BYTES + len(self.label) + TAG_BYTES

    def sealed(self, owner: AESGCM, name: str) -> bytes:
        """As it stands in the file of that name."""
        media_type = self.media_type.encode().ljust(40, b"\0")
        nonce = secrets.token_bytes(NONCE_BYTES)
        wrapped = owner.encrypt(nonce, self.key + self.label, MAGIC + media_type + name.encode())
        return _HEAD.pack(MAGIC, media_type, nonce, len(wrapped)) + wrapped


class Sealer:
    """Encrypts what is written to `file`, piece by piece; `finish` seals the last one and writes the header."""

    def __init__(self, file: io.FileIO, header: Header, wait_for_room: Callable[[], None] | None = None) -> None:
        self._file = file
        self._header = header
        self._wait_for_room = wait_for_room
        self._cipher = AESGCM(header.key)
        self._piece = bytearray(PIECE_BYTES)
        self._used = 0
        self._sealed = bytearray(SEALED_BYTES)
        self._counter = 0

    def write(self, data: Buffer) -> None:
        """Take more bytes. Raises OSError."""
        view = memoryview(data).cast("B")
        while len(view):
            if self._used == PIECE_BYTES:
                self._seal(last=False)
            taken = min(len(view), PIECE_BYTES - self._used)
            self._piece[self._used : self._used + taken] = view[:taken]
            self._used += taken
            view = view[taken:]

    def finish(self, owner: AESGCM, name: str) -> None:
        """Write the last piece, then the header: only the whole content tells the name. Raises OSError."""
        self._seal(last=True)
        self._file.seek(0)
        self._write_all(self._header.sealed(owner, name))

    def _seal(self, *, last: bool) -> None:
        size = self._used + TAG_BYTES
        out = memoryview(self._sealed)[:size]
        with memoryview(self._piece)[: self._used] as piece:
            self._cipher.encrypt_into(_nonce(self._counter, last=last), piece, None, out)
        if self._counter == 0:
            self._file.seek(self._header.size)
        while self._wait_for_room is not None and self._takes_the_last_room(size):
            self._wait_for_room()
        self._write_all(out)
        self._counter += 1
        self._used = 0

    def _takes_the_last_room(self, size: int) -> bool:
        disk = os.fstatvfs(self._file.fileno())
        spare = min(SPARE_BYTES, disk.f_blocks * disk.f_frsize // SPARE_SHARE)
        return disk.f_bavail * disk.f_frsize - size < spare

    def _write_all(self, data: Buffer) -> None:
        rest = memoryview(data)
        while len(rest):
            rest = rest[patiently(partial(self._file.write, rest), self._wait_for_room) or 0 :]


class SealedReader(io.RawIOBase):
    """Decrypts a sealed file; can seek. Making one and reading raise Damaged, StorageFailed."""

    def __init__(self, file: BinaryIO, owner: AESGCM, name: str) -> None:
        super().__init__()
        self._file = file
        self._name = name
        try:
            with storage(blob=name):
                self.header = Header.read(file, owner, name)
                body = os.fstat(file.fileno()).st_size - self.header.size
            if body < TAG_BYTES:
                raise Damaged(blob=name)
        except BaseException:
            file.close()
            raise
        self._cipher = AESGCM(self.header.key)
        self._pieces = max(1, -(-body // SEALED_BYTES))
        self.size = body - TAG_BYTES * self._pieces
        """Bytes of the content."""
        self._at = 0
        self._number = -1
        self._piece = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the content."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        """Read at most to the end of a piece."""
        number, offset = divmod(self._at, PIECE_BYTES)
        if number >= self._pieces:
            return 0
        if number != self._number:
            self._piece = self._open(number)
            self._number = number
        view = memoryview(buffer).cast("B")
        data = self._piece[offset : offset + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _open(self, number: int) -> bytes:
        with storage(blob=self._name):
            self._file.seek(self.header.size + number * SEALED_BYTES)
            sealed = self._file.read(SEALED_BYTES)
        try:
            return self._cipher.decrypt(_nonce(number, last=number == self._pieces - 1), sealed, None)
        except InvalidTag as error:
            raise Damaged(blob=self._name) from error


def _nonce(counter: int, *, last: bool) -> bytes:
    return struct.pack(">7xIB", counter, last)
