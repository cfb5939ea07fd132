"""Pages that tests know to the last pixel."""

from collections.abc import Callable

from bus import Context
from schemas.buffer import Append
from schemas.page import Color, Image, Page

PNM = "image/x-portable-anymap"
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
