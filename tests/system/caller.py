"""Asks on the bus of a real service from outside: without it, tests would see only what a browser may say."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple

from bus import Actor, Context
from bus.blobs import BlobStore
from bus.port import Deliver, ZmqPort
from bus.runtime import Runtime
from schemas.config import Config
from schemas.envelope import Envelope, Kind
from schemas.errors import ScanbusError
from schemas.message import Request
from tests.system.conftest import WAIT_S, Service


class Answer(NamedTuple):
    """How a request ended for whoever asked."""

    code: str
    """Empty where it went well."""
    text: str
    parts: int
    took_s: float
    id: str


class Ear(ZmqPort):
    """A port that remembers every letter that reached it."""

    def __init__(self, config: Config, endpoint: str, name: str) -> None:
        super().__init__(config, endpoint, name)
        self.heard: list[Envelope] = []

    async def open(self, topics: Any, deliver: Deliver) -> None:
        def hear(letter: Envelope) -> None:
            self.heard.append(letter)
            deliver(letter)

        await super().open(topics, hear)


class Caller(Actor):
    """Asks, from outside of the service's own processes."""

    service = "caller"
    ctx: Context

    def __init__(self, service: Service) -> None:
        folders = {"state_folder": f"{service.folder}/state", "runtime_folder": f"{service.folder}/run"}
        super().__init__(Config(**folders))
        self._port = Ear(self.config, f"ipc://{service.folder}/run/bus", "caller")
        self._runtime = Runtime(self._port, self, store=BlobStore(service.folder / "state"))
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._runtime.run())

    async def start(self, ctx: Context) -> None:
        self.ctx = ctx

    async def ready(self) -> None:
        await self._runtime.ready()

    async def leave(self) -> None:
        self._runtime.drain()
        await self._running

    def ask(self, message: Request[Any, Any], timeout_s: float = 2 * WAIT_S) -> "Future[Answer]":
        """Ask from another thread."""
        return asyncio.run_coroutine_threadsafe(self._ask(message, timeout_s), self._loop)

    def said_to(self, key: str) -> list[Kind]:
        """The kinds of all letters that answered a request."""
        return [letter.kind for letter in self._port.heard if letter.re == key]

    async def _ask(self, message: Request[Any, Any], timeout_s: float) -> Answer:
        began = monotonic()
        code, parts = "", 0
        async with self.ctx.stream(message, timeout_s=timeout_s) as stream:
            async for _ in stream:
                parts += 1
            try:
                text = (await stream.reply()).text
            except ScanbusError as error:
                code, text = error.code, error.text
        return Answer(code, text, parts, monotonic() - began, stream._id)


@contextmanager
def calling(service: Service) -> Iterator[Caller]:
    """A caller whose loop has a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def join() -> Caller:
        caller = Caller(service)
        await caller.ready()
        return caller

    try:
        caller = asyncio.run_coroutine_threadsafe(join(), loop).result(WAIT_S)
        yield caller
        asyncio.run_coroutine_threadsafe(caller.leave(), loop).result(WAIT_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()
