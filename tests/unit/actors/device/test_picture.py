"""A sheet that is fed twice is known again, and no other is taken for it, however alike."""

import io
import math
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from actors.device.driver import Header
from actors.device.likeness import UNEXPLAINED_MM2, difference_mm2, likeness
from actors.device.overlap import Likeness
from actors.device.picture import Picture, shrunk
from schemas.page import MM_PER_INCH, Color
from tests.paper import small_stack

DPI = 200
SIZE = round(5.83 * DPI), round(8.27 * DPI)
WORDS = "invoice total customer number date amount street city paper office letter account order item price sum".split()
FIELDS = {"Name": "Jane Doe", "Street": "1 High Street", "Date": "2026-11-22", "Number": "4711", "Amount": "12.50"}


def letter(seed: int) -> Image.Image:
    """A page of text that no other seed has."""
    chance = random.Random(seed)
    page = Image.new("L", SIZE, 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(DPI * 11 / 72)
    for y in range(DPI // 2, SIZE[1] - DPI // 2, DPI // 5):
        draw.text((DPI // 2, y), " ".join(chance.choices(WORDS, k=6)), fill=20, font=font)
    return page


def form(**changed: str) -> Image.Image:
    """A printed form that somebody has filled in."""
    page = letter(0)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(DPI * 11 / 72)
    draw.rectangle((0, 0, SIZE[0], DPI * 4), fill=255)
    for row, (name, value) in enumerate({**FIELDS, **changed}.items()):
        top = DPI * (1 + row) // 2
        draw.text((DPI // 2, top), f"{name}:", fill=0, font=font)
        draw.rectangle((DPI * 2, top - 8, SIZE[0] - DPI // 2, top + 48), outline=0, width=2)
        draw.text((DPI * 2 + 12, top), value, fill=10, font=font)
    return page


def table(**changed: str) -> Image.Image:
    """A form with ruled lines and a dark picture, as an invoice has a letterhead."""
    page = Image.new("L", SIZE, 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(DPI * 10 / 72)
    draw.ellipse((DPI // 2, DPI // 3, DPI * 2, DPI), fill=90)
    for row in range(14):
        top = DPI * 5 // 4 + row * DPI * 2 // 5
        draw.line((DPI // 2, top, SIZE[0] - DPI // 2, top), fill=0, width=3)
        draw.text((DPI * 3 // 5, top + 20), f"{row + 1}  {WORDS[row]} {WORDS[-row]}", fill=10, font=font)
        draw.text((DPI * 4, top + 20), changed.get(f"row{row}", f"{17 + 3 * row}.50"), fill=10, font=font)
    return page


def scanned(page: Image.Image, seed: int, color: Color = Color.GRAY) -> Picture:
    """The page as a feeder draws it in: up to 2 mm aside, 1 degree askew, some lines longer, brighter, with noise."""
    chance = np.random.default_rng(seed)
    angle = math.radians(chance.uniform(-0.5, 0.5) * (1 + seed % 2))
    right, down = chance.uniform(-2, 2, 2) * DPI / MM_PER_INCH
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = page.width / 2, page.height / 2
    matrix = (cos, -sin, x - cos * x + sin * y + right, sin, cos, y - sin * x - cos * y + down)
    size = page.width, page.height + int(chance.integers(-10, 11))
    moved = page.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=250)
    # One scanner's threshold and its lamp stay what they are, but for a little.
    wavers = 0.3 if color is Color.MONO else 1
    gain, offset = 1 + wavers * chance.uniform(-0.05, 0.05), wavers * chance.uniform(-12, 12)
    levels = np.asarray(moved, np.float32) * gain + offset
    levels += chance.normal(0, 6, levels.shape)
    match color:
        case Color.MONO:
            data = np.packbits(levels < 128, axis=1)
        case Color.GRAY:
            data = np.clip(levels, 0, 255).astype(np.uint8)
        case Color.COLOR:
            data = np.clip(levels[..., None] + chance.normal(0, 4, (*levels.shape, 3)), 0, 255).astype(np.uint8)
    header = Header(width_px=size[0], height_px=size[1], color=color, resolution_dpi=DPI)
    return shrunk(io.BytesIO(data.tobytes()), header)


@pytest.mark.parametrize("kind", ["letter", "form", "table"])
@pytest.mark.parametrize("color", [Color.GRAY, Color.COLOR])
def test_a_page_that_is_fed_again_is_the_same(kind: str, color: Color) -> None:
    page = {"letter": letter(1), "form": form(), "table": table()}[kind]
    for seed in range(4):
        first, again = scanned(page, seed, color), scanned(page, seed + 51, color)
        print(f"the same {kind}: {difference_mm2(first, again):.2f} of {UNEXPLAINED_MM2} mm2")
        assert likeness(first, again) is Likeness.SAME


def test_in_black_and_white_a_page_that_is_fed_again_may_be_the_same() -> None:
    """Its thin lines may come and go: then it is kept twice, which is the safe way to be wrong."""
    for page, least in ((letter(1), 4), (table(), 4), (form(), 2)):
        pairs = [(scanned(page, seed, Color.MONO), scanned(page, seed + 51, Color.MONO)) for seed in range(4)]
        print("fed again:", [round(difference_mm2(*pair), 2) for pair in pairs])
        assert sum(likeness(*pair) is Likeness.UNSURE for pair in pairs) >= least


@pytest.mark.parametrize("color", list(Color))
@pytest.mark.parametrize(
    "changed", [{"Number": "4717"}, {"Name": "John Doe"}, {"Amount": "12.80"}, {"Date": "2026-11-23"}], ids=str
)
def test_forms_that_differ_in_one_field_are_different(changed: dict[str, str], color: Color) -> None:
    for seed in range(3):
        first, other = scanned(form(), seed, color), scanned(form(**changed), seed + 51, color)
        print(f"{changed}: {difference_mm2(first, other):.2f} of {UNEXPLAINED_MM2} mm2")
        assert difference_mm2(first, other) > 1.5 * UNEXPLAINED_MM2
        assert likeness(first, other) is Likeness.DIFFERENT


@pytest.mark.parametrize("color", list(Color))
@pytest.mark.parametrize("changed", ["38.60", "36.50", "33.50", "98.50"])
def test_tables_that_differ_in_one_digit_are_different(changed: str, color: Color) -> None:
    first, other = scanned(table(row7="38.50"), 1, color), scanned(table(row7=changed), 52, color)
    print(f"{changed}: {difference_mm2(first, other):.2f} of {UNEXPLAINED_MM2} mm2")
    assert likeness(first, other) is Likeness.DIFFERENT


def test_pages_of_text_are_different() -> None:
    assert likeness(scanned(letter(1), 1), scanned(letter(2), 2)) is Likeness.DIFFERENT


def test_a_blank_page_is_like_any_other_blank_page_and_like_nothing_else() -> None:
    blank = Image.new("L", SIZE, 255)
    assert likeness(scanned(blank, 1), scanned(blank, 2)) is Likeness.UNSURE
    assert likeness(scanned(blank, 1), scanned(letter(1), 2)) is Likeness.DIFFERENT


@pytest.mark.parametrize("color", list(Color))
def test_the_picture_is_the_same_in_every_color_and_as_jpeg(color: Color) -> None:
    page = letter(3)
    raw = page.convert({Color.COLOR: "RGB", Color.GRAY: "L", Color.MONO: "1"}[color])
    data = raw.tobytes() if color is not Color.MONO else bytes(255 - byte for byte in raw.tobytes())
    header = Header(width_px=page.width, height_px=page.height, color=color, resolution_dpi=DPI)
    encoded = io.BytesIO()
    page.save(encoded, "JPEG", quality=95)
    encoded.seek(0)
    jpeg = Header(width_px=page.width, height_px=page.height, color=color, resolution_dpi=DPI, media_type="image/jpeg")
    pictures = [shrunk(each, how).ink / 255 for each, how in ((io.BytesIO(data), header), (encoded, jpeg))]
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.02


def test_what_cannot_be_decoded_is_like_nothing() -> None:
    header = Header(width_px=40, height_px=40, color=Color.GRAY, resolution_dpi=DPI, media_type="image/jpeg")
    nothing = shrunk(io.BytesIO(b"no picture"), header)
    assert likeness(scanned(letter(1), 1), nothing) is Likeness.DIFFERENT
    assert likeness(nothing, nothing) is not Likeness.SAME


def test_a_page_that_is_the_same_to_the_last_pixel_is_the_same_page(tmp_path: Path) -> None:
    for path in sorted(small_stack(tmp_path / "stack", 12).iterdir()):
        with Image.open(path) as page:
            first, again = (untouched(page.convert("L")) for _ in range(2))
        assert likeness(first, again) is Likeness.SAME, path.name


def untouched(page: Image.Image) -> Picture:
    """The page as the virtual scanner gives it at 75 dpi."""
    header = Header(width_px=page.width, height_px=page.height, color=Color.GRAY, resolution_dpi=75)
    return shrunk(io.BytesIO(f"P5\n{page.width} {page.height}\n255\n".encode() + page.tobytes()), header)
