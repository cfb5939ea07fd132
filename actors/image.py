"""Makes pictures of pages, in a process of its own: what a device sent is decoded here and nowhere else."""

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, ClassVar, cast

import PIL.Image
from PIL.Image import Dither

from actors.strips import smaller, whole
from bus import Actor, Context, on
from schemas.cache import Hold
from schemas.errors import Damaged, Invalid, NotFound, TooLarge, Unsupported
from schemas.image import Render, Rendered
from schemas.page import Color

PIXEL_BUDGET = 400_000_000
"""More pixels than A3 at 1200 dpi are nobody's page (`Image` says how many were announced)."""
JPEG_LIMIT_PX = 65_500
"""What the library that encodes them takes."""
REMEMBERED = 2000
MEMORY_SHARE = 4
"""Pictures in the making may take one of so many parts of the cache's memory; a larger one is made alone."""


class Pictures(Actor):
    """Renders; the same picture is made once as long as it is kept."""

    service = "image"
    slots: ClassVar[int] = 2

    async def start(self, ctx: Context) -> None:
        """Nothing is known yet."""
        self._made: OrderedDict[tuple[object, ...], Rendered] = OrderedDict()
        self._desk = Desk((self.config.cache.memory_limit_mb << 20) // MEMORY_SHARE)

    @on(Render)
    async def render(self, msg: Render, ctx: Context) -> Rendered:
        """Decode, turn, make smaller, encode, keep."""
        key = (ctx.session, msg.image.blob.name, msg.rotation_degrees, msg.width_px, msg.media_type, msg.quality)
        made = self._made.get(key)
        if made is None or not await ctx.offload(_is_whole, made, ctx):
            made = await ctx.offload(self._make, msg, ctx)
        self._made[key] = made
        self._made.move_to_end(key)
        if len(self._made) > REMEMBERED:
            self._made.popitem(last=False)
        await ctx.call(Hold(owner=msg.owner, blobs=[made.blob.name], again=True))
        return made

    def _make(self, msg: Render, ctx: Context) -> Rendered:
        size = _size(msg)
        with (
            self._desk.taken(_memory_bytes(msg, size)),
            ctx.store.open(ctx.session, msg.image.blob.name) as file,
            ctx.store.writer(ctx.session, msg.media_type, durable=False) as writer,
        ):
            page = _drawn(file, msg, size)
            # What Pillow writes, as it encodes, never goes back: a blob's writer is file enough.
            _encode(page, msg, cast(IO[bytes], writer))
        return Rendered(blob=writer.blob, width_px=page.width, height_px=page.height)


def _is_whole(made: Rendered, ctx: Context) -> bool:
    """Whether a picture is still there and undamaged: if not, it is made again, and nobody needs to know."""
    try:
        with ctx.store.open(ctx.session, made.blob.name) as file:
            while file.read(1 << 20):
                pass
    except (NotFound, Damaged):
        return False
    return True


class Desk:
    """Room for pictures in the making: as many as it holds at once, and at least one."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._used_bytes = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size_bytes: int) -> Iterator[None]:
        """Wait for so much room, and have it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used_bytes or self._used_bytes + size_bytes <= self._room_bytes)
            self._used_bytes += size_bytes
        try:
            yield
        finally:
            with self._changed:
                self._used_bytes -= size_bytes
                self._changed.notify_all()


def _scale(msg: Render) -> float:
    """How large the picture is, for the page's size; at most 1."""
    full_width_px = msg.image.height_px if msg.rotation_degrees in (90, 270) else msg.image.width_px
    return min(1.0, msg.width_px / full_width_px) if msg.width_px else 1.0


def _size(msg: Render) -> tuple[int, int]:
    """How large the picture is before it is turned. Raises Invalid, TooLarge, Unsupported."""
    width_px, height_px = msg.image.width_px, msg.image.height_px
    if min(width_px, height_px) < 1:
        raise Invalid("A page has at least one pixel.")
    if width_px * height_px > PIXEL_BUDGET:
        raise TooLarge(f"A page of {width_px} by {height_px} pixels is too large. Use a lower resolution.")
    if msg.media_type == "image/tiff" and msg.image.color is not Color.MONO:
        raise Unsupported("CCITT Group 4 is for mono pages only: ask for image/jpeg or image/png.")
    size = max(1, round(width_px * _scale(msg))), max(1, round(height_px * _scale(msg)))
    if msg.media_type == "image/jpeg" and max(size) > JPEG_LIMIT_PX:
        raise TooLarge(f"A JPEG has at most {JPEG_LIMIT_PX} pixels a side: ask for image/png, or save lossless.")
    return size


def _memory_bytes(msg: Render, size: tuple[int, int]) -> int:
    """What the picture takes until it is encoded, about: Pillow gives a colored pixel four bytes."""
    pixels = size[0] * size[1]
    if msg.image.blob.media_type == "image/jpeg":
        pixels += msg.image.width_px * msg.image.height_px
    return pixels * (4 if msg.image.color is Color.COLOR else 1)


def _drawn(file: BinaryIO, msg: Render, size: tuple[int, int]) -> PIL.Image.Image:
    """The picture. Raises DriverFailed where the page is not what was announced, and what reading raises."""
    if size == (msg.image.width_px, msg.image.height_px):
        page = whole(file, msg.image, msg.rotation_degrees)
    else:
        page = smaller(file, msg.image, size, msg.rotation_degrees)
    if msg.media_type == "image/tiff" and page.mode != "1":
        return page.convert("1", dither=Dither.NONE)
    return page.convert("L") if msg.media_type == "image/jpeg" and page.mode == "1" else page


def _encode(page: PIL.Image.Image, msg: Render, file: IO[bytes]) -> None:
    dots = msg.image.resolution_dpi * _scale(msg)
    match msg.media_type:
        case "image/tiff":
            # One strip: whoever embeds it takes the strip as it is. It is small, and is not written from its start on.
            out = io.BytesIO()
            page.save(out, "TIFF", compression="group4", strip_size=1 << 30, dpi=(dots, dots))
            file.write(out.getbuffer())
        case "image/png":
            page.save(file, "PNG", compress_level=1, dpi=(dots, dots))
        case _:
            page.save(file, "JPEG", quality=msg.quality, dpi=(round(dots), round(dots)))
