"""Any driver that is registered will do: the device actor cannot tell the difference."""

import faulthandler
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from actors.device.check import MemorySink, check_driver
from actors.device.driver import Driver, Header, Sink, Writer
from actors.device.virtual import VirtualDevice, VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Settings
from schemas.errors import CoverOpen, DoubleFeed, DriverFailed, FeederEmpty, Offline, PaperJam
from schemas.page import Color


class Patient(MemorySink):
    """Gives SANE's test device time: it can hang when its reading thread is ended just after its start."""

    @contextmanager
    def image(self, header: Header) -> Iterator[Writer]:
        threading.Event().wait(0.02)
        with super().image(header) as writer:
            yield writer


# How devices are made to fail, where a family has a way.
FAULTS: dict[str, dict[str, Any]] = {
    "sane": {
        "make_sink": Patient,
        "faults": {
            error: {"read-return-value": f"SANE_STATUS_{status}"}
            for error, status in (
                (FeederEmpty, "NO_DOCS"),
                (Offline, "IO_ERROR"),
                (PaperJam, "JAMMED"),
                (CoverOpen, "COVER_OPEN"),
            )
        },
    },
    "virtual": {
        "faults": {
            error: {"fault": fault}
            for error, fault in (
                (FeederEmpty, "empty"),
                (Offline, "offline"),
                (PaperJam, "jam@1"),
                (DoubleFeed, "double_feed@1"),
                (CoverOpen, "cover_open@1"),
            )
        },
    },
}


@pytest.fixture
def no_hang(sane_test_devices: Path) -> Iterator[None]:
    # Should libsane ever hang: a run that ends is better.
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def loaded(family: str) -> Driver:
    """A registered driver; the virtual one has one fast device."""
    if family == "sane":
        pytest.importorskip("_sane", reason="SANE is not on this system")
    config = DeviceConfig(virtual=(VirtualConfig(name="sample", pages_per_minute=0),))
    driver: Driver = next(iter(entry_points(group="scanbus.drivers", name=family))).load()(config)
    return driver


@pytest.mark.usefixtures("no_hang")
@pytest.mark.parametrize("family", sorted(point.name for point in entry_points(group="scanbus.drivers")))
def test_a_driver_keeps_its_contract(family: str) -> None:
    driver = loaded(family)
    assert driver.family == family
    check_driver(driver, driver.find()[0].address, **FAULTS.get(family, {}))


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A folder of three pages."""
    folder = tmp_path / "paper"
    folder.mkdir()
    for number in range(3):
        Image.new("L", (850, 1100), 200 + number).save(folder / f"{number}.png", dpi=(100, 100))
    return folder


def test_a_virtual_scanner_whose_folder_goes_and_comes_keeps_the_contract(paper: Path) -> None:
    @contextmanager
    def unplugged() -> Iterator[None]:
        paper.rename(paper.parent / "away")
        yield
        (paper.parent / "away").rename(paper)

    config = VirtualConfig(name="folder", folder=str(paper), pages_per_minute=0)
    check_driver(VirtualDriver(DeviceConfig(virtual=(config,))), "folder", unplugged=unplugged)


def test_the_suite_notices_a_device_that_cannot_be_gone() -> None:
    with pytest.raises(AssertionError, match="gone can be scanned with"):
        check_driver(loaded("virtual"), "sample", unplugged=nullcontext)


@pytest.mark.parametrize(
    ("fault", "complaint"), [("", "did not fail with `feeder_empty`"), ("jam@1", "`paper_jam`, not `feeder_empty`")]
)
def test_the_suite_notices_another_error_than_was_due(fault: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_driver(loaded("virtual"), "sample", faults={FeederEmpty: {"fault": fault}})


class Careless(VirtualDriver):
    """Opens devices that break one promise."""

    def __init__(self, change: str) -> None:
        super().__init__(DeviceConfig(virtual=(VirtualConfig(name="sample", pages_per_minute=0),)))
        self._change = change

    def open(self, address: str) -> VirtualDevice:
        device = super().open(address)
        acquire = device.acquire

        def careless(settings: Settings, sink: Sink) -> None:
            fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
            if self._change == "color":
                fields["color"] = Color.COLOR
            if self._change == "pages" and settings.pages > 1:
                fields["pages"] = 0
            if self._change == "options":
                fields["options"] = {}
            if self._change == "area":
                fields["area"] = None
            acquire(Settings(**fields), sink)

        device.acquire = careless  # type: ignore[method-assign]
        return device


@pytest.mark.parametrize(
    ("change", "complaint"),
    [("color", "came in color"), ("pages", "pages came"), ("options", "not refused"), ("area", "pixels")],
)
def test_the_suite_notices_a_broken_promise(change: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_driver(Careless(change), "sample")


@pytest.mark.parametrize("size", [0, 99, 101])
def test_the_sink_counts_bytes_and_believes_no_header(size: int) -> None:
    sink = MemorySink()
    header = Header(width_px=10, height_px=10, color=Color.GRAY, resolution_dpi=100)
    with pytest.raises(DriverFailed), sink.image(header) as writer:
        writer.write(bytes(size))
    assert not sink.images


def test_the_sink_takes_any_whole_number_of_lines_where_the_height_is_unknown() -> None:
    sink = MemorySink()
    header = Header(width_px=10, height_px=-1, color=Color.GRAY, resolution_dpi=100)
    with sink.image(header) as writer:
        writer.write(bytes(30))
    with pytest.raises(DriverFailed), sink.image(header) as writer:
        writer.write(bytes(31))
    assert len(sink.images) == 1
