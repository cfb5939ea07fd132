import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from actors.device.check import MemorySink
from actors.device.driver import Header
from actors.device.virtual import VirtualDevice, VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Area, Settings
from schemas.errors import (
    Canceled,
    CoverOpen,
    DoubleFeed,
    DriverFailed,
    FeederEmpty,
    InUse,
    Invalid,
    NotFound,
    Offline,
    PaperJam,
    ScanbusError,
    Unsupported,
    WarmingUp,
)
from schemas.page import Color, Source


def opened(folder: Path | str = "", pages_per_minute: float = 0, fault: str = "") -> VirtualDevice:
    config = VirtualConfig(name="tray", folder=str(folder), pages_per_minute=pages_per_minute, fault=fault)
    return VirtualDriver(DeviceConfig(virtual=(config,))).open("tray")


def scanned(device: VirtualDevice, **settings: object) -> list[tuple[Header, bytes]]:
    sink = MemorySink()
    device.acquire(Settings(**{"resolution_dpi": 100, **settings}), sink)  # type: ignore[arg-type]
    return sink.images


def gray(image: tuple[Header, bytes]) -> Image.Image:
    header, content = image
    assert header.color == Color.GRAY
    return Image.frombytes("L", (header.width_px, header.height_px), content)


def sheet(path: Path, level: int = 200, size: tuple[int, int] = (200, 300)) -> None:
    """50.8 by 76.2 mm unless told otherwise."""
    Image.new("L", size, level).save(path, dpi=(100, 100))


@pytest.fixture
def tray(tmp_path: Path) -> Path:
    """Three gray sheets, each lighter than the one before."""
    for number, level in enumerate((60, 120, 180), 1):
        sheet(tmp_path / f"{number}.png", level)
    (tmp_path / "readme.txt").write_text("not paper")
    return tmp_path


def levels(images: list[tuple[Header, bytes]]) -> list[int]:
    return [content[0] for _, content in images]


def test_the_feeder_takes_all_files_in_name_order_at_each_scan(tray: Path) -> None:
    device = opened(tray)
    assert levels(scanned(device, color=Color.GRAY)) == [60, 120, 180]
    assert levels(scanned(device, color=Color.GRAY)) == [60, 120, 180]


def test_an_odd_last_sheet_has_a_blank_back(tray: Path) -> None:
    images = scanned(opened(tray), source=Source.DUPLEX, color=Color.GRAY)
    assert levels(images) == [60, 120, 180, 255]
    assert [header.back for header, _ in images] == [False, True, False, True]
    assert images[3][0].height_px == images[2][0].height_px


def test_the_glass_shows_the_next_page_at_each_scan_and_begins_again(tray: Path) -> None:
    driver = VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="tray", folder=str(tray)),)))
    seen = []
    for _ in range(4):
        device = driver.open("tray")
        seen += levels(scanned(device, source=Source.FLATBED, color=Color.GRAY))
        device.close()
    assert seen == [60, 120, 180, 60]


def test_an_empty_folder_is_an_empty_feeder_and_an_empty_glass(tmp_path: Path) -> None:
    device = opened(tmp_path)
    with pytest.raises(FeederEmpty):
        scanned(device)
    assert set(scanned(device, source=Source.FLATBED, color=Color.GRAY)[0][1]) == {255}


def test_a_scanner_without_its_folder_is_listed_and_says_where_to_look(tmp_path: Path) -> None:
    config = VirtualConfig(name="tray", folder=str(tmp_path / "nowhere"))
    driver = VirtualDriver(DeviceConfig(virtual=(config,)))
    assert [found.address for found in driver.find()] == ["tray"]
    with pytest.raises(Offline, match=r"device\.virtual"):
        driver.open("tray")


def test_a_folder_that_goes_away_while_the_device_is_open_is_offline(tmp_path: Path) -> None:
    folder = tmp_path / "tray"
    folder.mkdir()
    device = opened(folder)
    folder.rmdir()
    with pytest.raises(Offline):
        scanned(device)


def test_two_scanners_are_listed_in_the_order_of_the_configuration() -> None:
    names = ("b", "a", "b")
    driver = VirtualDriver(DeviceConfig(virtual=tuple(VirtualConfig(name=name) for name in names)))
    assert sorted(found.address for found in driver.find()) == ["a", "b"]
    with pytest.raises(NotFound):
        driver.open("c")


