"""A recording is a scanner: what it was told by a real one it tells again, and nothing of what was on the paper."""

import base64
import faulthandler
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("_sane", reason="SANE is not on this system")

from actors.device.check import MemorySink, check_driver
from actors.device.driver import Header, OpenDevice
from actors.device.recording import SHIPPED_FOLDER, read_recording
from actors.device.sane import SaneDriver, connected, head_of
from actors.device.sane_device import SaneDevice
from actors.device.sane_handle import Handle
from actors.device.sane_record import record
from actors.device.virtual import VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Area, Settings
from schemas.errors import DriverFailed, Offline, ScanbusError, Unsupported
from schemas.page import Color, Source
from scripts.make_recordings import ADDRESS, STORIES, Staged

SMALL = Settings(resolution_dpi=100, area=Area(width_mm=50, height_mm=40), color=Color.GRAY)


@pytest.fixture(autouse=True)
def sane(sane_test_devices: Path) -> Iterator[None]:
    # Very rarely libsane waits for its own thread for ever: a run that ends is better than one that hangs.
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def playing(recording: str | Path) -> VirtualDriver:
    return VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="it", recording=str(recording)),)))


def outcome(device: OpenDevice, settings: Settings) -> tuple[list[tuple[Header, int]], str]:
    """The pages, each with its number of bytes, and the error, if there was one."""
    sink, said = MemorySink(), ""
    try:
        device.acquire(settings, sink)
    except ScanbusError as error:
        said = f"{error.code}: {error.text}"
    return [(header, len(content)) for header, content in sink.images], said


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """Records a scan of SANE's test device."""

    def make(settings: Settings, handle: Callable[[], Handle] = lambda: connected(ADDRESS)) -> Path:
        path = tmp_path / "story.jsonl"
        lines: list[str] = []
        with suppress(ScanbusError):
            record(head_of(ADDRESS, settings), handle, MemorySink(), lines.append)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return make


def test_every_story_ships_and_is_small() -> None:
    shipped = {path.stem: path.stat().st_size for path in SHIPPED_FOLDER.iterdir()}
    assert shipped.keys() == {*STORIES, "contract"}
    assert max(shipped.values()) < 100_000


@pytest.mark.parametrize("name", STORIES)
def test_a_shipped_recording_does_what_the_live_device_does(name: str) -> None:
    story = STORIES[name]
    live, played = SaneDevice(lambda: Staged(story)), playing(name).open("it")
    for _ in range(2):
        assert played.capabilities() == live.capabilities()
        expected = outcome(live, story.settings)
        assert outcome(played, story.settings) == expected
        assert bool(expected[1]) == bool(story.status)
        live.capabilities()
    live.close()


def test_a_recording_is_listed_as_the_scanner_that_it_was() -> None:
    [found] = playing("mono").find()
    assert (found.address, found.vendor, found.model) == ("it", "Noname", "frontend-tester")


def test_the_recorded_contract_keeps_the_contract() -> None:
    check_driver(playing("contract"), "it")


def test_of_recordings_with_equal_settings_each_has_its_turn(recorded: Callable[..., Path]) -> None:
    """A scan that failed, then went well, does so again, in the same order."""
    failing = STORIES["io-error"]
    first = recorded(failing.settings, lambda: Staged(failing)).read_text()
    path = recorded(failing.settings)
    path.write_text(first.removesuffix('{"call":"end"}\n') + path.read_text().partition("\n")[2])
    device = playing(path).open("it")
    codes = [outcome(device, failing.settings)[1].partition(":")[0] for _ in range(4)]
    assert codes == ["offline", "", "offline", ""]


