"""A tray that empties: sheets leave it one by one, jam, and can be put back."""

import threading
from pathlib import Path
from time import monotonic

import pytest
from PIL import Image

from actors.device.check import MemorySink
from actors.device.driver import Header
from actors.device.virtual import VirtualDevice, VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Settings
from schemas.errors import Canceled, DoubleFeed, DriverFailed, FeederEmpty, Invalid, PaperJam
from schemas.page import Color, Source
from tests.paper import number_on, small_stack


def scanned(device: VirtualDevice, **settings: object) -> list[tuple[Header, bytes]]:
    sink = MemorySink()
    device.acquire(Settings(**{"resolution_dpi": 75, **settings}), sink)  # type: ignore[arg-type]
    return sink.images


def with_tray(folder: Path, fault: str = "", pages_per_minute: float = 0) -> VirtualDevice:
    config = VirtualConfig(name="tray", folder=str(folder), tray=True, fault=fault, pages_per_minute=pages_per_minute)
    return VirtualDriver(DeviceConfig(virtual=(config,))).open("tray")


def numbers(images: list[tuple[Header, bytes]]) -> list[int]:
    return [number_on(Image.frombytes("L", (header.width_px, header.height_px), content)) for header, content in images]


def test_sheets_that_were_fed_are_gone_from_the_tray_until_it_is_filled(tmp_path: Path) -> None:
    small_stack(tmp_path, 5)
    assert numbers(scanned(with_tray(tmp_path), color=Color.GRAY, pages=2)) == [1, 2]
    assert numbers(scanned(with_tray(tmp_path), color=Color.GRAY)) == [3, 4, 5]
    with pytest.raises(FeederEmpty):
        scanned(with_tray(tmp_path))
    assert len(scanned(with_tray(tmp_path), source=Source.FLATBED)) == 1, "the glass is not the tray"
    (tmp_path / ".fed").unlink()
    assert len(scanned(with_tray(tmp_path))) == 5


def test_a_sheet_that_jams_has_left_the_tray_and_goes_through_once_it_is_put_back(tmp_path: Path) -> None:
    small_stack(tmp_path, 60)
    device, sink = with_tray(tmp_path, "jam@37"), MemorySink()
    with pytest.raises(PaperJam):
        device.acquire(Settings(color=Color.GRAY, resolution_dpi=75), sink)
    assert numbers(sink.images) == list(range(1, 37))
    assert (tmp_path / ".fed").read_text() == "37"
    (tmp_path / ".fed").write_text("36")
    assert numbers(scanned(with_tray(tmp_path, "jam@37"), color=Color.GRAY)) == list(range(37, 61))
    (tmp_path / ".fed").unlink()
    with pytest.raises(PaperJam):
        scanned(device)


def test_a_stop_leaves_the_sheets_that_were_not_picked_in_the_tray(tmp_path: Path) -> None:
    small_stack(tmp_path, 5)
    sink = MemorySink()
    sink.stop_after(images=2, size=1000)
    with pytest.raises(Canceled):
        with_tray(tmp_path).acquire(Settings(color=Color.GRAY, resolution_dpi=75), sink)
    assert numbers(scanned(with_tray(tmp_path), color=Color.GRAY)) == [4, 5]


def test_a_sheet_that_is_scanned_on_both_sides_leaves_the_tray_once(tmp_path: Path) -> None:
    small_stack(tmp_path, 5)
    assert numbers(scanned(with_tray(tmp_path), source=Source.DUPLEX, color=Color.GRAY, pages=2)) == [1, 2]
    assert (tmp_path / ".fed").read_text() == "1"
    with pytest.raises(DoubleFeed):
        scanned(with_tray(tmp_path, "double_feed@4"), source=Source.DUPLEX)
    assert (tmp_path / ".fed").read_text() == "2"
    (tmp_path / ".fed").write_text("1")
    rest = scanned(with_tray(tmp_path, "double_feed@4"), source=Source.DUPLEX, color=Color.GRAY)
    assert (numbers(rest), [header.back for header, _ in rest]) == ([3, 4, 5, 0], [False, True] * 2)
    with pytest.raises(FeederEmpty):
        scanned(with_tray(tmp_path), source=Source.DUPLEX)


def test_a_tray_that_cannot_be_counted_says_what_to_do(tmp_path: Path) -> None:
    small_stack(tmp_path, 1)
    (tmp_path / ".fed").write_text("a few")
    with pytest.raises(DriverFailed, match="Delete it"):
        scanned(with_tray(tmp_path))
    with pytest.raises(Invalid, match="folder"):
        VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="tray", tray=True),))).open("tray")


def test_a_slow_computer_still_feeds_as_many_pages_a_minute(tmp_path: Path) -> None:
    class Slow(MemorySink):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            threading.Event().wait(seconds + 0.002)

    small_stack(tmp_path, 10)
    sink, began = Slow(), monotonic()
    with_tray(tmp_path, pages_per_minute=1200).acquire(Settings(color=Color.GRAY, resolution_dpi=75), sink)
    assert 0.45 < monotonic() - began < 0.8
    assert len(sink.images) == 10


def test_a_feeder_that_stood_still_does_not_hurry_afterwards(tmp_path: Path) -> None:
    class Stopped(MemorySink):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            threading.Event().wait(seconds if len(self.waited_s) > 1 else 0.8)

    small_stack(tmp_path, 4)
    sink = Stopped()
    with_tray(tmp_path, pages_per_minute=600).acquire(Settings(color=Color.GRAY, resolution_dpi=75), sink)
    assert sum(sink.waited_s) > 0.1
