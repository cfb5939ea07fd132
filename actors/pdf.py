"""Pages to one PDF (ISO 32000-1), in a process of its own; pictures are embedded as they are, never encoded again."""

import io
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, ClassVar, cast

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image as PillowImage
from typing_extensions import Buffer

from bus import Actor, Context, on
from bus.blobs import BlobWriter
from schemas.buffer import ListPages
from schemas.cache import Hold
from schemas.errors import Conflict, NotFound
from schemas.image import Format, Render
from schemas.message import Blob
from schemas.page import Color, Page
from schemas.pdf import Create, Created, Progress

PART_PAGES = 20
"""Pages in memory at once: parts of so many are kept encrypted, then joined as a stream."""
PDF = "application/pdf"


class Pdf(Actor):
    """Makes PDFs of a session's pages."""

    service = "pdf"
    slots: ClassVar[int] = 1

    @on(Create)
    async def create(self, msg: Create, ctx: Context) -> Created:
        """Render each page, embed it, join the parts."""
        pages = _chosen((await ctx.call(ListPages())).pages, msg.page_ids)
        parts: list[Blob] = []
        try:
            for start in range(0, len(pages), PART_PAGES):
                part = pikepdf.new()
                for page in pages[start : start + PART_PAGES]:
                    await self._add(part, page, msg, ctx)
                    ctx.part(Progress(pages=start + len(part.pages), total=len(pages)))
                parts.append(await ctx.offload(_save, part, ctx, durable=False))
            document = await ctx.offload(_join, parts, msg.title, ctx)
        finally:
            for part_blob in parts:
                await ctx.offload(ctx.store.delete, ctx.session, part_blob.name)
        await ctx.call(Hold(owner=f"document:{document.name}", blobs=[document.name]))
        return Created(document=document, pages=len(pages))

    async def _add(self, pdf: pikepdf.Pdf, page: Page, msg: Create, ctx: Context) -> None:
        image = page.image
        media_type: Format = "image/png" if msg.compression == "lossless" else "image/jpeg"
        if image.color is Color.MONO:
            media_type = "image/tiff"
        if image.blob.media_type == "image/jpeg":
            # As the device delivered it: better than anything that could be made of it.
            data, media_type = await ctx.read(image.blob), "image/jpeg"
        else:
            render = Render(image=image, owner=page.page_id, media_type=media_type, quality=msg.quality)
            data = await ctx.read((await ctx.call(render)).blob)
        await ctx.offload(add_page, pdf, data, media_type, page)


def add_page(pdf: pikepdf.Pdf, data: bytes, media_type: Format, page: Page) -> None:
    """Append one page of the picture's true size; turned by `/Rotate`, so that no pixel changes."""
    image = page.image
    points_per_px = 72 / image.resolution_dpi
    width_pt, height_pt = image.width_px * points_per_px, image.height_px * points_per_px
    stream = pikepdf.Stream(
        pdf,
        _pixels(data, media_type),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width_px,
        Height=image.height_px,
        ColorSpace=Name.DeviceRGB if image.color is Color.COLOR else Name.DeviceGray,
        BitsPerComponent=1 if image.color is Color.MONO else 8,
        **_filter(data, media_type, page),
    )
    content = f"q {width_pt:.4f} 0 0 {height_pt:.4f} 0 0 cm /Page Do Q".encode()
    pdf.pages.append(
        pikepdf.Page(
            pdf.make_indirect(
                Dictionary(
                    Type=Name.Page,
                    MediaBox=Array([0, 0, round(width_pt, 4), round(height_pt, 4)]),
                    Rotate=page.rotation_degrees,
                    Resources=Dictionary(XObject=Dictionary(Page=stream)),
                    Contents=pikepdf.Stream(pdf, content),
                )
            )
        )
    )


def _chosen(pages: list[Page], page_ids: list[str]) -> list[Page]:
    by_id = {page.page_id: page for page in pages}
    if missing := set(page_ids) - by_id.keys():
        raise NotFound(f"{len(missing)} of these pages are not in this session. Ask for the pages again.")
    chosen = [by_id[each] for each in page_ids] if page_ids else pages
    if not chosen:
        raise Conflict("There are no pages to save. Scan first.")
    return chosen


def _pixels(data: bytes, media_type: Format) -> bytes:
    """The part of a picture file that a PDF takes as it is."""
    match media_type:
        case "image/png":
            return b"".join(content for name, content in _png_chunks(data) if name == b"IDAT")
        case "image/tiff":
            with PillowImage.open(io.BytesIO(data)) as tiff:
                (offset,), (size,) = tiff.tag_v2[273], tiff.tag_v2[279]  # type: ignore[attr-defined]
            return data[offset : offset + size]
        case _:
            return data


def _filter(data: bytes, media_type: Format, page: Page) -> dict[str, pikepdf.Object]:
    image = page.image
    match media_type:
        case "image/png":
            colors = 3 if image.color is Color.COLOR else 1
            parameters = Dictionary(Predictor=15, Colors=colors, BitsPerComponent=8, Columns=image.width_px)
            return {"Filter": Name.FlateDecode, "DecodeParms": parameters}
        case "image/tiff":
            with PillowImage.open(io.BytesIO(data)) as tiff:
                black_is_1 = tiff.tag_v2[262] == 1  # type: ignore[attr-defined]
            parameters = Dictionary(K=-1, Columns=image.width_px, Rows=image.height_px, BlackIs1=black_is_1)
            return {"Filter": Name.CCITTFaxDecode, "DecodeParms": parameters}
        case _:
            return {"Filter": Name.DCTDecode}


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + 8 + size]
        at += size + 12


def _save(pdf: pikepdf.Pdf, ctx: Context, *, durable: bool) -> Blob:
    with ctx.store.writer(ctx.session, PDF, durable=durable) as writer:
        pdf.save(cast(BinaryIO, _Sequential(writer)))
    pdf.close()
    return writer.blob


def _join(parts: list[Blob], title: str, ctx: Context) -> Blob:
    joined = pikepdf.new()
    # The parts' streams are copied when the whole is saved: until then they stay open.
    with ExitStack() as opened:
        for blob in parts:
            part = opened.enter_context(pikepdf.open(ctx.store.open(ctx.session, blob.name)))
            joined.pages.extend(part.pages)
        with joined.open_metadata(set_pikepdf_as_editor=False) as metadata:
            metadata["xmp:CreatorTool"] = "Scanbus"
            if title:
                metadata["dc:title"] = title
        return _save(joined, ctx, durable=True)


class _Sequential(io.RawIOBase):
    """A blob's writer as the file that pikepdf saves to; it only goes forward."""

    def __init__(self, writer: BlobWriter) -> None:
        super().__init__()
        self._writer = writer
        self._at = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """How much was written."""
        return self._at

    def write(self, data: Buffer) -> int:
        """Take more bytes. Raises StorageFull, StorageFailed."""
        self._writer.write(data)
        self._at += memoryview(data).nbytes
        return memoryview(data).nbytes
