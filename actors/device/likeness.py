"""Whether two scans show one sheet: without it, a sheet that was put back would be kept as another page."""

import numpy as np
from numpy.typing import NDArray

from actors.device.laying import Ink, Matrix, bent, corners, fitted, padded, scaled, shifts, warped
from actors.device.overlap import Likeness
from actors.device.picture import COARSE, DOTS_PER_MM, HALF, MIDDLE, Picture

SHIFT_MM = 12.0
RELATED = 0.5
"""Correlation below which two pages have nothing in common."""
BLOCK_MM = 12.0
"""Within so much of a page, paper neither turns nor stretches much."""
BEND_MM = 8.0
MARGIN_MM = 5.0
"""Edges, shadows and what a shift has pushed out say nothing."""
ALONE = 0.2
"""How much darker than all around it in the other scan a place must be to count."""
ALONE_MONO = 0.4
"""The same where each dot is black or white: thin strokes come and go with how the dots lie."""
WINDOW_MM = 2.0
GROSS_MM2 = 1.0
"""So much even in small pictures that nobody needs to look closer."""
UNEXPLAINED_MM2 = 0.03
"""So much ink in a window that the other scan has not: it is another page, if only by one digit."""


def likeness(kept: Picture, new: Picture) -> Likeness:
    """Whether two pictures show one sheet, fed twice: a little shifted, turned, stretched, brighter, noisier."""
    blank = kept.is_blank, new.is_blank
    if all(blank):
        return Likeness.UNSURE
    if any(blank):
        return Likeness.DIFFERENT
    # What is laid over itself need not fit best where it lies.
    if not np.array_equal(kept.ink, new.ink) and difference_mm2(kept, new) >= UNEXPLAINED_MM2:
        return Likeness.DIFFERENT
    # Where each dot is black or white, a small 6 is too like an 8: then only somebody who put sheets back is believed.
    return Likeness.UNSURE if kept.is_mono or new.is_mono else Likeness.SAME


def difference_mm2(kept: Picture, new: Picture) -> float:
    """The most ink within a few millimeters that only one of two pictures has, once one is laid over the other."""
    correlation, matrix = _laid_roughly(kept, new)
    if correlation < RELATED:
        return float("inf")
    matrix, rough = _laid_as_a_whole(kept, new, matrix)
    size = tuple(min(sides) for sides in zip(kept.ink.shape, new.ink.shape, strict=True))
    gross = _unexplained_mm2(kept.half, rough, size, HALF, ALONE_MONO)
    if gross > GROSS_MM2:
        return gross
    threshold = ALONE_MONO if kept.is_mono or new.is_mono else ALONE
    return _unexplained_mm2(kept.ink, _laid(kept, new, matrix), size, 1, threshold)


