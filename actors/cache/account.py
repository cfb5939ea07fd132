"""How much is kept and how much may be: without it, each page would have to count all others first."""

from collections.abc import Mapping
from typing import Literal

from bus.blobs import BlobStore
from schemas.config import CacheConfig

Reason = Literal["disk", "limit"]
RESERVE_SHARE = 16
"""What is left free for others is at most one of so many parts of the disk."""


class Account:
    """The bytes of every file; counted as a whole now and then, and kept up to date in between."""

    def __init__(self, store: BlobStore, config: CacheConfig) -> None:
        self._store = store
        self._reserve_bytes = config.disk_reserve_mb << 20
        self.limit_bytes = config.disk_limit_mb << 20
        """0: none."""
        self._sizes: dict[str, dict[str, int]] = {}
        self.used_bytes = 0

    @property
    def files(self) -> int:
        """How many there are."""
        return sum(map(len, self._sizes.values()))

    def recount(self) -> None:
        """Look at everything. Raises StorageFailed."""
        there = self._store.sessions()
        for session in {*self._sizes, *there}:
            self.count(session, self._store.names(session) if session in there else {})

    def count(self, session: str, sizes: Mapping[str, int]) -> None:
        """All files of a session; none: it is gone."""
        before = self._sizes.pop(session, {})
        if sizes:
            self._sizes[session] = dict(sizes)
        self.used_bytes += sum(sizes.values()) - sum(before.values())

    def add(self, session: str, name: str, size: int) -> None:
        """A file is there."""
        known = self._sizes.setdefault(session, {})
        self.used_bytes += size - known.get(name, 0)
        known[name] = size

    def remove(self, session: str, name: str) -> int:
        """A file is gone; gives how much it took."""
        size = self._sizes.get(session, {}).pop(name, 0)
        self.used_bytes -= size
        return size

    def short(self) -> Reason | None:
        """What there is too little room for another page on, if it is so. Raises StorageFailed."""
        free, total = self._store.room()
        if free <= min(self._reserve_bytes, total // RESERVE_SHARE):
            return "disk"
        return "limit" if self.limit_bytes and self.used_bytes >= self.limit_bytes else None
