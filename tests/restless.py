"""SANE's test device, which never comes to rest after a scan that failed: by itself that happens rarely."""

import threading
from typing import ClassVar

from actors.device.driver import Sink
from actors.device.sane import SaneDriver, connected
from actors.device.sane_device import SaneDevice
from schemas.device import Settings
from schemas.errors import ScanbusError


class RestlessDriver(SaneDriver):
    """SANE, as the family `restless`."""

    family: ClassVar[str] = "restless"

    def open(self, address: str) -> "RestlessDevice":
        return RestlessDevice(lambda: connected(address))


class RestlessDevice(SaneDevice):
    """Hangs as libsane does where a thread died with a lock."""

    _hangs = False

    def acquire(self, settings: Settings, sink: Sink) -> None:
        try:
            super().acquire(settings, sink)
        except ScanbusError:
            self._hangs = True
            raise

    def rest(self) -> None:
        if self._hangs:
            threading.Event().wait()
        super().rest()
