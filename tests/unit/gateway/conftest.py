"""A gateway on a real port with a real bus and blob store, and small services behind it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.cache import Cache
from bus import Actor, Context, on
from bus.blobs import BlobStore
from bus.broker import Broker
from bus.runtime import Runtime
from gateway.actor import Gateway
from gateway.server import listen
from schemas import buffer, device, image
from schemas.config import Config, GatewayConfig
from schemas.errors import NotFound, PaperJam
from schemas.message import Blob
from schemas.page import Color, Image, Page

TIMEOUT_S = 10.0
JOB = device.Job(job_id="j", device_id="d", state=device.JobState.RUNNING)


class Scanner(Actor):
    """Scans two pages, the second when the test says so; `jam` fails at once."""

    service = "device"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.scanning: set[str] = set()
        """Sessions that have a scan running."""
        self.second_page = threading.Event()
        self.finished = threading.Event()
        self.canceled = threading.Event()

    @on(device.ListDevices)
    async def devices(self, _msg: device.ListDevices, _ctx: Context) -> device.Devices:
        return device.Devices(devices=[device.Device(device_id="d", name="D")])

    @on(device.Describe)
    async def describe(self, _msg: device.Describe, _ctx: Context) -> device.Described:
        big = device.Device(device_id="d", name="x" * 100_000)
        return device.Described(device=big, capabilities=device.Capabilities(sources=[]))

    @on(device.ListJobs)
    async def jobs(self, _msg: device.ListJobs, ctx: Context) -> device.Jobs:
        return device.Jobs(jobs=[JOB] if ctx.session in self.scanning else [])

    @on(device.Scan)
    async def scan(self, msg: device.Scan, ctx: Context) -> device.Scanned:
        return await self._scan(msg.device_id, ctx)

    @on(device.Follow)
    async def follow(self, msg: device.Follow, ctx: Context) -> device.Scanned:
        return await self._scan(msg.job_id, ctx)

    async def _scan(self, what: str, ctx: Context) -> device.Scanned:
        if what == "jam":
            raise PaperJam()
        if what == "bug":
            raise ZeroDivisionError
        ctx.part(device.Started(job=JOB))
        try:
            if not await asyncio.to_thread(self.second_page.wait, TIMEOUT_S):
                raise NotFound("no second page")
        except asyncio.CancelledError:
            self.second_page.set()
            self.canceled.set()
            raise
        ctx.part(device.Progress(number=2, fraction=1.0))
        self.finished.set()
        return device.Scanned(job=JOB)


class Buffer(Actor):
    """Has one page in every session."""

    service = "buffer"

    @on(buffer.GetPage)
    async def page(self, msg: buffer.GetPage, ctx: Context) -> buffer.Found:
        if msg.page_id != "p":
            raise NotFound()
        blob = Blob(name="0" * 32, size=1, media_type="image/jpeg")
        picture = Image(blob=blob, width_px=1, height_px=1, resolution_dpi=300, color=Color.GRAY)
        return buffer.Found(page=Page(page_id="p", image=picture, rotation_degrees=90))

    @on(buffer.ListPages)
    async def pages(self, _msg: buffer.ListPages, ctx: Context) -> buffer.Pages:
        ctx.publish(buffer.Changed(change=buffer.Change(document_id="d", revision=1)))
        return buffer.Pages(pages=[])

    @on(buffer.ListDocuments)
    async def documents(self, _msg: buffer.ListDocuments, ctx: Context) -> buffer.Documents:
        documents = [buffer.Document(document_id=each, pages=pages) for each, pages in (("d", 1), ("e", 2))]
        return buffer.Documents(documents=documents)


class Renderer(Actor):
    """Paints what it was asked for."""

    service = "image"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.rendered = 0

    @on(image.Render)
    async def render(self, msg: image.Render, ctx: Context) -> image.Rendered:
        self.rendered += 1
        data = f"{msg.owner} {msg.rotation_degrees} {msg.width_px}".encode()
        return image.Rendered(blob=await ctx.put(data, msg.media_type), width_px=1, height_px=1)


class House:
    """The running service, seen from another thread."""

    def __init__(self, folder: Path, config: GatewayConfig) -> None:
        self.config = Config(gateway=config)
        self.store = BlobStore(folder)
        self.gateway = Gateway(self.config)
        self.gateway.state_folder = folder
        self.gateway.version = "1.2.3"
        self.gateway.sockets = listen(["127.0.0.1"], [0])
        self.port: int = self.gateway.sockets[0].getsockname()[1]
        self.scanner = Scanner(self.config)
        self.renderer = Renderer(self.config)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        broker = Broker(self.config, known={"device", "buffer", "image", "cache", "gateway"}, startable=set())
        actors = [self.gateway, self.scanner, Buffer(self.config), self.renderer, Cache(self.config)]
        self._runtimes = [Runtime(broker.local_port(actor.service), actor, store=self.store) for actor in actors]
        running = [asyncio.create_task(runtime.run()) for runtime in self._runtimes]
        await asyncio.gather(*(runtime.ready() for runtime in self._runtimes))
        self._ready.set()
        await asyncio.gather(*running)
        await broker.close()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(TIMEOUT_S)

    def begin_stop(self) -> None:
        """Drain the gateway only: those behind it still answer."""
        self._loop.call_soon_threadsafe(self._runtimes[0].drain)

    def stop(self) -> None:
        self.scanner.second_page.set()
        for runtime in self._runtimes:
            self._loop.call_soon_threadsafe(runtime.drain)
        self._thread.join(2 * TIMEOUT_S)
        assert not self._thread.is_alive()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@contextmanager
def living(folder: Path, config: GatewayConfig) -> Iterator[House]:
    """A house that is torn down whatever happens."""
    house = House(folder, config)
    house.start()
    try:
        yield house
    finally:
        house.stop()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with living(tmp_path, GatewayConfig(request_limit_bytes=10_000, queue_letters=50)) as house:
        yield house


def exchange(port: int, sent: bytes) -> bytes:
    """What comes back for these bytes until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(sent)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received
