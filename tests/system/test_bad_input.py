"""Whatever goes wrong: a documented error, the finished pages are there, and the next scan works."""

import shutil
from pathlib import Path

import PIL.Image
import pytest
from msgspec.structs import replace

from bus import Context, Stream
from schemas.buffer import ListPages, Pages, Remove
from schemas.config import Config
from schemas.device import Area, Describe, ListDevices, Paused, Scan, Scanned, ScannedPage, ScanPart, Settings
from schemas.errors import CODES, NotFound, ScanbusError
from schemas.message import Request
from schemas.page import Color, Source
from tests.disks import fill, read_only, small_disk
from tests.house import House, in_house, virtual_config
from tests.stage import add_driver

VIRTUAL = "virtual:sample"
SMALL = Settings(source=Source.FEEDER, color=Color.GRAY, resolution_dpi=75)
SANE_STATUSES = {
    "SANE_STATUS_UNSUPPORTED": "unsupported",
    "SANE_STATUS_CANCELLED": "canceled",
    "SANE_STATUS_DEVICE_BUSY": "in_use",
    "SANE_STATUS_INVAL": "invalid",
    "SANE_STATUS_EOF": "driver_failed",
    "SANE_STATUS_JAMMED": "paper_jam",
    "SANE_STATUS_NO_DOCS": "feeder_empty",
    "SANE_STATUS_COVER_OPEN": "cover_open",
    "SANE_STATUS_IO_ERROR": "offline",
    "SANE_STATUS_NO_MEM": "driver_failed",
    "SANE_STATUS_ACCESS_DENIED": "denied",
}
SANE_SMALL = Settings(source=Source.FEEDER, resolution_dpi=75, area=Area(width_mm=20, height_mm=10))


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """The virtual scanner's folder, with four pages."""
    folder = tmp_path / "paper"
    folder.mkdir()
    for number in range(1, 5):
        PIL.Image.new("L", (100, 140), 50 * number).save(folder / f"{number}.png", dpi=(75, 75))
    return folder


@pytest.fixture
def config(tmp_path: Path, paper: Path) -> Config:
    return virtual_config(tmp_path, folder=str(paper))


@pytest.fixture
def sane_config(config: Config, sane_test_devices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    pytest.importorskip("_sane", reason="SANE is not on this system")
    add_driver(monkeypatch, tmp_path, "late", "tests.late:LateDriver")
    # One search, because SANE knows no threads and here all drivers share a process.
    return replace(config, device=replace(config.device, drivers=("late",), search_interval_s=3600))


async def failure(ctx: Context, device_id: str, settings: Settings = SMALL) -> tuple[int, ScanbusError]:
    """How many pages came before a scan failed, and why it did; they are in the session, and can be read."""
    before = len((await ctx.call(ListPages())).pages)
    async with ctx.stream(Scan(device_id=device_id, settings=settings)) as scan:
        told = [part.page async for part in scan if isinstance(part, ScannedPage)]
        with pytest.raises(ScanbusError) as caught:
            await scan.reply()
    assert caught.value.text
    assert (await ctx.call(ListPages())).pages[before:] == told
    for page in told:
        assert len(await ctx.read(page.image.blob)) == page.image.blob.size
    return len(told), caught.value


async def works(ctx: Context, device_id: str = VIRTUAL, settings: Settings = SMALL) -> int:
    """The pages of a scan that goes well."""
    return (await ctx.call(Scan(device_id=device_id, settings=settings))).job.pages


@in_house
async def test_an_unknown_device_is_not_found(here: House) -> None:
    ctx = here.session()
    for device_id in ("virtual:nobody", "nosuch:sample", "", "\0", "x" * 10_000):
        assert (await failure(ctx, device_id))[1].code == "not_found"
        with pytest.raises(NotFound):
            await ctx.call(Describe(device_id=device_id))
    assert await works(ctx) == 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"resolution_dpi": 9600}, "unsupported"),
        ({"area": Area(width_mm=5000, height_mm=10)}, "unsupported"),
        ({"area": Area(width_mm=0, height_mm=0)}, "invalid"),
        ({"area": Area(width_mm=10, height_mm=10), "page_size": "a4"}, "invalid"),
        ({"page_size": "a3"}, "unsupported"),
        ({"options": {"teleport": True}}, "unsupported"),
        ({"options": {"fault": 7}}, "invalid"),
        ({"options": {"fault": "jam@0"}}, "invalid"),
        ({"options": {"pages-per-minute": -1}}, "invalid"),
    ],
    ids=str,
)
@in_house
async def test_an_impossible_setting_is_refused_before_anything_moves(
    here: House, changes: dict[str, object], code: str
) -> None:
    ctx = here.session()
    pages, error = await failure(ctx, VIRTUAL, replace(SMALL, **changes))
    assert (pages, error.code) == (0, code)
    assert await works(ctx) == 4


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"resolution_dpi": 10}, "resolution_dpi"),
        ({"brightness": 101}, "brightness"),
        ({"pages": -1}, "pages"),
        ({"source": "drawer"}, "source"),
        ({"page_size": "a0"}, "page_size"),
    ],
)
@in_house
async def test_a_setting_that_nobody_could_have_is_named(here: House, changes: dict[str, object], named: str) -> None:
    ctx = here.session()
    pages, error = await failure(ctx, VIRTUAL, replace(SMALL, **changes))
    assert (pages, error.code) == (0, "invalid")
    assert named in error.text
    assert await works(ctx) == 4


