"""SANE's test device is scanned like any other scanner."""

import ctypes
import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("_sane", reason="SANE is not on this system")

from actors.device.check import MemorySink
from actors.device.driver import Header, Writer
from actors.device.sane import SaneDriver, addressed, connected
from actors.device.sane_device import SaneDevice, SaneHandle
from actors.device.sane_handle import _LIBSANE, Handle
from actors.device.sane_options import Descriptor, Panel, SetInfo
from schemas import errors
from schemas.config import DeviceConfig
from schemas.device import Area, Capabilities, Settings
from schemas.page import Color, Source

STATUSES = {
    "SANE_STATUS_UNSUPPORTED": errors.Unsupported,
    "SANE_STATUS_CANCELLED": errors.Canceled,
    "SANE_STATUS_DEVICE_BUSY": errors.InUse,
    "SANE_STATUS_INVAL": errors.Invalid,
    "SANE_STATUS_EOF": errors.DriverFailed,
    "SANE_STATUS_JAMMED": errors.PaperJam,
    "SANE_STATUS_NO_DOCS": errors.FeederEmpty,
    "SANE_STATUS_COVER_OPEN": errors.CoverOpen,
    "SANE_STATUS_IO_ERROR": errors.Offline,
    "SANE_STATUS_NO_MEM": errors.DriverFailed,
    "SANE_STATUS_ACCESS_DENIED": errors.Denied,
}
SMALL = Area(width_mm=50, height_mm=40)


class StatusSink(MemorySink):
    """After `pages` images it lets the device answer with a status."""

    def __init__(self, device: SaneDevice, status: str, pages: int) -> None:
        super().__init__()
        self._device = device
        self._status = status
        self._pages = pages

    @contextmanager
    def image(self, header: Header) -> Iterator[Writer]:
        with super().image(header) as writer:
            yield writer
        if len(self.images) == self._pages:
            self._device._panel.set("read-return-value", self._status)


class DuplexControls:
    """The test device's options, its feeder called duplex."""

    def __init__(self, handle: SaneHandle) -> None:
        self._handle = handle

    def descriptors(self) -> list[Descriptor]:
        def renamed(row: Descriptor) -> Descriptor:
            if row[1] != "source" or not isinstance(row[8], list):
                return row
            return (*row[:8], [choice.replace("Feeder", "Duplex") for choice in row[8]])

        return [renamed(row) for row in self._handle.descriptors()]

    def get_value(self, index: int, size: int) -> bytes:
        return self._handle.get_value(index, size).replace(b"Feeder", b"Duplex")

    def set_value(self, index: int, raw: bytearray) -> SetInfo:
        return self._handle.set_value(index, raw.replace(b"Duplex", b"Feeder"))


class DuplexDevice(SaneDevice):
    def _connect(self) -> None:
        super()._connect()
        self._panel = Panel(DuplexControls(self._handle))


@pytest.fixture
def driver(sane_test_devices: Path) -> Iterator[SaneDriver]:
    # Should libsane ever hang: a run that ends is better.
    faulthandler.dump_traceback_later(60, exit=True)
    yield SaneDriver(DeviceConfig())
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def device(driver: SaneDriver) -> Iterator[SaneDevice]:
    device = driver.open("test:0")
    yield device
    device._renew()
    device.close()


def settings(**changes: object) -> Settings:
    return Settings(**{"area": SMALL, "resolution_dpi": 100, **changes})  # type: ignore[arg-type]


def scanned(device: SaneDevice, asked: Settings) -> list[tuple[Header, bytes]]:
    sink = MemorySink()
    device.acquire(asked, sink)
    return sink.images


def feed(device: SaneDevice) -> None:
    """Take one sheet."""
    device._handle.start()
    device._handle.cancel()


def test_equal_devices_are_told_apart_by_name(driver: SaneDriver) -> None:
    found = driver.find()
    assert [device.address for device in found] == ["test:0", "test:1"]
    assert [device.name for device in found] == ["Noname frontend-tester (test:0)", "Noname frontend-tester (test:1)"]


