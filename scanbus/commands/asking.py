"""A command's way onto the bus of a running service: for what the gateway lets no web page ask."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from bus.actor import Actor
from bus.context import Context, Stream
from bus.endpoints import default_endpoint
from bus.opened import open_store
from bus.port import ZmqPort
from bus.runtime import Runtime
from scanbus.client import NOT_RUNNING, ScannerError
from schemas.config import Config
from schemas.message import Message, Request

CONNECT_S = 5.0
ReplyT = TypeVar("ReplyT", bound=Message)
PartT = TypeVar("PartT")


class Asker(Actor):
    """Asks, and serves nothing: its heartbeat tells the broker when nobody waits for the answer any more."""

    service = "command"
    ctx: Context

    async def start(self, ctx: Context) -> None:
        """Keep the way to ask."""
        self.ctx = ctx


@asynccontextmanager
async def asked(config: Config, message: Request[ReplyT, PartT], instance: str) -> AsyncIterator[Stream[ReplyT, PartT]]:
    """An open request to one instance of a service; interrupted, it is canceled, and still answered.

    Raises ScannerError where the service does not run, Denied where it belongs to somebody else.
    """
    endpoint = default_endpoint(config)
    if not _may_run(endpoint):
        raise _absent(endpoint)
    asker = Asker(config)
    port = ZmqPort(config, endpoint, f"{asker.service}@{socket.gethostname()}")
    runtime = Runtime(port, asker, store=open_store(config))
    running = asyncio.create_task(runtime.run())
    ready = asyncio.create_task(runtime.ready())
    await asyncio.wait({running, ready}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if running.done():
        running.result()
    if not ready.done():
        running.cancel()
        raise _absent(endpoint)
    try:
        async with asker.ctx.stream(message, instance=instance) as stream:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stream.cancel)
            yield stream
    finally:
        runtime.drain()
        await running


def _may_run(endpoint: str) -> bool:
    return not endpoint.startswith("ipc://") or Path(endpoint.removeprefix("ipc://")).exists()


def _absent(endpoint: str) -> ScannerError:
    return ScannerError(NOT_RUNNING, f"Scanbus does not run at {endpoint}; start it with: scanbus run")
