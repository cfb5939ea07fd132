"""A small service that says, waits, fails and counts, for tests of the bus."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, Never

from bus import Actor, Context, on
from bus.blobs import BlobStore
from bus.broker import Broker
from bus.endpoints import make_keys
from bus.port import Port, ZmqPort
from bus.runtime import Runtime
from schemas.config import BusConfig, Config
from schemas.errors import PaperJam
from schemas.message import Event, Message, Request


class Said(Message, tag="echo.said"):
    text: str


class Note(Message, tag="echo.note"):
    number: int


class Say(Request[Said, Note], tag="echo.say"):
    idempotent: ClassVar[bool] = True

    text: str
    notes: int = 0


class Wait(Request[Said, Note], tag="echo.wait"):
    """Never answered; it can only be stopped."""


class Fail(Request[Said, Never], tag="echo.fail"):
    unexpected: bool = False


class Nest(Request[Said, Never], tag="echo.nest"):
    """Waits for another instance that waits."""


class Heard(Event, tag="echo.heard"):
    text: str


class Echo(Actor):
    service = "echo"
    slots = 4

    async def start(self, ctx: Context) -> None:
        self.waiting = asyncio.Event()
        self.stopped = asyncio.Event()
        self.ttls: list[float] = []

    @on(Say)
    async def say(self, msg: Say, ctx: Context) -> Said:
        for number in range(msg.notes):
            ctx.part(Note(number=number))
        ctx.publish(Heard(text=msg.text))
        return Said(text=f"{msg.text} {ctx.session}".strip())

    @on(Wait)
    async def wait(self, msg: Wait, ctx: Context) -> Said:
        self.waiting.set()
        self.ttls.append(ctx._deadline - ctx.now())
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
        return Said(text="never")

    @on(Fail)
    async def fail(self, msg: Fail, ctx: Context) -> Said:
        if msg.unexpected:
            raise ZeroDivisionError("secret")
        raise PaperJam("Page 3 is stuck.", page="3")

    @on(Nest)
    async def nest(self, msg: Nest, ctx: Context) -> Said:
        return await ctx.call(Wait())


class Asker(Actor):
    service = "asker"

    async def start(self, ctx: Context) -> None:
        self.ctx = ctx
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    @on(Heard)
    async def hear(self, msg: Heard, ctx: Context) -> None:
        self.heard.put_nowait(msg.text)


class Bus:
    """A broker with actors around it, over memory, ipc or tcp."""

    def __init__(self, folder: Path, transport: str, tcp_port: int) -> None:
        self.folder = folder
        endpoint = f"ipc://{folder}/run/bus" if transport == "ipc" else f"tcp://127.0.0.1:{tcp_port}"
        self.config = Config(
            state_folder=str(folder / "state"),
            runtime_folder=str(folder / "run"),
            bus=BusConfig(endpoint=endpoint, lost_after_s=2.0, start_timeout_s=1.0),
        )
        self.transport = transport
        self.endpoint = endpoint
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self.lost: list[str] = []
        self.lost_next = asyncio.Event()
        self.store = BlobStore(folder / "state")
        self.running: list[tuple[Runtime, asyncio.Task[None]]] = []

    def make_broker(self) -> Broker:
        return Broker(
            self.config,
            known={"echo", "asker"},
            startable={"echo"},
            on_wanted=self._wanted.put_nowait,
            on_lost=self._note_lost,
        )

    def _note_lost(self, process: str, reason: str) -> None:
        self.lost.append(process)
        self.lost_next.set()

    async def begin(self) -> None:
        for folder in ("run", "state"):
            (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
        self.broker = self.make_broker()
        if self.transport != "memory":
            await self.broker.listen(self.endpoint)

    async def wanted_next(self) -> str:
        """The service that the broker wants started."""
        return await self._wanted.get()

    def port(self, name: str) -> Port:
        if self.transport == "memory":
            return self.broker.local_port(name)
        return ZmqPort(self.config, self.endpoint, name)

    async def add(self, actor: Actor, *, idle_s: float = 0.0) -> Runtime:
        runtime = Runtime(self.port(actor.service), actor, store=self.store, idle_s=idle_s)
        task = asyncio.create_task(runtime.run())
        self.running.append((runtime, task))
        await runtime.ready()
        return runtime

    async def end(self) -> None:
        for runtime, _ in self.running:
            runtime.drain()
        await asyncio.gather(*(task for _, task in self.running))
        await self.broker.close()


@asynccontextmanager
async def bus(folder: Path, transport: str, tcp_port: int) -> AsyncIterator[Bus]:
    here = Bus(folder, transport, tcp_port)
    if transport == "tcp":
        make_keys(here.config)
    await here.begin()
    try:
        yield here
    finally:
        await here.end()
