"""A driver's process tells what its driver does, and ends when it does not come back."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.device import host
from bus import Context
from schemas.config import Config
from schemas.device import Settings
from schemas.driver import Acquire, Arrived, Find, Inspect, Reading, Record
from schemas.errors import (
    CODES,
    Canceled,
    DriverFailed,
    Lost,
    PaperJam,
    ScanbusError,
    StorageFailed,
    Unavailable,
    Unsupported,
)
from tests.disks import read_only
from tests.house import WAIT_S, House, in_house, virtual_config
from tests.stage import Stage, feed, feed_until_stopped

FAMILY, DEVICE = "stage", "stage:one"
SILENCE_S = 0.3


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = virtual_config(tmp_path)
    return replace(config, device=replace(config.device, drivers=("stage",), silence_s=SILENCE_S))


async def acquired(ctx: Context, **settings: int) -> list[Arrived]:
    """The images of a scan that goes well."""
    async with ctx.stream(Acquire(settings=Settings(**settings)), instance=DEVICE) as stream:  # type: ignore[arg-type]
        images = [part async for part in stream if isinstance(part, Arrived)]
        await stream.reply()
    return images


async def failed(ctx: Context, instance: str = DEVICE) -> tuple[int, ScanbusError]:
    """How many images came before a scan failed, and why it did."""
    async with ctx.stream(Acquire(settings=Settings()), instance=instance) as stream:
        images = [part async for part in stream if isinstance(part, Arrived)]
        with pytest.raises(ScanbusError) as caught:
            await stream.reply()
    return len(images), caught.value


@in_house
async def test_images_arrive_in_order_and_readable(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed(3)
    images = [await ctx.read(each.image.blob) for each in await acquired(ctx)]
    assert images == [b"P5\n10 4\n255\n" + bytes([number]) * 40 for number in range(3)]


@in_house
async def test_progress_comes_before_its_image(here: House, stage: Stage) -> None:
    ctx = here.session()
    async with ctx.stream(Acquire(settings=Settings()), instance=DEVICE) as stream:
        parts = [type(part) async for part in stream]
    assert parts == [Reading, Arrived]


@in_house
async def test_the_device_stays_open_between_requests_and_is_released_at_the_end(here: House, stage: Stage) -> None:
    ctx = here.session()
    await ctx.call(Inspect(), instance=DEVICE)
    await acquired(ctx)
    await acquired(ctx)
    assert stage.calls == ["open", "capabilities", "acquire", "acquire"]
    await here.stop(f"driver/{DEVICE}")
    assert stage.calls[-1] == "close"
    assert len(stage.threads) == 1


@pytest.mark.parametrize("code", CODES)
@in_house
async def test_every_error_arrives_with_its_code_after_the_images_before_it(
    here: House, stage: Stage, code: str
) -> None:
    ctx = here.session()
    stage.acquire = feed(2, CODES[code]("Something that a person can read.", place="tray"))
    images, error = await failed(ctx)
    assert (images, error.code, error.text) == (2, code, "Something that a person can read.")
    assert error.data == {"place": "tray"}
    stage.acquire = feed(1)
    assert len(await acquired(ctx)) == 1
    assert stage.calls.count("open") == 1


@in_house
async def test_a_mistake_in_a_driver_is_internal_and_tells_nothing_of_it(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed(1, ZeroDivisionError("/home/somebody/secret.png"))
    images, error = await failed(ctx)
    assert (images, error.code, error.data) == (1, "internal", {})
    assert "secret" not in error.text
    stage.acquire = feed(1)
    assert len(await acquired(ctx)) == 1


@in_house
async def test_a_device_that_cannot_be_opened_is_tried_again_next_time(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.fail = CODES["offline"]()
    assert (await failed(ctx))[1].code == "offline"
    assert len(await acquired(ctx)) == 1
    stage.fail = PaperJam()
    with pytest.raises(PaperJam):
        await ctx.call(Inspect(), instance=DEVICE)
    assert (await ctx.call(Inspect(), instance=DEVICE)).capabilities.sources


@in_house
async def test_a_search_that_fails_says_why_and_the_next_one_works(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.fail = DriverFailed("No bus.")
    with pytest.raises(DriverFailed, match="No bus"):
        await ctx.call(Find(), instance=FAMILY)
    assert [each.address for each in (await ctx.call(Find(), instance=FAMILY)).devices] == ["one"]


@in_house
async def test_a_family_without_a_driver_is_unavailable(here: House) -> None:
    with pytest.raises(Unavailable, match="nosuch"):
        await here.session().call(Find(), instance="nosuch")


@in_house
async def test_a_canceled_scan_stops_the_driver_keeps_its_images_and_the_next_works(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Acquire(settings=Settings()), instance=DEVICE) as stream:
        parts = []
        async for part in stream:
            parts.append(part)
            if isinstance(part, Arrived):
                stream.cancel()
        with pytest.raises(Canceled):
            await stream.reply()
    assert sum(isinstance(part, Arrived) for part in parts) == 1
    assert len(here.store.names(ctx.session)) == 1
    stage.acquire = feed(2)
    assert len(await acquired(ctx)) == 2
    assert here.ended == []


@in_house
async def test_a_driver_that_hangs_ends_its_process_and_a_new_one_works(here: House, stage: Stage) -> None:
    ctx = here.session()

    def hang(settings: Settings, sink: object) -> None:
        feed(1)(settings, sink)  # type: ignore[arg-type]
        stage.hang()

    stage.acquire = hang
    images, error = await failed(ctx)
    assert images == 1
    assert isinstance(error, Lost)
    assert here.ended == [(f"driver/{DEVICE}", host.HUNG)]
    stage.acquire = feed(1)
    assert len(await acquired(ctx)) == 1
    stage.released.set()


@in_house
async def test_a_search_that_hangs_ends_its_process(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.called = lambda name: stage.hang()  # type: ignore[method-assign]
    with pytest.raises(Lost):
        await ctx.call(Find(), instance=FAMILY)
    assert {code for _, code in here.ended} == {host.HUNG}
    stage.released.set()


@in_house
async def test_a_driver_that_works_longer_than_the_limit_but_gives_signs_is_left_alone(
    here: House, stage: Stage
) -> None:
    ctx = here.session()

    def slow(settings: Settings, sink: object) -> None:
        for _ in range(4):
            sink.wait(0.2)  # type: ignore[attr-defined]
        feed(1)(settings, sink)  # type: ignore[arg-type]

    stage.acquire = slow
    assert len(await acquired(ctx)) == 1
    assert here.ended == []


@in_house
async def test_a_driver_that_ignores_a_stop_ends_its_process(
    here: House, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "STOP_S", 0.1)
    here.config = replace(here.config, device=replace(here.config.device, silence_s=6 * WAIT_S))
    ctx = here.session()
    stage.acquire = lambda settings, sink: stage.hang()
    async with ctx.stream(Acquire(settings=Settings()), instance=DEVICE) as stream:
        assert await asyncio.to_thread(stage.hanging.wait, WAIT_S)
        stream.cancel()
        with pytest.raises(Canceled):
            await stream.reply()
    assert here.ended == [(f"driver/{DEVICE}", host.HUNG)]
    stage.acquire = feed(1)
    assert len(await acquired(ctx)) == 1
    stage.released.set()


@pytest.mark.parametrize("error", [None, PaperJam("It is jammed.")], ids=["well", "fault"])
@in_house
async def test_a_device_that_never_comes_to_rest_has_said_what_came_of_the_scan_before(
    here: House, stage: Stage, error: ScanbusError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its process is ended; after a fault that is soon."""
    monkeypatch.setattr(host, "STOP_S", SILENCE_S if error else 6 * WAIT_S)
    here.config = replace(here.config, device=replace(here.config.device, silence_s=6 * WAIT_S if error else SILENCE_S))
    ctx = here.session()
    stage.acquire, stage.rest = feed(1, error), stage.hang
    if error is None:
        assert len(await acquired(ctx)) == 1
    else:
        images, failure = await failed(ctx)
        assert (images, failure.text) == (1, error.text)
    assert here.ended == []
    assert await asyncio.to_thread(stage.hanging.wait, WAIT_S)
    stage.acquire = feed(1)
    assert isinstance((await failed(ctx))[1], Lost)
    assert here.ended == [(f"driver/{DEVICE}", host.HUNG)]
    stage.rest = lambda: None
    assert len(await acquired(ctx)) == 1
    stage.released.set()


