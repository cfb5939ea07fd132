"""Pages are seen some lines at a time, and look as if they had been seen at once."""

import subprocess
import sys
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image, ImageChops

from actors.device.virtual import SAMPLE_FOLDER
from actors.device.virtual_paper import Paper, load, sides
from actors.device.virtual_view import BAND_PX, View
from schemas.device import Area
from schemas.page import Color

A4 = Area(width_mm=210, height_mm=297)
WHOLE_MB = 104
"""A page at 600 dpi."""


def paper(resolution_dpi: int, folder: Path = SAMPLE_FOLDER) -> Paper:
    return load(sides(folder)[0], resolution_dpi, "RGB")


@pytest.mark.parametrize(("resolution_dpi", "band_px"), [(75, 24_000), (300, BAND_PX), (600, BAND_PX)])
def test_a_band_is_small_at_any_resolution(resolution_dpi: int, band_px: int) -> None:
    view = View(paper(resolution_dpi), A4, resolution_dpi, Color.COLOR)
    sizes = [len(band) // 3 for band in view.bands()]
    assert sum(sizes) == view.width_px * view.height_px
    assert max(sizes) <= band_px
    assert len(sizes) >= 24


@pytest.mark.parametrize("resolution_dpi", [100, 300])
def test_bands_make_the_picture_that_the_whole_would_make(resolution_dpi: int) -> None:
    sheet = paper(resolution_dpi)
    assert isinstance(sheet.picture, Image.Image)
    view = View(sheet, Area(width_mm=sheet.width_mm, height_mm=sheet.height_mm), resolution_dpi, Color.COLOR)
    seen = Image.frombytes("RGB", (view.width_px, view.height_px), b"".join(view.bands()))
    finer = view.width_px > sheet.picture.width
    whole = sheet.picture.resize(seen.size, Image.Resampling.BICUBIC if finer else Image.Resampling.BILINEAR)
    off = ImageChops.difference(seen, whole).convert("L").histogram()
    assert sum(off[2:]) < 0.001 * seen.width * seen.height
    assert not sum(off[16:])


def test_a_page_of_a_pdf_has_no_seams(tmp_path: Path) -> None:
    Image.open(SAMPLE_FOLDER / "05-article.jpg").save(tmp_path / "a.pdf", resolution=200)
    sheet = paper(600, tmp_path)
    view = View(sheet, Area(width_mm=sheet.width_mm, height_mm=sheet.height_mm), 600, Color.COLOR)
    seen = Image.frombytes("RGB", (view.width_px, view.height_px), b"".join(view.bands()))
    with pypdfium2.PdfDocument(tmp_path / "a.pdf") as document:
        drawn = document[0].render(scale=600 / 72).to_pil().convert("RGB")
    whole = drawn.resize(seen.size, Image.Resampling.BILINEAR)
    assert ImageChops.difference(seen, whole).convert("L").getextrema()[1] <= 1


_SCAN = """
import re, sys
from pathlib import Path
from actors.device.virtual_paper import load, sides
from actors.device.virtual_view import View
from schemas.device import Area
from schemas.page import Color

def highest_kb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = highest_kb()
paper = load(sides(Path(sys.argv[1]))[0], 600, "RGB")
for band in View(paper, Area(width_mm=210, height_mm=297), 600, Color.COLOR).bands():
    pass
print((highest_kb() - before) >> 10)
"""


@pytest.mark.parametrize("ending", ["jpg", "pdf"])
def test_a_page_at_600_dpi_never_lies_whole_in_memory(tmp_path: Path, ending: str) -> None:
    Image.open(SAMPLE_FOLDER / "05-article.jpg").save(tmp_path / f"a.{ending}", resolution=200, dpi=(200, 200))
    run = subprocess.run(
        [sys.executable, "-c", _SCAN, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(run.stdout) < WHOLE_MB
