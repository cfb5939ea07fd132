"""What a device answers is written down, nothing of the paper is, and it is what the device would answer again."""

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

from actors.device.check import MemorySink
from actors.device.recording import SHIPPED_FOLDER, read_recording
from actors.device.sane import SaneDriver, connected, head_of
from actors.device.sane_device import SaneDevice, SaneHandle
from actors.device.sane_record import record
from schemas.config import DeviceConfig
from schemas.device import Area, Settings
from schemas.errors import Offline, ScanbusError
from schemas.page import Color, Source
from scripts.calm import CalmHandle
from scripts.make_recordings import ADDRESS, STORIES, Staged
from tests.recordings import outcome, playing

ROOT = Path(__file__).parents[4]
SMALL = Settings(resolution_dpi=100, area=Area(width_mm=50, height_mm=40), color=Color.GRAY)


@pytest.fixture(autouse=True)
def sane(sane_test_devices: Path) -> Iterator[None]:
    # Should libsane ever hang: a run that ends is better.
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """Records a scan of SANE's test device."""

    def make(settings: Settings, handle: Callable[[], SaneHandle] = lambda: connected(ADDRESS)) -> Path:
        path = tmp_path / "story.jsonl"
        lines: list[str] = []
        with suppress(ScanbusError):
            record(head_of(ADDRESS, settings), handle, MemorySink(), lines.append)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return make


@pytest.mark.parametrize("name", STORIES)
def test_a_shipped_recording_does_what_the_live_device_does(name: str) -> None:
    story = STORIES[name]
    live, played = SaneDevice(lambda: Staged(story)), playing(name).open("it")
    for _ in range(2):
        assert played.capabilities() == live.capabilities()
        pages, error = outcome(live, story.settings)
        played_pages, played_error = outcome(played, story.settings)
        assert played_pages == pages
        assert (type(played_error), str(played_error)) == (type(error), str(error))
        assert (error is not None) == bool(story.status)
    live.capabilities()
    live.close()


def test_the_script_writes_the_recordings_that_ship(tmp_path: Path) -> None:
    # In a process of its own, because the test device keeps what others have set.
    subprocess.run([sys.executable, "-m", "scripts.make_recordings", str(tmp_path)], check=True, cwd=ROOT, timeout=60)
    for shipped in SHIPPED_FOLDER.iterdir():
        first, *lines = steady(shipped)
        now_first, *now = steady(tmp_path / shipped.name)
        if msgspec.json.decode(first)["sane"] != msgspec.json.decode(now_first)["sane"]:
            pytest.skip("another version of SANE's test device")
        assert now == lines, f"{shipped.name} is not what the script writes: run it again"


def steady(path: Path) -> list[str]:
    """The lines that do not depend on how fast the device was, and on what it made up."""
    return [
        line for line in path.read_text().splitlines() if not line.startswith(('{"call":"read"', '{"call":"start"'))
    ]


def together(first: str, second: str) -> str:
    """Two recordings as one."""
    return first.removesuffix('{"call":"end"}\n') + second.partition("\n")[2]


def test_of_two_scans_the_one_is_played_that_gives_such_an_image(recorded: Callable[..., Path]) -> None:
    """However many other options were set for it."""
    odd = {"ppl-loss": 3, "fuzzy-parameters": True, "test-picture": "Grid", "select-fd": True}
    first = recorded(msgspec.structs.replace(SMALL, color=Color.COLOR, options=odd)).read_text()
    path = recorded(SMALL)
    path.write_text(together(first, path.read_text()))
    [(header, _)], error = outcome(playing(path).open("it"), msgspec.structs.replace(SMALL, color=Color.COLOR))
    assert (header.color, error) == (Color.COLOR, None)


def test_of_recordings_with_equal_settings_each_has_its_turn(recorded: Callable[..., Path]) -> None:
    """A scan that failed, then went well, does so again, in the same order."""
    failing = STORIES["io-error"]
    first = recorded(failing.settings, lambda: Staged(failing)).read_text()
    path = recorded(failing.settings)
    path.write_text(together(first, path.read_text()))
    device = playing(path).open("it")
    ends = [type(outcome(device, failing.settings)[1]) for _ in range(4)]
    assert ends == [Offline, type(None)] * 2


def test_pages_end_where_the_recording_ends(recorded: Callable[..., Path]) -> None:
    asked = msgspec.structs.replace(SMALL, source=Source.FEEDER, pages=2)
    device = playing(recorded(asked)).open("it")
    assert len(outcome(device, msgspec.structs.replace(asked, pages=1))[0]) == 1
    pages, error = outcome(device, msgspec.structs.replace(asked, pages=0))
    assert (len(pages), error) == (2, None)


CANARY = b"canary in a page"


class Canary(CalmHandle):
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
