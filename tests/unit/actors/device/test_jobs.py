"""A scan belongs to its session: it can be followed, stopped, and asked for when it is over."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.device.scanners import JOBS_KEPT
from bus import Context, Stream
from schemas.buffer import ListPages
from schemas.cache import EndSession
from schemas.config import Config
from schemas.device import (
    Follow,
    Job,
    JobState,
    ListJobs,
    Progress,
    Scan,
    Scanned,
    ScannedPage,
    Settings,
    Started,
    Stop,
)
from schemas.errors import Canceled, DriverFailed, NotFound, PaperJam, ScanbusError
from tests.house import WAIT_S, House, in_house, virtual_config
from tests.stage import HEADER, Stage, feed, feed_until_stopped

DEVICE = "stage:one"
ScanStream = Stream[Scanned, Started | ScannedPage | Progress]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = virtual_config(tmp_path)
    return replace(config, device=replace(config.device, drivers=("stage",)))


async def pages(ctx: Context) -> int:
    return len((await ctx.call(ListPages())).pages)


async def jobs(ctx: Context) -> list[Job]:
    return (await ctx.call(ListJobs())).jobs


async def job_of_first_page(stream: ScanStream) -> str:
    """Read up to the first page; the scan's id."""
    job_id = ""
    async for part in stream:
        if isinstance(part, Started):
            job_id = part.job.job_id
        if isinstance(part, ScannedPage):
            return job_id
    raise AssertionError("the scan ended before its first page")


async def works(ctx: Context, stage: Stage) -> bool:
    """Whether the next scan goes well."""
    stage.acquire = feed(2)
    return (await ctx.call(Scan(device_id=DEVICE))).job.pages == 2


