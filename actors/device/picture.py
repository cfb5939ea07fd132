"""What two scans of one sheet have in common: without it, a sheet that was put back would look like another one."""

from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from actors.device.driver import Header
from actors.device.overlap import Likeness
from schemas.page import MM_PER_INCH, Color

Ink = NDArray[np.float32]
"""How dark each pixel is: 0 is paper, 1 is the darkest there is."""
Matrix = NDArray[np.float64]
"""3 by 3: where in a picture that is laid over another one each of its pixels (x, y, 1) comes from."""
FINE_DPI = 100
HALF, COARSE = 2, 4
"""How many times smaller pages are laid over each other first."""
BLANK_MM2 = 12.0
"""A page with less ink tells nothing of itself."""
ANGLES_DEG = [each / 2 for each in range(-6, 7)]
"""How much a sheet may be turned against how it lay before."""
SHIFT_MM = 12.0
RELATED = 0.3
"""Correlation below which two pages have nothing in common."""
BLOCK_MM = 12.0
"""Within so much of a page, paper neither turns nor stretches."""
MARGIN_MM = 5.0
"""Edges, shadows and what a shift has pushed out say nothing."""
DARK = 0.4
"""What is ink, and not a shadow or dust."""
ALONE = 0.18
"""How much darker than all around it in the other scan a place must be to count."""
WINDOW_MM = 4.0
UNEXPLAINED_MM2 = 0.2
"""So much ink in a window that the other scan has not: somebody wrote there, or it is another page."""


@dataclass(frozen=True)
class Picture:
    """A page: small enough to be compared, large enough to tell one digit from another."""

    ink: Ink
    dots_per_mm: float

    @property
    def is_blank(self) -> bool:
        """Whether there is so little on it that it could be any page."""
        return bool((self.ink > DARK).sum() < BLANK_MM2 * self.dots_per_mm**2)

    @cached_property
    def coarse(self) -> Ink:
        """The picture, many times smaller."""
        return _reduced(self.ink, COARSE)

    @cached_property
    def turned(self) -> list[tuple[Matrix, Ink]]:
        """The coarse picture at every angle at which the sheet may have lain."""
        height, width = self.coarse.shape
        return [(turn, _warped(self.coarse, turn)) for turn in (_turn(each, width, height) for each in ANGLES_DEG)]


_NOTHING = Picture(np.zeros((1, 1), np.float32), 0.0)


def shrunk(file: BinaryIO, header: Header) -> Picture:
    """The picture of an image: of its raw lines (see `Header`), or of a JPEG as it came.

    What cannot be decoded is like nothing.
    """
    factor = max(1, round(header.resolution_dpi / FINE_DPI))
    if min(header.width_px, header.height_px) < factor:
        return _NOTHING
    try:
        gray = _decoded(file, header, factor) if header.media_type == "image/jpeg" else _lines(file, header, factor)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        return _NOTHING
    white = np.percentile(gray, 90)
    black = min(np.percentile(gray, 0.5), white - 60)
    ink = np.clip((white - gray) / (white - black), 0, 1).astype(np.float32)
    return Picture(ink, header.resolution_dpi / factor / MM_PER_INCH)


def likeness(kept: Picture, new: Picture) -> Likeness:
    """Whether two pictures show one sheet, fed twice: a little shifted, turned, brighter, noisier."""
    blank = kept.is_blank, new.is_blank
    if all(blank):
        return Likeness.UNSURE
    if any(blank) or not kept.dots_per_mm == new.dots_per_mm > 0:
        return Likeness.DIFFERENT
    return Likeness.SAME if difference_mm2(kept, new) < UNEXPLAINED_MM2 else Likeness.DIFFERENT


