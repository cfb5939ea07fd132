"""What waits for a slow browser: without it, one sleeping tab would fill the memory."""

from collections import OrderedDict, deque

from gateway.letters import Letter
from schemas.envelope import Kind
from schemas.message import tag_of

OVERFLOW_FACTOR = 4
LIMIT_BYTES = 64 << 20


class Outbox:
    """Encoded letters in order: progress is merged, events are dropped when it is full, all else is kept.

    `limit` counts letters; replies and other parts are never dropped, so it may hold more, until `overflowed`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._waiting: OrderedDict[int, bytes] = OrderedDict()
        self._progress: dict[tuple[str, str], int] = {}
        self._events: deque[int] = deque()
        self._size_bytes = 0
        self.missed_events = 0
        """How many were dropped since the beginning."""

    def put(self, letter: Letter) -> None:
        """Add a letter. A waiting progress of the same request gives way; when full, the oldest events do."""
        self._count += 1
        tag = tag_of(letter.body)
        if letter.kind is Kind.PART and tag.endswith(".progress"):
            self._drop(self._progress.pop((letter.re, tag), 0))
            self._progress[letter.re, tag] = self._count
        elif letter.kind is Kind.EVENT:
            self._events.append(self._count)
        data = letter.encode()
        self._waiting[self._count] = data
        self._size_bytes += len(data)
        while len(self._waiting) > self._limit and self._events:
            self.missed_events += self._drop(self._events.popleft())

    def take(self) -> bytes | None:
        """Remove the next letter, as JSON; None when nothing waits."""
        if not self._waiting:
            self._progress.clear()
            return None
        key, data = self._waiting.popitem(last=False)
        if self._events and self._events[0] == key:
            self._events.popleft()
        self._size_bytes -= len(data)
        return data

    def clear(self) -> None:
        """Drop everything: nobody will read it."""
        self._waiting.clear()
        self._events.clear()
        self._size_bytes = 0

    @property
    def overflowed(self) -> bool:
        """Whether so much waits that the browser has to be given up."""
        return len(self._waiting) > OVERFLOW_FACTOR * self._limit or self._size_bytes > LIMIT_BYTES

    def _drop(self, key: int) -> int:
        data = self._waiting.pop(key, None)
        self._size_bytes -= len(data or b"")
        return int(data is not None)