@in_house
async def test_a_device_that_is_well_may_take_its_time_to_rest_and_scans_after_that(
    here: House, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "STOP_S", 0.1)
    here.config = replace(here.config, device=replace(here.config.device, silence_s=6 * WAIT_S))
    ctx = here.session()
    order: list[str] = []

    def acquire(settings: Settings, sink: object) -> None:
        order.append("scan")
        feed(1)(settings, sink)  # type: ignore[arg-type]

    def park() -> None:
        stage.released.wait(1.2)
        order.append("rest")

    stage.acquire, stage.rest = acquire, park
    for _ in range(2):
        assert len(await acquired(ctx)) == 1
    assert order[:3] == ["scan", "rest", "scan"]
    assert here.ended == []
    stage.released.set()


@in_house
async def test_a_store_that_cannot_be_written_ends_the_scan_with_that_reason(here: House, stage: Stage) -> None:
    ctx = here.session()
    await acquired(ctx)
    with read_only(here.store.folder / "pages"):
        images, error = await failed(ctx)
    assert images == 0
    assert isinstance(error, StorageFailed)
    assert len(await acquired(ctx)) == 1


def kept(config: Config) -> list[Path]:
    """All files of pages."""
    return [path for path in Path(config.state_folder, "pages").rglob("*") if path.is_file()]


