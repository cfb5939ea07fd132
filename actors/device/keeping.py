"""What becomes of an image on its way to the disk: without it, a page would not know whose it is after a crash."""

import queue
import shutil
from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec import Struct

from actors.device.driver import Header
from actors.device.likeness import likeness
from actors.device.overlap import Overlap, Repeat, expected
from actors.device.picture import Picture, shrunk
from bus.blobs import BlobStore
from bus.vault import BlobWriter
from schemas.driver import Acquire, AcquirePart, Arrived, KeptPage, Repeats, Stalled
from schemas.errors import Canceled, Damaged, NotFound, ScanbusError, StorageFull
from schemas.message import Blob
from schemas.page import Color, Image, PageLabel, Source

PNM = "image/x-portable-anymap"
SOON_S = 0.5
"""How long the answer that there is room may take before somebody is told that a scan waits."""
_MAGIC = {Color.COLOR: ("P6", "\n255"), Color.GRAY: ("P5", "\n255"), Color.MONO: ("P4", "")}


Answer = Callable[[ScanbusError | None], None]
AskRoom = Callable[[bool, Answer], None]
"""Asks the cache whether a page may be written, with True after the system has refused it; answered from anywhere."""


class Draft(Struct, frozen=True):
    """An image that is not a page yet: its lines, or its file as it came, not durable and without a label."""

    blob: Blob
    header: Header


