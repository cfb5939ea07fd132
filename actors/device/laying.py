"""How one scan must be moved to lie over another: without it, a sheet that was fed askew would look like a new one."""

import numpy as np
import PIL.Image
from numpy.typing import NDArray

Ink = NDArray[np.uint8]
"""How dark each pixel is: 0 is paper, 255 is the darkest there is."""
Matrix = NDArray[np.float64]
"""3 by 3: where in a picture that is laid over another one each of its places (x, y, 1) comes from."""
Moves = NDArray[np.float64]
"""Rows by columns by (down, right), in pixels."""
_SURE = 0.02
"""How sharply a block must tell where it belongs to be believed."""


def turn(angle_deg: float, width: int, height: int) -> Matrix:
    """The matrix that turns a picture of this size around its middle."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    x, y = width / 2, height / 2
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])


def scaled(matrix: Matrix, factor: float) -> Matrix:
    """The same for pictures that are so many times larger."""
    return np.diag([factor, factor, 1]) @ matrix @ np.diag([1 / factor, 1 / factor, 1])


def padded(ink: Ink, shape: tuple[int, ...]) -> Ink:
    """The picture, cut or filled up with paper to a size."""
    if ink.shape == shape:
        return ink
    out = np.zeros(shape, np.uint8)
    height, width = (min(sides) for sides in zip(ink.shape, shape, strict=True))
    out[:height, :width] = ink[:height, :width]
    return out


def warped(ink: Ink, matrix: Matrix) -> Ink:
    """The picture, moved as a whole."""
    picture = PIL.Image.fromarray(ink)
    size, how = picture.size, PIL.Image.Resampling.BILINEAR
    return np.asarray(picture.transform(size, PIL.Image.Transform.AFFINE, tuple(matrix[:2].ravel()), how))


def bent(ink: Ink, matrix: Matrix, moves: Moves, block: int) -> Ink:
    """The picture, moved as a whole, and then so that the corners of its blocks move: paper stretches in a feeder."""
    rows, columns = moves.shape[0] - 1, moves.shape[1] - 1
    down, right = np.mgrid[: rows + 1, : columns + 1] * float(block)
    places = np.stack([right + moves[..., 1], down + moves[..., 0], np.ones_like(down)], 2)
    from_ = (places @ matrix.T)[..., :2]
    mesh = [
        (
            (column * block, row * block, (column + 1) * block, (row + 1) * block),
            tuple(from_[[row, row + 1, row + 1, row], [column, column, column + 1, column + 1]].ravel()),
        )
        for row, column in np.ndindex(rows, columns)
    ]
    picture = PIL.Image.fromarray(ink)
    return np.asarray(picture.transform(picture.size, PIL.Image.Transform.MESH, mesh, PIL.Image.Resampling.BILINEAR))


def shifts(kept: Ink, laid: Ink, block: int, reach: int) -> tuple[Moves, Moves]:
    """By how much each block is still off, in parts of pixels, and how sure each of the two directions is (about 1)."""
    rows, columns = (side // block for side in kept.shape)
    height, width = rows * block, columns * block
    ours = kept[:height, :width].astype(np.int16)
    theirs = np.pad(laid.astype(np.int16), reach)
    steps = np.arange(2 * reach + 1)
    errors = np.empty((steps.size, steps.size, rows, columns))
    for down, right in np.ndindex(steps.size, steps.size):
        off = (ours - theirs[down : down + height, right : right + width]).astype(np.float32)
        off *= off
        tall = np.add.reduceat(off, np.arange(0, height, block), 0)
        errors[down, right] = np.add.reduceat(tall, np.arange(0, width, block), 1)
    # What is as good further away is not better.
    far = np.abs(steps - reach)
    least = (errors + (far[:, None] + far)[..., None, None]).reshape(-1, rows, columns).argmin(0)
    best = least // steps.size, least % steps.size
    found, sure = np.empty((rows, columns, 2)), np.empty((rows, columns, 2))
    row, column = np.indices((rows, columns))
    for axis in (0, 1):
        middle = np.clip(best[axis], 1, steps.size - 2)
        at = [(best[0], middle + step) if axis else (middle + step, best[1]) for step in (-1, 0, 1)]
        before, here, after = (errors[down, right, row, column] for down, right in at)
        bend = np.maximum(before - 2 * here + after, 0)
        found[..., axis] = (
            middle - reach + np.where(bend > 1, (before - after) / (2 * np.maximum(bend, 1)), 0).clip(-1, 1)
        )
        sure[..., axis] = bend / (block * 255.0**2)
    return found, sure


def fitted(kept: Ink, laid: Ink, block: int, reach: int) -> Matrix:
    """How the laid picture must be moved as a whole, after what most blocks with ink say."""
    found, sure = (each.reshape(-1, 2) for each in shifts(kept, laid, block, reach))
    down, right = np.divmod(np.arange(len(found)), kept.shape[1] // block)
    places = np.stack([(right + 0.5) * block, (down + 0.5) * block, np.ones(len(found))], 1)
    matrix = np.eye(3)
    for axis, line in ((1, 0), (0, 1)):
        wanted, telling = found[:, axis], sure[:, axis] > _SURE
        weights = np.sqrt(np.minimum(sure[:, axis], 1))
        moves: NDArray[np.float64] = np.zeros(3)
        agreeing = telling
        for tolerance in (3.0, 2.0, 1.0, 0.6):
            if agreeing.sum() < 3:
                break
            # A few blocks tell where the picture lies, but not how it is turned.
            basis = places * ((0, 0, 1) if agreeing.sum() < 6 else (1, 1, 1)) * weights[:, None]
            moves = np.asarray(
                np.linalg.lstsq(basis[agreeing], (wanted * weights)[agreeing], rcond=None)[0], np.float64
            )
            agreeing = telling & (np.abs(places @ moves - wanted) < tolerance)
        matrix[line] += moves
    return matrix


def corners(found: Moves, sure: Moves) -> Moves:
    """By how much the corners of blocks are off, after the blocks around them: a row and a column more."""
    rows, columns = found.shape[:2]
    trust = np.minimum(sure, 1)
    moves = np.zeros((rows + 1, columns + 1, 2))
    weights = np.full_like(moves, _SURE)
    for down, right in np.ndindex(2, 2):
        moves[down : down + rows, right : right + columns] += found * trust
        weights[down : down + rows, right : right + columns] += trust
    return moves / weights
