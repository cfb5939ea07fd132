"""The store that the settings ask for, with keys that outlive a reboot, or do not."""

import os
from hashlib import sha256
from pathlib import Path

from bus.blobs import BlobStore
from bus.endpoints import private_folder, runtime_folder, state_folder
from bus.keys import destroy
from schemas.config import Config
from schemas.errors import Unsupported

_IN_MEMORY = {"tmpfs", "ramfs"}
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


def open_store(config: Config) -> BlobStore:
    """The store that the settings name. Raises Denied, and Unsupported where keys cannot be volatile."""
    return BlobStore(state_folder(config), volatile_folder(config))


def volatile_folder(config: Config) -> Path | None:
    """Where keys are that do not outlive a reboot, made private; None where keys shall. Raises Unsupported, Denied.

    Swap space is part of a computer's memory: whoever fears for it encrypts it.
    """
    if not config.cache.volatile:
        return None
    state = state_folder(config)
    mine = f"scanbus-{sha256(os.fsencode(state.resolve())).hexdigest()[:16]}"
    for memory in (runtime_folder(config), _SHARED_MEMORY):
        if _file_system(memory) in _IN_MEMORY:
            return private_folder(memory / mine)
    raise Unsupported(
        "With cache.volatile, session keys are kept in memory alone, but neither the runtime folder "
        f"{runtime_folder(config)} nor {_SHARED_MEMORY} is a memory file system: mount one there, "
        "or set cache.volatile to false."
    )


def destroy_volatile(config: Config) -> None:
    """After a clean stop: nobody can read what the sessions kept any more. Raises OSError, StorageFailed."""
    folder = volatile_folder(config)
    if folder is not None:
        for path in folder.iterdir():
            destroy(path)
        folder.rmdir()


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, or "" where the system does not say."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    place, found = folder.resolve(), ("", "")
    for line in mounts:
        where, _, what = line.partition(" - ")
        point = where.split(" ")[4].encode().decode("unicode_escape")
        # The last of those that are mounted at the same place covers the others.
        if place.is_relative_to(point) and len(point) >= len(found[0]):
            found = point, what.split(" ")[0]
    return found[1]
