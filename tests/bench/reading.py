"""Reading ten color pages with our driver, against python-sane's `snap`, both into nothing; in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import sane
from typing_extensions import Buffer

from actors.device.driver import Header
from actors.device.sane import SaneDriver
from schemas.config import DeviceConfig
from schemas.device import Settings
from schemas.page import Color, Source
from tests.bench.measure import Report, median, seconds, spread
from tests.system.conftest import Service

RUNS = 5
PAGES = 10
PAGE_BYTES = 2362 * 2362 * 3


class Nothing:
    """A sink and its writer that only count."""

    def __init__(self) -> None:
        self.size = 0

    @contextmanager
    def image(self, header: Header) -> Iterator["Nothing"]:
        yield self

    def write(self, data: Buffer, /) -> None:
        self.size += memoryview(data).nbytes

    def wait(self, seconds: float) -> None:
        """Nobody stops."""


def ours() -> None:
    device = SaneDriver(DeviceConfig()).open("test:0")
    sink = Nothing()
    settings = Settings(source=Source.FEEDER, color=Color.COLOR, resolution_dpi=300)
    device.acquire(settings, sink)
    device.close()
    assert sink.size == PAGES * PAGE_BYTES


def theirs() -> None:
    device = sane.open("test:0")
    device.source, device.mode, device.resolution = "Automatic Document Feeder", "Color", 300
    device.br_x, device.br_y = 200.0, 200.0
    size = 0
    for _ in range(PAGES):
        device.start()
        size += len(device.dev.snap(True)[0])
    device.cancel()
    device.close()
    assert size == PAGES * PAGE_BYTES


def main() -> None:
    sane.init()
    ours(), theirs()
    for _ in range(RUNS):
        print(seconds(ours) / seconds(theirs))


def reading(service: Service, report: Report) -> None:
    command = [sys.executable, "-m", "tests.bench.reading"]
    ended = subprocess.run(command, env=service.environment, capture_output=True, text=True, check=True)
    ratios = [float(line) for line in ended.stdout.split()]
    report.figure("reading 10 color pages / python-sane, median", median(ratios), "x", 1.0, spread(ratios))


if __name__ == "__main__":
    main()
