"""Pages that tests know to the last pixel."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image as Picture
from PIL import ImageDraw

from bus import Context
from schemas.buffer import Append
from schemas.page import MM_PER_INCH, Color, Image, Page

PNM = "image/x-portable-anymap"
BITS = 14
"""Of the number that a page of `small_stack` shows, as bars along its upper edge."""
_MAGIC = {Color.COLOR: ("P6", " 255"), Color.GRAY: ("P5", " 255"), Color.MONO: ("P4", "")}


def pnm(color: Color, width_px: int, height_px: int, pixels: bytes) -> bytes:
    """Raw pixels as a file."""
    magic, depth = _MAGIC[color]
    return f"{magic} {width_px} {height_px}{depth}\n".encode() + pixels


def gray(
    width_px: int = 4, height_px: int = 6, shade: Callable[[int, int], int] = lambda x, y: 40 * x + 7 * y
) -> bytes:
    """Gray pixels, line by line."""
    return bytes(shade(x, y) for y in range(height_px) for x in range(width_px))


async def kept(
    ctx: Context,
    pixels: bytes,
    color: Color = Color.GRAY,
    width_px: int = 4,
    height_px: int = 6,
    resolution_dpi: int = 100,
) -> Image:
    """An image in the session's store, held by nobody yet."""
    return Image(
        blob=await ctx.put(pnm(color, width_px, height_px, pixels), PNM),
        width_px=width_px,
        height_px=height_px,
        resolution_dpi=resolution_dpi,
        color=color,
    )


async def stack(ctx: Context, count: int) -> list[Page]:
    """So many different pages in the session."""
    images = [await kept(ctx, bytes([number]) * 24) for number in range(count)]
    return [(await ctx.call(Append(image=image))).page for image in images]


def small_stack(folder: Path, count: int, resolution_dpi: int = 75) -> Path:
    """A folder of so many A6 pages for a virtual scanner, each of which `number_on` can tell from all others."""
    folder.mkdir(parents=True, exist_ok=True)
    dots = resolution_dpi / MM_PER_INCH
    size = (round(105 * dots), round(148 * dots))
    for number in range(1, count + 1):
        page = Picture.new("L", size, 255)
        draw = ImageDraw.Draw(page)
        draw.text((size[0] / 3, size[1] / 3), str(number), fill=0, font_size=size[0] / 4)
        for bit in range(BITS):
            if number >> bit & 1:
                draw.rectangle((bit * size[0] // BITS, 0, (bit + 1) * size[0] // BITS - 1, size[1] // 8), fill=0)
        page.save(folder / f"{number:05}.png", dpi=(resolution_dpi, resolution_dpi), compress_level=1)
    return folder


def number_on(picture: Picture.Image) -> int:
    """The number of a page of `small_stack`, at any size or color; 0 for a page without one."""
    gray = picture.convert("L")
    y = gray.height // 16
    bits = [gray.getpixel(((2 * bit + 1) * gray.width // (2 * BITS), y)) for bit in range(BITS)]
    return sum(1 << bit for bit, level in enumerate(bits) if isinstance(level, int | float) and level < 128)
