import pytest

from actors.device.check import MemorySink, check_driver
from actors.device.driver import Driver, Header, Sink
from actors.device.virtual import VirtualDevice, VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Settings
from schemas.errors import DriverFailed
from schemas.page import Color


def virtual() -> tuple[Driver, str]:
    return VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="sample", pages_per_minute=0),))), "sample"


# One entry for each family: a function that answers a driver and an address that is always there.
DRIVERS = {"virtual": virtual}


@pytest.mark.parametrize("family", DRIVERS)
def test_a_driver_keeps_its_contract(family: str) -> None:
    driver, address = DRIVERS[family]()
    assert driver.family == family
    check_driver(driver, address)


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
