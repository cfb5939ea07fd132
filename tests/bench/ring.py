"""What the ring of the last minute costs a request: round trips with it and without it, in turns."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from bus.blobs import BlobStore
from bus.port import ZmqPort
from bus.runtime import Runtime
from schemas.config import Config
from tests.bench.echo import Ping
from tests.bench.measure import Report, median, spread
from tests.bench.round_trip import Asker

TURNS = 300
ROUNDS = 50
SETTLE = 5
"""Round trips that are not counted after each change."""
RATIO_LIMIT = 1.03
BROKER = """
import asyncio, signal, sys
from bus.broker import Broker
from bus.trace import Ring
from schemas.config import Config
async def main(folder):
    broker = Broker(Config(state_folder=folder, runtime_folder=folder), known={"bench", "asker"}, startable=set())
    loop, ring = asyncio.get_running_loop(), Ring()
    loop.add_signal_handler(signal.SIGUSR1, broker.watchers.append, ring.note)
    loop.add_signal_handler(signal.SIGUSR2, broker.watchers.clear)
    await broker.listen(f"ipc://{folder}/bus")
    await asyncio.Event().wait()
asyncio.run(main(sys.argv[1]))
"""


def ring(folder: Path, report: Report) -> None:
    broker = subprocess.Popen([sys.executable, "-c", BROKER, str(folder)])
    worker = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", str(folder)])
    try:
        ratios, added_us = asyncio.run(_compare(folder, broker))
    finally:
        for process in (worker, broker):
            process.kill()
            process.wait()
    note = f"{spread(ratios)}, {added_us:+.1f} us"
    report.figure("round trip with the ring / without it, median of turns", median(ratios), "x", RATIO_LIMIT, note)


async def _compare(folder: Path, broker: "subprocess.Popen[bytes]") -> tuple[list[float], float]:
    """For each pair of turns, the median round trip with the ring over that without it; microseconds between them."""
    config = Config(state_folder=str(folder), runtime_folder=str(folder))
    asker = Asker(config)
    runtime = Runtime(ZmqPort(config, f"ipc://{folder}/bus", "asker"), asker, store=BlobStore(folder))
    running = asyncio.create_task(runtime.run())
    await runtime.ready()
    await asker.ctx.call(Ping(text="first"), timeout_s=20.0)
    pairs = []
    for turn in range(TURNS):
        # Every other pair begins with the ring, so that a machine that grows slower favors neither.
        times = {}
        for number in (signal.SIGUSR1, signal.SIGUSR2)[:: 1 if turn % 2 else -1]:
            broker.send_signal(number)
            times[number] = await _turn(asker)
        pairs.append((times[signal.SIGUSR1], times[signal.SIGUSR2]))
    runtime.drain()
    await running
    added_s = median([with_it - without for with_it, without in pairs])
    return [with_it / without for with_it, without in pairs], added_s * 1e6


async def _turn(asker: Asker) -> float:
    """Seconds of the median round trip."""
    times_s = []
    for number in range(SETTLE + ROUNDS):
        began = perf_counter()
        await asker.ctx.call(Ping(text="x" * 200))
        if number >= SETTLE:
            times_s.append(perf_counter() - began)
    return median(times_s)
