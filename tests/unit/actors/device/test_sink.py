"""What a driver hands over is counted, kept in order, and durable before anybody is told."""

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any, Never

import msgspec
import pytest
from msgspec.structs import replace

from actors.device.driver import Header
from actors.device.keeping import Answer
from actors.device.sink import QUEUE_PIECES, StoreSink
from bus.blobs import BlobStore
from schemas.device import Settings
from schemas.driver import Acquire, AcquirePart, Arrived, Reading, Stalled
from schemas.errors import Canceled, DriverFailed, NotFound, ScanbusError, StorageFailed
from schemas.page import Color, Image, PageLabel
from tests.disks import read_only, small_disk

GRAY = Header(width_px=10, height_px=4, color=Color.GRAY, resolution_dpi=100)
JPEG = "image/jpeg"
WAIT_S = 10.0


class Desk:
    """A store with one session, and sinks that put their pages into it."""

    def __init__(self, folder: Path) -> None:
        self.store = BlobStore(folder)
        self.session = secrets.token_hex(16)
        self.store.begin(self.session)
        self.folder = folder / "pages" / self.session
        self.images: list[Image] = []
        self.fractions: list[float] = []
        self.parts: list[AcquirePart] = []
        self.room = True
        self.refused = threading.Event()
        self.stalled = threading.Event()

    def sink(self, **acquire: Any) -> StoreSink:
        return StoreSink(self.store, self.session, Acquire(settings=Settings(), **acquire), self.tell, self.ask_room)

    def tell(self, part: AcquirePart) -> None:
        self.parts.append(part)
        if isinstance(part, Arrived):
            self.images.append(part.image)
        if isinstance(part, Reading):
            self.fractions.append(part.fraction)
        if isinstance(part, Stalled):
            self.stalled.set()

    def ask_room(self, refused: bool, answer: Answer) -> None:
        """Answered at once, unless the system has refused a write, or the test shall answer."""
        self.answer = answer
        if refused:
            self.refused.set()
        elif self.room:
            answer(None)

    def pixels(self) -> list[bytes]:
        return [self.store.read(self.session, image.blob.name) for image in self.images]

    def unfinished(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    open_before = len(os.listdir("/proc/self/fd"))
    yield desk
    assert desk.unfinished() == []
    assert len(os.listdir("/proc/self/fd")) == open_before


def finished(sink: StoreSink, scan: Callable[[StoreSink], None]) -> ScanbusError | None:
    """Scan as a driver host does; the error that it ended with."""
    try:
        try:
            scan(sink)
        finally:
            sink.finish()
    except ScanbusError as error:
        return error
    return None


def put(sink: StoreSink, header: Header, *pieces: bytes) -> None:
    with sink.image(header) as writer:
        for piece in pieces:
            writer.write(piece)


@pytest.mark.parametrize(
    ("color", "content", "head"),
    [
        (Color.COLOR, bytes(range(120)), b"P6\n10 4\n255\n"),
        (Color.GRAY, bytes(range(40)), b"P5\n10 4\n255\n"),
        (Color.MONO, bytes(range(8)), b"P4\n10 4\n"),
    ],
)
def test_an_image_is_kept_as_a_picture_file_whatever_its_pieces(
    desk: Desk, color: Color, content: bytes, head: bytes
) -> None:
    header = Header(width_px=10, height_px=4, color=color, resolution_dpi=300, back=True)
    assert finished(desk.sink(), lambda sink: put(sink, header, content[:7], content[7:], b"")) is None
    (image,) = desk.images
    assert desk.pixels() == [head + content]
    assert (image.width_px, image.height_px, image.resolution_dpi, image.color) == (10, 4, 300, color)
    assert image.back
    assert image.blob.size == len(head + content)


def test_the_buffer_of_a_driver_may_be_used_again_at_once(desk: Desk) -> None:
    def scan(sink: StoreSink) -> None:
        buffer = bytearray(10)
        with sink.image(GRAY) as writer:
            for line in range(4):
                buffer[:] = bytes([line]) * 10
                writer.write(buffer)

    assert finished(desk.sink(), scan) is None
    assert desk.pixels()[0].endswith(b"".join(bytes([line]) * 10 for line in range(4)))


@pytest.mark.parametrize("sizes", [(39,), (41,), (40, 1), (20, 19), ()], ids=str)
def test_an_image_of_another_size_than_announced_is_not_kept(desk: Desk, sizes: tuple[int, ...]) -> None:
    def scan(sink: StoreSink) -> None:
        put(sink, GRAY, bytes(40))
        put(sink, GRAY, *(bytes(size) for size in sizes))

    error = finished(desk.sink(), scan)
    assert isinstance(error, DriverFailed)
    assert "40 bytes" in error.text
    assert len(desk.images) == 1


def test_a_driver_that_sends_without_end_is_stopped_at_the_first_byte_too_many(desk: Desk) -> None:
    def scan(sink: StoreSink) -> None:
        with sink.image(GRAY) as writer:
            writer.write(bytes(40))
            with pytest.raises(DriverFailed):
                writer.write(b"x")
            raise Canceled

    assert isinstance(finished(desk.sink(), scan), Canceled)


def test_a_height_that_only_the_end_tells_is_counted_in_lines(desk: Desk) -> None:
    header = Header(width_px=10, height_px=-1, color=Color.GRAY, resolution_dpi=100)
    assert finished(desk.sink(), lambda sink: put(sink, header, bytes(25), bytes(45))) is None
    assert [image.height_px for image in desk.images] == [7]
    assert desk.pixels() == [b"P5\n10 7\n255\n" + bytes(70)]


@pytest.mark.parametrize("size", [0, 9, 15])
def test_an_image_without_announced_height_that_ends_within_a_line_is_not_kept(desk: Desk, size: int) -> None:
    header = Header(width_px=10, height_px=-1, color=Color.GRAY, resolution_dpi=100)
    assert isinstance(finished(desk.sink(), lambda sink: put(sink, header, bytes(size))), DriverFailed)
    assert desk.images == []


def test_a_jpeg_is_kept_as_it_came(desk: Desk) -> None:
    header = Header(width_px=10, height_px=4, color=Color.COLOR, resolution_dpi=100, media_type=JPEG)
    assert finished(desk.sink(), lambda sink: put(sink, header, b"\xff\xd8 as", b" delivered")) is None
    assert desk.pixels() == [b"\xff\xd8 as delivered"]
    assert desk.images[0].blob.media_type == JPEG
    assert isinstance(finished(desk.sink(), lambda sink: put(sink, header)), DriverFailed)


def test_images_arrive_in_order_and_each_is_readable_when_it_is_told(desk: Desk) -> None:
    seen: list[bytes] = []

    def tell(part: AcquirePart) -> None:
        if isinstance(part, Arrived):
            seen.append(desk.store.read(desk.session, part.image.blob.name)[-1:])

    desk.tell = tell  # type: ignore[method-assign]
    sink = desk.sink()
    for number in range(20):
        put(sink, GRAY, bytes([number]) * 40)
    sink.finish()
    assert seen == [bytes([number]) for number in range(20)]


def test_every_call_of_a_driver_that_shall_stop_raises_canceled(desk: Desk) -> None:
    def begin(sink: StoreSink) -> None:
        sink.stop()
        put(sink, GRAY, bytes(40))

    def write(sink: StoreSink) -> None:
        with sink.image(GRAY) as writer:
            sink.stop()
            writer.write(bytes(40))

    def leave(sink: StoreSink) -> None:
        with sink.image(GRAY) as writer:
            writer.write(bytes(40))
            sink.stop()

    def wait(sink: StoreSink) -> None:
        sink.stop()
        sink.wait(3600)

    for scan in (begin, write, leave, wait):
        assert isinstance(finished(desk.sink(), scan), Canceled), scan.__name__
    assert desk.images == []


def test_a_stop_keeps_what_was_handed_over_before(desk: Desk) -> None:
    def scan(sink: StoreSink) -> None:
        put(sink, GRAY, bytes(40))
        with sink.image(GRAY) as writer:
            writer.write(bytes(20))
            sink.stop()
            writer.write(bytes(20))

    assert isinstance(finished(desk.sink(), scan), Canceled)
    assert len(desk.pixels()) == 1


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_image_given_up_with_much_on_its_way_leaves_nothing(desk: Desk) -> None:
    """The pieces cannot be compressed, so that they are still being written when the driver fails."""
    header = Header(width_px=1 << 20, height_px=QUEUE_PIECES, color=Color.GRAY, resolution_dpi=600)
    piece = secrets.token_bytes(1 << 20)

    def scan(sink: StoreSink) -> None:
        put(sink, GRAY, bytes(40))
        with sink.image(header) as writer:
            for _ in range(QUEUE_PIECES - 1):
                writer.write(piece)
            raise DriverFailed

    assert isinstance(finished(desk.sink(), scan), DriverFailed)
    assert len(desk.pixels()) == 1


def test_progress_counts_up_to_the_whole_page(desk: Desk) -> None:
    assert finished(desk.sink(), lambda sink: put(sink, GRAY, bytes(10), bytes(30))) is None
    assert desk.fractions == [0.25, 1.0]
    desk.fractions.clear()
    header = Header(width_px=10, height_px=-1, color=Color.GRAY, resolution_dpi=100)
    assert finished(desk.sink(), lambda sink: put(sink, header, bytes(40))) is None
    assert desk.fractions == [-1.0, 1.0]


NOISE = secrets.token_bytes(1 << 20)
LONG_LINE = Header(width_px=1 << 20, height_px=1, color=Color.GRAY, resolution_dpi=600)


def six_long_lines(sink: StoreSink) -> None:
    for number in range(6):
        put(sink, LONG_LINE, bytes([number]) + NOISE[1:])


def test_on_a_full_disk_a_page_waits_for_room_and_none_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_kb=4096) as folder:
        desk = Desk(folder)
        sink = desk.sink()
        scan = ThreadPoolExecutor(1).submit(finished, sink, six_long_lines)
        read = 0
        while not scan.done():
            if desk.refused.wait(0.05):
                assert sink.last_sign == inf
                assert isinstance(desk.parts[-1], Stalled)
                assert desk.parts[-1].reason is not None
                assert desk.parts[-1].reason.code == "storage_full"
                # Somebody saves what there is elsewhere, and deletes it.
                for image in desk.images[read:]:
                    assert desk.store.read(desk.session, image.blob.name).endswith(NOISE[1:])
                    desk.store.delete(desk.session, image.blob.name)
                assert read < len(desk.images)
                read = len(desk.images)
                desk.refused.clear()
                desk.answer(None)
        assert scan.result() is None
        assert [part.number for part in desk.parts if isinstance(part, Arrived)] == [1, 2, 3, 4, 5, 6]
        assert read > 0
        assert desk.unfinished() == []


