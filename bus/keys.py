"""The keys of sessions, apart from what they open: without it, nobody could say when a session is really gone."""

import secrets
from contextlib import suppress
from pathlib import Path

from bus.durable import flush, make_folder, sync, write
from schemas.errors import Damaged, NotFound

KEY_BYTES = 32


class Keys:
    """One file of 32 random bytes for each session; new ones are made in the last of `folders`."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def make(self, session: str) -> None:
        """Make a session's key, durably, unless there is one. Raises OSError, StorageFailed."""
        if not self._paths(session):
            make_folder(self._folders[-1])
            write(self._folders[-1] / session, secrets.token_bytes(KEY_BYTES))

    def read(self, session: str) -> bytes:
        """A session's key. Raises NotFound, Damaged (its length is wrong), OSError."""
        for path in self._paths(session):
            key = path.read_bytes()
            if len(key) != KEY_BYTES:
                raise Damaged(f"The key of the session {session} is damaged: its pages cannot be read.")
            return key
        raise NotFound("There is no such session.")

    def good(self, session: str) -> bool:
        """Whether a session has a key of the right length."""
        with suppress(FileNotFoundError):
            return any(path.stat().st_size == KEY_BYTES for path in self._paths(session))
        return False

    def made_at(self, session: str) -> float:
        """When a session's key was made: Unix time, in seconds. Raises NotFound, OSError."""
        for path in self._paths(session):
            return path.stat().st_mtime
        raise NotFound("There is no such session.")

    def sessions(self) -> set[str]:
        """Those that have a key, damaged or not."""
        return {path.name for folder in self._folders for path in folder.glob("[0-9a-f]*")}

    def tidy(self) -> None:
        """Delete keys that a crash kept from being made, before any is made. Raises OSError."""
        for folder in self._folders:
            for path in folder.glob(".*"):
                path.unlink(missing_ok=True)

    def destroy(self, session: str) -> None:
        """Overwrite a session's key, then remove it. Raises OSError, StorageFailed."""
        for path in self._paths(session):
            with suppress(FileNotFoundError):
                destroy(path)
            sync(path.parent)

    def _paths(self, session: str) -> list[Path]:
        return [path for folder in self._folders if (path := folder / session).exists()]


def destroy(path: Path) -> None:
    """Overwrite a key, then remove it. Raises OSError, StorageFailed."""
    with path.open("r+b", buffering=0) as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        flush(file.fileno())
    path.unlink()
