"""A worker that answers at once, in a process of its own: the other end of the round trip."""

import asyncio
import sys
from pathlib import Path
from typing import ClassVar, Never

from bus import Actor, Context, on
from bus.blobs import BlobStore
from bus.port import ZmqPort
from bus.runtime import Runtime
from schemas.config import Config
from schemas.message import Message, Request


class Pong(Message, tag="bench.pong"):
    text: str


class Ping(Request[Pong, Never], tag="bench.ping"):
    idempotent: ClassVar[bool] = True

    text: str


class Bench(Actor):
    service = "bench"

    @on(Ping)
    async def ping(self, msg: Ping, ctx: Context) -> Pong:
        return Pong(text=msg.text)


async def main(folder: str) -> None:
    config = Config(state_folder=folder, runtime_folder=folder)
    port = ZmqPort(config, f"ipc://{folder}/bus", "bench")
    await Runtime(port, Bench(config), store=BlobStore(Path(folder))).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