def test_an_address_survives_replugging() -> None:
    def addresses(*names: str) -> list[str]:
        found = addressed([(name, "Canon", "LiDE 210", "flatbed scanner") for name in names])
        return [device.address for device, _ in found]

    assert addresses("genesys:libusb:001:004") == addresses("genesys:libusb:003:017") == ["genesys:@canon-lide-210"]
    assert addresses("genesys:libusb:001:004", "genesys:libusb:001:005") == [
        "genesys:@canon-lide-210",
        "genesys:@canon-lide-210:2",
    ]
    assert addresses("pixma:04A91749_1234") == ["pixma:04A91749_1234"]
    assert addresses("airscan:e0:Canon LiDE") == addresses("airscan:e3:Canon LiDE")


@pytest.mark.parametrize("address", ["test:9", "nosuch:0", "genesys:@canon-lide-210"])
def test_a_device_that_is_not_there_is_not_found(driver: SaneDriver, address: str) -> None:
    with pytest.raises(errors.NotFound, match=address):
        driver.open(address)


def test_python_sane_keeps_the_handle_where_we_look_for_it(sane_test_devices: Path) -> None:
    """Reading goes through a field of python-sane's object that has no accessor."""
    SaneDriver(DeviceConfig()).find()
    handle = Handle("test:0")
    _LIBSANE.sane_get_option_descriptor.restype = ctypes.POINTER(ctypes.c_char_p)
    _LIBSANE.sane_get_option_descriptor.argtypes = (ctypes.c_void_p, ctypes.c_int)
    name_and_title = _LIBSANE.sane_get_option_descriptor(handle._handle, 2)
    assert [name_and_title[0].decode(), name_and_title[1].decode()] == list(handle.descriptors()[2][1:3])
    handle.close()
    with pytest.raises(errors.DriverFailed, match="closed"):
        handle.read(memoryview(bytearray(1)))


def test_no_library_is_loaded_where_a_thread_may_be_ended(sane_test_devices: Path) -> None:
    """The loader's lock would be held for ever, and no thread could be started again."""
    program = """
import sys
from actors.device.sane import connected
handle = connected("test:0")
print("opened", file=sys.stderr, flush=True)
handle.start()
while handle.read(memoryview(bytearray(1 << 16))) is not None:
    pass
print("read", file=sys.stderr, flush=True)
"""
    environment = {**os.environ, "LD_DEBUG": "files"}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    opening, opened, rest = ended.stderr.partition("opened\n")
    scanning, read, _ = rest.partition("read\n")
    assert opened
    assert read
    assert "opening file=" in opening
    assert "opening file=" not in scanning


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_on_the_first_page_is_its_error_and_the_next_scan_works(device: SaneDevice, status: str) -> None:
    sink = MemorySink()
    with pytest.raises(STATUSES[status]) as caught:
        device.acquire(settings(options={"read-return-value": status}), sink)
    assert type(caught.value) is STATUSES[status]
    assert caught.value.text.endswith(".")
    assert not sink.images
    assert len(scanned(device, settings())) == 1


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_on_a_later_page_keeps_the_finished_ones(device: SaneDevice, status: str) -> None:
    sink = StatusSink(device, status, pages=2)
    with pytest.raises(STATUSES[status]) as caught:
        device.acquire(settings(source=Source.FEEDER), sink)
    assert type(caught.value) is STATUSES[status]
    assert len(sink.images) == 2
    assert len(scanned(device, settings(source=Source.FEEDER))) == 10


@pytest.mark.parametrize(("hand_scanner", "announced"), [(False, "157 lines"), (True, "an image")])
def test_the_end_of_file_instead_of_an_image_is_no_success(
    device: SaneDevice, hand_scanner: bool, announced: str
) -> None:
    options = {"read-return-value": "SANE_STATUS_EOF", "hand-scanner": hand_scanner}
    with pytest.raises(errors.DriverFailed, match=f"announced {announced} and sent nothing"):
        device.acquire(settings(options=options), MemorySink())


def test_the_feeder_is_scanned_until_it_is_empty(device: SaneDevice) -> None:
    assert len(scanned(device, settings(source=Source.FEEDER))) == 10


def test_every_second_side_of_a_duplex_scan_is_a_back(driver: SaneDriver) -> None:
    device = DuplexDevice(lambda: connected("test:0"))
    sides = [header.back for header, _ in scanned(device, settings(source=Source.DUPLEX, pages=3))]
    device.close()
    assert sides == [False, True, False]


