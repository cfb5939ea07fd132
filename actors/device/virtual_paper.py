"""The virtual scanner's paper: without it, files in a folder would not be sides of sheets with a size."""

import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from schemas.device import Area
from schemas.errors import DriverFailed
from schemas.page import MM_PER_INCH

FORMATS = ("JPEG", "PNG", "TIFF", "PPM", "BMP", "WEBP")
PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".bmp", ".webp"}
PIXEL_LIMIT = 200_000_000
USUAL_DPI = 200.0
BACKGROUND = 240
"""The gray of the scanner's own lid, beyond the paper."""

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


@dataclass(frozen=True)
class Paper:
    """One side of a sheet with its true size; without a picture it is blank."""

    width_mm: float
    height_mm: float
    picture: Image.Image | None = None

    def seen(self, area: Area, resolution_dpi: int, mode: str) -> Image.Image:
        """What lies below `area` in `mode` L or RGB; the paper's corner is the top left one of the glass."""
        dots = resolution_dpi / MM_PER_INCH
        size = (max(1, round(area.width_mm * dots)), max(1, round(area.height_mm * dots)))
        right = min(self.width_mm, area.left_mm + area.width_mm)
        bottom = min(self.height_mm, area.top_mm + area.height_mm)
        part = (
            min(size[0], round((right - area.left_mm) * dots)),
            min(size[1], round((bottom - area.top_mm) * dots)),
        )
        covered = min(part) > 0
        if self.picture is None or not covered:
            view = Image.new(mode, size, _gray(mode, BACKGROUND))
            if covered:
                view.paste(_gray(mode, 255), (0, 0, *part))
            return view
        across, down = self.picture.width / self.width_mm, self.picture.height / self.height_mm
        box = (
            area.left_mm * across,
            area.top_mm * down,
            min(self.picture.width, right * across),
            min(self.picture.height, bottom * down),
        )
        finer = part[0] > box[2] - box[0]
        seen = self.picture.resize(part, Image.Resampling.BICUBIC if finer else Image.Resampling.BILINEAR, box)
        if seen.mode != mode:
            seen = seen.convert(mode)
        if part == size:
            return seen
        view = Image.new(mode, size, _gray(mode, BACKGROUND))
        view.paste(seen, (0, 0))
        return view


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
            upright = ImageOps.exif_transpose(picture)
            if (upright.width > upright.height) != (picture.width > picture.height):
                size_mm.reverse()
            return Paper(size_mm[0], size_mm[1], _opaque(upright, mode))


def _load_pdf(side: Side, resolution_dpi: int, mode: str) -> Paper:
    with _pdf(side.path) as document:
        page = document[side.number]
        width_in, height_in = (points / 72 for points in page.get_size())
        _check_pixels(side.path, math.ceil(width_in * resolution_dpi) * math.ceil(height_in * resolution_dpi))
        bitmap = page.render(scale=resolution_dpi / 72, grayscale=mode == "L")
        picture = bitmap.to_pil().convert(mode)
    return Paper(width_in * MM_PER_INCH, height_in * MM_PER_INCH, picture)


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
    # Without a copy, the picture would go when its file is closed.
    return picture.convert(mode) if picture.mode != mode else picture.copy()


def _gray(mode: str, level: int) -> int | tuple[int, int, int]:
    return level if mode == "L" else (level, level, level)
