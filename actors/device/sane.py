"""The driver for all that SANE knows: without it, no scanner made of metal would be found."""

import ctypes
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import ClassVar

import _sane

from actors.device.driver import Sink
from actors.device.recording import Head
from actors.device.sane_device import SaneDevice
from actors.device.sane_handle import Handle, translated
from actors.device.sane_record import record
from schemas.config import DeviceConfig
from schemas.device import Settings
from schemas.driver import FoundDevice
from schemas.errors import DriverFailed, Invalid, NotFound, ScanbusError, Unsupported

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
        return SaneDevice(lambda: connected(address))

    def record(self, address: str, settings: Settings, sink: Sink, write: Callable[[str], object]) -> None:
        """Describe and scan one device; see `Recordable.record`."""
        record(head_of(address, settings), lambda: connected(address), sink, write)


@cache
def _start_sane() -> tuple[int, ...]:
    """Once in a process: backends look for new devices at each search, and some do not survive a second start.

    Gives libsane's version.
    """
    # The first thread that ends makes the C library load what ending needs. Backends cancel theirs wherever these are:
    # one that is canceled while it loads keeps the loader's lock, and no thread can ever be started again. A backtrace
    # needs the same, so that it is loaded now.
    backtrace = getattr(ctypes.CDLL(None), "backtrace", None)
    if backtrace is not None:
        backtrace((ctypes.c_void_p * 1)(), 1)
    with translated():
        _, *numbers = _sane.init()
        return tuple(numbers)


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


def head_of(address: str, settings: Settings) -> Head:
    """The first line of a recording of a device. Raises NotFound, DriverFailed."""
    found = {device.address: device for device, _ in _search()}.get(address)
    if found is None:
        raise _missing(address)
    return Head(
        recording=1,
        driver=SaneDriver.family,
        vendor=found.vendor,
        model=found.model,
        sane=".".join(map(str, _start_sane())),
        scanbus=version("scanbus"),
        settings=settings,
    )


def connected(address: str) -> Handle:
    """A fresh handle, wherever the device is plugged in now. Raises what `Driver.open` may."""
    _start_sane()
    names = [address]
    if _PLACELESS in address:
        names = [name for device, name in _search() if device.address == address]
    if not names:
        raise _missing(address)
    try:
        return Handle(names[0])
    except Invalid as error:
        raise _missing(address) from error
    except Unsupported as error:
        raise DriverFailed(f"SANE's driver cannot open the scanner {address}.") from error


def _missing(address: str) -> NotFound:
    return NotFound(f"SANE knows no scanner {address}. Check that it is switched on and connected.")


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
