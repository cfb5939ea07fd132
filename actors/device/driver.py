"""The contract of a driver: without it, the device actor would have to know SANE, TWAIN and eSCL."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol, runtime_checkable

from msgspec import Struct
from typing_extensions import Buffer

from schemas.config import DeviceConfig
from schemas.device import Capabilities, Settings
from schemas.driver import FoundDevice
from schemas.page import Color


class Header(Struct, frozen=True, kw_only=True):
    """What a driver knows of an image before its first byte."""

    width_px: int
    height_px: int
    """-1 where only the end tells (hand scanners, feeders without a length)."""
    color: Color
    resolution_dpi: int
    back: bool = False
    media_type: str = "image/x-portable-anymap"
    """Or `image/jpeg`, whose bytes are kept as they come."""

    @property
    def line_bytes(self) -> int:
        """Bytes of one line of raw pixels: RGB, gray, or packed mono with 1 for black, first pixel in the top bit."""
        return {Color.COLOR: 3 * self.width_px, Color.GRAY: self.width_px, Color.MONO: (self.width_px + 7) // 8}[
            self.color
        ]


class Writer(Protocol):
    """Takes the bytes of one image, top line first, in pieces of any size."""

    def write(self, data: Buffer, /) -> None:
        """Take more bytes. Raises Canceled when the scan shall stop, StorageFull or StorageFailed."""


class Sink(Protocol):
    """Where a driver puts what it scans; whatever it raises must leave `Device.acquire` unhandled."""

    def image(self, header: Header) -> AbstractContextManager[Writer]:
        """Begin an image; leaving the block without an exception hands it over as a page.

        Raises DriverFailed on leaving when fewer or more bytes came than the header announced: the bytes are
        counted here, never the device's status believed.
        """

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Canceled at once when the scan shall stop."""


class OpenDevice(Protocol):
    """One device, opened. All calls come from one thread, for its whole life: drivers need not be thread-safe."""

    def capabilities(self) -> Capabilities:
        """What the device can do now. Raises DeviceError."""

    def acquire(self, settings: Settings, sink: Sink) -> None:
        """Scan: one image after another into `sink`, until the source is empty or `settings.pages` are done.

        Raises Unsupported or Invalid for settings that the device does not have, before anything moves;
        FeederEmpty when there was no first page; any other DeviceError when it fails, at whatever page: the
        images handed over before are kept. After any exception the next `acquire` works, or says why not.
        """

    def close(self) -> None:
        """Release the device."""


@runtime_checkable
class Resting(OpenDevice, Protocol):
    """A device with work that is left when a scan's outcome is known: to park, to be given back."""

    def rest(self) -> None:
        """Do it; called after each `acquire`, by who told its outcome. Whoever does not come back is ended.

        Nothing is lost without it: the next `acquire` does it first.
        """


class Driver(Protocol):
    """One family of devices; runs in a process of its own, may block, hang or crash there."""

    family: ClassVar[str]

    def __init__(self, config: DeviceConfig) -> None:
        """Prepare; nothing is searched, loaded or opened yet."""

    def find(self) -> list[FoundDevice]:
        """Search for devices; the address of each is the same every time. Raises DriverFailed."""

    def open(self, address: str) -> OpenDevice:
        """Open one device. Raises NotFound, Offline, InUse, Denied or DriverFailed."""


@runtime_checkable
class Recordable(Protocol):
    """A driver that can also write down what a device answers."""

    def record(self, address: str, settings: Settings, sink: Sink, write: Callable[[str], object]) -> None:
        """Describe one device, then scan, and `write` what it answers: one line of a recording after another.

        Nothing of the image is written. Raises what opening, describing and scanning raise, after the last line.
        """
