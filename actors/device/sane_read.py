"""One image out of SANE's frames: without it, padding, passes and depths would reach the pages."""

import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from actors.device.driver import Header, Sink, Writer
from schemas.errors import DriverFailed
from schemas.page import Color

CHUNK_BYTES = 1 << 18
_PASSES = ("red", "green", "blue")
_NOT_READY_S = 0.01


class Frame(Struct, frozen=True, kw_only=True):
    """What SANE announces of a frame that was started."""

    format: str
    """`gray`, `color`, or one of three passes: `red`, `green`, `blue`."""
    last: bool
    width_px: int
    height_px: int
    """-1 where only the end tells."""
    depth_bits: int
    line_bytes: Annotated[int, Meta(ge=0, le=1 << 26)]
    """At least what the pixels need; the rest is padding."""


class Frames(Protocol):
    """A device that was started."""

    def start(self) -> None:
        """Begin the next frame."""

    def frame(self) -> Frame:
        """What is known of the frame that was begun."""

    def read(self, into: memoryview) -> int | None:
        """Read at most `len(into)` bytes: how many came, 0 for none yet, None at the end. Raises DeviceError."""


def read_image(device: Frames, sink: Sink, *, resolution_dpi: int, back: bool = False) -> None:
    """Read the image that the device was started for into `sink`.

    Raises DriverFailed when fewer or more lines come than were announced, whatever SANE's status says;
    and what the device or the sink raises.
    """
    frame = device.frame()
    if frame.format not in ("gray", "color", *_PASSES) or frame.depth_bits not in (1, 8, 16) or frame.width_px <= 0:
        raise DriverFailed(
            f"The scanner's driver announced an image that cannot be read ({frame.format}, {frame.depth_bits} bits, "
            f"{frame.width_px} pixels wide). Choose another color, then press Scan."
        )
    if frame.format != "gray":
        color = Color.COLOR
    else:
        color = Color.MONO if frame.depth_bits == 1 else Color.GRAY
    header = Header(
        width_px=frame.width_px,
        height_px=frame.height_px if frame.height_px >= 0 else -1,
        color=color,
        resolution_dpi=resolution_dpi,
        back=back,
    )
    with sink.image(header) as writer:
        if frame.format in _PASSES:
            _read_passes(device, frame, sink, writer)
        else:
            for lines in _lines(device, frame, sink):
                writer.write(lines)


def _read_passes(device: Frames, frame: Frame, sink: Sink, writer: Writer) -> None:
    """Three frames, one for each color, in any order."""
    planes: dict[str, bytearray] = {}
    first = frame
    while True:
        if frame.format not in _PASSES or frame.format in planes or frame.width_px != first.width_px:
            raise DriverFailed(f"The scanner's driver sent a {frame.format} frame where another color was due.")
        plane = planes[frame.format] = bytearray()
        for lines in _lines(device, frame, sink):
            plane += lines
            sink.wait(0)
        if len(planes) == len(_PASSES):
            break
        device.start()
        frame = device.frame()
    if len({len(plane) for plane in planes.values()}) != 1:
        raise DriverFailed("The scanner's three passes are not equally long: part of the image is missing.")
    for begin in range(0, len(plane), CHUNK_BYTES):
        bands = [planes[name][begin : begin + CHUNK_BYTES] for name in _PASSES]
        writer.write(_interleaved(*bands))


def _lines(device: Frames, frame: Frame, sink: Sink) -> Iterator[memoryview | bytes | bytearray]:
    """The frame as pieces of whole lines, as pages have them; each is good until the next is asked for."""
    convert, pixel_bytes = _conversion(frame)
    if frame.line_bytes < pixel_bytes:
        raise DriverFailed(f"The scanner's driver announced lines of {frame.line_bytes} bytes for {pixel_bytes}.")
    count = 0
    for block in _whole_lines(device, frame.line_bytes, sink):
        count += len(block) // frame.line_bytes
        if 0 <= frame.height_px < count:
            break
        if frame.line_bytes > pixel_bytes:
            begins = range(0, len(block), frame.line_bytes)
            yield convert(memoryview(b"".join([block[begin : begin + pixel_bytes] for begin in begins])))
        else:
            yield convert(block)
    if count == 0 or 0 <= frame.height_px != count:
        announced = f"{frame.height_px} lines" if frame.height_px >= 0 else "an image"
        sent = "more" if count > frame.height_px >= 0 else f"only {count}" if count else "nothing"
        raise DriverFailed(f"The scanner announced {announced} and sent {sent}. Press Scan again.")


def _whole_lines(device: Frames, line_bytes: int, sink: Sink) -> Iterator[memoryview]:
    """What comes, at most one buffer of whole lines at a time, as soon as there is one."""
    view = memoryview(bytearray(max(1, CHUNK_BYTES // line_bytes) * line_bytes))
    filled = 0
    while (came := device.read(view[filled:])) is not None:
        if came == 0:
            sink.wait(_NOT_READY_S)
        filled += came
        rest = filled % line_bytes
        if filled > rest:
            yield view[: filled - rest]
            view[:rest] = view[filled - rest : filled]
            filled = rest
    if filled:
        raise DriverFailed("The scanner's driver ended the image in the middle of a line. Press Scan again.")


def _conversion(frame: Frame) -> tuple[Callable[[memoryview], memoryview | bytes | bytearray], int]:
    """How lines become those of a page, and how many bytes of a line are pixels."""
    samples = 3 if frame.format == "color" else 1
    if frame.depth_bits == 8:
        return (lambda lines: lines), frame.width_px * samples
    if frame.depth_bits == 16:
        high = 1 if sys.byteorder == "little" else 0
        return (lambda lines: bytes(lines)[high::2]), frame.width_px * samples * 2
    packed_bytes = (frame.width_px + 7) // 8
    if frame.format == "gray":
        return (lambda lines: lines), packed_bytes
    width_px = frame.width_px

    def expanded(lines: memoryview) -> bytes:
        """Eight pixels stand in one byte of each color, and unlike in gray a 1 is bright."""
        content, line_bytes = bytes(lines), packed_bytes * samples
        out = []
        for begin in range(0, len(content), line_bytes):
            line = content[begin : begin + line_bytes]
            bands = [b"".join([_BITS[byte] for byte in line[band::samples]])[:width_px] for band in range(samples)]
            out.append(_interleaved(*bands) if samples == 3 else bands[0])
        return b"".join(out)

    return expanded, packed_bytes * samples


_BITS = [bytes(255 if byte & 1 << bit else 0 for bit in range(7, -1, -1)) for byte in range(256)]


def _interleaved(red: bytes | bytearray, green: bytes | bytearray, blue: bytes | bytearray) -> bytearray:
    out = bytearray(3 * len(red))
    out[0::3], out[1::3], out[2::3] = red, green, blue
    return out
