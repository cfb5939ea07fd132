"""A picture that is made strip by strip is the one that the whole page would give, and takes little memory."""

import io
import random
import subprocess
import sys

import PIL.Image
import pytest
from PIL import ImageChops
from PIL.Image import Resampling, Transpose

from actors import strips
from schemas.errors import DriverFailed
from schemas.message import Blob
from schemas.page import Color, Image
from tests.paper import PNM, pnm

TURNS = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}
SIZE = (601, 907)
THUMBNAIL_MB = 20
"""A fifth of what the page has in bytes."""


@pytest.fixture(autouse=True)
def many_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages, too, come in several."""
    monkeypatch.setattr(strips, "STRIP_PX", 50 * SIZE[0])


def page(color: Color) -> tuple[PIL.Image.Image, Image, bytes]:
    """Noise, so that no line is like another: as Pillow has it, as it is announced, and as it is kept."""
    noise = random.Random(4).randbytes(SIZE[0] * SIZE[1] * 3)
    picture = PIL.Image.frombytes("RGB", SIZE, noise).resize(SIZE, Resampling.BICUBIC, (0, 0, 200, 300))
    picture = picture if color is Color.COLOR else picture.convert("L" if color is Color.GRAY else "1")
    black_is_1 = ImageChops.invert(picture) if color is Color.MONO else picture
    image = Image(
        blob=Blob(name="0" * 32, size=-1, media_type=PNM),
        width_px=SIZE[0],
        height_px=SIZE[1],
        resolution_dpi=100,
        color=color,
    )
    return picture, image, pnm(color, *SIZE, black_is_1.tobytes())


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("color", list(Color))
def test_a_whole_page_has_every_pixel_at_its_place(color: Color, degrees: int) -> None:
    picture, image, content = page(color)
    seen = strips.whole(io.BytesIO(content), image, degrees)
    assert seen.mode == picture.mode
    assert seen.tobytes() == (picture.transpose(TURNS[degrees]) if degrees else picture).tobytes()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("width_px", [1, 7, 60, 200, 299, 301, 450, 600])
@pytest.mark.parametrize("color", list(Color))
def test_a_smaller_page_is_what_the_whole_one_would_give(color: Color, width_px: int, degrees: int) -> None:
    picture, image, content = page(color)
    size = width_px, round(SIZE[1] * width_px / SIZE[0])
    gray = picture.convert("L") if color is Color.MONO else picture
    wanted = gray.resize(size, Resampling.BILINEAR, reducing_gap=2.0)
    seen = strips.smaller(io.BytesIO(content), image, size, degrees)
    wanted = wanted.transpose(TURNS[degrees]) if degrees else wanted
    assert (seen.mode, seen.size) == (wanted.mode, wanted.size)
    assert ImageChops.difference(seen, wanted).convert("L").getextrema()[1] <= 1


@pytest.mark.parametrize("width_px", [0, 100, 500])
@pytest.mark.parametrize("color", list(Color))
def test_a_page_that_is_not_as_long_as_announced_is_refused(color: Color, width_px: int) -> None:
    _, image, content = page(color)
    for wrong in (content[:-1], content + b"\0", content[: len(content) // 2], content[:20], content[:3]):
        with pytest.raises(DriverFailed):
            if width_px:
                strips.smaller(io.BytesIO(wrong), image, (width_px, 3 * width_px // 2), 0)
            else:
                strips.whole(io.BytesIO(wrong), image, 90)


def test_a_page_of_another_color_than_announced_is_refused() -> None:
    for color in Color:
        for other in set(Color) - {color}:
            with pytest.raises(DriverFailed):
                strips.whole(io.BytesIO(page(color)[2]), page(other)[1], 0)


_THUMBNAIL = """
import io, re, sys
from pathlib import Path
from actors.strips import smaller
from schemas.message import Blob
from schemas.page import Color, Image

class Page(io.RawIOBase):
    left = 4960 * 7016 * 3
    head = b"P6 4960 7016 255 "
    def readable(self):
        return True
    def readinto(self, buffer):
        head, self.head = self.head, b""
        if head:
            buffer[: len(head)] = head
            return len(head)
        size = min(len(buffer), self.left)
        self.left -= size
        return size

def highest_kb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = highest_kb()
blob = Blob(name="0" * 32, size=-1, media_type="image/x-portable-anymap")
image = Image(blob=blob, width_px=4960, height_px=7016, resolution_dpi=600, color=Color.COLOR)
smaller(io.BufferedReader(Page()), image, (240, 339), int(sys.argv[1]))
print((highest_kb() - before) >> 10)
"""


@pytest.mark.parametrize("degrees", [0, 90])
def test_a_thumbnail_of_a_page_at_600_dpi_takes_little_memory(degrees: int) -> None:
    command = [sys.executable, "-c", _THUMBNAIL, str(degrees)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(run.stdout) < THUMBNAIL_MB
