"""A PDF holds the session's pages as they are seen: order, size, pixels."""

import asyncio
import io
import secrets
from pathlib import Path
from typing import ClassVar

import pikepdf
import PIL.Image
import pytest
from msgspec.structs import replace

from actors import pdf as pdf_actor
from actors.buffer import Buffer
from bus import Context, on
from schemas.buffer import Append, CreateDocument, ListPages, Move, Pages, Remove, Rotate, Tag
from schemas.config import Config
from schemas.errors import Conflict, Damaged, NotFound, ScanbusError
from schemas.page import Color, Image, Page
from schemas.pdf import Create, Progress
from tests.house import House, house, in_house
from tests.paper import kept

WIDTH_PX, HEIGHT_PX = 50, 30


def noise(color: Color) -> bytes:
    """Pixels that no lossy compression leaves as they are."""
    line_bytes = {Color.COLOR: 3 * WIDTH_PX, Color.GRAY: WIDTH_PX, Color.MONO: (WIDTH_PX + 7) // 8}[color]
    return secrets.token_bytes(line_bytes * HEIGHT_PX)


async def add(ctx: Context, color: Color = Color.GRAY, resolution_dpi: int = 100, pixels: bytes = b"") -> Page:
    image = await kept(ctx, pixels or noise(color), color, WIDTH_PX, HEIGHT_PX, resolution_dpi)
    return (await ctx.call(Append(image=image))).page


async def made(ctx: Context, **how: object) -> pikepdf.Pdf:
    created = await ctx.call(Create(**how))  # type: ignore[arg-type]
    content = await ctx.read(created.document)
    assert len(content) == created.document.size
    pdf = pikepdf.open(io.BytesIO(content))
    assert len(pdf.pages) == created.pages
    assert pdf.check_pdf_syntax() == []
    return pdf


def image_of(page: pikepdf.Page) -> pikepdf.PdfImage:
    (image,) = page.get_images().values()
    return pikepdf.PdfImage(image)


def shade(page: pikepdf.Page) -> int:
    """The one shade of gray that a page was made of."""
    (level,) = set(image_of(page).as_pil_image().convert("L").tobytes())
    return level


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@in_house
async def test_there_are_as_many_pages_of_the_same_order(here: House) -> None:
    ctx = here.session()
    for number in range(5):
        await add(ctx, pixels=bytes([40 * number]) * WIDTH_PX * HEIGHT_PX)
    with await made(ctx, compression="lossless") as pdf:
        assert [shade(page) for page in pdf.pages] == [0, 40, 80, 120, 160]


@in_house
async def test_a_document_its_tagged_pages_or_any_pages_in_any_order_are_saved(here: House) -> None:
    ctx = here.session()
    pages = [await add(ctx, pixels=bytes([40 * number]) * WIDTH_PX * HEIGHT_PX) for number in range(5)]
    ids = [page.page_id for page in pages]
    other = (await ctx.call(CreateDocument())).document.document_id
    await ctx.call(Move(page_ids=ids[3:], position=0, document_id=other))
    await ctx.call(Tag(page_ids=[ids[0], ids[2], ids[4]], add=["tax"]))
    for how, shades in (
        ({"tag": "tax"}, [0, 80]),
        ({"document_id": other}, [120, 160]),
        ({"document_id": other, "tag": "tax"}, [160]),
        ({"page_ids": [ids[4], ids[0], ids[3]]}, [160, 0, 120]),
    ):
        with await made(ctx, compression="lossless", **how) as pdf:
            assert [shade(page) for page in pdf.pages] == shades
    with pytest.raises(Conflict):
        await made(ctx, tag="no page has it")
    with pytest.raises(NotFound):
        await made(ctx, document_id="gone")


class Restless(Buffer):
    """Its pages change each time that somebody has looked at a part of them."""

    looks: ClassVar[int] = 0
    until: ClassVar[int] = 0

    @on(ListPages)
    async def list_pages(self, msg: ListPages, ctx: Context) -> Pages:
        type(self).looks += 1
        moved = min(self.looks, self.until)
        listed = await super().list_pages(replace(msg, count=2), ctx)
        return replace(listed, revision=listed.revision + moved)


@pytest.mark.parametrize("until", [3, 1000])
def test_pages_that_change_while_they_are_listed_are_listed_anew(until: int, config: Config) -> None:
    async def lived() -> None:
        Restless.looks, Restless.until = 0, until
        async with house(config, {"buffer": Restless}) as here:
            ctx = here.session()
            pages = [await add(ctx) for _ in range(3)]
            if until > 3:
                with pytest.raises(Conflict, match="change"):
                    await made(ctx)
            else:
                with await made(ctx) as pdf:
                    assert len(pdf.pages) == len(pages)

    asyncio.run(lived())


@pytest.mark.parametrize("resolution_dpi", [75, 200, 300, 1200])
@pytest.mark.parametrize("compression", ["jpeg", "lossless"])
@in_house
async def test_a_page_is_as_large_as_the_paper(here: House, compression: str, resolution_dpi: int) -> None:
    ctx = here.session()
    for color in Color:
        await add(ctx, color, resolution_dpi)
    with await made(ctx, compression=compression) as pdf:
        for page in pdf.pages:
            left, bottom, right, top = (float(each) for each in page.mediabox)
            assert (left, bottom) == (0, 0)
            assert right == pytest.approx(WIDTH_PX / resolution_dpi * 72, abs=0.01)
            assert top == pytest.approx(HEIGHT_PX / resolution_dpi * 72, abs=0.01)


@in_house
async def test_a_turned_page_is_turned_by_the_viewer(here: House) -> None:
    ctx = here.session()
    pages = [await add(ctx) for _ in range(4)]
    for page, degrees in zip(pages, (0, 90, 180, 270), strict=True):
        await ctx.call(Rotate(page_ids=[page.page_id], degrees=degrees))
    with await made(ctx) as pdf:
        assert [int(page.Rotate) for page in pdf.pages] == [0, 90, 180, 270]


@pytest.mark.parametrize("color", list(Color))
@in_house
async def test_lossless_keeps_every_pixel(here: House, color: Color) -> None:
    ctx = here.session()
    pixels = noise(color)
    await add(ctx, color, pixels=pixels)
    mode = {Color.COLOR: "RGB", Color.GRAY: "L", Color.MONO: "1"}[color]
    scanned = PIL.Image.frombytes(mode, (WIDTH_PX, HEIGHT_PX), pixels)
    if color is Color.MONO:
        # A page's 1 is black, Pillow's is white.
        scanned = scanned.point(lambda bit: 255 - bit)
    with await made(ctx, compression="lossless") as pdf:
        kept_image = image_of(pdf.pages[0]).as_pil_image()
        assert kept_image.convert(mode).tobytes() == scanned.tobytes()


@pytest.mark.parametrize("compression", ["jpeg", "lossless"])
@pytest.mark.parametrize(("bits", "level"), [(b"\xff", 0), (b"\0", 255)])
@in_house
async def test_a_mono_page_is_ccitt_group_4_and_black_stays_black(
    here: House, compression: str, bits: bytes, level: int
) -> None:
    ctx = here.session()
    await add(ctx, Color.MONO, pixels=bits * 7 * HEIGHT_PX)
    with await made(ctx, compression=compression) as pdf:
        (image,) = pdf.pages[0].get_images().values()
        assert image.Filter == pikepdf.Name.CCITTFaxDecode
        assert image.DecodeParms.K == -1
        assert shade(pdf.pages[0]) == level


@in_house
async def test_a_smaller_quality_is_a_smaller_file(here: House) -> None:
    ctx = here.session()
    await add(ctx, Color.COLOR)
    rough, fine = [(await ctx.call(Create(quality=quality))).document.size for quality in (10, 95)]
    assert rough < fine


@pytest.mark.parametrize("compression", ["jpeg", "lossless"])
@in_house
async def test_a_jpeg_is_embedded_as_the_device_delivered_it(here: House, compression: str) -> None:
    ctx = here.session()
    for color, mode in ((Color.COLOR, "RGB"), (Color.GRAY, "L")):
        out = io.BytesIO()
        PIL.Image.effect_noise((WIDTH_PX, HEIGHT_PX), 90).convert(mode).save(out, "JPEG", quality=60)
        blob = await ctx.put(out.getvalue(), "image/jpeg")
        image = Image(blob=blob, width_px=WIDTH_PX, height_px=HEIGHT_PX, resolution_dpi=100, color=color)
        await ctx.call(Append(image=image))
        with await made(ctx, compression=compression) as pdf:
            page = pdf.pages[-1]
            assert next(iter(page.get_images().values())).read_raw_bytes() == out.getvalue()
            assert image_of(page).as_pil_image().mode == mode


@in_house
async def test_the_pages_asked_for_come_in_the_order_asked_for(here: House) -> None:
    ctx = here.session()
    pages = [await add(ctx, pixels=bytes([40 * number]) * WIDTH_PX * HEIGHT_PX) for number in range(4)]
    asked = [pages[3].page_id, pages[1].page_id, pages[3].page_id]
    with await made(ctx, page_ids=asked, compression="lossless") as pdf:
        assert [shade(page) for page in pdf.pages] == [120, 40, 120]


@in_house
async def test_a_page_that_is_not_in_the_session_is_not_found(here: House) -> None:
    ctx, other = here.session(), here.session()
    mine, theirs = await add(ctx), await add(other)
    for unknown in (theirs.page_id, "nonsense"):
        with pytest.raises(NotFound):
            await ctx.call(Create(page_ids=[mine.page_id, unknown]))
    await ctx.call(Remove(page_ids=[mine.page_id]))
    with pytest.raises(NotFound):
        await ctx.call(Create(page_ids=[mine.page_id]))


@in_house
async def test_without_a_page_there_is_no_file(here: House) -> None:
    ctx = here.session()
    with pytest.raises(Conflict):
        await ctx.call(Create())
    assert here.store.names(ctx.session) == {}


@pytest.mark.parametrize(
    ("title", "shown"),
    [("Ärger & <Freude> 漢字", "Ärger & <Freude> 漢字"), ("", ""), ("nul\0 and bell\a", "nul and bell")],
)
@in_house
async def test_the_title_is_in_the_file(here: House, title: str, shown: str) -> None:
    ctx = here.session()
    await add(ctx)
    with await made(ctx, title=title) as pdf:
        with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
            assert metadata.get("dc:title", "") == shown
        assert str(pdf.docinfo.get("/Title", "")) == shown


@in_house
async def test_more_pages_than_memory_holds_keep_their_order(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_actor, "PART_BYTES", 1000)
    ctx = here.session()
    count = 43
    for number in range(count):
        await add(ctx, pixels=bytes([5 * number]) * WIDTH_PX * HEIGHT_PX)
    async with ctx.stream(Create(compression="lossless")) as stream:
        told = [part async for part in stream if isinstance(part, Progress)]
        document = (await stream.reply()).document
    assert [(part.pages, part.total) for part in told] == [(number + 1, count) for number in range(count)]
    with pikepdf.open(io.BytesIO(await ctx.read(document))) as pdf:
        assert [shade(page) for page in pdf.pages] == [5 * number for number in range(count)]


@in_house
async def test_nothing_that_was_scanned_lies_about_in_plain(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_actor, "PART_BYTES", 1)
    ctx = here.session()
    for number in range(5):
        await add(ctx, Color.COLOR, pixels=bytes([number]) * 3 * WIDTH_PX * HEIGHT_PX)
    document = (await ctx.call(Create())).document
    kept_names = {page.image.blob.name for page in (await ctx.call(ListPages())).pages} | {document.name}
    others = set(here.store.names(ctx.session)) - kept_names
    pictures = {name for name in others if here.store.stat(ctx.session, name).media_type == "image/jpeg"}
    assert others == pictures
    written = files(tmp_path)
    assert len(written) > 5
    for path, content in written.items():
        assert b"%PDF" not in content, path
        assert b"\xff\xd8\xff" not in content[:100], path


@in_house
async def test_a_file_stays_when_its_pages_go(here: House) -> None:
    ctx = here.session()
    page = await add(ctx)
    document = (await ctx.call(Create())).document
    await ctx.call(Remove(page_ids=[page.page_id]))
    assert (await ctx.read(document)).startswith(b"%PDF")
    assert set(here.store.names(ctx.session)) == {document.name}


@in_house
async def test_a_page_that_cannot_be_read_fails_the_file_and_leaves_no_part_of_it(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_actor, "PART_BYTES", 1)
    ctx = here.session()
    pages = [await add(ctx) for _ in range(5)]
    here.store.delete(ctx.session, pages[-1].image.blob.name)
    with pytest.raises(ScanbusError):
        await ctx.call(Create())
    types = {here.store.stat(ctx.session, name).media_type for name in here.store.names(ctx.session)}
    assert "application/pdf" not in types
    with await made(ctx, page_ids=[pages[0].page_id]) as pdf:
        assert len(pdf.pages) == 1


@in_house
async def test_a_damaged_page_is_named_and_the_others_are_saved_without_it(here: House) -> None:
    ctx = here.session()
    fine, damaged = [await add(ctx) for _ in range(2)]
    path = here.store.folder / "pages" / ctx.session / damaged.image.blob.name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged, match="Page 2 is damaged") as told:
        await ctx.call(Create())
    assert told.value.data == {"page_id": damaged.page_id}
    await ctx.call(Remove(page_ids=[damaged.page_id]))
    with await made(ctx) as pdf:
        assert len(pdf.pages) == 1
    assert await ctx.read(fine.image.blob)
