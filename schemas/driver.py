"""What the device list asks of the processes that hold the drivers; never heard by a browser."""

from typing import ClassVar, Never

from msgspec import Struct

from schemas.device import Capabilities, Settings
from schemas.errors import Failure
from schemas.message import Message, Request
from schemas.page import Image


class FoundDevice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device as its driver names it."""

    address: str
    name: str
    vendor: str = ""
    model: str = ""


class Found(Message, tag="driver.found"):
    """All devices that one driver sees now."""

    devices: list[FoundDevice]


class Find(Request[Found, Never], tag="driver.find"):
    """Search; sent to `driver/<family>`. Gives up before those who wait for the list do."""

    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 20.0


class Inspected(Message, tag="driver.inspected"):
    """What the device says of itself."""

    capabilities: Capabilities


class Inspect(Request[Inspected, Never], tag="driver.inspect"):
    """Read a device's capabilities; sent to `driver/<family>:<address>`."""

    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 30.0


class KeptPage(Struct, frozen=True, kw_only=True):
    """A page of a scan that goes on after a pause: a sheet that was put back may show it again."""

    number: int
    image: Image


class Arrived(Message, tag="driver.arrived"):
    """One image, durable in the blob store."""

    image: Image
    number: int = 1
    """Which page of the scan it is."""
    resembles: int = 0
    """The number of a kept page that it may repeat, but not certainly."""


class Repeats(Message, tag="driver.repeats"):
    """An image that was not kept: it shows a page that is."""

    number: int


class Stalled(Message, tag="driver.stalled"):
    """Something keeps the scan from going on, or does no longer."""

    reason: Failure | None = None


class Reading(Message, tag="driver.reading"):
    """How much of the current image has been read: 0 to 1, or -1 where the height is unknown."""

    fraction: float


class Acquired(Message, tag="driver.acquired"):
    """The device has no more pages, or gave as many as were asked for."""


AcquirePart = Arrived | Repeats | Reading | Stalled


class Acquire(Request[Acquired, AcquirePart], tag="driver.acquire"):
    """Scan; sent to `driver/<family>:<address>`."""

    timeout_s: ClassVar[float] = 86400.0

    settings: Settings
    job_id: str = ""
    first_number: int = 1
    """Of the first page; it and what follows goes on the images' labels."""
    document_id: str = ""
    after_page_id: str = ""
    kept: list[KeptPage] = []
    """The last pages before a pause, oldest first."""
    put_back: int = -1
    """How many sheets of them lie on top; -1: nobody knows."""


class Settled(Message, tag="driver.settled"):
    """What was scanned before this was asked is durable, or was given up."""


class Settle(Request[Settled, Never], tag="driver.settle"):
    """Wait until nothing is being scanned; sent to `driver/<family>:<address>`."""

    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 8.0


class RecordedLine(Message, tag="driver.recorded_line"):
    """What the device answered to one call, as JSON."""

    text: str


class Recorded(Message, tag="driver.recorded"):
    """The recording is whole."""

    pages: int
    """How many the device gave; none was kept."""
    fault: Failure | None = None
    """How the scan failed, if it did."""


class Record(Request[Recorded, RecordedLine], tag="driver.record"):
    """Describe the device and scan, and tell what it answered; sent to `driver/<family>:<address>`."""

    timeout_s: ClassVar[float] = 3600.0

    settings: Settings
