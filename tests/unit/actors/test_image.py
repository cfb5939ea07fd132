"""Pictures are the page as it is seen, and hostile bytes are refused by name."""

import io
import threading
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import PIL.ImageStat
import pytest
from msgspec.structs import replace

from actors.image import Desk
from bus import Context
from schemas.cache import Release
from schemas.errors import Damaged, DriverFailed, Invalid, NotFound, ScanbusError, TooLarge, Unsupported
from schemas.image import Render, Rendered
from schemas.page import Color, Image
from tests.house import House, in_house
from tests.paper import kept

WIDTH_PX, HEIGHT_PX = 64, 48
CORNERS = {"top left": 0, "top right": 1, "bottom right": 2, "bottom left": 3}
SHADES = (0, 80, 160, 255)
TINTS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


def quarters(color: Color) -> bytes:
    """A page whose quarters differ: black, dark, bright, white, or red, green, blue, white; clockwise."""
    picture = PIL.Image.new("RGB" if color is Color.COLOR else "L", (WIDTH_PX, HEIGHT_PX))
    for number, (left, top) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        box = (left * WIDTH_PX // 2, top * HEIGHT_PX // 2, (left + 1) * WIDTH_PX // 2, (top + 1) * HEIGHT_PX // 2)
        picture.paste(TINTS[number] if color is Color.COLOR else SHADES[number], box)
    if color is Color.MONO:
        # In a PBM a 1 is black: only the first quarter is.
        return picture.point([255 if shade == 0 else 0 for shade in range(256)], "1").tobytes()
    return picture.tobytes()


async def page(ctx: Context, color: Color) -> Image:
    return await kept(ctx, quarters(color), color, WIDTH_PX, HEIGHT_PX, resolution_dpi=200)


async def rendered(ctx: Context, image: Image, **how: object) -> tuple[PIL.Image.Image, Rendered]:
    made = await ctx.call(Render(image=image, owner="somebody", **how))  # type: ignore[arg-type]
    with PIL.Image.open(io.BytesIO(await ctx.read(made.blob))) as picture:
        picture.load()
    assert picture.size == (made.width_px, made.height_px)
    assert PIL.Image.MIME[picture.format or ""] == made.blob.media_type
    return picture, made


def corners(picture: PIL.Image.Image) -> list[int]:
    """Which quarter of the page is seen in each corner, clockwise from the top left one."""
    right, bottom = picture.width - 3, picture.height - 3
    seen = [picture.convert("RGB").getpixel(each) for each in ((2, 2), (right, 2), (right, bottom), (2, bottom))]
    known = TINTS if picture.mode == "RGB" else [(shade,) * 3 for shade in SHADES]

    def distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
        return sum(abs(a - b) for a, b in zip(one, other, strict=True))

    return [min(range(4), key=lambda number: distance(known[number], each)) for each in seen]  # type: ignore[arg-type]


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
@pytest.mark.parametrize("color", [Color.COLOR, Color.GRAY])
@pytest.mark.parametrize(
    ("degrees", "seen"), [(0, [0, 1, 2, 3]), (90, [3, 0, 1, 2]), (180, [2, 3, 0, 1]), (270, [1, 2, 3, 0])]
)
@in_house
async def test_a_turned_page_has_its_corners_where_they_should_be(
    here: House, media_type: str, color: Color, degrees: int, seen: list[int]
) -> None:
    ctx = here.session()
    picture, _ = await rendered(ctx, await page(ctx, color), rotation_degrees=degrees, media_type=media_type)
    assert corners(picture) == seen
    assert picture.size == ((WIDTH_PX, HEIGHT_PX) if degrees in (0, 180) else (HEIGHT_PX, WIDTH_PX))
    assert picture.mode == ("RGB" if color is Color.COLOR else "L")


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/tiff"])
@pytest.mark.parametrize(("degrees", "black"), [(0, 0), (90, 1), (180, 2), (270, 3)])
@in_house
async def test_black_stays_black_on_a_mono_page(here: House, media_type: str, degrees: int, black: int) -> None:
    ctx = here.session()
    image = await page(ctx, Color.MONO)
    picture, _ = await rendered(ctx, image, rotation_degrees=degrees, media_type=media_type)
    right, bottom = picture.width - 3, picture.height - 3
    seen = [picture.convert("L").getpixel(each) for each in ((2, 2), (right, 2), (right, bottom), (2, bottom))]
    assert [shade < 128 for shade in seen] == [number == black for number in range(4)]  # type: ignore[operator]


@in_house
async def test_a_png_has_the_pixels_of_the_page(here: House) -> None:
    ctx = here.session()
    for color in Color:
        picture, _ = await rendered(ctx, await page(ctx, color), media_type="image/png")
        if color is Color.MONO:
            picture = picture.point([255, 0] * 128 if picture.mode == "L" else lambda bit: 255 - bit)
        assert picture.tobytes() == quarters(color)


@pytest.mark.parametrize(("degrees", "size"), [(0, (32, 24)), (90, (32, 43)), (180, (32, 24)), (270, (32, 43))])
@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
@in_house
async def test_the_width_is_limited_as_it_is_seen(
    here: House, media_type: str, degrees: int, size: tuple[int, int]
) -> None:
    ctx = here.session()
    for color in Color:
        picture, _ = await rendered(
            ctx, await page(ctx, color), rotation_degrees=degrees, width_px=32, media_type=media_type
        )
        assert picture.size == size


@in_house
async def test_a_page_is_never_made_larger(here: House) -> None:
    ctx = here.session()
    picture, _ = await rendered(ctx, await page(ctx, Color.COLOR), width_px=5000)
    assert picture.size == (WIDTH_PX, HEIGHT_PX)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/tiff"])
@pytest.mark.parametrize(("width_px", "dpi"), [(0, 200), (32, 100)])
@in_house
async def test_a_picture_says_how_large_the_paper_was(here: House, media_type: str, width_px: int, dpi: int) -> None:
    ctx = here.session()
    picture, _ = await rendered(ctx, await page(ctx, Color.MONO), media_type=media_type, width_px=width_px)
    assert [round(float(each)) for each in picture.info["dpi"]] == [dpi, dpi]


@pytest.mark.parametrize("width_px", [0, 32])
@in_house
async def test_a_tiff_is_one_strip_of_ccitt_group_4(here: House, width_px: int) -> None:
    ctx = here.session()
    picture, _ = await rendered(ctx, await page(ctx, Color.MONO), media_type="image/tiff", width_px=width_px)
    assert (picture.mode, picture.info["compression"]) == ("1", "group4")
    assert len(picture.tag_v2[273]) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("color", [Color.COLOR, Color.GRAY])
@in_house
async def test_a_tiff_of_a_page_that_is_not_mono_is_unsupported(here: House, color: Color) -> None:
    ctx = here.session()
    with pytest.raises(Unsupported, match="mono"):
        await rendered(ctx, await page(ctx, color), media_type="image/tiff")


@in_house
async def test_the_same_picture_is_made_once_and_belongs_to_all_who_asked(here: House) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    first = await ctx.call(Render(image=image, owner="one"))
    # Without the page itself, only what was made before can be given.
    here.store.delete(ctx.session, image.blob.name)
    assert await ctx.call(Render(image=image, owner="two")) == first
    await ctx.call(Release(owners=["one"]))
    assert await ctx.read(first.blob)
    await ctx.call(Release(owners=["two"]))
    with pytest.raises(NotFound):
        await ctx.read(first.blob)
    with pytest.raises(NotFound):
        await ctx.call(Render(image=image, owner="three"))


@in_house
async def test_another_session_is_not_given_the_picture(here: House) -> None:
    ctx, stranger = here.session(), here.session()
    image = await page(ctx, Color.COLOR)
    await ctx.call(Render(image=image, owner="one"))
    with pytest.raises(NotFound):
        await stranger.call(Render(image=image, owner="one"))


@in_house
async def test_a_better_quality_is_another_picture(here: House) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    _, rough = await rendered(ctx, image, quality=5)
    _, fine = await rendered(ctx, image, quality=95)
    assert rough.blob.size < fine.blob.size


async def refused(ctx: Context, image: Image) -> ScanbusError:
    with pytest.raises(ScanbusError) as caught:
        await ctx.call(Render(image=image, owner="somebody"))
    return caught.value


@in_house
async def test_a_page_that_is_damaged_on_disk_is_said(here: House, tmp_path: Path) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    path = tmp_path / "state" / "pages" / ctx.session / image.blob.name
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    assert isinstance(await refused(ctx, image), Damaged)
    path.write_bytes(content[:100])
    assert isinstance(await refused(ctx, image), Damaged)
    path.write_bytes(b"")
    assert isinstance(await refused(ctx, image), Damaged)


@in_house
async def test_a_page_of_another_size_than_announced_is_refused(here: House) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    assert isinstance(await refused(ctx, replace(image, width_px=WIDTH_PX - 1)), DriverFailed)
    short = await kept(ctx, bytes(10), Color.GRAY, WIDTH_PX, HEIGHT_PX)
    assert isinstance(await refused(ctx, short), DriverFailed)


@in_house
async def test_bytes_that_are_no_picture_are_refused(here: House) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    out = io.BytesIO()
    PIL.Image.effect_noise((WIDTH_PX, HEIGHT_PX), 50).convert("RGB").save(out, "JPEG")
    png = io.BytesIO()
    PIL.Image.new("RGB", (WIDTH_PX, HEIGHT_PX)).save(png, "PNG")
    for content in (
        out.getvalue()[: len(out.getvalue()) // 2],
        b"\xff\xd8\xff\xe0 this is no JPEG",
        b"",
        png.getvalue(),
        b"P6 999999999 999999999 255\n",
        b"P6 64 forty-eight 255\n",
    ):
        broken = replace(image, blob=await ctx.put(content, "image/jpeg"))
        assert isinstance(await refused(ctx, broken), DriverFailed), content[:20]
    whole = replace(image, blob=await ctx.put(out.getvalue(), "image/jpeg"))
    assert (await rendered(ctx, whole))[0].size == (WIDTH_PX, HEIGHT_PX)


@in_house
async def test_a_jpeg_as_delivered_becomes_a_thumbnail_and_half_of_one_is_refused(here: House) -> None:
    ctx = here.session()
    out = io.BytesIO()
    photo = PIL.Image.radial_gradient("L").resize((800, 600)).convert("RGB")
    photo.save(out, "JPEG")
    blob = await ctx.put(out.getvalue(), "image/jpeg")
    image = Image(blob=blob, width_px=800, height_px=600, resolution_dpi=200, color=Color.COLOR)
    seen, _ = await rendered(ctx, image, width_px=75, rotation_degrees=90)
    wanted = photo.resize((100, 75)).transpose(PIL.Image.Transpose.ROTATE_270)
    assert seen.size == wanted.size
    assert PIL.ImageStat.Stat(PIL.ImageChops.difference(seen, wanted)).mean == pytest.approx([0, 0, 0], abs=2)
    half = await ctx.put(out.getvalue()[: len(out.getvalue()) // 2], "image/jpeg")
    for width_px in (0, 75, 700):
        with pytest.raises(DriverFailed):
            await rendered(ctx, replace(image, blob=half), width_px=width_px)


@in_house
async def test_a_page_that_announces_more_pixels_than_anybody_scans_is_too_large(here: House) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    error = await refused(ctx, replace(image, width_px=40_000, height_px=20_000))
    assert isinstance(error, TooLarge)
    assert "40000 by 20000" in error.text


@in_house
async def test_a_page_that_is_too_long_for_a_jpeg_is_still_a_png(here: House) -> None:
    ctx = here.session()
    image = await kept(ctx, bytes(70_000), Color.GRAY, 1, 70_000)
    assert isinstance(await refused(ctx, image), TooLarge)
    assert (await rendered(ctx, image, media_type="image/png"))[0].size == (1, 70_000)


def test_pictures_wait_for_room_and_the_largest_has_it_alone() -> None:
    desk = Desk(100)
    began, over = threading.Event(), threading.Event()

    def draw(size_bytes: int) -> None:
        with desk.taken(size_bytes):
            began.set()
            assert over.wait(10)

    def waits(size_bytes: int) -> threading.Thread:
        began.clear()
        thread = threading.Thread(target=draw, args=(size_bytes,))
        thread.start()
        return thread

    threads = [waits(60)]
    assert began.wait(10)
    threads.append(waits(40))
    assert began.wait(10), "two that fit are made at once"
    threads.append(waits(500))
    assert not began.wait(0.1), "one that does not fit beside them waits"
    over.set()
    assert began.wait(10), "and has the desk alone, however large it is"
    for thread in threads:
        thread.join(10)


@in_house
async def test_a_page_without_pixels_is_refused(here: House) -> None:
    ctx = here.session()
    image = await page(ctx, Color.COLOR)
    assert isinstance(await refused(ctx, replace(image, width_px=0)), Invalid)
    assert isinstance(await refused(ctx, replace(image, height_px=-1)), Invalid)


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])])
@in_house
async def test_a_picture_that_is_gone_or_damaged_is_made_again(here: House, harm: Callable[[Path], None]) -> None:
    ctx = here.session()
    render = Render(image=await page(ctx, Color.GRAY), owner="somebody")
    first = await ctx.call(render)
    content = await ctx.read(first.blob)
    harm(here.store.folder / "pages" / ctx.session / first.blob.name)
    assert await ctx.call(render) == first
    assert await ctx.read(first.blob) == content