class Knock(Request[Pages, Pages], tag="nobody.knock"):
    pass


class Whisper(Request[Pages, Pages], tag="buffer.whisper"):
    pass


@in_house
async def test_a_letter_to_nobody_is_not_found(here: House) -> None:
    ctx = here.session()
    with pytest.raises(NotFound, match="nobody"):
        await ctx.call(Knock())
    assert await works(ctx) == 4


@in_house
async def test_a_letter_that_its_service_does_not_know_is_invalid(here: House) -> None:
    ctx = here.session()
    with pytest.raises(CODES["invalid"], match="whisper"):
        await ctx.call(Whisper())
    assert await works(ctx) == 4


@in_house
async def test_a_letter_that_is_too_long_is_too_large(here: House) -> None:
    ctx = here.session()
    with pytest.raises(CODES["too_large"]):
        await ctx.call(Remove(page_ids=["x" * 1000] * 2000))
    assert await works(ctx) == 4


@pytest.mark.parametrize(
    ("fault", "pages", "code", "gap"),
    [
        ("jam@3", 2, "paper_jam", {"gap": "3"}),
        ("double_feed@2", 1, "double_feed", {"gap": "2"}),
        ("cover_open@1", 0, "cover_open", {"gap": "1"}),
        ("empty", 0, "feeder_empty", {}),
        ("offline", 0, "offline", {}),
        ("busy", 0, "in_use", {}),
        ("warming_up", 0, "warming_up", {}),
    ],
)
@in_house
async def test_a_scanner_that_fails_says_what_a_person_can_do_and_what_was_not_kept(
    here: House, fault: str, pages: int, code: str, gap: dict[str, str]
) -> None:
    ctx = here.session()
    came, error = await failure(ctx, VIRTUAL, replace(SMALL, options={"fault": fault}))
    assert (came, error.code, error.data) == (pages, code, {"pages": str(pages), **gap})
    assert error.retryable
    assert await works(ctx) == 4


@pytest.mark.parametrize(
    ("fault", "pages", "code"), [("jam@3", 2, "paper_jam"), ("empty", 0, "feeder_empty"), ("offline", 0, "offline")]
)
@in_house
async def test_a_scanner_that_is_configured_to_fail_does_and_is_still_listed(
    here: House, fault: str, pages: int, code: str
) -> None:
    (virtual,) = here.config.device.virtual
    device = replace(here.config.device, virtual=(replace(virtual, fault=fault),))
    here.config = replace(here.config, device=device)
    ctx = here.session()
    came, error = await failure(ctx, VIRTUAL)
    assert (came, error.code) == (pages, code)
    assert [each.device_id for each in (await ctx.call(ListDevices(wait=True))).devices] == [VIRTUAL]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("3-broken.png", b"\x89PNG\r\n\x1a\n and then nothing"),
        ("3-broken.jpg", b"\xff\xd8\xff\xe0 cut"),
        ("3-empty.tif", b""),
        ("3-broken.pdf", b"%PDF-1.7 or not"),
        ("3-huge.ppm", b"P6 99999 99999 255\n"),
    ],
)
@in_house
async def test_a_broken_file_in_the_virtual_feeder_fails_its_page(
    here: House, paper: Path, name: str, content: bytes
) -> None:
    ctx = here.session()
    (paper / name).write_bytes(content)
    pages, error = await failure(ctx, VIRTUAL)
    assert (pages, error.code) == (2, "driver_failed")
    assert name in error.text
    (paper / name).unlink()
    assert await works(ctx) == 4