def difference_mm2(kept: Picture, new: Picture) -> float:
    """The most ink within a few millimeters that only one of two pictures has, once one is laid over the other."""
    correlation, matrix = _laid_roughly(kept, new)
    if correlation < RELATED:
        return float("inf")
    block = round(BLOCK_MM * kept.dots_per_mm)
    shape = kept.ink.shape
    ink = _padded(new.ink, shape)
    matrix = _scaled(matrix, COARSE / HALF)
    small, small_kept = _reduced(ink, HALF), _reduced(kept.ink, HALF)
    matrix = matrix @ _fitted(small_kept, _warped(small, matrix), block // HALF, reach=5)
    matrix = _scaled(matrix, HALF)
    matrix = matrix @ _fitted(kept.ink, _warped(ink, matrix), block, reach=3)
    laid = _warped(ink, matrix)
    moved = _moved(laid, _shifts(kept.ink, laid, block, reach=2), block, reach=2)
    # Once as a whole, once block by block: paper stretches in the feeder, and a line may lie where two blocks meet.
    alone = _alone(kept.ink, laid, moved.shape) & _alone(kept.ink, moved, moved.shape)
    margin, window = round(MARGIN_MM * kept.dots_per_mm), round(WINDOW_MM * kept.dots_per_mm)
    inner = alone[margin : shape[0] - margin, margin : shape[1] - margin]
    if min(inner.shape) <= window:
        return float("inf")
    return float(_sums(inner, window).max()) / kept.dots_per_mm**2


def _decoded(file: BinaryIO, header: Header, factor: int) -> Ink:
    with PIL.Image.open(file, formats=("JPEG",)) as opened:
        if opened.size != (header.width_px, header.height_px):
            raise ValueError("not the size that was announced")
        size = (header.width_px // factor, header.height_px // factor)
        opened.draft("L", size)
        return np.asarray(opened.convert("L").resize(size, PIL.Image.Resampling.BOX), np.float32)


def _lines(file: BinaryIO, header: Header, factor: int) -> Ink:
    bands = range(header.height_px // factor)
    return np.concatenate([_band(file.read(header.line_bytes * factor), header, factor) for _ in bands])


def _band(data: bytes, header: Header, factor: int) -> Ink:
    """One line of gray, from as many lines as it is times smaller."""
    lines = np.frombuffer(data, np.uint8).reshape(factor, header.line_bytes)
    width = header.width_px // factor
    if header.color is Color.MONO:
        lines = 255 - 255 * np.unpackbits(lines, axis=1)
    samples = 3 if header.color is Color.COLOR else 1
    used = lines[:, : width * factor * samples].reshape(factor, width, factor * samples)
    mean: Ink = used.mean((0, 2), dtype=np.float32)
    return mean[np.newaxis]


def _reduced(ink: Ink, factor: int) -> Ink:
    height, width = (max(1, side // factor) for side in ink.shape)
    used = _padded(ink, (height * factor, width * factor))
    mean: Ink = used.reshape(height, factor, width, factor).mean((1, 3), dtype=np.float32)
    return mean


def _padded(ink: Ink, shape: tuple[int, ...]) -> Ink:
    """The picture, cut or filled up with paper to a size."""
    if ink.shape == shape:
        return ink
    out = np.zeros(shape, np.float32)
    height, width = (min(sides) for sides in zip(ink.shape, shape, strict=True))
    out[:height, :width] = ink[:height, :width]
    return out


def _turn(angle_deg: float, width: int, height: int) -> Matrix:
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    x, y = width / 2, height / 2
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])


def _scaled(matrix: Matrix, factor: float) -> Matrix:
    """The same for pictures that are so many times larger."""
    return np.diag([factor, factor, 1]) @ matrix @ np.diag([1 / factor, 1 / factor, 1])


def _warped(ink: Ink, matrix: Matrix) -> Ink:
    picture = PIL.Image.fromarray(ink)
    size, how = picture.size, PIL.Image.Resampling.BILINEAR
    moved = picture.transform(size, PIL.Image.Transform.AFFINE, tuple(matrix[:2].ravel()), how)
    return np.asarray(moved, np.float32)


def _laid_roughly(kept: Picture, new: Picture) -> tuple[float, Matrix]:
    """How well the coarse pictures correlate at best, and how the new one must be laid for that."""
    reach = round(SHIFT_MM * kept.dots_per_mm / COARSE)
    shape = tuple(max(sides) + reach for sides in zip(kept.coarse.shape, new.coarse.shape, strict=True))
    ours, our_norm = _spectrum(kept.coarse, shape)
    best = -1.0, np.eye(3)
    for turn, turned in new.turned:
        theirs, norm = _spectrum(turned, shape)
        products = np.roll(np.fft.irfft2(ours * np.conj(theirs), shape), (reach, reach), (0, 1))
        near = products[: 2 * reach + 1, : 2 * reach + 1]
        down, right = np.unravel_index(near.argmax(), near.shape)
        correlation = float(near[down, right] / our_norm / norm)
        if correlation > best[0]:
            best = correlation, turn @ np.array([[1, 0, reach - right], [0, 1, reach - down], [0, 0, 1.0]])
    return best


def _spectrum(ink: Ink, shape: tuple[int, ...]) -> tuple[NDArray[np.complex128], float]:
    centered = ink - ink.mean()
    return np.fft.rfft2(centered, shape), float(np.linalg.norm(centered)) + 1e-6


def _shifts(kept: Ink, laid: Ink, block: int, reach: int) -> NDArray[np.int_]:
    """By how much each block is still off: rows by columns by (down, right)."""
    rows, columns = (side // block for side in kept.shape)
    height, width = rows * block, columns * block
    ours, theirs = kept[:height, :width], np.pad(laid, reach)
    least = np.full((rows, columns), np.inf)
    found = np.zeros((rows, columns, 2), int)
    steps = range(-reach, reach + 1)
    # Nearest first: what is as good further away is not better.
    for down, right in sorted(((y, x) for y in steps for x in steps), key=lambda step: step[0] ** 2 + step[1] ** 2):
        moved = theirs[reach + down : reach + down + height, reach + right : reach + right + width]
        errors = ((ours - moved) ** 2).reshape(rows, block, columns, block).sum((1, 3))
        better = errors < least - 1e-3
        least[better] = errors[better]
        found[better] = down, right
    return found


def _fitted(kept: Ink, laid: Ink, block: int, reach: int) -> Matrix:
    """How the laid picture must be moved as a whole, after what most blocks with ink say."""
    shifts = _shifts(kept, laid, block, reach)
    rows, columns = shifts.shape[:2]
    blocks = kept[: rows * block, : columns * block].reshape(rows, block, columns, block)
    inky = (blocks.std((1, 3)) > 0.08).ravel()
    down, right = np.mgrid[:rows, :columns]
    places = np.stack([(right.ravel() + 0.5) * block, (down.ravel() + 0.5) * block, np.ones(rows * columns)], 1)
    wanted = shifts.reshape(-1, 2)[:, ::-1]
    moves = np.zeros((3, 2))
    agreeing = inky
    for tolerance in (3.0, 2.0, 1.2, 1.2):
        if agreeing.sum() < 6:
            return np.eye(3)
        moves = np.linalg.lstsq(places[agreeing], wanted[agreeing], rcond=None)[0]
        agreeing = inky & (np.abs(places @ moves - wanted).max(1) < tolerance)
    return np.eye(3) + np.vstack([moves.T, np.zeros(3)])


def _moved(laid: Ink, shifts: NDArray[np.int_], block: int, reach: int) -> Ink:
    """The picture with each block where it belongs."""
    rows, columns = shifts.shape[:2]
    theirs = np.pad(laid, reach)
    out = np.empty((rows * block, columns * block), np.float32)
    for row in range(rows):
        for column in range(columns):
            top, left = row * block, column * block
            down, right = shifts[row, column] + reach + (top, left)
            out[top : top + block, left : left + block] = theirs[down : down + block, right : right + block]
    return out


def _alone(kept: Ink, laid: Ink, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where only one of them has ink."""
    # Both softened: one of them was when it was laid over the other, and a thin line would be paler for that.
    ours, theirs = (_softened(each[: shape[0], : shape[1]]) for each in (kept, laid))
    alone: NDArray[np.bool_] = np.maximum(ours - _spread(theirs), theirs - _spread(ours)) > ALONE
    return alone


def _softened(ink: Ink) -> Ink:
    tall = (np.roll(ink, 1, 0) + 2 * ink + np.roll(ink, -1, 0)) / 4
    return ((np.roll(tall, 1, 1) + 2 * tall + np.roll(tall, -1, 1)) / 4).astype(np.float32)


def _spread(ink: Ink) -> Ink:
    """Each pixel as dark as it could be half a pixel away: that is how exactly pages are laid over each other."""
    tall = np.maximum(ink, (ink + np.maximum(np.roll(ink, 1, 0), np.roll(ink, -1, 0))) / 2)
    wide: Ink = np.maximum(tall, (tall + np.maximum(np.roll(tall, 1, 1), np.roll(tall, -1, 1))) / 2)
    return wide


def _sums(where: NDArray[np.bool_], window: int) -> NDArray[np.int32]:
    """How many are true in each window."""
    sums: NDArray[np.int32] = np.pad(where.astype(np.int32), ((1, 0), (1, 0))).cumsum(0, np.int32).cumsum(1, np.int32)
    tall = sums[window:] - sums[:-window]
    return tall[:, window:] - tall[:, :-window]
