"""Pictures of pages, made strip by strip: without it, every thumbnail would need the whole page in memory."""

import math
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import PIL.Image
from PIL.Image import Resampling, Transpose

from schemas.errors import DriverFailed
from schemas.page import Color, Degrees, Image

# The announced size is checked instead: Pillow only warns, and a big scan is no bomb.
PIL.Image.MAX_IMAGE_PIXELS = None
STRIP_PX = 1 << 18
"""How large a strip is, about."""
SPARE = 2.0
"""How much larger than wanted a picture stays while it is made smaller by whole numbers, which is fast."""
HEAD_BYTES = 64
_HEADS = {
    Color.COLOR: re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s"),
    Color.GRAY: re.compile(rb"P5\s+(\d+)\s+(\d+)\s+255\s"),
    Color.MONO: re.compile(rb"P4\s+(\d+)\s+(\d+)\s"),
}
_TURNS = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}


class Strips(NamedTuple):
    """A picture from top to bottom; what the last lines and columns hold beyond its size does not count."""

    width: float
    height: float
    each: Iterator[PIL.Image.Image]


def whole(file: BinaryIO, image: Image, degrees: Degrees) -> PIL.Image.Image:
    """Every pixel of a page, turned. Raises DriverFailed where it is not what was announced, and what reading does."""
    size = image.width_px, image.height_px
    return _joined(_opened(file, image, size).each, size, degrees)


def smaller(file: BinaryIO, image: Image, size: tuple[int, int], degrees: Degrees) -> PIL.Image.Image:
    """A page made smaller to `size`, then turned; what is mono becomes gray. Raises what `whole` raises."""
    enough = math.ceil(SPARE * size[0]), math.ceil(SPARE * size[1])
    return _joined(_resized(_reduced(_opened(file, image, enough), enough), size), size, degrees)


def _opened(file: BinaryIO, image: Image, enough: tuple[int, int]) -> Strips:
    """The page, at least as large as `enough`, in strips that can be reduced to it."""
    if image.blob.media_type == "image/jpeg":
        page = _jpeg(file, image, enough)
        return Strips(*page.size, iter((page,)))
    times = _times(image.height_px, enough[1])
    lines = max(1, STRIP_PX // image.width_px // times) * times
    return Strips(image.width_px, image.height_px, _raw(file, image, lines))


def _jpeg(file: BinaryIO, image: Image, enough: tuple[int, int]) -> PIL.Image.Image:
    try:
        page = PIL.Image.open(file, formats=("JPEG",))
        if page.size != (image.width_px, image.height_px):
            raise _other_size()
        page.draft(None, enough)
        page.load()
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DriverFailed("The scanner sent a page that cannot be read. Scan it again.") from error
    if page.mode in ("L", "RGB"):
        return page
    return page.convert("L" if image.color is Color.GRAY else "RGB")


def _raw(file: BinaryIO, image: Image, lines: int) -> Iterator[PIL.Image.Image]:
    begun = _read(file, HEAD_BYTES)
    head = _HEADS[image.color].match(begun)
    if head is None:
        raise DriverFailed("The scanner sent a page that cannot be read. Scan it again.")
    if (int(head[1]), int(head[2])) != (image.width_px, image.height_px):
        raise _other_size()
    begun = begun[head.end() :]
    mode, order, line_bytes = {
        Color.COLOR: ("RGB", "RGB", 3 * image.width_px),
        Color.GRAY: ("L", "L", image.width_px),
        Color.MONO: ("1", "1;I", (image.width_px + 7) // 8),
    }[image.color]
    for top in range(0, image.height_px, lines):
        size = image.width_px, min(lines, image.height_px - top)
        begun += _read(file, size[1] * line_bytes - len(begun))
        if len(begun) != size[1] * line_bytes:
            raise _other_size()
        yield PIL.Image.frombytes(mode, size, begun, "raw", order)
        begun = b""
    if file.read(1):
        raise _other_size()


def _read(file: BinaryIO, size: int) -> bytes:
    """So many bytes, or all there are."""
    data = file.read(max(0, size))
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _other_size() -> DriverFailed:
    return DriverFailed("The scanner sent a page of another size than it announced. Scan it again.")


def _times(length: float, enough: int) -> int:
    """By which whole number a length can be divided and still be enough."""
    return max(1, int(length / enough))


def _reduced(strips: Strips, enough: tuple[int, int]) -> Strips:
    times = _times(strips.width, enough[0]), _times(strips.height, enough[1])
    gray = (strip.convert("L") if strip.mode == "1" else strip for strip in strips.each)
    each = (strip.reduce(times) for strip in gray) if times != (1, 1) else gray
    return Strips(strips.width / times[0], strips.height / times[1], each)


def _resized(strips: Strips, size: tuple[int, int]) -> Iterator[PIL.Image.Image]:
    across, down = strips.width / size[0], strips.height / size[1]
    lines = max(1, int(STRIP_PX / strips.width / down))
    window = _Window(strips.each)
    for top in range(0, size[1], lines):
        bottom = min(size[1], top + lines)
        # One line more on both sides than the filter reaches.
        window.move(int((top - 1) * down) - 1, math.ceil((bottom + 1) * down) + 1)
        box = 0, top * down - window.top, size[0] * across, bottom * down - window.top
        box = 0, box[1], min(window.seen.width, box[2]), min(window.seen.height, box[3])
        yield window.seen.resize((size[0], bottom - top), Resampling.BILINEAR, box)


class _Window:
    """Some lines of a picture that comes in strips; it only moves down."""

    def __init__(self, strips: Iterator[PIL.Image.Image]) -> None:
        self._strips = strips
        self.seen = next(strips)
        self.top = 0

    def move(self, first: int, last: int) -> None:
        """See the lines from `first` to before `last`, and perhaps more; where the picture ends, the window does."""
        kept = self.seen.crop((0, max(0, first - self.top), self.seen.width, self.seen.height))
        self.top += self.seen.height - kept.height
        pieces = [kept]
        while self.top + sum(piece.height for piece in pieces) < last and (strip := next(self._strips, None)):
            pieces.append(strip)
        self.seen = _joined(iter(pieces), (kept.width, sum(piece.height for piece in pieces)), 0)


def _joined(strips: Iterator[PIL.Image.Image], size: tuple[int, int], degrees: Degrees) -> PIL.Image.Image:
    """The picture whose strips these are, turned; each is turned alone, so that there is only one whole."""
    page: PIL.Image.Image | None = None
    top = 0
    for strip in strips:
        bottom = top + strip.height
        turned = strip.transpose(_TURNS[degrees]) if degrees else strip
        if strip.size == size:
            page = turned
        else:
            page = page or PIL.Image.new(strip.mode, size if degrees in (0, 180) else size[::-1], None)
            left_top = {0: (0, top), 90: (size[1] - bottom, 0), 180: (0, size[1] - bottom), 270: (top, 0)}
            page.paste(turned, left_top[degrees])
        top = bottom
    if page is None:
        raise _other_size()
    return page
