"""Pages as pictures, and finished documents: what a browser takes by address instead of by letter."""

import mimetypes
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bus import Context
from gateway.site import matches
from schemas.buffer import GetPage
from schemas.errors import Invalid, NotFound
from schemas.image import Format, Render

CHUNK_BYTES = 256 << 10
MEMORY_SHARE = 8
"""Pictures that were served may take one of so many parts of the cache's memory."""
_PRIVATE = {"Cache-Control": "private, no-store"}
_FORMATS: dict[str, Format] = {"image/jpeg": "image/jpeg", "image/png": "image/png"}


class Picture(Struct, frozen=True):
    """A rendered page, as it was served."""

    etag: str
    media_type: str
    content: bytes


PictureKey = tuple[str, str, int, int, str]
"""Session, name of the image, rotation, width, format."""


class Pictures:
    """The pictures served last, in a part of the memory that the cache may use."""

    def __init__(self, memory_limit_mb: int) -> None:
        self._limit_bytes = (memory_limit_mb << 20) // MEMORY_SHARE
        self._size_bytes = 0
        self._kept: OrderedDict[PictureKey, Picture] = OrderedDict()

    def get(self, key: PictureKey) -> Picture | None:
        """The picture, if it is still here."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: PictureKey, picture: Picture) -> None:
        """Keep a picture; those that were not asked for longest go."""
        self._forget(key)
        self._kept[key] = picture
        self._size_bytes += len(picture.content)
        while self._size_bytes > self._limit_bytes:
            self._forget(next(iter(self._kept)))

    def end(self, session: str) -> None:
        """Forget a session's pictures."""
        for key in [key for key in self._kept if key[0] == session]:
            self._forget(key)

    def _forget(self, key: PictureKey) -> None:
        picture = self._kept.pop(key, None)
        self._size_bytes -= len(picture.content) if picture else 0


class Files:
    """The routes of pictures and documents; whoever knows a session's id may read what is in it."""

    def __init__(self, ctx: Context, pictures: Pictures) -> None:
        self._ctx = ctx
        self._pictures = pictures

    async def image(self, request: Request) -> Response:
        """A page as it is seen. Raises NotFound, Invalid, and what rendering raises."""
        ctx = await self._session(request)
        width_px, media_type = _wanted(request)
        page = (await ctx.call(GetPage(page_id=request.path_params["page_id"]))).page
        key = (ctx.session, page.image.blob.name, page.rotation_degrees, width_px, media_type)
        picture = self._pictures.get(key)
        if picture is None:
            render = Render(
                image=page.image,
                owner=page.page_id,
                rotation_degrees=page.rotation_degrees,
                width_px=width_px,
                media_type=media_type,
            )
            blob = (await ctx.call(render)).blob
            picture = Picture(f'"{blob.name}"', blob.media_type, await ctx.read(blob))
            self._pictures.put(key, picture)
        headers = {**_PRIVATE, "ETag": picture.etag}
        if matches(request, picture.etag):
            return Response(status_code=304, headers=headers)
        return Response(picture.content, headers=headers, media_type=picture.media_type)

    async def document(self, request: Request) -> Response:
        """A file of the session, to be saved. Raises NotFound, StorageFailed."""
        ctx = await self._session(request)
        name = request.path_params["name"]
        blob = await ctx.offload(ctx.store.stat, ctx.session, name)
        headers = {
            **_PRIVATE,
            "ETag": f'"{name}"',
            "Content-Disposition": disposition(request.query_params.get("filename", ""), blob.media_type),
        }
        if blob.size >= 0:
            headers["Content-Length"] = str(blob.size)
        if matches(request, headers["ETag"]):
            return Response(status_code=304, headers={**_PRIVATE, "ETag": headers["ETag"]})
        if request.method == "HEAD":
            return Response(headers=headers, media_type=blob.media_type)
        chunks = self._chunks(ctx, await ctx.open(name))
        return StreamingResponse(chunks, headers=headers, media_type=blob.media_type)

    async def _session(self, request: Request) -> Context:
        session = request.path_params["session_id"]
        if not await self._ctx.offload(self._ctx.store.has, session):
            raise NotFound("There is no such session.")
        return self._ctx.on_behalf(session)

    async def _chunks(self, ctx: Context, reader: BinaryIO) -> AsyncIterator[bytes]:
        try:
            while chunk := await ctx.offload(reader.read, CHUNK_BYTES):
                yield chunk
        finally:
            reader.close()


def disposition(filename: str, media_type: str) -> str:
    """A `Content-Disposition` that saves under this name: no folders, no control characters, any language."""
    name = re.sub(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]', "_", filename).strip(" .")[-150:]
    name = name or f"scan{mimetypes.guess_extension(media_type) or ''}"
    plain = re.sub(r"[^ -~]|%", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _wanted(request: Request) -> tuple[int, Format]:
    width = request.query_params.get("width_px", "0")
    if not re.fullmatch(r"[0-9]{1,5}", width) or int(width) > 20000:
        raise Invalid("width_px is a number from 0 to 20000.")
    media_type = _FORMATS.get(request.query_params.get("type", "image/jpeg"))
    if media_type is None:
        raise Invalid(f"type is one of {', '.join(_FORMATS)}.")
    return int(width), media_type