def test_a_stop_is_heard_while_there_is_no_room(desk: Desk) -> None:
    desk.room = False
    sink = desk.sink()
    scan = ThreadPoolExecutor(1).submit(finished, sink, six_long_lines)
    assert desk.stalled.wait(WAIT_S)
    assert sink.last_sign == inf
    sink.stop()
    assert isinstance(scan.result(WAIT_S), Canceled)
    assert desk.images == []


def test_every_page_says_on_disk_whose_it_is(desk: Desk) -> None:
    sink = desk.sink(job_id="job", first_number=7, document_id="document", after_page_id="page")
    header = replace(GRAY, back=True)
    assert finished(sink, lambda sink: [put(sink, header, bytes([each]) * 40) for each in (1, 2)]) is None  # type: ignore[arg-type, return-value]
    labels = [
        msgspec.msgpack.decode(desk.store.label(desk.session, each.blob.name), type=PageLabel) for each in desk.images
    ]
    assert labels == [
        PageLabel(
            job_id="job",
            number=number,
            document_id="document",
            after_page_id="page",
            width_px=10,
            height_px=4,
            resolution_dpi=100,
            color=Color.GRAY,
            back=True,
        )
        for number in (7, 8)
    ]


def test_a_folder_that_cannot_be_written_fails_the_page_and_keeps_the_ones_before(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert finished(desk.sink(), lambda sink: put(sink, GRAY, bytes(40))) is None
    with read_only(tmp_path):
        assert isinstance(finished(desk.sink(), lambda sink: put(sink, GRAY, bytes(40))), StorageFailed)
        assert len(desk.pixels()) == 1
    assert finished(desk.sink(), lambda sink: put(sink, GRAY, bytes(40))) is None
    assert len(desk.images) == 2


class Broken(BlobStore):
    """A store with a bug."""

    def writer(self, *arguments: Any, **options: Any) -> Never:
        """Begin no blob."""
        raise RuntimeError("bug")


@pytest.mark.parametrize("pieces", [1, 2 * QUEUE_PIECES])
def test_a_bug_that_keeps_a_page_from_the_disk_is_no_success_however_much_follows(desk: Desk, pieces: int) -> None:
    desk.store = Broken(desk.store.folder)
    with pytest.raises(RuntimeError, match="bug"):
        finished(desk.sink(), lambda sink: put(sink, replace(GRAY, height_px=10 * pieces), *[bytes(100)] * pieces))
    assert desk.images == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("ended_after", [0, 40])
def test_a_session_that_ends_during_a_page_is_no_success(tmp_path: Path, ended_after: int) -> None:
    desk = Desk(tmp_path)

    def scan(sink: StoreSink) -> None:
        with sink.image(GRAY) as writer:
            writer.write(bytes(ended_after))
            desk.store.end(desk.session)
            writer.write(bytes(40 - ended_after))

    assert isinstance(finished(desk.sink(), scan), NotFound)
    assert isinstance(finished(desk.sink(), lambda sink: put(sink, GRAY, bytes(40))), NotFound)
    assert desk.images == []
