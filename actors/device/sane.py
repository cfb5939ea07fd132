"""The driver for all that SANE knows: without it, no scanner made of metal would be found."""

import re
from collections import Counter
from contextlib import suppress
from functools import cache
from itertools import count
from typing import ClassVar

import _sane

from actors.device import sane_settings
from actors.device.driver import Sink
from actors.device.sane_handle import Handle, translated
from actors.device.sane_options import Panel
from actors.device.sane_read import read_image
from schemas.config import DeviceConfig
from schemas.device import Capabilities, Settings
from schemas.driver import FoundDevice
from schemas.errors import DriverFailed, FeederEmpty, Invalid, NotFound, ScanbusError, Unsupported
from schemas.page import Source

_PLACE = re.compile(r"libusb:\d+:\d+|(?<=^airscan:)[ew]\w+")
"""What changes in SANE's names: where on the USB bus a device is, and in which order the network was searched."""
_PLACELESS = "@"


class SaneDriver:
    """SANE's devices."""

    family: ClassVar[str] = "sane"

    def __init__(self, config: DeviceConfig) -> None:
        """SANE has a configuration of its own."""

    def find(self) -> list[FoundDevice]:
        """Search for devices; the address of each is the same every time. Raises DriverFailed."""
        return [device for device, _ in _search()]

    def open(self, address: str) -> "SaneDevice":
        """Open one device. Raises NotFound, Offline, InUse, Denied or DriverFailed."""
        return SaneDevice(address)


class SaneDevice:
    """One open device."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connect()

    def _connect(self) -> None:
        self._handle = _connected(self._address)
        self._panel = Panel(self._handle)
        self._worn = False

    def _renew(self) -> None:
        """Exchange a handle that was used for a scan, or failed: only a new one surely finds a device that was
        unplugged, slept or stumbled."""
        if self._worn:
            # Some backends keep their options' values even so.
            with suppress(ScanbusError):
                self._panel.restore()
            self._handle.close()
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
        try:
            self._acquire(settings, sink)
        finally:
            self._handle.cancel()

    def _acquire(self, settings: Settings, sink: Sink) -> None:
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

    def close(self) -> None:
        """Release the device."""
        self._handle.close()


@cache
def _start_sane() -> None:
    """Once in a process: backends look for new devices at each search, and some do not survive a second start."""
    with translated():
        _sane.init()


def _search() -> list[tuple[FoundDevice, str]]:
    """All devices, each with SANE's own name for it."""
    try:
        _start_sane()
        with translated():
            return addressed(_sane.get_devices())
    except DriverFailed:
        raise
    except ScanbusError as error:
        raise DriverFailed(f"SANE could not search for scanners: {error}") from error


def _connected(address: str) -> Handle:
    """A fresh handle, wherever the device is plugged in now. Raises what `Driver.open` may."""
    _start_sane()
    missing = NotFound(f"SANE knows no scanner {address}. Check that it is switched on and connected.")
    names = [address]
    if _PLACELESS in address:
        names = [name for device, name in _search() if device.address == address]
    if not names:
        raise missing
    try:
        return Handle(names[0])
    except Invalid as error:
        raise missing from error
    except Unsupported as error:
        raise DriverFailed(f"SANE's driver cannot open the scanner {address}.") from error


def addressed(rows: list[tuple[str, str, str, str]]) -> list[tuple[FoundDevice, str]]:
    """SANE's list (name, vendor, model, type) with addresses that survive replugging, and names that tell equals apart.

    Where a name holds a place on the bus, vendor and model stand for it, and a number from the second equal one on.
    """
    titles = Counter(_title(vendor, model) for _, vendor, model, _ in rows)
    seen: Counter[str] = Counter()
    found = []
    for name, vendor, model, _ in sorted(rows):
        title = _title(vendor, model)
        address = _PLACE.sub(_PLACELESS + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"), name)
        seen[address] += 1
        if seen[address] > 1:
            address = f"{address}:{seen[address]}"
        shown = f"{title} ({address})" if titles[title] > 1 else title
        found.append((FoundDevice(address=address, name=shown, vendor=vendor, model=model), name))
    return found


def _title(vendor: str, model: str) -> str:
    return model if model.lower().startswith(vendor.lower()) else f"{vendor} {model}"
