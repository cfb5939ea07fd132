"""SANE's test device, which fails on a later page: by itself it only fails on the first."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from actors.device.driver import Header, Sink, Writer
from actors.device.sane import SaneDriver, connected
from actors.device.sane_device import SaneDevice
from schemas.device import Settings


class LateDriver(SaneDriver):
    """SANE, as the family `late`."""

    family: ClassVar[str] = "late"

    def open(self, address: str) -> "LateDevice":
        return LateDevice(lambda: connected(address))


class LateDevice(SaneDevice):
    """Returns a status from the page after `after_page` on, once."""

    status: ClassVar[str] = ""
    after_page: ClassVar[int] = 2

    def acquire(self, settings: Settings, sink: Sink) -> None:
        super().acquire(settings, _Watched(sink, self))

    def page_done(self, number: int) -> None:
        if LateDevice.status and number == self.after_page:
            self._panel.set("read-return-value", LateDevice.status)
            LateDevice.status = ""


class _Watched:
    def __init__(self, sink: Sink, device: LateDevice) -> None:
        self._sink = sink
        self._device = device
        self._done = 0
        self.wait = sink.wait

    @contextmanager
    def image(self, header: Header) -> Iterator[Writer]:
        with self._sink.image(header) as writer:
            yield writer
        self._done += 1
        self._device.page_done(self._done)