def test_an_empty_feeder_is_an_error_only_without_a_page(device: SaneDevice) -> None:
    device._panel.set("source", "Automatic Document Feeder")
    for _ in range(10):
        feed(device)
    sink = MemorySink()
    with pytest.raises(errors.FeederEmpty):
        device.acquire(settings(source=Source.FEEDER), sink)
    assert not sink.begun
    assert len(scanned(device, settings(source=Source.FEEDER))) == 10


def test_the_feeder_stops_within_one_page(device: SaneDevice) -> None:
    sink = MemorySink()
    sink.stop_after(images=3)
    with pytest.raises(errors.Canceled):
        device.acquire(settings(source=Source.FEEDER), sink)
    assert len(sink.images) == 3
    device._handle.cancel()
    for _ in range(10 - 3):
        feed(device)
    with pytest.raises(errors.FeederEmpty):
        device._handle.start()


BLACK, WHITE = b"\0", b"\xff"


@pytest.mark.parametrize(("picture", "sample", "bit"), [("Solid black", BLACK, WHITE), ("Solid white", WHITE, BLACK)])
@pytest.mark.parametrize("color", list(Color))
def test_black_is_black_and_white_is_white(
    device: SaneDevice, color: Color, picture: str, sample: bytes, bit: bytes
) -> None:
    [(header, content)] = scanned(device, settings(color=color, options={"test-picture": picture}))
    size = header.line_bytes * header.height_px
    assert header.color == color
    # The last byte of a mono line has bits that are no pixels.
    if color == Color.MONO:
        assert {content[begin] for begin in range(0, size, header.line_bytes)} == set(bit)
    else:
        assert content == sample * size


@pytest.mark.parametrize("order", ["RGB", "RBG", "GBR", "GRB", "BRG", "BGR"])
def test_three_passes_in_any_order_are_the_image_of_one(device: SaneDevice, order: str) -> None:
    pattern = {"test-picture": "Color pattern"}
    passes = {"three-pass": True, "three-pass-order": order}
    assert scanned(device, settings(options={**pattern, **passes})) == scanned(device, settings(options=pattern))


@pytest.mark.parametrize("color", list(Color))
@pytest.mark.parametrize(
    "trouble",
    [
        {"ppl-loss": 3},
        {"read-limit": True, "read-limit-size": 997},
        {"fuzzy-parameters": True},
        {"three-pass": True, "ppl-loss": 3},
    ],
    ids=str,
)
def test_how_a_device_delivers_does_not_change_the_image(
    device: SaneDevice, color: Color, trouble: dict[str, bool | int]
) -> None:
    if "three-pass" in trouble and color != Color.COLOR:
        pytest.skip("only color has passes")
    plain = scanned(device, settings(color=color, options={"test-picture": "Grid"}))
    [(header, content)] = scanned(device, settings(color=color, options={"test-picture": "Grid", **trouble}))
    [(plain_header, plain_content)] = plain
    # A mono line's last byte may hold bits that are no pixels.
    whole_bytes = header.line_bytes - (color == Color.MONO)
    assert header.height_px == plain_header.height_px
    for line in range(header.height_px):
        got = content[line * header.line_bytes :][:whole_bytes]
        assert plain_content[line * plain_header.line_bytes :].startswith(got), line


def test_sixteen_bits_a_sample_become_eight(device: SaneDevice) -> None:
    grid = {"test-picture": "Grid"}
    for color in (Color.COLOR, Color.GRAY):
        deep = scanned(device, settings(color=color, options={**grid, "depth": 16}))
        assert deep == scanned(device, settings(color=color, options=grid))


def test_one_bit_color_becomes_eight(device: SaneDevice) -> None:
    grid = {"test-picture": "Grid"}
    assert scanned(device, settings(options={**grid, "depth": 1})) == scanned(device, settings(options=grid))


