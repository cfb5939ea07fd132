"""A sheet that is fed twice is known again, and no other is taken for it, however alike."""

import io
import math
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from actors.device.driver import Header
from actors.device.overlap import Likeness
from actors.device.picture import UNEXPLAINED_MM2, Picture, difference_mm2, likeness, shrunk
from schemas.page import Color

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


def scanned(page: Image.Image, seed: int) -> Picture:
    """The page as a feeder draws it in: up to 5 pixels aside and 1 degree askew, brighter or darker, with noise."""
    chance = np.random.default_rng(seed)
    angle = math.radians(chance.uniform(-1, 1))
    right, down = chance.uniform(-5, 5, 2)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = page.width / 2, page.height / 2
    matrix = (cos, -sin, x - cos * x + sin * y + right, sin, cos, y - sin * x - cos * y + down)
    moved = page.transform(page.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=250)
    levels = np.asarray(moved, np.float32) * chance.uniform(0.95, 1.05) + chance.uniform(-12, 12)
    noisy = np.clip(levels + chance.normal(0, 6, levels.shape), 0, 255).astype(np.uint8)
    header = Header(width_px=page.width, height_px=page.height, color=Color.GRAY, resolution_dpi=DPI)
    return shrunk(io.BytesIO(noisy.tobytes()), header)


@pytest.mark.parametrize("seed", range(6))
def test_a_page_of_text_that_is_fed_again_is_the_same(seed: int) -> None:
    first, again = scanned(letter(seed), seed), scanned(letter(seed), seed + 50)
    print(f"the same text: {difference_mm2(first, again):.2f} of {UNEXPLAINED_MM2} mm2")
    assert likeness(first, again) is Likeness.SAME


def test_a_form_that_is_fed_again_is_mostly_the_same() -> None:
    """Its thin lines may not meet: then it is kept twice, which is the safe way to be wrong."""
    pairs = [(scanned(form(), seed), scanned(form(), seed + 50)) for seed in range(6)]
    print("the same form:", [round(difference_mm2(*pair), 2) for pair in pairs])
    assert sum(likeness(*pair) is Likeness.SAME for pair in pairs) >= 4


@pytest.mark.parametrize(
    "changed", [{"Number": "4717"}, {"Name": "John Doe"}, {"Amount": ""}, {"Date": "2026-11-23"}], ids=str
)
def test_forms_that_differ_in_one_field_are_different(changed: dict[str, str]) -> None:
    for seed in range(3):
        first, other = scanned(form(), seed), scanned(form(**changed), seed + 50)
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
    assert np.abs(shrunk(io.BytesIO(data), header).ink - shrunk(encoded, jpeg).ink).mean() < 0.02


def test_what_cannot_be_decoded_is_like_nothing() -> None:
    header = Header(width_px=40, height_px=40, color=Color.GRAY, resolution_dpi=DPI, media_type="image/jpeg")
    nothing = shrunk(io.BytesIO(b"no picture"), header)
    assert likeness(scanned(letter(1), 1), nothing) is Likeness.DIFFERENT
    assert likeness(nothing, nothing) is not Likeness.SAME
