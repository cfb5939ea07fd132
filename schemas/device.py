"""Scanners: which there are, what they can do, and scanning with them."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Never

from msgspec import Meta, Struct

from schemas.errors import Failure
from schemas.message import Event, Message, Request
from schemas.page import Color, Dpi, Millimeters, Page, Source

Percent = Annotated[int, Meta(ge=-100, le=100)]
OptionValue = bool | int | float | str | list[int | float]


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scanner as a person would recognize it."""

    device_id: str
    """Stable: the same scanner has the same id after a restart. `<driver>:<driver's address>`."""
    name: str
    vendor: str = ""
    model: str = ""
    driver: str = ""


class Area(Struct, frozen=True, kw_only=True):
    """A rectangle on the glass, from its top left corner."""

    left_mm: Millimeters = 0.0
    top_mm: Millimeters = 0.0
    width_mm: Millimeters
    height_mm: Millimeters


PageSize = Literal["a3", "a4", "a5", "a6", "b5", "letter", "legal", "card"]


class Settings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to scan, in the field's own terms; what is left out is the device's own default."""

    source: Source | None = None
    color: Color | None = None
    resolution_dpi: Dpi | None = None
    page_size: PageSize | None = None
    """Instead of `area`; without both, the whole of what the source can see."""
    area: Area | None = None
    brightness: Percent = 0
    contrast: Percent = 0
    pages: Annotated[int, Meta(ge=0)] = 0
    """Stop after so many pages; 0 takes all that the feeder has, or one from the glass."""
    options: dict[str, OptionValue] = {}
    """Any other option of the device, by its own name (see `Capabilities.options`)."""


class Range(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The numbers from `minimum` to `maximum`, in steps of `step` (0: any)."""

    minimum: float
    maximum: float
    step: float = 0.0


class OptionType(StrEnum):
    """What kind of value a device's option takes."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STRING = "string"
    INT_LIST = "int_list"
    FLOAT_LIST = "float_list"
    BUTTON = "button"


class Option(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One option of a device that has no name of its own in `Settings`."""

    name: str
    type: OptionType
    title: str = ""
    description: str = ""
    unit: str = ""
    """`px`, `bit`, `mm`, `dpi`, `percent`, `us` or nothing."""
    value: OptionValue | None = None
    choices: list[int | float | str] = []
    range: Range | None = None
    length: int = 1
    """How many numbers a list has."""
    active: bool = True
    """Whether it can be used now; other options may switch it on."""
    settable: bool = True


