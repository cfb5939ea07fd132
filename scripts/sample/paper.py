"""Draws documents in millimeters: without it, the sample stack would be a heap of pixel arithmetic."""

# ruff: noqa: S311 - drawings need repeatable numbers, not secret ones

import math
import random
from collections.abc import Sequence
from functools import lru_cache

import zxingcpp
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

RESOLUTION_DPI = 200
FONTS = "/usr/share/fonts/truetype/dejavu"
INK, MUTED, PALE, LINE = (38, 38, 42), (104, 104, 110), (236, 238, 240), (176, 178, 182)
NAVY, GREEN, PLUM = (28, 58, 104), (34, 92, 66), (104, 34, 74)
SANS, SANS_BOLD = "DejaVuSansCondensed", "DejaVuSansCondensed-Bold"
SERIF, SERIF_BOLD, SERIF_ITALIC = "DejaVuSerifCondensed", "DejaVuSerifCondensed-Bold", "DejaVuSerifCondensed-Italic"
MONO, MONO_BOLD = "DejaVuSansMono", "DejaVuSansMono-Bold"

Rgb = tuple[int, int, int]


def px(mm: float) -> int:
    """Millimeters in pixels of the sample stack."""
    return round(mm / 25.4 * RESOLUTION_DPI)


@lru_cache
def font(face: str, size_pt: float) -> ImageFont.FreeTypeFont:
    """A face of Debian's packages fonts-dejavu-core and -extra."""
    size_px = size_pt / 72 * RESOLUTION_DPI
    return ImageFont.truetype(f"{FONTS}/{face}.ttf", size_px, layout_engine=ImageFont.Layout.BASIC)