def test_the_stack_that_ships_is_scanned_at_its_true_sizes() -> None:
    images = scanned(opened(), color=Color.COLOR, resolution_dpi=100)
    assert len(images) == 10
    assert (images[0][0].width_px, images[0][0].height_px) == (827, 1170)
    assert images[8][0].width_px == 315, "the receipt is 80 mm wide"
    assert (images[9][0].width_px, images[9][0].height_px) == (590, 394), "the photo is 15 by 10 cm"


@pytest.mark.parametrize(("resolution_dpi", "width_px"), [(75, 150), (100, 200), (600, 1200)])
def test_pages_are_resampled_to_the_resolution_asked_for(tray: Path, resolution_dpi: int, width_px: int) -> None:
    header, _ = scanned(opened(tray), resolution_dpi=resolution_dpi, pages=1)[0]
    assert (header.width_px, header.resolution_dpi) == (width_px, resolution_dpi)


def test_a_file_that_does_not_know_its_resolution_has_200_dpi(tmp_path: Path) -> None:
    Image.new("L", (400, 400), 9).save(tmp_path / "a.pgm")
    assert scanned(opened(tmp_path))[0][0].width_px == 200


def test_what_lies_beyond_the_paper_is_the_lid(tray: Path) -> None:
    view = gray(scanned(opened(tray), color=Color.GRAY, page_size="a4", pages=1)[0])
    assert view.size == (827, 1169)
    assert view.getpixel((100, 299)) == 60
    assert view.getpixel((100, 301)) == view.getpixel((201, 100)) == 240


def test_an_area_is_cut_where_it_was_asked_for(tmp_path: Path) -> None:
    paper = Image.new("L", (200, 200), 255)
    paper.paste(0, (100, 100, 200, 200))
    paper.save(tmp_path / "corner.png", dpi=(100, 100))
    area = Area(left_mm=25.4, top_mm=25.4, width_mm=25.4, height_mm=25.4)
    assert set(scanned(opened(tmp_path), color=Color.GRAY, area=area)[0][1]) == {0}
    away = Area(left_mm=150, top_mm=100, width_mm=20, height_mm=20)
    assert set(scanned(opened(tmp_path), color=Color.GRAY, area=away)[0][1]) == {240}


def test_in_mono_a_set_bit_is_black_and_lines_fill_whole_bytes(tmp_path: Path) -> None:
    paper = Image.new("L", (12, 12), 250)
    paper.paste(10, (0, 0, 3, 12))
    paper.save(tmp_path / "a.png", dpi=(100, 100))
    header, content = scanned(opened(tmp_path), color=Color.MONO)[0]
    assert header.line_bytes == 2
    assert content[:2] == bytes([0b11100000, 0])


def test_an_empty_page_stays_empty_in_mono() -> None:
    blank = scanned(opened(), color=Color.MONO)[5]
    assert set(blank[1]) == {0}


def test_color_is_red_green_blue(tmp_path: Path) -> None:
    Image.new("RGB", (50, 50), (200, 100, 50)).save(tmp_path / "a.png", dpi=(100, 100))
    assert scanned(opened(tmp_path), color=Color.COLOR)[0][1][:3] == bytes([200, 100, 50])


def test_brightness_and_contrast_are_applied(tray: Path) -> None:
    device = opened(tray)
    assert levels(scanned(device, color=Color.GRAY, brightness=20)) == [86, 146, 206]
    flat, steep = (levels(scanned(device, color=Color.GRAY, contrast=percent)) for percent in (-50, 50))
    assert flat == [94, 124, 154]
    assert steep == [0, 112, 232]


def test_a_page_takes_as_long_as_the_speed_says_and_arrives_in_bands(tray: Path) -> None:
    sink = MemorySink()
    opened(tray, pages_per_minute=30).acquire(Settings(pages=1), sink)
    assert sum(sink.waited_s) == pytest.approx(2.0, rel=0.05)
    assert len(sink.waited_s) > 10
    sink = MemorySink()
    opened(tray, pages_per_minute=30).acquire(Settings(options={"pages-per-minute": 0}), sink)
    assert not sink.waited_s


