"""What a browser keeps to come back to its session: without it, a reload would lose the pages."""

import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

from schemas.errors import StorageFailed

_KEY_BYTES = 32


class Tokens:
    """Issues tokens and reads them: `<session id>.<HMAC of the session id and the origin>`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, session_id: str, origin: str) -> str:
        """The token that opens this session again, for this origin only (empty: a program)."""
        mac = hmac.new(self._key, f"{session_id}|{origin}".encode(), sha256).digest()
        return f"{session_id}.{urlsafe_b64encode(mac).decode().rstrip('=')}"

    def session_of(self, token: str, origin: str) -> str:
        """The session that a token opens, or "" where it was not issued by us for this origin."""
        session_id = token.partition(".")[0]
        good = hmac.compare_digest(self.issue(session_id, origin).encode(), token.encode(errors="replace"))
        return session_id if good else ""


def load_key(folder: Path) -> bytes:
    """The key in `gateway.key`, made if there is none; a damaged one is replaced, so that its tokens open nothing.

    Raises StorageFailed when the folder cannot be read or written.
    """
    path = folder / "gateway.key"
    try:
        if path.exists() and len(key := path.read_bytes()) == _KEY_BYTES:
            return key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write(path, secrets.token_bytes(_KEY_BYTES))
    except OSError as error:
        raise StorageFailed(f"The key {path} cannot be kept: {error.strerror}. Make its folder writable.") from error


def _write(path: Path, key: bytes) -> bytes:
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return key
