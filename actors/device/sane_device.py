"""One open SANE device: without it, what a scan is would be known only where libsane is."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Protocol

from actors.device import sane_settings
from actors.device.driver import Sink
from actors.device.sane_options import Controls, Panel
from actors.device.sane_read import Frames, read_image
from schemas.device import Capabilities, Settings
from schemas.errors import FeederEmpty, ScanbusError
from schemas.page import Source


class SaneHandle(Controls, Frames, Protocol):
    """SANE's boundary: all that is asked of a device, and all that it answers. Raises what `error_of` gives."""

    def cancel(self) -> None:
        """End whatever was started; the device can be started anew."""

    def close(self) -> None:
        """Give the device back."""


class SaneDevice:
    """A device that is scanned through the handles that `connect` opens, one after another."""

    def __init__(self, connect: Callable[[], SaneHandle]) -> None:
        self._open = connect
        self._worn = True
        self._connect()

    def _connect(self) -> None:
        self._handle = self._open()
        self._held = True
        self._panel = Panel(self._handle)
        self._worn = False

    def _renew(self) -> None:
        self.rest()
        if not self._held:
            self._connect()
        self._worn = True

    def capabilities(self) -> Capabilities:
        """What the device can do now. Raises DeviceError."""
        self._renew()
        found = sane_settings.capabilities(self._panel)
        self._worn = False
        return found

    def acquire(self, settings: Settings, sink: Sink) -> None:
        """Scan one image after another; see `OpenDevice.acquire`."""
        self._renew()
        source = sane_settings.apply(self._panel, settings)
        # Now, because some backends refuse to be asked while they scan.
        resolution_dpi = sane_settings.resolution_dpi(self._panel)
        for number in count(1):
            # Asked before each sheet: one that is fed for nobody is a page lost.
            sink.wait(0)
            try:
                self._handle.start()
            except FeederEmpty:
                if number > 1:
                    return
                raise
            back = source == Source.DUPLEX and number % 2 == 0
            read_image(self._handle, sink, resolution_dpi=resolution_dpi, back=back)
            if source == Source.FLATBED or number == settings.pages:
                return

    def rest(self) -> None:
        """Give back a handle that was used for a scan, or failed: only a new one surely finds a device that was
        unplugged, slept or stumbled. See `Resting.rest`."""
        if self._held and self._worn:
            self._held = False
            self._handle.cancel()
            # Some backends keep their options' values even so.
            with suppress(ScanbusError):
                self._panel.restore()
            self._handle.close()

    def close(self) -> None:
        """Release the device."""
        if self._held:
            self._held = False
            self._handle.cancel()
            self._handle.close()