def test_pages_end_where_the_recording_ends(recorded: Callable[..., Path]) -> None:
    asked = msgspec.structs.replace(SMALL, source=Source.FEEDER, pages=2)
    device = playing(recorded(asked)).open("it")
    assert len(outcome(device, msgspec.structs.replace(asked, pages=1))[0]) == 1
    pages, error = outcome(device, msgspec.structs.replace(asked, pages=0))
    assert (len(pages), error) == (2, "")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resolution_dpi": 200}, "no scan with resolution 200.0, only with resolution 100.0"),
        ({"color": Color.COLOR}, "no scan with mode Color, only with mode Gray"),
    ],
)
def test_what_was_not_recorded_is_refused_with_what_was(change: dict[str, object], text: str) -> None:
    asked = msgspec.structs.replace(STORIES["feeder"].settings, **change)
    device = playing("feeder").open("it")
    with pytest.raises(Unsupported, match=text):
        device.acquire(asked, MemorySink())


def test_an_option_that_does_not_change_the_size_of_an_image_may_be_another_than_recorded() -> None:
    story = STORIES["feeder"].settings
    asked = msgspec.structs.replace(story, options={"test-picture": "Grid"})
    device = playing("feeder").open("it")
    assert outcome(device, asked) == outcome(device, story)


CANARY = b"canary in a page"


class Canary(Handle):
    """Every page says who it is."""

    def __init__(self) -> None:
        super().__init__(ADDRESS)

    def read(self, into: memoryview) -> int | None:
        came = super().read(into)
        into[: came or 0] = (CANARY * (len(into) // len(CANARY) + 1))[: came or 0]
        return came


def test_nothing_of_a_page_is_in_its_recording(recorded: Callable[..., Path]) -> None:
    sink = MemorySink()
    SaneDevice(Canary).acquire(SMALL, sink)
    assert CANARY in sink.images[0][1]
    text = recorded(SMALL, Canary).read_bytes()
    hidden = [CANARY, CANARY.hex().encode(), *(base64.b64encode(CANARY[begin:])[:12] for begin in range(3))]
    assert b'"read"' in text
    assert not [each for each in hidden if each in text]


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
        playing(path).open("it").acquire(STORIES["mono"].settings, MemorySink())


def test_a_recording_that_is_not_there_is_offline_and_hides_no_other(tmp_path: Path) -> None:
    virtual = (VirtualConfig(name="gone", recording=str(tmp_path / "gone.jsonl")), VirtualConfig(name="sample"))
    driver = VirtualDriver(DeviceConfig(virtual=virtual))
    assert [found.address for found in driver.find()] == ["gone", "sample"]
    with pytest.raises(Offline, match=r"gone.jsonl cannot be read"):
        driver.open("gone")


def test_a_driver_that_reads_in_smaller_pieces_gets_the_same_bytes() -> None:
    story = STORIES["read-limit"]
    device = playing("read-limit").open("it")
    assert isinstance(device, SaneDevice)
    device.acquire(story.settings, MemorySink())
    player = device._handle
    sizes = []
    player.start()
    while (came := player.read(memoryview(bytearray(700)))) is not None:
        sizes.append(came)
    assert sizes[:4] == [700, 297, 700, 297]
    assert sum(sizes) == 157 * 196


def test_the_first_line_says_what_was_recorded(recorded: Callable[..., Path]) -> None:
    head = read_recording(recorded(SMALL)).head
    assert (head.driver, head.vendor, head.model, head.settings) == ("sane", "Noname", "frontend-tester", SMALL)
    assert head.sane
    assert head.scanbus


def test_a_device_that_was_recorded_is_as_it_was(recorded: Callable[..., Path]) -> None:
    device = SaneDriver(DeviceConfig()).open(ADDRESS)
    before = device.capabilities()
    device.close()
    recorded(msgspec.structs.replace(SMALL, options={"hand-scanner": True, "ppl-loss": 3}))
    device = SaneDriver(DeviceConfig()).open(ADDRESS)
    assert device.capabilities() == before
    device.close()


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
device.acquire(convert({msgspec.to_builtins(STORIES["feeder"].settings)!r}, Settings), sink)
print(len(sink.images))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert ended.stdout == "10\n", ended.stderr
