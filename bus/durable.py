"""What a write needs to be there after a power cut: without it, each writer would forget another of the steps."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from schemas.errors import Damaged, StorageFailed, StorageFull

ResultT = TypeVar("ResultT")
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where waiting helps."""
_FULL = NO_ROOM | {errno.EFBIG}
_DAMAGED = {errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)}


def make_folder(folder: Path) -> None:
    """Make a private folder and those above it where they are missing; they stay. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync(each.parent)


def write(path: Path, data: bytes) -> None:
    """Put a small private file in the place of another, or of none: afterwards it is there as a whole.

    Raises OSError, or StorageFailed where the system cannot say that it stays.
    """
    part = path.with_name(f".{secrets.token_hex(16)}")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            rest = memoryview(data)
            while len(rest):
                rest = rest[file.write(rest) or 0 :]
            flush(descriptor)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def flush(descriptor: int) -> None:
    """Wait until a file's bytes are on the disk. Raises StorageFailed, for good: what failed once may seem to succeed
    the next time although the bytes are gone.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise _failed(error) from error


def sync(folder: Path) -> None:
    """Wait until a folder's entries are on the disk. Raises StorageFailed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def patiently(work: Callable[[], ResultT], wait_for_room: Callable[[], None] | None) -> ResultT:
    """Do `work`, again and again where there is no room for it. Raises OSError, and what waiting does."""
    while True:
        try:
            return work()
        except OSError as error:
            if wait_for_room is None or error.errno not in NO_ROOM:
                raise
        wait_for_room()


@contextmanager
def storage(missing: Exception | None = None, blob: str = "") -> Iterator[None]:
    """Say what the system's errors mean for pages: StorageFull, StorageFailed, or Damaged where a disk cannot be read.

    A file that is not there is the caller's to explain: `missing`, else FileNotFoundError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise (missing or error) from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull() from error
        if blob and error.errno in _DAMAGED:
            raise Damaged(blob=blob) from error
        raise _failed(error) from error


def _failed(error: OSError) -> StorageFailed:
    happened, advice = StorageFailed.advice()
    return StorageFailed(f"{happened} ({error.strerror}) {advice}")
