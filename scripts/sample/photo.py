"""Draws a landscape that passes for a photo: without it, no sample page would have continuous tones."""

# ruff: noqa: S311 - drawings need repeatable numbers, not secret ones

import random
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from scripts.sample.paper import Rgb, Sheet, noise, px, scanned


def fractal(size: tuple[int, int], rng: random.Random, coarse: int, octaves: int) -> Image.Image:
    """Cloudy gray of full contrast: noise of every scale from `coarse` cells across."""
    sky = Image.new("L", size, 128)
    for octave in range(octaves):
        cells = coarse << octave
        grid = (cells, max(2, cells * 2 * size[1] // size[0]))
        layer = Image.frombytes("L", grid, rng.randbytes(grid[0] * grid[1])).resize(size, Image.Resampling.BICUBIC)
        sky = Image.blend(sky, layer, 0.62 ** (octave + 1) if octave else 0.8)
    return sky


def gradient(size: tuple[int, int], stops: list[tuple[float, Rgb]]) -> Image.Image:
    """A vertical gradient through colors at heights from 0 to 1."""
    column = Image.new("RGB", (1, size[1]))
    for y in range(size[1]):
        at = y / (size[1] - 1)
        (low, first), (high, second) = next(pair for pair in pairwise(stops) if at <= pair[1][0])
        share = (at - low) / (high - low)
        column.putpixel((0, y), tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True)))
    return column.resize(size)


def ridge(width: int, rng: random.Random, base: float, rough: float) -> list[float]:
    """Heights of a skyline by midpoint displacement."""
    heights = [base + rng.uniform(-rough, rough) for _ in range(4)]
    while len(heights) < width:
        rough *= 0.56
        between = [(a + b) / 2 + rng.uniform(-rough, rough) for a, b in pairwise(heights)]
        heights = [value for pair in zip(heights, between, strict=False) for value in pair] + heights[-1:]
    return [heights[round(x * (len(heights) - 1) / (width - 1))] for x in range(width)]


def landscape(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Mountains over a lake in the evening."""
    width, height = size
    shore = round(height * 0.66)
    view = gradient(
        (width, shore), [(0, (62, 104, 160)), (0.55, (158, 178, 196)), (0.85, (244, 206, 160)), (1, (250, 190, 130))]
    )
    glow = (
        ImageChops.invert(Image.radial_gradient("L")).resize((width, width)).point([v * v // 255 for v in range(256)])
    )
    mask = Image.new("L", view.size, 0)
    mask.paste(glow.point([v * 4 // 5 for v in range(256)]), (round(width * 0.2), shore - round(width * 0.62)))
    view.paste((255, 236, 190), (0, 0), mask)
    clouds = fractal(view.size, rng, 4, 6).point([max(0, min(215, (v - 128) * 5)) for v in range(256)])
    fade = Image.linear_gradient("L").resize(view.size).point([255 - v * 3 // 4 for v in range(256)])
    view.paste((255, 240, 226), (0, 0), ImageChops.multiply(clouds, fade))

    for base, rough, far, near in (
        (0.50, 0.20, (132, 144, 170), (176, 170, 176)),
        (0.66, 0.16, (88, 100, 124), (128, 130, 142)),
        (0.84, 0.09, (46, 62, 62), (72, 84, 78)),
    ):
        heights = ridge(width, rng, base * shore, rough * shore)
        shape = Image.new("L", view.size, 0)
        ImageDraw.Draw(shape).polygon([(0, shore), *enumerate(heights), (width, shore)], 255)
        slopes = gradient(view.size, [(0, far), (base - rough, far), (1, near)])
        relief = fractal(view.size, rng, 10, 5).filter(ImageFilter.EMBOSS).filter(ImageFilter.GaussianBlur(1.2))
        relief = relief.point([max(0, min(255, 128 + (v - 128) * 3)) for v in range(256)])
        slopes = ImageChops.overlay(slopes, Image.merge("RGB", [relief] * 3))
        view.paste(slopes, (0, 0), shape.filter(ImageFilter.GaussianBlur(0.8)))

    picture = Image.new("RGB", size)
    picture.paste(view, (0, 0))
    water = view.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((width, height - shore))
    water = water.filter(ImageFilter.GaussianBlur(2.5))
    ripples = fractal((width // 12, height - shore), rng, 12, 4).resize(water.size, Image.Resampling.BICUBIC)
    ripples = ripples.point([max(0, min(255, 96 + (v - 128) // 2)) for v in range(256)])
    picture.paste(ImageChops.overlay(water, Image.merge("RGB", [ripples] * 3)), (0, shore))

    draw = ImageDraw.Draw(picture)
    bank = ridge(width, rng, height * 0.93, height * 0.03)
    draw.polygon([(0, height), *enumerate(bank), (width, height)], (24, 30, 24))
    for _ in range(900):
        x = rng.randrange(width)
        draw.line((x, bank[x] + 8, x + rng.uniform(-6, 6), bank[x] - rng.uniform(4, 20)), (28, 36, 24), 2)
    for center, tall in ((0.07, 0.62), (0.13, 0.46), (0.02, 0.38), (0.93, 0.50), (0.985, 0.66)):
        _fir(draw, rng, center * width, height * 0.97, tall * height)
    vignette = Image.radial_gradient("L").resize(size).point([255 - max(0, v - 120) // 2 for v in range(256)])
    picture = ImageChops.multiply(picture, Image.merge("RGB", [vignette] * 3)).filter(ImageFilter.GaussianBlur(0.7))
    grain = [noise(size, rng, 4.5) for _ in range(3)]
    return ImageChops.add(picture, Image.merge("RGB", grain), 1, -128)


def _fir(draw: ImageDraw.ImageDraw, rng: random.Random, x: float, foot: float, tall: float) -> None:
    draw.line((x, foot, x, foot - tall), (20, 24, 20), 4)
    for step in range(160):
        at = step / 160
        reach = tall * 0.20 * (1 - at) ** 0.8 * rng.uniform(0.55, 1.0)
        y, side = foot - tall * (0.06 + 0.94 * at), 1 if step % 2 else -1
        shade = rng.randrange(18, 40)
        draw.line((x, y - 3, x + side * reach, y + reach * 0.28), (shade, shade + 8, shade), 4)


def photo() -> Image.Image:
    """A photo print of 15 by 10 cm with a white border."""
    s = Sheet(150, 100, (250, 250, 248))
    picture = landscape((px(142), px(92)), random.Random(20))
    s.image.paste(picture, (px(4), px(4)))
    return scanned(s.image, 10, 0.8)
