"""The contract of a driver as a suite: without it, "any driver will do" would be a hope."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from typing_extensions import Buffer

from actors.device.driver import Driver, Header, OpenDevice, Writer
from schemas.device import Area, Capabilities, OptionValue, Settings, SourceCapabilities
from schemas.errors import (
    Canceled,
    Denied,
    DeviceError,
    DriverFailed,
    FeederEmpty,
    Invalid,
    NotFound,
    Offline,
    Unsupported,
)
from schemas.page import MM_PER_INCH, Color, Source

AREA = Area(width_mm=60.0, height_mm=80.0)


class MemorySink:
    """A sink that keeps images in memory, counts their bytes as the contract says, and never really waits."""

    def __init__(self) -> None:
        self.images: list[tuple[Header, bytes]] = []
        """What was handed over."""
        self.begun: list[Header] = []
        """Every image that was begun, whether it was handed over or not."""
        self.waited_s: list[float] = []
        self._stopped = False
        self._stop_at: tuple[int, int] | None = None

    def stop(self) -> None:
        """Make every later call raise Canceled."""
        self._stopped = True

    def stop_after(self, images: int, size: int = 0) -> None:
        """Stop by itself once so many images were handed over and so many bytes of the next one were taken."""
        self._stop_at = (images, size)
        self._check_stop(0)

    def wait(self, seconds: float) -> None:
        """Note the time without spending it. Raises Canceled."""
        self._raise_if_stopped()
        self.waited_s.append(seconds)

    @contextmanager
    def image(self, header: Header) -> Iterator[Writer]:
        """Begin an image. Raises Canceled; DriverFailed on leaving if the bytes are not those announced."""
        self._raise_if_stopped()
        self.begun.append(header)
        writer = _MemoryWriter(self)
        yield writer
        _count(header, len(writer.content))
        self.images.append((header, bytes(writer.content)))
        self._check_stop(0)

    def _raise_if_stopped(self) -> None:
        if self._stopped:
            raise Canceled

    def _check_stop(self, size: int) -> None:
        if self._stop_at is not None and (len(self.images), size) >= self._stop_at:
            self._stopped = True


class _MemoryWriter:
    def __init__(self, sink: MemorySink) -> None:
        self.content = bytearray()
        self._sink = sink

    def write(self, data: Buffer, /) -> None:
        self._sink._raise_if_stopped()
        self.content += memoryview(data).cast("B")
        self._sink._check_stop(len(self.content))


def _count(header: Header, size: int) -> None:
    """Raises DriverFailed unless `size` bytes are the whole image that was announced."""
    if header.media_type != "image/x-portable-anymap":
        complete, announced = size > 0, "an image"
    elif header.height_px < 0:
        complete, announced = size > 0 and size % header.line_bytes == 0, f"lines of {header.line_bytes} bytes"
    else:
        announced_size = header.line_bytes * header.height_px
        complete, announced = size == announced_size > 0, f"{announced_size} bytes"
    if not complete:
        raise DriverFailed(f"The scanner announced {announced} and sent {size} bytes. Press Scan again.")


def check_driver(
    driver: Driver,
    address: str,
    *,
    faults: Mapping[type[DeviceError], dict[str, OptionValue]] = {},
    unplugged: Callable[[], AbstractContextManager[object]] | None = None,
    make_sink: Callable[[], MemorySink] = MemorySink,
) -> None:
    """Hold a driver to its contract; a feeder must have at least three sheets, and be full again at each scan.

    Where the device can be made to fail: `faults` are the options that make it do so, by the error that comes of it,
    and in a `with unplugged()` block the device is gone. Raises AssertionError with a sentence for the first promise
    that is broken.
    """
    for _ in range(2):
        addresses = [found.address for found in driver.find()]
        _claim(address in addresses, f"A search does not find {address!r}, but {addresses}.")
        _claim(len(set(addresses)) == len(addresses), f"A search finds an address twice: {addresses}.")
    _refuses_strangers(driver)

    device = driver.open(address)
    capabilities = device.capabilities()
    _describes(capabilities)
    for source in capabilities.sources:
        for color in source.colors:
            _scans_one_page(device, source, color)
    for source in capabilities.sources:
        _respects_the_number_of_pages(device, source)
        _stops(device, source)
        _refuses_the_impossible(device, source)
    _refuses_absent_sources(device, capabilities)
    for error, options in faults.items():
        for source in capabilities.sources:
            if not (error is FeederEmpty and source.source == Source.FLATBED):
                _fails_once(device, source, error, options, make_sink())
    device.close()

    first = capabilities.sources[0]
    if unplugged is not None:
        _comes_back(driver, address, first, unplugged)
    device = driver.open(address)
    _scans_one_page(device, first, first.colors[0])
    device.close()


def _claim(held: bool, sentence: str) -> None:
    if not held:
        raise AssertionError(sentence)


def _refuses_strangers(driver: Driver) -> None:
    try:
        driver.open("no such device")
    except (DeviceError, NotFound, Denied):
        return
    raise AssertionError("An address that was never found can be opened.")


def _describes(capabilities: Capabilities) -> None:
    _claim(bool(capabilities.sources), "The device says that it has no source.")
    names = [source.source for source in capabilities.sources]
    _claim(len(set(names)) == len(names), f"A source is described twice: {names}.")
    for source in capabilities.sources:
        _claim(bool(source.colors), f"The {source.source} offers no color.")
        _claim(
            bool(source.resolutions_dpi) or source.resolution_range_dpi is not None,
            f"The {source.source} offers no resolution.",
        )
        _claim(source.width_mm > 0 and source.height_mm > 0, f"The {source.source} has no size.")
    for option in capabilities.options:
        _claim(bool(option.name), f"An option has no name: {option}.")
    options = [option.name for option in capabilities.options]
    _claim(len(set(options)) == len(options), f"An option is described twice: {options}.")


def _low_resolution_dpi(source: SourceCapabilities) -> int:
    """The lowest from 75 dpi on, or else the highest below."""
    offered = sorted(source.resolutions_dpi)
    if not offered and source.resolution_range_dpi is not None:
        limits = source.resolution_range_dpi
        steps = max(0.0, 75 - limits.minimum) / (limits.step or 1)
        offered = [int(min(limits.maximum, limits.minimum + -(-steps // 1) * (limits.step or 1)))]
    return next((dpi for dpi in offered if dpi >= 75), offered[-1])


def _settings(
    source: SourceCapabilities,
    color: Color | None = None,
    pages: int = 1,
    options: dict[str, OptionValue] | None = None,
) -> Settings:
    return Settings(
        source=source.source,
        color=color or source.colors[0],
        resolution_dpi=_low_resolution_dpi(source),
        area=Area(width_mm=min(AREA.width_mm, source.width_mm), height_mm=min(AREA.height_mm, source.height_mm)),
        pages=pages,
        options=options or {},
    )


def _scans_one_page(device: OpenDevice, source: SourceCapabilities, color: Color) -> None:
    what = f"One page in {color} from the {source.source}"
    settings, sink = _settings(source, color), MemorySink()
    device.acquire(settings, sink)
    _claim(len(sink.images) == 1, f"{what} was asked for and {len(sink.images)} came.")
    header, content = sink.images[0]
    _claim(header.color == color, f"{what} came in {header.color}.")
    _claim(
        header.resolution_dpi == settings.resolution_dpi, f"{what}: asked for {settings.resolution_dpi} dpi, {header}."
    )
    _claim(not header.back, f"{what} calls itself a back.")
    raw = header.media_type == "image/x-portable-anymap"
    height_px = len(content) // header.line_bytes if raw else header.height_px
    area = settings.area or AREA
    for side, pixels, asked_mm in (("wide", header.width_px, area.width_mm), ("high", height_px, area.height_mm)):
        expected = asked_mm / MM_PER_INCH * header.resolution_dpi
        _claim(
            abs(pixels - expected) <= max(8, 0.03 * expected),
            f"{what} is {pixels} pixels {side}; {asked_mm:g} mm at {header.resolution_dpi} dpi are {expected:.0f}.",
        )


def _respects_the_number_of_pages(device: OpenDevice, source: SourceCapabilities) -> None:
    if source.source == Source.FLATBED:
        asked, expected = 0, 1
    else:
        asked, expected = 2, 2
    sink = MemorySink()
    device.acquire(_settings(source, pages=asked), sink)
    _claim(
        len(sink.images) == expected,
        f"{len(sink.images)} pages came from the {source.source}, not {expected}, when `pages` was {asked}.",
    )
    if source.source == Source.DUPLEX:
        sides = [header.back for header, _ in sink.images]
        _claim(sides == [False, True], f"Both sides of a sheet should be a front, then a back: {sides}.")


def _stops(device: OpenDevice, source: SourceCapabilities) -> None:
    sink = MemorySink()
    sink.stop_after(images=0, size=1)
    _is_canceled(device, _settings(source), sink)
    _claim(not sink.images, f"The {source.source} handed over a page that was canceled in its middle.")
    if source.source != Source.FLATBED:
        sink = MemorySink()
        sink.stop_after(images=1)
        _is_canceled(device, _settings(source, pages=0), sink)
        _claim(len(sink.images) == 1, f"The {source.source} fed {len(sink.images)} pages when stopped after one.")
    _scans_one_page(device, source, source.colors[0])


def _is_canceled(device: OpenDevice, settings: Settings, sink: MemorySink) -> None:
    try:
        device.acquire(settings, sink)
    except Canceled:
        return
    raise AssertionError(f"The {settings.source} went on, or hid the sink's Canceled, when it was stopped.")


def _refuses_the_impossible(device: OpenDevice, source: SourceCapabilities) -> None:
    area = Area(width_mm=source.width_mm + 50, height_mm=source.height_mm + 50)
    impossible = [
        Settings(source=source.source, area=area),
        Settings(source=source.source, options={"no-such-option": 1}),
    ]
    impossible += [Settings(source=source.source, color=color) for color in Color if color not in source.colors]
    if source.resolution_range_dpi is None:
        unknown_dpi = next(dpi for dpi in range(51, 9600) if dpi not in source.resolutions_dpi)
        impossible.append(Settings(source=source.source, resolution_dpi=unknown_dpi))
    elif source.resolution_range_dpi.maximum < 9600:
        impossible.append(Settings(source=source.source, resolution_dpi=9600))
    for settings in impossible:
        _is_refused(device, settings)
    _scans_one_page(device, source, source.colors[0])


def _fails_once(
    device: OpenDevice,
    source: SourceCapabilities,
    error: type[DeviceError],
    options: dict[str, OptionValue],
    sink: MemorySink,
) -> None:
    try:
        device.acquire(_settings(source, options=options), sink)
    except DeviceError as raised:
        _claim(type(raised) is error, f"The {source.source} failed with `{raised.code}`, not `{error.code}`.")
        _claim(error is not FeederEmpty or not sink.images, f"The {source.source} is empty, and gave a page.")
    else:
        raise AssertionError(f"The {source.source} with {options} did not fail with `{error.code}`.")
    _scans_one_page(device, source, source.colors[0])


def _comes_back(
    driver: Driver,
    address: str,
    source: SourceCapabilities,
    unplugged: Callable[[], AbstractContextManager[object]],
) -> None:
    device = driver.open(address)
    with unplugged():
        _is_gone(lambda: device.acquire(_settings(source), MemorySink()), "scanned with")
        _is_gone(lambda: driver.open(address), "opened")
        # Whether a search still names it is the driver's to decide; that it fails is not.
        driver.find()
    device.close()


def _is_gone(use: Callable[[], object], what: str) -> None:
    try:
        use()
    except (Offline, NotFound):
        return
    raise AssertionError(f"A device that is gone can be {what}.")


def _refuses_absent_sources(device: OpenDevice, capabilities: Capabilities) -> None:
    offered = {source.source for source in capabilities.sources}
    for source in Source:
        if source not in offered:
            _is_refused(device, Settings(source=source))


def _is_refused(device: OpenDevice, settings: Settings) -> None:
    sink = MemorySink()
    try:
        device.acquire(settings, sink)
    except (Unsupported, Invalid):
        _claim(not sink.begun, f"Paper moved before {settings} was refused.")
        return
    raise AssertionError(f"{settings} was not refused with `unsupported` or `invalid`.")
