"""One encrypted file: without it, whoever reads the disk reads the pages.

AES-256-GCM over pieces of 1 MiB, each with a counter and a last-piece mark in its nonce (the STREAM construction of
Hoang, Reyhanitabar, Rogaway and Vizar, 2015), so that pieces cannot be cut off, swapped or repeated. The key is
derived from the session's key and a random salt (HKDF, RFC 5869): no two files share one.
"""

import io
import os
import secrets
import struct
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from typing_extensions import Buffer

PIECE_BYTES = 1 << 20
TAG_BYTES = 16
SEALED_BYTES = PIECE_BYTES + TAG_BYTES
MAGIC = b"scanbus1"
HEADER = struct.Struct("<8s16s40s")


class Sealer:
    """Encrypts what is written to `file`, piece by piece; `finish` seals the last one."""

    def __init__(self, file: io.FileIO, key: bytes, media_type: str) -> None:
        self._file = file
        self._header = HEADER.pack(MAGIC, secrets.token_bytes(16), media_type.encode())
        self._cipher = _cipher(key, self._header)
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

    def finish(self) -> None:
        """Write the last piece. Raises OSError."""
        self._seal(last=True)

    def _seal(self, *, last: bool) -> None:
        size = self._used + TAG_BYTES
        out = memoryview(self._sealed)[:size]
        with memoryview(self._piece)[: self._used] as piece:
            self._cipher.encrypt_into(_nonce(self._counter, last=last), piece, self._header, out)
        if self._counter == 0:
            # Not before there is something to seal: making a sealer cannot fail.
            _write_all(self._file, self._header)
        _write_all(self._file, out)
        self._counter += 1
        self._used = 0


class SealedReader(io.RawIOBase):
    """Decrypts a sealed file; can seek. Raises cryptography's InvalidTag where a piece is not what was written."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        super().__init__()
        self._file = file
        self._header = file.read(HEADER.size)
        if len(self._header) < HEADER.size or not self._header.startswith(MAGIC):
            file.close()
            raise EOFError("not a sealed file")
        self.media_type = HEADER.unpack(self._header)[2].rstrip(b"\0").decode("utf-8", "replace")
        self._cipher = _cipher(key, self._header)
        body = os.fstat(file.fileno()).st_size - HEADER.size
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
        """Read at most to the end of a piece. Raises InvalidTag, EOFError."""
        number, offset = divmod(self._at, PIECE_BYTES)
        if number >= self._pieces:
            return 0
        if number != self._number:
            self._file.seek(HEADER.size + number * SEALED_BYTES)
            sealed = self._file.read(SEALED_BYTES)
            last = number == self._pieces - 1
            self._piece = self._cipher.decrypt(_nonce(number, last=last), sealed, self._header)
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


def _cipher(key: bytes, header: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=header, info=b"scanbus blob").derive(key))


def _nonce(counter: int, *, last: bool) -> bytes:
    return struct.pack(">7xIB", counter, last)


def _write_all(file: io.FileIO, data: Buffer) -> None:
    view = memoryview(data)
    while len(view):
        view = view[file.write(view) or 0 :]