class Sheet:
    """One side of paper, drawn on in millimeters from its top left corner."""

    def __init__(self, width_mm: float = 210, height_mm: float = 297, tint: Rgb = (251, 249, 244)) -> None:
        self.width_mm, self.height_mm = width_mm, height_mm
        self.image = Image.new("RGB", (px(width_mm), px(height_mm)), tint)
        self.draw = ImageDraw.Draw(self.image)

    def text(
        self, x: float, y: float, text: str, size: float = 9, face: str = SERIF, ink: Rgb = INK, anchor: str = "la"
    ) -> None:
        """Write one line; `size` in points, `anchor` as Pillow names it."""
        self.draw.text((px(x), px(y)), text, ink, font(face, size), anchor)

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        size: float = 9,
        face: str = SERIF,
        ink: Rgb = INK,
        leading: float = 1.5,
        justify: bool = False,
    ) -> float:
        """Write a text broken to `width`; answers where the next one begins."""
        face_px, width_px = font(face, size), px(width)
        lines: list[list[str]] = [[]]
        for word in text.split():
            if lines[-1] and face_px.getlength(" ".join([*lines[-1], word])) > width_px:
                lines.append([])
            lines[-1].append(word)
        step = size * leading / 72 * 25.4
        for line in lines:
            if justify and line is not lines[-1] and len(line) > 1:
                gap = (width_px - sum(face_px.getlength(word) for word in line)) / (len(line) - 1)
            else:
                gap = face_px.getlength(" ")
            left: float = px(x)
            for word in line:
                self.draw.text((left, px(y)), word, ink, face_px, "la")
                left += face_px.getlength(word) + gap
            y += step
        return y

    def rule(self, x0: float, y0: float, x1: float, y1: float, width: float = 0.25, ink: Rgb = INK) -> None:
        """Draw a straight line."""
        self.draw.line((px(x0), px(y0), px(x1), px(y1)), ink, max(1, px(width)))

    def box(self, x: float, y: float, width: float, height: float, fill: Rgb | None, outline: Rgb | None = INK) -> None:
        """Draw a rectangle."""
        self.draw.rectangle((px(x), px(y), px(x + width), px(y + height)), fill, outline, 2)

    def curve(self, points: Sequence[tuple[float, float]], ink: Rgb, width: float = 0.4) -> None:
        """Draw a line through points, as a pen would."""
        self.draw.line([(px(x), px(y)) for x, y in points], ink, max(1, px(width)), "curve")

    def signature(self, x: float, y: float, width: float, rng: random.Random, ink: Rgb = (32, 48, 120)) -> None:
        """Sign illegibly: the letters are nobody's."""
        phases = [(rng.uniform(0.5, 3.2), rng.uniform(4, 19), rng.uniform(0, 6)) for _ in range(4)]
        points = []
        for step in range(240):
            t = step / 239
            lift = sum(a * math.sin(f * t * 2.2 + p) for a, f, p in phases) * (1.1 - t)
            points.append((x + width * (t + 0.045 * math.sin(31 * t)), y + lift))
        self.curve(points, ink, 0.45)
        self.curve([(x - 2, y + 5), (x + width * 0.6, y + 4.2), (x + width + 6, y + 3)], ink, 0.35)

    def cross(self, x: float, y: float, size: float, rng: random.Random, ink: Rgb = (32, 48, 120)) -> None:
        """Tick a box of `size` by hand."""
        near = [rng.uniform(-0.6, 0.6) for _ in range(8)]
        self.curve([(x + near[0], y + near[1]), (x + size + near[2], y + size + near[3])], ink, 0.5)
        self.curve([(x + size + near[4], y + near[5]), (x + near[6], y + size + near[7])], ink, 0.5)

    def stamp(self, x: float, y: float, lines: Sequence[str], degrees: float, ink: Rgb = (176, 40, 48)) -> None:
        """Press an office stamp on the paper, around its center."""
        mask = Image.new("L", (px(58), px(26)), 0)
        draw = ImageDraw.Draw(mask)
        draw.rounded_rectangle((4, 4, mask.width - 5, mask.height - 5), px(2.5), None, 190, px(0.8))
        for number, line in enumerate(lines):
            big = number == len(lines) // 2
            face = font(SANS_BOLD, 12 if big else 7.5)
            draw.text((mask.width / 2, mask.height * (number + 0.8) / (len(lines) + 0.6)), line, 200, face, "mm")
        worn = Image.frombytes("L", (58, 26), random.Random(7).randbytes(58 * 26)).resize(mask.size)
        mask = ImageChops.multiply(mask, worn.point([min(255, 130 + value) for value in range(256)]))
        mask = mask.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        self.image.paste(ink, (px(x) - mask.width // 2, px(y) - mask.height // 2), mask)

    def barcode(
        self, x: float, y: float, kind: zxingcpp.BarcodeFormat, content: str, scale: int, height: float
    ) -> None:
        """Print a barcode `height` high (0: square), `scale` pixels a module."""
        drawn = zxingcpp.create_barcode(content, kind).to_image(scale=scale, add_quiet_zones=False)
        code = Image.fromarray(drawn)
        if height:
            code = code.resize((code.width, px(height)), Image.Resampling.NEAREST)
        self.image.paste(INK, (px(x), px(y)), ImageChops.invert(code))


def noise(size: tuple[int, int], rng: random.Random, spread: float) -> Image.Image:
    """Gray 128 with triangular noise; `spread` is its standard deviation in gray levels."""
    one, two = (Image.frombytes("L", size, rng.randbytes(size[0] * size[1])) for _ in range(2))
    return Image.blend(one, two, 0.5).point([round(128 + (value - 127.5) * spread / 52) for value in range(256)])


def scanned(sheet: Image.Image, seed: int, spread: float = 1.6) -> Image.Image:
    """The sheet as a scanner sees it: optics that blur a little, uneven light, noise."""
    rng = random.Random(seed)
    soft = sheet.filter(ImageFilter.GaussianBlur(0.55))
    light = noise((6, 8), rng, 2.0).resize(sheet.size, Image.Resampling.BICUBIC)
    grain = noise(sheet.size, rng, spread)
    for layer in (light, grain):
        soft = ImageChops.add(soft, Image.merge("RGB", [layer] * 3), 1, -128)
    return soft
