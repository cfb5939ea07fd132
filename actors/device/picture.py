"""A page as small as it can be compared with others: without it, comparing would take the memory of whole scans."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from actors.device.driver import Header
from actors.device.laying import Ink, Matrix, turn, warped
from schemas.page import MM_PER_INCH, Color

FINE_DPI = 200
DOTS_PER_MM = FINE_DPI / MM_PER_INCH
MIDDLE, HALF, COARSE = 2, 4, 8
"""How many times smaller pages are laid over each other first."""
BLANK_MM2 = 12.0
"""A page with less ink tells nothing of itself."""
ANGLES_DEG = [each / 2 for each in range(-6, 7)]
"""How much a sheet may be turned against how it lay before."""
DARK = 102
"""What is ink, and not a shadow or dust."""
_BAND = 64
_RAW = {Color.COLOR: ("RGB", "RGB"), Color.GRAY: ("L", "L"), Color.MONO: ("1", "1;I")}

Shape = tuple[int, int]
Spectrum = tuple[NDArray[np.complex128], float]
"""Of a picture whose mean is 0, and how strong it is."""


@dataclass(frozen=True)
class Picture:
    """A page at 200 dpi, whatever it was scanned at: large enough to tell one digit from another."""

    ink: Ink
    is_mono: bool = False
    _spectra: dict[Shape, Spectrum] = field(default_factory=dict)
    _turned: dict[Shape, list[tuple[Matrix, NDArray[np.complex128], float]]] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Whether there is so little on it that it could be any page."""
        return bool((self.middle > DARK).sum() < BLANK_MM2 * (DOTS_PER_MM / MIDDLE) ** 2)

    @cached_property
    def middle(self) -> Ink:
        """The picture, smaller."""
        return _reduced(self.ink, MIDDLE)

    @cached_property
    def half(self) -> Ink:
        """The picture, still smaller."""
        return _reduced(self.ink, HALF)

    @cached_property
    def coarse(self) -> Ink:
        """The picture, many times smaller."""
        return _reduced(self.ink, COARSE)

    def spectrum(self, shape: Shape) -> Spectrum:
        """Of the coarse picture, filled up to this shape."""
        if shape not in self._spectra:
            self._spectra[shape] = _spectrum(self.coarse, shape)
        return self._spectra[shape]

    def turned_spectra(self, shape: Shape) -> list[tuple[Matrix, NDArray[np.complex128], float]]:
        """The same at every angle at which the sheet may have lain."""
        if shape not in self._turned:
            height, width = self.coarse.shape
            turns = [turn(each, width, height) for each in ANGLES_DEG]
            self._turned[shape] = [(each, *_spectrum(warped(self.coarse, each), shape)) for each in turns]
        return self._turned[shape]


_NOTHING = Picture(np.zeros((1, 1), np.uint8))


def shrunk(file: BinaryIO, header: Header) -> Picture:
    """The picture of an image: of its raw lines (see `Header`), or of a JPEG as it came.

    What cannot be decoded is like nothing.
    """
    factor = max(1, header.resolution_dpi // FINE_DPI)
    if min(header.width_px, header.height_px) < factor:
        return _NOTHING
    try:
        page = _decoded(file, header, factor) if header.media_type == "image/jpeg" else _lines(file, header, factor)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        return _NOTHING
    times = FINE_DPI * factor / header.resolution_dpi
    size = max(1, round(page.width * times)), max(1, round(page.height * times))
    levels = np.cumsum(page.histogram()) / (page.width * page.height)
    white, black = np.searchsorted(levels, (0.9, 0.005))
    black = min(black, white - 60)
    table = np.clip((white - np.arange(256)) * 255.0 / (white - black), 0, 255).astype(np.uint8)
    ink = table[np.asarray(page.resize(size, PIL.Image.Resampling.BILINEAR))]
    return Picture(ink, is_mono=header.color is Color.MONO)


def _decoded(file: BinaryIO, header: Header, factor: int) -> PIL.Image.Image:
    with PIL.Image.open(file, formats=("JPEG",)) as opened:
        if opened.size != (header.width_px, header.height_px):
            raise ValueError("not the size that was announced")
        size = header.width_px // factor, header.height_px // factor
        opened.draft("L", size)
        return opened.convert("L").resize(size, PIL.Image.Resampling.BOX)


def _lines(file: BinaryIO, header: Header, factor: int) -> PIL.Image.Image:
    page = PIL.Image.new("L", (header.width_px // factor, header.height_px // factor))
    mode, raw = _RAW[header.color]
    for top in range(0, page.height, _BAND):
        height = min(_BAND, page.height - top) * factor
        data = file.read(header.line_bytes * height)
        band = PIL.Image.frombytes(mode, (header.width_px, height), data, "raw", raw)
        page.paste(band.convert("L").reduce(factor), (0, top))
    return page


def _reduced(ink: Ink, factor: int) -> Ink:
    return np.asarray(PIL.Image.fromarray(ink).reduce(factor))


def _spectrum(ink: Ink, shape: Shape) -> Spectrum:
    centered = ink - ink.mean()
    return np.fft.rfft2(centered, shape), float(np.sqrt((centered**2).sum())) + 1e-6