class SourceCapabilities(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one source of a device can do."""

    source: Source
    colors: list[Color]
    resolutions_dpi: list[int] = []
    """Those that it has, or, where it has a range, the usual ones inside it."""
    resolution_range_dpi: Range | None = None
    """Where every value is possible."""
    width_mm: float
    height_mm: float
    page_sizes: list[PageSize] = []
    """Those that fit."""


class Capabilities(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a device can do; nothing that is offered here is refused when asked for alone."""

    sources: list[SourceCapabilities]
    """Best first: the first is the default."""
    default_color: Color = Color.COLOR
    default_resolution_dpi: int = 300
    brightness: bool = False
    contrast: bool = False
    options: list[Option] = []


class JobState(StrEnum):
    """How far a scan is; it only moves forward."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAULTED = "faulted"
    CANCELED = "canceled"


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scan of one session; it survives every crash."""

    job_id: str
    device_id: str
    state: JobState
    pages: int = 0
    """How many are durable."""
    fault: Failure | None = None
    """Why it ended before its time."""
    paused: Failure | None = None
    """Why it waits, while it is running: `storage_full` ends by itself, anything else with `device.resume`."""
    gap: int = 0
    """Number of the page that was fed, or may have been, and is not kept; 0: surely none."""
    document_id: str = ""
    """Where its pages go; empty: the session's first document."""
    last_page_id: str = ""
    """Its newest page; empty: none yet."""


class Devices(Message, tag="device.devices"):
    """The scanners, as far as they are known now."""

    devices: list[Device]
    searching: list[str] = []
    """Drivers that have not answered yet."""
    faults: dict[str, str] = {}
    """Drivers that could not search, and why."""


class ListDevices(Request[Devices, Never], tag="device.list_devices"):
    """Which scanners are there? Answers at once from what is known, and searches behind it."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 30.0

    wait: bool = False
    """Wait until every driver has answered (or has used up its time)."""


class Described(Message, tag="device.described"):
    """What one device can do."""

    device: Device
    capabilities: Capabilities


class Describe(Request[Described, Never], tag="device.describe"):
    """What can this device do?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 30.0

    device_id: str


class Started(Message, tag="device.started"):
    """The first part of a scan: its name, for those who come back later."""

    job: Job


class ScannedPage(Message, tag="device.scanned_page"):
    """A page that is durable: it is there until it is removed."""

    page: Page
    number: int
    """1 for the first page of this scan."""
    resembles: int = 0
    """After a pause: the number of an earlier page that this one may repeat. It was not certain, so both are kept."""


class Progress(Message, tag="device.progress"):
    """How much of the page that is being scanned has arrived."""

    number: int
    fraction: float
    """0 to 1; -1 where the device does not know the height."""


class Paused(Message, tag="device.paused"):
    """The scan waits; `job.paused` says why, and what a person can do."""

    job: Job


class Continued(Message, tag="device.continued"):
    """The scan goes on."""

    job: Job


class Repeated(Message, tag="device.repeated"):
    """A sheet that was put back repeats a page that is kept: it was not kept again."""

    number: int
    """Of the page that is kept."""
    page_id: str


class Scanned(Message, tag="device.scanned"):
    """The end of a scan that went well."""

    job: Job


ScanPart = Started | ScannedPage | Progress | Paused | Continued | Repeated


class Scan(Request[Scanned, ScanPart], tag="device.scan"):
    """Scan: each page follows as a part once it is durable. Goes on when the browser is gone."""

    browser: ClassVar[bool] = True
    detached: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 86400.0

    device_id: str
    settings: Settings = Settings()
    document_id: str = ""
    """Where the pages go; empty: the session's first document."""
    after_page_id: str = ""
    """The page that the first one follows; each further one follows the one before. Empty: they come last."""
    pause_s: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    """How long it waits for a person after a jam, a double feed, an open cover or a crash; 0: it ends at once."""


class Follow(Request[Scanned, ScanPart], tag="device.follow"):
    """Come back to a scan that is running: what still arrives, then how it ended."""

    browser: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 86400.0

    job_id: str


class Resumed(Message, tag="device.resumed"):
    """The scan goes on."""

    job: Job


class Resume(Request[Resumed, Never], tag="device.resume"):
    """The paper is in place: go on with a scan that is paused; `conflict` if it does not wait for that."""

    browser: ClassVar[bool] = True

    job_id: str
    put_back: Annotated[int, Meta(ge=-1, le=100)] = -1
    """How many sheets that are kept already lie on top; -1: find out by comparing. In doubt a page is kept."""


class Jobs(Message, tag="device.jobs"):
    """The scans of this session, newest last."""

    jobs: list[Job]


class ListJobs(Request[Jobs, Never], tag="device.list_jobs"):
    """Which scans has this session?"""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True


class Stopped(Message, tag="device.stopped"):
    """How the scan ended; finished pages are kept."""

    job: Job


class Stop(Request[Stopped, Never], tag="device.stop"):
    """Cancel a scan; answers when the device has stopped."""

    browser: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 30.0

    job_id: str


class DeviceFound(Event, tag="device.device_found"):
    """A scanner was added."""

    browser: ClassVar[bool] = True

    device: Device


class DeviceLost(Event, tag="device.device_lost"):
    """A scanner is gone."""

    browser: ClassVar[bool] = True

    device_id: str
