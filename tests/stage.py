"""A driver whose every step a test decides, found by an entry point like any other."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from actors.device.driver import Header, Sink
from schemas.config import DeviceConfig
from schemas.device import Capabilities, Settings, SourceCapabilities
from schemas.driver import FoundDevice
from schemas.page import Color, Source

HEADER = Header(width_px=10, height_px=4, color=Color.GRAY, resolution_dpi=100)
WAIT_S = 10.0


def add_driver(monkeypatch: pytest.MonkeyPatch, folder: Path, family: str, target: str) -> None:
    """Install an entry point of the group `scanbus.drivers` for the length of a test."""
    install_driver(folder, family, target)
    monkeypatch.syspath_prepend(folder)


def install_driver(folder: Path, family: str, target: str) -> None:
    """Make a folder that has a driver, for whoever has it in its path."""
    info = folder / f"{family}-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {family}\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[scanbus.drivers]\n{family} = {target}\n")


class Stage:
    """What the driver's devices do, and what was asked of them."""

    def __init__(self) -> None:
        self.addresses = ["one"]
        self.fail: BaseException | None = None
        """Raised by whatever is called next, once."""
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.acquire: Callable[[Settings, Sink], None] = feed(1)
        self.rest: Callable[[], None] = lambda: None
        self.hanging = threading.Event()
        self.released = threading.Event()

    def called(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.get_ident())
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error

    def hang(self) -> None:
        """Come back only when the test is over."""
        self.hanging.set()
        self.released.wait(6 * WAIT_S)


def feed(pages: int, error: BaseException | None = None) -> Callable[[Settings, Sink], None]:
    """Scan so many pages, then fail if there is an error."""

    def acquire(settings: Settings, sink: Sink) -> None:
        for number in range(pages):
            with sink.image(HEADER) as writer:
                writer.write(bytes([number]) * 40)
        if error is not None:
            raise error

    return acquire


def feed_until_stopped(settings: Settings, sink: Sink) -> None:
    """Scan one page, then wait for a stop in the middle of the next."""
    feed(1)(settings, sink)
    with sink.image(HEADER) as writer:
        writer.write(bytes(20))
        sink.wait(6 * WAIT_S)


class StageDriver:
    family: ClassVar[str] = "stage"
    stage: ClassVar[Stage]

    def __init__(self, config: DeviceConfig) -> None:
        pass

    def find(self) -> list[FoundDevice]:
        self.stage.called("find")
        return [FoundDevice(address=address, name=f"Stage {address}") for address in self.stage.addresses]

    def open(self, address: str) -> "StageDevice":
        self.stage.called("open")
        return StageDevice(self.stage)

    def record(self, address: str, settings: Settings, sink: Sink, write: Callable[[str], object]) -> None:
        self.stage.called("record")
        for number in range(3):
            write(f"line {number}")
        self.stage.acquire(settings, sink)
        write("the last line")


class StageDevice:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def capabilities(self) -> Capabilities:
        self.stage.called("capabilities")
        return Capabilities(
            sources=[SourceCapabilities(source=Source.FEEDER, colors=[Color.GRAY], width_mm=200, height_mm=200)]
        )

    def acquire(self, settings: Settings, sink: Sink) -> None:
        self.stage.called("acquire")
        self.stage.acquire(settings, sink)

    def rest(self) -> None:
        self.stage.rest()

    def close(self) -> None:
        self.stage.called("close")
