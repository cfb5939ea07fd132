"""Frames of every kind become whole images, or an error that says what is missing."""

import sys

import pytest

from actors.device.check import MemorySink
from actors.device.driver import Header
from actors.device.sane_read import Frame, read_image
from schemas.errors import Canceled, DriverFailed, PaperJam
from schemas.page import Color


class Tape:
    """Plays frames, each with its bytes, in pieces of at most `piece` bytes."""

    def __init__(self, *frames: tuple[Frame, bytes], piece: int = 1 << 20, fails: bool = False) -> None:
        self._frames = list(frames)
        self._piece = piece
        self._fails = fails
        self._place = 0
        self._pauses = 1

    def start(self) -> None:
        self._frames.pop(0)
        self._place = 0

    def frame(self) -> Frame:
        return self._frames[0][0]

    def read(self, into: memoryview) -> int | None:
        content = self._frames[0][1]
        piece = content[self._place : self._place + min(self._piece, len(into))]
        if not piece and self._fails:
            raise PaperJam
        if not piece:
            return None
        if self._pauses:
            self._pauses -= 1
            return 0
        into[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def frame(kind: str, width_px: int, height_px: int, depth_bits: int, line_bytes: int) -> Frame:
    return Frame(
        format=kind, last=True, width_px=width_px, height_px=height_px, depth_bits=depth_bits, line_bytes=line_bytes
    )


def image(*frames: tuple[Frame, bytes], piece: int = 1 << 20) -> tuple[Header, bytes]:
    sink = MemorySink()
    read_image(Tape(*frames, piece=piece), sink, resolution_dpi=300)
    [only] = sink.images
    return only


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_padding_is_dropped_wherever_a_piece_ends(piece: int) -> None:
    lines = [bytes([line] * 6) for line in range(40)]
    header, content = image((frame("color", 2, 40, 8, 9), b"".join(line + b"\xaa" * 3 for line in lines)), piece=piece)
    assert content == b"".join(lines)
    assert (header.color, header.width_px, header.height_px) == (Color.COLOR, 2, 40)


def test_mono_bits_stay_as_they_are() -> None:
    header, content = image((frame("gray", 10, 2, 1, 4), b"\xf0\x40\0\0\x0f\x80\0\0"))
    assert (header.color, content) == (Color.MONO, b"\xf0\x40\x0f\x80")


def test_one_bit_of_color_is_all_or_nothing_of_each_band() -> None:
    red, green, blue = b"\x80\x00", b"\x40\x00", b"\x00\x80"
    line = bytes(band[byte] for byte in range(2) for band in (red, green, blue))
    _, content = image((frame("color", 9, 1, 1, 6), line))
    black = b"\0\0\0"
    assert content == b"\xff\0\0" + b"\0\xff\0" + black * 6 + b"\0\0\xff"


def test_sixteen_bits_keep_their_high_byte() -> None:
    samples = b"".join(value.to_bytes(2, sys.byteorder) for value in (0x12FF, 0x3400))
    assert image((frame("gray", 2, 1, 16, 6), samples + b"\xee\xee"))[1] == b"\x12\x34"


@pytest.mark.parametrize("order", ["red green blue", "blue red green"])
@pytest.mark.parametrize("height_px", [2, -1])
def test_passes_are_put_together_in_any_order(order: str, height_px: int) -> None:
    planes = {
        "red": b"\x01\x02\xaa\x03\x04\xaa",
        "green": b"\x11\x12\xaa\x13\x14\xaa",
        "blue": b"\x21\x22\xaa\x23\x24\xaa",
    }
    header, content = image(*[(frame(name, 2, height_px, 8, 3), planes[name]) for name in order.split()])
    assert content == b"\x01\x11\x21\x02\x12\x22\x03\x13\x23\x04\x14\x24"
    assert (header.color, header.height_px) == (Color.COLOR, height_px)


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([(frame("gray", 4, 3, 8, 4), b"12341234")], "announced 3 lines and sent only 2"),
        ([(frame("gray", 4, 1, 8, 4), b"12341234")], "announced 1 lines and sent more"),
        ([(frame("gray", 4, 3, 8, 4), b"")], "announced 3 lines and sent nothing"),
        ([(frame("gray", 4, -1, 8, 4), b"")], "announced an image and sent nothing"),
        ([(frame("gray", 4, -1, 8, 4), b"123412")], "in the middle of a line"),
        ([(frame("gray", 4, 1, 8, 3), b"123")], "lines of 3 bytes for 4"),
        ([(frame("gray", 0, 1, 8, 0), b"")], "0 pixels wide"),
        ([(frame("jpeg", 4, 1, 8, 4), b"1234")], "jpeg"),
        (
            [(frame("red", 4, 1, 8, 4), b"1234"), (frame("green", 4, 1, 8, 4), b"")],
            "announced 1 lines and sent nothing",
        ),
        ([(frame("red", 4, 1, 8, 4), b"1234")] * 2, "red frame where another"),
        (
            [
                (frame("red", 1, -1, 8, 1), b"11"),
                (frame("green", 1, -1, 8, 1), b"1"),
                (frame("blue", 1, -1, 8, 1), b"1"),
            ],
            "not equally long",
        ),
    ],
    ids=str,
)
def test_what_is_not_whole_is_no_page(frames: list[tuple[Frame, bytes]], text: str) -> None:
    sink = MemorySink()
    with pytest.raises(DriverFailed, match=text):
        read_image(Tape(*frames), sink, resolution_dpi=300)
    assert not sink.images


def test_a_device_that_never_ends_is_left_after_what_it_announced() -> None:
    tape = Tape((frame("gray", 4, 2, 8, 4), b"1234" * 1000), piece=4)
    with pytest.raises(DriverFailed, match="announced 2 lines and sent more"):
        read_image(tape, MemorySink(), resolution_dpi=300)
    assert tape._place == 3 * 4


def test_an_error_in_the_middle_of_a_page_is_told_and_the_page_is_not_kept() -> None:
    sink = MemorySink()
    with pytest.raises(PaperJam):
        read_image(Tape((frame("gray", 4, 3, 8, 4), b"12341234"), fails=True), sink, resolution_dpi=300)
    assert not sink.images


def test_a_stop_is_heard_between_the_passes() -> None:
    sink = MemorySink()
    passes = [(frame(name, 4, 1, 8, 4), b"1234") for name in ("red", "green", "blue")]
    tape = Tape(*passes)

    def start_and_stop() -> None:
        Tape.start(tape)
        sink.stop()

    tape.start = start_and_stop  # type: ignore[method-assign]
    with pytest.raises(Canceled):
        read_image(tape, sink, resolution_dpi=300)
    assert len(tape._frames) == 2
