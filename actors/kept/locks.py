"""What stands between a password and a document's key: without it, a copied disk would be an open book."""

import asyncio
import hashlib
import math
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from actors.kept import NO_DOCUMENT
from schemas.errors import Busy, NotFound, WrongPassword

ResultT = TypeVar("ResultT")
KEY_BYTES = 32
FREE_ATTEMPTS = 3
"""Passwords that may be tried in a row without a pause."""
LONGEST_PAUSE_S = 60.0
_NONCE = bytes(12)
"""Each wrapping key encrypts once: it comes from a salt of its own."""


class Lock(Struct, frozen=True, kw_only=True):
    """A document's key, wrapped by a password (scrypt, RFC 7914; AES-256-GCM) or, without salt, as it is.

    What one version wrote, every later one opens: what it cost then stands beside the salt.
    """

    key: bytes
    salt: bytes = b""
    n: int = 1 << 15
    r: int = 8
    p: int = 3

    @property
    def protected(self) -> bool:
        """Whether it takes a password."""
        return bool(self.salt)

    @classmethod
    def new(cls, key: bytes, password: str) -> "Lock":
        """Wrap a key; with a password this takes as long as opening."""
        if not password:
            return cls(key=key)
        empty = cls(key=b"", salt=secrets.token_bytes(16))
        return cls(key=empty._cipher(password).encrypt(_NONCE, key, None), salt=empty.salt)

    @classmethod
    def decoy(cls) -> "Lock":
        """One that no password opens."""
        return cls(key=secrets.token_bytes(KEY_BYTES + 16), salt=secrets.token_bytes(16))

    def open(self, password: str) -> bytes | None:
        """The key, or None for another password, in the same time and 32 MiB."""
        try:
            return self._cipher(password).decrypt(_NONCE, self.key, None)
        except InvalidTag:
            return None

    def _cipher(self, password: str) -> AESGCM:
        # The same letters, typed on another system, may be other code points.
        text = unicodedata.normalize("NFC", password).encode()
        memory_bytes = 128 * self.r * (self.n + self.p + 4)
        key = hashlib.scrypt(text, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=memory_bytes, dklen=KEY_BYTES)
        return AESGCM(key)


class Attempts:
    """How soon a password may be tried again, by document: after the first few, each wrong one doubles the pause."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}

    def begin(self, document: str, now: float) -> None:
        """One more, wrong until `succeed` says otherwise. Raises Busy during a pause."""
        wrong, until = self._wrong.get(document, (0, 0.0))
        if now < until:
            wait_s = str(math.ceil(until - now))
            raise Busy(f"Too many wrong passwords for this document. Try again in {wait_s} s.", wait_s=wait_s)
        wrong += 1
        pause_s = min(2.0 ** (wrong - FREE_ATTEMPTS), LONGEST_PAUSE_S) if wrong >= FREE_ATTEMPTS else 0.0
        self._wrong[document] = wrong, now + pause_s

    def succeed(self, document: str) -> None:
        """It was right: the next wrong one is the first."""
        self._wrong.pop(document, None)


class Locksmith:
    """Opens locks off the loop, one at a time, so that many attempts take neither all memory nor all processors."""

    def __init__(self) -> None:
        self._attempts = Attempts()
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "passwords")

    async def make(self, key: bytes, password: str) -> Lock:
        """A new lock."""
        return await self._work(lambda: Lock.new(key, password))

    async def open(self, document: str, lock: Lock | None, password: str, now: Callable[[], float]) -> bytes:
        """A document's key; None is the lock of a document that does not exist.

        A password costs the same time whether it is right or wrong, needed, or for nothing that there is. Raises
        WrongPassword, NotFound, and Busy after too many wrong ones.
        """
        if not password:
            if lock is None:
                raise NotFound(NO_DOCUMENT)
            if lock.protected:
                raise WrongPassword("This document needs its password.")
            return lock.key
        async with self._turn:
            protected = lock is not None and lock.protected
            if protected:
                # Counted before it is tried, so that hanging up in between is no way around it.
                self._attempts.begin(document, now())
            tried = lock if lock is not None and lock.protected else Lock.decoy()
            key = await self._work(lambda: tried.open(password))
            if lock is None:
                raise NotFound(NO_DOCUMENT)
            if not protected:
                raise WrongPassword("This document has no password: leave it out.")
            if key is None:
                raise WrongPassword()
            self._attempts.succeed(document)
            return key

    def close(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown()

    async def _work(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
