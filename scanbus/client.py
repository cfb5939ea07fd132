"""A Python program's way in: needs the standard library only, so that it can live inside other programs."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from types import TracebackType
from typing import Any, NotRequired, Self, TypedDict
from urllib.parse import quote, urlsplit

DEFAULT_URL = "http://127.0.0.1:18622"
NOT_RUNNING = "not_running"
"""The code when nobody answers at the address."""
STORAGE_FULL = "storage_full"
"""The code when a scan waits for room on the disk."""
PAUSE_S = 3600.0
CHUNK_BYTES = 1 << 20
LISTINGS = 10
"""How often pages that come in parts are listed anew because they changed meanwhile."""


class Device(TypedDict):
    """One scanner."""

    device_id: str
    name: str
    vendor: NotRequired[str]
    model: NotRequired[str]
    driver: NotRequired[str]


class Image(TypedDict):
    """One side of a sheet as the device delivered it."""

    width_px: int
    height_px: int
    resolution_dpi: int
    color: str


class Page(TypedDict):
    """One page of the session."""

    page_id: str
    image: Image
    rotation_degrees: NotRequired[int]
    tags: NotRequired[list[str]]
    job_id: NotRequired[str]
    number: NotRequired[int]


class Document(TypedDict):
    """Pages in an order; `name` and `pages` (how many) are left out where there are none."""

    document_id: str
    name: NotRequired[str]
    pages: NotRequired[int]
    revision: NotRequired[int]


class Stay(TypedDict):
    """A session that is kept; times are Unix times."""

    session_id: str
    begun_at: float
    used_at: float
    pages: NotRequired[int]
    running: NotRequired[bool]
    connected: NotRequired[bool]
    damaged: NotRequired[bool]


Message = dict[str, Any]
Paused = Callable[[Message], bool]
"""Told the job that waits (`paused` says why, `gap` which page was not kept); whether it shall go on."""
Progress = Callable[[int, float], None]
"""Told the page's number and how much of it has arrived: 0 to 1, or -1 where the device does not know."""


class ScannerError(Exception):
    """A call failed: `code` is for programs (PROTOCOL.md lists them), `text` for people."""

    def __init__(self, code: str, text: str, data: dict[str, str] | None = None) -> None:
        self.code = code
        self.text = text
        self.data = data or {}
        super().__init__(text)