def test_a_stop_is_heard_inside_a_page(tray: Path) -> None:
    sink = MemorySink()
    sink.stop_after(images=1, size=2000)
    with pytest.raises(Canceled):
        opened(tray).acquire(Settings(color=Color.GRAY, resolution_dpi=100), sink)
    assert (len(sink.images), len(sink.begun)) == (1, 2)


@pytest.mark.parametrize(("name", "error"), [("jam", PaperJam), ("double_feed", DoubleFeed), ("cover_open", CoverOpen)])
def test_a_fault_keeps_the_pages_before_it_and_the_next_scan_works(
    tray: Path, name: str, error: type[ScanbusError]
) -> None:
    device, sink = opened(tray, fault=f"{name}@2"), MemorySink()
    with pytest.raises(error):
        device.acquire(Settings(), sink)
    assert (len(sink.images), len(sink.begun)) == (1, 2)
    assert len(scanned(device, options={"fault": ""})) == 3


def test_half_of_the_page_arrives_before_a_jam(tray: Path) -> None:
    sink = MemorySink()
    with pytest.raises(PaperJam):
        opened(tray, pages_per_minute=60).acquire(Settings(options={"fault": "jam@1"}), sink)
    assert sum(sink.waited_s) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("fault", "error"), [("empty", FeederEmpty), ("busy", InUse), ("warming_up", WarmingUp)])
def test_a_device_that_is_not_ready_can_be_opened_but_moves_nothing(
    tray: Path, fault: str, error: type[ScanbusError]
) -> None:
    device, sink = opened(tray, fault=fault), MemorySink()
    assert device.capabilities().sources
    with pytest.raises(error):
        device.acquire(Settings(), sink)
    assert not sink.begun


def test_a_device_that_is_offline_is_listed_but_not_opened(tray: Path) -> None:
    driver = VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="tray", folder=str(tray), fault="offline"),)))
    assert driver.find()
    with pytest.raises(Offline):
        driver.open("tray")


@pytest.mark.parametrize("fault", ["fire", "jam", "jam@", "jam@0", "jam@-1", "jam@²", "jam@1@2", "empty@1", "@"])
def test_an_unknown_fault_is_answered_with_the_list_of_faults(tray: Path, fault: str) -> None:
    with pytest.raises(Invalid, match=r"jam@N.*warming_up"):
        scanned(opened(tray), options={"fault": fault})
    with pytest.raises(Invalid, match=r"jam@N.*warming_up"):
        opened(tray, fault=fault)


_SCAN = """
import sys
from actors.device.check import MemorySink
from actors.device.virtual import VirtualDriver
from schemas.config import DeviceConfig
from schemas.device import Settings
from schemas.page import Color

class Told(MemorySink):
    def image(self, header):
        print(len(self.images), flush=True)
        return super().image(header)

options = {"fault": sys.argv[1], "pages-per-minute": 0}
VirtualDriver(DeviceConfig()).open("sample").acquire(Settings(resolution_dpi=75, options=options), Told())
"""