@in_house
async def test_a_scan_tells_its_start_each_durable_page_and_its_end(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed(3)
    async with ctx.stream(Scan(device_id=DEVICE)) as stream:
        parts = [part async for part in stream]
        job = (await stream.reply()).job
    assert isinstance(parts[0], Started)
    assert parts[0].job.job_id == job.job_id
    told = [part for part in parts if isinstance(part, ScannedPage)]
    assert [part.number for part in told] == [1, 2, 3]
    assert [part.page for part in told] == (await ctx.call(ListPages())).pages
    assert (job.state, job.pages, job.device_id, job.fault) == (JobState.COMPLETED, 3, DEVICE, None)
    assert await jobs(ctx) == [job]


@in_house
async def test_the_settings_reach_the_driver_as_they_were_asked(here: House, stage: Stage) -> None:
    asked: list[Settings] = []

    def acquire(settings: Settings, sink: object) -> None:
        asked.append(settings)

    stage.acquire = acquire
    settings = Settings(resolution_dpi=150, pages=2, brightness=-5, options={"a": 1, "b": [1, 2.5], "c": "x"})
    await here.session().call(Scan(device_id=DEVICE, settings=settings))
    assert asked == [settings]


@in_house
async def test_scans_are_listed_for_their_own_session_newest_last(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    first = (await ctx.call(Scan(device_id=DEVICE))).job
    stage.acquire = feed(1, PaperJam())
    with pytest.raises(PaperJam) as caught:
        await ctx.call(Scan(device_id=DEVICE))
    assert caught.value.data == {"pages": "1", "gap": "2"}
    faulted = (await jobs(ctx))[1]
    assert await jobs(ctx) == [first, faulted]
    assert (faulted.state, faulted.pages) == (JobState.FAULTED, 1)
    assert faulted.fault == caught.value.failure()
    assert await jobs(other) == []
    for request in (Follow(job_id=first.job_id), Stop(job_id=first.job_id)):
        with pytest.raises(NotFound):
            await other.call(request)


@in_house
async def test_only_the_latest_scans_are_remembered(here: House, stage: Stage) -> None:
    ctx = here.session()
    done = [(await ctx.call(Scan(device_id=DEVICE))).job for _ in range(JOBS_KEPT + 3)]
    remembered = await jobs(ctx)
    assert len(remembered) <= JOBS_KEPT + 1
    assert remembered == done[-len(remembered) :]


@in_house
async def test_a_second_caller_hears_the_remaining_pages_and_the_end(here: House, stage: Stage) -> None:
    ctx = here.session()
    followed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def acquire(settings: Settings, sink: object) -> None:
        feed(1)(settings, sink)  # type: ignore[arg-type]
        asyncio.run_coroutine_threadsafe(followed.wait(), loop).result(WAIT_S)
        feed(2)(settings, sink)  # type: ignore[arg-type]

    stage.acquire = acquire
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        job_id = await job_of_first_page(scan)
        async with ctx.stream(Follow(job_id=job_id)) as follow:
            numbers = []
            async for part in follow:
                if isinstance(part, Started):
                    assert (part.job.job_id, part.job.pages) == (job_id, 1)
                    followed.set()
                if isinstance(part, ScannedPage):
                    numbers.append(part.number)
            end = await follow.reply()
        assert end == await scan.reply()
    assert numbers == [2, 3]
    assert end.job.pages == 3
    assert (await ctx.call(Follow(job_id=job_id))) == end


@in_house
async def test_who_follows_a_scan_that_failed_is_told_why(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed(1, PaperJam())
    with pytest.raises(PaperJam):
        await ctx.call(Scan(device_id=DEVICE))
    with pytest.raises(PaperJam):
        await ctx.call(Follow(job_id=(await jobs(ctx))[0].job_id))


@in_house
async def test_a_follower_that_leaves_does_not_stop_the_scan(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        job_id = await job_of_first_page(scan)
        async with ctx.stream(Follow(job_id=job_id)) as follow:
            async for _ in follow:
                break
        assert [job.state for job in await jobs(ctx)] == [JobState.RUNNING]
        await ctx.call(Stop(job_id=job_id))


@in_house
async def test_a_stop_keeps_finished_pages_and_nothing_arrives_afterwards(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        job_id = await job_of_first_page(scan)
        stopped = (await ctx.call(Stop(job_id=job_id))).job
        rest = [part async for part in scan]
        with pytest.raises(Canceled):
            await scan.reply()
    assert (stopped.state, stopped.pages) == (JobState.CANCELED, 1)
    assert not any(isinstance(part, ScannedPage) for part in rest)
    assert await pages(ctx) == 1
    assert len(here.store.names(ctx.session)) == 1
    assert await works(ctx, stage)
    assert (await ctx.call(Stop(job_id=job_id))).job == stopped


@in_house
async def test_a_caller_that_cancels_stops_the_scan_and_keeps_finished_pages(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        await job_of_first_page(scan)
        scan.cancel()
        with pytest.raises(Canceled):
            await scan.reply()
    assert [job.state for job in await jobs(ctx)] == [JobState.CANCELED]
    assert await pages(ctx) == 1
    assert await works(ctx, stage)


@in_house
async def test_a_caller_that_leaves_stops_the_scan(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        await job_of_first_page(scan)
    assert [job.state for job in await jobs(ctx)] == [JobState.CANCELED]
    assert await works(ctx, stage)


@in_house
async def test_a_stop_before_the_first_page_is_heard(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = lambda settings, sink: sink.wait(60)
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        async for part in scan:
            if isinstance(part, Started):
                assert (await ctx.call(Stop(job_id=part.job.job_id))).job.state == JobState.CANCELED
        with pytest.raises(Canceled):
            await scan.reply()
    assert await works(ctx, stage)


@in_house
async def test_a_driver_process_that_dies_faults_its_scan_and_the_next_works(here: House, stage: Stage) -> None:
    ctx = here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        await job_of_first_page(scan)
        here.kill(f"driver/{DEVICE}")
        with pytest.raises(DriverFailed) as caught:
            await scan.reply()
    assert caught.value.data == {"pages": "1", "gap": "2"}
    assert [job.state for job in await jobs(ctx)] == [JobState.FAULTED]
    assert await pages(ctx) == 1
    assert await works(ctx, stage)


@in_house
async def test_the_end_of_a_session_stops_its_scan_and_frees_the_device(here: House, stage: Stage) -> None:
    ctx, other = here.session(), here.session()
    stage.acquire = feed_until_stopped
    async with ctx.stream(Scan(device_id=DEVICE)) as scan:
        await job_of_first_page(scan)
        await ctx.call(EndSession())
        with pytest.raises(ScanbusError):
            await scan.reply()
    assert await works(other, stage)
    assert here.store.sessions() == [other.session]


@in_house
async def test_nothing_of_an_ended_session_is_remembered(here: House, stage: Stage) -> None:
    ctx = here.session()
    await ctx.call(Scan(device_id=DEVICE))
    await ctx.call(EndSession())
    async with asyncio.timeout(WAIT_S):
        while await jobs(ctx):
            pass


@in_house
async def test_a_page_that_cannot_be_kept_faults_the_scan_with_that_reason(here: House, stage: Stage) -> None:
    """The driver says that it scanned, and the bytes are gone: no page is pretended."""
    ctx = here.session()

    def acquire(settings: Settings, sink: object) -> None:
        feed(1)(settings, sink)  # type: ignore[arg-type]
        with sink.image(HEADER) as writer:  # type: ignore[attr-defined]
            writer.write(bytes(39))

    stage.acquire = acquire
    with pytest.raises(DriverFailed) as caught:
        await ctx.call(Scan(device_id=DEVICE))
    assert caught.value.data == {"pages": "1", "gap": "2"}
    assert await pages(ctx) == 1
    assert await works(ctx, stage)
