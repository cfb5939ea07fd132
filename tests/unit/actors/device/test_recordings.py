"""A recording is a scanner: what a real one said it says again, and what is wrong with a recording is said, too."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actors.device.check import AREA, MemorySink, check_driver
from actors.device.recording import SHIPPED_FOLDER, located, read_recording
from actors.device.sane_device import SaneDevice
from actors.device.sane_options import Panel
from actors.device.sane_play import Player
from actors.device.virtual import VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Settings
from schemas.errors import DriverFailed, Offline, Unsupported
from schemas.page import Color, Source
from tests.recordings import asked, outcome, playing

# One line for each recording that ships: how many pages its own settings give, and the error after them.
OUTCOMES = {
    "feeder": (10, ""),
    "feeder-cover-open": (1, "cover_open"),
    "feeder-empty": (0, "feeder_empty"),
    "feeder-jam": (2, "paper_jam"),
    "fuzzy-parameters": (1, ""),
    "hand-scanner": (1, ""),
    "io-error": (0, "offline"),
    "mono": (1, ""),
    "no-lines": (0, "driver_failed"),
    "pixel-loss": (1, ""),
    "read-limit": (1, ""),
    "sixteen-bit": (1, ""),
    "three-pass-bgr": (1, ""),
    "three-pass-rgb": (1, ""),
}


def test_every_recording_has_its_line_and_is_small() -> None:
    shipped = {path.stem: path.stat().st_size for path in SHIPPED_FOLDER.iterdir()}
    assert shipped.keys() == {*OUTCOMES, "contract"}
    assert max(shipped.values()) < 100_000


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_recording_gives_its_pages_and_its_error_each_time(name: str) -> None:
    device = playing(name).open("it")
    for _ in range(2):
        pages, error = outcome(device, asked(name))
        assert (len(pages), error.code if error else "") == OUTCOMES[name]


def test_a_recording_is_listed_as_the_scanner_that_it_was() -> None:
    [found] = playing("mono").find()
    assert (found.address, found.vendor, found.model) == ("it", "Noname", "frontend-tester")


def test_the_recorded_contract_keeps_the_contract() -> None:
    check_driver(playing("contract"), "it")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resolution_dpi": 200}, "no scan with resolution 200.0, only with resolution 100.0"),
        ({"color": Color.COLOR}, "no scan with mode Color, only with mode Gray"),
    ],
)
def test_what_was_not_recorded_is_refused_with_what_was(change: dict[str, object], text: str) -> None:
    settings = msgspec.structs.replace(asked("feeder"), **change)
    device = playing("feeder").open("it")
    with pytest.raises(Unsupported, match=text):
        device.acquire(settings, MemorySink())


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_played_follows_from_the_settings_and_not_from_the_order(backwards: bool) -> None:
    device = playing("contract").open("it")
    small = Settings(resolution_dpi=75, area=AREA, pages=1)
    wanted = [(source, color) for source in (Source.FLATBED, Source.FEEDER) for color in Color]
    for source, color in reversed(wanted) if backwards else wanted:
        [(header, _)], error = outcome(device, msgspec.structs.replace(small, source=source, color=color))
        assert (header.color, error) == (color, None)


def test_options_are_described_as_they_are_though_they_were_set_in_another_order() -> None:
    player = Player(read_recording(located("feeder")))
    panel = Panel(player)
    panel.set("mode", "Color")
    assert Panel(player).offers("three-pass")
    panel.set("mode", "Gray")
    panel.set("source", "Automatic Document Feeder")
    assert not Panel(player).offers("three-pass")


def test_an_option_that_does_not_change_the_size_of_an_image_may_be_another_than_recorded() -> None:
    settings = msgspec.structs.replace(asked("feeder"), options={"test-picture": "Grid"})
    device = playing("feeder").open("it")
    assert outcome(device, settings) == outcome(device, asked("feeder"))


def damaged(path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    broken = path.with_name("broken.jsonl")
    broken.write_text("\n".join(change((SHIPPED_FOLDER / "mono.jsonl").read_text().splitlines())) + "\n")
    return broken


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: lines[:1], "cut off"),
        (lambda lines: [*lines[:30], lines[30][:40]], "damaged in line 31"),
        (lambda lines: [], "damaged in line 1"),
        (lambda lines: ['{"trace":1}', *lines[1:]], "damaged in line 1"),
        (lambda lines: [lines[0].replace('"recording":1', '"recording":2'), *lines[1:]], "damaged in line 1"),
        (lambda lines: [*lines[:9], '{"call":"sing"}', *lines[10:]], "damaged in line 10: Invalid value 'sing'"),
        (lambda lines: [*lines[:9], '{"call":"read","sizes":[[-5,1]]}', *lines[10:]], "damaged in line 10"),
        (lambda lines: [lines[0], '{"call":"option","index":1,"kind":77}', *lines[2:]], "damaged in line 2"),
    ],
)
def test_a_damaged_recording_says_where(tmp_path: Path, change: Callable[[list[str]], list[str]], text: str) -> None:
    with pytest.raises(DriverFailed, match=text):
        playing(damaged(tmp_path / "it", change)).open("it")


def test_a_value_that_cannot_be_is_damage_too(tmp_path: Path) -> None:
    path = damaged(
        tmp_path / "it",
        lambda lines: [line.replace('"resolution","value":300.0', '"resolution","value":"much"') for line in lines],
    )
    with pytest.raises(DriverFailed, match="resolution cannot be much"):
        playing(path).open("it").acquire(asked("mono"), MemorySink())


def test_a_recording_that_is_not_there_is_offline_and_hides_no_other(tmp_path: Path) -> None:
    virtual = (VirtualConfig(name="gone", recording=str(tmp_path / "gone.jsonl")), VirtualConfig(name="sample"))
    driver = VirtualDriver(DeviceConfig(virtual=virtual))
    assert [found.address for found in driver.find()] == ["gone", "sample"]
    with pytest.raises(Offline, match=r"gone.jsonl cannot be read"):
        driver.open("gone")


def test_a_driver_that_reads_in_smaller_pieces_gets_the_same_bytes() -> None:
    device = playing("read-limit").open("it")
    assert isinstance(device, SaneDevice)
    device.acquire(asked("read-limit"), MemorySink())
    player = device._handle
    player.cancel()
    sizes = []
    player.start()
    while (came := player.read(memoryview(bytearray(700)))) is not None:
        sizes.append(came)
    assert sizes[:4] == [700, 297, 700, 297]
    assert sum(sizes) == 157 * 196


def test_a_recording_is_played_where_there_is_no_sane() -> None:
    program = f"""
import sys
sys.modules["_sane"] = None
from msgspec import convert
from actors.device.check import MemorySink
from actors.device.virtual import VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Settings
device = VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="it", recording="feeder"),))).open("it")
sink = MemorySink()
device.acquire(convert({msgspec.to_builtins(asked("feeder"))!r}, Settings), sink)
print(len(sink.images))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert ended.stdout == "10\n", ended.stderr