def test_a_hand_scanner_says_at_the_end_how_long_the_page_was(device: SaneDevice) -> None:
    [(header, content)] = scanned(device, settings(options={"hand-scanner": True}))
    assert header.height_px == -1
    assert len(content) > 0
    assert len(content) % header.line_bytes == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"resolution_dpi": 5000}, "resolution_dpi 5000 is not possible: 1 to 1200."),
        ({"area": None, "page_size": "a4"}, "page_size a4 is not possible: the largest .* is 200 x 200 mm"),
        ({"area": Area(left_mm=160, width_mm=50, height_mm=10)}, "area is not possible: .* 200 x 200 mm"),
        ({"area": Area(width_mm=0, height_mm=10)}, "area is empty"),
        ({"page_size": "a6"}, "page_size and area"),
        ({"source": Source.DUPLEX}, "source duplex is not possible: flatbed, feeder"),
        ({"brightness": 10}, "brightness 10 is not possible"),
        ({"options": {"nothing": 1}}, "nothing is no option"),
        ({"options": {"depth": 7}}, "depth 7 is not possible: 1, 8, 16"),
        ({"options": {"hand-scanner": 1}}, "hand-scanner 1 is not possible: true or false"),
        ({"options": {"gamma-table": [1, 2]}}, "gamma-table .* 4096 numbers, each 0 to 255"),
        ({"options": {"three-pass-order": "RGB"}}, "three-pass-order is not possible now"),
        ({"options": {"test-picture": "Cat"}}, "test-picture Cat is not possible: Solid black"),
    ],
    ids=str,
)
def test_the_impossible_is_refused_by_name_before_anything_moves(
    device: SaneDevice, changes: dict[str, object], text: str
) -> None:
    sink = MemorySink()
    with pytest.raises((errors.Unsupported, errors.Invalid), match=text):
        device.acquire(settings(**changes), sink)
    assert not sink.begun
    assert len(scanned(device, settings())) == 1


def test_an_option_lasts_for_one_scan(device: SaneDevice) -> None:
    before = device.capabilities()
    table = [float(number) for number in [255] * 4096]
    device.acquire(settings(options={"gamma-table": table, "hand-scanner": True, "ppl-loss": 7}), MemorySink())
    assert device._panel.get("gamma-table") == [255] * 4096
    assert device.capabilities() == before


def test_a_gamma_table_is_set_as_a_whole(device: SaneDevice) -> None:
    white = {"test-picture": "Solid white"}
    inverted = [255 - number // 16 for number in range(4096)]
    device.acquire(settings(color=Color.GRAY, options={**white, "gamma-table": inverted}), MemorySink())
    assert device._panel.get("gamma-table") == inverted


def test_a_button_is_pressed_only_when_it_is_asked_for(driver: SaneDriver, capfd: pytest.CaptureFixture[str]) -> None:
    # Its own device, because switching the test options off again leaves the gamma tables switched off, too.
    device = driver.open("test:1")
    for pressed in (False, True):
        device.acquire(settings(options={"enable-test-options": True, "button": pressed}), MemorySink())
        assert ("You pressed me" in capfd.readouterr().err) is pressed
    device.close()


@pytest.fixture
def described(device: SaneDevice) -> Capabilities:
    return device.capabilities()


def test_capabilities_say_what_each_source_can_do(described: Capabilities) -> None:
    assert [source.source for source in described.sources] == [Source.FLATBED, Source.FEEDER]
    for source in described.sources:
        assert source.colors == [Color.COLOR, Color.GRAY, Color.MONO]
        assert source.resolutions_dpi[0] == 50
        assert source.resolutions_dpi[-1] == 1200
        assert (source.width_mm, source.height_mm) == (200, 200)
        assert source.page_sizes == ["a6", "card"]
    assert (described.default_color, described.default_resolution_dpi) == (Color.COLOR, 300)
    assert not described.brightness


def test_every_option_without_a_name_of_ours_is_listed_and_no_other(described: Capabilities) -> None:
    options = {option.name: option for option in described.options}
    assert not {"source", "mode", "resolution", "br-x", "depth", ""} & set(options)
    assert options["ppl-loss"].range is not None
    assert (options["ppl-loss"].unit, options["ppl-loss"].value, options["ppl-loss"].range.maximum) == ("px", 0, 128)
    assert (options["gamma-table"].type, options["gamma-table"].length) == ("int_list", 4096)
    assert len(options["gamma-table"].value) == 4096  # type: ignore[arg-type]
    assert (options["fixed"].type, options["fixed"].active, options["fixed"].value) == ("float", False, None)
    assert options["string-constraint-string-list"].choices[:2] == ["First entry", "Second entry"]
    assert options["button"].type == "button"