LINES = ["line 0", "line 1", "line 2"]


@in_house
async def test_a_recording_comes_line_by_line_and_keeps_no_page(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed(2)
    await ctx.call(Inspect(), instance=DEVICE)
    async with ctx.stream(Record(settings=Settings()), instance=DEVICE) as stream:
        lines = [part.text async for part in stream]
        recorded = await stream.reply()
    assert lines == [*LINES, "the last line"]
    assert (recorded.pages, recorded.fault) == (2, None)
    assert not kept(here.config)
    # Many scanners can be opened once only.
    assert stage.calls == ["open", "capabilities", "close", "record"]


@pytest.mark.parametrize("error", [PaperJam("It is jammed."), Canceled("Somebody pressed its button.")])
@in_house
async def test_a_device_that_fails_is_recorded_too(here: House, stage: Stage, error: ScanbusError) -> None:
    stage.acquire = feed(1, error)
    async with here.session().stream(Record(settings=Settings()), instance=DEVICE) as stream:
        assert [part.text async for part in stream] == LINES
        recorded = await stream.reply()
    assert (recorded.pages, recorded.fault) == (1, error.failure())


@in_house
async def test_a_recording_can_be_stopped(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Record(settings=Settings()), instance=DEVICE) as stream:
        async for part in stream:
            if part.text == LINES[-1]:
                stream.cancel()
        with pytest.raises(Canceled):
            await stream.reply()
    stage.acquire = feed(1)
    assert len(await acquired(ctx)) == 1


@in_house
async def test_a_driver_that_cannot_be_recorded_says_so(here: House) -> None:
    with pytest.raises(Unsupported, match="'virtual' cannot be recorded"):
        await here.session().call(Record(settings=Settings()), instance="virtual:sample")
