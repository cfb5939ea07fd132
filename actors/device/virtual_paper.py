"""The virtual scanner's paper: without it, files in a folder would not be sides of sheets with a size."""

import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image, ImageOps

from schemas.errors import DriverFailed
from schemas.page import MM_PER_INCH

FORMATS = ("JPEG", "PNG", "TIFF", "PPM", "BMP", "WEBP")
PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".bmp", ".webp"}
PIXEL_LIMIT = 200_000_000
USUAL_DPI = 200.0
POINTS_PER_INCH = 72
STRIP_PX = 2_500_000
"""How much of a page of a PDF is drawn at once."""
MARGIN_LINES = 8
"""Lines around a band that count in its making smaller."""

# Pillow itself refuses only what is twice as large.
Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT

# What Pillow raises for files that are not what their names say, besides its own errors.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error)


@dataclass(frozen=True)
class Side:
    """One page of one file."""

    path: Path
    number: int = 0
    """0 for the file's first page."""


class Picture(Protocol):
    """What is printed on a side."""

    @property
    def width(self) -> int:
        """In its own pixels."""

    @property
    def height(self) -> int:
        """In its own pixels."""

    def resize(
        self, size: tuple[int, int], resample: Image.Resampling, box: tuple[float, float, float, float], /
    ) -> Image.Image:
        """The part within `box` at another size; what surrounds it counts at its edges."""


@dataclass(frozen=True)
class Paper:
    """One side of a sheet with its true size; without a picture it is blank."""

    width_mm: float
    height_mm: float
    picture: Picture | None = None


def sides(folder: Path) -> list[Side]:
    """Every page of every picture and PDF, in name order; a broken file is one side. Raises OSError."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    return [Side(path, number) for path in files for number in range(_count(path))]


def load(side: Side, resolution_dpi: int, mode: str) -> Paper:
    """Decode one side, at least as fine as `resolution_dpi` where the file is, in `mode` L or RGB.

    Raises DriverFailed, naming the file, when it is broken, locked or beyond 200 megapixels.
    """
    with _naming(side.path):
        if side.path.suffix.lower() == ".pdf":
            return _load_pdf(side, resolution_dpi, mode)
        with Image.open(side.path, formats=FORMATS) as picture:
            if side.number:
                picture.seek(side.number)
            _check_pixels(side.path, picture.width * picture.height)
            dpi = _dpi(picture)
            size_mm = [pixels / each * MM_PER_INCH for pixels, each in zip(picture.size, dpi, strict=True)]
            # A JPEG is decoded at an eighth, a quarter or half of its size where that is enough.
            scale = min(1.0, resolution_dpi / min(dpi))
            picture.draft(mode, (math.ceil(picture.width * scale), math.ceil(picture.height * scale)))
            landscape = picture.width > picture.height
            ImageOps.exif_transpose(picture, in_place=True)
            if (picture.width > picture.height) != landscape:
                size_mm.reverse()
            return Paper(size_mm[0], size_mm[1], _opaque(picture, mode))


def _load_pdf(side: Side, resolution_dpi: int, mode: str) -> Paper:
    with _pdf(side.path) as document:
        width_in, height_in = (points / POINTS_PER_INCH for points in document[side.number].get_size())
    _check_pixels(side.path, math.ceil(width_in * resolution_dpi) * math.ceil(height_in * resolution_dpi))
    picture = _Printed(side, width_in, height_in, resolution_dpi, mode)
    return Paper(width_in * MM_PER_INCH, height_in * MM_PER_INCH, picture)


class _Printed:
    """A page of a PDF as a picture of which some lines are made at a time, when they are seen."""

    def __init__(self, side: Side, width_in: float, height_in: float, resolution_dpi: int, mode: str) -> None:
        self.width = math.ceil(width_in * resolution_dpi)
        self.height = math.ceil(height_in * resolution_dpi)
        self._side = side
        self._scale = resolution_dpi / POINTS_PER_INCH
        self._mode = mode
        self._lines = (0, 0)
        self._strip = Image.new(mode, (1, 1))

    def resize(
        self, size: tuple[int, int], resample: Image.Resampling, box: tuple[float, float, float, float]
    ) -> Image.Image:
        """See `PIL.Image.Image.resize`. Raises DriverFailed, naming the file."""
        top, bottom = max(0, int(box[1]) - MARGIN_LINES), min(self.height, math.ceil(box[3]) + MARGIN_LINES)
        if top < self._lines[0] or bottom > self._lines[1]:
            self._lines = top, max(bottom, min(self.height, top + STRIP_PX // self.width))
            self._strip = self._drawn(*self._lines)
        first = self._lines[0]
        return self._strip.resize(size, resample, (box[0], box[1] - first, box[2], box[3] - first))

    def _drawn(self, top: int, bottom: int) -> Image.Image:
        # The half keeps what is cut off, which is rounded up, from being a line more than it should.
        above, below = (max(0.0, lines - 0.5) / self._scale for lines in (top, self.height - bottom))
        with _naming(self._side.path), _pdf(self._side.path) as document:
            page = document[self._side.number]
            bitmap = page.render(scale=self._scale, grayscale=self._mode == "L", crop=(0, below, 0, above))
            drawn: Image.Image = bitmap.to_pil()
        return drawn if drawn.mode == self._mode else drawn.convert(self._mode)


@contextmanager
def _pdf(path: Path) -> Iterator[Any]:
    # PDFium takes a tenth of a second and 15 MB to load, and few folders hold a PDF.
    import pypdfium2  # type: ignore[import-untyped]

    try:
        with pypdfium2.PdfDocument(path) as document:
            yield document
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DriverFailed(
                f"The PDF {path.name} asks for a password. Save it without one, or take it out of the folder."
            ) from error
        raise _broken(path) from error


def _count(path: Path) -> int:
    """How many pages a file has; one that cannot be read counts as one, which will say what is wrong with it."""
    suffix = path.suffix.lower()
    try:
        with _naming(path):
            if suffix == ".pdf":
                with _pdf(path) as document:
                    return max(1, len(document))
            if suffix in (".tif", ".tiff"):
                with Image.open(path, formats=("TIFF",)) as picture:
                    return max(1, getattr(picture, "n_frames", 1))
    except DriverFailed:
        return 1
    return 1 if suffix in PICTURES else 0


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Raise what Pillow finds wrong with a file as DriverFailed; the size of a picture is checked here, not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Image.DecompressionBombError as error:
            raise _too_large(path) from error
        except _BROKEN as error:
            raise _broken(path) from error


def _broken(path: Path) -> DriverFailed:
    return DriverFailed(
        f"The file {path.name} in the virtual scanner's folder is broken. Repair it or take it out, then press Scan."
    )


def _too_large(path: Path) -> DriverFailed:
    limit = PIXEL_LIMIT // 1_000_000
    return DriverFailed(f"{path.name} has more than {limit} megapixels. Make it smaller or take it out of the folder.")


def _check_pixels(path: Path, pixels: int) -> None:
    if pixels > PIXEL_LIMIT:
        raise _too_large(path)


def _dpi(picture: Image.Image) -> tuple[float, float]:
    """What the file says of itself, where a scanner could have said it."""
    across, down = picture.info.get("dpi", (0, 0))
    if 20 <= across <= 10_000 and 20 <= down <= 10_000:
        return float(across), float(down)
    return USUAL_DPI, USUAL_DPI


def _opaque(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode.startswith("I"):
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        sheet = Image.new("RGBA", picture.size, "white")
        sheet.alpha_composite(picture.convert("RGBA"))
        picture = sheet
    return picture.convert(mode) if picture.mode != mode else picture