def test_a_crash_takes_the_process_along() -> None:
    run = subprocess.run([sys.executable, "-c", _SCAN, "crash@2"], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (-signal.SIGKILL, "0\n1\n")


def test_a_hang_never_ends_by_itself() -> None:
    with subprocess.Popen([sys.executable, "-c", _SCAN, "hang@1"], stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "0\n"
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(0.5)
        finally:
            run.kill()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"resolution_dpi": 74}, Unsupported),
        ({"resolution_dpi": 601}, Unsupported),
        ({"page_size": "a3"}, Unsupported),
        ({"area": Area(left_mm=100, width_mm=117, height_mm=10)}, Unsupported),
        ({"area": Area(width_mm=0, height_mm=10)}, Invalid),
        ({"area": Area(width_mm=10, height_mm=10), "page_size": "a4"}, Invalid),
        ({"options": {"lamp": True}}, Unsupported),
        ({"options": {"fault": 3}}, Invalid),
        ({"options": {"pages-per-minute": "fast"}}, Invalid),
        ({"options": {"pages-per-minute": -1}}, Invalid),
        ({"options": {"pages-per-minute": float("nan")}}, Invalid),
        ({"options": {"pages-per-minute": True}}, Invalid),
    ],
)
def test_what_the_device_cannot_do_is_refused(
    tray: Path, settings: dict[str, object], error: type[ScanbusError]
) -> None:
    with pytest.raises(error):
        scanned(opened(tray), **settings)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def a_locked_pdf(path: Path) -> None:
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(path, encryption=pikepdf.Encryption(owner="o", user="u"))


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("2b.png", b"no picture", "broken"),
        ("2b.jpg", b"", "broken"),
        ("2b.tif", b"II*\0\xff\xff\xff\xff", "broken"),
        ("2b.pdf", b"%PDF-1.7 and then nothing", "broken"),
        ("2b.png", png_that_claims(1000, 1000), "broken"),
        ("2b.png", png_that_claims(15000, 15000), "200 megapixels"),
        ("2b.png", png_that_claims(60000, 60000), "200 megapixels"),
        ("2b.jpg", png_that_claims(9, 9)[:40], "broken"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_at_its_turn(tray: Path, name: str, content: bytes, text: str) -> None:
    (tray / name).write_bytes(content)
    device, sink = opened(tray), MemorySink()
    with pytest.raises(DriverFailed, match=text) as failed:
        device.acquire(Settings(resolution_dpi=100), sink)
    assert name in failed.value.text
    assert str(tray) not in failed.value.text
    assert len(sink.images) == 2
    assert len(scanned(device, pages=2)) == 2


def test_a_truncated_picture_is_not_scanned_as_half_a_page(tray: Path) -> None:
    whole = (Path(__file__).parents[4] / "actors/device/sample/01-letter.jpg").read_bytes()
    (tray / "0.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DriverFailed, match=r"0\.jpg"):
        scanned(opened(tray))


def test_a_pdf_with_a_password_says_so(tray: Path) -> None:
    a_locked_pdf(tray / "0.pdf")
    with pytest.raises(DriverFailed, match="password"):
        scanned(opened(tray))


def test_a_pdf_page_larger_than_a_wall_is_refused(tmp_path: Path) -> None:
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(14400, 14400))
        document.save(tmp_path / "wall.pdf")
    with pytest.raises(DriverFailed, match="megapixels"):
        scanned(opened(tmp_path))


def test_every_page_of_a_pdf_and_of_a_tiff_is_a_side(tmp_path: Path) -> None:
    for name in ("1.pdf", "2.tif"):
        first, second = (Image.new("L", (200, 300), level) for level in (40, 140))
        first.save(tmp_path / name, save_all=True, append_images=[second], resolution=100, dpi=(100, 100))
    images = scanned(opened(tmp_path), color=Color.GRAY)
    assert [header.width_px for header, _ in images] == [200] * 4
    assert levels(images) == pytest.approx([40, 140, 40, 140], abs=2)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "pgm", "bmp", "webp"])
def test_every_kind_of_picture_is_paper(tmp_path: Path, ending: str) -> None:
    Image.new("L", (40, 40), 100).save(tmp_path / f"a.{ending}")
    assert levels(scanned(opened(tmp_path), color=Color.GRAY)) == pytest.approx([100], abs=2)


@pytest.mark.parametrize(
    ("picture", "level"),
    [
        (Image.new("RGBA", (40, 40), (0, 0, 0, 0)), 255),
        (Image.new("1", (40, 40), 1), 255),
        (Image.new("P", (40, 40), 0), 0),
        (Image.new("I;16", (40, 40), 100 << 8), 100),
    ],
)
def test_every_kind_of_pixel_is_printed_on_white_paper(tmp_path: Path, picture: Image.Image, level: int) -> None:
    picture.save(tmp_path / "a.png")
    assert levels(scanned(opened(tmp_path), color=Color.GRAY)) == [level]
    assert scanned(opened(tmp_path), color=Color.COLOR)[0][1][:3] == bytes([level] * 3)


def test_a_photo_lies_as_its_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (400, 200), 90).save(tmp_path / "a.jpg", exif=exif, dpi=(100, 100))
    header, _ = scanned(opened(tmp_path))[0]
    assert (header.width_px, header.height_px) == (200, 400)
