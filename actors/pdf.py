"""Pages to one PDF (ISO 32000-1), in a process of its own; pictures are embedded as they are, never encoded again."""

import io
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, ClassVar, cast

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image as PillowImage
from typing_extensions import Buffer

from bus import Actor, Context, on
from bus.blobs import BlobWriter
from schemas.buffer import ListPages
from schemas.cache import Hold
from schemas.errors import Conflict, Damaged
from schemas.image import Format, Render
from schemas.message import Blob
from schemas.page import Color, Page
from schemas.pdf import Create, Created, Progress

PART_BYTES = 64 << 20
"""Pictures in memory at once, about: more are set aside, encrypted, and copied as a stream when the whole is saved."""
MEMORY_SHARE = 8
"""They never take more than one of so many parts of the cache's memory."""
PDF = "application/pdf"
LISTINGS = 10
"""How often pages are listed anew because they changed meanwhile."""


class Pdf(Actor):
    """Makes PDFs of a session's pages."""

    service = "pdf"
    slots: ClassVar[int] = 1

    @on(Create)
    async def create(self, msg: Create, ctx: Context) -> Created:
        """Render each page and embed it."""
        pages = await _chosen(msg, ctx)
        with closing(Book(ctx, self.config.cache.memory_limit_mb << 20)) as book:
            for number, page in enumerate(pages, 1):
                try:
                    data, media_type = await self._picture(page, msg, ctx)
                except Damaged as error:
                    raise Damaged(
                        f"Page {number} is damaged: remove it, then save again.", page_id=page.page_id
                    ) from error
                await ctx.offload(book.add, data, media_type, page)
                ctx.part(Progress(pages=number, total=len(pages)))
            document = await ctx.offload(book.finish, msg.title)
        await ctx.call(Hold(owner=f"document:{document.name}", blobs=[document.name]))
        return Created(document=document, pages=len(pages))

    async def _picture(self, page: Page, msg: Create, ctx: Context) -> tuple[bytes, Format]:
        image = page.image
        media_type: Format = "image/png" if msg.compression == "lossless" else "image/jpeg"
        if image.color is Color.MONO:
            media_type = "image/tiff"
        if image.blob.media_type == "image/jpeg":
            # As the device delivered it: better than anything that could be made of it.
            return await ctx.read(image.blob), "image/jpeg"
        render = Render(image=image, owner=page.page_id, media_type=media_type, quality=msg.quality)
        return await ctx.read((await ctx.call(render)).blob), media_type


class Book:
    """A PDF that grows page by page. Its methods may raise StorageFull and StorageFailed."""

    def __init__(self, ctx: Context, memory_limit_bytes: int) -> None:
        self._ctx = ctx
        self._part_bytes = min(PART_BYTES, memory_limit_bytes // MEMORY_SHARE)
        self._pdf = pikepdf.new()
        self._held_bytes = 0
        self._aside: tuple[Blob, BinaryIO] | None = None

    def add(self, data: bytes, media_type: Format, page: Page) -> None:
        """Append a page."""
        add_page(self._pdf, data, media_type, page)
        self._held_bytes += len(data)
        if self._held_bytes > self._part_bytes:
            self._set_aside()

    def finish(self, title: str) -> Blob:
        """The whole, durable."""
        with self._pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
            metadata["xmp:CreatorTool"] = "Scanbus"
            if title:
                metadata["dc:title"] = title
        return self._save(durable=True)

    def close(self) -> None:
        """Forget what was set aside."""
        self._pdf.close()
        if self._aside is not None:
            blob, file = self._aside
            file.close()
            self._ctx.store.delete(self._ctx.session, blob.name)
            self._aside = None

    def _set_aside(self) -> None:
        blob = self._save(durable=False)
        self.close()
        file = self._ctx.store.open(self._ctx.session, blob.name)
        self._aside = blob, file
        self._pdf = pikepdf.open(file)
        self._held_bytes = 0

    def _save(self, *, durable: bool) -> Blob:
        with self._ctx.store.writer(self._ctx.session, PDF, durable=durable) as writer:
            self._pdf.save(cast(BinaryIO, _Sequential(writer)))
        return writer.blob


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


async def _chosen(msg: Create, ctx: Context) -> list[Page]:
    """All pages that are asked for, as they were at one moment."""
    for _ in range(LISTINGS):
        pages: list[Page] = []
        revisions = set()
        more = True
        while more:
            question = ListPages(document_id=msg.document_id, tag=msg.tag, page_ids=msg.page_ids, start=len(pages))
            part = await ctx.call(question)
            pages += part.pages
            revisions.add(part.revision)
            more = bool(part.pages) and len(pages) < part.total
        if not pages:
            raise Conflict("There are no pages to save. Scan first.")
        if len(revisions) == 1:
            return pages
    raise Conflict("The pages change while they are saved. Try again when the scan has ended.")


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