class Keeper:
    """Writes one image after another, as pages of a scan; everything but `stop` is called from one thread.

    After a pause, images are drafts until it is decided whether they repeat pages that are kept already.
    """

    def __init__(
        self,
        store: BlobStore,
        session: str,
        acquire: Acquire,
        tell: Callable[[AcquirePart], None],
        ask_room: AskRoom,
    ) -> None:
        self._store = store
        self._session = session
        self._acquire = acquire
        self._tell = tell
        self._ask_room = ask_room
        self._number = acquire.first_number
        self._writer: BlobWriter | None = None
        self._drafting = False
        self._drafts: list[Draft] = []
        self._drafted = 0
        self._overlap: Overlap[Picture] | None = None
        self._sides = 2 if acquire.settings.source is Source.DUPLEX else 1
        self._last = acquire.first_number - 1
        self._undecided = bool(acquire.kept) and expected(acquire.put_back, self._last, self._sides) != 0
        self._answers: queue.SimpleQueue[ScanbusError | None] = queue.SimpleQueue()
        self._stopped = False
        self.waits = False
        """Whether it waits for room, however long that takes."""

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopped = True
        self._answers.put(None)

    def begin(self, header: Header) -> None:
        """Begin an image. Raises Canceled, NotFound (no such session), StorageFull, StorageFailed."""
        self.abandon()
        self._wait_for_room(refused=False)
        self._drafting = self._undecided or header.height_px < 0
        if self._drafting:
            self._writer = self._draft_writer(header)
        else:
            self._writer = self._page_writer(header)
            self._writer.write(_head(header))

    def write(self, data: bytes) -> None:
        """Take more of its bytes. Raises Canceled, StorageFull, StorageFailed."""
        if self._writer is not None:
            self._writer.write(data)

    def commit(self, header: Header) -> None:
        """Make the image, which `header` describes now that it is whole, a page, and tell of it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.__exit__(None, None, None)
        if not self._drafting:
            self._arrived(writer.blob, header)
            return
        self._drafts.append(Draft(writer.blob, header))
        if self._undecided:
            self._decide(header)
        else:
            self._keep()

    def finish(self) -> None:
        """There are no more images: decide with what there is."""
        if self._overlap is not None:
            self._settle(self._overlap.ended())
        self._undecided = False

    def abandon(self) -> None:
        """Leave nothing of an image that was begun, nor of drafts that nobody will decide upon."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.__exit__(Canceled, Canceled(), None)

    def close(self) -> None:
        """Leave nothing that is not a page."""
        self.abandon()
        while self._drafts:
            self._forget(self._drafts.pop())

    def _decide(self, header: Header) -> None:
        if self._overlap is None:
            seen = {each.number: self._seen(each) for each in self._acquire.kept}
            kept = {number: picture for number, picture in seen.items() if picture is not None}
            self._overlap = Overlap(kept, likeness, self._last, sides=self._sides, put_back=self._acquire.put_back)
        with self._store.open(self._session, self._drafts[-1].blob.name) as file:
            picture = shrunk(file, header)
        self._settle(self._overlap.arrived(picture))
        self._undecided = not self._overlap.decided

    def _settle(self, verdicts: "list[Repeat | int]") -> None:
        for verdict in verdicts:
            if isinstance(verdict, Repeat):
                self._forget(self._drafts.pop(0))
                self._tell(Repeats(number=verdict.number))
            else:
                self._keep(resembles=verdict)

    def _seen(self, kept: KeptPage) -> Picture | None:
        image = kept.image
        header = Header(
            width_px=image.width_px,
            height_px=image.height_px,
            color=image.color,
            resolution_dpi=image.resolution_dpi,
            media_type=image.blob.media_type,
        )
        # One that was removed, or cannot be read, is not compared with.
        with suppress(NotFound, Damaged), self._store.open(self._session, image.blob.name) as file:
            file.read(len(_head(header)))
            return shrunk(file, header)
        return None

    def _keep(self, resembles: int = 0) -> None:
        """Make the oldest draft a page."""
        draft = self._drafts[0]
        try:
            with (
                self._store.open(self._session, draft.blob.name) as file,
                self._page_writer(draft.header) as writer,
            ):
                writer.write(_head(draft.header))
                shutil.copyfileobj(file, writer)
        finally:
            self._forget(self._drafts.pop(0))
        self._arrived(writer.blob, draft.header, resembles)

    def _forget(self, draft: Draft) -> None:
        with suppress(ScanbusError):
            self._store.delete(self._session, draft.blob.name)

    def _arrived(self, blob: Blob, header: Header, resembles: int = 0) -> None:
        image = Image(
            blob=blob,
            width_px=header.width_px,
            height_px=header.height_px,
            resolution_dpi=header.resolution_dpi,
            color=header.color,
            back=header.back,
        )
        self._tell(Arrived(image=image, number=self._number, resembles=resembles))
        self._number += 1

    def _draft_writer(self, header: Header) -> BlobWriter:
        self._drafted += 1
        # Two drafts that are equal have two names.
        label = f"draft {self._drafted}".encode()
        return self._store.writer(
            self._session, header.media_type, durable=False, label=label, wait_for_room=self._wait_for_room
        )

    def _page_writer(self, header: Header) -> BlobWriter:
        label = PageLabel(
            job_id=self._acquire.job_id,
            number=self._number,
            document_id=self._acquire.document_id,
            after_page_id=self._acquire.after_page_id,
            width_px=header.width_px,
            height_px=header.height_px,
            resolution_dpi=header.resolution_dpi,
            color=header.color,
            back=header.back,
        )
        return self._store.writer(
            self._session,
            header.media_type,
            label=msgspec.msgpack.encode(label) if self._acquire.job_id else b"",
            wait_for_room=self._wait_for_room,
        )

    def _wait_for_room(self, refused: bool = True) -> None:
        """Wait until the cache says that there is room. Raises Canceled, StorageFull (nobody says so any more)."""
        if self._stopped and not refused:
            # What was handed over before the stop is kept, where there is room at once.
            return
        self._ask_room(refused, self._answers.put)
        try:
            answer = self._answers.get(timeout=0 if refused else SOON_S)
        except queue.Empty:
            answer = self._wait_for_answer()
        if refused and self._stopped:
            raise Canceled()
        if refused and answer is not None:
            # Nobody says any more when there will be room.
            raise StorageFull()

    def _wait_for_answer(self) -> ScanbusError | None:
        self.waits = True
        self._tell(Stalled(reason=StorageFull().failure()))
        answer = self._answers.get()
        self.waits = False
        self._tell(Stalled())
        if self._stopped:
            raise Canceled()
        return answer


def _head(header: Header) -> bytes:
    """What a picture file begins with, before the lines."""
    if header.media_type != PNM:
        return b""
    magic, depth = _MAGIC[header.color]
    return f"{magic}\n{header.width_px} {header.height_px}{depth}\n".encode()