def _unexplained_mm2(kept: Ink, laid: Ink, size: tuple[int, ...], times: int, threshold: float) -> float:
    """The same of pictures that are so many times smaller than those whose common size is given."""
    dots_per_mm = DOTS_PER_MM / times
    margin, window = round(MARGIN_MM * dots_per_mm), round(WINDOW_MM * dots_per_mm)
    # Of two scans that are not equally long, one tells nothing of the rest of the other.
    height, width = (side // times - margin for side in size)
    alone = _alone(kept, padded(laid, kept.shape), threshold)[margin:height, margin:width]
    if min(alone.shape) <= window:
        return float("inf")
    return float(_sums(alone, window).max()) / dots_per_mm**2


def _laid_roughly(kept: Picture, new: Picture) -> tuple[float, Matrix]:
    """How well the coarse pictures correlate at best, and how the new one must be laid for that."""
    reach = round(SHIFT_MM * DOTS_PER_MM / COARSE)
    # Multiples, so that sheets of about one size need one spectrum each.
    height, width = (
        -(-(max(sides) + reach) // 32) * 32 for sides in zip(kept.coarse.shape, new.coarse.shape, strict=True)
    )
    ours, our_norm = kept.spectrum((height, width))
    best = -1.0, np.eye(3)
    for turned, theirs, norm in new.turned_spectra((height, width)):
        products = np.fft.irfft2(ours * np.conj(theirs), (height, width))
        near = np.roll(products, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
        down, right = np.unravel_index(near.argmax(), near.shape)
        correlation = float(near[down, right] / our_norm / norm)
        if correlation > best[0]:
            best = correlation, turned @ np.array([[1, 0, reach - right], [0, 1, reach - down], [0, 0, 1.0]])
    return best


def _laid_as_a_whole(kept: Picture, new: Picture, matrix: Matrix) -> tuple[Matrix, Ink]:
    """How the new picture must be laid, from how that is roughly; and how it then looks, as it is laid."""
    block = round(BLOCK_MM * DOTS_PER_MM / HALF)
    theirs = padded(new.half, kept.half.shape)
    matrix = scaled(matrix, COARSE / HALF)
    for reach in (5, 2):
        matrix = matrix @ fitted(kept.half, warped(theirs, matrix), block, reach)
    return matrix, warped(theirs, matrix)


def _laid(kept: Picture, new: Picture, matrix: Matrix) -> Ink:
    """The new picture where the kept one lies, when it is known how it must be laid as a whole."""
    bend = round(BEND_MM * DOTS_PER_MM / HALF)
    height, width = (-(-side // (bend * HALF)) * bend for side in kept.ink.shape)
    ours, theirs = (padded(each.half, (height, width)) for each in (kept, new))
    moves = corners(*shifts(ours, warped(theirs, matrix), bend, reach=2))
    times = HALF // MIDDLE
    matrix, moves, bend = scaled(matrix, times), moves * times, bend * times
    ours, theirs = (padded(each.middle, (height * times, width * times)) for each in (kept, new))
    moves = moves + corners(*shifts(ours, bent(theirs, matrix, moves, bend), bend, reach=1))
    whole = padded(new.ink, (height * HALF, width * HALF))
    return bent(whole, scaled(matrix, MIDDLE), moves * MIDDLE, bend * MIDDLE)


def _alone(kept: Ink, laid: Ink, threshold: float) -> NDArray[np.bool_]:
    """Where only one of them has ink."""
    ours, theirs = _softened(kept), _softened(laid)
    our_spread, their_spread = _spread(ours), _spread(theirs)
    only_ours = np.maximum(ours, their_spread) - their_spread
    only_theirs = np.maximum(theirs, our_spread) - our_spread
    alone: NDArray[np.bool_] = np.maximum(only_ours, only_theirs) > threshold * 255
    return alone


def _softened(ink: Ink) -> Ink:
    """Without what one dot alone does."""
    soft = ink.astype(np.uint16)
    soft[1:-1] = (soft[:-2] + 2 * soft[1:-1] + soft[2:]) >> 2
    soft[:, 1:-1] = (soft[:, :-2] + 2 * soft[:, 1:-1] + soft[:, 2:]) >> 2
    return soft.astype(np.uint8)


def _spread(ink: Ink) -> Ink:
    """Each pixel as dark as the darkest beside it: that is how exactly pages are laid over each other."""
    dark = ink.copy()
    np.maximum(dark[1:], ink[:-1], out=dark[1:])
    np.maximum(dark[:-1], ink[1:], out=dark[:-1])
    np.maximum(dark[:, 1:], ink[:, :-1], out=dark[:, 1:])
    np.maximum(dark[:, :-1], ink[:, 1:], out=dark[:, :-1])
    return dark


def _sums(where: NDArray[np.bool_], window: int) -> NDArray[np.int32]:
    """How many are true in each window."""
    sums: NDArray[np.int32] = np.pad(where.astype(np.int32), ((1, 0), (1, 0))).cumsum(0, np.int32).cumsum(1, np.int32)
    tall = sums[window:] - sums[:-window]
    return tall[:, window:] - tall[:, :-window]
