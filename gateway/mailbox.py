"""Letters from tasks that write at any time to one that sends: without it, a slow browser would hold up a scanner."""

import asyncio

from gateway.letters import Letter
from gateway.outbox import Outbox


class Mailbox:
    """An `Outbox` that can be waited for."""

    def __init__(self, limit: int) -> None:
        self._outbox = Outbox(limit)
        self._changed = asyncio.Event()
        self._closed = False
        self.overflowed = asyncio.Event()

    def put(self, letter: Letter) -> None:
        """Add a letter; when the reader is too far behind, everything is dropped and `overflowed` is set."""
        if self._closed:
            return
        self._outbox.put(letter)
        if self._outbox.overflowed:
            self._outbox.clear()
            self.overflowed.set()
            self._closed = True
        self._changed.set()

    def close(self) -> None:
        """Nothing follows: `get` gives what is there, then None."""
        self._closed = True
        self._changed.set()

    async def get(self) -> bytes | None:
        """The next letter as JSON, once there is one; None at the end."""
        while (data := self._outbox.take()) is None and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        return data
