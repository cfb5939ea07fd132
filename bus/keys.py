"""The keys of sessions, apart from what they open: without it, nobody could say when a session is really gone."""

import hmac
import secrets
from contextlib import suppress
from pathlib import Path

from bus.durable import flush, make_folder, sync, write
from schemas.errors import Damaged, NotFound

KEY_BYTES = 32
CHECK_BYTES = 16


class Keys:
    """One file for each session; new ones are made in the last of `folders`.

    It holds 32 random bytes, and a digest of the session's name under them: a key that was damaged, or is another
    session's, is told from the right one before anything is opened with it.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def make(self, session: str) -> None:
        """Make a session's key, durably, unless there is one. Raises OSError, StorageFailed."""
        if not self._paths(session):
            make_folder(self._folders[-1])
            key = secrets.token_bytes(KEY_BYTES)
            write(self._folders[-1] / session, key + _check(key, session))

    def read(self, session: str) -> bytes:
        """A session's key. Raises NotFound, Damaged (it is not what was made for this session), OSError."""
        for path in self._paths(session):
            content = path.read_bytes()
            key = content[:KEY_BYTES]
            if content[KEY_BYTES:] != _check(key, session):
                raise Damaged(f"The key of the session {session} is damaged: its pages cannot be read.")
            return key
        raise NotFound("There is no such session.")

    def good(self, session: str) -> bool:
        """Whether a session has a key that was made for it. Raises OSError."""
        with suppress(FileNotFoundError, NotFound, Damaged):
            return len(self.read(session)) == KEY_BYTES
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


def _check(key: bytes, session: str) -> bytes:
    return hmac.digest(key, session.encode(), "sha256")[:CHECK_BYTES]


def destroy(path: Path) -> None:
    """Overwrite a key, then remove it. Raises OSError, StorageFailed."""
    with path.open("r+b", buffering=0) as file:
        file.write(secrets.token_bytes(KEY_BYTES + CHECK_BYTES))
        flush(file.fileno())
    path.unlink()
