"""A scanner made of files: without it, nobody could try or test Scanbus without a scanner."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import ClassVar

from actors.device.driver import Header, OpenDevice, Sink
from actors.device.recording import located, read_head, read_recording
from actors.device.sane_device import SaneDevice
from actors.device.sane_play import Player
from actors.device.virtual_fault import AT_ONCE, Fault
from actors.device.virtual_paper import Paper, Side, load, sides
from actors.device.virtual_tray import Tray
from actors.device.virtual_view import View
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Area, Capabilities, Option, OptionType, OptionValue, Range, Settings, SourceCapabilities
from schemas.driver import FoundDevice
from schemas.errors import DeviceError, FeederEmpty, Invalid, NotFound, Offline, Unsupported
from schemas.page import PAGE_SIZES_MM, Color, Source

SAMPLE_FOLDER = Path(__file__).parent / "sample"
WIDTH_MM, HEIGHT_MM = 216.0, 356.0
RESOLUTIONS_DPI = Range(minimum=75, maximum=600, step=1)
DEFAULT_DPI = 200
PIECE_BYTES = 256 << 10
"""As small as those of real scanners, so that a queue of them stays small."""


class VirtualDriver:
    """Finds the virtual scanners of the configuration."""

    family: ClassVar[str] = "virtual"

    def __init__(self, config: DeviceConfig) -> None:
        self._devices = {virtual.name: virtual for virtual in reversed(config.virtual)}
        self._glass: dict[str, int] = {}

    def find(self) -> list[FoundDevice]:
        """Every virtual scanner, whether or not its folder is there."""
        return [_found(self._devices[name]) for name in reversed(self._devices)]

    def open(self, address: str) -> OpenDevice:
        """Open the scanner of that name.

        Raises NotFound; Offline without its folder or recording; Invalid for an unknown fault; DriverFailed for a
        recording that is not whole.
        """
        config = self._devices.get(address)
        if config is None:
            raise NotFound(f"The configuration has no virtual scanner named {address!r}.")
        if config.recording:
            player = Player(read_recording(located(config.recording)))
            return SaneDevice(lambda: player)
        return VirtualDevice(config, self._glass)


def _found(config: VirtualConfig) -> FoundDevice:
    vendor, model = "Scanbus", "Virtual scanner"
    if config.recording:
        # What is wrong with a recording is said when it is opened; the other scanners must be found.
        with suppress(DeviceError):
            head = read_head(located(config.recording))
            vendor, model = head.vendor, head.model
    return FoundDevice(address=config.name, name=f"{model} ({config.name})", vendor=vendor, model=model)


class VirtualDevice:
    """One folder of paper, in the feeder and, page after page, on the glass."""

    def __init__(self, config: VirtualConfig, glass: dict[str, int]) -> None:
        self._config = config
        self._folder = Path(config.folder) if config.folder else SAMPLE_FOLDER
        self._glass = glass
        if config.tray and not config.folder:
            raise Invalid("A tray belongs to a folder: give the virtual scanner one.")
        if Fault.parse(config.fault).name == "offline":
            raise Offline
        if not self._folder.is_dir():
            raise self._no_folder()

    def capabilities(self) -> Capabilities:
        """What every virtual scanner can do."""
        return Capabilities(
            sources=[
                SourceCapabilities(
                    source=source,
                    colors=[Color.COLOR, Color.GRAY, Color.MONO],
                    resolutions_dpi=[75, 100, 150, 200, 300, 400, 600],
                    resolution_range_dpi=RESOLUTIONS_DPI,
                    width_mm=WIDTH_MM,
                    height_mm=HEIGHT_MM,
                    page_sizes=["a4", "a5", "a6", "b5", "letter", "legal", "card"],
                )
                for source in (Source.FEEDER, Source.DUPLEX, Source.FLATBED)
            ],
            default_resolution_dpi=DEFAULT_DPI,
            brightness=True,
            contrast=True,
            options=[
                Option(
                    name="fault",
                    type=OptionType.STRING,
                    title="Fault",
                    description="What shall go wrong, such as jam@2.",
                    value=self._config.fault,
                ),
                Option(
                    name="pages-per-minute",
                    type=OptionType.FLOAT,
                    title="Pages a minute",
                    description="0: as fast as it goes.",
                    value=self._config.pages_per_minute,
                    range=Range(minimum=0, maximum=100_000),
                ),
            ],
        )

    def acquire(self, settings: Settings, sink: Sink) -> None:
        """Scan the folder's pages, from the first in the feeder, or the next one on the glass."""
        source = settings.source or Source.FEEDER
        color = settings.color or Color.COLOR
        resolution_dpi = settings.resolution_dpi or DEFAULT_DPI
        if not RESOLUTIONS_DPI.minimum <= resolution_dpi <= RESOLUTIONS_DPI.maximum:
            raise Unsupported(f"{resolution_dpi} dpi is not possible here. Choose from 75 to 600 dpi.")
        area = _area(settings)
        fault, page_s = self._options(settings.options)
        if fault.name in AT_ONCE and not (fault.name == "empty" and source == Source.FLATBED):
            fault.strike()

        pace = _Pace(sink, page_s)
        mode = "RGB" if color == Color.COLOR else "L"
        tray = Tray(self._folder) if self._config.tray and source != Source.FLATBED else None
        papers = self._papers(source, resolution_dpi, mode, tray)
        for number, paper in islice(papers, settings.pages or None):
            view = View(paper, area or _whole(paper), resolution_dpi, color, settings.brightness, settings.contrast)
            header = Header(
                width_px=view.width_px,
                height_px=view.height_px,
                color=color,
                resolution_dpi=resolution_dpi,
                back=source == Source.DUPLEX and number % 2 == 0,
            )
            _deliver(header, view, sink, pace, self._fault_of(number, fault, tray))

    def close(self) -> None:
        """Nothing is held between scans."""

    def _papers(self, source: Source, resolution_dpi: int, mode: str, tray: Tray | None) -> Iterator[tuple[int, Paper]]:
        """The pages, numbered from the first of the stack, as they leave the feeder or lie on the glass."""
        stack = self._stack()
        if source == Source.FLATBED:
            position = self._glass.get(self._config.name, 0)
            self._glass[self._config.name] = position + 1
            yield 1, load(stack[position % len(stack)], resolution_dpi, mode) if stack else Paper(WIDTH_MM, HEIGHT_MM)
            return
        per_sheet = 2 if source == Source.DUPLEX else 1
        fed = tray.fed() if tray is not None else 0
        if fed * per_sheet >= len(stack):
            raise FeederEmpty
        paper = Paper(WIDTH_MM, HEIGHT_MM)
        for number, side in enumerate(stack[fed * per_sheet :], fed * per_sheet + 1):
            if tray is not None:
                tray.pick(-(-number // per_sheet))
            paper = load(side, resolution_dpi, mode)
            yield number, paper
        if len(stack) % per_sheet:
            yield len(stack) + 1, Paper(paper.width_mm, paper.height_mm)

    def _fault_of(self, number: int, fault: Fault, tray: Tray | None) -> Fault:
        if fault.page != number:
            return Fault()
        return tray.once(fault) if tray is not None else fault

    def _stack(self) -> list[Side]:
        try:
            return sides(self._folder)
        except OSError as error:
            raise self._no_folder() from error

    def _no_folder(self) -> Offline:
        return Offline(
            f"The folder of the virtual scanner {self._config.name!r} cannot be read. "
            "Create it, or correct `folder` below `device.virtual` in the configuration."
        )

    def _options(self, options: dict[str, OptionValue]) -> tuple[Fault, float]:
        """The fault, and how many seconds a page takes."""
        unknown = sorted(options.keys() - {"fault", "pages-per-minute"})
        if unknown:
            raise Unsupported(f"This scanner has no option {unknown[0]!r}. It has: fault, pages-per-minute.")
        fault = options.get("fault", self._config.fault)
        if not isinstance(fault, str):
            raise Invalid("The option `fault` is a text, such as jam@2.")
        speed = options.get("pages-per-minute", self._config.pages_per_minute)
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not isfinite(speed) or speed < 0:
            raise Invalid("The option `pages-per-minute` is a number from 0 on; 0 is as fast as it goes.")
        return Fault.parse(fault), 60 / speed if speed else 0.0


def _area(settings: Settings) -> Area | None:
    if settings.page_size is not None:
        if settings.area is not None:
            raise Invalid("`page_size` and `area` exclude each other. Give one of them.")
        width_mm, height_mm = PAGE_SIZES_MM[settings.page_size]
        area = Area(width_mm=width_mm, height_mm=height_mm)
    elif settings.area is not None:
        area = settings.area
    else:
        return None
    if not (area.width_mm and area.height_mm):
        raise Invalid("The area is empty. Give it a width and a height.")
    if area.left_mm + area.width_mm > WIDTH_MM or area.top_mm + area.height_mm > HEIGHT_MM:
        raise Unsupported(f"The area is larger than the scanner, which sees {WIDTH_MM:g} by {HEIGHT_MM:g} mm.")
    return area


def _whole(paper: Paper) -> Area:
    return Area(width_mm=min(WIDTH_MM, paper.width_mm), height_mm=min(HEIGHT_MM, paper.height_mm))


def _deliver(header: Header, view: View, sink: Sink, pace: "_Pace", fault: Fault) -> None:
    """Hand over one page in bands; a fault strikes in its middle."""
    lines = 0
    with sink.image(header) as writer:
        for band in view.bands():
            if fault.name and 2 * lines >= header.height_px:
                fault.strike()
            pace.wait(len(band) / header.line_bytes / header.height_px)
            for start in range(0, len(band), PIECE_BYTES):
                writer.write(memoryview(band)[start : start + PIECE_BYTES])
            lines += len(band) // header.line_bytes
        if fault.name:
            fault.strike()


class _Pace:
    """Makes pages take their time; what work took meanwhile need not be waited for."""

    def __init__(self, sink: Sink, page_s: float) -> None:
        self._sink = sink
        self._page_s = page_s
        self._since = monotonic()
        self._late_s = 0.0

    def wait(self, fraction: float) -> None:
        """Wait for so much of a page. Raises Canceled."""
        now = monotonic()
        left_s = fraction * self._page_s - (now - self._since) - self._late_s
        if self._page_s and left_s > 0:
            self._sink.wait(left_s)
            self._since = monotonic()
            self._late_s = max(0.0, self._since - now - left_s)
        else:
            self._since = now
            # What stood still for long is not made up for.
            self._late_s = min(self._page_s, -left_s)
