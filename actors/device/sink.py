"""From a driver's thread to durable pages: without it, reading and keeping would wait for each other."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from typing_extensions import Buffer

from actors.device.driver import Header
from bus.blobs import BlobStore, BlobWriter
from schemas.errors import Canceled, DriverFailed, ScanbusError
from schemas.page import Color, Image

PNM = "image/x-portable-anymap"
QUEUE_PIECES = 32
"""Pieces between the driver and the disk: enough to even out both, few enough to stay small."""
READING_STEP = 0.02
"""How much more of an image must have been read before it is told: the same letters at any speed."""
_MAGIC = {Color.COLOR: ("P6", "\n255"), Color.GRAY: ("P5", "\n255"), Color.MONO: ("P4", "")}


class StoreSink:
    """A driver's sink into one session's blob store; `on_image` and `on_reading` are called from other threads."""

    def __init__(
        self,
        store: BlobStore,
        session: str,
        on_image: Callable[[Image], None],
        on_reading: Callable[[float], None],
    ) -> None:
        self._store = store
        self._session = session
        self._on_image = on_image
        self._on_reading = on_reading
        self._stop = threading.Event()
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue(QUEUE_PIECES)
        self._unfinished: set[BlobWriter] = set()
        self._failed: ScanbusError | None = None
        self.last_sign = monotonic()
        """When the driver last did something."""
        self._thread = threading.Thread(target=self._keep, name="keep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make the driver's next call raise Canceled."""
        self._stop.set()

    def finish(self) -> None:
        """Wait until everything handed over is durable. Raises StorageFull, StorageFailed."""
        self._work.put(None)
        self._thread.join()
        # Not earlier: until now the keeping thread may still have been writing to them.
        for writer in self._unfinished:
            writer.__exit__(Canceled, Canceled(), None)
        if self._failed is not None:
            raise self._failed

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Canceled at once when the scan shall stop."""
        self.last_sign = monotonic() + seconds
        if self._stop.wait(seconds):
            raise Canceled()

    @contextmanager
    def image(self, header: Header) -> Iterator["_Counted"]:
        """Begin an image; see `driver.Sink`."""
        self._check()
        writer = _Late(self, header) if header.height_px < 0 else _Counted(self, header)
        yield writer
        writer.close()

    def submit(self, work: Callable[[], None]) -> None:
        """Have something done by the keeping thread, in order. Raises Canceled, StorageFull, StorageFailed."""
        self._check()
        self._work.put(work)

    def begin(self, media_type: str) -> BlobWriter:
        """Begin a blob of this session, which `commit` or `finish` ends."""
        writer = self._store.writer(self._session, media_type)
        self._unfinished.add(writer)
        return writer

    def commit(self, writer: BlobWriter, header: Header) -> None:
        """Make an image durable and tell of it."""
        writer.__exit__(None, None, None)
        self._unfinished.discard(writer)
        self._on_image(
            Image(
                blob=writer.blob,
                width_px=header.width_px,
                height_px=header.height_px,
                resolution_dpi=header.resolution_dpi,
                color=header.color,
                back=header.back,
            )
        )

    def tell_reading(self, fraction: float) -> None:
        """Say how much has been read, after what was handed over before."""
        self.submit(lambda: self._on_reading(fraction))

    def _check(self) -> None:
        self.last_sign = monotonic()
        if self._failed is not None:
            raise self._failed
        if self._stop.is_set():
            raise Canceled()

    def _keep(self) -> None:
        while (work := self._work.get()) is not None:
            if self._failed is None:
                try:
                    work()
                except ScanbusError as error:
                    self._failed = error


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
        self._expected = header.line_bytes * header.height_px if self._raw else -1
        self._size = 0
        self._told = -1.0
        self._writer = sink.begin(header.media_type)
        if self._raw:
            magic, depth = _MAGIC[header.color]
            head = f"{magic}\n{header.width_px} {header.height_px}{depth}\n".encode()
            sink.submit(lambda: self._writer.write(head))

    def write(self, data: Buffer) -> None:
        """Take more bytes; they are copied, so that the driver can use its buffer again."""
        piece = bytes(data)
        self._size += len(piece)
        if self._raw and self._size > self._expected:
            raise self._mismatch()
        self._sink.submit(lambda: self._writer.write(piece))
        fraction = self._size / self._expected if self._raw else 0.0
        if fraction >= self._told + READING_STEP:
            self._told = fraction
            self._sink.tell_reading(fraction if self._raw else -1.0)

    def close(self) -> None:
        """Hand the image over. Raises DriverFailed where bytes are missing."""
        if self._size == 0 or (self._raw and self._size != self._expected):
            raise self._mismatch()
        self._sink.submit(lambda: self._sink.commit(self._writer, self._header))

    def _mismatch(self) -> DriverFailed:
        return DriverFailed(
            f"The scanner announced a page of {self._expected} bytes and sent {self._size}. "
            "The page was not kept: put it back and press Scan."
        )


class _Late(_Counted):
    """An image whose height only its end tells; it waits in memory until then."""

    def __init__(self, sink: StoreSink, header: Header) -> None:
        self._sink = sink
        self._header = header
        self._lines = bytearray()

    def write(self, data: Buffer) -> None:
        """Take more bytes."""
        self._sink.submit(lambda: None)
        if not self._lines:
            self._sink.tell_reading(-1.0)
        self._lines += memoryview(data)

    def close(self) -> None:
        """Hand the image over. Raises DriverFailed where it ends within a line."""
        height_px, rest = divmod(len(self._lines), self._header.line_bytes)
        if rest or not height_px:
            raise DriverFailed("The scanner stopped in the middle of a line. The page was not kept: scan it again.")
        with self._sink.image(_with_height(self._header, height_px)) as writer:
            writer.write(self._lines)


def _with_height(header: Header, height_px: int) -> Header:
    return Header(
        width_px=header.width_px,
        height_px=height_px,
        color=header.color,
        resolution_dpi=header.resolution_dpi,
        back=header.back,
        media_type=header.media_type,
    )
