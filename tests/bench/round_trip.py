"""A request through the broker to a worker in another process, and back."""

import asyncio
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from bus import Actor, Context
from bus.blobs import BlobStore
from bus.port import ZmqPort
from bus.runtime import Runtime
from schemas.config import Config
from tests.bench.echo import Ping
from tests.bench.measure import Report, median, spread

ROUNDS = 3000
BROKER = """
import asyncio, sys
from bus.broker import Broker
from schemas.config import Config
async def main(folder):
    broker = Broker(Config(state_folder=folder, runtime_folder=folder), known={"bench", "asker"}, startable=set())
    await broker.listen(f"ipc://{folder}/bus")
    await asyncio.Event().wait()
asyncio.run(main(sys.argv[1]))
"""


class Asker(Actor):
    service = "asker"
    ctx: Context

    async def start(self, ctx: Context) -> None:
        self.ctx = ctx


def round_trip(folder: Path, report: Report) -> None:
    broker = subprocess.Popen([sys.executable, "-c", BROKER, str(folder)])
    worker = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", str(folder)])
    try:
        times_ms = asyncio.run(_ask(folder))
    finally:
        for process in (worker, broker):
            process.kill()
            process.wait()
    report.figure("request round trip, three processes, median", median(times_ms), "ms", 1.0, spread(times_ms))


async def _ask(folder: Path) -> list[float]:
    config = Config(state_folder=str(folder), runtime_folder=str(folder))
    asker = Asker(config)
    port = ZmqPort(config, f"ipc://{folder}/bus", "asker")
    runtime = Runtime(port, asker, store=BlobStore(folder))
    running = asyncio.create_task(runtime.run())
    await runtime.ready()
    await asker.ctx.call(Ping(text="first"), timeout_s=20.0)
    times_ms = []
    for _ in range(ROUNDS):
        began = perf_counter()
        await asker.ctx.call(Ping(text="x" * 200))
        times_ms.append((perf_counter() - began) * 1000)
    runtime.drain()
    await running
    return times_ms