@in_house
async def test_a_virtual_scanner_whose_folder_is_gone_is_offline(here: House, paper: Path) -> None:
    ctx = here.session()
    shutil.move(paper, paper.with_name("away"))
    assert (await failure(ctx, VIRTUAL))[1].code == "offline"
    shutil.move(paper.with_name("away"), paper)
    assert await works(ctx) == 4


@pytest.mark.parametrize("status", SANE_STATUSES)
def test_every_status_of_sane_on_the_first_page(sane_config: Config, status: str) -> None:
    @in_house
    async def claim(here: House) -> None:
        ctx = here.session()
        settings = replace(SANE_SMALL, options={"read-return-value": status})
        pages, error = await failure(ctx, "late:test:0", settings)
        assert (pages, error.code) == (0, SANE_STATUSES[status])
        assert await works(ctx, "late:test:0", SANE_SMALL) == 10

    claim(config=sane_config)


@pytest.mark.parametrize("status", SANE_STATUSES)
def test_every_status_of_sane_on_a_later_page(
    sane_config: Config, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Imported late, because SANE may not be on this system.
    from tests.late import LateDevice

    monkeypatch.setattr(LateDevice, "status", status)

    @in_house
    async def claim(here: House) -> None:
        ctx = here.session()
        pages, error = await failure(ctx, "late:test:1", SANE_SMALL)
        assert (pages, error.code) == (LateDevice.after_page, SANE_STATUSES[status])
        assert await works(ctx, "late:test:1", SANE_SMALL) == 10

    claim(config=sane_config)


@in_house
async def test_a_store_that_cannot_be_written_keeps_what_there_is(here: House) -> None:
    ctx = here.session()
    assert await works(ctx) == 4
    with read_only(here.store.folder / "pages"):
        pages, error = await failure(ctx, VIRTUAL)
        assert (pages, error.code) == (0, "storage_failed")
        assert len((await ctx.call(ListPages())).pages) == 4
    assert await works(ctx) == 4


async def until_it_waits(scan: Stream[Scanned, ScanPart]) -> str:
    """Hear of a scan until it waits; gives the code of why."""
    async for part in scan:
        if isinstance(part, Paused):
            assert part.job.paused is not None
            return part.job.paused.code
    raise AssertionError("it never waited")


def test_a_scan_waits_for_a_full_disk_and_what_a_person_removes_is_room(config: Config, paper: Path) -> None:
    for number in range(1, 5):
        PIL.Image.effect_noise((600, 800), 90).save(paper / f"{number}.png", dpi=(75, 75))

    @in_house
    async def claim(here: House) -> None:
        ctx = here.session()
        assert await works(ctx, VIRTUAL, replace(SMALL, pages=1)) == 1
        async with ctx.stream(Scan(device_id=VIRTUAL, settings=SMALL)) as scan:
            assert await until_it_waits(scan) == "storage_full"
            kept = (await ctx.call(ListPages())).pages
            assert 1 <= len(kept) < 5
            for page in kept:
                assert len(await ctx.read(page.image.blob)) == page.image.blob.size
            await ctx.call(Remove(page_ids=[page.page_id for page in kept]))
            assert (await scan.reply()).job.pages == 4
        assert len((await ctx.call(ListPages())).pages) == 5 - len(kept)

    with small_disk(Path(config.state_folder), size_kb=1700):
        claim(config=config)


def test_a_scan_waits_for_a_disk_that_others_fill_to_the_last_byte(config: Config) -> None:
    @in_house
    async def claim(here: House) -> None:
        ctx = here.session()
        assert await works(ctx) == 4
        ballast = fill(here.store.folder)
        async with ctx.stream(Scan(device_id=VIRTUAL, settings=SMALL)) as scan:
            assert await until_it_waits(scan) == "storage_full"
            assert len((await ctx.call(ListPages())).pages) == 4
            ballast.unlink()
            assert (await scan.reply()).job.pages == 4
        assert len((await ctx.call(ListPages())).pages) == 8

    with small_disk(Path(config.state_folder), size_kb=2048):
        claim(config=config)


def test_a_house_without_its_folder_says_so(config: Config) -> None:
    Path(config.state_folder).mkdir()
    with read_only(Path(config.state_folder)), pytest.raises(CODES["storage_failed"]):

        @in_house
        async def claim(here: House) -> None:
            raise AssertionError("it opened")

        claim(config=config)
