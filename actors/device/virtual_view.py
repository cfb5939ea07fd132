"""What the virtual scanner sees, some lines at a time: without it, a page at 600 dpi would lie whole in memory."""

from collections.abc import Iterator

from PIL import Image

from actors.device.virtual_paper import Paper
from schemas.device import Area
from schemas.page import MM_PER_INCH, Color

BACKGROUND = 240
"""The gray of the scanner's own lid, beyond the paper."""
BANDS = 24
"""Pieces in which a page is delivered, at least: how often progress is seen and a stop is heard."""
BAND_PX = 350_000


class View:
    """What lies below `area`, as `color` and with these corrections; the paper's corner is the top left one there."""

    def __init__(
        self, paper: Paper, area: Area, resolution_dpi: int, color: Color, brightness: int = 0, contrast: int = 0
    ) -> None:
        dots = resolution_dpi / MM_PER_INCH
        self.width_px = max(1, round(area.width_mm * dots))
        self.height_px = max(1, round(area.height_mm * dots))
        self._color = color
        self._mode = "RGB" if color == Color.COLOR else "L"
        self._curve = _curve(brightness, contrast)
        self._paper = paper
        self._left_mm, self._top_mm = area.left_mm, area.top_mm
        self._right_mm = min(paper.width_mm, area.left_mm + area.width_mm)
        self._bottom_mm = min(paper.height_mm, area.top_mm + area.height_mm)
        self._covered_px = min(self.width_px, round((self._right_mm - area.left_mm) * dots))
        self._covered_lines = min(self.height_px, round((self._bottom_mm - area.top_mm) * dots))

    @property
    def band_lines(self) -> int:
        """How many lines a band has, all but the last one."""
        return max(1, min(-(-self.height_px // BANDS), BAND_PX // self.width_px))

    def bands(self) -> Iterator[bytes]:
        """Raw pixels from the top, as `Header` defines them."""
        if self._color != Color.MONO:
            yield from (band.tobytes() for band in self._shades())
            return
        # Where dark ends, only the whole page tells: it is seen twice, and never held.
        histogram = [0] * 256
        for band in self._shades():
            histogram = [count + more for count, more in zip(histogram, band.histogram(), strict=True)]
        threshold = _threshold(histogram)
        black_is_1 = [255 if value < threshold else 0 for value in range(256)]
        yield from (band.point(black_is_1, "1").tobytes() for band in self._shades())

    def _shades(self) -> Iterator[Image.Image]:
        for top in range(0, self.height_px, self.band_lines):
            band = self._seen(top, min(self.height_px, top + self.band_lines))
            yield band.point(self._curve * len(band.getbands())) if self._curve else band

    def _seen(self, top: int, bottom: int) -> Image.Image:
        size = (self.width_px, bottom - top)
        part = (self._covered_px, min(bottom, self._covered_lines) - top)
        if min(part) <= 0:
            return Image.new(self._mode, size, self._gray(BACKGROUND))
        printed = self._printed(top, part)
        if part == size:
            return printed
        view = Image.new(self._mode, size, self._gray(BACKGROUND))
        view.paste(printed, (0, 0))
        return view

    def _printed(self, top: int, size: tuple[int, int]) -> Image.Image:
        picture = self._paper.picture
        if picture is None:
            return Image.new(self._mode, size, self._gray(255))
        across, down = picture.width / self._paper.width_mm, picture.height / self._paper.height_mm
        line = (self._bottom_mm - self._top_mm) * down / self._covered_lines
        box = (
            self._left_mm * across,
            self._top_mm * down + top * line,
            min(picture.width, self._right_mm * across),
            min(picture.height, self._top_mm * down + (top + size[1]) * line),
        )
        finer = size[0] > box[2] - box[0]
        seen = picture.resize(size, Image.Resampling.BICUBIC if finer else Image.Resampling.BILINEAR, box)
        return seen if seen.mode == self._mode else seen.convert(self._mode)

    def _gray(self, level: int) -> int | tuple[int, int, int]:
        return level if self._mode == "L" else (level, level, level)


def _curve(brightness: int, contrast: int) -> list[int]:
    """What becomes of each level; empty: it stays as it is."""
    if not (brightness or contrast):
        return []
    gain = 4 ** (contrast / 100)
    return [max(0, min(255, round((value - 128) * gain + 128 + 1.28 * brightness))) for value in range(256)]


def _threshold(histogram: list[int]) -> int:
    """Where dark ends, after Otsu; bounded, so that an empty page stays empty."""
    total, weighted = sum(histogram), sum(level * count for level, count in enumerate(histogram))
    below = below_weighted = 0
    best, best_spread = 128, 0.0
    for level, count in enumerate(histogram):
        if 0 < below < total:
            apart = below_weighted / below - (weighted - below_weighted) / (total - below)
            spread = below * (total - below) * apart * apart
            if spread > best_spread:
                best, best_spread = level, spread
        below += count
        below_weighted += level * count
    return max(80, min(176, best))