class Client:
    """One session with Scanbus: what it scans is there until `close`, or for whoever has `token`.

    With `session_id` it is one of `stays()`, such as that of a program that was killed; `not_found` if it is gone.
    Every method raises ScannerError; its code is `not_running` when nobody answers at `url`.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token: str = "", session_id: str = "", timeout_s: float = 60.0
    ) -> None:
        address = urlsplit(url)
        self.url = url
        self.token = token
        self.session_id = ""
        self._wanted_session = session_id
        self._host = address.hostname or "127.0.0.1"
        self._port = address.port or 80
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def devices(self, *, wait: bool = False) -> list[Device]:
        """The scanners that are known now; `wait` until every driver has answered."""
        devices: list[Device] = self.call("device.list_devices", wait=wait)["devices"]
        return devices

    def describe(self, device_id: str) -> Message:
        """What a device can do: `sources`, `options` and more, as `device.described` has them."""
        capabilities: Message = self.call("device.describe", device_id=device_id)["capabilities"]
        return capabilities

    def stays(self) -> list[Stay]:
        """The sessions of this computer's programs that are kept, used last first."""
        stays: list[Stay] = next(self._letters({"type": "session.list_stays"}, timeout_s=self._timeout_s))["stays"]
        return stays

    def scan(
        self,
        device_id: str,
        *,
        document_id: str = "",
        progress: Progress | None = None,
        paused: Paused | None = None,
        **settings: Any,
    ) -> Iterator[Page]:
        """Scan: each page as soon as it is kept. Settings are those of `device.scan`, such as resolution_dpi=300.

        The pages come last in the document, which is the first one unless named.
        With `paused`, a jam does not end it: it waits up to `PAUSE_S` until `paused` has said whether it shall go on.
        A full disk (`storage_full`) is told as well; then it goes on by itself.
        Leaving the loop early, or an exception inside it, stops the device; finished pages are kept.
        """
        self._open()
        job_id = ""
        over = False
        message: Message = {"type": "device.scan", "device_id": device_id, "settings": settings}
        if document_id:
            message["document_id"] = document_id
        if paused is not None:
            message["pause_s"] = PAUSE_S
        try:
            # A device may think for long; the service ends what hangs.
            for part in self._letters(message, timeout_s=None):
                match part["type"]:
                    case "device.started":
                        job_id = part["job"]["job_id"]
                    case "device.progress" if progress is not None:
                        progress(part["number"], part["fraction"])
                    case "device.scanned_page":
                        yield part["page"]
                    case "device.paused" if paused is not None:
                        go_on = paused(part["job"])
                        if part["job"]["paused"]["code"] != STORAGE_FULL:
                            self.call("device.resume" if go_on else "device.stop", job_id=job_id)
                    case "device.scanned":
                        over = True
        except ScannerError:
            over = True
            raise
        finally:
            if job_id and not over:
                self.call("device.stop", job_id=job_id)

    def pages(self, document_id: str = "", tag: str = "") -> list[Page]:
        """The pages of a document (the first one unless named), in order; with `tag`, only those that have it."""
        for _ in range(LISTINGS):
            pages: list[Page] = []
            revisions = set()
            more = True
            while more:
                part = self.call("buffer.list_pages", document_id=document_id, tag=tag, start=len(pages))
                pages += part["pages"]
                revisions.add(part.get("revision", 0))
                more = bool(part["pages"]) and len(pages) < part.get("total", 0)
            if len(revisions) == 1:
                return pages
        raise ScannerError("conflict", "The pages change while they are listed. Ask again when the scan has ended.")

    def documents(self) -> list[Document]:
        """The documents of the session; the first one is what an empty `document_id` means."""
        documents: list[Document] = self.call("buffer.list_documents")["documents"]
        return documents

    def create_document(self, name: str = "") -> Document:
        """Begin another document."""
        document: Document = self.call("buffer.create_document", name=name)["document"]
        return document

    def move(self, page_ids: list[str], position: int, document_id: str = "") -> None:
        """Put pages so that the first is at `position`, in their own document or another."""
        self.call("buffer.move", page_ids=page_ids, position=position, document_id=document_id)

    def copy(self, page_ids: list[str], position: int, document_id: str = "") -> list[str]:
        """Put copies of pages there; gives their ids."""
        copied = self.call("buffer.copy", page_ids=page_ids, position=position, document_id=document_id)
        made: list[str] = copied["page_ids"]
        return made

    def tag(self, page_ids: list[str], *, add: list[str] | None = None, remove: list[str] | None = None) -> None:
        """Put tags on pages, and take tags from them."""
        self.call("buffer.tag", page_ids=page_ids, add=add or [], remove=remove or [])

    def pdf(self, target: str | Path, *, overwrite: bool = False, **options: Any) -> int:
        """Write the session's pages to a PDF; gives how many. Options are those of `pdf.create`.

        Raises FileExistsError unless `overwrite`, and OSError where the file cannot be written.
        """
        target = Path(target)
        if target.exists() and not overwrite:
            raise FileExistsError(f"{target} exists already.")
        created = self.call("pdf.create", timeout_s=None, **options)
        document = created["document"]
        path = f"/v1/sessions/{self.session_id}/documents/{quote(document['name'])}"
        _write(target, self._download(path, document["size"]), overwrite)
        pages: int = created["pages"]
        return pages

    def status(self) -> Message:
        """What runs: `services` with their workers and queues, `store` with its use, `devices`, and `healthy`."""
        healthy, version, reasons = self.health()
        return {
            "healthy": healthy,
            "version": version,
            "reasons": reasons,
            "services": self.call("bus.get_status")["services"],
            "store": self.call("cache.get_usage"),
            "devices": self.devices(),
        }

    def health(self) -> tuple[bool, str, list[str]]:
        """Whether every promise is kept, the service's version, and what is wrong."""
        with self._ask("GET", "/healthz", None, self._timeout_s) as response:
            said = _parsed(response.read())
        return response.status == 200, said.get("version", ""), said.get("reasons", [])

    def call(self, kind: str, *, timeout_s: float | None = -1, **fields: Any) -> Message:
        """Say any message, such as `call("buffer.rotate", page_ids=[..], degrees=90)`; gives its reply.

        `timeout_s` is how long the service may be silent (None: for ever); without it, as long as the client's own.
        """
        for letter in self.stream(kind, timeout_s=timeout_s, **fields):
            reply = letter
        return reply

    def stream(self, kind: str, *, timeout_s: float | None = -1, **fields: Any) -> Iterator[Message]:
        """Say any message; gives its parts as they come, and its reply in the end."""
        self._open()
        wait_s = self._timeout_s if timeout_s == -1 else timeout_s
        yield from self._letters({"type": kind, **fields}, timeout_s=wait_s)

    def close(self) -> None:
        """End the session: its pages and files are destroyed."""
        if self.session_id:
            self.session_id, session_id = "", self.session_id
            with contextlib.suppress(ScannerError):
                list(self._letters({"type": "session.close"}, timeout_s=self._timeout_s))
            self.token = "" if session_id else self.token

    def _open(self) -> None:
        if self.session_id:
            return
        message = {"type": "session.open", "token": self.token, "session_id": self._wanted_session}
        for opened in self._letters(message, timeout_s=self._timeout_s):
            self.session_id, self.token = opened["session_id"], opened["token"]

    def _letters(self, message: Message, timeout_s: float | None) -> Iterator[Message]:
        """The bodies of the parts, then that of the reply."""
        with self._ask("POST", "/v1/call", json.dumps(message).encode(), timeout_s) as response:
            while True:
                with self._told(response):
                    line = response.readline()
                if not line:
                    raise ScannerError("lost", "Scanbus ended before it answered. Try once more.")
                letter = _parsed(line)
                body: Message = letter.get("body", letter)
                if body.get("type") == "bus.failure":
                    raise ScannerError(body["code"], body["text"], body.get("data"))
                yield body
                if letter.get("kind") == "reply":
                    return

    def _download(self, path: str, size: int) -> Iterator[bytes]:
        with self._ask("GET", path, None, self._timeout_s) as response:
            if response.status != 200:
                body = _parsed(response.read())
                raise ScannerError(body.get("code", "internal"), body.get("text", f"HTTP status {response.status}."))
            while size > 0:
                with self._told(response):
                    chunk = response.read(CHUNK_BYTES)
                    if not chunk:
                        raise IncompleteRead(b"", size)
                size -= len(chunk)
                yield chunk

    def _ask(self, method: str, path: str, body: bytes | None, timeout_s: float | None) -> HTTPResponse:
        headers = {"Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = HTTPConnection(self._host, self._port, timeout=timeout_s)
        with self._told(connection):
            connection.request(method, path, body, headers)
            return connection.getresponse()

    @contextlib.contextmanager
    def _told(self, connection: HTTPConnection | HTTPResponse) -> Iterator[None]:
        """What goes wrong with a connection, in words."""
        try:
            yield
        except (OSError, HTTPException) as error:
            connection.close()
            if isinstance(error, ConnectionRefusedError):
                text = f"Scanbus does not run at {self.url}. Start it with: scanbus run"
                raise ScannerError(NOT_RUNNING, text) from error
            if isinstance(error, TimeoutError):
                raise ScannerError("deadline", f"Scanbus at {self.url} did not answer in time.") from error
            raise ScannerError("lost", f"The connection to {self.url} broke: {error}. Try once more.") from error


def _parsed(text: bytes) -> Message:
    try:
        parsed: Message = json.loads(text)
    except ValueError as error:
        raise ScannerError("internal", "What answers at this address is not Scanbus.") from error
    return parsed


def _write(target: Path, chunks: Iterator[bytes], overwrite: bool) -> None:
    """The whole file or nothing, and nobody else's file replaced unless asked."""
    if not overwrite:
        target.open("xb").close()
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("xb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        if not overwrite:
            target.unlink(missing_ok=True)
        raise
