"""From a driver's thread to durable pages: without it, reading and keeping would wait for each other."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from time import monotonic

from msgspec.structs import replace
from typing_extensions import Buffer

from actors.device.driver import Header
from actors.device.keeping import PNM, AskRoom, Keeper
from bus.blobs import BlobStore
from schemas.driver import Acquire, AcquirePart, Reading
from schemas.errors import Canceled, DriverFailed

QUEUE_PIECES = 32
"""Pieces between the driver and the disk: enough to even out both, few enough to stay small."""
READING_STEP = 0.02
"""How much more of an image must have been read before it is told: the same letters at any speed."""


class StoreSink:
    """A driver's sink into one session's blob store; `tell` and `ask_room` are called from another thread."""

    def __init__(
        self,
        store: BlobStore,
        session: str,
        acquire: Acquire,
        tell: Callable[[AcquirePart], None],
        ask_room: AskRoom,
    ) -> None:
        self._tell = tell
        self.keeper = Keeper(store, session, acquire, tell, ask_room)
        self._stop = threading.Event()
        self._room = threading.BoundedSemaphore(QUEUE_PIECES)
        self._failed: BaseException | None = None
        """Whatever it was: nothing after it is kept, and the driver hears of it."""
        self._last_sign = monotonic()
        self._thread = ThreadPoolExecutor(1, "keep")

    @property
    def last_sign(self) -> float:
        """When the driver last did something; while it waits for room, it is not to blame."""
        return inf if self.keeper.waits else self._last_sign

    def stop(self) -> None:
        """Make the driver's next call raise Canceled."""
        self._stop.set()
        self.keeper.stop()

    def finish(self) -> None:
        """Wait until everything handed over is durable. Raises StorageFull, StorageFailed, and whatever else kept a
        page from it.
        """
        self._hand_over(self.keeper.finish)
        self._thread.shutdown()
        # Not earlier: until now the keeping thread may still have been writing.
        self.keeper.close()
        if self._failed is not None:
            raise self._failed

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Canceled at once when the scan shall stop."""
        self._last_sign = monotonic() + seconds
        if self._stop.wait(seconds):
            raise Canceled()

    @contextmanager
    def image(self, header: Header) -> Iterator["_Counted"]:
        """Begin an image; see `driver.Sink`."""
        writer = _Counted(self, header)
        yield writer
        writer.close()

    def submit(self, work: Callable[[], None]) -> None:
        """Have something done by the keeping thread, in order. Raises Canceled, StorageFull, StorageFailed."""
        self._last_sign = monotonic()
        if self._failed is not None:
            raise self._failed
        if self._stop.is_set():
            raise Canceled()
        self._hand_over(work)
        self._last_sign = monotonic()

    def tell_reading(self, fraction: float) -> None:
        """Say how much has been read, after what was handed over before."""
        self.submit(lambda: self._tell(Reading(fraction=round(fraction, 3))))

    def _hand_over(self, work: Callable[[], None]) -> None:
        self._room.acquire()
        self._thread.submit(self._do, work).add_done_callback(self._done)

    def _do(self, work: Callable[[], None]) -> None:
        if self._failed is None:
            work()

    def _done(self, end: Future[None]) -> None:
        self._failed = self._failed or end.exception()
        self._room.release()


class NoSink:
    """A sink that keeps nothing: for those who want to know only how a device answers."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.pages = 0
        self.last_sign = monotonic()
        """When the driver last did something."""

    def stop(self) -> None:
        """Make the driver's next call raise Canceled."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Canceled at once when the scan shall stop."""
        self.last_sign = monotonic() + seconds
        if self._stop.wait(seconds):
            raise Canceled()

    @contextmanager
    def image(self, header: Header) -> Iterator["NoSink"]:
        """Begin an image."""
        self.wait(0)
        yield self
        self.pages += 1

    def write(self, data: Buffer) -> None:
        """Forget the bytes."""
        self.wait(0)


class _Counted:
    """One image on its way to the store; its bytes are counted against what the header announced."""

    def __init__(self, sink: StoreSink, header: Header) -> None:
        self._sink = sink
        self._header = header
        self._raw = header.media_type == PNM
        self._expected = header.line_bytes * header.height_px if self._raw and header.height_px >= 0 else -1
        self._size = 0
        self._told = -1.0
        sink.submit(lambda: sink.keeper.begin(header))

    def write(self, data: Buffer) -> None:
        """Take more bytes; they are copied, so that the driver can use its buffer again."""
        piece = bytes(data)
        self._size += len(piece)
        if 0 <= self._expected < self._size:
            raise self._mismatch()
        self._sink.submit(lambda: self._sink.keeper.write(piece))
        fraction = self._size / self._expected if self._expected > 0 else 0.0
        if fraction >= self._told + READING_STEP:
            self._told = fraction
            self._sink.tell_reading(fraction if self._expected > 0 else -1.0)

    def close(self) -> None:
        """Hand the image over. Raises DriverFailed where bytes are missing."""
        header = self._header
        if self._raw and self._expected < 0:
            lines, rest = divmod(self._size, header.line_bytes)
            if rest or not lines:
                raise DriverFailed("The scanner stopped in the middle of a line. The page was not kept: scan it again.")
            header = replace(header, height_px=lines)
            self._sink.tell_reading(1.0)
        elif self._size == 0 or (self._raw and self._size != self._expected):
            raise self._mismatch()
        self._sink.submit(lambda: self._sink.keeper.commit(header))

    def _mismatch(self) -> DriverFailed:
        return DriverFailed(
            f"The scanner announced a page of {self._expected} bytes and sent {self._size}. "
            "The page was not kept: put it back and press Scan."
        )
