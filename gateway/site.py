"""Our own pages: without it, a person would have nothing to open in a browser."""

from hashlib import sha256
from pathlib import Path

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).with_name("web")
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class _File(Struct, frozen=True):
    content: bytes
    etag: str
    media_type: str


class Site:
    """The files of a folder, read once: what is not in it when we start cannot be asked for, whatever the path."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _File(content, f'"{sha256(content).hexdigest()[:32]}"', media_type)
            for path in sorted(folder.rglob("*"))
            if (media_type := MEDIA_TYPES.get(path.suffix)) and (content := path.read_bytes()) is not None
        }

    async def welcome(self, request: Request) -> Response:
        """`/`."""
        return self._respond("index.html", request)

    async def scan(self, request: Request) -> Response:
        """`/scan`."""
        return self._respond("scan.html", request)

    async def file(self, request: Request) -> Response:
        """`/web/{path}`."""
        return self._respond(request.path_params["path"], request)

    def _respond(self, name: str, request: Request) -> Response:
        file = self._files.get(name)
        if file is None:
            raise HTTPException(404)
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if matches(request, file.etag):
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media_type)


def matches(request: Request, etag: str) -> bool:
    """Whether the asker has this version already."""
    known = request.headers.get("if-none-match", "")
    return etag in [item.strip().removeprefix("W/") for item in known.split(",")]
