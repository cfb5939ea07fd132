"""Makes pictures of pages, in a process of its own: what a device sent is decoded here and nowhere else."""

import io
from collections import OrderedDict
from typing import ClassVar

import PIL.Image
from PIL.Image import Dither, Resampling, Transpose

from bus import Actor, Context, on
from schemas.cache import Hold
from schemas.errors import DriverFailed, TooLarge, Unsupported
from schemas.image import Render, Rendered
from schemas.page import Color, Image

# The announced size is checked instead: Pillow only warns, and a big scan is no bomb.
PIL.Image.MAX_IMAGE_PIXELS = None
PIXEL_BUDGET = 400_000_000
"""More pixels than A3 at 1200 dpi are nobody's page (`Image` says how many were announced)."""
JPEG_LIMIT_PX = 65_500
"""What the library that encodes them takes."""
REMEMBERED = 2000
_TURNS = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}


class Pictures(Actor):
    """Renders; the same picture is made once as long as it is kept."""

    service = "image"
    slots: ClassVar[int] = 2

    async def start(self, ctx: Context) -> None:
        """Nothing is known yet."""
        self._made: OrderedDict[tuple[object, ...], Rendered] = OrderedDict()

    @on(Render)
    async def render(self, msg: Render, ctx: Context) -> Rendered:
        """Decode, turn, make smaller, encode, keep."""
        key = (ctx.session, msg.image.blob.name, msg.rotation_degrees, msg.width_px, msg.media_type, msg.quality)
        made = self._made.get(key)
        if made is None or not await ctx.offload(ctx.store.exists, ctx.session, made.blob.name):
            source = await ctx.read(msg.image.blob)
            data, width_px, height_px = await ctx.offload(picture, source, msg)
            blob = await ctx.put(data, msg.media_type, durable=False)
            made = Rendered(blob=blob, width_px=width_px, height_px=height_px)
        self._made[key] = made
        self._made.move_to_end(key)
        if len(self._made) > REMEMBERED:
            self._made.popitem(last=False)
        await ctx.call(Hold(owner=msg.owner, blobs=[made.blob.name], again=True))
        return made


def picture(source: bytes, msg: Render) -> tuple[bytes, int, int]:
    """The encoded picture and its width and height in pixels.

    Raises DriverFailed where the page is not what was announced, Unsupported for a TIFF of a page that is not mono,
    TooLarge for what nobody scans and for a JPEG of a page that is too long for one.
    """
    page = _decode(source, msg.image)
    turned_on_side = msg.rotation_degrees in (90, 270)
    full_width_px = page.height if turned_on_side else page.width
    if msg.media_type == "image/tiff" and page.mode != "1":
        raise Unsupported("CCITT Group 4 is for mono pages only: ask for image/jpeg or image/png.")
    resolution_dpi = float(msg.image.resolution_dpi)
    if msg.width_px and msg.width_px < full_width_px:
        scale = msg.width_px / full_width_px
        size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
        page = page.convert("L") if page.mode == "1" else page
        page = page.resize(size, Resampling.BILINEAR, reducing_gap=2.0)
        page = page.convert("1", dither=Dither.NONE) if msg.media_type == "image/tiff" else page
        resolution_dpi *= scale
    if msg.rotation_degrees:
        page = page.transpose(_TURNS[msg.rotation_degrees])
    out = io.BytesIO()
    dpi = (resolution_dpi, resolution_dpi)
    match msg.media_type:
        case "image/tiff":
            # One strip: whoever embeds it takes the strip as it is.
            page.save(out, "TIFF", compression="group4", strip_size=1 << 30, dpi=dpi)
        case "image/png":
            page.save(out, "PNG", compress_level=1, dpi=dpi)
        case _:
            if max(page.size) > JPEG_LIMIT_PX:
                raise TooLarge(
                    f"A JPEG has at most {JPEG_LIMIT_PX} pixels a side: ask for image/png, or save lossless."
                )
            page = page.convert("L") if page.mode == "1" else page
            page.save(out, "JPEG", quality=msg.quality, dpi=(round(dpi[0]), round(dpi[1])))
    return out.getvalue(), page.width, page.height


def _decode(source: bytes, image: Image) -> PIL.Image.Image:
    if image.width_px * image.height_px > PIXEL_BUDGET:
        raise TooLarge(f"A page of {image.width_px} by {image.height_px} pixels is too large. Use a lower resolution.")
    try:
        page = PIL.Image.open(io.BytesIO(source), formats=("PPM", "JPEG"))
        if page.size != (image.width_px, image.height_px):
            raise DriverFailed("The scanner sent a page of another size than it announced. Scan it again.")
        page.load()
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DriverFailed("The scanner sent a page that cannot be read. Scan it again.") from error
    if page.mode in ("1", "L", "RGB"):
        return page
    return page.convert("L" if image.color is Color.GRAY else "RGB")
